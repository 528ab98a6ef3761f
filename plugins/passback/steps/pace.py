"""One SIS, many runs: a step's requests keep to the pace that all who ask the same host share."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

import psycopg2
from yarl import URL

from passback.errors import PassbackError
from passback.ledger import pace
from passback.oneroster.limits import Share

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from passback.ledger import Connection
    from passback.oneroster import Limits

_AGAIN: Final = 1.0  # seconds before a ledger that could not be reached is tried again


@asynccontextmanager
async def shared_limits(
    limits: Limits, sis_url: str, ledger_url: str, *, preview: bool, say: Callable[[str], None]
) -> AsyncIterator[Limits]:
    """Share what a SIS allows with all who ask it at the same time, while the block runs.

    Where the ledger cannot be reached for this, the block goes on with the share it had last.

    Args:
        limits: What the SIS allows in all; within the block, no more than this run's share of it.
        sis_url: An address of the SIS; its scheme, host and port say who shares.
        ledger_url: The ledger.
        preview: Whether to write nothing into the ledger.
        say: Told once if the pace cannot be shared.

    Yields:
        The same limits.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="pace") as thread:
        host = str(URL(sis_url).origin())
        party = _Party(limits, host, ledger_url, preview=preview, say=say, thread=thread)
        limits.tell = party.tell
        try:
            await party.beat()  # nobody asks the SIS before it knows its share
            beating = asyncio.create_task(party.keep_beating())
            try:
                yield limits
            finally:
                beating.cancel()
                await asyncio.wait({beating})
        finally:
            limits.tell = None
            thread.submit(party.leave)  # comes after a beat that is still under way


@dataclass(eq=False)
class _Party:
    """One who asks a SIS, among others."""

    limits: Limits
    host: str
    ledger_url: str
    preview: bool
    say: Callable[[str], None]
    thread: ThreadPoolExecutor
    _id: UUID = field(default_factory=uuid4)
    _connection: Connection | None = None
    _parties: int = 1
    _reached: bool = True
    _said: bool = False
    _resume_at: float = 0.0  # the loop's time, of a pause that the others do not know of
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, seconds: float) -> None:
        """Pass on at once that the SIS wants a pause."""
        self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + seconds)
        self._news.set()

    async def keep_beating(self) -> None:
        """Beat until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pace.EVERY if self._reached else _AGAIN):
                    await self._news.wait()
            await self.beat()

    async def beat(self) -> None:
        """Take this run's share, and tell and learn of pauses."""
        self._news.clear()
        loop = asyncio.get_running_loop()
        resume_at = self._resume_at
        try:
            share = await loop.run_in_executor(
                self.thread, self._ask, max(0.0, resume_at - loop.time()), self.limits.under_way
            )
        except (PassbackError, psycopg2.Error) as error:
            self._carry_on_alone(error)
            return
        self._reached = True
        self._parties = share.parties
        if self._resume_at == resume_at:  # else the SIS complained meanwhile, which the next beat tells
            self._resume_at = 0.0
            self.limits.take(share)

    def leave(self) -> None:
        """Give the share up; without a ledger it is free a few seconds later."""
        if self._connection is None:
            return
        with suppress(PassbackError, psycopg2.Error):
            if not self.preview:
                pace.leave(self._connection, self.host, self._id)
        self._connection.close()

    def _ask(self, seconds: float, under_way: int) -> Share:
        if self._connection is None:
            self._connection = pace.connect_for_pace(self.ledger_url, self.host, listen=self.preview)
        allowed = self.limits.connections, self.limits.requests_per_second
        try:
            if self.preview:
                return pace.listen(
                    self._connection, self.host, connections=allowed[0], requests_per_second=allowed[1]
                )
            return pace.beat(
                self._connection,
                self.host,
                self._id,
                connections=allowed[0],
                requests_per_second=allowed[1],
                under_way=under_way,
                pause=seconds,
            )
        except (PassbackError, psycopg2.Error):
            connection, self._connection = self._connection, None
            connection.close()
            raise

    def _carry_on_alone(self, error: Exception) -> None:
        """Go on with the part that is fair among those last seen, also where others still had it."""
        if not self._said:
            self._said = True
            self.say(f"the requests to the SIS are paced without regard to other runs: {error}")
        if self._reached:
            self._reached = False
            fair = Share(
                connections=max(1, self.limits.connections // self._parties),
                requests_per_second=self.limits.requests_per_second / self._parties,
                brake=self.limits.brake,
            )
            self.limits.take(fair)
