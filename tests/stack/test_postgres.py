from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from stack import postgres as embedded
from stack.errors import StackError
from stack.ports import LOOPBACK, free_port
from stack.processes import is_alive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stack.postgres import Postgres

INCLUDE = Path(embedded.__file__).parents[1]
START_AND_BE_KILLED = """
import os, signal, sys
from pathlib import Path
from stack import postgres
server = postgres.start(Path(sys.argv[1]), fsync=False)
print(server.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "a folder" / "postgres"
    yield folder
    embedded.remove(folder)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[], Postgres]]:
    servers = []

    def start() -> Postgres:
        servers.append(embedded.start(folder, fsync=False))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def count_rows(url: str) -> int:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM nights")
        row = cursor.fetchone()
        assert row is not None
        return int(row[0])


def add_a_row(url: str) -> None:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS nights (night date)")
        cursor.execute("INSERT INTO nights VALUES (current_date)")


def test_a_new_cluster_speaks_utf8_and_utc(start: Callable[[], Postgres]) -> None:
    with closing(psycopg2.connect(start().url_for("postgres"))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_encoding'), current_setting('TimeZone')")
        assert cursor.fetchone() == ("UTF8", "UTC")


def test_a_wrong_password_is_refused(start: Callable[[], Postgres]) -> None:
    server = start()
    url = server.url_for("postgres").replace(server.password, "guessed")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(url)


def test_it_listens_on_loopback_only(start: Callable[[], Postgres]) -> None:
    with closing(psycopg2.connect(start().url_for("postgres"))) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')"
        )
        assert cursor.fetchone() == (LOOPBACK, "")


def test_a_database_is_created_once(start: Callable[[], Postgres]) -> None:
    server = start()
    add_a_row(server.create_database("ledger"))
    assert count_rows(server.create_database("ledger")) == 1


def test_data_outlive_a_stop(start: Callable[[], Postgres]) -> None:
    server = start()
    add_a_row(server.create_database("ledger"))
    server.stop()
    assert count_rows(start().url_for("ledger")) == 1


def test_data_outlive_a_killed_server(start: Callable[[], Postgres]) -> None:
    server = start()
    add_a_row(server.create_database("ledger"))
    os.kill(server.process.pid, signal.SIGKILL)
    assert count_rows(start().url_for("ledger")) == 1


def test_a_server_whose_starter_was_killed_is_ended_first(
    folder: Path, start: Callable[[], Postgres]
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", START_AND_BE_KILLED, str(folder)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(INCLUDE)},
    )
    orphan = int(killed.stdout)
    assert is_alive(orphan)
    server = start()
    assert not is_alive(orphan)
    assert server.process.pid != orphan


def test_a_stale_lock_with_a_strangers_number_is_taken_away(
    folder: Path, start: Callable[[], Postgres]
) -> None:
    server = start()
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    place = folder / "place"
    data = (Path(place.read_text(encoding="utf-8").strip()) if place.exists() else folder) / "data"
    lock = data / "postmaster.pid"
    lines = lock.read_text(encoding="utf-8").splitlines()
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n", encoding="utf-8")
    add_a_row(start().create_database("ledger"))


def test_a_port_taken_at_the_last_moment_is_replaced(
    monkeypatch: pytest.MonkeyPatch, start: Callable[[], Postgres]
) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        ports = iter([taken.getsockname()[1], free_port()])
        monkeypatch.setattr(embedded, "free_port", lambda: next(ports))
        server = start()
        assert server.port != taken.getsockname()[1]


def test_a_broken_cluster_is_explained_with_the_end_of_the_log(
    folder: Path, start: Callable[[], Postgres]
) -> None:
    start().stop()
    place = folder / "place"
    data = (Path(place.read_text(encoding="utf-8").strip()) if place.exists() else folder) / "data"
    (data / "PG_VERSION").write_text("9.6\n", encoding="utf-8")
    with pytest.raises(StackError, match=r"(?s)does not start.*initialized by PostgreSQL version 9\.6"):
        start()


def test_remove_leaves_nothing(folder: Path) -> None:
    server = embedded.start(folder, fsync=False)
    place = folder / "place"
    elsewhere = Path(place.read_text(encoding="utf-8").strip()) if place.exists() else folder
    embedded.remove(folder)
    assert not folder.exists()
    assert not elsewhere.exists()
    assert server.process.wait() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may run a server as another user")
def test_root_runs_it_as_nobody_even_below_a_folder_that_nobody_may_enter(
    folder: Path, start: Callable[[], Postgres]
) -> None:
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    server = start()
    assert Path(f"/proc/{server.process.pid}").stat().st_uid == embedded._user()["user"] != 0
    add_a_row(server.create_database("ledger"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may run a server as another user")
def test_root_copies_programs_that_nobody_may_run(
    monkeypatch: pytest.MonkeyPatch, start: Callable[[], Postgres]
) -> None:
    really = embedded._can_run
    asked = []

    def can_run(package: Path, user: embedded._User) -> bool:
        asked.append(package)
        return really(package, user) and len(asked) > 1

    monkeypatch.setattr(embedded, "_can_run", can_run)
    server = start()
    program = Path(f"/proc/{server.process.pid}/exe").resolve()
    assert not program.is_relative_to(asked[0])
    add_a_row(server.create_database("ledger"))
