"""What Skyward refuses in a gradebook: the shape of OneRoster 1.1 and its own rules on dates and membership.

A description names the field and never the person.
"""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from sandbox.oneroster import exists, failure
from sandbox.seed import ZONE

if TYPE_CHECKING:
    import sqlite3

TITLE_BELOW: Final = 50
SCORE_STATUSES: Final = ("exempt", "fully graded", "not submitted", "partially graded", "submitted")

_REQUIRED: Final = {
    "lineItem": (
        "title",
        "assignDate",
        "dueDate",
        "class",
        "category",
        "gradingPeriod",
        "resultValueMin",
        "resultValueMax",
    ),
    "result": ("lineItem", "student", "score", "scoreStatus", "scoreDate"),
}
_OPTIONAL: Final = {"lineItem": ("description", "metadata"), "result": ("comment", "metadata")}
_TEXTS: Final = ("title", "description", "comment")
_REFERENCES: Final = {
    "class": ("class",),
    "category": ("category",),
    "gradingPeriod": ("academicSession", "gradingPeriod"),
    "lineItem": ("lineItem",),
    "student": ("user", "student"),
}


def _invalid(field: str, problem: str) -> Exception:
    return failure(422, "invaliddata", f"{field}: {problem}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_reference(field: str, value: Any) -> None:
    if not isinstance(value, dict) or set(value) != {"href", "sourcedId", "type"}:
        raise _invalid(field, "is not a reference of exactly href, sourcedId and type.")
    if not all(isinstance(part, str) and part for part in value.values()):
        raise _invalid(field, "has an empty href, sourcedId or type.")
    if value["type"] not in _REFERENCES[field]:
        raise _invalid(field, f"its type is not {' or '.join(_REFERENCES[field])}.")


def _moment(field: str, value: Any) -> datetime:
    """A dateTime with its zone."""
    try:
        moment = datetime.fromisoformat(value) if "T" in value else None
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _invalid(field, "is not a dateTime with a zone, such as 2026-11-22T12:00:00.000Z.")
    return moment


def _check_types(record: dict[str, Any]) -> None:
    for field in _TEXTS:
        if field in record and not isinstance(record[field], str):
            raise _invalid(field, "is not text.")
    if not isinstance(record.get("metadata", {}), dict):
        raise _invalid("metadata", "is not an object.")
    for field, value in record.items():
        if field in _REFERENCES:
            _check_reference(field, value)


def check_shape(kind: str, sourced_id: str, record: dict[str, Any]) -> None:
    """Refuse what is not a whole OneRoster 1.1 record of this kind under this id.

    Raises:
        RefusedError: 422 invaliddata, naming the field.
    """
    base = ("sourcedId", "status", "dateLastModified")
    for field in base + _REQUIRED[kind]:
        if record.get(field) is None:
            raise _invalid(field, "is required.")
    if unknown := set(record) - set(base + _REQUIRED[kind] + _OPTIONAL[kind]):
        raise _invalid(min(unknown), "is not a field of OneRoster 1.1; put your own data into metadata.")
    if record["sourcedId"] != sourced_id:
        raise _invalid("sourcedId", "differs from the one in the path.")
    if record["status"] not in {"active", "tobedeleted"}:
        raise _invalid("status", "is not active or tobedeleted.")
    _moment("dateLastModified", record["dateLastModified"])
    _check_types(record)


def _periods(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    found = connection.execute(
        "SELECT record FROM sis_records WHERE kind = 'academicSession' AND subtype = 'gradingPeriod'"
    )
    return [json.loads(text) for (text,) in found]


def _local_date(field: str, value: Any) -> str:
    """The date a dateTime falls on in the SIS's zone; noon in UTC is that same date there."""
    return _moment(field, value).astimezone(ZoneInfo(ZONE)).date().isoformat()


def _period_of(field: str, day: str, periods: list[dict[str, Any]]) -> dict[str, Any]:
    period = next((period for period in periods if period["startDate"] <= day <= period["endDate"]), None)
    if period is None:
        raise _invalid(field, "lies outside all grading periods.")
    return period


def is_closed(period: dict[str, Any]) -> bool:
    """Whether a grading period takes no more grades."""
    return period.get("metadata", {}).get("gradebookStatus") == "closed"


def _check_dates(connection: sqlite3.Connection, record: dict[str, Any]) -> None:
    assigned, due = (_local_date(field, record[field]) for field in ("assignDate", "dueDate"))
    if due < assigned:
        raise _invalid("dueDate", "precedes assignDate.")
    periods = _periods(connection)
    assigned_in = _period_of("assignDate", assigned, periods)
    due_in = _period_of("dueDate", due, periods)
    for field, period in (("assignDate", assigned_in), ("dueDate", due_in)):
        if is_closed(period):
            raise _invalid(field, f"lies in the closed grading period {period['title']}.")
    if assigned_in["sourcedId"] != due_in["sourcedId"]:
        raise _invalid("dueDate", "lies in another grading period than assignDate.")
    if record["gradingPeriod"]["sourcedId"] != due_in["sourcedId"]:
        raise _invalid("gradingPeriod", "is not the one that assignDate and dueDate lie in.")


def check_line_item(connection: sqlite3.Connection, record: dict[str, Any]) -> None:
    """Refuse a line item that Skyward's gradebook cannot hold.

    Raises:
        RefusedError: 422 invaliddata, naming the field.
    """
    if not len(record["title"].strip()) > 0 or len(record["title"]) >= TITLE_BELOW:
        raise _invalid("title", f"must have 1 to {TITLE_BELOW - 1} characters.")
    for field in ("resultValueMin", "resultValueMax"):
        if not _is_number(record[field]):
            raise _invalid(field, "is not a finite number.")
    if record["resultValueMax"] <= 0 or record["resultValueMax"] != int(record["resultValueMax"]):
        raise _invalid("resultValueMax", "the total points must be a whole number above 0.")
    for field in ("class", "category"):
        if not exists(connection, field, record[field]["sourcedId"]):
            raise _invalid(field, "does not exist.")
    _check_dates(connection, record)


def check_result(connection: sqlite3.Connection, record: dict[str, Any]) -> None:
    """Refuse a result that Skyward's gradebook cannot hold.

    Raises:
        RefusedError: 422 invaliddata, naming the field.
    """
    if not _is_number(record["score"]):
        raise _invalid("score", "is not a finite number.")
    if record["scoreStatus"] not in SCORE_STATUSES:
        raise _invalid("scoreStatus", f"is not one of {', '.join(SCORE_STATUSES)}.")
    try:
        if date.fromisoformat(record["scoreDate"]).isoformat() != record["scoreDate"]:
            raise ValueError  # noqa: TRY301 - a date in another form is refused like no date
    except (TypeError, ValueError):
        raise _invalid("scoreDate", "is not a date such as 2026-11-22.") from None
    line_item = connection.execute(
        "SELECT class_id FROM sis_records WHERE kind = 'lineItem' AND sourced_id = ?",
        (record["lineItem"]["sourcedId"],),
    ).fetchone()
    if line_item is None:
        raise _invalid("lineItem", "does not exist.")
    student = record["student"]["sourcedId"]
    user = connection.execute(
        "SELECT subtype FROM sis_records WHERE kind = 'user' AND sourced_id = ?", (student,)
    ).fetchone()
    if user is None or user[0] != "student":
        raise _invalid("student", "does not exist.")
    enrolled = connection.execute(
        "SELECT 1 FROM sis_records"
        " WHERE kind = 'enrollment' AND class_id = ? AND user_id = ? AND subtype = 'student'",
        (line_item[0], student),
    ).fetchone()
    if enrolled is None:
        raise _invalid("student", "is not enrolled in the class of the line item.")
