"""Runs, their counts, and the extracts they start from."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from passback.errors import CountsError
from passback.ledger import (
    close_run,
    database,
    keep_extract,
    last_extract,
    latest_runs,
    record_decision,
)
from passback.reasons import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.ledger import Connection

ENDED = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
NO_REASONS = pd.DataFrame({"code": [], "assessments": [], "scores": [], "leading_scores": []})


def close(ledger: Connection, run: int, **changed: Any) -> None:
    """Close a run well, but for what is changed."""
    well = {
        "ended_at": ENDED,
        "state": "good",
        "extracted": 10,
        "outcomes": {Outcome.SENT: 7, Outcome.REJECTED: 3},
        "reasons": NO_REASONS,
        "requests": 12,
    }
    close_run(ledger, run, **(well | changed))


def test_a_run_is_listed_as_status_prints_it(ledger: Connection, run: int) -> None:
    reasons = pd.DataFrame(
        {
            "code": ["score.not_graded", "due.missing", "new.rule"],
            "assessments": [1, 1, 1],
            "scores": [1, 3, 3],
            "leading_scores": [0, 3, 0],
        }
    )
    close(ledger, run, reasons=reasons)
    (listed,) = latest_runs(ledger, "lakeview", 5)
    assert listed.pop("started_at").endswith("Z")
    assert listed == {
        "district": "lakeview",
        "run": "night-1",
        "mode": "changes",
        "state": "good",
        "ended_at": "2026-11-23T06:30:00Z",
        "extracted": 10,
        "outcomes": {"sent": 7, "unchanged": 0, "held": 0, "rejected": 3, "failed": 0, "cancelled": 0},
        "reasons": {
            "due.missing": {
                "assessments": 1,
                "scores": 3,
                "leading_scores": 3,
                "outcome": "rejected",
                "sentence": "No due date.",
                "who": "teacher",
                "mend": "Set one.",
            },
            "new.rule": {
                "assessments": 1,
                "scores": 3,
                "leading_scores": 0,
                "outcome": "",
                "sentence": "",
                "who": "",
                "mend": "",
            },
            "score.not_graded": {
                "assessments": 1,
                "scores": 1,
                "leading_scores": 0,
                "outcome": "held",
                "sentence": "Not graded yet.",
                "who": "teacher",
                "mend": "Grade it.",
            },
        },
        "requests": 12,
        "failed_task": "",
        "message": "",
    }
    assert list(listed["reasons"]) == ["due.missing", "new.rule", "score.not_graded"]
    json.dumps(listed)


def test_a_run_whose_scores_do_not_add_up_cannot_be_good(ledger: Connection, run: int) -> None:
    with pytest.raises(CountsError) as raised:
        close(ledger, run, extracted=11)
    assert raised.value.mend
    assert latest_runs(ledger, "lakeview", 1)[0]["state"] == "running"
    close(ledger, run, extracted=11, state="failed", failed_task="audit", message="Counts differ.")
    (listed,) = latest_runs(ledger, "lakeview", 1)
    assert (listed["state"], listed["failed_task"], listed["message"]) == (
        "failed",
        "audit",
        "Counts differ.",
    )


def test_counts_below_zero_cannot_make_a_sum_right(ledger: Connection, run: int) -> None:
    with pytest.raises(Exception, match="23514"):
        close(ledger, run, extracted=4, outcomes={"sent": 7, "held": -3})


def test_an_outcome_that_does_not_exist_is_refused(ledger: Connection, run: int) -> None:
    with pytest.raises(ValueError, match="splendid"):
        close(ledger, run, outcomes={"splendid": 10})


def test_a_cleared_run_keeps_its_row_and_begins_anew(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    run = open_night("night-1")
    reasons = pd.DataFrame({"code": ["due.missing"], "assessments": 1, "scores": 3, "leading_scores": 3})
    close(ledger, run, state="failed", reasons=reasons, failed_task="load-to-sis", message="No answer.")
    assert open_night("night-1") == run
    (listed,) = latest_runs(ledger, "lakeview", 5)
    assert (listed["state"], listed["ended_at"], listed["message"]) == ("running", None, "")
    assert (sum(listed["outcomes"].values()), listed["reasons"]) == (0, {})


def test_a_run_that_was_killed_is_interrupted_when_the_next_one_opens(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    open_night("night-1", district="hillside")
    close(ledger, open_night("night-1"))
    open_night("night-2")
    open_night("night-3")
    states = {(run["district"], run["run"]): run["state"] for run in latest_runs(ledger, None, 10)}
    assert states == {
        ("lakeview", "night-3"): "running",
        ("lakeview", "night-2"): "interrupted",
        ("lakeview", "night-1"): "good",
        ("hillside", "night-1"): "running",
    }


def test_runs_are_listed_newest_first_and_no_more_than_asked(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    for number in range(4):
        open_night(f"night-{number}")
    assert [run["run"] for run in latest_runs(ledger, "lakeview", 2)] == ["night-3", "night-2"]
    assert latest_runs(ledger, "unheard-of", 2) == []


def test_the_last_extract_is_the_one_kept_last(ledger: Connection) -> None:
    assert last_extract(ledger, "lakeview") is None
    pacific = timedelta(hours=-8)
    for number in (1, 2):
        keep_extract(
            ledger,
            "lakeview",
            snapshot=f"file:///stage/{number}",
            watermark=ENDED + number * pacific,
            assessments=number,
            scores=30 * number,
        )
    assert last_extract(ledger, "lakeview") == {
        "snapshot": "file:///stage/2",
        "watermark": ENDED + 2 * pacific,
        "assessments": 2,
        "scores": 60,
    }
    assert last_extract(ledger, "hillside") is None


def test_a_decision_is_kept_with_who_took_it_and_may_be_taken_anew(ledger: Connection, run: int) -> None:
    for decision, person in (("cancel", "Ada"), ("go on", "Grace"), ("", "")):
        decided_at = datetime.now(UTC) if decision else None
        record_decision(ledger, run, decision=decision, decided_by=person, decided_at=decided_at)
        with database.transaction(ledger) as cursor:
            cursor.execute("SELECT decision, decided_by, decided_at FROM passback.runs")
            assert cursor.fetchall() == [(decision, person, decided_at)]
