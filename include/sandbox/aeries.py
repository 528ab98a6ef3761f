"""Aeries: OneRoster 1.1 over the gradebooks of teachers, with permissions by area."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox import aeries_native, aeries_native_control
from sandbox.gradebook_rules import (
    check_exists,
    check_member,
    check_points,
    check_score,
    check_title,
    class_of_line_item,
    find,
    invalid,
    is_whole,
    local_date,
    refused_with,
)
from sandbox.oneroster import failure
from sandbox.seed import sis_class_id
from sandbox.sis import CATEGORIES, Category, Sis
from sandbox.store import setting

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sandbox.exchange import Call
    from sandbox.seed import World

TITLE_BELOW: Final = 50
AREAS: Final = ("Gradebook Data", "Gradebook Scores", "Gradebook Category", "Gradebook Assignment")
# Every use of the gradebook needs Gradebook Data; a line item names its category, so it needs that area too.
_AREAS_OF: Final = {
    ("read", "category"): ("Gradebook Data", "Gradebook Category"),
    ("read", "lineItem"): ("Gradebook Data", "Gradebook Assignment"),
    ("read", "result"): ("Gradebook Data", "Gradebook Scores"),
    ("update", "category"): ("Gradebook Data", "Gradebook Category"),
    ("update", "lineItem"): ("Gradebook Data", "Gradebook Category", "Gradebook Assignment"),
    ("update", "result"): ("Gradebook Data", "Gradebook Scores"),
}
# The one gradebook that lacks a category: the second presentation of the first module has no Project.
CLASS_WITHOUT_CATEGORY: Final = sis_class_id("aeries", 1001, 2)
MISSING_CATEGORY: Final = "PR"

_NO_DELETE: Final = "Aeries has no DELETE."


def permitted(call: Call, access: str, kind: str) -> None:
    """Refuse what the district has not permitted, naming every area that is missing.

    Raises:
        RefusedError: 403.
    """
    granted = setting(call.sandbox.connection, "permissions", {})
    missing = [area for area in _AREAS_OF.get((access, kind), ()) if access not in granted.get(area, ())]
    if missing:
        raise failure(403, "forbidden", f"Permission missing: {access} on {', '.join(missing)}.")


def _category_of(connection: sqlite3.Connection, record: dict[str, Any]) -> str:
    """The code of a line item's category, of the district or of one class."""
    found = find(connection, "category", record["category"]["sourcedId"]) or {}
    return str(found.get("metadata", {}).get("code", record["category"]["sourcedId"]))


def _check_category(connection: sqlite3.Connection, record: dict[str, Any]) -> None:
    """Refuse a category that is not in the gradebook of the line item's class."""
    class_id, category_id = record["class"]["sourcedId"], record["category"]["sourcedId"]
    category = find(connection, "category", category_id)
    of_class = (category or {}).get("metadata", {}).get("classId", class_id)
    rows = connection.execute(
        "SELECT json_extract(record, '$.metadata.code'), json_extract(record, '$.title') FROM sis_records"
        " WHERE kind = 'category' AND json_extract(record, '$.metadata.classId') = ?"
        " AND json_extract(record, '$.status') = 'active' ORDER BY 2",
        (class_id,),
    ).fetchall()
    retired = category is None or category["status"] != "active" or of_class != class_id
    if retired or _category_of(connection, record) not in {code for code, _ in rows}:
        named = category["title"] if category else category_id
        available = ", ".join(title for _, title in rows)
        raise refused_with(
            f"Grading category [{named}] not found in OneRoster for [{class_id}]."
            f" Available grading categories are: [{available}]"
        )


def _check_gradebook(connection: sqlite3.Connection, record: dict[str, Any]) -> None:
    """Refuse a class without a gradebook of its own that OneRoster reaches."""
    found = find(connection, "class", record["class"]["sourcedId"]) or {}
    school = find(connection, "org", found["school"]["sourcedId"]) or {}
    if school.get("metadata", {}).get("masterSchedule") == "false":
        words = "class: grade passback is not supported for elementary schools without a master schedule."
        raise refused_with(words)
    gradebook = found.get("metadata", {}).get("gradebook")
    if gradebook == "none":
        raise refused_with("Gradebook Section Not Found")
    if gradebook == "linked":
        raise refused_with("Gradebook number does not match.")


def check_line_item(call: Call, record: dict[str, Any]) -> None:
    """Refuse a line item that Aeries cannot hold; no grading period is too old.

    Raises:
        RefusedError: 422 invaliddata.
    """
    connection = call.sandbox.connection
    check_title(record, TITLE_BELOW - 1)
    check_points(record, whole=True)
    check_exists(connection, record, "class", "gradingPeriod")
    for field in ("assignDate", "dueDate"):
        local_date(field, record[field])
    _check_gradebook(connection, record)
    _check_category(connection, record)


def check_result(call: Call, record: dict[str, Any]) -> None:
    """Refuse a result that Aeries cannot hold.

    Raises:
        RefusedError: 422 invaliddata.
    """
    connection = call.sandbox.connection
    check_score(record)
    if setting(connection, "whole_scores", default=True) and not is_whole(record["score"]):
        raise invalid("score", "is not a whole number.")
    if class_of_line_item(connection, record) is None:
        raise refused_with("Invalid assignment ID (lineItem sourcedId is invalid).")
    check_member(connection, record, words="Student Does Not Belong")


def categories(world: World) -> Iterator[Category]:
    """Those of the district, and for every gradebook those that are in it."""
    for code, title in CATEGORIES:
        yield Category(code, title, {"code": code})
    gradebooks = [course.sis_class_id for course in world.courses]
    gradebooks += [section.sis_class_id for section in world.workshop_sections]
    gradebooks += [
        special.sis_class_id
        for special in world.special_classes
        if special.gradebook != "none" and special.class_id != "elementary-no-schedule"
    ]
    for class_id in gradebooks:
        for code, title in CATEGORIES:
            if (class_id, code) != (CLASS_WITHOUT_CATEGORY, MISSING_CATEGORY):
                yield Category(f"{class_id}_{code}", title, {"code": code, "classId": class_id})


AERIES: Final = Sis(
    name="aeries",
    title="Aeries",
    rostering="/aeries/ims/oneroster/v1p1",
    gradebook="/aeries/ims/oneroster/v1p1",
    token_path="/aeries/token",  # noqa: S106 - a path
    token_seconds=21_600,
    check_line_item=check_line_item,
    check_result=check_result,
    categories=categories,
    optional=("gradingPeriod",),
    refused={
        ("PUT", "category"): (403, "Categories are kept by the district and cannot be written here."),
        ("DELETE", "category"): (405, _NO_DELETE),
        ("DELETE", "lineItem"): (405, _NO_DELETE),
        ("DELETE", "result"): (405, _NO_DELETE),
    },
    current_only=True,
    permitted=permitted,
    settings={
        "whole_scores": True,
        "permissions": {area: ["read", "update"] for area in AREAS},
        **aeries_native.SETTINGS,
    },
    routes=(*aeries_native.ROUTES, *aeries_native_control.ROUTES),
    connections=aeries_native.connections,
)
