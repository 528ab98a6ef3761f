"""Aspen: OneRoster 1.1 with a token endpoint of its own, categories of the district or of one class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox.gradebook_rules import (
    check_exists,
    check_maximum,
    check_member,
    check_points,
    check_score,
    check_title,
    find,
    local_date,
    refused_with,
)
from sandbox.oneroster import exists
from sandbox.sis import CATEGORIES, Category, Sis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.exchange import Call, RefusedError
    from sandbox.seed import World

TITLE_AT_MOST: Final = 255
COMMENT_AT_MOST: Final = 100
OF_ONE_CLASS: Final = (("ES", "Essay"), ("SE", "Seminar"))  # the first class's, the second's

_READ_ONLY: Final = "Categories cannot be created, updated or deleted through OneRoster."
_NO_DELETE: Final = "Records of the gradebook cannot be deleted through OneRoster."


def _validation(problem: str) -> RefusedError:
    return refused_with(f"Validation Exception: {problem}")


def check_line_item(call: Call, record: dict[str, Any]) -> None:
    """Refuse a line item that Aspen cannot hold; a closed grading period is no reason.

    Raises:
        RefusedError: 422 invaliddata.
    """
    connection = call.sandbox.connection
    words = f"Validation Exception: title must have 1 to {TITLE_AT_MOST} characters."
    check_title(record, TITLE_AT_MOST, words=words)
    check_points(record, whole=False)
    for field in ("assignDate", "dueDate"):
        local_date(field, record[field])
    if not exists(connection, "class", record["class"]["sourcedId"]):
        raise refused_with("Rest Easy: Could Not Find Resource (class)")
    check_exists(connection, record, "gradingPeriod")
    category = find(connection, "category", record["category"]["sourcedId"])
    of_class = (category or {}).get("metadata", {}).get("classId", record["class"]["sourcedId"])
    if category is None or category["status"] != "active" or of_class != record["class"]["sourcedId"]:
        raise refused_with("Grading Category Not Found")


def check_result(call: Call, record: dict[str, Any]) -> None:
    """Refuse a result that Aspen cannot hold.

    Raises:
        RefusedError: 422 invaliddata.
    """
    connection = call.sandbox.connection
    check_score(record)
    if len(record.get("comment", "")) > COMMENT_AT_MOST:
        raise _validation(f"comment has more than {COMMENT_AT_MOST} characters.")
    if not exists(connection, "lineItem", record["lineItem"]["sourcedId"]):
        raise refused_with("Rest Easy: Could Not Find Resource (lineItem)")
    check_member(connection, record)
    check_maximum(
        connection, record, words="Validation Exception: score is above the total points of the assignment."
    )


def categories(world: World) -> Iterator[Category]:
    """Those of the district, and two that one class has for itself."""
    for code, title in CATEGORIES:
        yield Category(f"cat-{code.lower()}", title, {"code": code})
    for course, (code, title) in zip(world.courses, OF_ONE_CLASS, strict=False):
        yield Category(f"cat-{code.lower()}", title, {"code": code, "classId": course.sis_class_id})


ASPEN: Final = Sis(
    name="aspen",
    title="Aspen",
    rostering="/ims/oneroster/v1p1",
    gradebook="/ims/oneroster/v1p1",
    token_path="/oauth/rest/v2.0/auth",  # noqa: S106 - a path
    token_forms=frozenset({"form"}),
    scope_names=(),
    check_line_item=check_line_item,
    check_result=check_result,
    categories=categories,
    optional=("gradingPeriod",),
    refused={
        ("PUT", "category"): (403, _READ_ONLY),
        ("DELETE", "category"): (403, _READ_ONLY),
        ("DELETE", "lineItem"): (403, _NO_DELETE),
        ("DELETE", "result"): (403, _NO_DELETE),
    },
)
