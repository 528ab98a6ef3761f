"""`passback status`, `explain` and `ledger upgrade` on a real ledger."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from passback import ledger as database
from passback.frame_store import open_folder, write_frame
from passback.reasons import Actor, Outcome, Reason
from passback.records import ASSESSMENTS

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Passback
    from passback.ledger import Connection

CLOSED = Reason(
    "period.closed",
    Outcome.REJECTED,
    "The due date lies in a closed period.",
    Actor.TEACHER,
    "Move the due date.",
    "001",
)
OUTCOMES = {"sent": 0, "unchanged": 0, "held": 0, "rejected": 1, "failed": 0, "cancelled": 0}


@pytest.fixture
def run_id(ledger: Connection) -> int:
    """A good run of lakeview in which one score was rejected."""
    run_id = database.open_run(
        ledger,
        district="lakeview",
        run_key="cli__2026-11-22T06:00:00+00:00",
        mode="changes",
        ordered_by="test",
        mapping_hash="m",
        rule_set="r",
        reasons=[CLOSED],
        started_at=datetime(2026, 11, 22, 6, tzinfo=UTC),
    )
    scores = pd.DataFrame(
        [("a7", "bio-1", "S-1001", "rejected", "period.closed")],
        columns=["assessment_id", "class_id", "student_id", "outcome", "codes"],
    )
    database.note_judged(ledger, run_id, 1)
    database.close_run(
        ledger,
        run_id,
        ended_at=datetime(2026, 11, 22, 6, 1, tzinfo=UTC),
        state="good",
        extracted=1,
        outcomes=OUTCOMES,
        reasons=pd.DataFrame(
            [("period.closed", 1, 1, 1)], columns=["code", "assessments", "scores", "leading_scores"]
        ),
        requests=7,
        scores=scores,
    )
    return run_id


@pytest.mark.usefixtures("run_id")
def test_status_json_is_the_documented_form(passback: Passback, ledger_url: str) -> None:
    done = passback("status", "lakeview", "--json", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)
    assert json.loads(done.stdout) == {
        "runs": [
            {
                "district": "lakeview",
                "run": "cli__2026-11-22T06:00:00+00:00",
                "mode": "changes",
                "state": "good",
                "started_at": "2026-11-22T06:00:00Z",
                "ended_at": "2026-11-22T06:01:00Z",
                "extracted": 1,
                "outcomes": OUTCOMES,
                "reasons": {
                    "period.closed": {
                        "assessments": 1,
                        "scores": 1,
                        "leading_scores": 1,
                        "outcome": "rejected",
                        "sentence": CLOSED.sentence,
                        "who": "teacher",
                        "mend": CLOSED.mend,
                    }
                },
                "requests": 7,
                "failed_task": "",
                "message": "",
            }
        ]
    }


@pytest.mark.usefixtures("run_id")
def test_status_shows_the_last_runs(passback_here: Passback, ledger_url: str) -> None:
    first, *others = passback_here("status", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url).stdout.splitlines()
    assert re.fullmatch(r"lakeview  \d{4}-\d\d-\d\d \d\d:\d\d  changes  good", first)
    assert others == [
        "    1 extracted: 1 rejected",
        "    run cli__2026-11-22T06:00:00+00:00, 7 requests",
    ]


def test_status_of_an_empty_ledger_says_how_to_begin(passback_here: Passback, ledger_url: str) -> None:
    done = passback_here("status", "lakeview", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)
    assert done.returncode == 0
    assert "passback run lakeview" in done.stdout


@pytest.mark.usefixtures("run_id")
def test_explain_tells_outcome_reason_and_what_to_do(passback_here: Passback, ledger_url: str) -> None:
    of = ("--district", "lakeview", "--assessment", "a7", "--student", "S-1001")
    text = passback_here("explain", *of, AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url).stdout
    assert "class bio-1: rejected" in text
    assert "The due date lies in a closed period. (period.closed)" in text
    assert "the teacher: Move the due date." in text
    assert "never" in text
    content = json.loads(
        passback_here("explain", *of, "--json", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url).stdout
    )
    assert content["student"] == "S-1001"
    (score,) = content["scores"]
    assert score["outcome"] == "rejected"
    assert [reason["code"] for reason in score["reasons"]] == ["period.closed"]


@pytest.mark.usefixtures("run_id")
def test_explain_says_what_it_means_that_nothing_is_known(passback_here: Passback, ledger_url: str) -> None:
    of = ("-d", "lakeview", "-a", "a7", "-s", "nobody")
    done = passback_here("explain", *of, AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)
    assert done.returncode == 1
    assert "passback_ledger" in done.stdout
    assert "(not_extracted)" in done.stdout
    done = passback_here("explain", *of, "--json", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)
    assert done.returncode == 1
    content = json.loads(done.stdout)
    assert (content["scores"], [each["code"] for each in content["absent"]]) == ([], ["not_extracted"])


@pytest.mark.usefixtures("run_id")
@pytest.mark.parametrize(
    "of", [("-a", "a7"), ("-s", "S-1001"), ("-c", "bio-1"), ("-s", "S-1001", "-c", "bio-1")]
)
def test_explain_lists_the_scores_of_a_student_an_assessment_or_a_class(
    passback_here: Passback, ledger_url: str, of: tuple[str, ...]
) -> None:
    text = passback_here("explain", "-d", "lakeview", *of, AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url).stdout
    assert "1 scores: 1 rejected" in text
    assert "a7, class bio-1, student S-1001: rejected" in text
    assert "The due date lies in a closed period. (period.closed)" in text
    done = passback_here(
        "explain", "-d", "lakeview", *of, "--offset", "1", "--json", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url
    )
    content = json.loads(done.stdout)
    assert (content["total"], content["outcomes"], content["scores"]) == (1, {"rejected": 1}, [])


def test_explain_of_nothing_says_what_it_needs(passback_here: Passback, ledger_url: str) -> None:
    done = passback_here("explain", "-d", "lakeview", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)
    assert done.returncode == 2
    assert "--teacher" in done.stderr


def test_explain_of_a_teacher_needs_what_was_read_of_the_platform(
    passback_here: Passback, ledger_url: str
) -> None:
    done = passback_here("explain", "-d", "lakeview", "-t", "t1", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)
    assert done.returncode == 1
    assert "passback run lakeview" in done.stderr


@pytest.mark.usefixtures("run_id")
def test_explain_lists_what_a_teacher_assigned(
    passback_here: Passback, ledger: Connection, ledger_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "extract"
    given = pd.DataFrame({name: [None] for name in ASSESSMENTS.columns}).assign(
        assessment_id="a7", class_id="bio-1", assigner_id="t1", include_in_final_grade=True
    )
    write_frame(open_folder(folder.as_uri()), ASSESSMENTS.name, ASSESSMENTS.conform(given))
    database.keep_extract(
        ledger,
        "lakeview",
        snapshot=folder.as_uri(),
        watermark=datetime(2026, 11, 22, 6, tzinfo=UTC),
        assessments=1,
        scores=1,
    )
    for teacher, code in (("t1", 0), ("t2", 1)):
        done = passback_here(
            "explain", "-d", "lakeview", "-t", teacher, AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url
        )
        assert done.returncode == code
        assert ("student S-1001: rejected" in done.stdout) == (code == 0)


def test_upgrade_can_be_repeated(passback: Passback, ledger_url: str) -> None:
    done = passback("ledger", "upgrade", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)  # not the first one
    assert (done.returncode, done.stdout) == (0, "The ledger is up to date.\n")
