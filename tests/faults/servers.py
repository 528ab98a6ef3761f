"""What all cases share: PostgreSQL, the sandboxes, and the process that does the nights."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import psycopg2
from psycopg2 import sql

from faults.transports import TRANSPORTS
from faults.world import TODAY, write_data
from passback import ledger
from sandbox_process import SandboxProcess, start_sandbox
from stack import postgres as embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack.postgres import Postgres

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
ATTEMPT_WITHIN: Final = 300  # seconds
_TEMPLATE: Final = "template_of_cases"


@dataclass
class Servers:
    """What all cases share.

    Attributes:
        folder: Where everything lies.
        nights: The process that does the nights.
        sandboxes: By transport.
        begun: What teachers' own stands in a sandbox whose snapshot is where every case begins, by transport.
        warm: Whether that process has done one, so that it has everything imported.
    """

    folder: Path
    stack: ExitStack
    postgres: Postgres
    nights: subprocess.Popen[bytes]
    sandboxes: dict[str, SandboxProcess] = field(default_factory=dict)
    begun: dict[str, dict[str, Any]] = field(default_factory=dict)
    warm: bool = False

    def sandbox(self, name: str) -> SandboxProcess:
        """The sandbox of a transport, started when it is asked for first."""
        if name not in self.sandboxes:
            self.sandboxes[name] = self.stack.enter_context(
                start_sandbox(
                    self.folder / "sandbox" / name,
                    data=write_data(self.folder / "data"),
                    sis=TRANSPORTS[name].sis,
                    today=TODAY.isoformat(),
                )
            )
        return self.sandboxes[name]

    def start_postgres_again(self) -> None:
        """Start the server anew where it was, if it is down."""
        if self.postgres.process.poll() is None:
            return
        process = subprocess.Popen(
            self.postgres.process.args,
            cwd="/",
            env=embedded.ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **embedded._user(),
        )
        self.postgres = replace(self.postgres, process=process)

    def stop_postgres(self) -> None:
        """Stop the server that runs now."""
        self.postgres.stop()

    def await_postgres(self) -> None:
        """Wait until it takes connections again."""
        give_up = time.monotonic() + 30
        while True:
            self.start_postgres_again()
            try:
                psycopg2.connect(self.postgres.url_for("postgres"), connect_timeout=5).close()
            except psycopg2.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.02)  # between two tries
            else:
                return

    def order(self, attempts: list[dict[str, Any]]) -> list[int]:
        """Have attempts done at once; how each process ended. One that does not end in time is killed."""
        assert self.nights.stdin is not None
        assert self.nights.stdout is not None
        self.nights.stdin.write(json.dumps(attempts).encode() + b"\n")
        give_up = time.monotonic() + ATTEMPT_WITHIN
        pids: list[int] = []
        said = b""
        while True:
            self.start_postgres_again()
            if select.select([self.nights.stdout], [], [], 0.02)[0]:
                heard = self.nights.stdout.read(65536)
                if not heard:
                    message = "the process that does the nights has ended"
                    raise RuntimeError(message)
                said += heard
            *lines, said = said.split(b"\n")
            for line in lines:
                told = json.loads(line)
                pids = told.get("pids", pids)
                if "ended" in told:
                    self.warm = True
                    ended: list[int] = told["ended"]
                    return ended
            if time.monotonic() > give_up and pids:
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                pids = []

    @contextmanager
    def new_ledger(self) -> Iterator[str]:
        """The URL of an empty ledger, for the with-block."""
        name = f"case_{uuid4().hex}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
            sql.Identifier(name), sql.Identifier(_TEMPLATE)
        )
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        self._execute(create)
        try:
            yield self.postgres.url_for(name)
        finally:
            self.await_postgres()
            self._execute(drop)

    def _execute(self, statement: sql.Composed) -> None:
        with closing(psycopg2.connect(self.postgres.url_for("postgres"))) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Everything that cases are played with, for the with-block."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        postgres = embedded.start(folder / "postgres", fsync=False)
        stack.callback(embedded.remove, folder / "postgres")
        known = folder / "verdicts"
        known.mkdir(exist_ok=True)
        paths = [ROOT / "plugins", ROOT / "include", ROOT / "tests"]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PASSBACK_HOME": str(ROOT),
            "PASSBACK_MAPPINGS": str(folder / "mappings"),
        }
        log = stack.enter_context((folder / "nights.log").open("a"))
        nights = subprocess.Popen(
            [sys.executable, str(HERE / "night_process.py"), str(known)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            env=environment,
        )
        stack.callback(_end, nights)
        found = Servers(folder, stack, postgres, nights)
        stack.callback(found.stop_postgres)
        ledger.upgrade(postgres.create_database(_TEMPLATE))
        yield found


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(timeout=ATTEMPT_WITHIN)
    assert process.stdout is not None
    process.stdout.close()
