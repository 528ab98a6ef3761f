"""What a OneRoster provider shows of the feed's records: classes and people, line items and results."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from sandbox.instants import moment
from sandbox.seed import ZONE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.exchange import Call

# version → the paths of roster and gradebook
BASES: Final = {
    "1.1": ("/lms/ims/oneroster/v1p1", "/lms/ims/oneroster/v1p1"),
    "1.2": ("/lms/ims/oneroster/rostering/v1p2", "/lms/ims/oneroster/gradebook/v1p2"),
}

SCHOOL: Final = "lms-school"
YEAR: Final = "lms-year"

_STATUS: Final = {
    "graded": "fully graded",
    "turned_in": "submitted",
    "not_submitted": "not submitted",
    "excluded": "exempt",
}


@dataclass(frozen=True)
class Listing:
    """A collection as it is served: what it is called, and how its records come from those of the feed.

    Attributes:
        many: The envelope's key for several.
        one: The envelope's key for one.
        stored: The feed's collection.
        fields: Field that can be filtered by → what it is in SQL, over a record of the feed.
        shown: Makes the records out of the feed's.
    """

    many: str
    one: str
    stored: str
    fields: Mapping[str, str]
    shown: Callable[[Call, str, list[dict[str, Any]]], Iterator[dict[str, Any]]]

    @property
    def gradebook(self) -> bool:
        """Whether it belongs to the gradebook."""
        return self.many in {"lineItems", "results"}


def reference(call: Call, version: str, kind: str, collection: str, sourced_id: str) -> dict[str, str]:
    """A reference to a record of a collection."""
    roster, gradebook = BASES[version]
    base = gradebook if collection in {"lineItems", "categories"} else roster
    return {
        "href": f"{call.sandbox.base_url}{base}/{collection}/{sourced_id}",
        "sourcedId": sourced_id,
        "type": kind,
    }


def _stamp(record: dict[str, Any]) -> dict[str, str]:
    return {
        "status": "tobedeleted" if record.get("deleted") else "active",
        "dateLastModified": record["modified_at"][:23] + "Z",
    }


def sis_ids(connection: sqlite3.Connection, collection: str, ids: set[str]) -> dict[str, str]:
    """The SIS's ids by the platform's, for records that have one."""
    found = connection.execute(
        "SELECT key, json_extract(record, '$.sis_id') FROM feed_records"
        " WHERE collection = ? AND deleted = 0 AND key IN (SELECT value FROM json_each(?))",
        (collection, json.dumps(sorted(ids))),
    )
    return {key: str(sis_id) for key, sis_id in found if sis_id}


def _category_id(kind: Any) -> str:
    return "cat-" + re.sub(r"[^a-z0-9]+", "-", str(kind).lower()).strip("-")


def _classes(call: Call, version: str, records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for record in records:
        year = reference(call, version, "academicSession", "academicSessions", YEAR)
        yield {
            "sourcedId": record.get("sis_id") or record["id"],
            **_stamp(record),
            "title": record.get("title"),
            "classCode": record["id"],
            "classType": "scheduled",
            "school": reference(call, version, "org", "orgs", SCHOOL),
            "terms": [year],
        }


def _user(call: Call, version: str, record: dict[str, Any], role: str) -> dict[str, Any]:
    school = reference(call, version, "org", "orgs", SCHOOL)
    user = {
        "sourcedId": record.get("sis_id") or record["id"],
        **_stamp(record),
        "username": record["id"],
        "givenName": role.capitalize(),
        "familyName": record["id"],
    }
    if version == "1.1":
        return user | {"enabledUser": True, "role": role, "orgs": [school]}
    roles = [{"roleType": "primary", "role": role, "org": school}]
    return user | {"enabledUser": "true", "roles": roles}


def _students(call: Call, version: str, records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (_user(call, version, record, "student") for record in records)


def _teachers(call: Call, version: str, records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (_user(call, version, record, "teacher") for record in records)


def categories(_: Call, __: str, records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The category of each type."""
    for record in records:
        yield {"sourcedId": _category_id(record["type"]), **_stamp(record), "title": record["type"]}


def _line_items(call: Call, version: str, records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    sis_class = sis_ids(call.sandbox.connection, "classes", {record["class_id"] for record in records})
    for record in records:
        class_id = sis_class.get(record["class_id"], record["class_id"])
        item: dict[str, Any] = {
            "sourcedId": f"{record['id']}~{record['class_id']}",
            **_stamp(record),
            "class": reference(call, version, "class", "classes", class_id),
        }
        if not record.get("deleted"):
            category = _category_id(record["type"])
            item |= {
                "title": record["title"],
                "assignDate": milliseconds(record["assigned_at"]),
                "dueDate": milliseconds(record["due_at"]),
                "category": reference(call, version, "category", "categories", category),
                "resultValueMin": 0.0,
                "resultValueMax": record["points_possible"],
            }
            if version == "1.1":
                item["gradingPeriod"] = reference(call, version, "academicSession", "academicSessions", YEAR)
            else:
                item["school"] = reference(call, version, "org", "orgs", SCHOOL)
        yield {name: value for name, value in item.items() if value is not None}


def milliseconds(instant: Any) -> Any:
    """An instant as OneRoster writes it: 2026-11-22T18:00:00.000Z."""
    found = moment(instant)
    return instant if found is None else found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _results(call: Call, version: str, records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    connection, now = call.sandbox.connection, datetime.now(UTC)
    sis_class = sis_ids(connection, "classes", {record["class_id"] for record in records})
    sis_student = sis_ids(connection, "students", {record["student_id"] for record in records})
    keys = {f"{record['assessment_id']}/{record['class_id']}" for record in records}
    due = _due_dates(connection, keys)
    for record in records:
        key = f"{record['assessment_id']}/{record['class_id']}"
        line_item, student = (
            key.replace("/", "~"),
            sis_student.get(record["student_id"], record["student_id"]),
        )
        found: dict[str, Any] = {
            "sourcedId": f"{line_item}~{record['student_id']}",
            **_stamp(record),
            "lineItem": reference(call, version, "lineItem", "lineItems", line_item),
            "student": reference(call, version, "user", "users", student),
        }
        if version == "1.2":
            class_id = sis_class.get(record["class_id"], record["class_id"])
            found["class"] = reference(call, version, "class", "classes", class_id)
        if not record.get("deleted"):
            found |= _graded(record, due.get(key), now, version)
        yield found


def _due_dates(connection: sqlite3.Connection, keys: set[str]) -> dict[str, Any]:
    found = connection.execute(
        "SELECT key, json_extract(record, '$.due_at') FROM feed_records"
        " WHERE collection = 'assessments' AND deleted = 0 AND key IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(keys)),),
    )
    return dict(found.fetchall())


def _graded(record: dict[str, Any], due: Any, now: datetime, version: str) -> dict[str, Any]:
    """What a result says of the work: 1.1 must have a score, so it says 0 where there is none to say."""
    submitted_at, due_at = moment(record["submitted_at"]), moment(due)
    day = moment(record["graded_at"]) or submitted_at or moment(record["modified_at"]) or now
    said = {
        "scoreStatus": _STATUS.get(record["status"], record["status"]),
        "scoreDate": day.astimezone(ZoneInfo(ZONE)).date().isoformat(),
    }
    has_score = record["status"] == "graded" or record["status"] not in _STATUS
    if version == "1.1":
        return said | {"score": record["points"] if has_score else 0.0}
    late = bool(due_at and submitted_at and submitted_at > due_at)
    missing = record["status"] == "not_submitted" and bool(due_at and due_at < now)
    said |= {"late": str(late).lower(), "missing": str(missing).lower()}
    return said | ({"score": record["points"]} if has_score and record["points"] is not None else {})


_MODIFIED: Final = {"dateLastModified": "modified_at", "status": "iif(deleted, 'tobedeleted', 'active')"}
CLASS_ID: Final = (
    "coalesce((SELECT json_extract(other.record, '$.sis_id') FROM feed_records AS other"
    " WHERE other.collection = 'classes' AND other.key = json_extract(feed_records.record, '$.class_id')),"
    " json_extract(feed_records.record, '$.class_id'))"
)
_STUDENT: Final = CLASS_ID.replace("'classes'", "'students'").replace("$.class_id", "$.student_id")
_LINE_ITEM: Final = "json_extract(record, '$.assessment_id') || '~' || json_extract(record, '$.class_id')"
_OWN: Final = "coalesce(json_extract(record, '$.sis_id'), key)"

LISTINGS: Final = {
    "classes": Listing("classes", "class", "classes", _MODIFIED | {"sourcedId": _OWN}, _classes),
    "students": Listing("users", "user", "students", _MODIFIED | {"sourcedId": _OWN}, _students),
    "teachers": Listing("users", "user", "staff", _MODIFIED | {"sourcedId": _OWN}, _teachers),
    "lineItems": Listing(
        "lineItems",
        "lineItem",
        "assessments",
        _MODIFIED | {"sourcedId": "replace(key, '/', '~')", "class.sourcedId": CLASS_ID},
        _line_items,
    ),
    "results": Listing(
        "results",
        "result",
        "scores",
        _MODIFIED
        | {
            "sourcedId": "replace(key, '/', '~')",
            "class.sourcedId": CLASS_ID,
            "student.sourcedId": _STUDENT,
            "lineItem.sourcedId": _LINE_ITEM,
        },
        _results,
    ),
}
