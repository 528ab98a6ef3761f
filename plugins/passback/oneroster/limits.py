"""How much one SIS may be asked at once, and how all requests slow down together when it says so.

A `Limits` serves all who speak to one SIS from one process. Where several processes do, each goes by a
`Share` of what the SIS allows; who deals them out is not this module's business (`passback.ledger.pace`).
"""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_SLICE: Final = 0.1  # seconds in which a slice of the rate may be spent at once: no burst of a whole second
_SLOWEST: Final = 1 / 20  # of the full rate
_RECOVERY: Final = 1.25  # the rate grows by a quarter …
_STEP: Final = 1.0  # … in every second in which the SIS did not complain
_STEPS: Final = math.ceil(math.log(1 / _SLOWEST, _RECOVERY))  # from the slowest to the full rate
_WHOLE: Final = 1 - 1e-9  # of a request: seconds are not exact


@dataclass(frozen=True)
class Share:
    """What one of those who speak to a SIS at the same time may ask of it.

    Attributes:
        connections: Requests that may be under way at once; 0 while the others have them all.
        requests_per_second: Requests that may start in a second, when the SIS does not complain.
        brake: The part of that rate that is allowed at present, after complaints.
        pause: Seconds from now in which nobody may start a request.
        parties: How many share the SIS.
    """

    connections: int
    requests_per_second: float
    brake: float = 1.0
    pause: float = 0.0
    parties: int = 1


def slowed(brake: float) -> float:
    """The part of the full rate at which all go on after a complaint: half of what it was."""
    return max(brake / 2, _SLOWEST)


def recovered(brake: float, seconds: float) -> float:
    """The part of the full rate after so many seconds without a complaint; negative in a pause."""
    return min(1.0, brake * _RECOVERY ** min(_STEPS, max(0, math.floor(seconds / _STEP))))


class Limits:
    """Requests under way and per second towards one SIS, shared by all who speak to it.

    Attributes:
        connections: Requests that the SIS takes at once.
        requests_per_second: Requests that it takes in a second.
        tell: Called with the seconds when the SIS asked for a pause.

    Args:
        connections: Requests that may be under way at once.
        requests_per_second: Requests that may start in a second.
    """

    def __init__(self, *, connections: int, requests_per_second: float) -> None:
        self.connections = connections
        self.requests_per_second = requests_per_second
        self.tell: Callable[[float], None] | None = None
        self._share = Share(connections, requests_per_second)
        self._under_way = 0
        self._line = asyncio.Lock()
        self._in_line = 0
        self._changed = asyncio.Event()
        self._paused_until = 0.0
        self._brake = 1.0
        self._rate_since = 0.0
        self._saved_up = 1.0  # requests that may start at once
        self._counted_at = 0.0

    @property
    def rate(self) -> float:
        """Requests per second allowed at present."""
        return self._share.requests_per_second * self._brake

    @property
    def brake(self) -> float:
        """The part of the rate that is allowed at present, after complaints."""
        return self._brake

    @property
    def under_way(self) -> int:
        """Requests that have started and not ended."""
        return self._under_way

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a request may go out, and count it as under way inside the with-block."""
        await self.begin()
        try:
            yield
        finally:
            self.end()

    async def begin(self) -> None:
        """Wait until a request may go out, and count it as under way until `end`.

        What `turn` does, for who begins thousands in a second.
        """
        if self._in_line or self._wait() > 0:
            await self._queue()
        self._under_way += 1
        self._saved_up -= 1

    def end(self) -> None:
        """Count a request that has begun as under way no more."""
        self._under_way -= 1
        self._changed.set()

    async def _queue(self) -> None:
        self._in_line += 1
        try:
            async with self._line:  # first come, first served: only the first looks at the clock
                while (seconds := self._wait()) > 0:
                    self._changed.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(seconds if math.isfinite(seconds) else None):
                            await self._changed.wait()
        finally:
            self._in_line -= 1

    def pause(self, seconds: float) -> None:
        """Let nobody start a request for so long, and all go on at half the rate after it.

        Answers to requests that were under way together count once: they tell of the same crowd.
        """
        now = self._count()
        if now >= self._paused_until:
            self._brake = slowed(self._brake)
        self._paused_until = max(self._paused_until, now + seconds)
        self._rate_since = self._paused_until
        if self.tell is not None:
            self.tell(seconds)

    def take(self, share: Share) -> None:
        """Go on with another share of what the SIS allows, and with what others were told by it."""
        now = self._count()
        self._share = share
        self._brake = share.brake
        self._paused_until = max(self._paused_until, now + share.pause)
        self._rate_since = max(now, self._paused_until)
        self._changed.set()

    def _wait(self) -> float:
        """Seconds until the next request may start as things stand; infinite until something changes."""
        if self._under_way >= self._share.connections:
            return math.inf
        now = self._count()
        if now < self._paused_until:
            return self._paused_until - now
        if self._brake < 1 and now >= self._rate_since + _STEP:
            self._brake = recovered(self._brake, _STEP)
            self._rate_since = now
        if self._saved_up >= _WHOLE:
            return 0.0
        return (1 - self._saved_up) / self.rate if self.rate else math.inf

    def _count(self) -> float:
        """Count what may be spent at the rate until now, before the rate changes; the loop's time."""
        now = asyncio.get_running_loop().time()
        most = max(1.0, self.rate * _SLICE)
        self._saved_up = min(most, self._saved_up + (now - self._counted_at) * self.rate)
        self._counted_at = now
        return now
