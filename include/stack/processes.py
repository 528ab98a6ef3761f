"""Processes of our own: start, watch and end them, and mend what a killed run has left behind.

A service is started in a session of its own, so that all it forks can be found and ended with it. It writes
its pid file itself before it becomes the service: there is no moment at which it runs and is unknown. The
file holds what no later process of that number can share: when, since which start of the machine, it began.

Only the standard library: `make clean` uses this without anything installed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = [
    "Service",
    "command_line",
    "end",
    "end_leftovers",
    "is_alive",
    "start",
    "stop",
    "tail",
    "wait_until",
]

PROC = Path("/proc")
BOOT = PROC / "sys" / "kernel" / "random" / "boot_id"

# The shell becomes the service after it has written who it is; by way of a second name, so that a pid file is
# either whole or not there.
WRITE_PID_AND_BECOME = """
pid_file=$1; shift
if [ -r /proc/$$/stat ]; then
    { cat /proc/sys/kernel/random/boot_id; cat /proc/$$/stat; } >"$pid_file.half"
else
    { echo; ps -p $$ -o pid= -o lstart=; } >"$pid_file.half"
fi
mv "$pid_file.half" "$pid_file" && exec "$@"
"""


@dataclass(frozen=True)
class Service:
    """A process that we have started and must end.

    Args:
        name: What a person calls it.
        process: The process, leader of its own session.
        log: The file that holds all it says.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise StackError if it has ended, with the end of its log."""
        if self.process.poll() is not None:
            raise StackError(
                f"{self.name} has ended by itself (exit code {self.process.returncode}). "
                f"The end of its log, {self.log}:\n{tail(self.log)}"
            )


def start(
    name: str, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], working_folder: Path
) -> Service:
    """Start a service.

    Args:
        name: Names it in messages, and its pid file and log.
        command: Program and arguments.
        folder: Holds `NAME.pid` and `NAME.log`; made if missing.
        environment: All of the service's environment.
        working_folder: Where it runs.

    Returns:
        The service; it may not be ready yet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            ["/bin/sh", "-c", WRITE_PID_AND_BECOME, "sh", str(folder / f"{name}.pid"), *command],
            cwd=working_folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the demo, which then stops all in its order
        )
    return Service(name, process, log)


def stop(services: Sequence[Service], *, patience: float = 15) -> None:
    """Ask all services to end, wait for all together, then end by force what remains of their sessions."""
    for service in services:
        _signal(service.process.pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    for service in services:
        try:
            service.process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            continue
    for service in services:
        _kill_session(service.process.pid)
        service.process.wait()
        service.log.with_suffix(".pid").unlink(missing_ok=True)


def end_leftovers(folder: Path, *, patience: float = 5) -> list[str]:
    """End the services that an earlier, killed run has left running.

    Args:
        folder: The folder that `start` was given.
        patience: Seconds a service gets to end by itself.

    Returns:
        The names of those that still ran.
    """
    ended = []
    for pid_file in sorted(folder.glob("*.pid")):
        pid, born = _read_pid_file(pid_file)
        if pid and _born(pid) == born:
            ended.append(pid_file.stem)
            end(pid, requests=[signal.SIGTERM], patience=patience)
            _kill_session(pid)
        elif pid and born:
            _kill_session(pid, born_after=born)
        pid_file.unlink()
    return ended


def wait_until(
    condition: Callable[[], bool],
    *,
    what: str,
    services: Sequence[Service] = (),
    seconds: float = 120,
    every: float = 0.1,
) -> None:
    """Wait for a condition while the services live.

    Args:
        condition: True once what we wait for is there.
        what: What we wait for, for the message: "Airflow answers".
        services: Those whose end would make waiting pointless; the first one's log explains a time-out.
        seconds: How long to wait at most.
        every: Seconds between two looks.

    Raises:
        StackError: A service ended, or the time is up.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        for service in services:
            service.check()
        if time.monotonic() > deadline:
            log = f" The end of {services[0].log}:\n{tail(services[0].log)}" if services else ""
            raise StackError(f"Waited {seconds:.0f} s in vain until {what}.{log}")
        time.sleep(every)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log file; empty if it does not exist."""
    try:
        with log.open(encoding="utf-8", errors="replace") as text:
            return "".join(deque(text, maxlen=lines)).rstrip()
    except FileNotFoundError:
        return ""


def command_line(pid: int) -> str:
    """The command line of a process with spaces between its words; empty if there is no such process."""
    if not PROC.joinpath("self").exists():
        return _ps(pid, "command")
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return words.replace(b"\0", b" ").decode(errors="replace").strip()


def is_alive(pid: int) -> bool:
    """Whether a process runs under this number; one that has ended but was not waited for does not count."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if not PROC.joinpath("self").exists():
        return not _ps(pid, "stat").startswith("Z")
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def end(
    pid: int,
    *,
    requests: Iterable[int] = (signal.SIGTERM, signal.SIGKILL),
    patience: float = 10,
) -> None:
    """Ask a process to end with one signal after the other, each given its time; return when it is gone."""
    for request in requests:
        if not _signal(pid, request):
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not is_alive(pid):
                return
            time.sleep(0.02)


def _signal(pid: int, request: int) -> bool:
    """Send a signal; False if the process is gone."""
    try:
        os.kill(pid, request)
    except ProcessLookupError:
        return False
    return True


def _ps(pid: int, column: str) -> str:
    """A column of `ps`, where there is no /proc."""
    found = subprocess.run(  # noqa: S603
        ["/bin/ps", "-p", str(pid), "-o", f"{column}="], check=False, capture_output=True, text=True
    )
    return found.stdout.strip()


def _stat(pid: int) -> list[str]:
    """What Linux tells of a process after its name: state, parent, group, session, …; empty if it is gone."""
    try:
        return _after_name((PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace"))
    except (FileNotFoundError, ProcessLookupError):
        return []


def _after_name(stat: str) -> list[str]:
    return stat.rpartition(")")[2].split()


SESSION, START = 3, 19  # positions in what follows the name in /proc/PID/stat


def _born(pid: int) -> str:
    """When a process began, as no other process of its number can have begun; empty if it is gone."""
    if not PROC.joinpath("self").exists():
        return _ps(pid, "lstart")
    stat = _stat(pid)
    return f"{BOOT.read_text(encoding='utf-8').strip()} {stat[START]}" if stat and stat[0] != "Z" else ""


def _read_pid_file(pid_file: Path) -> tuple[int, str]:
    """Number and time of birth of the process that wrote the file; 0 and empty if it is not such a file."""
    boot, _, rest = pid_file.read_text(encoding="utf-8", errors="replace").partition("\n")
    words = rest.split()
    if not words or not words[0].isdigit():
        return 0, ""
    born = f"{boot} {_after_name(rest)[START]}" if boot else " ".join(words[1:])
    return int(words[0]), born


def _kill_session(session: int, *, born_after: str = "") -> None:
    """Kill what is left of a session, round after round until nothing is.

    With `born_after`, the leader is gone: a member counts only if it began in the same run of the machine and
    after that leader, since the number may meanwhile belong to strangers.
    """
    if not PROC.joinpath("self").exists():
        try:
            os.killpg(session, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
    for _ in range(100):
        members = [pid for pid in _members(session) if not born_after or _is_later(pid, born_after)]
        if not members:
            return
        for pid in members:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.02)


def _members(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for entry in PROC.glob("[0-9]*"):
        stat = _stat(int(entry.name))
        if stat and stat[0] not in "ZX" and int(stat[SESSION]) == session:
            found.append(int(entry.name))
    return found


def _is_later(pid: int, born: str) -> bool:
    boot, _, start = born.rpartition(" ")
    its_boot, _, its_start = _born(pid).rpartition(" ")
    same_owner = (PROC / str(pid)).stat().st_uid == os.geteuid() if (PROC / str(pid)).exists() else False
    return same_owner and its_boot == boot and int(its_start) >= int(start)
