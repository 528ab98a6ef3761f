"""Whatever goes wrong on the way, the SIS holds what it must: where it allots the ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from faults.schedules_kept import cases_of, keep_every_promise, play_others, play_the_same

if TYPE_CHECKING:
    from pathlib import Path

    from faults.servers import Servers

QUICK = {"signed": 5, "put-without-id": 7, "post": 7, "native": 7}  # schedules of `make test`
SLOW = {"signed": 100, "put-without-id": 130, "post": 130, "native": 140}  # of `make test-slow`

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("file", cases_of(QUICK), ids=lambda file: file.stem)
def test_a_schedule_that_once_failed(file: Path, running: Servers) -> None:
    keep_every_promise(json.loads(file.read_text()), running)


@pytest.mark.parametrize("transport", QUICK)
def test_the_same_schedules_every_time(transport: str, running: Servers) -> None:
    play_the_same(transport, QUICK[transport], running)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("transport", SLOW)
def test_other_schedules_every_time(transport: str, running: Servers) -> None:
    play_others(transport, SLOW[transport], running)
