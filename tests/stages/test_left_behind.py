"""What the SIS still holds though the source does not: listed for a person, or cleared."""

from __future__ import annotations

import pandas as pd
import pytest

from passback.records import SCORE_VERDICTS
from passback.stages.left_behind import left_behind, removed_results


def verdicts(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """(student, outcome, codes) on one assessment."""
    return SCORE_VERDICTS.conform(
        pd.DataFrame(
            [("a1", "biology", student, outcome, codes) for student, outcome, codes in rows],
            columns=list(SCORE_VERDICTS.columns),
        )
    )


LEDGER_ITEMS = pd.DataFrame(
    {
        "line_item_id": ["i1", "gone", "refused", "last-year"],
        "class_id": ["biology"] * 4,
        "title": ["Essay", "Old quiz", "Never there", "Last year's quiz"],
        "due_date": ["2026-11-10", "2026-11-10", "2026-11-10", "2026-05-10"],
        "state": ["confirmed", "confirmed", "refused", "confirmed"],
    }
)
LEDGER_RESULTS = pd.DataFrame(
    {
        "line_item_id": ["i1", "i1", "i1", "i1", "gone", "last-year"],
        "assessment_id": ["a1", "a1", "a1", "a1", "gone", "older"],
        "class_id": ["biology"] * 6,
        "student_id": ["s1", "s2", "s3", "s4", "s1", "s1"],
        "score_status": ["fully graded", "fully graded", "fully graded", "not submitted"]
        + ["fully graded"] * 2,
        "state": ["confirmed"] * 6,
    }
)


def test_what_the_source_no_longer_has_is_listed_for_a_person() -> None:
    final = verdicts(
        ("s1", "unchanged", ""),
        ("s2", "held", "score.not_graded"),  # its score was removed, as was s3's with its record
        ("s4", "held", "score.not_graded"),  # a 0 until now, handed in late
    )
    left = left_behind(
        LEDGER_ITEMS, LEDGER_RESULTS, final, alive={"i1"}, since="2026-08-17", zero_status="not submitted"
    )
    assert left[["kind", "title", "scores"]].to_numpy().tolist() == [
        ["removed_in_source", "Essay", 2],
        ["deleted_in_source", "Old quiz", 1],
    ]


def test_what_was_cleared_or_is_gone_is_not_left_behind() -> None:
    cleared = LEDGER_RESULTS.assign(score_status=LEDGER_RESULTS["score_status"].mask([False, True] * 3, ""))
    gone = cleared.assign(state=["confirmed", "confirmed", "gone", "confirmed", "confirmed", "confirmed"])
    final = verdicts(
        ("s1", "unchanged", ""), ("s2", "held", "score.not_graded"), ("s3", "held", "score.not_graded")
    )
    left = left_behind(
        LEDGER_ITEMS, gone, final, alive={"i1"}, since="2026-08-17", zero_status="not submitted"
    )
    assert left[["title", "scores"]].to_numpy().tolist() == [["Old quiz", 1]]


# --- What is to be cleared ---

ZERO = "not submitted"


def removed(*, codes: str | None = "score.not_graded", status: str = "fully graded", state: str) -> list[str]:
    """The students whose result is to be cleared; codes of None: their record is not there at all."""
    known = pd.DataFrame(
        {
            "line_item_id": ["i1"],
            "assessment_id": ["a1"],
            "class_id": ["biology"],
            "student_id": ["s1"],
            "score_status": [status],
            "state": [state],
        }
    )
    said = verdicts() if codes is None else verdicts(("s1", "held" if codes else "passed", codes))
    return list(removed_results(known, said, zero_status=ZERO)["student_id"])


@pytest.mark.parametrize(
    ("codes", "is_removed"),
    [
        ("score.not_graded", True),
        ("score.empty", True),
        ("title.too_long score.not_graded", True),
        ("score.empty title.too_long", True),
        ("", False),  # it is graded
        ("score.excluded", False),
        ("score.empty_handed", False),
        (None, False),  # moved away or deleted: its score of before stays
    ],
)
def test_a_score_is_removed_where_its_record_says_ungraded(codes: str | None, *, is_removed: bool) -> None:
    assert removed(codes=codes, state="confirmed") == (["s1"] if is_removed else [])


@pytest.mark.parametrize(
    ("state", "is_removed"),
    [
        ("confirmed", True),
        ("accepted", True),
        ("intended", True),  # it may have arrived
        ("refused", False),
        ("not_stored", False),
        ("gone", False),
    ],
)
def test_only_what_the_sis_may_hold_is_cleared(state: str, *, is_removed: bool) -> None:
    assert removed(state=state) == (["s1"] if is_removed else [])


@pytest.mark.parametrize("state", ["confirmed", "accepted", "intended"])
def test_a_zero_for_missing_work_waits_for_its_grade(state: str) -> None:
    assert removed(status=ZERO, state=state) == []


@pytest.mark.parametrize(
    ("state", "again"),
    [
        ("intended", True),
        ("accepted", True),
        ("refused", True),
        ("not_stored", True),
        ("confirmed", False),
        ("gone", False),
    ],
)
def test_a_score_is_cleared_until_the_sis_is_seen_to_hold_none(state: str, *, again: bool) -> None:
    assert removed(status="", state=state) == (["s1"] if again else [])


def test_two_records_of_one_score_clear_it_once() -> None:
    known = LEDGER_RESULTS.head(1)
    twice = verdicts(("s1", "held", "score.not_graded"), ("s1", "held", "score.not_graded"))
    assert len(removed_results(known, twice, zero_status=ZERO)) == 1
