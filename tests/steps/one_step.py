"""Run as a process of its own: one step of a run of one class or of all, which the test then kills."""

from __future__ import annotations

import sys

from passback import steps
from passback.mapping.file import read_district
from passback.night import Night

if __name__ == "__main__":
    task_id, run_key, class_id, *others = sys.argv[1:]
    district = others[0] if others else "lakeview"
    steps.run(
        task_id,
        Night(
            read_district(district),
            "sha256 of its file",
            run_key,
            classes=(class_id,) if class_id else (),
        ),
        say=print,
    )
