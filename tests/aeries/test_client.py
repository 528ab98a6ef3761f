"""The way to Aeries' native interface: certificate, address, patience."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic
from typing import Any

import pytest
from aiohttp import web

from aeries.stub_aeries import (
    BASE,
    CERTIFICATE,
    QUICK,
    TODAY,
    StubAeries,
    drop,
    gradebook,
    message,
    serving,
)
from passback.aeries import AeriesGradebook
from passback.connections import Endpoint
from passback.errors import (
    BusyError,
    ConfigurationError,
    ContractError,
    CredentialError,
    PassbackError,
    UnavailableError,
)
from passback.sis.aeries import AERIES_NATIVE

CLASS = "994_1001"


async def read(stub: StubAeries, **settings: Any) -> int:
    """Look at one assignment's scores, which nothing makes up for; how many requests it took."""
    async with stub.client(**settings) as aeries:
        await aeries.results(CLASS, "essay")
        return aeries.requests


async def test_a_certificate_in_another_case_is_refused_and_not_told(stub: StubAeries) -> None:
    with pytest.raises(CredentialError, match="upper and lower case") as refused:
        await read(stub, certificate=CERTIFICATE.upper())
    assert CERTIFICATE.upper() not in str(refused.value)
    assert refused.value.where == "connection aeries"


@pytest.mark.parametrize("certificate", ["", "two words", "line\nbreak", "brücke"])
def test_what_is_no_certificate_is_refused_before_it_is_sent(certificate: str) -> None:
    with pytest.raises(ConfigurationError, match="its password") as refused:
        AeriesGradebook(
            Endpoint("aeries", "http://127.0.0.1:9", "", certificate, {}), AERIES_NATIVE, today=TODAY
        )
    assert not certificate or certificate not in str(refused.value)


@pytest.mark.parametrize("path", [7, ["/api/v5"], "/api/v5?x=1", "http://sis.example/api/v5"])
def test_a_base_path_that_is_none_is_refused(path: object) -> None:
    endpoint = Endpoint("aeries", "https://sis.example", "", CERTIFICATE, {"base_path": path})
    with pytest.raises(ConfigurationError):
        AeriesGradebook(endpoint, AERIES_NATIVE, today=TODAY)


async def test_the_interface_is_below_the_connections_address(stub: StubAeries) -> None:
    stub.holds(gradebook(1, (994, 1001)))
    endpoint = Endpoint("aeries", f"{stub.url}/aeries", "", CERTIFICATE, {})
    async with AeriesGradebook(endpoint, AERIES_NATIVE, today=TODAY) as aeries:
        await aeries.line_items([CLASS])
    assert stub.calls[0].path == "/schools/994/sections/1001/gradebooks"  # below BASE


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            message(404, "No HTTP resource was found that matches the request."),
            ConfigurationError,
            "base_path",
        ),
        (web.Response(status=404, text="<html><title>Not Found</title>"), ConfigurationError, "base_path"),
        (web.Response(status=302, headers={"Location": "/login"}), ConfigurationError, "final address"),
        (message(400, "No."), ContractError, "refuses a plain read with 400"),
        (web.json_response({"StudentID": 1}), ContractError, "not what Aeries documents"),
        (
            web.Response(text="<html>Sign in</html>", content_type="text/html"),
            UnavailableError,
            "not available",
        ),
        (message(500, "Error of Nora Lee."), UnavailableError, "answered 500"),
        (message(429, "Slow down.", **{"Retry-After": "0.01"}), BusyError, "429"),
        (message(429, "Slow down.", **{"Retry-After": "7200"}), BusyError, "7200 seconds"),
    ],
)
async def test_what_an_answer_to_a_read_means(
    answer: web.Response, error: type[PassbackError], words: str
) -> None:
    body, status, headers = answer.body, answer.status, dict(answer.headers)
    async with serving(StubAeries()) as stub:
        stub.script = lambda _: web.Response(status=status, body=body, headers=headers)
        with pytest.raises(error, match=words) as raised:
            await read(stub)
        assert "Nora" not in str(raised.value)
        assert CERTIFICATE not in repr(raised.value)


async def test_an_object_that_is_missing_is_no_wrong_address(stub: StubAeries) -> None:
    stub.script = lambda _: message(404, "Assignment not found.")
    assert await read(stub) == 1


async def test_a_passing_fault_is_waited_out(stub: StubAeries) -> None:
    faults: list[Any] = [drop, lambda _: message(502, "Bad gateway."), lambda _: web.Response(text="[{")]
    stub.script = lambda request: faults.pop()(request) if faults else web.json_response([])
    await read(stub)
    assert len(stub.calls) == 4


async def test_everybody_waits_as_long_as_aeries_says(stub: StubAeries) -> None:
    waits = [{"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)}]
    stub.script = lambda _: message(429, "Slow down.", **waits.pop()) if waits else web.json_response([])
    begun = monotonic()
    assert await read(stub) == 2
    assert monotonic() - begun > 0.5


async def test_a_host_that_is_not_there_is_unavailable() -> None:
    endpoint = Endpoint("aeries", "http://127.0.0.1:9", "", CERTIFICATE, {"base_path": BASE})
    async with AeriesGradebook(endpoint, AERIES_NATIVE, today=TODAY, retries=QUICK) as aeries:
        with pytest.raises(UnavailableError):
            await aeries.results(CLASS, "essay")
