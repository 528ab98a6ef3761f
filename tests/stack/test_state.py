from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stack import processes, state
from stack.errors import StackError

INCLUDE = Path(state.__file__).parents[1]
HOLD = """
import sys, time
from pathlib import Path
from stack.state import only_one_demo
with only_one_demo(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
# stack.demo
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """A process that holds the folder as the demo does."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(INCLUDE)},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def let_go(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.communicate()


def test_a_second_demo_is_told_of_the_first(tmp_path: Path) -> None:
    holder = hold(tmp_path / ".demo")
    try:
        message = rf"A demo already runs in this checkout \(process {holder.pid}\)"
        with pytest.raises(StackError, match=message), state.only_one_demo(tmp_path / ".demo"):
            pass
    finally:
        let_go(holder)


def test_a_killed_demo_holds_nothing(tmp_path: Path) -> None:
    let_go(hold(tmp_path / ".demo"))
    with state.only_one_demo(tmp_path / ".demo"):
        pass


def test_removing_ends_the_demo_that_runs(tmp_path: Path) -> None:
    holder = hold(tmp_path / ".demo")
    try:
        state.remove(tmp_path / ".demo")
        assert holder.wait(timeout=10) == -signal.SIGTERM
    finally:
        let_go(holder)
    assert not (tmp_path / ".demo").exists()


def test_removing_ends_what_a_killed_demo_left_running(tmp_path: Path) -> None:
    folder = tmp_path / ".demo"
    with state.only_one_demo(folder):
        service = processes.start(
            "sandbox",
            ["sleep", "600"],
            folder=folder / "run",
            environment=dict(os.environ),
            working_folder=tmp_path,
        )
        processes.wait_until((folder / "run" / "sandbox.pid").exists, what="it runs", services=[service])
    state.remove(folder)
    assert service.process.wait(timeout=10) == -signal.SIGTERM
    assert not folder.exists()


def test_a_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    first = state.secret(tmp_path, "airflow-jwt")
    assert state.secret(tmp_path, "airflow-jwt") == first
    assert len(first) == 64
    assert (tmp_path / "secrets" / "airflow-jwt").stat().st_mode & 0o777 == 0o600
    assert state.secret(tmp_path, "airflow-api") != first
