"""Several runs load into one SIS at the same time: together they are no more than one would be."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from aiohttp import web

from passback.oneroster import Client, Limits
from passback.steps.pace import shared_limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from oneroster.stub_sis import StubSis

PER_SECOND = 60
CONNECTIONS = 6
PATIENCE = 30.0
CHILD = Path(__file__).with_name("sending_process.py")


@dataclass
class Gate:
    """What the SIS saw: who asked when; and what it says to the next one.

    Attributes:
        arrivals: The loop's time, and who it was, of every write.
        complaint: A `Retry-After` for the next write.
        complained_at: When it was given.
    """

    arrivals: list[tuple[float, str]] = field(default_factory=list)
    complaint: str = ""
    complained_at: float = 0.0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def watch(self, request: web.Request) -> web.Response | None:
        if request.method != "PUT":
            return None
        now = asyncio.get_running_loop().time()
        async with self._news:
            self.arrivals.append((now, request.path.rsplit("/", 1)[-1].split("-")[0]))
            self._news.notify_all()
        if not self.complaint:
            return None
        answer = web.Response(status=429, headers={"Retry-After": self.complaint})
        self.complaint, self.complained_at = "", now
        return answer

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; it is asked when a write arrives."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: bool(self.arrivals) and holds())

    async def complain(self, retry_after: str) -> float:
        """Tell the next one to come back later; the moment when that was."""
        self.complaint = retry_after
        await self.until(lambda: not self.complaint)
        return self.complained_at

    def of_last_second(self) -> Counter[str]:
        last = self.arrivals[-1][0]
        return Counter(name for moment, name in self.arrivals if moment > last - 1)

    def between(self, start: float, end: float) -> int:
        return sum(start < moment <= end for moment, _ in self.arrivals)

    def is_fair(self, names: set[str], *, per_second: int = PER_SECOND) -> bool:
        """Whether these alone asked in the last second, each about as often as the others."""
        counts = self.of_last_second()
        share = per_second / len(names)
        return counts.keys() == names and all(0.75 * share <= n <= 1.25 * share for n in counts.values())


def most_in_a_second(moments: list[float]) -> int:
    return max(sum(start <= moment < start + 1 for moment in moments) for start in moments)


@asynccontextmanager
async def sending(name: str, sis: str, ledger_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = {
        "name": name,
        "sis": sis,
        "ledger": ledger_url,
        "connections": CONNECTIONS,
        "per_second": PER_SECOND,
    }
    process = await asyncio.create_subprocess_exec(sys.executable, str(CHILD), json.dumps(settings))
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_three_processes_are_one_to_the_sis_and_one_that_is_killed_leaves_its_share(
    stub: StubSis, ledger_url: str
) -> None:
    gate = Gate()
    stub.script = gate.watch
    async with AsyncExitStack() as stack:
        amy, *_ = [
            await stack.enter_async_context(sending(name, stub.url, ledger_url))
            for name in ("amy", "bo", "cy")
        ]
        await gate.until(lambda: gate.is_fair({"amy", "bo", "cy"}))

        told = await gate.complain("2")
        await gate.until(lambda: gate.arrivals[-1][0] >= told + 1)
        # All stopped within a second, and nobody went on before the time.
        resumed = next(moment for moment, _ in gate.arrivals if moment >= told + 1)
        assert resumed >= told + 2

        amy.send_signal(signal.SIGKILL)
        await gate.until(lambda: gate.arrivals[-1][0] >= resumed + 2)
        assert gate.between(resumed, resumed + 1) <= PER_SECOND / 2 * 1.1 + 3
        assert gate.between(resumed + 1, resumed + 2) <= PER_SECOND / 2 * 1.25 * 1.1 + 3

        await gate.until(lambda: gate.is_fair({"bo", "cy"}))
        assert gate.arrivals[-1][0] >= resumed + 3  # slowly
    # A tenth of a second's worth may be spent at once, and the way to the SIS may squeeze a few together.
    assert most_in_a_second([moment for moment, _ in gate.arrivals]) <= PER_SECOND * 1.1 + 3


async def test_two_clients_of_one_process_share_and_wait_for_the_same_date(
    stub: StubSis, ledger_url: str
) -> None:
    gate = Gate()
    stub.script = gate.watch
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        tasks = [
            await stack.enter_async_context(client_at_work(name, stub, ledger_url)) for name in ("amy", "bo")
        ]
        await gate.until(lambda: gate.is_fair({"amy", "bo"}))
        date = (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0)
        resume_at = loop.time() + (date - datetime.now(UTC)).total_seconds()
        told = await gate.complain(format_datetime(date, usegmt=True))
        await gate.until(lambda: len({name for moment, name in gate.arrivals if moment > told + 1}) == 2)
        assert min(moment for moment, _ in gate.arrivals if moment > told + 1) >= resume_at
        assert not any(task.done() for task in tasks)


@asynccontextmanager
async def client_at_work(name: str, stub: StubSis, ledger_url: str) -> AsyncIterator[asyncio.Task[None]]:
    limits = Limits(connections=CONNECTIONS, requests_per_second=PER_SECOND)

    async def work(sis: Client) -> None:
        for number in count():
            await sis.put("result", f"{name}-{number}", {"score": 1.0})

    async with (
        shared_limits(limits, stub.url, ledger_url, preview=False, say=print),
        stub.client(limits=limits) as sis,
    ):
        task = asyncio.create_task(work(sis))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait({task})


async def test_a_ledger_that_cannot_be_reached_for_the_pace_fails_nothing_and_is_told_once(
    stub: StubSis,
) -> None:
    said: list[str] = []
    limits = Limits(connections=4, requests_per_second=10_000)
    nowhere = "postgresql://passback:secret@127.0.0.1:1/ledger"
    async with (
        shared_limits(limits, stub.url, nowhere, preview=False, say=said.append),
        stub.client(limits=limits) as sis,
    ):
        for number in range(3):
            limits.pause(0.01)  # tried to be told to others
            assert (await sis.put("result", f"r{number}", {"score": 1.0})).status == 201
    assert len(said) == 1
    assert "secret" not in said[0]


async def test_a_ledger_that_breaks_off_is_found_again(stub: StubSis, ledger_url: str) -> None:
    said: list[str] = []
    loop = asyncio.get_running_loop()
    limits = Limits(connections=4, requests_per_second=10_000)
    async with shared_limits(limits, stub.url, ledger_url, preview=False, say=said.append):
        with closing(psycopg2.connect(ledger_url)) as other, other, other.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
            second = Limits(connections=4, requests_per_second=10_000)
            await stack.enter_async_context(
                shared_limits(second, stub.url, ledger_url, preview=False, say=said.append)
            )
            while limits.rate != 5_000 or second.rate != 5_000:
                async with second.turn():
                    pass
                await loop.run_in_executor(None, lambda: None)
    assert len(said) == 1


async def test_a_preview_shares_and_leaves_nothing_in_the_ledger(stub: StubSis, ledger_url: str) -> None:
    limits = Limits(connections=4, requests_per_second=10_000)
    async with shared_limits(limits, stub.url, ledger_url, preview=True, say=print):
        async with stub.client(limits=limits) as sis:
            assert (await sis.put("result", "r1", {"score": 1.0})).status == 201
        assert rows(ledger_url) == 0
    async with shared_limits(limits, stub.url, ledger_url, preview=False, say=print):
        assert rows(ledger_url) == 2  # the host, and the party
    assert rows(ledger_url) == 1


def rows(ledger_url: str) -> int:
    with closing(psycopg2.connect(ledger_url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM passback.sis_pace) + (SELECT count(*) FROM passback.sis_shares)"
        )
        (number,) = cursor.fetchone() or (0,)
    return int(number)
