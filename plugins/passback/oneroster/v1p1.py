"""Categories, line items and results as OneRoster 1.1 writes them.

Bodies are full: every field the standard requires, references with href, sourcedId and type. What accepts
less accepts that too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from urllib.parse import quote

if TYPE_CHECKING:
    from passback.oneroster.services import Services


class LineItemValues(TypedDict):
    """What a line item is made of.

    Attributes:
        sourced_id: Its id.
        sis_class_id: The class, by the SIS's id.
        title: Its title.
        category_id: The category, by the SIS's id.
        period_id: The grading period, by the SIS's id; empty to leave it to the SIS.
        assign_date: ISO date in the district's zone.
        due_date: ISO date in the district's zone.
        points_possible: The highest regular score.
        modified: When it was made, with its zone.
        services: The SIS's addresses, for the references' href.
    """

    sourced_id: str
    sis_class_id: str
    title: str
    category_id: str
    period_id: str
    assign_date: str
    due_date: str
    points_possible: float
    modified: datetime
    services: Services


class ResultValues(TypedDict):
    """What a result is made of.

    Attributes:
        sourced_id: Its id.
        line_item_id: The line item it belongs to.
        sis_student_id: The student, by the SIS's id.
        score: The score in points; None for work that is excused and was not scored.
        score_status: One of the standard's, such as `fully graded`.
        score_date: ISO date in the district's zone.
        comment: A comment beside the score; empty for none.
        modified: When it was made, with its zone.
        services: The SIS's addresses, for the references' href.
    """

    sourced_id: str
    line_item_id: str
    sis_student_id: str
    score: float | None
    score_status: str
    score_date: str
    comment: str
    modified: datetime
    services: Services


def category(*, sourced_id: str, title: str, modified: datetime) -> dict[str, Any]:
    """A category (OneRoster 1.1, 4.3): its id, its title, and when it was made, with its zone."""
    return {
        "sourcedId": sourced_id,
        "status": "active",
        "dateLastModified": _instant(modified),
        "title": title,
    }


def line_item(**values: Unpack[LineItemValues]) -> dict[str, Any]:
    """A lineItem (OneRoster 1.1, 4.8) of `LineItemValues`."""
    services = values["services"]
    body: dict[str, Any] = {
        "sourcedId": values["sourced_id"],
        "status": "active",
        "dateLastModified": _instant(values["modified"]),
        "title": values["title"],
        "assignDate": _noon(values["assign_date"]),
        "dueDate": _noon(values["due_date"]),
        "category": reference(services.gradebook, "categories", values["category_id"], "category"),
        "class": reference(services.rostering, "classes", values["sis_class_id"], "class"),
        "resultValueMin": 0.0,
        "resultValueMax": float(values["points_possible"]),
    }
    if period_id := values["period_id"]:
        body["gradingPeriod"] = reference(
            services.rostering, "academicSessions", period_id, "academicSession"
        )
    return body


def result(**values: Unpack[ResultValues]) -> dict[str, Any]:
    """A result (OneRoster 1.1, 4.11) of `ResultValues`.

    1.1 wants a score in every result: where there is none, 0 stands beside the status that says so.
    """
    services, score = values["services"], values["score"]
    body = {
        "sourcedId": values["sourced_id"],
        "status": "active",
        "dateLastModified": _instant(values["modified"]),
        "lineItem": reference(services.gradebook, "lineItems", values["line_item_id"], "lineItem"),
        "student": reference(services.rostering, "users", values["sis_student_id"], "user"),
        "score": 0.0 if score is None else float(score),
        "scoreStatus": values["score_status"],
        "scoreDate": values["score_date"],
    }
    if comment := values["comment"]:
        body["comment"] = comment
    return body


def reference(service: str, collection: str, sourced_id: str, kind: str) -> dict[str, str]:
    """A GUIDRef: the address, id and type of another record."""
    href = f"{service}/{collection}/{quote(sourced_id, safe='')}"
    return {"href": href, "sourcedId": sourced_id, "type": kind}


def _noon(date: str) -> str:
    # Noon UTC is the same day in every American zone: a SIS that cuts the time off and one that converts it
    # to its own zone both keep the date.
    return f"{date}T12:00:00.000Z"


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
