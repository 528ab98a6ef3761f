"""The token: how it is asked for, kept, renewed and refused."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from oneroster.stub_sis import SKYWARD, once
from passback.errors import (
    BusyError,
    ConfigurationError,
    ContractError,
    CredentialError,
    PassbackError,
    PermissionRefusedError,
    UnavailableError,
)
from passback.oneroster import Decision

if TYPE_CHECKING:
    from oneroster.stub_sis import StubSis


async def test_id_and_secret_go_form_encoded_as_basic_credentials_and_nowhere_else(stub: StubSis) -> None:
    async with stub.client() as sis:
        await sis.put("result", "r1", {"sourcedId": "r1"})
    (asked,) = stub.token_calls
    assert b64decode(asked.headers["Authorization"].removeprefix("Basic ")) == b"client:s3cr%26t"
    assert asked.body == {"grant_type": "client_credentials", "scope": SKYWARD.scopes}
    assert stub.calls[0].headers["Authorization"] == "Bearer token-1"
    assert "s3cr" not in str(stub.calls)


async def test_a_connection_may_say_that_id_and_secret_go_in_the_form(stub: StubSis) -> None:
    extra = {"token_auth": "body", "token_url": f"{stub.url}/token", "scope": ""}
    async with stub.client(endpoint=replace(stub.endpoint, extra=extra)) as sis:
        await sis.put("result", "r1", {"sourcedId": "r1"})
    (asked,) = stub.token_calls
    assert "Authorization" not in asked.headers
    assert asked.body == {
        "grant_type": "client_credentials",
        "client_id": "client",
        "client_secret": "s3cr&t",
    }


async def test_many_requests_share_one_token(stub: StubSis) -> None:
    async with stub.client() as sis:
        await asyncio.gather(*(sis.put("result", f"r{n}", {"sourcedId": f"r{n}"}) for n in range(20)))
        assert sis.requests == 21
    assert len(stub.tokens) == 1


async def test_a_token_is_renewed_before_it_ends(stub: StubSis) -> None:
    stub.expires_in = 1e-6
    async with stub.client() as sis:
        await sis.put("result", "r1", {"sourcedId": "r1"})
        await sis.put("result", "r2", {"sourcedId": "r2"})
    assert len(stub.tokens) == 2
    assert [call.headers["Authorization"] for call in stub.calls] == ["Bearer token-1", "Bearer token-2"]


async def test_a_revoked_token_is_renewed_once_for_all_who_wait(stub: StubSis) -> None:
    def revoked(request: web.Request) -> web.Response | None:
        return web.Response(status=401) if request.headers["Authorization"] == "Bearer token-1" else None

    stub.script = revoked
    async with stub.client() as sis:
        answers = await asyncio.gather(
            *(sis.put("result", f"r{n}", {"sourcedId": f"r{n}"}) for n in range(20))
        )
    assert {answer.decision for answer in answers} == {Decision.VERIFY}
    assert len(stub.tokens) == 2


async def test_a_second_401_stops_the_run_and_says_who_renews_the_credential(stub: StubSis) -> None:
    stub.script = lambda _request: web.Response(status=401)
    async with stub.client() as sis:
        with pytest.raises(CredentialError) as refused:
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert len(stub.calls) == 2
    assert "connection stub" in str(refused.value)
    assert SKYWARD.credential_renewal in str(refused.value)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, {"error": "invalid_client"}, CredentialError),
        (400, {"error": "invalid_client"}, CredentialError),
        (403, {}, CredentialError),
        (400, {"error": "invalid_scope"}, PermissionRefusedError),
        (400, {"error": "unauthorized_client"}, PermissionRefusedError),
        (404, {}, ConfigurationError),
        (302, {}, ConfigurationError),
        (200, {}, ContractError),
        (200, {"access_token": "x", "token_type": "mac"}, ContractError),
        (500, {}, UnavailableError),
    ],
)
async def test_a_refused_token_stops_the_run(
    stub: StubSis, status: int, body: dict[str, Any], error: type[PassbackError]
) -> None:
    stub.token_script = lambda _request: web.json_response(body, status=status)
    async with stub.client() as sis:
        with pytest.raises(error) as refused:
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert type(refused.value) is error
    assert "stub" in refused.value.where
    assert refused.value.mend
    assert "s3cr" not in str(refused.value)
    assert not stub.calls
    assert len(stub.token_calls) == (4 if status == 500 else 1)  # no retries against a locked door


async def test_a_token_endpoint_that_asks_for_too_long_a_wait_is_busy(stub: StubSis) -> None:
    stub.token_script = lambda _request: web.Response(status=429, headers={"Retry-After": "900"})
    async with stub.client() as sis:
        with pytest.raises(BusyError) as busy:
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert busy.value.retry_after == 900
    assert busy.value.mend


async def test_a_token_endpoint_that_keeps_asking_for_a_moment_is_busy(stub: StubSis) -> None:
    stub.token_script = lambda _request: web.Response(status=429, headers={"Retry-After": "0.01"})
    async with stub.client() as sis:
        with pytest.raises(BusyError, match="token endpoint") as busy:
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert busy.value.retry_after == 0.01
    assert busy.value.mend


async def test_a_token_endpoint_may_fail_for_a_moment(stub: StubSis) -> None:
    stub.token_script = once(web.Response(status=503), None)
    async with stub.client() as sis:
        assert (await sis.put("result", "r1", {"sourcedId": "r1"})).decision is Decision.VERIFY


async def test_a_profile_may_say_so_too_and_want_no_scope(stub: StubSis) -> None:
    profile = replace(SKYWARD, token_auth="body", scopes="")
    async with stub.client(profile=profile) as sis:
        await sis.put("result", "r1", {"sourcedId": "r1"})
        assert await sis.granted_scopes() == frozenset()
    (asked,) = stub.token_calls
    assert asked.body.keys() == {"grant_type", "client_id", "client_secret"}
    extra = {"token_auth": "basic", "scope": "a b"}
    async with stub.client(profile=profile, endpoint=replace(stub.endpoint, extra=extra)) as sis:
        assert await sis.granted_scopes() == {"a", "b"}
    assert stub.token_calls[1].body == {"grant_type": "client_credentials", "scope": "a b"}


async def test_a_scope_that_was_not_granted_is_noticed(
    stub: StubSis, caplog: pytest.LogCaptureFixture
) -> None:
    stub.token_script = lambda _request: web.json_response({"access_token": "t", "scope": "read"})
    endpoint = replace(stub.endpoint, extra={"scope": "read write"})
    async with stub.client(endpoint=endpoint) as sis:
        await sis.put("result", "r1", {"sourcedId": "r1"})
        assert await sis.granted_scopes() == {"read"}
    assert "the SIS did not grant write" in caplog.text


@pytest.mark.parametrize("extra", [{"token_url": "http://sis.example.org/token"}, {"token_auth": "header"}])
async def test_a_setting_that_would_leak_or_means_nothing_is_refused(
    stub: StubSis, extra: dict[str, str]
) -> None:
    async with stub.client(endpoint=replace(stub.endpoint, extra=extra)) as sis:
        with pytest.raises(ConfigurationError, match="connection stub"):
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert not stub.token_calls
