"""What a gradebook refuses: the shape of OneRoster's records, and rules that several SISs share.

A description names the field and never the person.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sandbox.oneroster import failure
from sandbox.seed import ZONE
from sandbox.store import settings

if TYPE_CHECKING:
    import sqlite3

    from sandbox.exchange import RefusedError
    from sandbox.sis import Sis

SCORE_STATUSES: Final = ("exempt", "fully graded", "not submitted", "partially graded", "submitted")

# Enrollments that hold on a day, given twice: from beginDate on and before endDate, where they have these.
CURRENT: Final = (
    "coalesce(json_extract(record, '$.beginDate'), '') <= ?"
    " AND coalesce(json_extract(record, '$.endDate'), '9999') > ?"
    " AND json_extract(record, '$.status') = 'active'"
)


# --- Shape ---


@dataclass(frozen=True)
class Shape:
    """The fields of a record in a version of OneRoster."""

    required: tuple[str, ...]
    optional: tuple[str, ...]


_BASE: Final = ("sourcedId", "status", "dateLastModified")
_SHAPES: Final = {
    ("1.1", "lineItem"): Shape(
        (
            "title",
            "assignDate",
            "dueDate",
            "class",
            "category",
            "gradingPeriod",
            "resultValueMin",
            "resultValueMax",
        ),
        ("description", "metadata"),
    ),
    ("1.1", "result"): Shape(
        ("lineItem", "student", "score", "scoreStatus", "scoreDate"), ("comment", "metadata")
    ),
    ("1.1", "category"): Shape(("title",), ("metadata",)),
    ("1.2", "category"): Shape(("title",), ("weight", "metadata")),
    ("1.2", "lineItem"): Shape(
        ("title", "assignDate", "dueDate", "class", "school", "category"),
        (
            "description",
            "metadata",
            "gradingPeriod",
            "academicSession",
            "scoreScale",
            "resultValueMin",
            "resultValueMax",
            "learningObjectiveSet",
        ),
    ),
    ("1.2", "result"): Shape(
        ("lineItem", "student", "scoreStatus", "scoreDate"),
        (
            "class",
            "comment",
            "incomplete",
            "inProgress",
            "late",
            "learningObjectiveSet",
            "metadata",
            "missing",
            "score",
            "scoreScale",
            "textScore",
        ),
    ),
}
_TEXTS: Final = ("title", "description", "comment", "textScore")
_FLAGS: Final = ("inProgress", "incomplete", "late", "missing")
_NUMBERS_1_2: Final = ("resultValueMin", "resultValueMax", "score", "weight")
_REFERENCES: Final = {
    "class": ("class",),
    "school": ("org",),
    "category": ("category",),
    "gradingPeriod": ("academicSession", "gradingPeriod"),
    "academicSession": ("academicSession",),
    "scoreScale": ("scoreScale",),
    "lineItem": ("lineItem",),
    "student": ("user", "student"),
}
_REFERENCES_1_2: Final = _REFERENCES | {"gradingPeriod": ("academicSession",), "student": ("user",)}


def invalid(field: str, problem: str) -> RefusedError:
    """422 invaliddata that names the field."""
    return failure(422, "invaliddata", f"{field}: {problem}")


def refused_with(words: str) -> RefusedError:
    """422 invaliddata in a vendor's own words."""
    return failure(422, "invaliddata", words)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: float) -> bool:
    """Whether a finite number has no fraction."""
    return value == int(value)


def _check_reference(field: str, value: Any, types: tuple[str, ...]) -> None:
    if not isinstance(value, dict) or set(value) != {"href", "sourcedId", "type"}:
        raise invalid(field, "is not a reference of exactly href, sourcedId and type.")
    if not all(isinstance(part, str) and part for part in value.values()):
        raise invalid(field, "has an empty href, sourcedId or type.")
    if value["type"] not in types:
        raise invalid(field, f"its type is not {' or '.join(types)}.")


def moment(field: str, value: Any) -> datetime:
    """A dateTime with its zone.

    Raises:
        RefusedError: it is none (422).
    """
    try:
        found = datetime.fromisoformat(value) if "T" in value else None
    except (TypeError, ValueError):
        found = None
    if found is None or found.tzinfo is None:
        raise invalid(field, "is not a dateTime with a zone, such as 2026-11-22T12:00:00.000Z.")
    return found


def _check_types(record: dict[str, Any], references: dict[str, tuple[str, ...]]) -> None:
    for field in _TEXTS:
        if field in record and not isinstance(record[field], str):
            raise invalid(field, "is not text.")
    if not isinstance(record.get("metadata", {}), dict):
        raise invalid("metadata", "is not an object.")
    for field, value in record.items():
        if field in references:
            _check_reference(field, value, references[field])


def _check_types_1_2(record: dict[str, Any]) -> None:
    """What the types of 1.2 say besides."""
    for field, value in record.items():
        if field in _FLAGS and value not in {"true", "false"}:
            raise invalid(field, 'is not the text "true" or "false".')
        if field in _NUMBERS_1_2 and not is_number(value):
            raise invalid(field, "is not a finite number.")
        if field in _REFERENCES_1_2 and not urlsplit(value["href"]).scheme:
            raise invalid(field, "its href is not an absolute URI.")
        if field == "learningObjectiveSet" and not (
            isinstance(value, list) and all(isinstance(part, dict) for part in value)
        ):
            raise invalid(field, "is not a list of objects.")
    for field in ("assignDate", "dueDate"):
        if field in record:
            moment(field, record[field])


def check_shape(sis: Sis, kind: str, sourced_id: str, record: dict[str, Any]) -> None:
    """Refuse what is not a whole record of this kind and of the SIS's version of OneRoster under this id.

    Raises:
        RefusedError: 422 invaliddata, naming the field.
    """
    shape = _SHAPES[sis.version, kind]
    for field in _BASE + shape.required:
        if record.get(field) is None and not (field in sis.optional and field not in record):
            raise invalid(field, "is required.")
    if unknown := set(record) - set(_BASE + shape.required + shape.optional):
        problem = f"is not a field of OneRoster {sis.version}; put your own data into metadata."
        raise invalid(min(unknown), problem)
    if record["sourcedId"] != sourced_id:
        raise invalid("sourcedId", "differs from the one in the path.")
    if record["status"] not in {"active", "tobedeleted"}:
        raise invalid("status", "is not active or tobedeleted.")
    moment("dateLastModified", record["dateLastModified"])
    _check_types(record, _REFERENCES if sis.version == "1.1" else _REFERENCES_1_2)
    if sis.version != "1.1":
        _check_types_1_2(record)


# --- Line items ---


def check_title(record: dict[str, Any], at_most: int, *, words: str = "") -> None:
    """Refuse a title that is blank or longer than `at_most` characters, in the SIS's words if it has any."""
    if not record["title"].strip() or len(record["title"]) > at_most:
        raise refused_with(words) if words else invalid("title", f"must have 1 to {at_most} characters.")


def check_points(record: dict[str, Any], *, whole: bool) -> None:
    """Refuse points that are no numbers, and a total that is not above 0 (and whole, if it must be)."""
    for field in ("resultValueMin", "resultValueMax"):
        if not is_number(record[field]):
            raise invalid(field, "is not a finite number.")
    if record["resultValueMax"] <= 0 or (whole and not is_whole(record["resultValueMax"])):
        number = "a whole number" if whole else "a number"
        raise invalid("resultValueMax", f"the total points must be {number} above 0.")


def check_exists(connection: sqlite3.Connection, record: dict[str, Any], *fields: str) -> None:
    """Refuse references to what the SIS does not hold, or has retired."""
    kinds = {"school": "org", "gradingPeriod": "academicSession", "student": "user"}
    for field in fields:
        if field in record:
            found = find(connection, kinds.get(field, field), record[field]["sourcedId"])
            if found is None or found["status"] != "active":
                raise invalid(field, "does not exist.")


def find(connection: sqlite3.Connection, kind: str, sourced_id: str) -> dict[str, Any] | None:
    """A record of the SIS, or None."""
    row = connection.execute(
        "SELECT record FROM sis_records WHERE kind = ? AND sourced_id = ?", (kind, sourced_id)
    ).fetchone()
    return json.loads(row[0]) if row else None


def local_date(field: str, value: Any) -> str:
    """The date a dateTime falls on in the SIS's zone; noon in UTC is that same date there."""
    return moment(field, value).astimezone(ZoneInfo(ZONE)).date().isoformat()


def is_closed(period: dict[str, Any]) -> bool:
    """Whether a grading period takes no more grades."""
    return bool(period.get("metadata", {}).get("gradebookStatus") == "closed")


# --- Results ---


def today(connection: sqlite3.Connection) -> str:
    """The SIS's date: the seeding date, and as many days more as have gone by since."""
    kept = settings(connection)
    seeded = datetime.fromisoformat(kept["seeded_at"]).astimezone(ZoneInfo(ZONE)).date()
    gone_by = datetime.now(ZoneInfo(ZONE)).date() - seeded
    return (date.fromisoformat(kept["seeding_date"]) + max(gone_by, timedelta())).isoformat()


def check_score(record: dict[str, Any]) -> None:
    """Refuse a score that is not a finite number, and a status and date that 1.1 does not have."""
    if not is_number(record["score"]):
        raise invalid("score", "is not a finite number.")
    check_score_status(record, extended=False)


def check_score_status(record: dict[str, Any], *, extended: bool) -> None:
    """Refuse an unknown status (1.2 may be extended) and a date of another form."""
    known = isinstance(record["scoreStatus"], str) and (
        record["scoreStatus"] in SCORE_STATUSES
        or (extended and re.fullmatch(r"ext:[a-zA-Z0-9.\-_]+", record["scoreStatus"]) is not None)
    )
    if not known:
        raise invalid("scoreStatus", f"is not one of {', '.join(SCORE_STATUSES)}.")
    try:
        if date.fromisoformat(record["scoreDate"]).isoformat() != record["scoreDate"]:
            raise ValueError  # noqa: TRY301 - a date in another form is refused like no date
    except (TypeError, ValueError):
        raise invalid("scoreDate", "is not a date such as 2026-11-22.") from None


def class_of_line_item(connection: sqlite3.Connection, record: dict[str, Any]) -> str | None:
    """The class of a result's line item; None if the SIS does not hold it, or no longer."""
    row = connection.execute(
        "SELECT class_id FROM sis_records WHERE kind = 'lineItem' AND sourced_id = ?"
        " AND coalesce(record ->> '$.status', 'active') <> 'tobedeleted'",
        (record["lineItem"]["sourcedId"],),
    ).fetchone()
    return row[0] if row else None


def is_enrolled(connection: sqlite3.Connection, class_id: str, student: str) -> bool:
    """Whether a student is enrolled in a class today."""
    enrolled = connection.execute(
        "SELECT json_extract(record, '$.beginDate'), json_extract(record, '$.endDate'),"
        " json_extract(record, '$.status') FROM sis_records"
        " WHERE kind = 'enrollment' AND class_id = ? AND user_id = ? AND subtype = 'student'",
        (class_id, student),
    ).fetchone()
    if enrolled is None:
        return False
    begins, ends, status = enrolled
    if begins is None and ends is None:
        return bool(status == "active")
    day = today(connection)
    return bool(status == "active" and (begins or "") <= day < (ends or "9999"))


def check_member(connection: sqlite3.Connection, record: dict[str, Any], *, words: str = "") -> None:
    """Refuse a line item that does not exist, and a student who is none or not enrolled in its class.

    Args:
        connection: The state.
        record: A result.
        words: What the SIS says of a student who does not belong, if it has words of its own.
    """
    class_id = class_of_line_item(connection, record)
    if class_id is None:
        raise invalid("lineItem", "does not exist.")
    student = record["student"]["sourcedId"]
    user = connection.execute(
        "SELECT subtype FROM sis_records WHERE kind = 'user' AND sourced_id = ?", (student,)
    ).fetchone()
    if user is None or user[0] != "student":
        raise refused_with(words) if words else invalid("student", "does not exist.")
    if not is_enrolled(connection, class_id, student):
        raise (
            refused_with(words)
            if words
            else invalid("student", "is not enrolled in the class of the line item.")
        )


def check_maximum(connection: sqlite3.Connection, record: dict[str, Any], *, words: str) -> None:
    """Refuse a score above its line item's total."""
    line_item = find(connection, "lineItem", record["lineItem"]["sourcedId"]) or {}
    if record["score"] > line_item.get("resultValueMax", math.inf):
        raise refused_with(words)
