"""Line items and results as OneRoster 1.1 writes them, and back into frames.

Bodies are full: every field the standard requires, references with href, sourcedId and type. What accepts
less accepts that too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pandas as pd

from passback.errors import ContractError
from passback.records import NUMBER, TEXT, Frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


HELD_LINE_ITEMS: Final = Frame(
    "held_line_items",  # what a SIS says it holds; dates as ISO text, empty if it holds none
    {
        "line_item_id": TEXT,
        "sis_class_id": TEXT,
        "title": TEXT,
        "category_id": TEXT,
        "period_id": TEXT,
        "assign_date": TEXT,
        "due_date": TEXT,
        "points_possible": NUMBER,
    },
    ("line_item_id",),
)

HELD_RESULTS: Final = Frame(
    "held_results",  # the same of results; score is null where it holds none
    {
        "result_id": TEXT,
        "line_item_id": TEXT,
        "sis_student_id": TEXT,
        "score": NUMBER,
        "score_status": TEXT,
        "score_date": TEXT,
    },
    ("result_id",),
)

_ISO_DATE: Final = len("2026-11-22")


def line_item(
    *,
    sourced_id: str,
    sis_class_id: str,
    title: str,
    category_id: str,
    period_id: str,
    assign_date: str,
    due_date: str,
    points_possible: float,
    modified: datetime,
    base_url: str,
) -> dict[str, Any]:
    """A lineItem (OneRoster 1.1, 4.8).

    Args:
        sourced_id: Its id.
        sis_class_id: The class, by the SIS's id.
        title: Its title.
        category_id: The category, by the SIS's id.
        period_id: The grading period, by the SIS's id.
        assign_date: ISO date in the district's zone.
        due_date: ISO date in the district's zone.
        points_possible: The highest regular score.
        modified: When it was made, with its zone.
        base_url: The service's address, for the references' href.
    """
    return {
        "sourcedId": sourced_id,
        "status": "active",
        "dateLastModified": _instant(modified),
        "title": title,
        "assignDate": _noon(assign_date),
        "dueDate": _noon(due_date),
        "category": _reference(base_url, "categories", category_id, "category"),
        "class": _reference(base_url, "classes", sis_class_id, "class"),
        "gradingPeriod": _reference(base_url, "academicSessions", period_id, "academicSession"),
        "resultValueMin": 0.0,
        "resultValueMax": float(points_possible),
    }


def result(
    *,
    sourced_id: str,
    line_item_id: str,
    sis_student_id: str,
    score: float,
    score_status: str,
    score_date: str,
    modified: datetime,
    base_url: str,
) -> dict[str, Any]:
    """A result (OneRoster 1.1, 4.11).

    Args:
        sourced_id: Its id.
        line_item_id: The line item it belongs to.
        sis_student_id: The student, by the SIS's id.
        score: The score in points.
        score_status: One of the standard's, such as `fully graded`.
        score_date: ISO date in the district's zone.
        modified: When it was made, with its zone.
        base_url: The service's address, for the references' href.
    """
    return {
        "sourcedId": sourced_id,
        "status": "active",
        "dateLastModified": _instant(modified),
        "lineItem": _reference(base_url, "lineItems", line_item_id, "lineItem"),
        "student": _reference(base_url, "users", sis_student_id, "user"),
        "score": float(score),
        "scoreStatus": score_status,
        "scoreDate": score_date,
    }


def held_line_items(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """What the SIS holds, as `HELD_LINE_ITEMS`, from the lineItems it answered; deleted ones left out.

    Raises:
        ContractError: a field has another type than the standard says.
    """
    rows = [
        (
            text(record, "sourcedId", at=at),
            reference(record, "class", at=at),
            text(record, "title", at=at),
            reference(record, "category", at=at),
            reference(record, "gradingPeriod", at=at),
            _date(record, "assignDate", at=at),
            _date(record, "dueDate", at=at),
            _number(record, "resultValueMax", at=at),
        )
        for at, record in _active(records, "lineItems")
    ]
    return HELD_LINE_ITEMS.conform(pd.DataFrame(rows, columns=list(HELD_LINE_ITEMS.columns)))


def held_results(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """What the SIS holds, as `HELD_RESULTS`, from the results it answered; deleted ones left out.

    Raises:
        ContractError: a field has another type than the standard says.
    """
    rows = [
        (
            text(record, "sourcedId", at=at),
            reference(record, "lineItem", at=at),
            reference(record, "student", at=at),
            _number(record, "score", at=at),
            text(record, "scoreStatus", at=at),
            _date(record, "scoreDate", at=at),
        )
        for at, record in _active(records, "results")
    ]
    return HELD_RESULTS.conform(pd.DataFrame(rows, columns=list(HELD_RESULTS.columns)))


def is_active(record: Mapping[str, Any]) -> bool:
    """Whether a record counts: 1.0's `inactive` reads as `tobedeleted`; no status at all is active."""
    return record.get("status") not in ("tobedeleted", "inactive")


def text(record: Mapping[str, Any], field: str, *, at: str, required: bool = False) -> str:
    """A field's text; empty if it is missing and may be.

    Raises:
        ContractError: it is missing and may not be, or it is something else than text.
    """
    value = record.get(field)
    if value is None or value == "":
        if required:
            raise _not_as_agreed(at, field, "is missing")
        return ""
    if not isinstance(value, str):
        raise _not_as_agreed(at, field, "is no text")
    return value


def reference(record: Mapping[str, Any], field: str, *, at: str, required: bool = False) -> str:
    """The sourcedId that a reference holds; empty if there is none and there may be none.

    Raises:
        ContractError: it is missing and may not be, or no reference.
    """
    value = record.get(field)
    if value is None:
        if required:
            raise _not_as_agreed(at, field, "is missing")
        return ""
    if not isinstance(value, dict):
        raise _not_as_agreed(at, field, "is no reference")
    return text(value, "sourcedId", at=f"{at}.{field}", required=True)


def _active(records: Iterable[Mapping[str, Any]], key: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    return ((f"{key}[{index}]", record) for index, record in enumerate(records) if is_active(record))


def _number(record: Mapping[str, Any], field: str, *, at: str) -> float | None:
    value = record.get(field)
    if value is None or value == "":
        return None
    try:  # some servers write numbers as text
        return float(value) if not isinstance(value, bool) else float("nan")
    except (TypeError, ValueError):
        raise _not_as_agreed(at, field, "is no number") from None


def _date(record: Mapping[str, Any], field: str, *, at: str) -> str:
    """The date of a date or an instant: our noons stay on their day in whichever zone a SIS answers them."""
    return text(record, field, at=at)[:_ISO_DATE]


def _noon(date: str) -> str:
    # Noon UTC is the same day in every American zone: a SIS that cuts the time off and one that converts it
    # to its own zone both keep the date.
    return f"{date}T12:00:00.000Z"


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _reference(base_url: str, collection: str, sourced_id: str, kind: str) -> dict[str, str]:
    href = f"{base_url}/{collection}/{quote(sourced_id, safe='')}"
    return {"href": href, "sourcedId": sourced_id, "type": kind}


def _not_as_agreed(at: str, field: str, what: str) -> ContractError:
    return ContractError(
        f"{field} {what}.", where=at, mend="Report it to the SIS: its answer is not what OneRoster 1.1 says."
    )
