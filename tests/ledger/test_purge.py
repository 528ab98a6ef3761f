"""Retention: what goes, what stays, and that a purge may stop anywhere."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from ledger.frames import (
    line_item_answers,
    line_item_plan,
    result_answers,
    result_plan,
)
from passback.errors import BusyError, UnavailableError
from passback.ledger import (
    Purged,
    answer_line_items,
    answer_results,
    connect,
    count_purgeable,
    database,
    district_lock,
    first_break,
    intend_line_items,
    intend_results,
    purge,
)
from passback.ledger.database import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.ledger import Connection

DAY = date(2026, 7, 1)
BEFORE = datetime(2026, 7, 1, 7, tzinfo=UTC)  # in California
LAST_YEAR, THIS_YEAR = BEFORE - timedelta(days=60), BEFORE + timedelta(days=60)
TABLES = ("line_items", "results", "score_outcomes", "score_history", "trail", "trail_stumps")


def send(ledger: Connection, run: int, item: str, *students: str, at: datetime, due: date) -> None:
    where = {"assessment_id": f"essay-{item}"}
    intend_line_items(ledger, "lakeview", run, line_item_plan(item, due_date=due.isoformat(), **where))
    answer_line_items(ledger, "lakeview", run, line_item_answers(item).assign(answered_at=at))
    intend_results(ledger, "lakeview", run, result_plan(*students, line_item_id=item, **where))
    answer_results(
        ledger, "lakeview", run, result_answers(*students, line_item_id=item).assign(answered_at=at)
    )


def judge(ledger: Connection, run: int, item: str, student: str, outcome: str) -> None:
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "INSERT INTO passback.score_outcomes"
            " (district, assessment_id, class_id, student_id, outcome, codes, run_id, since)"
            " VALUES ('lakeview', %s, '7b', %s, %s, '', %s, now())",
            (f"essay-{item}", student, outcome, run),
        )


def tell(ledger: Connection, run: int, item: str, student: str, outcome: str, at: datetime) -> None:
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "INSERT INTO passback.score_history"
            " (district, assessment_id, class_id, student_id, run_id, outcome, codes, at)"
            " VALUES ('lakeview', %s, '7b', %s, %s, %s, '', %s)",
            (f"essay-{item}", student, run, outcome, at),
        )


def end_runs(ledger: Connection) -> None:
    with database.transaction(ledger) as cursor:
        cursor.execute("UPDATE passback.runs SET state = 'failed', ended_at = now() WHERE state = 'running'")


def rows(ledger: Connection, column: str, table: str) -> list[Any]:
    with database.transaction(ledger) as cursor:
        cursor.execute(f"SELECT {column} FROM passback.{table} ORDER BY 1")  # noqa: S608 - names of this module
        return [value for (value,) in cursor]


def do(ledger: Connection) -> Purged:
    return purge(ledger, "lakeview", before=BEFORE, due_before=DAY, purged_by="ada (passback purge)")


@pytest.fixture
def two_years(ledger: Connection, run: int) -> None:
    """Two line items of last year, one of this; one score of last year vanished, one is refused now."""
    send(ledger, run, "old-1", "amy", "bo", at=LAST_YEAR, due=date(2026, 5, 1))
    send(ledger, run, "old-2", "amy", at=LAST_YEAR, due=DAY - timedelta(days=1))
    send(ledger, run, "new-1", "amy", "bo", at=THIS_YEAR, due=DAY)
    judge(ledger, run, "old-2", "amy", "rejected")
    judge(ledger, run, "new-1", "amy", "passed")
    tell(ledger, run, "old-1", "amy", "sent", LAST_YEAR)
    tell(ledger, run, "old-1", "amy", "vanished", THIS_YEAR)
    tell(ledger, run, "old-2", "amy", "sent", LAST_YEAR)
    tell(ledger, run, "old-2", "amy", "rejected", LAST_YEAR + timedelta(days=1))
    tell(ledger, run, "new-1", "amy", "held", LAST_YEAR)
    tell(ledger, run, "new-1", "amy", "rejected", LAST_YEAR + timedelta(days=1))
    tell(ledger, run, "new-1", "amy", "sent", THIS_YEAR)
    end_runs(ledger)


@pytest.mark.usefixtures("two_years")
def test_last_year_goes_and_this_year_stays(ledger: Connection) -> None:
    counted = count_purgeable(ledger, "lakeview", before=BEFORE, due_before=DAY)
    assert counted == Purged(line_items=2, results=3, outcomes=1, history=4, trail=5)
    assert len(rows(ledger, "seq", "trail")) == 8
    assert do(ledger) == counted
    assert rows(ledger, "line_item_id", "line_items") == ["new-1"]
    assert rows(ledger, "student_id", "results") == ["amy", "bo"]
    assert rows(ledger, "outcome", "score_outcomes") == ["passed"]
    assert rows(ledger, "outcome", "score_history") == ["rejected", "sent", "vanished"]
    assert rows(ledger, "seq", "trail") == [6, 7, 8]
    assert rows(ledger, "rows", "trail_stumps") == [5]
    assert first_break(ledger, "lakeview") is None
    assert do(ledger) == Purged() == count_purgeable(ledger, "lakeview", before=BEFORE, due_before=DAY)


@pytest.mark.usefixtures("two_years")
@pytest.mark.parametrize("outcome", ["passed", "held", "failed", "cancelled"])
def test_what_the_next_night_would_send_again_is_not_forgotten(
    ledger: Connection, open_night: Callable[..., int], outcome: str
) -> None:
    judge(ledger, open_night("night-2"), "old-1", "bo", outcome)
    end_runs(ledger)
    assert do(ledger).line_items == 1
    assert rows(ledger, "line_item_id", "line_items") == ["new-1", "old-1"]
    assert rows(ledger, "count(*)", "results WHERE line_item_id = 'old-1'") == [2]


@pytest.mark.usefixtures("two_years")
def test_what_still_holds_of_a_score_keeps_the_row_that_says_so(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    judge(ledger, open_night("night-2"), "old-1", "amy", "passed")
    end_runs(ledger)
    with database.transaction(ledger) as cursor:
        cursor.execute("DELETE FROM passback.score_history WHERE outcome = 'vanished'")
    do(ledger)
    assert rows(ledger, "outcome", "score_history WHERE assessment_id = 'essay-old-1'") == ["sent"]


@pytest.mark.usefixtures("two_years")
def test_nothing_goes_while_a_run_of_the_district_is_under_way(
    ledger: Connection, ledger_url: str, open_night: Callable[..., int]
) -> None:
    before = {table: rows(ledger, "count(*)", table) for table in TABLES}
    with closing(connect(ledger_url)) as other, district_lock(other, "lakeview"), pytest.raises(BusyError):
        do(ledger)
    open_night("night-2", district="hillside")
    open_night("night-2")
    with pytest.raises(BusyError, match="has not ended"):
        do(ledger)
    assert {table: rows(ledger, "count(*)", table) for table in TABLES} == before
    end_runs(ledger)
    assert do(ledger).line_items == 2


def test_the_trail_loses_its_beginning_and_never_a_piece_of_it(ledger: Connection, run: int) -> None:
    for number, at in enumerate((LAST_YEAR, LAST_YEAR, THIS_YEAR, LAST_YEAR)):
        intend_results(ledger, "lakeview", run, result_plan(f"student-{number}"))
        answers = result_answers(f"student-{number}").assign(answered_at=at)
        answer_results(ledger, "lakeview", run, answers)
    end_runs(ledger)
    assert do(ledger).trail == 2
    assert rows(ledger, "seq", "trail") == [3, 4]
    assert first_break(ledger, "lakeview") is None


def test_another_district_is_left_alone(ledger: Connection, run: int, open_night: Callable[..., int]) -> None:
    send(ledger, run, "old-1", "amy", at=LAST_YEAR, due=date(2026, 5, 1))
    open_night("night-1", district="hillside")
    end_runs(ledger)
    assert purge(ledger, "hillside", before=BEFORE, due_before=DAY, purged_by="ada") == Purged()
    assert rows(ledger, "line_item_id", "line_items") == ["old-1"]


def dies_at(statement: int, killer: Connection) -> type[Cursor]:
    """A kind of cursor whose server process is ended just before one of the statements."""
    left = iter(range(statement - 1, -1, -1))

    class Mortal(Cursor):
        def execute(self, query: Any, arguments: Any = None) -> None:
            if next(left, None) == 0:
                with database.transaction(killer) as cursor:
                    cursor.execute(
                        "SELECT pg_terminate_backend(%s, 10000)", (self.connection.info.backend_pid,)
                    )
            super().execute(query, arguments)

    return Mortal


@pytest.mark.parametrize("statement", range(1, 100, 6))
def test_a_purge_that_dies_at_any_statement_and_runs_again_ends_the_same(
    ledger: Connection,
    ledger_url: str,
    run: int,
    monkeypatch: pytest.MonkeyPatch,
    statement: int,
) -> None:
    for number in range(3):
        send(ledger, run, f"old-{number}", "amy", "bo", at=LAST_YEAR, due=date(2026, 5, 1))
        tell(ledger, run, f"old-{number}", "amy", "sent", LAST_YEAR)
    send(ledger, run, "new-1", "amy", at=THIS_YEAR, due=DAY)
    end_runs(ledger)
    portions = import_module("passback.ledger.purge")
    monkeypatch.setattr(portions, "LINE_ITEMS_AT_ONCE", 1)
    monkeypatch.setattr(portions, "ROWS_AT_ONCE", 2)
    with closing(connect(ledger_url)) as dying:
        dying.cursor_factory = dies_at(statement, ledger)
        try:
            done = do(dying)
        except UnavailableError:
            done = None
    assert first_break(ledger, "lakeview") is None
    again = do(ledger)
    assert done is None or again == Purged()
    assert rows(ledger, "line_item_id", "line_items") == ["new-1"]
    assert rows(ledger, "student_id", "results") == ["amy"]
    assert rows(ledger, "outcome", "score_history") == []
    assert rows(ledger, "seq", "trail") == [10, 11]
    assert rows(ledger, "sum(rows)", "trail_stumps") == [9]
    assert first_break(ledger, "lakeview") is None
