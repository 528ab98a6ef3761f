"""`make demo`: one night of the sample districts on this machine, from nothing to the reports.

Starts PostgreSQL, a sandbox for each district and Airflow, lets the scheduler run each district's DAG once
and prints what became of every score. In a terminal it then stays up until Ctrl-C; without one, or with
ONCE=1, it stops.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stack import airflow, night, postgres, processes, sandbox
from stack.districts import DISTRICTS
from stack.errors import StackError, in_plain_words
from stack.files import write_private
from stack.ports import free_port, is_free
from stack.progress import note, step
from stack.result import all_good, show
from stack.state import only_one_demo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

    from stack.airflow import Airflow
    from stack.postgres import Postgres
    from stack.sandbox import Sandbox

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
USUAL_PORT = 8080
AIRFLOW_PATIENCE = 5  # seconds; any of it may be killed at any moment, that is what it is built for


def main() -> int:
    """Entry of `python -m stack.demo`: 0 if the night went well, 1 if not, 130 if interrupted before."""
    os.umask(0o077)  # what the services write, logs and scores, is this user's alone
    for request in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(request, _interrupt)
    try:
        return _demo(ROOT / ".demo", stay=_is_terminal() and not os.environ.get("ONCE"))
    except StackError as error:
        print(f"\n✗ {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\n✗ {in_plain_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def _demo(folder: Path, *, stay: bool) -> int:
    port = _ui_port(os.environ.get("PORT", ""))
    started = time.monotonic()
    with ExitStack() as running:
        running.enter_context(only_one_demo(folder))
        if ended := processes.end_leftovers(folder / "run"):
            note(f"An earlier demo was killed; what it left running has been ended: {', '.join(ended)}.")
        with step(2, "Starting PostgreSQL"):
            server = running.enter_context(_postgres(folder))
        running.callback(processes.end_leftovers, folder / "run")  # what an exception caught while it started
        with step(3, f"Starting the sandboxes: a learning platform and a SIS for {len(DISTRICTS)} districts"):
            systems = running.enter_context(_sandboxes(folder))
        environment = airflow.environment(
            ROOT,
            folder,
            database_url=server.create_database("airflow"),
            port=port,
            connections=_connections(server, systems),
        )
        shell = folder / "environment"
        write_private(shell, airflow.for_a_shell(environment))
        running.callback(shell.unlink, missing_ok=True)
        with step(4, "Starting Airflow: api-server, scheduler, dag-processor"):
            _upgrade_ledger(environment)
            since = datetime.now(UTC)
            services = running.enter_context(_airflow(folder, environment, port))
            api = services.log_in()
            for district in DISTRICTS:
                night.unpause(services, api, district.name, since)
        with step(5, "Running the DAG of each district as every night"):
            runs = {district.name: night.order(api, district.name) for district in DISTRICTS}
            sandboxes = [each.service for each in systems]
            succeeded = night.follow(services, api, runs, sandboxes)
        print(f"[6/6] The night's result, {time.monotonic() - started:.0f} s after the start", flush=True)
        known = {name: _last_run(environment, name) for name in runs}
        of_tonight = {name: run for name, run in known.items() if run and run["run"] == runs[name]}
        good = all(succeeded.values()) and all_good(of_tonight)
        show(of_tonight, runs=runs, stage=folder / "stage", succeeded=succeeded)
        print(f"\nAirflow   {services.url}  user {airflow.USER}, password {services.password}")
        if stay:
            print(f"Commands  . '{shell}'  and then passback …, airflow …, in another terminal")
            print(
                "\nAll of it stays up. Ctrl-C stops it; `make demo` starts it again with the same data.",
                flush=True,
            )
            _wait_for_the_end([*services.services, *sandboxes])
        print("Stopping …", flush=True)
    return 0 if good else 1


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _ui_port(wish: str) -> int:
    """The UI's port: the one asked for, else the usual one, else any free one."""
    if not wish:
        return USUAL_PORT if is_free(USUAL_PORT) else free_port()
    if not wish.isdigit() or not 1 <= int(wish) <= 65535:  # noqa: PLR2004 - TCP's last port
        raise StackError(f"PORT={wish} is not a port: give a number from 1024 to 65535, or leave it out.")
    if not is_free(int(wish)):
        raise StackError(
            f"Port {wish} is taken by another program or not allowed to this user. "
            "Choose another one (make demo PORT=…), or leave PORT out: a free one is then found."
        )
    return int(wish)


@contextmanager
def _postgres(folder: Path) -> Iterator[Postgres]:
    server = postgres.start(folder / "postgres")
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _sandboxes(folder: Path) -> Iterator[list[Sandbox]]:
    systems = sandbox.start(
        DISTRICTS,
        state=folder / "sandbox",
        run_folder=folder / "run",
        environment={**os.environ, "PYTHONPATH": str(ROOT / "include")},
        working_folder=ROOT,
    )
    try:
        yield systems
    finally:
        processes.stop([each.service for each in systems])


@contextmanager
def _airflow(folder: Path, environment: dict[str, str], port: int) -> Iterator[Airflow]:
    airflow.migrate(folder, ROOT, environment)
    services = airflow.start(folder, ROOT, environment, port)
    try:
        airflow.wait_until_healthy(services)
        yield services
    finally:
        processes.stop(services.services, patience=AIRFLOW_PATIENCE)


def _connections(server: Postgres, systems: Sequence[Sandbox]) -> dict[str, Mapping[str, Any]]:
    """The Airflow connections of the sample districts, in Airflow's JSON form."""
    ledger = urlsplit(server.create_database("passback"))
    return {
        **{name: value for each in systems for name, value in sandbox.connections(each).items()},
        "passback_ledger": {
            "conn_type": "postgres",
            "host": ledger.hostname,
            "port": ledger.port,
            "login": ledger.username,
            "password": ledger.password,
            "schema": ledger.path.lstrip("/"),
        },
    }


def _upgrade_ledger(environment: dict[str, str]) -> None:
    """Bring a ledger that an earlier version left behind to this one's schema."""
    done = _passback(environment, "ledger", "upgrade")
    if done.returncode:
        raise StackError(f"`passback ledger upgrade` failed:\n{done.stderr.strip()}")


def _last_run(environment: dict[str, str], district: str) -> dict[str, Any] | None:
    """What the ledger says of a district's last run; None if it knows none."""
    done = _passback(environment, "status", district, "--json", "--limit", "1")
    if done.returncode:
        note(f"`passback status {district}` failed:\n{done.stderr.strip()}")
        return None
    runs = json.loads(done.stdout)["runs"]
    return runs[0] if runs else None


def _passback(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the `passback` command."""
    return subprocess.run(  # noqa: S603 - our own command
        [str(Path(sys.executable).with_name("passback")), *arguments],
        check=False,
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def _wait_for_the_end(services: list[processes.Service]) -> None:
    """Return on Ctrl-C; StackError if a service ends by itself."""
    try:
        while True:
            for service in services:
                service.check()
            time.sleep(1)
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    sys.exit(main())
