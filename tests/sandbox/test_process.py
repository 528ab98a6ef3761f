"""The process: its port, its state across ends of every kind, and what it refuses at the start."""

from __future__ import annotations

import http.client
import os
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sandbox_process import INCLUDE, start_sandbox
from sandbox_records import line_item

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox", *arguments]
    environment = os.environ | {"PYTHONPATH": str(INCLUDE)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_state_survives_a_kill_and_a_stop(tmp_path: Path) -> None:
    with start_sandbox(tmp_path, modules="AAA", today="2026-03-02") as sandbox:
        before = sandbox.info()
        assert (before["seeding_date"], before["day_0"]) == ("2026-03-02", "2025-08-14")
        changed = sandbox.control("PATCH", "/scores/1755/AAA-2013J/s11391", {"points": 1})
        sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
        for end in (sandbox.kill, sandbox.stop):
            end()
            sandbox.restart()
            assert sandbox.info() == before
            assert sandbox.control("GET", "/scores/1755/AAA-2013J/s11391") == changed
            assert sandbox.sis("GET", "/lineItems/li-1").status == 200
        later = sandbox.control("PATCH", "/scores/1755/AAA-2013J/s11391", {"points": 2})
        assert later["modified_at"] > changed["modified_at"]


def test_every_answered_write_is_kept_when_it_is_killed_in_full_flow(tmp_path: Path) -> None:
    with start_sandbox(tmp_path, modules="AAA") as sandbox:
        body = line_item(sandbox)["lineItem"]
        sandbox.sis("GET", "/categories")

        def put(number: int) -> str | None:
            name = f"li-{number}"
            try:
                reply = sandbox.sis("PUT", f"/lineItems/{name}", {"lineItem": body | {"sourcedId": name}})
            except (OSError, http.client.HTTPException):
                return None
            return name if reply.status == 201 else None

        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(put, number) for number in range(200)]
            while sum(answer.done() for answer in answers) < 50:
                time.sleep(0.001)
            sandbox.kill()
            accepted = {answer.result() for answer in answers} - {None}
        sandbox.restart()
        held = {item["sourcedId"] for item in sandbox.dump()["lineItems"]}
        assert accepted
        assert accepted <= held
        assert held == {write["sourced_id"] for write in sandbox.writes() if write["stored"]}


def test_reset_forgets_everything(tmp_path: Path) -> None:
    with start_sandbox(tmp_path, modules="AAA") as sandbox:
        secret = sandbox.info()["sis"]["client_secret"]
    with start_sandbox(tmp_path, modules="AAA", reset=True) as sandbox:
        assert sandbox.info()["sis"]["client_secret"] != secret


def test_sigterm_ends_it_quickly_and_cleanly_even_with_an_answer_outstanding(tmp_path: Path) -> None:
    with start_sandbox(tmp_path, modules="AAA") as sandbox:
        sandbox.fault("feed", "slow", seconds=60)
        with ThreadPoolExecutor(1) as pool:
            outstanding = pool.submit(sandbox.feed, "/classes")
            while sandbox.control("GET", "/faults")["faults"][0]["struck"] == 0:
                pass
            began = time.monotonic()
            assert sandbox.stop() == 0
            assert time.monotonic() - began < 10
            assert outstanding.exception() is not None or outstanding.result().status == 500


def test_nothing_of_a_student_is_logged(tmp_path: Path) -> None:
    with start_sandbox(tmp_path, modules="AAA") as sandbox:
        sandbox.sis("GET", "/classes/1001.0.01/students/90011391/results")
        sandbox.feed("/nothing")
    log = (tmp_path / "log.txt").read_text()
    assert log.startswith("The sandbox is ready at http://127.0.0.1:")
    assert len(log.splitlines()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])  # noqa: S104 - refused
def test_it_listens_on_loopback_only(tmp_path: Path, host: str) -> None:
    ended = run("--state", str(tmp_path), "--host", host)
    assert ended.returncode == 2
    assert "loopback only" in ended.stderr


def test_a_busy_port_gets_a_clear_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("--state", str(tmp_path), "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 1
    assert "already in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_two_sandboxes_do_not_share_a_state(tmp_path: Path) -> None:
    with start_sandbox(tmp_path):
        ended = run("--state", str(tmp_path))
    assert ended.returncode == 1
    assert "Another sandbox is running" in ended.stderr


def test_a_state_that_cannot_be_read_gets_a_clear_message(tmp_path: Path) -> None:
    (tmp_path / "sandbox.sqlite3").write_text("not a database, but long enough to be taken for one" * 20)
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "file"):
        ended = run("--state", str(folder))
        assert ended.returncode == 1
        assert ended.stderr.startswith("Cannot use the ")


def test_the_state_is_for_its_owner_only(tmp_path: Path) -> None:
    with start_sandbox(tmp_path / "state"):
        assert (tmp_path / "state" / "sandbox.sqlite3").stat().st_mode & 0o077 == 0


def test_help_shows_examples() -> None:
    assert "examples:" in run("--help").stdout


def test_the_sandbox_shares_no_code_with_the_package() -> None:
    modules = (INCLUDE / "sandbox").glob("*.py")
    assert not [
        file.name
        for file in modules
        if "import passback" in file.read_text() or "from passback" in file.read_text()
    ]


# --- Which district it is ---


def test_a_state_remembers_its_platform_sis_and_modules(tmp_path: Path) -> None:
    with start_sandbox(tmp_path, sis="aspen", modules="EEE") as sandbox:
        before = sandbox.info()
    with start_sandbox(tmp_path) as sandbox:
        found = sandbox.info()
    assert found["sis"]["system"] == "aspen"
    assert found["lms"]["system"] == "otus"
    assert found["modules"] == ["EEE"]
    assert found["sis"]["client_secret"] == before["sis"]["client_secret"]
    with start_sandbox(tmp_path, sis="aspen", modules="EEE", lms="otus") as sandbox:
        assert sandbox.info()["modules"] == ["EEE"]


@pytest.mark.parametrize(
    ("flag", "other", "said"),
    [
        ("--sis", "aeries", "--sis skyward"),
        ("--lms", "canvas", "--lms otus"),
        ("--modules", "EEE", "--modules AAA"),
        ("--data", "/nowhere", "--data "),
    ],
)
def test_a_state_of_another_district_is_refused(state_of_aaa: Path, flag: str, other: str, said: str) -> None:
    ended = run("--state", str(state_of_aaa), flag, other)
    assert ended.returncode == 2
    assert f"is that of {said}" in ended.stderr
    assert "--reset makes it anew" in ended.stderr


@pytest.fixture(scope="module")
def state_of_aaa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    with start_sandbox(folder, modules="AAA"):
        return folder


def test_a_state_of_before_there_was_a_choice_is_otus_and_skyward(tmp_path: Path) -> None:
    with start_sandbox(tmp_path) as sandbox:
        before = sandbox.info()
    with closing(sqlite3.connect(tmp_path / "sandbox.sqlite3")) as connection, connection:
        newer = ("lms", "sis", "modules", "data", "clock_skew_seconds")
        connection.executemany("DELETE FROM settings WHERE name = ?", [(name,) for name in newer])
    with start_sandbox(tmp_path, sis="skyward", modules="AAA,EEE") as sandbox:
        after = sandbox.info()
        sandbox.reset()
    assert (after["sis"]["system"], after["modules"]) == ("skyward", ["AAA", "EEE"])
    assert after["sis"]["client_secret"] == before["sis"]["client_secret"]


def test_reset_makes_another_district_of_a_state(tmp_path: Path) -> None:
    with start_sandbox(tmp_path, modules="AAA") as sandbox:
        assert sandbox.info()["sis"]["system"] == "skyward"
    with start_sandbox(tmp_path, sis="generic", modules="AAA", reset=True) as sandbox:
        assert sandbox.info()["sis"]["system"] == "generic"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--modules", "ZZZ"), "there is no module ZZZ; there are AAA, EEE"),
        (("--data", "/nowhere"), "/nowhere/courses.csv"),
        (("--sis", "abacus"), "invalid choice: 'abacus'"),
    ],
)
def test_what_cannot_be_seeded_is_refused(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    ended = run("--state", str(tmp_path), *arguments)
    assert ended.returncode == 2
    assert said in ended.stderr


def test_data_without_a_column_are_refused(tmp_path: Path) -> None:
    (tmp_path / "courses.csv").write_text("module,presentation\nAAA,2013J\n")
    ended = run("--state", str(tmp_path / "state"), "--data", str(tmp_path))
    assert ended.returncode == 2
    assert "courses.csv has no column code_module, code_presentation" in ended.stderr


def test_data_of_another_folder_are_held(tmp_path: Path) -> None:
    rows = {
        "courses": ["code_module,code_presentation,module_presentation_length", "CCC,2014B,241"],
        "assessments": [
            "code_module,code_presentation,id_assessment,assessment_type,date,weight",
            "CCC,2014B,24282,TMA,166,100",
        ],
        "studentRegistration": [
            "code_module,code_presentation,id_student,date_registration",
            "CCC,2014B,5,0",
        ],
        "studentAssessment": ["id_assessment,id_student,date_submitted,is_banked,score", "24282,5,160,0,61"],
    }
    for name, lines in rows.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    with start_sandbox(tmp_path / "state", data=tmp_path) as sandbox:
        (score,) = sandbox.feed_items("scores")
        assert (score["student_id"], score["points"]) == ("s5", 61)
        (found,) = sandbox.sis("GET", "/classes").json["classes"]
        assert found["sourcedId"] == "1001.0.01"
        sandbox.reset()
        assert len(sandbox.feed_items("scores")) == 1


@pytest.mark.parametrize(
    ("sis", "first"),
    [("aspen", "STX1999-01"), ("aeries", "994_199901")],
)
def test_with_canvas_the_sis_holds_the_workshop(tmp_path: Path, sis: str, first: str) -> None:
    with start_sandbox(tmp_path, sis=sis, lms="canvas", modules="AAA") as sandbox:
        classes = {found["sourcedId"] for found in sandbox.sis("GET", "/classes").json["classes"]}
        number, section = first.rsplit("1999", 1)
        second = f"{number}1999{section.replace('01', '02')}"
        cross_listed = f"{number}1998{section}"
        assert {first, second, cross_listed} <= classes
        sizes = {
            found: sandbox.sis("GET", f"/classes/{found}/students").headers["x-total-count"]
            for found in (first, second, cross_listed)
        }
        assert sizes == {first: "6", second: "6", cross_listed: "4"}
        assert sandbox.sis("GET", f"/classes/{first}/teachers").json["users"][0]["sourcedId"] == "80000090"


def test_a_small_sandbox_answers_within_two_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    with start_sandbox(tmp_path, modules="AAA"):
        assert time.monotonic() - began < 2
