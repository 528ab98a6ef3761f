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

SCOPE = "https://purl.imsglobal.org/spec/or/v1p1/scope/"


async def test_id_and_secret_go_form_encoded_as_basic_credentials_and_nowhere_else(stub: StubSis) -> None:
    async with stub.client() as sis:
        await sis.put("result", "r1", {"sourcedId": "r1"})
    (asked,) = stub.token_calls
    assert b64decode(asked.headers["Authorization"].removeprefix("Basic ")) == b"client:s3cr%26t"
    assert asked.body == {"grant_type": "client_credentials", "scope": SKYWARD.scopes}
    assert stub.calls[0].headers["Authorization"] == "Bearer token-1"
    assert "s3cr" not in str(stub.calls)


def knows_only(credentials: bytes, refusal: web.Response) -> Any:
    """A token endpoint that takes what stands in Basic credentials as it is."""

    def answer(request: web.Request) -> web.Response | None:
        given = b64decode(request.headers["Authorization"].removeprefix("Basic "))
        return None if given == credentials else refusal

    return answer


@pytest.mark.parametrize(("status", "error"), [(401, "invalid_client"), (400, "invalid_client"), (401, "no")])
async def test_a_server_that_does_not_decode_id_and_secret_gets_them_as_they_are(
    stub: StubSis, status: int, error: str
) -> None:
    stub.expires_in = 1e-6
    stub.token_script = knows_only(b"client:s3cr&t", web.json_response({"error": error}, status=status))
    async with stub.client() as sis:
        await sis.put("result", "r1", {"sourcedId": "r1"})
        await sis.put("result", "r2", {"sourcedId": "r2"})
    assert len(stub.tokens) == 2
    assert len(stub.token_calls) == 3  # what it wants is remembered


@pytest.mark.parametrize(("secret", "times"), [("s3cr&t", 2), ("s3cret", 1)])
async def test_a_wrong_secret_is_tried_once_in_each_writing_that_differs(
    stub: StubSis, secret: str, times: int
) -> None:
    stub.token_script = lambda _request: web.json_response({"error": "invalid_client"}, status=401)
    async with stub.client(endpoint=replace(stub.endpoint, secret=secret)) as sis:
        with pytest.raises(CredentialError):
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert len(stub.token_calls) == times


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
        (403, {"error": "invalid_scope"}, PermissionRefusedError),
        (400, {"error": "unauthorized_client"}, PermissionRefusedError),
        (404, {}, ConfigurationError),
        (302, {}, ConfigurationError),
        (200, {}, ContractError),
        (200, {"access_token": "x", "token_type": "mac"}, ContractError),
        (200, {"access_token": "s3cr\r\nX-Admin: yes"}, ContractError),
        (500, {}, UnavailableError),
    ],
)
async def test_a_refused_token_stops_the_run(
    stub: StubSis, status: int, body: dict[str, Any], error: type[PassbackError]
) -> None:
    stub.token_script = lambda _request: web.json_response(body, status=status)
    async with stub.client(endpoint=replace(stub.endpoint, secret="s3cret")) as sis:
        with pytest.raises(error) as refused:
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert type(refused.value) is error
    assert "stub" in refused.value.where
    assert refused.value.mend
    assert "s3cr" not in str(refused.value)
    assert not stub.calls
    assert len(stub.token_calls) == (4 if status == 500 else 1)  # no retries against a locked door


async def test_a_page_of_html_in_place_of_a_token_points_to_the_address(stub: StubSis) -> None:
    stub.token_script = lambda _request: web.Response(text="<!doctype html><title>Log in</title>")
    async with stub.client() as sis:
        with pytest.raises(ContractError, match="holds no access_token") as refused:
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert "token_url" in refused.value.mend


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


def granting(*known: str) -> Any:
    """A token endpoint that knows some scopes and refuses all others (RFC 6749, 5.2)."""

    async def answer(request: web.Request) -> web.Response | None:
        form = await request.post()
        if set(str(form["scope"]).split()) <= set(known):
            return None
        return web.json_response({"error": "invalid_scope"}, status=400)

    return answer


async def test_a_sis_that_does_not_know_all_scopes_is_asked_once_more_for_those_that_are_needed(
    stub: StubSis, caplog: pytest.LogCaptureFixture
) -> None:
    needed = {f"{SCOPE}roster.readonly", f"{SCOPE}gradebook.readonly", f"{SCOPE}gradebook.createput"}
    stub.token_script, stub.expires_in = granting(*needed), 1e-6
    async with stub.client() as sis:
        await sis.put("result", "r1", {"sourcedId": "r1"})
        assert await sis.granted_scopes() == needed
    asked = [set(call.body["scope"].split()) for call in stub.token_calls]
    assert asked == [set(SKYWARD.scopes.split()), needed, needed]  # renewed without asking for too much again
    assert f"asked again without {SCOPE}roster-core.readonly" in caplog.text


async def test_scopes_that_are_refused_twice_are_a_missing_permission(stub: StubSis) -> None:
    stub.token_script = granting()
    async with stub.client() as sis:
        with pytest.raises(PermissionRefusedError, match="invalid_scope"):
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert len(stub.token_calls) == 2


async def test_scopes_of_which_none_is_known_to_be_needed_are_asked_for_once(stub: StubSis) -> None:
    stub.token_script = granting()
    async with stub.client(endpoint=replace(stub.endpoint, extra={"scope": "read write"})) as sis:
        with pytest.raises(PermissionRefusedError):
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert len(stub.token_calls) == 1


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({"writes": "put", "deletes": "no"}, set()),
        ({"writes": "post"}, {f"{SCOPE}gradebook.createpost"}),
        ({"deletes": "delete"}, {f"{SCOPE}gradebook.delete"}),
        ({"deletes": "tobedeleted"}, set()),
    ],
)
async def test_what_a_way_of_writing_needs_besides_is_asked_for(
    stub: StubSis, settings: dict[str, str], more: set[str]
) -> None:
    needed = {f"{SCOPE}roster.readonly", f"{SCOPE}gradebook.readonly", f"{SCOPE}gradebook.createput"}
    stub.token_script = granting(*needed, *more)
    plain = replace(SKYWARD, writes="put", deletes="no")
    for profile, extra in ((plain, settings), (replace(plain, **settings), {})):  # type: ignore[arg-type]
        stub.token_calls.clear()
        async with stub.client(profile=profile, endpoint=replace(stub.endpoint, extra=extra)) as sis:
            await sis.put("result", "r1", {"sourcedId": "r1"})
        asked = [set(call.body["scope"].split()) for call in stub.token_calls]
        assert asked == [set(SKYWARD.scopes.split()) | more, needed | more]


# --- A token that does not change ---


async def test_a_bearer_token_is_the_password_of_the_connection_and_needs_no_token_endpoint(
    stub: StubSis,
) -> None:
    async with stub.client(endpoint=replace(stub.endpoint, extra={"auth": "bearer"})) as sis:
        await sis.put("result", "r1", {"sourcedId": "r1"})
        assert await sis.granted_scopes() == set(SKYWARD.scopes.split())
        assert sis.requests == 1
    assert not stub.token_calls
    assert stub.calls[0].headers["Authorization"] == "Bearer s3cr&t"


async def test_a_bearer_token_that_is_refused_is_not_tried_twice(stub: StubSis) -> None:
    stub.script = lambda _request: web.Response(status=401)
    async with stub.client(endpoint=replace(stub.endpoint, extra={"auth": "bearer"})) as sis:
        with pytest.raises(CredentialError) as refused:
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert len(stub.calls) == 1
    assert "s3cr" not in str(refused.value)


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "Bearer x", "schlüssel"])
def test_a_password_that_is_no_token_is_refused_before_anything_is_sent(stub: StubSis, token: str) -> None:
    endpoint = replace(stub.endpoint, secret=token, extra={"auth": "bearer"})
    with pytest.raises(ConfigurationError, match="connection stub") as refused:
        stub.client(endpoint=endpoint)
    assert not token or token not in str(refused.value)


@pytest.mark.parametrize("way", ["oauth", "basic", "", None, 2, ["oauth1"]])
def test_a_way_of_being_known_that_does_not_exist_is_refused(stub: StubSis, way: Any) -> None:
    with pytest.raises(ConfigurationError, match="auth in its extra is none of 'oauth2', 'oauth1', 'bearer'"):
        stub.client(endpoint=replace(stub.endpoint, extra={"auth": way}))


@pytest.mark.parametrize(
    "extra",
    [
        {"token_url": "http://sis.example.org/token"},
        {"token_url": 17},
        {"token_auth": "header"},
        {"scope": ["read", "write"]},
    ],
)
async def test_a_setting_that_would_leak_or_means_nothing_is_refused(
    stub: StubSis, extra: dict[str, Any]
) -> None:
    async with stub.client(endpoint=replace(stub.endpoint, extra=extra)) as sis:
        with pytest.raises(ConfigurationError, match="connection stub"):
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert not stub.token_calls
