"""What became of every score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from ledger.frames import judged
from passback.ledger import database, record_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.ledger import Connection


def recorded(ledger: Connection) -> dict[tuple[str, str], tuple[str, str, int]]:
    """Outcome, codes and run by class and student."""
    with database.transaction(ledger) as cursor:
        cursor.execute("SELECT class_id, student_id, outcome, codes, run_id FROM passback.score_outcomes")
        return {(row[0], row[1]): row[2:] for row in cursor}


def versions(ledger: Connection) -> set[tuple[str, ...]]:
    """Where each row lies and which transactions have written or locked it."""
    with database.transaction(ledger) as cursor:
        cursor.execute("SELECT ctid::text, xmin::text, xmax::text FROM passback.score_outcomes")
        return set(cursor.fetchall())


@pytest.mark.parametrize(
    ("given", "kept"),
    [("sent", "passed"), ("unchanged", "passed"), ("held", "held"),
     ("rejected", "rejected"), ("failed", "failed"), ("cancelled", "cancelled")],
)  # fmt: skip
def test_sent_and_unchanged_are_both_kept_as_passed(
    ledger: Connection, run: int, given: str, kept: str
) -> None:
    record_outcomes(ledger, run, judged(given, "amy", codes="a.b c.d"))
    assert recorded(ledger) == {("7b", "amy"): (kept, "a.b c.d", run)}


def test_a_night_in_which_nothing_changed_writes_no_row(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    students = [f"student-{number}" for number in range(1000)]
    first = open_night("night-1")
    record_outcomes(ledger, first, judged("sent", *students))
    before = versions(ledger)
    record_outcomes(ledger, open_night("night-2"), judged("unchanged", *students[::-1]))
    assert versions(ledger) == before
    assert {values[2] for values in recorded(ledger).values()} == {first}


def test_only_rows_that_differ_are_written(ledger: Connection, open_night: Callable[..., int]) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    record_outcomes(ledger, first, judged("held", "amy", "bo", "cy", codes="score.not_graded"))
    changed = [judged("held", "amy", codes="score.not_graded"), judged("sent", "bo"), judged("held", "cy")]
    record_outcomes(ledger, second, pd.concat(changed))
    assert recorded(ledger) == {
        ("7b", "amy"): ("held", "score.not_graded", first),
        ("7b", "bo"): ("passed", "", second),
        ("7b", "cy"): ("held", "", second),
    }


def told(ledger: Connection) -> list[tuple[str, str, str, int]]:
    """The history: class, student, outcome and run, in the order it came."""
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "SELECT class_id, student_id, outcome, run_id FROM passback.score_history"
            " ORDER BY at, class_id, student_id"
        )
        return cursor.fetchall()


def test_the_history_gets_a_row_where_an_outcome_differs_and_whenever_a_score_was_sent(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    nights = [open_night(f"night-{number}") for number in range(6)]
    outcomes = ("held", "held", "sent", "unchanged", "sent", "failed")
    for night, outcome in zip(nights, outcomes, strict=True):
        record_outcomes(ledger, night, judged(outcome, "amy"))
    assert told(ledger) == [
        ("7b", "amy", "held", nights[0]),
        ("7b", "amy", "sent", nights[2]),
        ("7b", "amy", "sent", nights[4]),
        ("7b", "amy", "failed", nights[5]),
    ]


def test_other_codes_are_another_row_of_the_history(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    for number, codes in enumerate(("a.b", "a.b c.d", "a.b c.d")):
        record_outcomes(ledger, open_night(f"night-{number}"), judged("rejected", "amy", codes=codes))
    assert len(told(ledger)) == 2


def test_a_night_of_unchanged_scores_adds_nothing_to_the_history(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    students = [f"student-{number}" for number in range(500)]
    record_outcomes(ledger, open_night("night-1"), judged("sent", *students))
    before = told(ledger)
    for number in range(2, 5):
        record_outcomes(ledger, open_night(f"night-{number}"), judged("unchanged", *students))
    assert told(ledger) == before
    assert len(before) == 500


def test_a_score_that_is_no_longer_in_the_feed_has_vanished(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second, third = (open_night(f"night-{number}") for number in range(3))
    both = [judged("sent", "amy", "bo"), judged("sent", "amy", class_id="8c")]
    record_outcomes(ledger, first, pd.concat(both))
    record_outcomes(ledger, open_night("hillside-1", district="hillside"), judged("held", "zoe"))
    record_outcomes(ledger, second, judged("unchanged", "amy"))
    assert set(recorded(ledger)) == {("7b", "amy"), ("7b", "zoe")}
    assert told(ledger)[-2:] == [("7b", "bo", "vanished", second), ("8c", "amy", "vanished", second)]
    record_outcomes(ledger, third, judged("unchanged", "amy", "bo"))
    assert told(ledger)[-1] == ("7b", "bo", "unchanged", third)


@pytest.mark.parametrize(
    ("limited", "left"),
    [
        ({"classes": ["7b"]}, {("7b", "amy"), ("8c", "amy"), ("8c", "bo")}),
        ({"classes": ["7b"], "assessments": ["quiz"]},
         {("7b", "amy"), ("7b", "bo"), ("8c", "amy"), ("8c", "bo")}),
        ({"assessments": ["essay"]}, {("7b", "amy")}),
        ({}, {("7b", "amy")}),
    ],
)  # fmt: skip
def test_what_a_limited_run_does_not_look_at_has_not_vanished(
    ledger: Connection,
    open_night: Callable[..., int],
    limited: dict[str, list[str]],
    left: set[tuple[str, str]],
) -> None:
    both = [judged("sent", "amy", "bo"), judged("sent", "amy", "bo", class_id="8c")]
    record_outcomes(ledger, open_night("night-1"), pd.concat(both))
    record_outcomes(ledger, open_night("night-2", **limited), judged("sent", "amy"))
    assert set(recorded(ledger)) == left


def test_what_a_run_told_stays_where_another_run_has_gone_by_it(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    record_outcomes(ledger, first, judged("failed", "amy", codes="sis.refused"))
    record_outcomes(ledger, second, judged("failed", "amy", codes="sis.refused"))
    record_outcomes(ledger, first, judged("sent", "amy"))  # cleared from its extraction on
    assert told(ledger) == [("7b", "amy", "failed", first), ("7b", "amy", "sent", first)]
