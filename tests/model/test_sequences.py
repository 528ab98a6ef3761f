"""Nights, hand edits, suppressions, reconciling, undoing, purging: as the model says, every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from faults.servers import Servers, servers
from model.play import Playing, Sequence, play
from model.sequences import sequences

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))
QUICK, SLOW = 5, 400  # sequences of `make test` and of `make test-slow`
# Of the files in `make test`, those that differ most; the others are played by `make test-slow`.
OFTEN = (
    "postgres-stopped-in-the-middle-of-each",
    "put-back-sent-again-then-undone-anew",
)
# Shrinking a failing sequence plays it again and again: only where there is time for it.
PLAYED = settings(deadline=None, print_blob=False, database=None, suppress_health_check=list(HealthCheck))

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("model")) as found:
        yield found


def agrees(sequence: Sequence, running: Servers) -> Playing:
    """Play a sequence; fails with its story where product and model part."""
    played = play(sequence, running)
    if played.broken:
        story = "\n".join(["", *played.broken, "", *played.log, "", "the sequence, for a file of cases/:"])
        pytest.fail(f"{story}\n{json.dumps(sequence)}", pytrace=False)
    return played


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, id=file.stem, marks=() if file.stem in OFTEN else pytest.mark.slow)
        for file in CASES
    ],
)
def test_a_sequence_of_cases(file: Path, running: Servers) -> None:
    played = agrees(json.loads(file.read_text()), running)
    assert not played.missed, "what was to be stopped in its middle was over before"


def test_the_same_sequences_every_time(running: Servers) -> None:
    @settings(PLAYED, max_examples=QUICK, derandomize=True, phases=[Phase.generate])
    @given(sequences(most_steps=3))
    def played(sequence: Sequence) -> None:
        agrees(sequence, running)

    played()


@pytest.mark.slow
def test_other_sequences_every_time(running: Servers) -> None:
    @settings(PLAYED, max_examples=SLOW)
    @given(sequences(most_steps=6))
    def played(sequence: Sequence) -> None:
        agrees(sequence, running)

    played()
