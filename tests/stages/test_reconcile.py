"""What is in the gradebooks is told apart: equal, changed, missing, foreign, orphaned."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from passback.ledger import none_held_back
from passback.oneroster import line_item_id
from passback.oneroster.held import HELD_LINE_ITEMS, HELD_RESULTS
from passback.records import PASSING_LINE_ITEMS, PASSING_RESULTS, SCORE_VERDICTS
from passback.stages.reconcile import InSis, compare_line_items, compare_results
from passback.stages.transform import transform

ID = line_item_id("otus", "a1", "1001")
PLACE = {"assessment_id": "a1", "class_id": "biology", "sis_class_id": "1001"}
CONTENT = {
    "title": "Essay",
    "category_id": "paper",
    "period_id": "q2",
    "assign_date": "2026-11-01",
    "due_date": "2026-11-10",
    "points_possible": 10.0,
}
SCORE = {"score": 8.5, "score_status": "fully graded", "score_date": "2026-11-12", "mark": ""}
STUDENT = {"student_id": "s1", "sis_student_id": "9001"}
LEDGER = {"state": "confirmed", "run_id": 1}
VALUES = ("score", "score_status", "score_date")


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


def known_item(**changes: Any) -> pd.DataFrame:
    return frame({"line_item_id": ID, "sis_line_item_id": "", **PLACE, **CONTENT, **LEDGER, **changes})


def known_result(**changes: Any) -> pd.DataFrame:
    return frame({"line_item_id": ID, "sis_result_id": "", **PLACE, **STUDENT, **SCORE, **LEDGER, **changes})


def held_item(**changes: Any) -> dict[str, Any]:
    return {"line_item_id": ID, "passback_id": "", "sis_class_id": "1001", **CONTENT, **changes}


def held_result(**changes: Any) -> dict[str, Any]:
    return {"result_id": "r1", "line_item_id": ID, "sis_student_id": "9001", **SCORE, **changes}


def in_sis(items: list[dict[str, Any]], results: list[dict[str, Any]], **changes: Any) -> InSis:
    line_items = pd.DataFrame(items, columns=list(HELD_LINE_ITEMS.columns))
    return InSis(
        HELD_LINE_ITEMS.conform(line_items),
        HELD_RESULTS.conform(pd.DataFrame(results, columns=list(HELD_RESULTS.columns))),
        **{"unreadable": (), "unread": (), "result_values": VALUES, **changes},
    )


def found(
    there: InSis,
    *,
    policy: str = "report",
    alive: bool = True,
    known: dict[str, Any] | None = None,
    passing: bool = True,
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Finding and action of every line item and of every result."""
    line_items = compare_line_items(
        known_item(),
        known_item(),
        there,
        alive={ID} if alive else set(),
        passing={ID} if passing else set(),
        policy=policy,
    )
    verdict = {**PLACE, **STUDENT, "outcome": "passed", "codes": ""}
    results = compare_results(
        known_result(**known or {}),
        known_result(**known or {}),
        there,
        line_items,
        verdicts=SCORE_VERDICTS.conform(frame(verdict)),
        passing=frame({"line_item_id": ID, "student_id": "s1" if passing else "s9"}),
        zero_status="fully graded",
        policy=policy,
    )
    both = [line_items, results]
    items, scores = [list(rows[["finding", "action"]].itertuples(index=False, name=None)) for rows in both]
    return items, scores


EQUAL = [("equal", "")]
NOTHING = {"score": None, "score_status": "not submitted"}  # listed by a SIS that lists every student
FOREIGN = ("foreign_in_sis", "listed")


@pytest.mark.parametrize(
    ("items", "results", "expected"),
    [
        ([held_item()], [held_result()], (EQUAL, EQUAL)),
        ([held_item(category_id="")], [held_result(mark="late")], (EQUAL, EQUAL)),
        ([held_item(title="Mine")], [held_result()], ([("changed_in_sis", "kept")], EQUAL)),
        ([held_item(due_date="2026-11-11")], [held_result()], ([("changed_in_sis", "listed")], EQUAL)),
        ([held_item()], [held_result(score=3.0)], (EQUAL, [("changed_in_sis", "listed")])),
        ([held_item()], [], (EQUAL, [("missing_in_sis", "listed")])),
        ([held_item()], [held_result(**NOTHING)], (EQUAL, [("missing_in_sis", "listed")])),
        ([held_item()], [held_result(score=None, score_status="")], (EQUAL, [("missing_in_sis", "listed")])),
        (
            [held_item()],
            [held_result(score=None, score_status="exempt")],
            (EQUAL, [("changed_in_sis", "listed")]),
        ),
        ([held_item()], [held_result(), held_result(sis_student_id="9", **NOTHING)], (EQUAL, EQUAL)),
        ([held_item()], [held_result(score=1.0), held_result()], (EQUAL, EQUAL)),
        ([held_item()], [held_result(), held_result(sis_student_id="9")], (EQUAL, [*EQUAL, FOREIGN])),
        ([], [], ([("missing_in_sis", "listed")], [])),
        ([held_item(), held_item(line_item_id="own")], [held_result()], ([*EQUAL, FOREIGN], EQUAL)),
        ([held_item(line_item_id="x", passback_id=ID)], [held_result()], (EQUAL, EQUAL)),
    ],
)
def test_what_is_found_by_default_is_listed_and_a_teachers_title_kept(
    items: list[dict[str, Any]], results: list[dict[str, Any]], expected: object
) -> None:
    assert found(in_sis(items, results)) == expected


@pytest.mark.parametrize(
    ("policy", "passing", "action"),
    [("keep", True, "kept"), ("overwrite", True, "sent again"), ("overwrite", False, "listed")],
)
def test_the_district_decides_whose_value_stands_but_nothing_is_sent_that_may_not_pass(
    policy: str,
    passing: bool,  # noqa: FBT001 - a column of the table
    action: str,
) -> None:
    changed = in_sis([held_item(points_possible=20.0)], [held_result(score=3.0)])
    one = [("changed_in_sis", action)]
    assert found(changed, policy=policy, passing=passing) == (one, one)


def test_what_the_source_deleted_is_orphaned_whatever_the_policy() -> None:
    orphaned = [("orphaned", "listed")]
    changed = in_sis([held_item(title="Mine")], [held_result(score=3.0)])
    assert found(changed, policy="overwrite", alive=False) == (orphaned, orphaned)


def test_what_could_not_be_read_is_not_said_to_be_missing() -> None:
    assert found(in_sis([], [], unreadable=["1001"])) == ([], [])
    assert found(in_sis([held_item()], [], unread=[ID])) == (EQUAL, [])


def test_what_is_in_doubt_is_left_to_the_next_run() -> None:
    changed = in_sis([held_item()], [held_result(score=3.0)])
    assert found(changed, policy="overwrite", known={"state": "intended"}) == (EQUAL, [])


# --- What is held back ---


def planned(
    why: str, *, mine: dict[str, Any], state: str = "confirmed", item: dict[str, Any] | None = None
) -> tuple[list[float], list[str]]:
    """The scores that would be sent, and why others are not; the line item is undone if `item` says what."""
    items, results = none_held_back()
    held = {**PLACE, "held_back": why, "held_back_run_id": 1, "fields": "", "line_item_id": ID}
    if item is not None:
        items = frame({**held, **item})
    else:
        results = frame({**held, **STUDENT, **SCORE})
    plan = transform(
        PASSING_LINE_ITEMS.conform(frame({**PLACE, **CONTENT, "adopts": ""})),
        PASSING_RESULTS.conform(frame({**PLACE, **STUDENT, **SCORE, **mine})),
        known_item(state=state, title="Before"),
        known_result(score=1.0, state=state),
        source_system="otus",
        run_id=2,
        everything=True,
        recreate=True,
        removed=known_result().head(0),
        held_back_line_items=items,
        held_back_results=results,
    )
    return plan.results["score"].tolist(), plan.unsent["code"].tolist()


def test_a_persons_own_score_stands_whatever_the_source_says() -> None:
    assert planned("theirs", mine={"score": 2.0}) == ([], ["sis.kept_theirs"])


def test_a_score_that_was_taken_back_is_sent_again_only_once_it_is_another() -> None:
    assert planned("undone", mine={}) == ([], ["run.undone"])
    assert planned("undone", mine={"score": 2.0}) == ([2.0], [])


def test_an_assignment_that_was_taken_back_keeps_its_scores_until_it_is_another() -> None:
    assert planned("undone", mine={}, state="gone", item=CONTENT) == ([], ["run.undone"])
    assert planned("undone", mine={}, state="gone", item={**CONTENT, "title": "Old"}) == ([8.5], [])
