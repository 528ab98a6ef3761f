"""What Aeries' own interface lets passback do, tried without writing anything: areas and clock."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from passback.aeries.client import GRADEBOOK_DATA, GRADEBOOK_SCORES
from passback.errors import PermissionRefusedError
from passback.oneroster.probe import Permission

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.aeries.client import Client

_OK: Final = 200
_FORBIDDEN: Final = 403

# Of what is not there "not found" is an answer too: whoever may not read it is refused.
_READ_IN: Final = {
    GRADEBOOK_DATA: "/gradebooks/0",
    GRADEBOOK_SCORES: "/gradebooks/assignments/00000000-0000-0000-0000-000000000000/scores",
}


async def permissions(aeries: Client) -> list[Permission]:
    """Whether each security area that a run reads may be read; whether it may be updated only a write shows.

    Raises:
        PassbackError: Aeries cannot be asked at all, or does not accept the certificate: as `Client.read`.
    """
    return [await _try(aeries, area, path) for area, path in _READ_IN.items()]


async def _try(aeries: Client, area: str, path: str) -> Permission:
    try:
        await aeries.read(path, area=area)
    except PermissionRefusedError:
        return Permission(area, readable=False, status=_FORBIDDEN)
    return Permission(area, readable=True, status=_OK)


async def clock_skew(
    aeries: Client, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> float | None:
    """Seconds by which Aeries' clock is ahead of ours (below zero: behind); None if it does not tell.

    HTTP tells whole seconds: what is below one means nothing.

    Args:
        aeries: Aeries, which has been asked before, so that making a connection does not count.
        clock: The time now, with its zone.

    Raises:
        PassbackError: as `Client.read` does.
    """
    began = clock()
    await _try(aeries, GRADEBOOK_DATA, _READ_IN[GRADEBOOK_DATA])
    ours = began + (clock() - began) / 2
    try:
        theirs = parsedate_to_datetime(aeries.date)
    except ValueError:
        return None
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    return (theirs - ours.replace(microsecond=0)).total_seconds()
