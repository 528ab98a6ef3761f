"""What the tests of all transports do with schedules: play them, and tell of one that breaks a promise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from faults.play import Case, play
from faults.schedules import cases

if TYPE_CHECKING:
    from collections.abc import Collection

    from faults.servers import Servers

CASES: Final = Path(__file__).parent / "cases"
# Shrinking a failing schedule plays it again and again: only where there is time for it.
PLAYED: Final = settings(
    deadline=None, print_blob=False, database=None, suppress_health_check=list(HealthCheck)
)


def cases_of(transports: Collection[str]) -> list[Path]:
    """The files of cases that take one of these transports."""
    return [
        file
        for file in sorted(CASES.glob("*.json"))
        if json.loads(file.read_text())["transport"] in transports
    ]


def keep_every_promise(case: Case, running: Servers) -> None:
    """Play a case; fails with its story if a promise was broken."""
    played = play(case, running)
    if played.broken:
        story = "\n".join(["", *played.broken, "", *played.log, "", "the case, for a file of cases/:"])
        pytest.fail(f"{story}\n{json.dumps(case)}", pytrace=False)


def play_the_same(transport: str, schedules: int, running: Servers) -> None:
    """Play the same schedules every time: short ones, a night before the good ones."""

    @settings(PLAYED, max_examples=schedules, derandomize=True, phases=[Phase.generate])
    @given(cases(transport, nights=(1, 1)))
    def played(case: Case) -> None:
        keep_every_promise(case, running)

    played()


def play_others(transport: str, schedules: int, running: Servers) -> None:
    """Play other schedules every time: long ones."""

    @settings(PLAYED, max_examples=schedules)
    @given(cases(transport, nights=(2, 5)))
    def played(case: Case) -> None:
        keep_every_promise(case, running)

    played()
