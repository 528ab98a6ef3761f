"""Plays cases from files, or random ones: `python -m faults FILE…`, `python -m faults --random 100`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from faults.play import Case, play
from faults.schedules import cases
from faults.servers import Servers, servers
from faults.transports import TRANSPORTS


def show(case: Case, running: Servers, *, told: bool = False) -> bool:
    """Play a case and tell what happened; whether every promise was kept."""
    begun = time.monotonic()
    played = play(case, running)
    state = "BROKEN" if played.broken else "kept"
    print(f"{state} in {time.monotonic() - begun:.1f} s", flush=True)  # noqa: T201 - a command line
    if played.broken or told:
        print("\n".join([json.dumps(case), *played.log, *played.broken]), flush=True)  # noqa: T201
    return not played.broken


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="cases as JSON")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="play N random cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--nights", type=int, default=5, help="nights of a random case at most")
    parser.add_argument("--transport", choices=sorted(TRANSPORTS), default="skyward")
    chosen = parser.parse_args()
    kept = True
    with tempfile.TemporaryDirectory(prefix="passback-faults-") as folder, servers(Path(folder)) as running:
        for file in chosen.files:
            kept &= show(json.loads(file.read_text()), running, told=True)
        if chosen.random:

            @seed(chosen.seed)
            @settings(
                max_examples=chosen.random,
                phases=[Phase.generate],
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(cases(chosen.transport, nights=(min(2, chosen.nights), chosen.nights)))
            def random_case(case: Case) -> None:
                nonlocal kept
                kept &= show(case, running)

            random_case()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
