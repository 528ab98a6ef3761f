"""What passed the rules becomes a plan of what differs from the ledger."""

from __future__ import annotations

import pandas as pd
import pytest

from passback.oneroster import line_item_id
from passback.records import CLASSES, PASSING_LINE_ITEMS, PASSING_RESULTS
from passback.stages.transform import Plan, describe, transform

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
