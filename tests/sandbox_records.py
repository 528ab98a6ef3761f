"""OneRoster bodies for the tests of the SIS."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox_process import Reply, SandboxProcess

CLASS = "1001.0.01"
OTHER_CLASS = "1001.0.02"
STUDENT = "90011391"  # of CLASS, not of OTHER_CLASS
STAMP = {"status": "active", "dateLastModified": "2026-01-01T00:00:00.000Z"}


def reference(kind: str, sourced_id: str) -> dict[str, str]:
    return {"href": f"http://localhost/{kind}/{sourced_id}", "sourcedId": sourced_id, "type": kind}


def noon(sandbox: SandboxProcess, day: int) -> str:
    """Noon in UTC of a day counted from day 0."""
    on = date.fromisoformat(sandbox.info()["day_0"]) + timedelta(days=day)
    return f"{on.isoformat()}T12:00:00.000Z"


def line_item(sandbox: SandboxProcess, sourced_id: str = "li-1", **changes: Any) -> dict[str, Any]:
    record = {
        "sourcedId": sourced_id,
        **STAMP,
        "title": "TMA 4 (AAA 2013J)",
        "assignDate": noon(sandbox, 145),
        "dueDate": noon(sandbox, 166),
        "class": reference("class", CLASS),
        "category": reference("category", "301"),
        "gradingPeriod": reference("academicSession", "9203"),
        "resultValueMin": 0.0,
        "resultValueMax": 100.0,
    }
    return {"lineItem": without_ellipsis(record | changes)}


def result(sourced_id: str = "r-1", **changes: Any) -> dict[str, Any]:
    record = {
        "sourcedId": sourced_id,
        **STAMP,
        "lineItem": reference("lineItem", "li-1"),
        "student": reference("user", STUDENT),
        "score": 78,
        "scoreStatus": "fully graded",
        "scoreDate": "2026-11-22",
    }
    return {"result": without_ellipsis(record | changes)}


def code_minor(reply: Reply) -> str:
    """The code of an error that the SIS answers."""
    (field,) = reply.json["imsx_CodeMinor"]["imsx_codeMinorField"]
    found: str = field["imsx_codeMinorFieldValue"]
    return found


def refusal(reply: Reply) -> str:
    """What the SIS says about a record that it refuses."""
    assert (reply.status, code_minor(reply)) == (422, "invaliddata"), reply.text
    description: str = reply.json["imsx_description"]
    return description


def without_ellipsis(record: dict[str, Any]) -> dict[str, Any]:
    """A field set to `...` is left out."""
    return {name: value for name, value in record.items() if value is not ...}
