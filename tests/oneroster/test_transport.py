"""Headers that a vendor wants, and authorities that a district believes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from oneroster.conftest import signed
from oneroster.stub_sis import SKYWARD, StubSis, serving
from passback.connections import Endpoint
from passback.errors import ConfigurationError
from passback.oneroster import Client, Decision

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

KEY = "partner-1:s3cr3t"
VENDOR = {"headers": {"X-Vendor-Authorization": KEY}}


def configured(**extra: Any) -> Endpoint:
    return Endpoint("stub", "https://sis.example.org", "id", "hush", extra)


async def test_a_vendors_header_goes_along_with_every_request(stub: StubSis) -> None:
    stub.collections["/classes"] = []
    async with stub.client(endpoint=replace(stub.endpoint, extra=VENDOR)) as sis:
        await sis.put("result", "r1", {"sourcedId": "r1"})
        assert [record async for record in sis.collection("/classes", "classes")] == []
    calls = [*stub.token_calls, *stub.calls]
    assert [call.headers["X-Vendor-Authorization"] for call in calls] == [KEY] * 3
    assert stub.calls[0].headers["Authorization"] == "Bearer token-1"


@pytest.mark.parametrize("name", ["User-Agent", "user-agent"])
async def test_a_vendor_may_name_the_agent(stub: StubSis, name: str) -> None:
    async with stub.client(endpoint=replace(stub.endpoint, extra={"headers": {name: "district-17"}})) as sis:
        await sis.put("result", "r1", {"sourcedId": "r1"})
    async with stub.client() as sis:
        await sis.put("result", "r1", {"sourcedId": "r1"})
    agents = [call.headers.getall("User-Agent") for call in stub.calls]
    assert agents == [["district-17"], ["passback"]]


async def test_a_vendors_header_does_not_go_to_a_token_endpoint_on_another_host(stub: StubSis) -> None:
    async with serving(StubSis()) as elsewhere:
        extra = {**VENDOR, "token_url": f"{elsewhere.url}/token"}
        async with stub.client(endpoint=replace(stub.endpoint, extra=extra)) as sis:
            await sis.put("result", "r1", {"sourcedId": "r1"})
    assert "X-Vendor-Authorization" not in elsewhere.token_calls[0].headers
    assert stub.calls[0].headers["X-Vendor-Authorization"] == KEY


@pytest.mark.parametrize(
    "headers",
    [
        [KEY],
        KEY,
        None,
        {"X Vendor": KEY},
        {"": KEY},
        {"X-Vendor:": KEY},
        {"Authorization": KEY},
        {"authorization": KEY},
        {"HOST": KEY},
        {"Content-Length": KEY},
        {"Transfer-Encoding": KEY},
        {"Cookie": KEY},
        {"X-Vendor": f"{KEY}\r\nX-Other: 1"},
        {"X-Vendor": f"{KEY}\n"},
        {"X-Vendor": f"{KEY}ü"},
        {"X-Vendor": ""},
        {"X-Vendor": 17},
        {"X-Vendor": None},
    ],
)
def test_a_header_that_is_none_or_is_not_a_vendors_to_set_is_refused_without_telling_it(headers: Any) -> None:
    with pytest.raises(ConfigurationError, match="connection stub, headers in its extra") as refused:
        Client(configured(headers=headers), SKYWARD)
    assert refused.value.mend
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize("settings", [VENDOR, {"auth": "bearer"}, {"auth": "oauth1"}])
def test_no_secret_stands_in_what_a_client_shows_of_itself(settings: dict[str, Any]) -> None:
    sis = Client(configured(**settings), SKYWARD)
    shown = f"{sis!r} {sis._auth!r} {vars(sis._auth)}" if settings is VENDOR else f"{sis!r} {sis._auth!r}"
    assert "hush" not in shown
    assert "s3cr3t" not in shown


# --- Certificates ---


@pytest.mark.parametrize("named", [1, 2])
async def test_a_district_may_name_the_authorities_that_signed_its_sis(tmp_path: Path, named: int) -> None:
    authorities = [signed(f"Authority {number}", authority=True) for number in range(2)]
    bundle = tmp_path / "authorities.pem"
    bundle.write_bytes(b"".join(authority.pem for authority in authorities[:named]))
    tls = signed("127.0.0.1", by=authorities[-1]).serving(tmp_path / "sis.pem")
    async with serving(StubSis(), tls) as stub:
        endpoint = replace(stub.endpoint, extra={"ca_bundle": str(bundle)})
        async with stub.client(endpoint=endpoint) as sis:
            with nullcontext() if named == 2 else pytest.raises(ConfigurationError, match="certificate"):
                assert (await sis.put("result", "r1", {"sourcedId": "r1"})).decision is Decision.VERIFY


async def test_a_certificate_that_signed_itself_is_believed_where_the_district_names_it(
    self_signed: ssl.SSLContext, tmp_path: Path
) -> None:
    async with serving(StubSis(), self_signed) as stub:
        endpoint = replace(stub.endpoint, extra={"ca_bundle": str(tmp_path / "sis.pem")})
        async with stub.client(endpoint=endpoint) as sis:
            assert (await sis.put("result", "r1", {"sourcedId": "r1"})).decision is Decision.VERIFY


async def test_the_name_in_a_certificate_is_checked_also_where_its_authority_is_believed(
    self_signed: ssl.SSLContext, tmp_path: Path
) -> None:
    async with serving(StubSis(), self_signed) as stub:
        url = stub.url.replace("127.0.0.1", "localhost")
        endpoint = replace(stub.endpoint, base_url=url, extra={"ca_bundle": str(tmp_path / "sis.pem")})
        async with stub.client(endpoint=endpoint) as sis:
            with pytest.raises(ConfigurationError, match="certificate"):
                await sis.put("result", "r1", {"sourcedId": "r1"})
    assert not stub.token_calls


@pytest.mark.parametrize(
    ("bundle", "what"),
    [
        ("missing.pem", "cannot be read: No such file"),
        ("", "is no path"),
        (None, "is no path"),
        (True, "is no path"),
        ("a\0b", "is no path"),
        ("folder", "cannot be read"),
        ("empty.pem", "no file of certificates in PEM"),
    ],
)
def test_a_file_that_vouches_for_nobody_is_refused(tmp_path: Path, bundle: Any, what: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.pem").write_text("nothing")
    named = str(tmp_path / bundle) if isinstance(bundle, str) and bundle else bundle
    with pytest.raises(ConfigurationError, match=what) as refused:
        Client(configured(ca_bundle=named), SKYWARD)
    assert "connection stub, ca_bundle" in str(refused.value)
    assert refused.value.mend
