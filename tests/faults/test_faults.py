"""Whatever goes wrong on the way: after the last good night the SIS holds what it must, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from faults.play import TRANSPORTS, Case, Servers, play, servers
from faults.schedules import cases

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))
QUICK = {"skyward": 20, "generic": 8, "put-without-id": 12, "post": 10}  # schedules of `make test`
SLOW = {"skyward": 400, "generic": 150, "put-without-id": 250, "post": 200}  # of `make test-slow`
# Shrinking a failing schedule plays it again and again: only where there is time for it.
PLAYED = settings(deadline=None, print_blob=False, database=None, suppress_health_check=list(HealthCheck))

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("faults")) as found:
        yield found


def keeps_every_promise(case: Case, running: Servers) -> None:
    played = play(case, running)
    if played.broken:
        story = "\n".join(["", *played.broken, "", *played.log, "", "the case, for a file of cases/:"])
        pytest.fail(f"{story}\n{json.dumps(case)}", pytrace=False)


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_a_schedule_that_once_failed(file: Path, running: Servers) -> None:
    keeps_every_promise(json.loads(file.read_text()), running)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_same_schedules_every_time(transport: str, running: Servers) -> None:
    @settings(PLAYED, max_examples=QUICK[transport], derandomize=True, phases=[Phase.generate])
    @given(cases(transport, most_nights=3))
    def played(case: Case) -> None:
        keeps_every_promise(case, running)

    played()


@pytest.mark.slow
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_other_schedules_every_time(transport: str, running: Servers) -> None:
    @settings(PLAYED, max_examples=SLOW[transport])
    @given(cases(transport, most_nights=5))
    def played(case: Case) -> None:
        keeps_every_promise(case, running)

    played()
