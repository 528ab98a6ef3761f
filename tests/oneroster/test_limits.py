"""How requests towards one SIS wait for one another, when there is only a share of it to go by."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from passback.oneroster.limits import Limits, Share, recovered, slowed

BRAKES = st.floats(min_value=0.05, max_value=1)
PLENTY = 10_000


def limits(connections: int = 8, requests_per_second: float = PLENTY) -> Limits:
    return Limits(connections=connections, requests_per_second=requests_per_second)


async def ask(sis: Limits, begun: list[float], end: asyncio.Event) -> None:
    async with sis.turn():
        begun.append(asyncio.get_running_loop().time())
        await end.wait()


async def everyone_waits() -> None:
    """Until nothing but the clock can bring anybody on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_who_has_no_share_waits_for_one() -> None:
    waiting = limits()
    waiting.take(Share(connections=0, requests_per_second=0))
    begun: list[float] = []
    end = asyncio.Event()
    end.set()
    task = asyncio.create_task(ask(waiting, begun, end))
    await everyone_waits()
    assert not begun
    waiting.take(Share(connections=1, requests_per_second=PLENTY, parties=2))
    await asyncio.wait_for(task, 5)
    assert begun


async def test_a_smaller_share_holds_for_requests_that_come_after_those_under_way() -> None:
    sharing = limits(connections=3)
    begun: list[float] = []
    ends = [asyncio.Event() for _ in range(4)]
    async with asyncio.TaskGroup() as group:
        for end in ends[:3]:
            group.create_task(ask(sharing, begun, end))
        await everyone_waits()
        assert sharing.under_way == 3
        sharing.take(Share(connections=1, requests_per_second=PLENTY, parties=3))
        late = group.create_task(ask(sharing, begun, ends[3]))
        for end in ends[:2]:
            end.set()
            await everyone_waits()
        assert len(begun) == 3  # one is still under way, and one is the share
        ends[2].set()
        ends[3].set()
        await asyncio.wait_for(late, 5)
    assert sharing.under_way == 0


async def test_a_share_dealt_anew_is_not_a_burst_anew() -> None:
    loop = asyncio.get_running_loop()
    sharing = limits(requests_per_second=500)
    began = loop.time()
    for number in range(31):
        sharing.take(Share(connections=8, requests_per_second=99 + number % 2))
        async with sharing.turn():
            pass
    assert loop.time() - began >= 0.9 * (31 - 10 - 1) / 100  # ten at once is a tenth of a second's worth


async def test_a_pause_that_another_was_told_holds_for_all_and_is_not_told_again() -> None:
    loop = asyncio.get_running_loop()
    told: list[float] = []
    sharing = limits()
    sharing.tell = told.append
    began = loop.time()
    sharing.take(Share(connections=8, requests_per_second=PLENTY, brake=0.5, pause=0.2, parties=2))
    async with sharing.turn():
        assert loop.time() - began >= 0.2
        assert sharing.rate == PLENTY / 2
    assert not told
    sharing.pause(0.1)
    assert told == [0.1]
    assert sharing.rate == PLENTY / 4


async def test_a_share_never_shortens_a_pause() -> None:
    loop = asyncio.get_running_loop()
    sharing = limits()
    began = loop.time()
    sharing.pause(0.2)
    sharing.take(Share(connections=8, requests_per_second=PLENTY))
    async with sharing.turn():
        assert loop.time() - began >= 0.2


async def test_a_request_that_nobody_waits_for_any_more_gives_its_place_back() -> None:
    sharing = limits(connections=1)
    begun: list[float] = []
    end = asyncio.Event()
    first = asyncio.create_task(ask(sharing, begun, end))
    second = asyncio.create_task(ask(sharing, begun, end))
    third = asyncio.create_task(ask(sharing, begun, end))
    await everyone_waits()
    second.cancel()
    first.cancel()
    end.set()
    await asyncio.wait_for(third, 5)
    assert len(begun) == 2
    assert sharing.under_way == 0


@given(brake=BRAKES, seconds=st.floats(min_value=-1e9, max_value=1e9))
def test_the_brake_is_let_go_by_a_quarter_a_second_and_never_further_than_it_was_pulled(
    brake: float, seconds: float
) -> None:
    after = recovered(brake, seconds)
    assert brake <= after <= 1
    assert recovered(brake, seconds + 1) <= after * 1.25 * (1 + 1e-9)
    assert recovered(brake, 60) == 1


@given(complaints=st.lists(st.floats(min_value=-10, max_value=100)))
def test_however_often_a_sis_complains_it_is_asked_again_some_time(complaints: list[float]) -> None:
    brake = 1.0
    for seconds_since in complaints:
        brake = slowed(recovered(brake, seconds_since))
    assert 0.05 <= brake <= 1


def test_one_complaint_costs_half() -> None:
    assert [slowed(1.0), slowed(0.5), slowed(0.06)] == [0.5, 0.25, 0.05]
