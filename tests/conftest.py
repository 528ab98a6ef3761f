"""A real PostgreSQL for every test that needs one: a server for the session, a fresh ledger for a test."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg2
import pytest
from hypothesis import settings
from psycopg2 import sql

from sandbox_process import SandboxProcess, start_sandbox
from stack import postgres as embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from district import SampleDistrict
    from passback.ledger import Connection
    from stack.postgres import Postgres

TEMPLATE = "passback_template"
ROOT = Path(__file__).parents[1]
SLOW = ("airflow", "demo")  # slowest last

# How long an example takes depends on what else the machine does, and says nothing about the code.
settings.register_profile("passback", deadline=None, max_examples=50)
settings.load_profile("passback")


def pytest_configure(config: pytest.Config) -> None:
    """Give Airflow a home of the session's own before anything imports it."""
    home = TemporaryDirectory(prefix="airflow-home-")
    config.add_cleanup(home.cleanup)
    os.environ |= {
        "AIRFLOW_HOME": home.name,
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is fast first: a slip shows before Airflow is started."""
    items.sort(
        key=lambda item: max(
            (SLOW.index(name) + 1 for name in SLOW if item.get_closest_marker(name)), default=0
        )
    )


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """An empty server without fsync, for the whole session."""
    folder: Path = tmp_path_factory.mktemp("postgres")
    server = embedded.start(folder, fsync=False)
    try:
        yield server
    finally:
        server.stop()
        embedded.remove(folder)


@pytest.fixture(scope="session")
def ledger_template(postgres: Postgres) -> str:
    """The name of a database that holds an empty ledger, to be copied."""
    from passback.ledger import upgrade  # noqa: PLC0415 - tests without a ledger do not wait for pandas

    upgrade(postgres.create_database(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def ledger_url(postgres: Postgres, ledger_template: str) -> Iterator[str]:
    """The URL of an empty ledger of the test's own."""
    name = f"ledger_{uuid4().hex}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
        sql.Identifier(name), sql.Identifier(ledger_template)
    )
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    with closing(psycopg2.connect(postgres.url_for("postgres"))) as server:
        server.autocommit = True
        with server.cursor() as cursor:
            cursor.execute(create)
            yield postgres.url_for(name)
            cursor.execute(drop)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Connection]:
    """A connection to an empty ledger of the test's own."""
    from passback.ledger import connect  # noqa: PLC0415 - as above

    with closing(connect(ledger_url)) as connection:
        yield connection


@pytest.fixture(scope="module")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A sandbox for all tests of a module, with the classes of one module of the data."""
    with start_sandbox(tmp_path_factory.mktemp("sandbox"), modules="AAA") as process:
        yield process


@pytest.fixture
def sandbox(running_sandbox: SandboxProcess) -> SandboxProcess:
    """The sandbox, freshly seeded and without faults."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture
def lakeview(
    sandbox: SandboxProcess, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SampleDistrict:
    """The sample district with a sandbox and a ledger of its own."""
    from district import SampleDistrict, environment  # noqa: PLC0415 - as above

    for name, value in environment(sandbox, ledger_url, tmp_path / "stage").items():
        monkeypatch.setenv(name, value)
    return SampleDistrict(sandbox, ledger_url, tmp_path / "stage")
