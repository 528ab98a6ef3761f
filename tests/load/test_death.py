"""load-to-sis dies at any of its steps: what it writes again is neither lost nor doubled."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from load.allotting import SIS_CLASS, STUDENTS, District, should_hold, start, the_plan
from passback import ledger as books
from passback.oneroster import Client, line_item_id
from passback.stages import load as load_stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    import pandas as pd

    from passback.ledger import Connection
    from sandbox_process import SandboxProcess

EXAMPLES = count()
LEDGER_WRITES = (
    "intend_line_items",
    "intend_results",
    "answer_line_items",
    "answer_results",
)


class DeathError(Exception):
    """The process is no more."""


class Life:
    """Counts what a process does to the world, and ends it before or after one of these."""

    def __init__(self, steps: int, *, done: bool) -> None:
        self.steps, self.done, self.dead = steps, done, False
        self._lock = threading.Lock()

    def before(self) -> None:
        with self._lock:
            self.steps -= 1
            if self.dead or (self.steps <= 0 and not self.done):
                self.dead = True
                raise DeathError

    def after(self) -> None:
        if self.dead or self.steps <= 0:
            self.dead = True
            raise DeathError


@contextmanager
def mortal(life: Life) -> Iterator[None]:
    """Whatever reaches the SIS or the ledger within the block is a step of this life."""
    exchange: Callable[..., Awaitable[Any]] = Client._exchange

    async def asked(*arguments: Any, **more: Any) -> Any:
        life.before()
        reply = await exchange(*arguments, **more)
        life.after()
        return reply

    def noted(write: Callable[..., None]) -> Callable[..., None]:
        def as_step(*arguments: Any) -> None:
            life.before()
            write(*arguments)
            life.after()

        return as_step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "_exchange", asked)
        for name in LEDGER_WRITES:
            patch.setattr(books, name, noted(getattr(books, name)))
        yield


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start(tmp_path_factory.mktemp("death")) as process:
        process.control("POST", "/snapshot")
        yield process


def new_plan(**columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The plan under ids that no example before has used: the ledger stays, the SIS does not."""
    line_items, results = the_plan(3, **columns)
    ours = {old: line_item_id("otus", f"{next(EXAMPLES)}", SIS_CLASS) for old in line_items["line_item_id"]}
    return tuple(
        frame.assign(line_item_id=frame["line_item_id"].map(ours)) for frame in (line_items, results)
    )


@given(
    writes=st.sampled_from(["put", "put_without_id", "post"]),
    drops_metadata=st.booleans(),
    adopted=st.booleans(),
    deaths=st.lists(st.tuples(st.integers(1, 24), st.booleans()), min_size=1, max_size=3),
    same_run=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_whenever_it_dies_the_next_try_ends_with_everything_there_once(
    running: SandboxProcess,
    ledger: Connection,
    writes: str,
    deaths: list[tuple[int, bool]],
    *,
    drops_metadata: bool,
    adopted: bool,
    same_run: bool,
) -> None:
    running.control("POST", "/restore")
    running.control("PATCH", "/settings", {"writes": writes, "drops_metadata": drops_metadata})
    line_items, results = new_plan()
    if adopted:
        theirs = running.control(
            "POST",
            "/sis/assignments",
            {
                "class_id": SIS_CLASS,
                "title": line_items["title"][0],
                "due_date": line_items["due_date"][0],
                "scores": dict.fromkeys(STUDENTS[:3], 1),
            },
        )["lineItem"]["sourcedId"]
        line_items.loc[0, "adopts"] = theirs
    district = District(running, ledger)
    tries = count()
    example = line_items["line_item_id"][0]

    def run_key() -> str:
        return f"{example}-{0 if same_run else next(tries)}"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_stage, "_BATCH", 4)
        for steps, done in deaths:
            with mortal(Life(steps, done=done)):
                try:
                    asyncio.run(district.load(line_items, results, run_key()))
                except DeathError:
                    ledger.rollback()
        last = asyncio.run(district.load(line_items, results, run_key()))
    assert (last.lost, last.refused, last.untried) == (0, 0, 0)
    assert district.held() == should_hold(line_items, results)
    known_items, known_results = (
        known[known["line_item_id"].isin(line_items["line_item_id"])] for known in district.known()
    )
    assert set(known_items["state"]) == set(known_results["state"]) == {"accepted"}
    held = {row["sourcedId"] for rows in running.dump().values() for row in rows}
    allotted = [*known_items["sis_line_item_id"], *known_results["sis_result_id"]]
    assert set(allotted) - {""} <= held
    assert writes == "put" or "" not in allotted
    assert books.verify_trail(ledger, "lakeview") is None
