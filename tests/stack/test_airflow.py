from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from passback.mapping.file import read_district
from stack import airflow, night, sandbox
from stack.districts import DISTRICTS, SampleDistrict
from stack.processes import Service
from stack.result import all_good, show

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = {"conn_type": "http", "host": "127.0.0.1", "port": 8100, "password": "a token"}
SIS = {"conn_type": "http", "host": "127.0.0.1", "port": 8100, "login": "an id", "password": "a secret"}
INFO = {"connections": {"source": SOURCE, "sis": SIS}}
RUN: dict[str, Any] = {
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


def test_what_a_sandbox_offers_becomes_its_districts_connections(tmp_path: Path) -> None:
    service = Service("sandbox", None, tmp_path)  # type: ignore[arg-type]
    district = SampleDistrict("harborview", "canvas", "aspen")
    running = sandbox.Sandbox(district, "http://127.0.0.1:8100", INFO, service)
    assert sandbox.connections(running) == {"harborview_canvas": SOURCE, "harborview_aspen": SIS}


def test_each_sample_district_has_a_mapping_file_of_its_route() -> None:
    for district in DISTRICTS:
        mapping = read_district(district.name)
        assert (mapping.source.system, mapping.sis.system) == (district.lms, district.sis)
        assert mapping.source.connection == f"{district.name}_{district.lms}"
        assert mapping.sis.connection == f"{district.name}_{district.sis}"


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


def of_all(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {district.name: {**run, "district": district.name} for district in DISTRICTS}


def test_a_night_is_good_if_every_score_of_every_district_has_one_outcome() -> None:
    assert all_good(of_all(RUN))
    assert not all_good({**of_all(RUN), "lakeview": {**RUN, "extracted": 11}})
    assert not all_good(of_all({**RUN, "extracted": 0, "outcomes": {"sent": 0}}))
    assert not all_good({"lakeview": RUN})


def test_the_result_names_numbers_reasons_and_the_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "lakeview" / "manual__2026-11-22T18_00_00_00_00" / "report" / "report.html"
    report.parent.mkdir(parents=True)
    report.touch()
    show({"lakeview": RUN}, runs={"lakeview": RUN["run"]}, stage=tmp_path, succeeded={"lakeview": True})
    shown = capsys.readouterr().out
    assert re.search(r"lakeview +│ otus → skyward +│ +10 │ +4 │ +0 │ +1 │ +5 │", shown)
    assert shown.index("period.closed") < shown.index("due.missing")
    assert "Set a due date." in shown
    assert str(report) in shown
    assert "✗" not in shown


def test_a_run_that_the_ledger_does_not_know_or_that_failed_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show({}, runs={"lakeview": "manual__later"}, stage=tmp_path, succeeded={"lakeview": False})
    shown = capsys.readouterr().out
    assert "lakeview: the ledger knows nothing of this run" in shown
    assert "lakeview: the run failed" in shown
