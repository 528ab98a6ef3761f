"""Plays sequences from files, or random ones: `python -m model FILE…`, `python -m model --random 100`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from faults.servers import Servers, servers
from model.play import Sequence, play
from model.sequences import sequences


def show(sequence: Sequence, running: Servers) -> bool:
    """Play a sequence and tell what happened; whether product and model agree."""
    begun = time.monotonic()
    played = play(sequence, running)
    state = "DIFFER" if played.broken else "agree"
    struck = f"; PostgreSQL stopped in {', '.join(played.struck)}" if played.struck else ""
    print(f"{state} in {time.monotonic() - begun:.1f} s{struck}", flush=True)  # noqa: T201 - a command line
    if played.broken:
        print("\n".join([json.dumps(sequence), *played.log, *played.broken[:20]]), flush=True)  # noqa: T201
    return not played.broken


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="sequences as JSON")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="play N random sequences")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=6, help="parts of a random sequence at most")
    chosen = parser.parse_args()
    agree = True
    with tempfile.TemporaryDirectory(prefix="passback-model-") as folder, servers(Path(folder)) as running:
        for file in chosen.files:
            agree &= show(json.loads(file.read_text()), running)
        if chosen.random:

            @seed(chosen.seed)
            @settings(
                max_examples=chosen.random,
                phases=[Phase.generate],
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(sequences(most_steps=chosen.steps))
            def random_sequence(sequence: Sequence) -> None:
                nonlocal agree
                agree &= show(sequence, running)

            random_sequence()
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
