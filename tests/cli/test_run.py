"""`passback run` where it fails: one line, no traceback, and what state is left."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

from cli.conftest import COMMAND

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Passback


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
