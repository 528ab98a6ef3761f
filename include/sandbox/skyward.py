"""Skyward: OneRoster 1.1, its own rules on dates, whole total points and membership."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sandbox.gradebook_rules import (
    check_exists,
    check_member,
    check_points,
    check_score,
    check_title,
    invalid,
    is_closed,
    local_date,
)
from sandbox.sis import CATEGORIES, Category, Sis

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sandbox.exchange import Call
    from sandbox.seed import World

TITLE_BELOW: Final = 50

_CATEGORIES: Final = "Categories are kept by the district and cannot be written here."


def _periods(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    found = connection.execute(
        "SELECT record FROM sis_records WHERE kind = 'academicSession' AND subtype = 'gradingPeriod'"
    )
    return [json.loads(text) for (text,) in found]


def _period_of(field: str, day: str, periods: list[dict[str, Any]]) -> dict[str, Any]:
    period = next((period for period in periods if period["startDate"] <= day <= period["endDate"]), None)
    if period is None:
        raise invalid(field, "lies outside all grading periods.")
    return period


def _check_dates(connection: sqlite3.Connection, record: dict[str, Any]) -> None:
    assigned, due = (local_date(field, record[field]) for field in ("assignDate", "dueDate"))
    if due < assigned:
        raise invalid("dueDate", "precedes assignDate.")
    periods = _periods(connection)
    assigned_in = _period_of("assignDate", assigned, periods)
    due_in = _period_of("dueDate", due, periods)
    for field, period in (("assignDate", assigned_in), ("dueDate", due_in)):
        if is_closed(period):
            raise invalid(field, f"lies in the closed grading period {period['title']}.")
    if assigned_in["sourcedId"] != due_in["sourcedId"]:
        raise invalid("dueDate", "lies in another grading period than assignDate.")
    if record["gradingPeriod"]["sourcedId"] != due_in["sourcedId"]:
        raise invalid("gradingPeriod", "is not the one that assignDate and dueDate lie in.")


def check_line_item(call: Call, record: dict[str, Any]) -> None:
    """Refuse a line item that Skyward's gradebook cannot hold.

    Raises:
        RefusedError: 422 invaliddata, naming the field.
    """
    connection = call.sandbox.connection
    check_title(record, TITLE_BELOW - 1)
    check_points(record, whole=True)
    check_exists(connection, record, "class", "category")
    _check_dates(connection, record)


def check_result(call: Call, record: dict[str, Any]) -> None:
    """Refuse a result that Skyward's gradebook cannot hold.

    Raises:
        RefusedError: 422 invaliddata, naming the field.
    """
    check_score(record)
    check_member(call.sandbox.connection, record)


def categories(world: World) -> Iterator[Category]:  # noqa: ARG001 - the same in every world
    """All of the district, numbered from 301."""
    for number, (_, title) in enumerate(CATEGORIES, 301):
        yield Category(str(number), title)


SKYWARD: Final = Sis(
    name="skyward",
    title="Skyward",
    rostering="/ims/oneroster/v1p1",
    gradebook="/ims/oneroster/v1p1",
    check_line_item=check_line_item,
    check_result=check_result,
    categories=categories,
    refused={("PUT", "category"): (403, _CATEGORIES), ("DELETE", "category"): (403, _CATEGORIES)},
)
