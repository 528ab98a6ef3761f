"""What the sandbox's Canvas keeps: records as JSON texts, beside them what they are looked up by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sandbox.exchange import dumps
from sandbox.instants import microseconds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_TABLES: Final = ("canvas_records", "canvas_submissions", "canvas_buckets")
_SCHEMA: Final = """
CREATE TABLE canvas_records (
    kind TEXT NOT NULL, id INTEGER NOT NULL, course_id INTEGER, section_id INTEGER, user_id INTEGER,
    sis_id TEXT, record TEXT NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX canvas_by_course ON canvas_records (kind, course_id, user_id);
CREATE INDEX canvas_by_section ON canvas_records (kind, section_id, user_id);
CREATE INDEX canvas_by_sis_id ON canvas_records (kind, sis_id);
CREATE TABLE canvas_submissions (
    id INTEGER PRIMARY KEY, course_id INTEGER NOT NULL, assignment_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL, workflow_state TEXT, submitted_at INTEGER, graded_at INTEGER,
    record TEXT NOT NULL, UNIQUE (assignment_id, user_id)
);
CREATE INDEX canvas_submissions_by_user ON canvas_submissions (course_id, user_id, assignment_id);
CREATE TABLE canvas_buckets (token TEXT PRIMARY KEY, count REAL NOT NULL, touched REAL NOT NULL)
"""

# kind → the field that holds the id the SIS knows it by
SIS_ID: Final = {
    "account": "sis_account_id",
    "course": "sis_course_id",
    "section": "sis_section_id",
    "user": "sis_user_id",
    "assignment": "sis_assignment_id",
}

Record = dict[str, Any]


def make_tables(connection: sqlite3.Connection) -> None:
    """Empty tables, inside the caller's transaction."""
    for table in _TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in _SCHEMA.split(";"):  # executescript would commit the caller's transaction
        connection.execute(statement)


# --- Records ---


def _row(kind: str, record: Record) -> tuple[Any, ...]:
    section_id = record.get("course_section_id") if kind == "enrollment" else None
    user_id = record.get("user_id") if kind == "enrollment" else None
    sis_id = record.get(SIS_ID[kind]) if kind in SIS_ID else None
    return kind, record["id"], record.get("course_id"), section_id, user_id, sis_id, dumps(record)


def put_all(connection: sqlite3.Connection, kind: str, records: Iterable[Record]) -> None:
    """Create or replace records of a kind; each has an `id` of its own."""
    connection.executemany(
        "INSERT OR REPLACE INTO canvas_records VALUES (?, ?, ?, ?, ?, ?, ?)",
        (_row(kind, record) for record in records),
    )


def put(connection: sqlite3.Connection, kind: str, record: Record) -> Record:
    """Create or replace a record, and return it."""
    put_all(connection, kind, [record])
    return record


def remove(connection: sqlite3.Connection, kind: str, record_id: int) -> None:
    """Take a record away, and with an assignment its submissions."""
    connection.execute("DELETE FROM canvas_records WHERE kind = ? AND id = ?", (kind, record_id))
    if kind == "assignment":
        connection.execute("DELETE FROM canvas_submissions WHERE assignment_id = ?", (record_id,))


def find(connection: sqlite3.Connection, kind: str, record_id: int) -> Record | None:
    """A record by its Canvas id."""
    row = connection.execute(
        "SELECT record FROM canvas_records WHERE kind = ? AND id = ?", (kind, record_id)
    ).fetchone()
    return json.loads(row[0]) if row else None


def find_by_sis_id(connection: sqlite3.Connection, kind: str, sis_id: str) -> Record | None:
    """A record by the id the SIS knows it by."""
    row = connection.execute(
        "SELECT record FROM canvas_records WHERE kind = ? AND sis_id = ?", (kind, sis_id)
    ).fetchone()
    return json.loads(row[0]) if row else None


def every(connection: sqlite3.Connection, kind: str) -> list[Record]:
    """All records of a kind, by id."""
    found = connection.execute("SELECT record FROM canvas_records WHERE kind = ? ORDER BY id", (kind,))
    return [json.loads(text) for (text,) in found]


def of_course(connection: sqlite3.Connection, kind: str, course_id: int) -> list[Record]:
    """A course's records of a kind, by id."""
    found = connection.execute(
        "SELECT record FROM canvas_records WHERE kind = ? AND course_id = ? ORDER BY id", (kind, course_id)
    )
    return [json.loads(text) for (text,) in found]


def following_id(connection: sqlite3.Connection, kind: str) -> int:
    """An id that no record of the kind has."""
    (last,) = connection.execute(
        "SELECT coalesce(max(id), 0) FROM canvas_records WHERE kind = ?", (kind,)
    ).fetchone()
    return int(last) + 1


def enrollments(connection: sqlite3.Connection, course_id: int) -> list[Record]:
    """The enrollments of a course, by user and id."""
    found = connection.execute(
        "SELECT record FROM canvas_records WHERE kind = 'enrollment' AND course_id = ? ORDER BY user_id, id",
        (course_id,),
    )
    return [json.loads(text) for (text,) in found]


def enrollments_of_section(connection: sqlite3.Connection, section_id: int) -> list[Record]:
    """The enrollments of a section, by user and id."""
    found = connection.execute(
        "SELECT record FROM canvas_records WHERE kind = 'enrollment' AND section_id = ? ORDER BY user_id, id",
        (section_id,),
    )
    return [json.loads(text) for (text,) in found]


# --- Submissions ---


def put_submissions(connection: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Create or replace submissions; each holds id, course_id, assignment_id and user_id.

    An instant is answered as the record has it, to the second; `graded_since` and `submitted_since` go by
    the microsecond, which Canvas keeps to itself: `graded_at` of a record may carry it.
    """
    connection.executemany(
        "INSERT OR REPLACE INTO canvas_submissions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                record["id"],
                record["course_id"],
                record["assignment_id"],
                record["user_id"],
                record["workflow_state"],
                microseconds(record["submitted_at"]),
                microseconds(record["graded_at"]),
                dumps(record),
            )
            for record in records
        ),
    )


def find_submission(connection: sqlite3.Connection, assignment_id: int, user_id: int) -> Record | None:
    """What a student has on an assignment."""
    row = connection.execute(
        "SELECT record FROM canvas_submissions WHERE assignment_id = ? AND user_id = ?",
        (assignment_id, user_id),
    ).fetchone()
    return json.loads(row[0]) if row else None


def following_submission_id(connection: sqlite3.Connection) -> int:
    """An id that no submission has."""
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM canvas_submissions").fetchone()
    return int(last) + 1
