"""Docker does not run in the tests; what can be said of its files without it is said here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import stack

ROOT = Path(stack.__file__).parents[2]
TEXT = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
DOCUMENT = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:-|:\?)?")
AIRFLOW_SERVICES = ("migrate", "api-server", "scheduler", "dag-processor")


@pytest.fixture(scope="module")
def compose() -> Any:
    return YAML(typ="safe").load(TEXT)


def test_every_service_that_airflow_needs_is_there(compose: Any) -> None:
    assert set(compose["services"]) == {"postgres", *AIRFLOW_SERVICES}


@pytest.mark.parametrize("name", AIRFLOW_SERVICES)
def test_all_of_airflow_shares_one_configuration(compose: Any, name: str) -> None:
    shared = compose["x-environment"]
    assert shared.items() <= compose["services"][name]["environment"].items()


def test_everything_that_is_mounted_or_copied_exists(compose: Any) -> None:
    mounts = [volume for service in compose["services"].values() for volume in service.get("volumes", [])]
    mounted = {mount.split(":")[0] for mount in mounts if mount.startswith("./")}
    build = compose["x-airflow"]["build"]["dockerfile"]
    dockerfile = (ROOT / build).read_text(encoding="utf-8")
    copied = {
        source
        for line in re.findall(r"^COPY (.+)$", dockerfile, flags=re.MULTILINE)
        for source in line.split()[:-1]
    }
    named = set(re.findall(r"/opt/passback/(include/stack/\w+\.sh)", TEXT))
    assert len(copied) > 3
    for path in mounted | copied | named:
        assert (ROOT / path).exists(), path


def test_every_named_volume_is_declared(compose: Any) -> None:
    mounts = [volume for service in compose["services"].values() for volume in service.get("volumes", [])]
    assert {mount.split(":")[0] for mount in mounts if mount[0] not in "./"} == set(compose["volumes"])


def test_every_variable_is_documented() -> None:
    variables = {name for name, _ in VARIABLE.findall(TEXT)}
    assert len(variables) > 5
    assert {name for name in variables if f"`{name}`" not in DOCUMENT} == set()


def test_no_secret_has_a_default() -> None:
    secrets = {(name, how) for name, how in VARIABLE.findall(TEXT) if re.search("PASSWORD|SECRET|KEY", name)}
    assert secrets
    assert {name for name, how in secrets if how != ":?"} == set()


def test_the_ui_listens_on_loopback_and_the_database_nowhere(compose: Any) -> None:
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert ports == {"api-server": ["127.0.0.1:${PORT:-8080}:8080"]}


def test_every_service_that_stays_up_tells_its_health(compose: Any) -> None:
    staying = {name for name, service in compose["services"].items() if service["restart"] != "no"}
    assert {name for name in staying if "healthcheck" not in compose["services"][name]} == set()


def test_airflow_waits_for_its_database_and_its_schema(compose: Any) -> None:
    for name in AIRFLOW_SERVICES[1:]:
        waits = compose["services"][name]["depends_on"]
        assert waits["postgres"]["condition"] == "service_healthy"
        assert waits["migrate"]["condition"] == "service_completed_successfully"
