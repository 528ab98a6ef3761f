"""Aspire: OneRoster 1.1 with categories of a term."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sandbox.gradebook_rules import (
    check_exists,
    check_member,
    check_points,
    check_score,
    check_title,
    find,
    invalid,
    local_date,
)
from sandbox.seed import ACADEMIC_SESSIONS
from sandbox.sis import CATEGORIES, Category, Sis

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sandbox.exchange import Call
    from sandbox.seed import World

TITLE_AT_MOST: Final = 50

_READ_ONLY: Final = "Categories are kept in Aspire and cannot be written here."
_NO_DELETE: Final = "Aspire has no DELETE."


def _term_of(connection: sqlite3.Connection, day: str) -> dict[str, Any] | None:
    found = connection.execute(
        "SELECT record FROM sis_records WHERE kind = 'academicSession' AND subtype = 'term'"
    )
    terms = [json.loads(text) for (text,) in found]
    return next((term for term in terms if term["startDate"] <= day <= term["endDate"]), None)


def check_line_item(call: Call, record: dict[str, Any]) -> None:
    """Refuse a line item that Aspire cannot hold.

    Raises:
        RefusedError: 422 invaliddata.
    """
    connection = call.sandbox.connection
    check_title(record, TITLE_AT_MOST)
    check_points(record, whole=False)
    check_exists(connection, record, "class", "category", "gradingPeriod")
    local_date("assignDate", record["assignDate"])
    term = _term_of(connection, local_date("dueDate", record["dueDate"]))
    if term is None:
        raise invalid("dueDate", "lies outside all terms.")
    category = find(connection, "category", record["category"]["sourcedId"]) or {}
    if category.get("metadata", {}).get("termId") != term["sourcedId"]:
        raise invalid("category", f"is not one of the term {term['title']}, in which dueDate lies.")


def check_result(call: Call, record: dict[str, Any]) -> None:
    """Refuse a result that Aspire cannot hold.

    Raises:
        RefusedError: 422 invaliddata.
    """
    check_score(record)
    check_member(call.sandbox.connection, record)


def categories(world: World) -> Iterator[Category]:  # noqa: ARG001 - the same in every world
    """The same titles in every term, under an id for each."""
    for term in ACADEMIC_SESSIONS:
        if term.kind == "term":
            for number, (_, title) in enumerate(CATEGORIES, 301):
                yield Category(f"{term.sourced_id}-{number}", title, {"termId": term.sourced_id})


ASPIRE: Final = Sis(
    name="aspire",
    title="Aspire",
    rostering="/ims/oneroster/v1p1",
    gradebook="/ims/oneroster/v1p1",
    token_forms=frozenset({"basic"}),
    check_line_item=check_line_item,
    check_result=check_result,
    categories=categories,
    optional=("gradingPeriod",),
    refused={
        ("PUT", "category"): (403, _READ_ONLY),
        ("DELETE", "category"): (405, _NO_DELETE),
        ("DELETE", "lineItem"): (405, _NO_DELETE),
        ("DELETE", "result"): (405, _NO_DELETE),
    },
)
