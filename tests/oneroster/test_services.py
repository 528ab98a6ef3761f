"""Where a SIS's services are, and which OneRoster it speaks there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from passback.connections import Endpoint
from passback.errors import ConfigurationError
from passback.oneroster import Services
from passback.oneroster.services import services_of, version_of
from passback.sis import PROFILES

HOST = "https://sis.example.org/aeries"
ONE = replace(PROFILES["skyward"], base_path="/or/v1p1")
TWO = replace(ONE, oneroster="1.2", base_path="/or/rostering/v1p2", gradebook_path="/or/gradebook/v1p2")


def endpoint(**extra: Any) -> Endpoint:
    return Endpoint("stub", HOST, "id", "secret", extra)


@pytest.mark.parametrize(
    ("profile", "extra", "rostering", "gradebook"),
    [
        (ONE, {}, "/or/v1p1", "/or/v1p1"),
        (TWO, {}, "/or/rostering/v1p2", "/or/gradebook/v1p2"),
        (ONE, {"base_path": "api/"}, "/api", "/api"),
        (TWO, {"base_path": "/api"}, "/api", "/api"),
        (ONE, {"base_path": ""}, "", ""),
        (ONE, {"rostering_path": "/r"}, "/r", "/r"),
        (TWO, {"rostering_path": "/r"}, "/r", "/or/gradebook/v1p2"),
        (TWO, {"gradebook_path": "/g"}, "/or/rostering/v1p2", "/g"),
        (TWO, {"base_path": "/api", "gradebook_path": "/g"}, "/api", "/g"),
    ],
)
def test_the_connection_goes_before_the_profile_and_a_path_of_its_own_before_the_common_one(
    profile: Any, extra: dict[str, str], rostering: str, gradebook: str
) -> None:
    assert services_of(endpoint(**extra), profile) == Services(HOST + rostering, HOST + gradebook)


def test_a_service_may_be_on_another_host() -> None:
    found = services_of(endpoint(gradebook_path="https://grades.example.org/g/"), TWO)
    assert found == Services(f"{HOST}/or/rostering/v1p2", "https://grades.example.org/g")


@pytest.mark.parametrize(
    "path", ["http://grades.example.org/g", "ftp://grades.example.org/g", "file:///etc/passwd"]
)
@pytest.mark.parametrize("name", ["rostering_path", "gradebook_path"])
def test_an_address_that_would_leak_or_is_none_is_refused(name: str, path: str) -> None:
    with pytest.raises(ConfigurationError, match=f"connection stub, {name}"):
        services_of(endpoint(**{name: path}), TWO)


@pytest.mark.parametrize("name", ["base_path", "rostering_path", "gradebook_path"])
@pytest.mark.parametrize("value", [11, ["/a"], {"path": "/a"}, True])
def test_an_address_that_is_no_text_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"connection stub: {name} in its extra is no text"):
        services_of(endpoint(**{name: value}), TWO)


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/categories", "g"),
        ("/lineItems/li", "g"),
        ("/results/re", "g"),
        ("/classes/c/lineItems", "g"),
        ("/classes/c/results", "g"),
        ("/classes/c/categories", "g"),
        ("/classes/c/lineItems/li/results", "g"),
        ("/classes", "r"),
        ("/classes/lineItems/students", "r"),
        ("/academicSessions", "r"),
        ("/enrollments", "r"),
        ("/schools", "r"),
    ],
)
def test_every_collection_is_asked_of_the_service_that_has_it(path: str, service: str) -> None:
    assert Services("https://sis/r", "https://sis/g").address(path) == f"https://sis/{service}{path}"


@pytest.mark.parametrize(
    ("extra", "version"), [({}, "1.1"), ({"version": "1.2"}, "1.2"), ({"version": 1.2}, "1.2")]
)
def test_the_connection_may_speak_another_version_than_the_profile(
    extra: dict[str, Any], version: str
) -> None:
    assert version_of(endpoint(**extra), ONE) == version


def test_a_version_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"version in its extra is neither '1\.1' nor '1\.2'"):
        version_of(endpoint(version="2.0"), ONE)
