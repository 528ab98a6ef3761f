"""What a run changed in the SIS, by the trail: from what, to what, and whether a later run has been there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from psycopg2 import sql

from passback.errors import ConfigurationError
from passback.ledger.bulk import copy_out, names
from passback.ledger.database import Connection, transaction
from passback.ledger.sent import LINE_ITEMS, RESULTS, Kind, columns_of
from passback.records import FLAG, TEXT, Frame

if TYPE_CHECKING:
    import pandas as pd

RUN: Final = """
    WITH RECURSIVE undone AS (
        SELECT run_id, undoes, 0 AS depth FROM passback.runs
        WHERE district = %(district)s AND run_key = %(run_key)s
        UNION ALL
        SELECT run.run_id, run.undoes, undone.depth + 1
        FROM undone JOIN passback.runs AS run ON run.run_id = undone.undoes
    )
    SELECT run.run_id, run.mode, run.started_at, (SELECT max(depth) FROM undone),
           (SELECT max(last_at) FROM passback.trail_stumps WHERE district = %(district)s)
    FROM passback.runs AS run WHERE run.district = %(district)s AND run.run_key = %(run_key)s
"""

# What stood there before is not known where an earlier run had sent a value that was not there afterwards.
CHANGED: Final = sql.SQL("""
    WITH mine AS (
        SELECT {key}, min(seq) AS first_seq, max(seq) AS last_seq FROM passback.trail
        WHERE run_id = {run_id} AND district = {district} AND kind = {kind_name}
        GROUP BY {key}
    )
    SELECT {columns}, first.from_value IS NOT NULL AS was_there, {before},
           last.to_value IS NOT NULL AS left_there, {after},
           coalesce(before.to_value IS NULL AND sent.seq IS NOT NULL, false) AS unknown_before,
           coalesce(later.run_key, '') AS later_run
    FROM mine
    JOIN passback.trail AS first ON first.district = {district} AND first.seq = mine.first_seq
    JOIN passback.trail AS last ON last.district = {district} AND last.seq = mine.last_seq
    LEFT JOIN LATERAL (
        SELECT same.seq, same.run_id, same.to_value FROM passback.trail AS same
        WHERE {same} AND same.seq < mine.first_seq ORDER BY same.seq DESC LIMIT 1
    ) AS before ON true
    LEFT JOIN LATERAL (
        SELECT same.seq FROM passback.trail AS same JOIN passback.runs AS run USING (run_id)
        WHERE {same} AND same.seq < before.seq AND same.run_id = before.run_id
            AND same.to_value IS NOT NULL AND run.mode <> 'undo' LIMIT 1
    ) AS sent ON true
    LEFT JOIN LATERAL (
        SELECT same.run_key FROM passback.trail AS same
        WHERE {same} AND same.seq > mine.last_seq ORDER BY same.seq DESC LIMIT 1
    ) AS later ON true
    WHERE first.from_value::jsonb IS DISTINCT FROM last.to_value::jsonb
    ORDER BY {last_key}
""")

UNFINISHED: Final = """
    SELECT undo.run_key FROM passback.runs AS run JOIN passback.runs AS undo ON undo.undoes = run.run_id
    WHERE run.district = %(district)s AND run.run_key = %(run_key)s AND undo.state <> 'good'
    ORDER BY undo.run_id DESC LIMIT 1
"""

UNDOS: Final = """
    SELECT concat_ws(' ', count(*), 'undos, the last until', max(coalesce(ended_at, clock_timestamp())))
    FROM passback.runs WHERE district = %s AND mode = 'undo'
"""

CATEGORIES: Final = """
    SELECT count(*) FROM passback.trail WHERE run_id = %s AND district = %s AND kind = 'category'
"""


@dataclass(frozen=True)
class UndoneRun:
    """A run that is to be undone.

    Attributes:
        run_id: Its number in the ledger.
        mode: Its mode; `undo` if it was itself an undo.
        puts_back: Whether undoing it takes back what came from the source, and not an undo of that.
        categories: How many categories it created in the SIS; they stay.
    """

    run_id: int
    mode: str
    puts_back: bool
    categories: int


def undos_so_far(connection: Connection, district: str) -> str:
    """A text that is another one once an undo of the district has begun or ended since.

    While one is under way it is another one each time: nobody knows what it has taken back meanwhile.
    """
    with transaction(connection) as cursor:
        cursor.execute(UNDOS, (district,))
        (told,) = cursor.fetchone() or ("",)
    return str(told)


def undone_run(connection: Connection, district: str, run_key: str) -> UndoneRun:
    """The run that is to be undone.

    Raises:
        ConfigurationError: there is no such run, or its part of the trail has been purged.
    """
    where = f"{district}, run {run_key}"
    with transaction(connection) as cursor:
        cursor.execute(RUN, {"district": district, "run_key": run_key})
        found = cursor.fetchone()
        if found is None:
            raise ConfigurationError(
                "the ledger knows no such run",
                where=where,
                mend="See with `passback status` how the runs are called; a preview is not among them.",
            )
        run_id, mode, started_at, depth, purged_to = found
        if purged_to is not None and started_at <= purged_to:
            raise ConfigurationError(
                "what this run changed has been purged from the trail",
                where=where,
                mend="It can no longer be undone; what the source says now is sent by a full run.",
            )
        cursor.execute(CATEGORIES, (run_id, district))
        (categories,) = cursor.fetchone() or (0,)
    return UndoneRun(run_id, mode, puts_back=depth % 2 == 0, categories=categories)


def unfinished_undo(connection: Connection, district: str, run_key: str) -> str:
    """The key of an undo of a run that was stopped before its end; empty if there is none."""
    with transaction(connection) as cursor:
        cursor.execute(UNFINISHED, {"district": district, "run_key": run_key})
        (found,) = cursor.fetchone() or ("",)
    return str(found)


def changed_line_items(connection: Connection, district: str, run_id: int) -> pd.DataFrame:
    """The line items that a run changed in the SIS, as `CHANGED_LINE_ITEMS`, by the trail.

    Returns:
        A row each: key and place; was_there and the content before the run; left_there and the content after
        it, with `_after` behind the names; whether what stood there before the run is not known; and the run
        that changed it last since, if one did.
    """
    return _changed(connection, district, run_id, LINE_ITEMS)


def changed_results(connection: Connection, district: str, run_id: int) -> pd.DataFrame:
    """The results that a run changed in the SIS, as `CHANGED_RESULTS`: see `changed_line_items`."""
    return _changed(connection, district, run_id, RESULTS)


def _shape(kind: Kind) -> Frame:
    content = {column: kind.plan.columns[column] for column in kind.content}
    after = {f"{column}_after": dtype for column, dtype in content.items()}
    return Frame(
        f"changed_{kind.table}",
        {
            **dict.fromkeys((*kind.key, *kind.place), TEXT),
            "was_there": FLAG,
            **content,
            "left_there": FLAG,
            **after,
            "unknown_before": FLAG,
            "later_run": TEXT,
        },
        kind.key,
    )


CHANGED_LINE_ITEMS: Final = _shape(LINE_ITEMS)
CHANGED_RESULTS: Final = _shape(RESULTS)


def _changed(connection: Connection, district: str, run_id: int, kind: Kind) -> pd.DataFrame:
    # COPY writes t and f, which pyarrow does not take for flags.
    shape = _shape(kind)
    flags = [column for column, dtype in shape.columns.items() if dtype == FLAG]
    as_text = Frame(shape.name, {**shape.columns, **dict.fromkeys(flags, TEXT)}, shape.key)
    place = [sql.SQL("last.{}").format(sql.Identifier(column)) for column in (*kind.key, *kind.place)]
    # The planner finds the rows by assessment and student, whatever it thinks of the trail's size.
    same = ["kind", "assessment_id", "student_id", *kind.key]
    query = CHANGED.format(
        key=names(kind.key),
        last_key=sql.SQL(", ").join(place[: len(kind.key)]),
        columns=sql.SQL(", ").join(place),
        before=columns_of(sql.SQL("first.from_value"), kind),
        after=_after(kind),
        same=sql.SQL("same.district = {} AND {}").format(
            sql.Literal(district),
            sql.SQL(" AND ").join(
                sql.SQL("same.{0} = last.{0}").format(sql.Identifier(column)) for column in same
            ),
        ),
        run_id=sql.Literal(run_id),
        district=sql.Literal(district),
        kind_name=sql.Literal(kind.name),
    )
    with transaction(connection) as cursor:
        found = copy_out(cursor, query, as_text)
    return shape.conform(found.assign(**{flag: found[flag].eq("t") for flag in flags}))


def _after(kind: Kind) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL(
            "coalesce(last.to_value ->> {name}, '') AS {column}"
            if kind.plan.columns[column] == TEXT
            else "(last.to_value ->> {name})::double precision AS {column}"
        ).format(name=sql.Literal(column), column=sql.Identifier(f"{column}_after"))
        for column in kind.content
    )
