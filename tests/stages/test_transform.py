"""What passed the rules becomes a plan of what differs from the ledger."""

from __future__ import annotations

import pandas as pd
import pytest

from passback.oneroster import line_item_id
from passback.records import CLASSES, PASSING_LINE_ITEMS, PASSING_RESULTS, RESULT_PLAN
from passback.stages.transform import Plan, describe, transform, with_settled

ITEM = {
    "assessment_id": "a1",
    "class_id": "biology",
    "sis_class_id": "1001.0.01",
    "title": "Essay",
    "category_id": "paper",
    "period_id": "q2",
    "assign_date": "2026-11-01",
    "due_date": "2026-11-10",
    "points_possible": 10.0,
    "adopts": "",
}
RESULT = {
    "assessment_id": "a1",
    "class_id": "biology",
    "student_id": "s1",
    "sis_class_id": "1001.0.01",
    "sis_student_id": "9001",
    "score": 8.5,
    "score_status": "fully graded",
    "score_date": "2026-11-12",
    "mark": "",
}
ITEM_ID = line_item_id("otus", "a1", "1001.0.01")
LAST_RUN, THIS_RUN = 1, 2


def known(row: dict[str, object], columns: list[str], **changes: object) -> pd.DataFrame:
    held = {"line_item_id": ITEM_ID, **row, "state": "confirmed", "run_id": LAST_RUN, **changes}
    return pd.DataFrame([held]).astype(dict.fromkeys(columns, "str"))


def nothing(row: dict[str, object]) -> pd.DataFrame:
    return known(row, []).head(0)


def plan(
    known_items: pd.DataFrame | None = None,
    known_results: pd.DataFrame | None = None,
    *,
    everything: bool = False,
    recreate: bool = False,
    removed: pd.DataFrame | None = None,
    item: dict[str, object] | None = None,
    result: dict[str, object] | None = None,
) -> Plan:
    return transform(
        PASSING_LINE_ITEMS.conform(pd.DataFrame([ITEM | (item or {})])),
        PASSING_RESULTS.conform(pd.DataFrame([RESULT | (result or {})])),
        nothing(ITEM) if known_items is None else known_items,
        nothing(RESULT) if known_results is None else known_results,
        source_system="otus",
        run_id=THIS_RUN,
        everything=everything,
        recreate=recreate,
        removed=nothing(RESULT) if removed is None else removed,
    )


def test_what_the_ledger_does_not_know_is_created() -> None:
    made = plan()
    assert made.line_items["action"].tolist() == made.results["action"].tolist() == ["create"]
    assert made.line_items["line_item_id"].tolist() == made.results["line_item_id"].tolist() == [ITEM_ID]


def test_what_the_sis_holds_already_is_not_sent() -> None:
    made = plan(known(ITEM, []), known(RESULT, []))
    assert made.line_items.empty
    assert made.results.empty


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Essay 2"},
        {"category_id": "quiz"},
        {"period_id": "q3"},
        {"assign_date": "2026-11-02"},
        {"due_date": "2026-11-11"},
        {"points_possible": 20.0},
    ],
)
def test_a_change_of_the_assignment_is_sent_without_its_scores(change: dict[str, object]) -> None:
    made = plan(known(ITEM, []), known(RESULT, []), item=change)
    assert made.line_items["action"].tolist() == ["change"]
    assert made.results.empty


@pytest.mark.parametrize("change", [{"score": 9.0}, {"score_status": "not submitted"}, {"mark": "late"}])
def test_a_change_of_the_score_is_sent_alone(change: dict[str, object]) -> None:
    made = plan(known(ITEM, []), known(RESULT, []), result=change)
    assert made.line_items.empty
    assert made.results["action"].tolist() == ["change"]


def test_another_date_of_the_same_score_sends_nothing() -> None:
    made = plan(known(ITEM, []), known(RESULT, []), result={"score_date": "2026-11-13"})
    assert made.results.empty


@pytest.mark.parametrize("state", ["intended", "accepted", "refused", "not_stored"])
def test_what_the_sis_may_not_hold_is_sent_again(state: str) -> None:
    made = plan(known(ITEM, []), known(RESULT, [], state=state))
    assert made.results["action"].tolist() == ["resend"]


def test_a_full_run_sends_everything() -> None:
    made = plan(known(ITEM, []), known(RESULT, []), everything=True)
    assert made.line_items["action"].tolist() == made.results["action"].tolist() == ["resend"]


def test_a_cleared_task_finds_what_this_run_wrote_in_its_plan_again() -> None:
    made = plan(known(ITEM, [], run_id=THIS_RUN), known(RESULT, [], run_id=THIS_RUN))
    assert len(made.line_items) == len(made.results) == 1


# --- Removed in the SIS ---

GONE_ITEM, GONE_RESULT = known(ITEM, [], state="gone"), known(RESULT, [], state="gone")


@pytest.mark.parametrize("results", [GONE_RESULT, nothing(RESULT)], ids=["its score was sent", "a new score"])
def test_what_somebody_removed_in_the_sis_is_left_alone(results: pd.DataFrame) -> None:
    made = plan(GONE_ITEM, results, item={"title": "Essay 2"}, result={"score": 9.0})
    assert made.line_items.empty
    assert made.results.empty


def test_what_this_run_found_to_be_gone_is_left_alone_as_well() -> None:
    made = plan(GONE_ITEM.assign(run_id=THIS_RUN), GONE_RESULT.assign(run_id=THIS_RUN))
    assert made.line_items.empty
    assert made.results.empty


@pytest.mark.parametrize("choice", ["recreate", "everything"])
def test_it_is_created_anew_with_its_scores_where_that_is_wanted_or_looked_for(choice: str) -> None:
    made = plan(GONE_ITEM, GONE_RESULT, **{choice: True})
    assert made.line_items["action"].tolist() == made.results["action"].tolist() == ["create"]


def test_a_score_that_was_gone_with_its_assignment_goes_out_when_the_assignment_is_back() -> None:
    made = plan(known(ITEM, []), GONE_RESULT)
    assert made.line_items.empty
    assert made.results["action"].tolist() == ["create"]


# --- Taken over ---


def test_an_assignment_that_stands_there_already_is_taken_over_with_its_scores_created() -> None:
    made = plan(item={"adopts": "theirs"})
    assert made.line_items[["action", "adopts"]].to_numpy().tolist() == [["adopt", "theirs"]]
    assert made.results["action"].tolist() == ["create"]


@pytest.mark.parametrize("recreate", [False, True])
def test_what_was_removed_takes_over_what_somebody_put_in_its_place(*, recreate: bool) -> None:
    made = plan(GONE_ITEM, GONE_RESULT, item={"adopts": "theirs"}, recreate=recreate)
    assert made.line_items["action"].tolist() == ["adopt"]
    assert made.results["action"].tolist() == ["create"]


@pytest.mark.parametrize(("state", "comes_along"), [("gone", True), ("confirmed", False)])
def test_what_is_too_old_to_be_sent_for_itself_goes_out_with_a_line_item_that_is_gone(
    state: str, *, comes_along: bool
) -> None:
    passing = PASSING_RESULTS.conform(pd.DataFrame([RESULT]))
    settled = PASSING_RESULTS.conform(pd.DataFrame([RESULT | {"student_id": "s2"}]))
    found = with_settled(passing, settled, known(ITEM, [], state=state))
    assert found["student_id"].tolist() == ["s1", *(["s2"] if comes_along else [])]


# --- Removed in the source ---


def test_a_removed_score_is_cleared_beside_what_is_written() -> None:
    removed = known(RESULT | {"student_id": "s2", "sis_student_id": "9002", "mark": "late"}, [])
    made = plan(removed=removed)
    cleared = made.results[made.results["action"].eq("clear")]
    assert made.results["action"].tolist() == ["create", "clear"]
    (row,) = cleared.to_dict("records")
    assert pd.isna(row["score"])
    assert (row["line_item_id"], row["sis_student_id"]) == (ITEM_ID, "9002")
    assert (row["score_status"], row["score_date"], row["mark"]) == ("", "", "")
    RESULT_PLAN.conform(made.results)


def test_a_score_that_was_cleared_and_is_graded_again_is_sent() -> None:
    cleared = known(RESULT | {"score": float("nan"), "score_status": "", "score_date": ""}, [])
    assert plan(known(ITEM, []), cleared).results["action"].tolist() == ["change"]


def described(made: Plan, known_items: pd.DataFrame, known_results: pd.DataFrame) -> list[str]:
    rows = describe(
        made,
        known_items,
        known_results,
        titles=pd.DataFrame([{"assessment_id": "a1", "class_id": "biology", "title": "Essay"}]),
        classes=CLASSES.conform(
            pd.DataFrame([{"class_id": "biology", "sis_class_id": "1001.0.01", "title": "Biology"}])
        ),
    )
    return list(rows["field_changes"])


def test_a_person_reads_what_a_cleared_score_was() -> None:
    held = known(RESULT, [])
    made = plan(known(ITEM, []), held, removed=held)
    assert described(made, known(ITEM, []), held) == [
        "score 8.5 → none, status fully graded → none, date 2026-11-12 → none"
    ]


def test_a_person_reads_what_an_assignment_that_is_taken_over_becomes() -> None:
    made = plan(item={"adopts": "theirs"})
    item, _result = described(made, nothing(ITEM), nothing(RESULT))
    assert item.startswith("title Essay, category paper, ")
    assert "→" not in item


def test_a_person_reads_from_which_value_to_which() -> None:
    known_items, known_results = known(ITEM, []), known(RESULT, [])
    made = plan(known_items, known_results, item={"title": "Essay 2"}, result={"score": 9.0})
    rows = describe(
        made,
        known_items,
        known_results,
        titles=made.line_items,
        classes=CLASSES.conform(
            pd.DataFrame([{"class_id": "biology", "sis_class_id": "1001.0.01", "title": "Biology"}])
        ),
    )
    assert rows["field_changes"].tolist() == ["title Essay → Essay 2", "score 8.5 → 9"]
    assert rows["class_title"].tolist() == ["Biology", "Biology"]
    assert rows["assessment_title"].tolist() == ["Essay 2", "Essay 2"]
