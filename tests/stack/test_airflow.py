from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stack import airflow, night, sandbox
from stack.processes import Service
from stack.result import adds_up, show

if TYPE_CHECKING:
    from pathlib import Path

INFO = {
    "feed": {"base_url": "http://127.0.0.1:8100/feed/v1", "token": "a token"},
    "sis": {
        "base_url": "http://127.0.0.1:8100/ims/oneroster/v1p1",
        "token_url": "http://127.0.0.1:8100/token",
        "client_id": "an id",
        "client_secret": "a secret",
    },
}
RUN = {
    "district": "lakeview",
    "run": "manual__2026-11-22T18:00:00+00:00",
    "extracted": 10,
    "outcomes": {"sent": 4, "unchanged": 0, "held": 1, "rejected": 5, "failed": 0, "cancelled": 0},
    "reasons": {
        "due.missing": {
            "leading_scores": 2,
            "outcome": "rejected",
            "sentence": "It has no due date.",
            "who": "teacher",
            "mend": "Set a due date.",
        },
        "period.closed": {
            "leading_scores": 3,
            "outcome": "rejected",
            "sentence": "Its grading period is closed.",
            "who": "sis_admin",
            "mend": "Open the period.",
        },
    },
    "requests": 7,
}


def environment(root: Path, folder: Path) -> dict[str, str]:
    url = "postgresql://postgres:pw@127.0.0.1:5555/airflow"
    connections = {"lakeview_otus": {"conn_type": "http", "host": "127.0.0.1"}}
    return airflow.environment(root, folder, database_url=url, port=8099, connections=connections)


def test_the_persons_own_airflow_does_not_reach_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "True")
    monkeypatch.setenv("AIRFLOW_CONN_PASSBACK_LEDGER", "postgres://production/ledger")
    monkeypatch.setenv("PASSBACK_MAPPINGS", "/production")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    given = environment(tmp_path, tmp_path / ".demo")
    assert given["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert not {"AIRFLOW_CONN_PASSBACK_LEDGER", "PASSBACK_MAPPINGS", "HTTPS_PROXY"} & given.keys()


def test_secrets_stay_the_same_from_one_demo_to_the_next(tmp_path: Path) -> None:
    assert environment(tmp_path, tmp_path / ".demo") == environment(tmp_path, tmp_path / ".demo")


def test_the_password_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = environment(tmp_path, tmp_path / ".demo")["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
    passwords = tmp_path / ".demo" / "airflow" / "passwords.json"
    assert file == str(passwords)
    assert passwords.stat().st_mode & 0o777 == 0o600
    assert list(json.loads(passwords.read_text(encoding="utf-8"))) == ["admin"]


def test_connections_go_as_json_by_their_id(tmp_path: Path) -> None:
    given = environment(tmp_path, tmp_path / ".demo")["AIRFLOW_CONN_LAKEVIEW_OTUS"]
    assert json.loads(given) == {"conn_type": "http", "host": "127.0.0.1"}


def test_the_sandboxs_addresses_become_the_districts_connections(tmp_path: Path) -> None:
    service = Service("sandbox", None, tmp_path)  # type: ignore[arg-type]
    connections = sandbox.connections(sandbox.Sandbox("http://127.0.0.1:8100", INFO, service))
    assert connections["lakeview_otus"] == {
        "conn_type": "http",
        "schema": "http",
        "host": "127.0.0.1",
        "port": 8100,
        "password": "a token",
        "extra": {"base_path": "/feed/v1"},
    }
    assert connections["lakeview_skyward"]["login"] == "an id"
    assert connections["lakeview_skyward"]["extra"] == {
        "base_path": "/ims/oneroster/v1p1",
        "token_url": "http://127.0.0.1:8100/token",
    }


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            {"exc_type": "UnavailableError", "exc_value": "No answer. What to do: see that it runs."},
            "No answer. What to do: see that it runs.",
        ),
        ({"exc_type": "KeyError", "exc_value": "'s11391'"}, "KeyError: its log says more."),
    ],
)
def test_a_failed_task_is_told_with_the_last_error_of_its_log(
    tmp_path: Path, error: dict[str, str], told: str
) -> None:
    log = tmp_path / "attempt=1.log"
    events = [
        {"level": "info", "event": "Reading the feed."},
        {"level": "error", "event": "Task failed with exception", "error_detail": [error]},
        {"level": "info", "event": "::endgroup::"},
    ]
    log.write_text("".join(json.dumps(event) + "\n" for event in events) + "not JSON\n", encoding="utf-8")
    assert night._last_words(log) == [told]


def test_a_task_without_a_log_has_no_last_words(tmp_path: Path) -> None:
    assert night._last_words(tmp_path / "attempt=1.log") == []


def test_counts_add_up_only_if_every_score_has_one_outcome() -> None:
    assert adds_up(RUN)
    assert not adds_up({**RUN, "extracted": 11})
    assert not adds_up({"extracted": 0, "outcomes": {"sent": 0}})


def test_the_result_names_numbers_reasons_and_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "lakeview" / "manual__2026-11-22T18_00_00_00_00" / "report" / "report.html"
    report.parent.mkdir(parents=True)
    report.touch()
    show(RUN, night=RUN["run"], district="lakeview", stage=tmp_path, succeeded=True)
    shown = capsys.readouterr().out
    assert "10 scores extracted" in shown
    assert shown.index("period.closed") < shown.index("due.missing")
    assert "Set a due date." in shown
    assert str(report) in shown


def test_the_result_of_another_run_is_not_taken_for_this_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(RUN, night="manual__later", district="lakeview", stage=tmp_path, succeeded=False)
    shown = capsys.readouterr().out
    assert "10 scores" not in shown
    assert "The run failed" in shown
