"""`passback run` where it fails, and where it asks: what it says, its exit code, and what state is left."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from cli.conftest import COMMAND

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Passback
    from district import SampleDistrict

CLASS, PASSING, STUDENTS = "AAA-2013J", "1755", 383
RUN = ("run", "lakeview", "--class", CLASS)


def test_a_failed_run_says_which_step_what_and_what_to_do(
    passback: Passback, mappings: Path, ledger_url: str
) -> None:
    done = passback("--mappings", str(mappings), "run", "lakeview", AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: extract-scores: connection lakeview_otus: there is no such connection")
    assert "What to do: " in last


def test_ctrl_c_says_that_nothing_is_sent_twice(
    environment: dict[str, str], mappings: Path, ledger_url: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the request and never answers
        silent.settimeout(60)
        feed = {"conn_type": "http", "schema": "http", "host": "127.0.0.1", "password": "token"}
        process = subprocess.Popen(
            [*COMMAND, "--mappings", str(mappings), "run", "lakeview"],
            env={
                **environment,
                "AIRFLOW_CONN_PASSBACK_LEDGER": ledger_url,
                "AIRFLOW_CONN_LAKEVIEW_OTUS": json.dumps({**feed, "port": silent.getsockname()[1]}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert "stopped in extract-scores. Run again" in told
    assert "nothing is sent twice" in told


@pytest.fixture
def second_night(lakeview: SampleDistrict, environment: dict[str, str]) -> dict[str, str]:
    """What the command needs on a night in which all that the SIS holds is refused by a rule."""
    lakeview.run(classes=(CLASS,))
    lakeview.sandbox.control("PATCH", f"/assessments/{PASSING}/{CLASS}", {"title": "long " * 20})
    connections = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_")}
    return {**environment, **connections, "PASSBACK_STAGE": lakeview.stage.as_uri()}


def run_on_a_terminal(environment: dict[str, str], answer: str) -> tuple[int, str]:
    """The command with a terminal for its questions; its exit code, and what the terminal showed."""
    person, terminal = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *RUN], env=environment, stdin=terminal, stdout=subprocess.DEVNULL, stderr=terminal
    ) as process:
        os.close(terminal)
        shown = ""
        try:
            while "[y/N]" not in shown:
                shown += os.read(person, 65_536).decode(errors="replace")
            os.write(person, f"{answer}\n".encode())
            while chunk := os.read(person, 65_536):
                shown += chunk.decode(errors="replace")
        except OSError:  # the terminal is gone with the process
            pass
    os.close(person)
    return process.returncode, shown


def test_without_a_terminal_too_great_a_change_is_not_made_and_the_exit_code_is_3(
    passback: Passback, lakeview: SampleDistrict, second_night: dict[str, str]
) -> None:
    before = lakeview.written()
    done = passback(*RUN, **second_night)
    assert done.returncode == 3
    assert "383 are refused by a rule now. Nothing is written." in done.stderr
    assert "run again with --approve" in done.stderr
    assert "Cancelled: nothing was sent." in done.stdout
    assert lakeview.written() == before


@pytest.mark.slow
def test_whoever_approves_beforehand_is_not_asked(passback: Passback, second_night: dict[str, str]) -> None:
    done = passback(*RUN, "--approve", **second_night)
    assert done.returncode == 0, done.stderr
    assert "let it go on" in done.stdout


@pytest.mark.parametrize(
    ("answer", "code"), [("y", 0), *(pytest.param(no, 3, marks=pytest.mark.slow) for no in ("n", ""))]
)
def test_on_a_terminal_the_preview_is_shown_and_a_person_asked(
    second_night: dict[str, str], answer: str, code: int
) -> None:
    ended, shown = run_on_a_terminal(second_night, answer)
    assert ended == code, shown
    assert "Waits for a person" in shown.partition("Let it go on?")[0]
