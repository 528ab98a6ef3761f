"""`passback report`: the last run's report, or a certain one's, and what the ledger knows of a later run."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from ledger.frames import judged
from passback import ledger as database
from passback.night import folder_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Passback
    from passback.ledger import Connection
    from stack.postgres import Postgres

OLD, NEW = "scheduled__2026-11-21T06:00:00+00:00", "cli__2026-11-22T06:00:00+00:00"
LATER = "scheduled__2026-11-23T06:00:00+00:00"
OUTCOMES = {"sent": 0, "unchanged": 0, "held": 0, "rejected": 0, "failed": 0, "cancelled": 0}
MESSAGE = "connection lakeview_skyward: the secret has expired. What to do: renew it."

Run = tuple[str, str, str]
"""Run, instant it began, and state in the ledger."""


def summary(run: str, sent: int) -> dict[str, Any]:
    return {
        "district": "lakeview",
        "run": run,
        "mode": "changes",
        "state": "good",
        "started_at": "2026-11-22T06:00:00Z",
        "ended_at": "2026-11-22T06:00:09Z",
        "extracted": sent,
        "outcomes": {**OUTCOMES, "sent": sent},
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


@pytest.fixture
def kept(ledger: Connection) -> Callable[[Run], None]:
    """Makes the ledger know a run: failed in load-to-sis, good, under way, or killed."""

    def keep(run: Run) -> None:
        key, began, state = run
        run_id = open_run(ledger, key, began)
        if state in ("failed", "good"):
            database.note_judged(ledger, run_id, 5)
            database.close_run(
                ledger,
                run_id,
                ended_at=datetime.fromisoformat(began),
                state=state,
                extracted=5,
                outcomes={"sent": 2, "failed": 3},
                reasons=pd.DataFrame(columns=["code", "assessments", "scores", "leading_scores"]),
                requests=7,
                failed_task="load-to-sis" if state == "failed" else "",
                message=MESSAGE if state == "failed" else "",
                scores=pd.concat([judged("sent", "amy", "bo"), judged("failed", "cy", "di", "ed")]),
            )
        elif state == "interrupted":  # another run begins, of an instant that the clock was set back to
            open_run(ledger, "manual__x", "2026-11-01T06:00:00Z")

    return keep


def open_run(ledger: Connection, key: str, began: str) -> int:
    return database.open_run(
        ledger,
        district="lakeview",
        run_key=key,
        mode="changes",
        ordered_by="test",
        mapping_hash="m",
        rule_set="r",
        reasons=[],
        started_at=datetime.fromisoformat(began).astimezone(UTC),
    )


@pytest.mark.usefixtures("ledger")
def test_the_last_runs_report_is_shown(passback: Passback, runs: Path, ledger_url: str) -> None:
    done = passback("report", "lakeview", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "22 scores sent." in done.stdout
    assert f"Report: {runs / folder_name(NEW) / 'report' / 'report.html'}\n" in done.stdout


@pytest.mark.usefixtures("runs")
def test_a_certain_runs_report_is_shown(passback: Passback) -> None:
    done = passback("report", "lakeview", "--run", OLD)
    assert "11 scores sent." in done.stdout
    assert done.stderr == ""  # the ledger has no say in it


def test_path_prints_the_path_alone(passback_here: Passback, runs: Path) -> None:
    done = passback_here("report", "lakeview", "--path")
    assert done.stdout == f"{runs / folder_name(NEW) / 'report' / 'report.html'}\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: the ledger could not be asked whether a later run failed: ")


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ((LATER, "2026-11-23T06:00:00Z", "failed"), "The last run failed."),
        ((NEW, "2026-11-22T06:00:00Z", "failed"), "The last run failed."),
        ((LATER, "2026-11-23T06:00:00Z", "running"), "The last run has not ended."),
        ((LATER, "2026-11-23T06:00:00Z", "interrupted"), "The last run was killed."),
    ],
    ids=["failed", "failed when it was cleared", "running", "killed"],
)
@pytest.mark.usefixtures("runs")
def test_a_later_run_that_is_not_good_leads(
    passback_here: Passback, ledger_url: str, kept: Callable[[Run], None], run: Run, told: str
) -> None:
    kept(run)
    done = passback_here("report", "lakeview", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)
    assert done.returncode == 0
    lead, _, report = done.stdout.partition("The last report is of 21 Nov 2026, 22:00 PST, ")
    assert lead.startswith(told)
    assert f"run {run[0]}" in lead
    assert report.startswith("an earlier try of it." if run[0] == NEW else f"run {NEW}.")
    assert "22 scores sent." in report
    if run[2] == "failed":
        assert f"failed in load-to-sis: {MESSAGE}\n" in lead
        assert "5 extracted: 2 sent, 3 failed\n" in lead


@pytest.mark.parametrize(
    "run",
    [
        (NEW, "2026-11-22T06:00:00.5Z", "good"),
        (LATER, "2026-11-23T06:00:00Z", "good"),
        (OLD, "2026-11-21T06:00:00Z", "failed"),
    ],
    ids=["the same run", "a good run", "an earlier run"],
)
@pytest.mark.usefixtures("runs")
def test_other_runs_do_not_lead(
    passback_here: Passback, ledger_url: str, kept: Callable[[Run], None], run: Run
) -> None:
    kept(run)
    done = passback_here("report", "lakeview", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)
    assert done.stdout.startswith("Lakeview Unified School District\n")


def test_beside_the_path_a_later_failure_is_a_warning(
    passback_here: Passback, runs: Path, ledger_url: str, kept: Callable[[Run], None]
) -> None:
    kept((LATER, "2026-11-23T06:00:00Z", "failed"))
    done = passback_here("report", "lakeview", "--path", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)
    assert done.stdout == f"{runs / folder_name(NEW) / 'report' / 'report.html'}\n"
    assert done.stderr.startswith("The last run failed.\n")
    assert MESSAGE in done.stderr


def test_a_failed_first_run_is_told_though_there_is_no_report(
    passback_here: Passback, ledger_url: str, kept: Callable[[Run], None]
) -> None:
    kept((LATER, "2026-11-23T06:00:00Z", "failed"))
    done = passback_here("report", "lakeview", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)
    assert done.returncode == 1
    assert done.stdout.startswith("The last run failed.\n")
    assert MESSAGE in done.stdout
    assert "no run has left a report here" in done.stderr


@pytest.mark.usefixtures("runs")
def test_without_the_ledger_the_report_is_shown_with_a_warning(passback_here: Passback) -> None:
    nowhere = "postgresql://127.0.0.1:1/ledger"
    done = passback_here("report", "lakeview", AIRFLOW_CONN_PASSBACK_LEDGER=nowhere)
    assert done.returncode == 0
    assert done.stdout.startswith("Lakeview Unified School District\n")
    (line,) = done.stderr.splitlines()
    assert "the ledger could not be asked" in line
    assert "The ledger's database cannot be reached" in line


@pytest.mark.usefixtures("runs")
def test_report_makes_no_ledger(passback_here: Passback, postgres: Postgres) -> None:
    empty = postgres.create_database("report_makes_no_ledger")
    done = passback_here("report", "lakeview", AIRFLOW_CONN_PASSBACK_LEDGER=empty)
    assert (done.returncode, done.stderr) == (0, "")
    assert database.is_empty(empty)


@pytest.mark.parametrize("arguments", [["nowhere"], ["hilltop"], ["lakeview", "--run", "manual__x"]])
@pytest.mark.usefixtures("runs")
def test_a_report_that_is_not_there_is_an_error(passback_here: Passback, arguments: list[str]) -> None:
    done = passback_here("report", *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "no run has left a report here" in line
    assert "What to do: " in line
