"""Run as a process of its own: one step of a run of one class, which the test then kills."""

from __future__ import annotations

import sys

from passback import steps
from passback.mapping.file import read_district
from passback.night import Night

if __name__ == "__main__":
    task_id, run_key, class_id = sys.argv[1:]
    steps.run(
        task_id,
        Night(read_district("lakeview"), "sha256 of its file", run_key, classes=(class_id,)),
        say=print,
    )
