"""OAuth 1.0a as a server checks it: the steps of RFC 5849, 3.4, on what came over the wire."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, unquote_plus

import pytest
from aiohttp import web

from oneroster.stub_sis import SKYWARD, drop
from passback.errors import ConfigurationError, CredentialError
from passback.oneroster import Client, Decision, Filter

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneroster.stub_sis import StubSis
    from passback.connections import Endpoint

RECORD = {"sourcedId": "r1"}
HASHES = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}


def escaped(text: str) -> str:
    return quote(text, safe="~")


def told(request: web.Request) -> dict[str, str]:
    """What the Authorization header says."""
    header = request.headers["Authorization"]
    assert header.startswith("OAuth ")
    return {name: unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', header)}


def signature(request: web.Request, secret: str, *, decode: Callable[[str], str]) -> str:
    """The signature of a request, by a server that decodes a query as `decode` does."""
    said = told(request)
    path, _, query = request.raw_path.partition("?")
    pairs = [part.partition("=") for part in query.split("&") if part]
    parameters = [(decode(name), decode(value)) for name, _, value in pairs]
    parameters += [(name, value) for name, value in said.items() if name not in ("oauth_signature", "realm")]
    normal = "&".join(
        f"{name}={value}"
        for name, value in sorted((escaped(name), escaped(value)) for name, value in parameters)
    )
    base = "&".join(escaped(part) for part in (request.method, f"http://{request.host}{path}", normal))
    digest = hmac.new(f"{escaped(secret)}&".encode(), base.encode(), HASHES[said["oauth_signature_method"]])
    return b64encode(digest.digest()).decode()


class Guard:
    """Lets in who signs rightly and never with the same nonce; keeps what it was told."""

    def __init__(self, secret: str, then: Any = None) -> None:
        self.secret = secret
        self.then = then
        self.told: list[dict[str, str]] = []

    def __call__(self, request: web.Request) -> Any:
        said = told(request)
        right = {signature(request, self.secret, decode=decode) for decode in (unquote, unquote_plus)}
        if {said["oauth_signature"]} != right or said["oauth_nonce"] in {
            one["oauth_nonce"] for one in self.told
        }:
            return web.Response(status=401)
        self.told.append(said)
        return self.then(request) if self.then else None


def signing(stub: StubSis, **extra: Any) -> Endpoint:
    return replace(stub.endpoint, login="key+1/ä", extra={"auth": "oauth1", **extra})


@pytest.mark.parametrize(
    ("extra", "method"),
    [
        ({}, "HMAC-SHA256"),
        ({"signature": "HMAC-SHA256"}, "HMAC-SHA256"),
        ({"signature": "HMAC-SHA1"}, "HMAC-SHA1"),
    ],
)
async def test_every_request_is_signed_by_itself_and_no_token_is_asked_for(
    stub: StubSis, extra: dict[str, str], method: str
) -> None:
    guard = stub.script = Guard("s3cr&t")
    stub.collections["/classes"] = [RECORD]
    async with stub.client(endpoint=signing(stub, **extra)) as sis:
        assert (await sis.put("result", "it's/50% (new)~", RECORD)).decision is Decision.VERIFY
        assert [record async for record in sis.collection("/classes", "classes")] == [RECORD]
        assert await sis.granted_scopes() == set(SKYWARD.scopes.split())
    assert not stub.token_calls
    assert {said["oauth_signature_method"] for said in guard.told} == {method}
    assert {said["oauth_consumer_key"] for said in guard.told} == {"key+1/ä"}
    assert {said["oauth_version"] for said in guard.told} == {"1.0"}
    assert "oauth_body_hash" not in guard.told[0]
    assert "s3cr" not in str(stub.calls)


async def test_a_quote_and_a_space_in_a_query_are_signed_as_every_server_reads_them(stub: StubSis) -> None:
    asked: list[str] = []

    def listing(request: web.Request) -> None:
        asked.append(request.raw_path)

    stub.script = Guard("s3cr&t", listing)
    stub.collections["/categories"] = [{"sourcedId": "c", "title": "Quiz & Test ~ a+b"}]
    narrowed = [Filter("title", "=", "Quiz & Test ~ a+b"), Filter("status", "!=", "tobedeleted")]
    async with stub.client(endpoint=signing(stub)) as sis:
        found = [record async for record in sis.collection("/categories", "categories", filters=narrowed)]
    assert len(found) == 1
    assert "+" not in asked[0]
    assert "'" not in asked[0]
    assert (
        "filter=title%3D%27Quiz%20%26%20Test%20~%20a%2Bb%27%20AND%20status%21%3D%27tobedeleted%27" in asked[0]
    )


@pytest.mark.parametrize("fault", ["503", "dropped"])
async def test_every_attempt_has_a_nonce_of_its_own(stub: StubSis, fault: str) -> None:
    seen: list[str] = []

    def breaking(request: web.Request) -> web.Response | None:
        seen.append(told(request)["oauth_nonce"])
        if len(seen) != 2:  # the first one leaves a connection that is kept alive
            return None
        return web.Response(status=503) if fault == "503" else drop(request)

    stub.script = Guard("s3cr&t", breaking)
    async with stub.client(endpoint=signing(stub)) as sis:
        for name in ("r1", "r2"):
            assert (await sis.put("result", name, {"sourcedId": name})).decision is Decision.VERIFY
        assert sis.requests == 3
    assert len(set(seen)) == len(seen) == 3


@pytest.mark.parametrize(
    ("hours", "clock"), [(-2, "120 minutes behind"), (3, "180 minutes ahead of"), (0, ""), (None, "")]
)
async def test_a_401_says_where_the_two_clocks_are_too_far_apart(
    stub: StubSis, hours: int | None, clock: str
) -> None:
    def refuse(_request: web.Request) -> web.Response:
        date = (
            "now"
            if hours is None
            else format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
        )
        return web.Response(status=401, headers={"Date": date})

    stub.script = refuse
    async with stub.client(endpoint=signing(stub)) as sis:
        with pytest.raises(CredentialError) as refused:
            await sis.put("result", "r1", RECORD)
    assert len(stub.calls) == 1
    assert clock in str(refused.value)
    assert ("minutes" in str(refused.value)) is bool(clock)
    assert (SKYWARD.credential_renewal in refused.value.mend) is not bool(clock)


async def test_a_link_to_the_next_page_is_not_followed_but_signed_anew(stub: StubSis) -> None:
    def linked(request: web.Request) -> web.Response:
        first = request.query["offset"] == "0"
        headers = {"Link": '<http://elsewhere.example.org/x?offset=1>; rel="next"'} if first else {}
        return web.json_response({"classes": [{"sourcedId": request.query["offset"]}]}, headers=headers)

    stub.script = Guard(
        "s3cr&t", lambda request: linked(request) if request.query["offset"] in "01" else None
    )
    stub.collections["/classes"] = []
    async with stub.client(endpoint=signing(stub)) as sis:
        assert [record["sourcedId"] async for record in sis.collection("/classes", "classes")] == ["0", "1"]
    assert {call.path for call in stub.calls} == {"/classes"}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"extra": {"auth": "oauth1", "signature": "PLAINTEXT"}}, "signature in its extra is none of"),
        ({"extra": {"auth": "oauth1", "signature": "HMAC-SHA512"}}, "signature in its extra is none of"),
        ({"extra": {"auth": "oauth1", "version": "1.2"}}, "'oauth1', which OneRoster 1.2 has no more"),
        ({"login": ""}, "no login or no password"),
        ({"secret": ""}, "no login or no password"),
    ],
)
def test_what_cannot_be_signed_is_refused_before_anything_is_sent(
    stub: StubSis, changes: dict[str, Any], what: str
) -> None:
    with pytest.raises(ConfigurationError, match=what) as refused:
        Client(replace(signing(stub), **changes), SKYWARD)
    assert "connection stub" in str(refused.value)
    assert refused.value.mend
    assert "s3cr" not in str(refused.value)
