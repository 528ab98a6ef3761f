"""A SIS that speaks plain OneRoster 1.2 and has no rules of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox.gradebook_rules import (
    check_exists,
    check_member,
    check_score_status,
    class_of_line_item,
    invalid,
)
from sandbox.sis import CATEGORIES, SCOPES_1_2, Category, Sis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.exchange import Call
    from sandbox.seed import World


def check_line_item(call: Call, record: dict[str, Any]) -> None:
    """Refuse references to what the SIS does not hold.

    Raises:
        RefusedError: 422 invaliddata, naming the field.
    """
    references = ("class", "school", "category", "gradingPeriod", "academicSession", "scoreScale")
    check_exists(call.sandbox.connection, record, *references)


def check_result(call: Call, record: dict[str, Any]) -> None:
    """Refuse what 1.2 has no values for, and references to what the SIS does not hold.

    Raises:
        RefusedError: 422 invaliddata, naming the field.
    """
    connection = call.sandbox.connection
    check_score_status(record, extended=True)
    check_exists(connection, record, "class", "scoreScale")
    check_member(connection, record)
    if "class" in record and record["class"]["sourcedId"] != class_of_line_item(connection, record):
        raise invalid("class", "is not that of the line item.")


def categories(world: World) -> Iterator[Category]:  # noqa: ARG001 - the same in every world
    """All of the district, numbered from 301."""
    for number, (_, title) in enumerate(CATEGORIES, 301):
        yield Category(str(number), title)


GENERIC: Final = Sis(
    name="generic",
    title="OneRoster 1.2",
    version="1.2",
    rostering="/ims/oneroster/rostering/v1p2",
    gradebook="/ims/oneroster/gradebook/v1p2",
    scope_names=SCOPES_1_2,
    check_line_item=check_line_item,
    check_result=check_result,
    categories=categories,
    ends_after_days=1,  # 1.2 excludes endDate from the session
    lenient=True,
    most_items=10_000,
)
