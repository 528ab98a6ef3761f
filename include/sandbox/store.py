"""The sandbox's state: one SQLite file, one connection, one transaction a request.

Write-ahead logging keeps what was committed when the process is killed at any instruction.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

FILE: Final = "sandbox.sqlite3"

# Records are whole JSON texts: what is listed is what was stored, without parsing it on the way.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS feed_records (
    collection TEXT NOT NULL, key TEXT NOT NULL, modified_at INTEGER NOT NULL, deleted INTEGER NOT NULL,
    record TEXT NOT NULL, PRIMARY KEY (collection, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS feed_live ON feed_records (collection, deleted);

CREATE TABLE IF NOT EXISTS sis_records (
    kind TEXT NOT NULL, sourced_id TEXT NOT NULL, subtype TEXT,
    class_id TEXT, user_id TEXT, line_item_id TEXT, record TEXT NOT NULL, PRIMARY KEY (kind, sourced_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sis_by_class ON sis_records (class_id, kind, user_id, subtype);
CREATE INDEX IF NOT EXISTS sis_by_line_item ON sis_records (line_item_id, kind);

CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY, scope TEXT NOT NULL, expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (
    method TEXT NOT NULL, path TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (method, path)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS writes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, method TEXT NOT NULL, kind TEXT NOT NULL,
    sourced_id TEXT NOT NULL, status INTEGER NOT NULL, fault TEXT, stored INTEGER NOT NULL, at TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS writes_are_not_changed BEFORE UPDATE ON writes
    BEGIN SELECT RAISE(ABORT, 'the log of writes is append-only'); END;
CREATE TRIGGER IF NOT EXISTS writes_are_not_removed BEFORE DELETE ON writes
    BEGIN SELECT RAISE(ABORT, 'the log of writes is append-only'); END;
"""

_DATA: Final = ("feed_records", "sis_records", "requests", "writes")


class FolderInUseError(Exception):
    """Another sandbox already works on this state folder."""


def lock(folder: Path) -> TextIO:
    """Make the folder (only its owner may read it) and take it for this process.

    Returns:
        The lock's file; the folder is free again when it is closed or the process ends.

    Raises:
        FolderInUseError: another process holds it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = (folder / "lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise FolderInUseError(str(folder)) from error
    return handle


def forget(folder: Path) -> None:
    """Remove the state, its credentials included."""
    for suffix in ("", "-wal", "-shm"):
        (folder / (FILE + suffix)).unlink(missing_ok=True)


def connect(folder: Path) -> sqlite3.Connection:
    """Open the state in `folder`, making its tables where they are missing."""
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # one process, one connection: no lock per request
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 10000")
    connection.execute("PRAGMA cache_size = -65536")
    connection.executescript(_SCHEMA)
    return connection


def drop_data(connection: sqlite3.Connection) -> None:
    """Empty the state inside the caller's transaction, but for settings and tokens.

    `writes` refuses deletion, so the tables are made anew.
    """
    for table in _DATA:
        connection.execute(f"DROP TABLE {table}")
    statement = ""
    for line in _SCHEMA.splitlines():  # executescript would commit the caller's transaction
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of the block or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def settings(connection: sqlite3.Connection) -> dict[str, Any]:
    """Everything the sandbox remembers about itself: seeding date and instant, credentials."""
    return {name: json.loads(value) for name, value in connection.execute("SELECT name, value FROM settings")}


def setting(connection: sqlite3.Connection, name: str, default: Any) -> Any:
    """One of them, or what it is as long as nobody has set it."""
    row = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
    return json.loads(row[0]) if row else default


def keep_settings(connection: sqlite3.Connection, **values: Any) -> None:
    """Remember the given settings."""
    connection.executemany(
        "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [(name, json.dumps(value)) for name, value in values.items()],
    )


@dataclass
class Clock:
    """A UTC clock in microseconds that never shows the same instant twice, across restarts too."""

    last: int

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> Clock:
        """A clock that goes on after the last change in the state."""
        (last,) = connection.execute("SELECT coalesce(max(modified_at), 0) FROM feed_records").fetchone()
        return cls(last)

    def tick(self) -> int:
        """Microseconds since 1970, later than every earlier answer."""
        self.last = max(time.time_ns() // 1000, self.last + 1)
        return self.last


def instant(microseconds: int) -> str:
    """`2026-11-22T18:00:00.000000Z`."""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
