"""`passback report`: the last run's report, or a certain one's."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from passback.night import folder_name

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Passback

OLD, NEW = "scheduled__2026-11-21T06:00:00+00:00", "cli__2026-11-22T06:00:00+00:00"


def summary(run: str, sent: int) -> dict[str, Any]:
    outcomes = {"sent": sent, "unchanged": 0, "held": 0, "rejected": 0, "failed": 0, "cancelled": 0}
    return {
        "district": "lakeview",
        "run": run,
        "mode": "changes",
        "state": "good",
        "started_at": "2026-11-22T06:00:00Z",
        "ended_at": "2026-11-22T06:00:09Z",
        "extracted": sent,
        "outcomes": outcomes,
        "reasons": {},
        "requests": 3,
        "failed_task": "",
        "message": "",
        "name": "Lakeview Unified School District",
        "timezone": "America/Los_Angeles",
        "classes": [],
        "for_a_person": [],
        "written": {"line_items": 0, "results": 2},
        "rule_set": "r",
        "mapping_file": "m",
    }


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The district's folder with the reports of two runs."""
    folder = tmp_path / "stage" / "lakeview"
    for age, (run, sent) in enumerate([(NEW, 22), (OLD, 11)]):
        report = folder / folder_name(run) / "report"
        report.mkdir(parents=True)
        (report / "report.json").write_text(json.dumps(summary(run, sent)))
        os.utime(report / "report.json", (1_800_000_000 - age, 1_800_000_000 - age))
    return folder


def test_the_last_runs_report_is_shown(passback: Passback, runs: Path) -> None:
    done = passback("report", "lakeview")
    assert done.returncode == 0
    assert "22 scores sent." in done.stdout
    assert f"Report: {runs / folder_name(NEW) / 'report' / 'report.html'}\n" in done.stdout


@pytest.mark.usefixtures("runs")
def test_a_certain_runs_report_is_shown(passback: Passback) -> None:
    assert "11 scores sent." in passback("report", "lakeview", "--run", OLD).stdout


def test_path_prints_the_path_alone(passback: Passback, runs: Path) -> None:
    done = passback("report", "lakeview", "--path")
    assert done.stdout == f"{runs / folder_name(NEW) / 'report' / 'report.html'}\n"


@pytest.mark.parametrize("arguments", [["hilltop"], ["lakeview", "--run", "manual__x"]])
@pytest.mark.usefixtures("runs")
def test_a_report_that_is_not_there_is_an_error(passback: Passback, arguments: list[str]) -> None:
    done = passback("report", *arguments)
    assert done.returncode == 1
    assert "no run has left a report here" in done.stderr
