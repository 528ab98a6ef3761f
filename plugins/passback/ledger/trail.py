"""The trail: what changed in a SIS, appended only, each row's hash built on the one before."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from psycopg2 import sql

from passback.ledger.database import Connection, transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    link = bytes(head)
    cursor.execute(NUMBER_ROWS.format(changes=changes), {"district": district, "last": last})
    cursor.execute(f"{TEXTS} FROM pg_temp.appended ORDER BY seq")
    seq, hashes = last, bytearray()
    for seq, *texts in cursor:  # noqa: B007 - the last one is the new head's
        link = _hash(link, texts)
        hashes += link
    if hashes:
        cursor.execute(APPEND, {"hashes": hashes, "last": last})
        cursor.execute(MOVE_HEAD, (seq, link, district))


def verify_trail(connection: Connection, district: str) -> int | None:
    """The first number at which a district's trail is not what was appended; None when all of it holds.

    Found: a changed, removed, added or exchanged row, and a trail cut short of its head.
    """
    expected, link = 1, BEFORE_THE_FIRST
    # Named: the rows stay at the server and come in portions, however long the trail is.
    with transaction(connection) as cursor, connection.cursor(f"trail_{uuid4().hex}") as rows:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(HEAD_OF, (district,))
        last, head = cursor.fetchone() or (0, BEFORE_THE_FIRST)
        rows.itersize = 10_000
        rows.execute(f"{TEXTS}, hash FROM passback.trail WHERE district = %s ORDER BY seq", (district,))
        for seq, *texts, held in rows:
            link = _hash(link, texts)
            if seq != expected or link != bytes(held):
                return expected
            expected += 1
    return None if (expected - 1, link) == (last, bytes(head)) else expected


def _hash(before: bytes, texts: Sequence[str | None]) -> bytes:
    """A row's hash: SHA-256 of the hash before and the row's texts as a JSON list."""
    return hashlib.sha256(before + _CANONICAL.encode(texts).encode()).digest()
