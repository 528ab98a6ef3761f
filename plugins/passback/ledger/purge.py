"""Retention: what the ledger holds of students from before a day is removed, and that it was is provable.

Removed in batches, each a transaction under the district's lock, and each looked for anew: killed anywhere
and run again, the same is left. Only who owns the tables can: no writer may delete from the trail.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from passback.errors import BusyError
from passback.ledger import trail
from passback.ledger.database import Connection, Cursor, district_lock, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime

ROWS_AT_ONCE: Final = 50_000
LINE_ITEMS_AT_ONCE: Final = 500

UNDER_WAY: Final = (
    "SELECT EXISTS (SELECT FROM passback.runs WHERE district = %(district)s AND state = 'running')"
)

# A line item whose scores the rules still let pass, or will again, would be sent a second time if the ledger
# forgot it. Scores that have vanished from the source have no outcome any more.
OLD_LINE_ITEMS: Final = """
    SELECT line_item_id FROM passback.line_items AS item
    WHERE district = %(district)s AND line_item_id > %(after)s
        AND due_date <> '' AND due_date < %(due_before)s
        AND NOT EXISTS (
            SELECT FROM passback.score_outcomes AS score
            WHERE score.district = item.district AND score.assessment_id = item.assessment_id
                AND score.class_id = item.class_id AND score.outcome <> 'rejected'
        )
    ORDER BY line_item_id LIMIT %(limit)s
"""

# An assessment given to a class that has moved in the SIS has several line items: the outcomes of its scores
# go with the last of them.
GOING: Final = """
    CREATE TEMPORARY TABLE going ON COMMIT DROP AS
    SELECT assessment_id, class_id FROM passback.line_items WHERE district = %(district)s
        AND (assessment_id, class_id) IN (
            SELECT assessment_id, class_id FROM passback.line_items
            WHERE district = %(district)s AND line_item_id = ANY (%(line_items)s)
        )
    GROUP BY assessment_id, class_id HAVING bool_and(line_item_id = ANY (%(line_items)s))
"""

OLD_RESULTS: Final = """
    FROM passback.results WHERE district = %(district)s AND line_item_id = ANY (%(line_items)s)
"""

OLD_OUTCOMES: Final = """
    FROM passback.score_outcomes WHERE district = %(district)s
        AND (assessment_id, class_id) IN (SELECT assessment_id, class_id FROM pg_temp.going)
"""

REMOVE_LINE_ITEMS: Final = (
    "DELETE FROM passback.line_items WHERE district = %(district)s AND line_item_id = ANY (%(line_items)s)"
)

# A row holds until the next one: the last one before the day stays as long as its score has an outcome.
OLD_HISTORY: Final = """
    FROM passback.score_history AS told
    WHERE told.district = %(district)s AND told.at < %(before)s
        AND (
            EXISTS (
                SELECT FROM passback.score_history AS later
                WHERE later.district = told.district AND later.assessment_id = told.assessment_id
                    AND later.student_id = told.student_id AND later.class_id = told.class_id
                    AND later.at > told.at AND later.at < %(before)s
            )
            OR NOT EXISTS (
                SELECT FROM passback.score_outcomes AS score
                WHERE score.district = told.district AND score.assessment_id = told.assessment_id
                    AND score.student_id = told.student_id AND score.class_id = told.class_id
            )
            OR (told.assessment_id, told.class_id) IN (SELECT assessment_id, class_id FROM pg_temp.going)
        )
"""

OLD_HISTORY_BY_ASSESSMENT: Final = f"SELECT assessment_id, count(*) {OLD_HISTORY} GROUP BY 1 ORDER BY 1"

# The trail loses its beginning, never a piece: what follows must still build on what is known.
OLD_TRAIL: Final = """
    SELECT (SELECT min(seq) FROM passback.trail WHERE district = %(district)s),
        coalesce(
            (SELECT seq - 1 FROM passback.trail WHERE district = %(district)s AND at >= %(before)s
             ORDER BY seq LIMIT 1),
            (SELECT max(seq) FROM passback.trail WHERE district = %(district)s))
"""


@dataclass(frozen=True)
class Purged:
    """How many rows of a district went, or would go."""

    line_items: int = 0
    results: int = 0
    outcomes: int = 0
    history: int = 0
    trail: int = 0


def count_purgeable(connection: Connection, district: str, *, before: datetime, due_before: date) -> Purged:
    """What `purge` would remove now; nothing is changed."""
    of = {**_period(district, before, due_before), "after": "", "limit": None}
    with transaction(connection) as cursor:
        of["line_items"] = _column(cursor, OLD_LINE_ITEMS, of)
        cursor.execute(GOING, of)
        cursor.execute(OLD_TRAIL, of)
        first, last = cursor.fetchone() or (None, None)
        return Purged(
            line_items=len(of["line_items"]),
            results=_count(cursor, OLD_RESULTS, of),
            outcomes=_count(cursor, OLD_OUTCOMES, of),
            history=_count(cursor, OLD_HISTORY, of),
            trail=0 if first is None else max(0, last - first + 1),
        )


def purge(
    connection: Connection, district: str, *, before: datetime, due_before: date, purged_by: str
) -> Purged:
    """Remove what the ledger holds of a district's students from before a day, in batches.

    Gone are: line items due before it, with their results and the outcomes of their scores, unless the next
    night would send them again; the history of outcomes, but for what still holds; and the beginning of the
    trail, for which a stump is left.

    Args:
        connection: The ledger, as the owner of its tables.
        district: The district's name.
        before: The day's begin, with a time zone.
        due_before: The day in the district's zone.
        purged_by: Who ordered it.

    Raises:
        BusyError: a run of the district is under way; what has gone so far is gone.
        PermissionRefusedError: the user does not own the tables.
        PassbackError: as `transaction`.
    """
    of = _period(district, before, due_before)
    gone = Purged()
    for done in _batches(connection, district, of, purged_by):
        gone = Purged(**{name: count + asdict(done)[name] for name, count in asdict(gone).items()})
    return gone


def run_starts(connection: Connection, district: str) -> list[tuple[str, datetime]]:
    """Key and begin of every run of a district."""
    with transaction(connection) as cursor:
        cursor.execute("SELECT run_key, started_at FROM passback.runs WHERE district = %s", (district,))
        return list(cursor.fetchall())


def _batches(connection: Connection, district: str, of: dict[str, Any], purged_by: str) -> Iterator[Purged]:
    after = ""
    while True:
        with _batch(connection, district) as cursor:
            found = _column(cursor, OLD_LINE_ITEMS, {**of, "after": after, "limit": LINE_ITEMS_AT_ONCE})
            if not found:
                break
            done = _remove_line_items(cursor, {**of, "line_items": found})
        yield done
        after = found[-1]
    with _batch(connection, district) as cursor:
        cursor.execute(GOING, {**of, "line_items": []})
        cursor.execute(OLD_HISTORY_BY_ASSESSMENT, of)
        by_assessment = cursor.fetchall()
    for assessments in _portions(by_assessment):
        with _batch(connection, district) as cursor:
            cursor.execute(GOING, {**of, "line_items": []})
            within = {**of, "assessments": assessments}
            cursor.execute(f"DELETE {OLD_HISTORY} AND told.assessment_id = ANY (%(assessments)s)", within)
            done = Purged(history=cursor.rowcount)
        yield done
    while True:
        with _batch(connection, district) as cursor:
            cursor.execute(OLD_TRAIL, of)
            first, last = cursor.fetchone() or (None, None)
            if first is None or last < first:
                break
            cut = trail.cut_off(
                cursor,
                district,
                last_seq=min(last, first + ROWS_AT_ONCE - 1),
                before=of["before"],
                purged_by=purged_by,
            )
        yield Purged(trail=cut)


@contextmanager
def _batch(connection: Connection, district: str) -> Iterator[Cursor]:
    """A transaction while no run of the district writes, or is under way."""
    with district_lock(connection, district), transaction(connection) as cursor:
        cursor.execute(UNDER_WAY, {"district": district})
        if cursor.fetchone() == (True,):
            raise BusyError(
                "A run of this district has not ended: what it needs is not removed.",
                where=district,
                mend="Purge when it has ended. If it was killed, the next run of the district ends it.",
                retry_after=60,
            )
        yield cursor


def _remove_line_items(cursor: Cursor, of: dict[str, Any]) -> Purged:
    cursor.execute(GOING, of)
    counts = []
    for statement in (f"DELETE {OLD_RESULTS}", f"DELETE {OLD_OUTCOMES}", REMOVE_LINE_ITEMS):
        cursor.execute(statement, of)
        counts.append(cursor.rowcount)
    results, outcomes, line_items = counts
    return Purged(line_items=line_items, results=results, outcomes=outcomes)


def _portions(counts: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """Names in portions of at most `ROWS_AT_ONCE` rows; one that has more is a portion of its own."""
    portion: list[str] = []
    rows = 0
    for name, count in counts:
        if portion and rows + count > ROWS_AT_ONCE:
            yield portion
            portion, rows = [], 0
        portion.append(name)
        rows += count
    if portion:
        yield portion


def _period(district: str, before: datetime, due_before: date) -> dict[str, Any]:
    return {"district": district, "before": before, "due_before": due_before.isoformat()}


def _column(cursor: Cursor, query: str, of: dict[str, Any]) -> list[str]:
    cursor.execute(query, of)
    return [value for (value,) in cursor.fetchall()]


def _count(cursor: Cursor, rows: str, of: dict[str, Any]) -> int:
    cursor.execute(f"SELECT count(*) {rows}", of)
    (count,) = cursor.fetchone() or (0,)
    return int(count)
