"""How much one SIS may be asked at once, and how all requests slow down together when it says so."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiolimiter import AsyncLimiter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SLICE: Final = 0.1  # seconds in which a slice of the rate may be spent at once: no burst of a whole second
_SLOWEST: Final = 1 / 20  # of the full rate
_RECOVERY: Final = 1.25  # the rate grows by a quarter …
_STEP: Final = 1.0  # … in every second in which the SIS did not complain


class Limits:
    """Requests under way and per second towards one SIS, shared by all who speak to it.

    Args:
        connections: Requests that may be under way at once.
        requests_per_second: Requests that may start in a second.
    """

    def __init__(self, *, connections: int, requests_per_second: float) -> None:
        self.connections = connections
        self._full_rate = requests_per_second
        self._under_way = asyncio.Semaphore(connections)
        self._paused_until = 0.0
        self._set_rate(requests_per_second, now=0.0)

    @property
    def rate(self) -> float:
        """Requests per second allowed at present."""
        return self._rate

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a request may go out, and count it as under way inside the with-block."""
        loop = asyncio.get_running_loop()
        async with self._under_way:
            while True:
                await self._pause_over()
                if self._rate < self._full_rate and loop.time() >= self._rate_since + _STEP:
                    self._set_rate(min(self._full_rate, self._rate * _RECOVERY), now=loop.time())
                await self._limiter.acquire()
                if self._paused_until <= loop.time():  # nobody was told to wait meanwhile
                    break
            yield

    def pause(self, seconds: float) -> None:
        """Let nobody start a request for so long, and all go on at half the rate after it.

        Answers to requests that were under way together count once: they tell of the same crowd.
        """
        now = asyncio.get_running_loop().time()
        if now >= self._paused_until:
            self._set_rate(max(self._rate / 2, self._full_rate * _SLOWEST), now=now + seconds)
        self._paused_until = max(self._paused_until, now + seconds)

    async def _pause_over(self) -> None:
        loop = asyncio.get_running_loop()
        while (wait := self._paused_until - loop.time()) > 0:  # noqa: ASYNC110 - a pause may be prolonged
            await asyncio.sleep(wait)

    def _set_rate(self, rate: float, *, now: float) -> None:
        self._rate = rate
        self._rate_since = now
        at_once = max(1.0, rate * _SLICE)
        self._limiter = AsyncLimiter(at_once, at_once / rate)
