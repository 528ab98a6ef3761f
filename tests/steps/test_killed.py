"""A step that is killed anywhere and run again ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from passback.night import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from district import SampleDistrict

CLASS, STUDENTS = "AAA-2013J", 383
ONE_STEP = Path(__file__).parent / "one_step.py"
WAITS_FOR_SECONDS = 120


def kill_when(task_id: str, *, reached: Callable[[], bool]) -> None:
    """Start a step in a process of its own and kill it as soon as a condition holds."""
    command = [sys.executable, str(ONE_STEP), task_id, "killed", CLASS]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL) as process:
        give_up = time.monotonic() + WAITS_FOR_SECONDS
        while process.poll() is None and not reached():
            assert time.monotonic() < give_up, f"{task_id} did not come to the point of its death"
        process.send_signal(signal.SIGKILL)
        assert process.wait() in (0, -signal.SIGKILL)


@pytest.mark.parametrize(
    "written", [150, *(pytest.param(written, marks=pytest.mark.slow) for written in (0, 1, 384))]
)
def test_a_load_killed_after_any_number_of_writes_and_cleared_loses_and_doubles_nothing(
    lakeview: SampleDistrict, written: int
) -> None:
    night = lakeview.night("killed", classes=(CLASS,))
    for task_id in ("extract-scores", "validate", "transform-to-oneroster"):
        lakeview.step(task_id, night)
    kill_when("load-to-sis", reached=lambda: len(lakeview.written()) >= written)
    for task_id in ("load-to-sis", "audit"):
        lakeview.step(task_id, night)
    report = lakeview.report(night)
    assert report["outcomes"]["sent"] == STUDENTS
    line_items, results = lakeview.held()
    assert len(line_items) == 1
    assert len(results) == STUDENTS
    assert lakeview.run(classes=(CLASS,))["outcomes"]["unchanged"] == STUDENTS
    lakeview.run(mode="full", classes=(CLASS,))
    assert lakeview.held()[1] == results


@pytest.mark.slow
@pytest.mark.parametrize("task_id", ["extract-scores", "validate", "audit"])
def test_a_killed_step_is_run_again(lakeview: SampleDistrict, task_id: str) -> None:
    night = lakeview.night("killed", classes=(CLASS,))
    lakeview.sandbox.control("POST", "/requests/reset")
    for step in TASKS:
        if step == task_id:
            asked = requests_of(lakeview)
            kill_when(step, reached=lambda: requests_of(lakeview) > asked + 2)  # noqa: B023
        lakeview.step(step, night)
    assert lakeview.report(night)["outcomes"]["sent"] == STUDENTS
    assert len(lakeview.held()[1]) == STUDENTS


def requests_of(lakeview: SampleDistrict) -> int:
    return sum(row["count"] for row in lakeview.sandbox.requests()["requests"])
