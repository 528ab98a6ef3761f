from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack import processes
from stack.errors import StackError

if TYPE_CHECKING:
    from stack.processes import Service

INCLUDE = Path(processes.__file__).parents[1]

# A service with a child in a process group of its own, as Airflow's tasks are.
FAMILY = """
import os, sys, time
from pathlib import Path
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    Path(sys.argv[1] + ".half").write_text(str(os.getpid()))
    os.rename(sys.argv[1] + ".half", sys.argv[1])
time.sleep(600)
"""
START_AND_BE_KILLED = """
import os, signal, sys
from pathlib import Path
from stack import processes
folder = Path(sys.argv[1])
command = [sys.executable, "-c", sys.argv[2], str(folder / "child")]
environment = dict(os.environ)
service = processes.start("service", command, folder=folder, environment=environment, working_folder=folder)
processes.wait_until((folder / "child").exists, what="the child runs", services=[service])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run folder"
    folder.mkdir()
    return folder


def start(folder: Path, *command: str) -> Service:
    return processes.start(
        "service", command, folder=folder, environment=dict(os.environ), working_folder=folder
    )


def start_family(folder: Path) -> tuple[Service, int]:
    service = start(folder, sys.executable, "-c", FAMILY, str(folder / "child"))
    processes.wait_until((folder / "child").exists, what="the child runs", services=[service])
    return service, int((folder / "child").read_text(encoding="utf-8"))


def leave_a_family_behind(folder: Path) -> tuple[int, int]:
    subprocess.run(
        [sys.executable, "-c", START_AND_BE_KILLED, str(folder), FAMILY],
        check=False,
        env={**os.environ, "PYTHONPATH": str(INCLUDE)},
    )
    leader, _ = processes._read_pid_file(folder / "service.pid")
    child = int((folder / "child").read_text(encoding="utf-8"))
    assert processes.is_alive(leader)
    assert processes.is_alive(child)
    return leader, child


def test_stopping_a_service_ends_all_that_it_has_forked(folder: Path) -> None:
    service, child = start_family(folder)
    processes.stop([service])
    assert service.process.poll() is not None
    assert not processes.is_alive(child)
    assert not (folder / "service.pid").exists()


def test_a_service_that_ignores_the_request_is_killed(folder: Path) -> None:
    service = start(folder, "sh", "-c", "trap '' TERM; touch ready; while :; do sleep 600; done")
    processes.wait_until((folder / "ready").exists, what="it runs", services=[service])
    processes.stop([service], patience=0.1)
    assert service.process.poll() == -signal.SIGKILL


def test_what_a_killed_run_left_running_is_ended(folder: Path) -> None:
    leader, child = leave_a_family_behind(folder)
    assert processes.end_leftovers(folder) == ["service"]
    assert not processes.is_alive(leader)
    assert not processes.is_alive(child)


def test_children_of_a_killed_service_are_ended_too(folder: Path) -> None:
    leader, child = leave_a_family_behind(folder)
    os.kill(leader, signal.SIGKILL)
    processes.end(leader)
    assert processes.end_leftovers(folder) == []
    assert not processes.is_alive(child)


def test_a_stranger_who_now_has_the_number_is_left_alone(folder: Path) -> None:
    service, child = start_family(folder)
    pid_file = folder / "service.pid"
    boot, _, stat = pid_file.read_text(encoding="utf-8").partition("\n")
    name, _, rest = stat.rpartition(")")
    fields = rest.split()
    fields[processes.START] = str(int(fields[processes.START]) + 1)
    pid_file.write_text(f"{boot}\n{name}) {' '.join(fields)}\n", encoding="utf-8")
    try:
        assert processes.end_leftovers(folder) == []
        assert processes.is_alive(service.process.pid)
    finally:
        processes.stop([service])
    assert not processes.is_alive(child)


@pytest.mark.parametrize("text", ["", "\n", "no process\nat all", "0"])
def test_a_pid_file_that_says_nothing_is_only_taken_away(folder: Path, text: str) -> None:
    (folder / "service.pid").write_text(text, encoding="utf-8")
    assert processes.end_leftovers(folder) == []
    assert not list(folder.glob("*.pid"))


def test_waiting_for_a_service_that_has_ended_tells_the_end_of_its_log(folder: Path) -> None:
    service = start(folder, "sh", "-c", "echo the disk is on fire; exit 3")
    with pytest.raises(
        StackError, match=r"(?s)service has ended by itself \(exit code 3\).*the disk is on fire"
    ):
        processes.wait_until(lambda: False, what="it answers", services=[service])


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(StackError, match="Waited 0 s in vain until the moon is full"):
        processes.wait_until(lambda: False, what="the moon is full", seconds=0.2)
