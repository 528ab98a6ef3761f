"""Addresses and credentials as Airflow's connections hold them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from passback.connections import Endpoint, refuse_plain_http
from passback.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

READ = """
import sys, json
from passback.connections import endpoint, ledger_url
from passback.errors import PassbackError
for name in sys.argv[1:]:
    try:
        if name.startswith("ledger"):
            print(json.dumps({"url": ledger_url(name)}))
        else:
            found = endpoint(name)
            print(json.dumps({"url": found.base_url, "login": found.login, "secret": found.secret,
                              "extra": dict(found.extra)}))
    except PassbackError as error:
        print(json.dumps({"error": type(error).__name__, "says": str(error)}))
"""

BACKEND = """
from airflow.secrets import BaseSecretsBackend

class Vault(BaseSecretsBackend):
    def get_conn_value(self, conn_id, team_name=None):
        held = ("everywhere", "vault_only")
        return "https://vault:from-vault@vault.example.org" if conn_id in held else None
"""


def environment(home: Path, **more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
    return inherited | {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"} | more


def read(home: Path, *names: str, **variables: str) -> list[dict[str, Any]]:
    """What a process outside Airflow finds under these names."""
    done = subprocess.run(
        [sys.executable, "-c", READ, *names],
        env=environment(home, **variables),
        capture_output=True,
        text=True,
        check=True,
        cwd=home,
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def connection(**values: Any) -> str:
    return json.dumps({"conn_type": "http", "host": "sis.example.org"} | values)


def test_a_connection_in_the_environment_becomes_an_endpoint(tmp_path: Path) -> None:
    variables = {
        "AIRFLOW_CONN_PLAIN_NAME": connection(login="id", password="s3cret/&", extra={"base_path": "/or"}),
        "AIRFLOW_CONN_WITH_PATH": connection(host="https://sis.example.org/app/", port=8443),
        "AIRFLOW_CONN_LOOPBACK": "http://id:secret@127.0.0.1:8099",
        "AIRFLOW_CONN_AS_URI": "https://id:secret@sis.example.org",
        "AIRFLOW_CONN_LOWER": connection(schema="HTTPS"),
        "AIRFLOW_CONN_IPV6": connection(host="http://[::1]:81"),
        "AIRFLOW_CONN_FOLDER": connection(host="file:///srv/feed/"),
        "AIRFLOW_CONN_BUCKET": connection(host="s3://district/feed"),
    }
    names = [name.removeprefix("AIRFLOW_CONN_").lower() for name in variables]
    found = dict(zip(names, read(tmp_path, *names, **variables), strict=True))
    assert found["plain_name"] == {
        "url": "https://sis.example.org",
        "login": "id",
        "secret": "s3cret/&",
        "extra": {"base_path": "/or"},
    }
    assert {name: values["url"] for name, values in found.items()} == {
        "plain_name": "https://sis.example.org",
        "with_path": "https://sis.example.org:8443/app",
        "loopback": "http://127.0.0.1:8099",
        "as_uri": "https://sis.example.org",
        "lower": "https://sis.example.org",
        "ipv6": "http://[::1]:81",
        "folder": "file:///srv/feed",
        "bucket": "s3://district/feed",
    }


def test_a_connection_that_will_not_do_says_which_and_how_to_mend_it(tmp_path: Path) -> None:
    variables = {
        "AIRFLOW_CONN_PLAIN": connection(schema="http", password="s3cret"),
        "AIRFLOW_CONN_PLAIN_TOO": connection(host="http://sis.example.org", password="s3cret"),
        "AIRFLOW_CONN_OTHER": connection(conn_type="postgres", password="s3cret"),
        "AIRFLOW_CONN_NO_HOST": connection(host="", password="s3cret"),
        "AIRFLOW_CONN_PATH": connection(schema="/ims", password="s3cret"),
        "AIRFLOW_CONN_EXTRA": connection(extra="[1]", password="s3cret"),
        "AIRFLOW_CONN_HALF": '{"conn_type": "http", "password": "s3cret"',
    }
    names = [name.removeprefix("AIRFLOW_CONN_").lower() for name in variables] + ["nowhere"]
    found = dict(zip(names, read(tmp_path, *names, **variables), strict=True))
    assert {values["error"] for values in found.values()} == {"ConfigurationError"}
    for name, values in found.items():
        assert values["says"].startswith(f"connection {name}: ")
        assert "What to do: " in values["says"]
        assert "s3cret" not in values["says"]
    assert "plain http" in found["plain"]["says"]
    assert "plain http" in found["plain_too"]["says"]
    assert "must be 'http'" in found["other"]["says"]
    assert "AIRFLOW_CONN_HALF is set, but" in found["half"]["says"]
    for way in ("airflow connections add nowhere --conn-type http", "AIRFLOW_CONN_NOWHERE="):
        assert way in found["nowhere"]["says"]


def test_the_ledger_is_a_database_url_whatever_form_the_connection_has(tmp_path: Path) -> None:
    postgres = {"conn_type": "postgres", "schema": "passback"}
    variables = {
        "AIRFLOW_CONN_LEDGER_URI": "postgres://user:p%40ss@db.example.org:5433/passback",
        "AIRFLOW_CONN_LEDGER_TLS": json.dumps(
            postgres
            | {"host": "db", "login": "u", "extra": {"sslmode": "verify-full", "cursor": "dictcursor"}}
        ),
        "AIRFLOW_CONN_LEDGER_SOCKET": json.dumps(postgres | {"host": "/run/pg", "port": 5433}),
        "AIRFLOW_CONN_LEDGER_IPV6": json.dumps(postgres | {"host": "::1"}),
        "AIRFLOW_CONN_LEDGER_NAMELESS": "postgres://db.example.org",
        "AIRFLOW_CONN_LEDGER_HTTP": connection(),
    }
    names = [name.removeprefix("AIRFLOW_CONN_").lower() for name in variables]
    found = dict(zip(names, read(tmp_path, *names, "ledger_none", **variables), strict=False))
    assert found["ledger_uri"]["url"] == "postgresql://user:p%40ss@db.example.org:5433/passback"
    assert found["ledger_tls"]["url"] == "postgresql://u@db/passback?sslmode=verify-full"
    assert found["ledger_socket"]["url"] == "postgresql:///passback?host=%2Frun%2Fpg&port=5433"
    assert found["ledger_ipv6"]["url"] == "postgresql://[::1]/passback"
    assert "names no database" in found["ledger_nameless"]["says"]
    assert "must be 'postgres'" in found["ledger_http"]["says"]


@pytest.mark.airflow
def test_a_secrets_backend_comes_before_the_environment_and_that_before_airflows_database(
    tmp_path: Path,
) -> None:
    airflow = [sys.executable, "-m", "airflow"]
    subprocess.run([*airflow, "db", "migrate"], env=environment(tmp_path), check=True, capture_output=True)
    names = ("everywhere", "twice", "database_only")
    in_database = {name: {"conn_type": "https", "host": "db", "password": "from-database"} for name in names}
    (tmp_path / "connections.json").write_text(json.dumps(in_database))
    command = [*airflow, "connections", "import", str(tmp_path / "connections.json")]
    subprocess.run(command, env=environment(tmp_path), check=True, capture_output=True)
    (tmp_path / "vault_backend.py").write_text(BACKEND)
    found = read(
        tmp_path,
        *("everywhere", "vault_only", "twice", "database_only", "nowhere"),
        PYTHONPATH=str(tmp_path),
        AIRFLOW__SECRETS__BACKEND="vault_backend.Vault",
        AIRFLOW_CONN_EVERYWHERE="https://variable:from-variable@variable.example.org",
        AIRFLOW_CONN_TWICE="https://variable:from-variable@variable.example.org",
    )
    secrets = [values.get("secret", values.get("error")) for values in found]
    assert secrets == ["from-vault", "from-vault", "from-variable", "from-database", "ConfigurationError"]
    with sqlite3.connect(tmp_path / "airflow.db") as database:
        assert database.execute("SELECT count(*) FROM connection").fetchone() == (3,)
    database.close()


def test_an_endpoint_shows_neither_secret_nor_extra() -> None:
    shown = repr(Endpoint("c", "https://sis.example.org", "id", "s3cret", {"client_secret": "hidden"}))
    assert "s3cret" not in shown
    assert "hidden" not in shown


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:80/",
        "http://localhost",
        "http://[::1]:8080",
        "http://127.9.9.9",
        "https://sis.example.org",
    ],
)
def test_plain_http_is_allowed_within_this_machine(url: str) -> None:
    refuse_plain_http(url, where="connection c")


@pytest.mark.parametrize(
    "url",
    ["http://sis.example.org", "http://10.0.0.1", "http://127.0.0.1.example.org", "http://localhost.evil"],
)
def test_plain_http_to_another_machine_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="connection c: plain http"):
        refuse_plain_http(url, where="connection c")
