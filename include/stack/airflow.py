"""Airflow's processes on loopback (api-server, scheduler, dag-processor) and its API.

Not `airflow standalone`: that listens on all addresses and calls itself ready before it answers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stack import processes
from stack.errors import StackError
from stack.files import write_private
from stack.http import answers, request_json
from stack.ports import LOOPBACK
from stack.state import secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stack.processes import Service

__all__ = ["USER", "Airflow", "Api", "environment", "migrate", "start", "wait_until_healthy"]

USER = "admin"
PARALLELISM = 4
START_SECONDS = 180
MIGRATE_SECONDS = 300
# What a person's shell may hold that would change the demo or send its requests elsewhere.
NOT_INHERITED = ("AIRFLOW", "_AIRFLOW", "PASSBACK", "PYTHON", "PG")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")


@dataclass(frozen=True)
class Airflow:
    """A running Airflow.

    Args:
        url: Of its UI and API: http://127.0.0.1:PORT.
        password: Of its only user, `admin`.
        services: Its processes.
        logs: The folder of the tasks' logs.
    """

    url: str
    password: str = field(repr=False)
    services: tuple[Service, ...]
    logs: Path

    def log_in(self) -> Api:
        """Log in as the admin."""
        login = {"username": USER, "password": self.password}
        return Api(self.url, request_json("POST", f"{self.url}/auth/token", body=login)["access_token"])


@dataclass(frozen=True)
class Api:
    """Airflow's REST API, as a user who has logged in.

    Args:
        url: Of Airflow.
        token: Of the user; good for a day.
    """

    url: str
    token: str = field(repr=False)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call it; `path` is what follows `/api/v2`."""
        return request_json(method, f"{self.url}/api/v2{path}", body=body, token=self.token)


def environment(
    root: Path, folder: Path, *, database_url: str, port: int, connections: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """The environment of Airflow's processes, and of the `passback` command beside them.

    Args:
        root: The checkout.
        folder: The demo's folder.
        database_url: Of Airflow's own database.
        port: The api-server's.
        connections: Airflow connections in their JSON form, by id.
    """
    home = folder / "home"  # the demo neither reads nor writes the person's own
    home.mkdir(parents=True, exist_ok=True)
    passwords = folder / "airflow" / "passwords.json"
    write_private(passwords, json.dumps({USER: secret(folder, "airflow-password")[:16]}))
    key = base64.urlsafe_b64encode(
        hashlib.sha256(secret(folder, "airflow-fernet").encode()).digest()
    ).decode()
    settings = {
        "API__BASE_URL": f"http://{LOOPBACK}:{port}",
        "API__SECRET_KEY": secret(folder, "airflow-api"),
        "API_AUTH__JWT_SECRET": secret(folder, "airflow-jwt"),
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "CORE__DAGS_FOLDER": str(root / "dags"),
        "CORE__EXECUTION_API_SERVER_URL": f"http://{LOOPBACK}:{port}/execution/",
        "CORE__EXECUTOR": "stack.executor.PreloadedLocalExecutor",
        "CORE__FERNET_KEY": key,
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": str(PARALLELISM),
        "CORE__PLUGINS_FOLDER": str(root / "plugins"),
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "LOGGING__NAMESPACE_LEVELS": "great_expectations=WARNING",
        # Only the run that the demo orders: the night it missed while it was off would come in before.
        "SCHEDULER__USE_JOB_SCHEDULE": "False",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "DATABASE__SQL_ALCHEMY_CONN": database_url.replace("postgresql://", "postgresql+psycopg2://", 1),
    }
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(NOT_INHERITED) and name.lower() not in PROXIES
    }
    return {
        **inherited,
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()},
        "AIRFLOW_HOME": str(folder / "airflow"),
        "HOME": str(home),
        "PASSBACK_HOME": str(root),
        "PASSBACK_STAGE": f"file://{folder / 'stage'}",
        "PYTHONPATH": os.pathsep.join([str(root / "plugins"), str(root / "include")]),
        "PYTHONUNBUFFERED": "1",
    }


def for_a_shell(environment: Mapping[str, str]) -> str:
    """The environment as a file that a shell reads with `.`: for `passback` and `airflow` beside the demo."""
    added = {
        name: value
        for name, value in sorted(environment.items())
        if name.startswith(("AIRFLOW", "PASSBACK", "PYTHONPATH"))
    }
    programs = shlex.quote(str(Path(sys.executable).parent))
    lines = [f"export {name}={shlex.quote(value)}" for name, value in added.items()]
    return "\n".join([*lines, f"export PATH={programs}:$PATH", ""])


def migrate(folder: Path, root: Path, environment: Mapping[str, str]) -> None:
    """Bring Airflow's database to the installed version's schema, once for each set of requirements.

    Raises:
        StackError: It failed; the message holds the end of its log.
    """
    wanted = hashlib.sha256((root / "requirements.txt").read_bytes()).hexdigest()
    stamp = folder / "airflow" / "migrated"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    log = folder / "run" / "migrate.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            check=False,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=MIGRATE_SECONDS,
        )
    if done.returncode:
        raise StackError(f"Airflow's database cannot be set up. The end of {log}:\n{processes.tail(log)}")
    write_private(stamp, wanted)


def start(folder: Path, root: Path, environment: Mapping[str, str], port: int) -> Airflow:
    """Start Airflow's three processes; `wait_until_healthy` waits for them."""
    commands = {
        "api-server": ["api-server", "--host", LOOPBACK, "--port", str(port), "--workers", "1"],
        "scheduler": ["scheduler", "--skip-serve-logs"],
        "dag-processor": ["dag-processor"],
    }
    services = tuple(
        processes.start(
            name,
            [sys.executable, "-m", "airflow", *arguments],
            folder=folder / "run",
            environment=environment,
            working_folder=root,
        )
        for name, arguments in commands.items()
    )
    password = secret(folder, "airflow-password")[:16]
    return Airflow(f"http://{LOOPBACK}:{port}", password, services, folder / "airflow" / "logs")


def wait_until_healthy(airflow: Airflow) -> None:
    """Wait until Airflow answers and its scheduler and dag-processor say that they live."""
    health = f"{airflow.url}/api/v2/monitor/health"

    def is_healthy() -> bool:
        if not answers(health):
            return False
        told = request_json("GET", health)
        return all(
            told[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor")
        )

    processes.wait_until(
        is_healthy, what="Airflow is healthy", services=airflow.services, seconds=START_SECONDS, every=0.5
    )
