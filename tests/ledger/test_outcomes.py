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
    [("sent", "passed"), ("unchanged", "passed"), ("passed", "passed"), ("held", "held"),
     ("rejected", "rejected"), ("failed", "failed"), ("cancelled", "cancelled")],
)  # fmt: skip
def test_sent_and_unchanged_are_both_kept_as_passed(
    ledger: Connection, run: int, given: str, kept: str
) -> None:
    record_outcomes(ledger, "lakeview", run, judged(given, "amy", codes="a.b c.d"))
    assert recorded(ledger) == {("7b", "amy"): (kept, "a.b c.d", run)}


def test_a_night_in_which_nothing_changed_writes_no_row(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    students = [f"student-{number}" for number in range(1000)]
    first = open_night("night-1")
    record_outcomes(ledger, "lakeview", first, judged("sent", *students))
    before = versions(ledger)
    record_outcomes(ledger, "lakeview", open_night("night-2"), judged("unchanged", *students[::-1]))
    assert versions(ledger) == before
    assert {values[2] for values in recorded(ledger).values()} == {first}


def test_only_rows_that_differ_are_written(ledger: Connection, open_night: Callable[..., int]) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    record_outcomes(ledger, "lakeview", first, judged("held", "amy", "bo", "cy", codes="score.not_graded"))
    changed = [judged("held", "amy", codes="score.not_graded"), judged("sent", "bo"), judged("held", "cy")]
    record_outcomes(ledger, "lakeview", second, pd.concat(changed))
    assert recorded(ledger) == {
        ("7b", "amy"): ("held", "score.not_graded", first),
        ("7b", "bo"): ("passed", "", second),
        ("7b", "cy"): ("held", "", second),
    }


def test_a_score_that_has_gone_is_forgotten_only_in_the_classes_given(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    both = [judged("sent", "amy", "bo"), judged("sent", "amy", "bo", class_id="8c")]
    record_outcomes(ledger, "lakeview", first, pd.concat(both))
    hillside = open_night("night-1", district="hillside")
    record_outcomes(ledger, "hillside", hillside, judged("held", "zoe", class_id="7b"))
    record_outcomes(ledger, "lakeview", second, judged("sent", "amy"))
    assert set(recorded(ledger)) == {("7b", "amy"), ("8c", "amy"), ("8c", "bo"), ("7b", "zoe")}


def test_a_run_without_scores_changes_nothing(ledger: Connection, open_night: Callable[..., int]) -> None:
    record_outcomes(ledger, "lakeview", open_night("night-1"), judged("sent", "amy"))
    record_outcomes(ledger, "lakeview", open_night("night-2"), judged("sent"))
    assert set(recorded(ledger)) == {("7b", "amy")}
