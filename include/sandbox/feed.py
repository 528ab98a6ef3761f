"""The feed: collections, paged and since an instant, over HTTP or as CSV files; in Otus' names.

Otus publishes no interface: the contract is this project's own and stands in README.md.
"""

from __future__ import annotations

import base64
import csv
import hmac
import json
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sandbox.exchange import Answer, Call, Route, dumps, refused
from sandbox.store import instant, settings

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

# collection → its fields; the first ones, up to the number in KEYS, identify a record
FIELDS: Final = {
    "assessments": (
        "id",
        "class_id",
        "title",
        "type",
        "grading_type",
        "points_possible",
        "include_in_final_grade",
        "assigned_by",
        "assigned_at",
        "due_at",
        "modified_at",
    ),
    "scores": (
        "assessment_id",
        "class_id",
        "student_id",
        "status",
        "points",
        "submitted_at",
        "graded_at",
        "modified_at",
    ),
    "classes": ("id", "sis_id", "title", "modified_at"),
    "students": ("id", "sis_id", "modified_at"),
    "staff": ("id", "sis_id", "role", "modified_at"),
    "group-members": ("staff_id", "joined_at", "left_at", "modified_at"),
}
KEYS: Final = {"assessments": 2, "scores": 3, "classes": 1, "students": 1, "staff": 1, "group-members": 2}

# What other feeds than Otus' keep besides: collections, and fields of the same collections.
_OTHER_FIELDS: Final = {"class-categories": ("class_id", "name", "modified_at")}
_OTHER_KEYS: Final = {"class-categories": 2}
_MORE_FIELDS: Final = {"assessments": ("published",)}

_DEFAULT_LIMIT: Final = 500
_MAX_LIMIT: Final = 5000


def key_fields(collection: str) -> tuple[str, ...]:
    """The fields that identify a record of a collection."""
    return (FIELDS | _OTHER_FIELDS)[collection][: (KEYS | _OTHER_KEYS)[collection]]


def key_of(collection: str, record: dict[str, Any]) -> str:
    """A record's key; pages follow its order."""
    return "/".join(str(record[name]) for name in key_fields(collection))


def _authorised(call: Call) -> bool:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    expected = settings(call.sandbox.connection)["feed_token"]
    return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), expected.encode())


def _microseconds(text: str) -> int:
    """An ISO instant as microseconds since 1970."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise refused(400, "modified_since is not an ISO 8601 instant.") from None
    if moment.tzinfo is None:
        raise refused(400, "modified_since has no zone; end it with Z.")
    since_1970 = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_1970.days * 86_400 + since_1970.seconds) * 1_000_000 + since_1970.microseconds


def _limit(call: Call) -> int:
    text = call.query.get("limit", str(_DEFAULT_LIMIT))
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise refused(400, "limit is not a whole number above 0.")
    return min(int(text), _MAX_LIMIT)


def _cursor(*, collection: str, after: str, as_of: str, since: int) -> str:
    return base64.urlsafe_b64encode(dumps([collection, after, as_of, since]).encode()).decode().rstrip("=")


def _position(call: Call, collection: str) -> tuple[str, str, int]:
    """Where a page begins: the last key before it, the listing's `as_of`, and since when (-1: everything)."""
    cursor = call.query.get("cursor", "")
    if not cursor:
        since = _microseconds(call.query["modified_since"]) if call.query.get("modified_since") else -1
        return "", instant(call.sandbox.clock.tick()), since
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        of_collection, after, as_of, since = json.loads(base64.urlsafe_b64decode(padded))
    except ValueError:
        raise refused(400, "cursor is not one this feed gave out.") from None
    if of_collection != collection:
        raise refused(400, "cursor belongs to another collection.")
    return after, as_of, since


def require_token(call: Call) -> None:
    """Let a call pass that carries the platform's bearer token.

    Raises:
        RefusedError: it does not (401).
    """
    if not _authorised(call):
        raise refused(401, "The bearer token is missing or wrong.", code="unauthorised")


def page(call: Call, collection: str, shown: Callable[[str], str]) -> Answer:
    """One page of a collection, in the order of its keys.

    A page follows the last key of the page before, so changes on the way neither skip nor repeat a record;
    what changes after page 1 is found from `as_of` on the next time.

    Args:
        call: The request.
        collection: The collection, as it is stored.
        shown: Turns a stored record into the one answered, JSON text to JSON text.
    """
    limit = _limit(call)
    after, as_of, since = _position(call, collection)
    connection = call.sandbox.connection
    (total,) = connection.execute(
        "SELECT count(*) FROM feed_records WHERE collection = ? AND deleted = 0", (collection,)
    ).fetchone()
    rows = connection.execute(
        "SELECT key, record FROM feed_records WHERE collection = ? AND key > ? AND modified_at >= ?"
        " AND (deleted = 0 OR ?) ORDER BY key LIMIT ?",
        (collection, after, since, since >= 0, limit + 1),
    ).fetchall()
    following = (
        dumps(_cursor(collection=collection, after=rows[limit - 1][0], as_of=as_of, since=since))
        if len(rows) > limit
        else "null"
    )
    items = ",".join(shown(record) for _, record in rows[:limit])
    return Answer(200, f'{{"as_of":"{as_of}","total":{total},"items":[{items}],"next":{following}}}')


def list_collection(call: Call) -> Answer:
    """GET /feed/v1/{collection}: one page of it, as it is stored."""
    require_token(call)
    collection = call.parameters["collection"]
    if collection not in FIELDS:
        raise refused(404, f"There is no such collection; there are {', '.join(FIELDS)}.", code="not_found")
    return page(call, collection, str)


# --- Changes, ordered over the control interface ---


def find(connection: sqlite3.Connection, collection: str, key: str) -> dict[str, Any] | None:
    """A live record, or None."""
    row = connection.execute(
        "SELECT record FROM feed_records WHERE collection = ? AND key = ? AND deleted = 0", (collection, key)
    ).fetchone()
    return json.loads(row[0]) if row else None


def store(
    connection: sqlite3.Connection, collection: str, record: dict[str, Any], modified_at: int
) -> dict[str, Any]:
    """Write a whole record with a new `modified_at`, and return it."""
    stamped = {**record, "modified_at": instant(modified_at)}
    ordered = {name: stamped.get(name) for name in (FIELDS | _OTHER_FIELDS)[collection]}
    ordered |= {name: stamped[name] for name in _MORE_FIELDS.get(collection, ()) if name in stamped}
    connection.execute(
        "INSERT OR REPLACE INTO feed_records VALUES (?, ?, ?, 0, ?)",
        (collection, key_of(collection, ordered), modified_at, dumps(ordered)),
    )
    return ordered


def delete(connection: sqlite3.Connection, collection: str, key: str, modified_at: int) -> None:
    """Leave of a record only its key, for those who ask what was modified."""
    record = find(connection, collection, key)
    if record is None:
        return
    left = {name: record[name] for name in key_fields(collection)}
    left |= {"deleted": True, "modified_at": instant(modified_at)}
    connection.execute(
        "UPDATE feed_records SET deleted = 1, modified_at = ?, record = ? WHERE collection = ? AND key = ?",
        (modified_at, dumps(left), collection, key),
    )


# --- The same as CSV files ---


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def export_csv(connection: sqlite3.Connection, folder: Path) -> dict[str, int]:
    """Write every collection as `<collection>.csv`; a reader sees a file whole or not at all.

    Returns:
        The number of records of each collection.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    written = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
    try:
        for collection, fields in FIELDS.items():
            rows = connection.execute(
                "SELECT record FROM feed_records WHERE collection = ? AND deleted = 0 ORDER BY key",
                (collection,),
            ).fetchall()
            with (written / f"{collection}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(fields)
                records = (json.loads(text) for (text,) in rows)
                writer.writerows([_cell(record[name]) for name in fields] for record in records)
            counts[collection] = len(rows)
        for collection in FIELDS:
            (written / f"{collection}.csv").replace(folder / f"{collection}.csv")
    finally:
        shutil.rmtree(written, ignore_errors=True)
    return counts


ROUTES: Final = (Route("GET", "/feed/v1/{collection}", list_collection, "feed"),)
