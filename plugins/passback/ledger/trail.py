"""The trail: what changed in a SIS, appended only, each row's hash built on the one before.

Its beginning may have been purged: then a chain of stumps tells what went, and the rest is built on the last.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from uuid import uuid4

from psycopg2 import sql

from passback.ledger.database import Connection, transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from passback.ledger.database import Cursor

BEFORE_THE_FIRST: Final = bytes(32)

LOCK_HEAD: Final = """
    INSERT INTO passback.trail_heads (district, seq, hash) VALUES (%s, 0, %s) ON CONFLICT DO NOTHING;
    SELECT seq, hash FROM passback.trail_heads WHERE district = %s FOR UPDATE
"""

NUMBER_ROWS: Final = sql.SQL("""
    CREATE TEMPORARY TABLE appended ON COMMIT DROP AS
    SELECT %(district)s AS district,
           %(last)s + row_number() OVER (ORDER BY line_item_id, sis_student_id) AS seq,
           changes.at, run_id, run_key, ordered_by, rule_set, mapping_hash, kind, line_item_id,
           sis_student_id, sis_class_id, assessment_id, class_id, student_id,
           from_value::text::json AS from_value, to_value::text::json AS to_value
    FROM ({changes}) AS changes JOIN passback.runs AS run USING (run_id)
""")

# The text of every column but the hash: this, and only this, is what is hashed.
TEXTS: Final = """
    SELECT seq, district, seq::text AS seq_text,
           to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           run_id::text, run_key, ordered_by, rule_set, mapping_hash, kind, line_item_id, sis_student_id,
           sis_class_id, assessment_id, class_id, student_id, from_value::text, to_value::text
"""

# The hashes come as one row of bytes, in the order of the rows: cheaper than a table of them to be joined.
APPEND: Final = """
    INSERT INTO passback.trail
        (district, seq, at, run_id, run_key, ordered_by, rule_set, mapping_hash, kind, line_item_id,
         sis_student_id, sis_class_id, assessment_id, class_id, student_id, from_value, to_value, hash)
    SELECT district, seq, at, run_id, run_key, ordered_by, rule_set, mapping_hash, kind, line_item_id,
           sis_student_id, sis_class_id, assessment_id, class_id, student_id, from_value, to_value,
           substring(%(hashes)s FROM (32 * (seq - %(last)s - 1) + 1)::int FOR 32)
    FROM pg_temp.appended ORDER BY seq
"""

_CANONICAL: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

MOVE_HEAD: Final = "UPDATE passback.trail_heads SET seq = %s, hash = %s WHERE district = %s"

HEAD_OF: Final = "SELECT seq, hash FROM passback.trail_heads WHERE district = %s"

# District and number, then the text of every column but the hash: these, with the two first, are hashed.
STUMP_TEXTS: Final = """
    SELECT district, last_seq, district, last_seq::text AS seq_text, encode(last_hash, 'hex'), rows::text,
           to_char(first_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           to_char(last_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           to_char(before AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           to_char(purged_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), purged_by
"""

LAST_STUMP: Final = """
    SELECT hash FROM passback.trail_stumps WHERE district = %(district)s ORDER BY last_seq DESC LIMIT 1
"""

NEW_STUMP: Final = """
    CREATE TEMPORARY TABLE stump ON COMMIT DROP AS
    SELECT %(district)s AS district, max(seq) AS last_seq,
           (
               SELECT hash FROM passback.trail WHERE district = %(district)s AND seq = %(last_seq)s
           ) AS last_hash,
           count(*) AS rows, min(at) AS first_at, max(at) AS last_at, %(before)s AS before,
           clock_timestamp() AS purged_at, %(purged_by)s AS purged_by
    FROM passback.trail WHERE district = %(district)s AND seq <= %(last_seq)s
"""

KEEP_STUMP: Final = """
    INSERT INTO passback.trail_stumps
        (district, last_seq, last_hash, rows, first_at, last_at, before, purged_at, purged_by, hash)
    SELECT district, last_seq, last_hash, rows, first_at, last_at, before, purged_at, purged_by, %s
    FROM pg_temp.stump
"""

# What the SIS accepted of us stands in the trail: without any trail, somebody has taken all of it away.
ACCEPTED: Final = """
    SELECT EXISTS (SELECT FROM passback.results WHERE district = %(district)s AND in_sis IS NOT NULL)
        OR EXISTS (SELECT FROM passback.line_items WHERE district = %(district)s AND in_sis IS NOT NULL)
"""

DISTRICTS: Final = """
    SELECT district FROM passback.runs UNION SELECT district FROM passback.trail_heads
    UNION SELECT district FROM passback.trail_stumps UNION SELECT district FROM passback.trail ORDER BY 1
"""

ROWS_AT_ONCE: Final = 10_000

What: TypeAlias = Literal["changed", "missing", "added", "cut", "head", "stump", "erased"]


@dataclass(frozen=True)
class Break:
    """The first place at which a district's trail is not what was appended.

    Attributes:
        number: The row's number, or that of a stump's last row.
        what: changed: the row, or its place, is another; missing: it is not there, later ones are; added: it
            stands where all was purged; cut: it and all later ones are not there; head: the rows hold, but
            the head kept beside them tells of others; stump: what tells of purged rows was changed or
            removed; erased: nothing at all is there of what the SIS accepted.
        run: The run that the row there names, or the last good row before it; empty if there is neither.
        at: The instant that goes with it.
    """

    number: int
    what: What
    run: str
    at: datetime | None


def append(cursor: Cursor, district: str, changes: sql.Composable) -> None:
    """Append the rows of a query, in the caller's transaction.

    Args:
        cursor: In a transaction; the caller then writes what the rows say.
        district: The district's name.
        changes: A query with the columns at, run_id, kind, line_item_id, sis_student_id, sis_class_id,
            assessment_id, class_id, student_id, from_value (null: nothing stood there), to_value (null: it
            was read back and is not there); both jsonb.
    """
    # Locked before the query runs: it sees what another transaction has appended.
    cursor.execute(LOCK_HEAD, (district, BEFORE_THE_FIRST, district))
    last, head = cursor.fetchone() or (0, BEFORE_THE_FIRST)
    head = bytes(head)
    cursor.execute(NUMBER_ROWS.format(changes=changes), {"district": district, "last": last})
    cursor.execute(f"{TEXTS} FROM pg_temp.appended ORDER BY seq")
    seq, hashes = last, bytearray()
    for seq, *texts in cursor:  # noqa: B007 - the last one is the new head's
        head = link(head, texts)
        hashes += head
    if hashes:
        cursor.execute(APPEND, {"hashes": hashes, "last": last})
        cursor.execute(MOVE_HEAD, (seq, head, district))


def cut_off(cursor: Cursor, district: str, *, last_seq: int, before: datetime, purged_by: str) -> int:
    """Remove a trail's beginning up to a row and leave a stump, in the caller's transaction.

    Args:
        cursor: In a transaction, as the owner of the trail.
        district: The district's name.
        last_seq: The number of the last row that goes.
        before: The instant before which it was to be purged.
        purged_by: Who ordered it.

    Returns:
        How many rows went.
    """
    of = {"district": district, "last_seq": last_seq, "before": before, "purged_by": purged_by}
    cursor.execute(LAST_STUMP, of)
    (head,) = cursor.fetchone() or (BEFORE_THE_FIRST,)
    cursor.execute(NEW_STUMP, of)
    cursor.execute(f"{STUMP_TEXTS} FROM pg_temp.stump")
    for _, _, *texts in cursor.fetchall():
        cursor.execute(KEEP_STUMP, (link(bytes(head), texts),))
    cursor.execute("DELETE FROM passback.trail WHERE district = %(district)s AND seq <= %(last_seq)s", of)
    return cursor.rowcount


def districts(connection: Connection) -> list[str]:
    """The districts that the ledger knows, by name."""
    with transaction(connection) as cursor:
        cursor.execute(DISTRICTS)
        return [district for (district,) in cursor]


def verify_trail(connection: Connection, district: str) -> int | None:
    """The first number at which a district's trail is not what was appended; None when all of it holds."""
    found = first_break(connection, district)
    return None if found is None else found.number


def first_break(connection: Connection, district: str) -> Break | None:
    """Where a district's trail is not what was appended; None when all of it holds.

    Found: a changed, removed, added or exchanged row, a trail cut short, a changed head, and a changed or
    removed stump. Rows come in portions, however long the trail is.
    """
    # Named: the rows stay at the server and come in portions.
    with transaction(connection) as cursor, connection.cursor(f"trail_{uuid4().hex}") as rows:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return _first_break(cursor, rows, district)


def _first_break(cursor: Cursor, rows: Cursor, district: str) -> Break | None:
    """As `first_break`, in the caller's transaction, which must see one state throughout."""
    stumps = _read_stumps(cursor, district)
    if isinstance(stumps, Break):
        return stumps
    last, link_before = stumps
    cursor.execute(HEAD_OF, (district,))
    head = cursor.fetchone()
    rows.itersize = ROWS_AT_ONCE
    rows.execute(
        f"{TEXTS}, hash, run_key, at FROM passback.trail WHERE district = %s ORDER BY seq", (district,)
    )
    found = _broken_link(rows, last, link_before)
    if isinstance(found, Break):
        return found
    last, link_last, run, at = found
    seq, held = head or (0, BEFORE_THE_FIRST)
    if (seq, bytes(held)) == (last, link_last):
        cursor.execute(ACCEPTED, {"district": district})
        erased = last == 0 and cursor.fetchone() == (True,)
        return Break(1, "erased", "", None) if erased else None
    return Break(last + 1, "cut" if seq > last else "head", run, at)


def _broken_link(
    rows: Iterable[Sequence[Any]], last: int, before: bytes
) -> Break | tuple[int, bytes, str, datetime | None]:
    """The first row that does not follow from the one before; else number, hash, run and time of the last."""
    run, at = "", None
    for seq, *texts, held, row_run, row_at in rows:
        if seq <= last:
            return Break(seq, "added", row_run, row_at)
        if seq > last + 1:
            return Break(last + 1, "missing", run, at)
        before = link(before, texts)
        if before != bytes(held):
            return Break(seq, "changed", row_run, row_at)
        last, run, at = seq, row_run, row_at
    return last, before, run, at


def _read_stumps(cursor: Cursor, district: str) -> Break | tuple[int, bytes]:
    """Number and hash of the last purged row; or the first stump that is not what was written."""
    last, last_hash, before = 0, BEFORE_THE_FIRST, BEFORE_THE_FIRST
    cursor.execute(
        f"{STUMP_TEXTS}, hash, last_hash, rows, purged_at FROM passback.trail_stumps WHERE district = %s"
        " ORDER BY last_seq",
        (district,),
    )
    for _, seq, *texts, held, purged_hash, rows, purged_at in cursor.fetchall():
        before = link(before, texts)
        if before != bytes(held) or rows != seq - last:
            return Break(seq, "stump", "", purged_at)
        last, last_hash = seq, bytes(purged_hash)
    return last, last_hash


def link(before: bytes, texts: Iterable[str | None]) -> bytes:
    """A row's hash: SHA-256 of the hash before and the row's texts as a JSON list."""
    return hashlib.sha256(before + _CANONICAL.encode(list(texts)).encode()).digest()
