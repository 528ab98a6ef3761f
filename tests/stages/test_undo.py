"""The fate of what a run changed, by what the SIS holds now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from passback.ledger import no_line_items, no_results
from passback.ledger.undo import CHANGED_LINE_ITEMS, CHANGED_RESULTS
from passback.oneroster.held import HELD_LINE_ITEMS, HELD_RESULTS
from passback.records import RESULT_PLAN
from passback.stages.undo import Standing, UndoPlan, again, plan_undo, result_writes, taken_back

ITEM = {
    "line_item_id": "L",
    "assessment_id": "A",
    "class_id": "C",
    "sis_class_id": "SC",
    "title": "Essay",
    "category_id": "K",
    "period_id": "P",
    "assign_date": "2026-03-01",
    "due_date": "2026-03-02",
    "points_possible": 100.0,
}
PLACE = {
    "line_item_id": "L",
    "sis_student_id": "S",
    "assessment_id": "A",
    "class_id": "C",
    "student_id": "s",
    "sis_class_id": "SC",
}
GRADED = {"score_status": "fully graded", "score_date": "2026-03-02", "mark": ""}
BY_HAND, REMOVED = "changed in the SIS since", "removed in the SIS since"
NOTHING = {"score": None, "score_status": "", "score_date": "", "mark": ""}


def value(score: float | None) -> dict[str, Any]:
    return NOTHING if score is None else {"score": score, **GRADED}


def changed(before: float | None, after: float | None, *, later_run: str = "", unknown: bool = False) -> Any:
    """One result that a run changed."""
    row = {
        **PLACE,
        "was_there": before is not None,
        **value(before),
        "left_there": after is not None,
        **{f"{name}_after": each for name, each in value(after).items()},
        "unknown_before": unknown,
        "later_run": later_run,
    }
    return CHANGED_RESULTS.conform(pd.DataFrame([row]))


def created() -> Any:
    """A line item that the run created."""
    content = [name for name in ITEM if f"{name}_after" in CHANGED_LINE_ITEMS.columns]
    row = {
        **ITEM,
        **{name: None if name == "points_possible" else "" for name in content},
        "was_there": False,
        "left_there": True,
        **{f"{name}_after": ITEM[name] for name in content},
        "unknown_before": False,
        "later_run": "",
    }
    return CHANGED_LINE_ITEMS.conform(pd.DataFrame([row]))


def renamed(**before: str) -> Any:
    """A line item that the run gave another title, and what else it had before."""
    content = [name for name in ITEM if f"{name}_after" in CHANGED_LINE_ITEMS.columns]
    row = {
        **ITEM,
        "title": "Draft",
        **before,
        "was_there": True,
        "left_there": True,
        **{f"{name}_after": ITEM[name] for name in content},
        "unknown_before": False,
        "later_run": "",
    }
    return CHANGED_LINE_ITEMS.conform(pd.DataFrame([row]))


def standing(score: float | None, *, there: bool = True, others: int = 0, **changes: Any) -> Standing:
    """What the SIS holds now; `others` are scores of students whom the run did not touch."""
    item = {**ITEM, "passback_id": "", **changes}
    rows = [{"result_id": "R", **PLACE, **value(score)}] if score is not None else []
    rows += [
        {"result_id": f"R{number}", **PLACE, **value(1), "sis_student_id": f"T{number}"}
        for number in range(others)
    ]
    frames = [
        HELD_LINE_ITEMS.conform(pd.DataFrame([item])) if there else HELD_LINE_ITEMS.empty(),
        HELD_RESULTS.conform(pd.DataFrame(rows)) if rows else HELD_RESULTS.empty(),
    ]
    return Standing(*frames, frozenset(), frozenset())


def known(score: float | None, state: str = "confirmed") -> tuple[pd.DataFrame, pd.DataFrame]:
    """The ledger's line item and result."""
    item = {**ITEM, "state": "gone" if state == "gone" else "confirmed", "accepted_category_id": "K"}
    row = {**PLACE, **value(score), "state": state}
    frames = []
    for shape, content in ((no_line_items(), item), (no_results(), row)):
        filled = {name: content.get(name, 1 if name == "run_id" else "") for name in shape.columns}
        frames.append(pd.DataFrame([filled]).astype(shape.dtypes.to_dict()))
    return frames[0], frames[1]


def fates(
    results: pd.DataFrame,
    now: Standing,
    ledger: tuple[pd.DataFrame, pd.DataFrame],
    line_items: pd.DataFrame | None = None,
    **more: Any,
) -> UndoPlan:
    items = CHANGED_LINE_ITEMS.empty() if line_items is None else line_items
    return plan_undo(items, results, *ledger, now, **({"of_undo": False, "taken_over": ()} | more))


CASES: tuple[tuple[str, Any, Standing, Any, str, str], ...] = (
    # what, what the run changed, what stands there, what the ledger knows → fate, why
    ("as the run left it", changed(80, 85), standing(85), known(85), "put_back", ""),
    ("new, as the run left it", changed(None, 85), standing(85), known(85), "clear", ""),
    ("changed by hand", changed(80, 85), standing(70), known(85), "left", BY_HAND),
    ("removed by hand", changed(80, 85), standing(None), known(85), "left", REMOVED),
    ("put back by hand", changed(80, 85), standing(80), known(85), "as_before", ""),
    ("new, removed by hand", changed(None, 85), standing(None), known(85), "as_before", ""),
    ("cleared by the run", changed(80, None), standing(None), known(None), "put_back", ""),
    ("cleared, filled by hand", changed(80, None), standing(70), known(None), "left", BY_HAND),
    ("not stored", changed(80, None), standing(70), known(85, "not_stored"), "left", BY_HAND),
    (
        "changed by a later run",
        changed(80, 85, later_run="R2"),
        standing(90),
        known(90),
        "left",
        "changed since by the run R2",
    ),
    (
        "changed by a later run, then by hand",
        changed(80, 85, later_run="R2"),
        standing(91),
        known(90),
        "left",
        BY_HAND,
    ),
    (
        "a later run put it there again",
        changed(80, 85, later_run="R2"),
        standing(85),
        known(85),
        "put_back",
        "",
    ),
    (
        "nobody knows what stood there",
        changed(None, 85, unknown=True),
        standing(85),
        known(85),
        "not_possible",
        "what stood there before the run is not known",
    ),
    ("without its line item", changed(80, 85), standing(None, there=False), known(85), "left", REMOVED),
)


@pytest.mark.parametrize(
    ("results", "now", "ledger", "fate", "why"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_result_goes_back_if_it_stands_as_the_run_left_it(
    results: pd.DataFrame,
    now: Standing,
    ledger: tuple[pd.DataFrame, pd.DataFrame],
    fate: str,
    why: str,
) -> None:
    (row,) = fates(results, now, ledger).results.to_dict("records")
    assert (row["fate"], row["why"]) == (fate, why)


def test_an_undo_of_an_undo_writes_anew_what_that_withdrew() -> None:
    plan = fates(changed(80, None), standing(None), known(None, "gone"), of_undo=True)
    assert list(plan.results["fate"]) == ["put_back"]


def test_what_a_night_found_gone_is_not_written_anew() -> None:
    plan = fates(changed(80, None), standing(None), known(None, "gone"))
    assert list(plan.results["fate"]) == ["left"]


@pytest.mark.parametrize(
    ("score", "others", "fate", "why"),
    [
        (85, 0, "withdraw", ""),
        (None, 0, "withdraw", ""),
        (85, 1, "left", "holds scores that the run did not write"),
        (70, 0, "left", "holds scores that are not taken back"),
    ],
)
def test_a_line_item_is_withdrawn_unless_it_holds_more_than_the_run_wrote(
    score: float | None, others: int, fate: str, why: str
) -> None:
    plan = fates(changed(None, 85), standing(score, others=others), known(85), created())
    (row,) = plan.line_items.to_dict("records")
    assert (row["fate"], row["why"]) == (fate, why)


@pytest.mark.parametrize(
    ("before", "now", "fate", "why"),
    [
        ({}, {}, "put_back", ""),
        ({}, {"title": "Mine"}, "left", BY_HAND),
        ({}, {"points_possible": 50.0}, "left", BY_HAND),
        ({}, {"due_date": "2026-03-09"}, "left", BY_HAND),
        ({}, {"category_id": "own"}, "put_back", ""),  # it stays beside the title that goes back
        ({"category_id": "J"}, {"category_id": "own"}, "left", BY_HAND),
        ({}, {"title": "Draft"}, "as_before", ""),
        ({}, {"there": False}, "left", REMOVED),
    ],
)
def test_a_line_item_goes_back_if_it_stands_as_the_run_left_it(
    before: dict[str, str], now: dict[str, Any], fate: str, why: str
) -> None:
    plan = fates(changed(80, 85).head(0), standing(None, **now), known(85), renamed(**before))
    (row,) = plan.line_items.to_dict("records")
    assert (row["fate"], row["why"]) == (fate, why)


def test_a_line_item_that_was_taken_over_is_not_withdrawn() -> None:
    plan = fates(changed(None, 85), standing(85), known(85), created(), taken_over=["L"])
    assert list(plan.line_items["fate"]) == ["not_possible"]


def test_where_no_score_can_be_taken_out_it_stays_with_its_line_item() -> None:
    now = replace(standing(85), clears_scores=False)
    plan = fates(changed(None, 85), now, known(85), created())
    found = [*plan.results["fate"], *plan.results["why"], *plan.line_items["fate"]]
    assert found == ["not_possible", "the SIS lets nobody take a score out", "left"]
    assert list(fates(changed(80, 85), now, known(85)).results["fate"]) == ["put_back"]


def test_what_is_cleared_goes_out_without_score_and_status() -> None:
    plan = fates(changed(None, 85), standing(85), known(85))
    (row,) = result_writes(plan).to_dict("records")
    assert (pd.isna(row["score"]), row["score_status"], row["action"]) == (True, "", "clear")


def test_what_is_taken_back_is_the_value_that_the_run_left() -> None:
    plan = fates(changed(80, 85), standing(85), known(85))
    (row,) = taken_back(plan.results, RESULT_PLAN).to_dict("records")
    assert (row["line_item_id"], row["sis_student_id"], row["score"]) == ("L", "S", 85)


def test_what_was_not_approved_is_left() -> None:
    now = fates(changed(80, 85), standing(85), known(85))
    seen = fates(changed(80, 85), standing(70), known(85))
    nothing = UndoPlan(now.line_items[:0], now.results[:0])
    assert list(again(now, now, nothing).results["fate"]) == ["put_back"]
    assert list(again(now, seen, nothing).results["fate"]) == ["left"]
    assert list(again(seen, now, now).results["fate"]) == ["put_back"]  # begun before it was stopped
