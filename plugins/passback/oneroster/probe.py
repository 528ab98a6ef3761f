"""What a SIS lets passback do, tried without writing anything: permissions, scopes and clock.

For a person who checks a connection by day (RULES section 2, "Checked when the mapping file is read, or by
the connection check").
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from passback.oneroster.answers import Decision
from passback.oneroster.envelopes import records_in
from passback.oneroster.facts import needs_schools
from passback.oneroster.ids import line_item_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.oneroster.client import Client, Response

_NOT_FOUND: Final = 404
_ONE: Final = {"limit": "1", "offset": "0"}
_ROSTERING: Final = ("academicSessions", "classes", "enrollments")


@dataclass(frozen=True)
class Permission:
    """Whether passback may read one collection.

    Attributes:
        collection: Its name in OneRoster, such as `lineItems`.
        readable: Whether the SIS answered with a listing.
        status: The HTTP status it answered with.
        words: Its own words, or what was odd about its answer; empty if it is readable.
    """

    collection: str
    readable: bool
    status: int
    words: str = ""


async def permissions(sis: Client) -> list[Permission]:
    """Try to read one record of every collection that a run reads, in the way a run reads it.

    Line items and results are read of the first class, as a run does, and where the SIS shows no class, as
    whole collections.

    Raises:
        PassbackError: the SIS cannot be asked at all: as `Client.get` does.
    """
    tried = [await _try(sis, "/categories", "categories")]
    of_class: Response | None = None
    for name in _ROSTERING:
        response = await sis.get(f"/{name}", _ONE)
        tried.append(_permission(name, name, response))
        of_class = response if name == "classes" else of_class
    if needs_schools(sis):
        tried.append(await _try(sis, "/schools", "orgs"))
    sis_class_id = _first_id(of_class, "classes")
    if not sis_class_id:
        return [
            *tried,
            await _try(sis, "/lineItems", "lineItems"),
            await _try(sis, "/results", "results"),
        ]
    below = f"/classes/{quote(sis_class_id, safe='')}/lineItems"
    line_items = await sis.get(below, _ONE)
    # Of a line item that is not there 404 is an answer too: whoever may not read results gets 403.
    of_line_item = _first_id(line_items, "lineItems") or line_item_id("", "", sis_class_id)
    results = await sis.get(f"{below}/{quote(of_line_item, safe='')}/results", _ONE)
    tried.append(_permission("lineItems", "lineItems", line_items))
    if results.answer.status == _NOT_FOUND and not _first_id(line_items, "lineItems"):
        return [*tried, Permission("results", readable=True, status=_NOT_FOUND)]
    return [*tried, _permission("results", "results", results)]


async def clock_skew(
    sis: Client, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> float | None:
    """Seconds by which the SIS's clock is ahead of ours (below zero: behind); None if it does not tell.

    HTTP tells whole seconds: what is below one means nothing.

    Args:
        sis: The SIS.
        clock: The time now, with its zone.

    Raises:
        PassbackError: the SIS cannot be asked: as `Client.get` does.
    """
    await sis.granted_scopes()  # so that the time it takes to get a token does not count
    began = clock()
    response = await sis.get("/academicSessions", _ONE)
    ours = began + (clock() - began) / 2
    try:
        theirs = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    return (theirs - ours.replace(microsecond=0)).total_seconds()


async def _try(sis: Client, path: str, key: str) -> Permission:
    return _permission(path[1:], key, await sis.get(path, _ONE))


def _permission(collection: str, key: str, response: Response) -> Permission:
    status, words = response.answer.status, response.answer.words
    if response.answer.decision is not Decision.DONE:
        return Permission(collection, readable=False, status=status, words=words)
    if _records(response, key) is None:
        return Permission(
            collection, readable=False, status=status, words=f"the answer holds no list under {key!r}"
        )
    return Permission(collection, readable=True, status=status)


def _records(response: Response, key: str) -> list[Any] | None:
    try:
        content = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    return records_in(content, key)


def _first_id(response: Response | None, key: str) -> str:
    """The sourcedId of the first record of a listing; empty if there is none."""
    for record in (_records(response, key) if response else None) or ():
        if isinstance(record, dict) and isinstance(record.get("sourcedId"), str):
            return str(record["sourcedId"])
    return ""
