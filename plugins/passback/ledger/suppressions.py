"""What a person has taken out of passback: an assessment, a class or a student, each with a reason.

A row is never changed but to lift it, and never deleted: who took out what, when and why stays on record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from psycopg2 import sql

from passback.ledger.bulk import copy_out
from passback.ledger.database import Connection, transaction
from passback.ledger.instants import iso
from passback.records import SUPPRESSIONS

if TYPE_CHECKING:
    import pandas as pd

KINDS: Final = ("assessment", "class", "student")

# One who is taken out already stays so, for the reason that was given first.
SUPPRESS: Final = """
    INSERT INTO passback.suppressions (district, kind, id, reason, ordered_by, at)
    VALUES (%s, %s, %s, %s, %s, now())
    ON CONFLICT (district, kind, id) WHERE lifted_at IS NULL DO NOTHING
"""
LIFT: Final = """
    UPDATE passback.suppressions SET lifted_reason = %s, lifted_by = %s, lifted_at = now()
    WHERE district = %s AND kind = %s AND id = %s AND lifted_at IS NULL
"""
LIST: Final = """
    SELECT district, kind, id, reason, ordered_by, at, lifted_reason, lifted_by, lifted_at
    FROM passback.suppressions
    WHERE (%(district)s::text IS NULL OR district = %(district)s) AND (lifted_at IS NULL OR %(lifted)s)
    ORDER BY district, suppression_id
"""
STANDING: Final = sql.SQL("""
    SELECT kind, id FROM passback.suppressions WHERE district = {district} AND lifted_at IS NULL
    ORDER BY kind, id
""")
JUDGED: Final = sql.SQL("""
    SELECT count(*) FROM passback.score_outcomes WHERE district = %s AND {column} = %s
""")

_COLUMNS: Final = (
    "district",
    "kind",
    "id",
    "reason",
    "ordered_by",
    "at",
    "lifted_reason",
    "lifted_by",
    "lifted_at",
)


def suppress(
    connection: Connection, district: str, kind: str, source_id: str, *, reason: str, ordered_by: str
) -> bool:
    """Take an assessment, class or student out of passback, from the next validate on.

    Args:
        connection: The ledger.
        district: The district's name.
        kind: assessment, class or student.
        source_id: The source's id.
        reason: Why, in a person's words; it may name a student, so it is shown to those who ask alone.
        ordered_by: Who says so.

    Returns:
        False if it was out already; then nothing is changed.
    """
    with transaction(connection) as cursor:
        cursor.execute(SUPPRESS, (district, kind, source_id, reason, ordered_by))
        return bool(cursor.rowcount)


def unsuppress(
    connection: Connection, district: str, kind: str, source_id: str, *, reason: str, ordered_by: str
) -> bool:
    """Let an assessment, class or student pass again, from the next validate on; arguments as of `suppress`.

    Returns:
        False if it was not out; then nothing is changed.
    """
    with transaction(connection) as cursor:
        cursor.execute(LIFT, (reason, ordered_by, district, kind, source_id))
        return bool(cursor.rowcount)


def suppressions(connection: Connection, district: str | None, *, lifted: bool) -> list[dict[str, Any]]:
    """What is taken out, oldest first.

    Args:
        connection: The ledger.
        district: The district's name; None for all.
        lifted: Also those that stand no more.

    Returns:
        district, kind, id, reason, ordered_by, at, lifted_reason, lifted_by, lifted_at (or None).
    """
    with transaction(connection) as cursor:
        cursor.execute(LIST, {"district": district, "lifted": lifted})
        rows = [dict(zip(_COLUMNS, row, strict=True)) for row in cursor.fetchall()]
    return [{**row, "at": iso(row["at"]), "lifted_at": iso(row["lifted_at"])} for row in rows]


def standing_suppressions(connection: Connection, district: str) -> pd.DataFrame:
    """`records.SUPPRESSIONS`: what is taken out now."""
    with transaction(connection) as cursor:
        return copy_out(cursor, STANDING.format(district=sql.Literal(district)), SUPPRESSIONS)


def judged_scores(connection: Connection, district: str, kind: str, source_id: str) -> int:
    """How many scores of an assessment, class or student the runs have judged so far; 0 for a wrong id."""
    with transaction(connection) as cursor:
        cursor.execute(JUDGED.format(column=sql.Identifier(f"{kind}_id")), (district, source_id))
        (scores,) = cursor.fetchone() or (0,)
    return int(scores)
