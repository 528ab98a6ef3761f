"""How a SIS lets callers in and takes writes, by settings."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

import sandbox_records
from sandbox.oauth1 import base_string
from sandbox.siss import SISS
from sandbox_process import request, start_sandbox
from sandbox_records import CLASS, STUDENT, code_minor, line_item, reference, result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox_process import Reply, SandboxProcess


@pytest.fixture(scope="module")
def generic_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("generic"), sis="generic", modules="AAA") as sandbox:
        sandbox.control("POST", "/snapshot")
        yield sandbox


@pytest.fixture
def generic(generic_process: SandboxProcess) -> SandboxProcess:
    generic_process.control("POST", "/restore")
    return generic_process


def choose(sandbox: SandboxProcess, **settings: Any) -> dict[str, Any]:
    """Change settings; the extra of the connection that follows from them."""
    sandbox.control("PATCH", "/settings", settings)
    extra: dict[str, Any] = sandbox.info()["connections"]["sis"]["extra"]
    return extra


# --- Letting callers in ---


def test_at_first_callers_come_with_a_token_of_oauth_2(sandbox: SandboxProcess) -> None:
    extra = sandbox.info()["connections"]["sis"]["extra"]
    assert extra["token_url"] == f"{sandbox.url}/token"
    assert set(extra) == {"base_path", "token_url", "token_auth", "scope"}


def signed(
    sandbox: SandboxProcess, path: str, query: str = "", *, method: str = "HMAC-SHA256", **changes: str
) -> str:
    """An Authorization header for a GET, signed as RFC 5849 says, with changes made before the signing."""
    sis = sandbox.info()["sis"]
    address = urlsplit(sis["base_url"])
    parameters = {
        "oauth_consumer_key": sis["client_id"],
        "oauth_nonce": uuid.uuid4().hex,
        "oauth_signature_method": method,
        "oauth_timestamp": str(int(time.time())),
        "oauth_version": "1.0",
    } | changes
    every = [*parameters.items(), *parse_qsl(query, keep_blank_values=True)]
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in every)
    normal = "&".join(f"{name}={value}" for name, value in pairs)
    uri = f"http://{address.netloc}{address.path}{path}"
    text = f"GET&{quote(uri, safe='')}&{quote(normal, safe='')}"
    digest = hashlib.sha1 if method == "HMAC-SHA1" else hashlib.sha256
    key = quote(sis["client_secret"], safe="") + "&"
    parameters["oauth_signature"] = base64.b64encode(
        hmac.new(key.encode(), text.encode(), digest).digest()
    ).decode()
    return "OAuth " + ", ".join(f'{name}="{quote(value, safe="")}"' for name, value in parameters.items())


def ask(sandbox: SandboxProcess, path: str, authorization: str, query: str = "", **headers: str) -> Reply:
    url = sandbox.info()["sis"]["base_url"] + path + (f"?{query}" if query else "")
    return request("GET", url, headers={"Authorization": authorization} | headers)


def test_the_base_string_is_that_of_rfc_5849() -> None:
    parameters = [
        ("b5", "=%3D"),
        ("a3", "a"),
        ("c@", ""),
        ("a2", "r b"),
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
        ("c2", ""),
        ("a3", "2 q"),
    ]
    assert base_string("POST", "http://example.com/request", parameters) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c"
        "%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a"
        "%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


QUERIES = {
    "none": "",
    "plain": "limit=5&offset=0",
    "escaped_quotes": "filter=title%3D%27Quiz%27",
    "spaces_and_signs": "filter=title%3D%27a%20b%26c%2Bd%C3%A9~%27",
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
@pytest.mark.parametrize("method", ["HMAC-SHA256", "HMAC-SHA1"])
def test_a_signed_request_passes(sandbox: SandboxProcess, method: str, query: str) -> None:
    extra = choose(sandbox, auth="oauth1", oauth1_signature=method)
    assert (extra["auth"], extra["signature"]) == ("oauth1", method)
    assert "token_url" not in extra
    reply = ask(sandbox, "/categories", signed(sandbox, "/categories", query, method=method), query)
    assert reply.status == 200, reply.text


REFUSED = {
    "another_key": ({"oauth_consumer_key": "somebody"}, 401),
    "a_late_timestamp": ({"oauth_timestamp": str(int(time.time()) - 4000)}, 401),
    "no_timestamp": ({"oauth_timestamp": "soon"}, 400),
    "another_version": ({"oauth_version": "2.0"}, 400),
    "an_empty_nonce": ({"oauth_nonce": ""}, 400),
}


@pytest.mark.parametrize(("changes", "status"), REFUSED.values(), ids=REFUSED)
def test_a_signed_request_that_is_not_right_is_refused(
    sandbox: SandboxProcess, changes: dict[str, str], status: int
) -> None:
    choose(sandbox, auth="oauth1")
    reply = ask(sandbox, "/categories", signed(sandbox, "/categories", **changes))
    assert (reply.status, reply.headers["www-authenticate"]) == (status, 'OAuth realm="sandbox"')


def test_a_replayed_nonce_another_query_and_another_method_are_refused(sandbox: SandboxProcess) -> None:
    choose(sandbox, auth="oauth1")
    header = signed(sandbox, "/categories", "limit=5")
    assert [ask(sandbox, "/categories", header, "limit=5").status for _ in range(2)] == [200, 401]
    assert ask(sandbox, "/categories", signed(sandbox, "/categories", "limit=5"), "limit=6").status == 401
    sha1 = signed(sandbox, "/categories", method="HMAC-SHA1")
    assert ask(sandbox, "/categories", sha1).status == 401
    choose(sandbox, oauth1_signature="any")
    sha1 = signed(sandbox, "/categories", method="HMAC-SHA1")
    assert ask(sandbox, "/categories", sha1).status == 200


def test_the_timestamp_counts_by_the_clock_of_the_sis(sandbox: SandboxProcess) -> None:
    choose(sandbox, auth="oauth1", clock_skew_seconds=3600)
    reply = ask(sandbox, "/categories", signed(sandbox, "/categories"))
    assert reply.status == 401
    ahead = signed(sandbox, "/categories", oauth_timestamp=str(int(time.time()) + 3600))
    assert ask(sandbox, "/categories", ahead).status == 200


@pytest.mark.parametrize("auth", ["oauth1", "bearer"])
def test_without_oauth_2_there_are_no_access_tokens(sandbox: SandboxProcess, auth: str) -> None:
    token = sandbox.new_token().json["access_token"]
    choose(sandbox, auth=auth)
    assert ask(sandbox, "/categories", f"Bearer {token}").status == 401
    url = sandbox.info()["sis"]["token_url"]
    assert request("POST", url, "grant_type=client_credentials").status == 404


def test_a_static_token_is_the_password_of_the_connection(sandbox: SandboxProcess) -> None:
    assert choose(sandbox, auth="bearer") == {"base_path": "/ims/oneroster/v1p1", "auth": "bearer"}
    connection = sandbox.info()["connections"]["sis"]
    assert "login" not in connection
    assert ask(sandbox, "/categories", f"Bearer {connection['password']}").status == 200
    assert ask(sandbox, "/categories", "Bearer wrong").status == 401
    assert ask(sandbox, "/categories", connection["password"]).status == 401


def test_every_request_must_carry_the_header_of_the_vendor(sandbox: SandboxProcess) -> None:
    header = {"name": "X-Vendor-Authorization", "value": "key:secret"}
    extra = choose(sandbox, vendor_header=header)
    assert extra["headers"] == {"X-Vendor-Authorization": "key:secret"}
    token = f"Bearer {sandbox.new_token().json['access_token']}"
    assert ask(sandbox, "/categories", token).status == 401
    assert ask(sandbox, "/categories", token, **extra["headers"]).status == 200
    assert "headers" not in choose(sandbox, vendor_header={})
    assert ask(sandbox, "/categories", token).status == 200


WRONG = [
    {"auth": "basic"},
    {"oauth1_signature": "PLAINTEXT"},
    {"vendor_header": {"name": "X"}},
    {"vendor_header": {"name": "X", "value": ""}},
    {"writes": "post"},  # 1.1 has no POST
    {"deletes": ""},
    {"lenient": "yes"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_setting_that_does_not_exist_is_refused(sandbox: SandboxProcess, wrong: dict[str, Any]) -> None:
    before = sandbox.info()["sis"]["settings"]
    assert request("PATCH", f"{sandbox.url}/control/settings", wrong).status == 422
    assert sandbox.info()["sis"]["settings"] == before


def test_1_2_has_no_oauth_1(generic: SandboxProcess) -> None:
    assert request("PATCH", f"{generic.url}/control/settings", {"auth": "oauth1"}).status == 422


# --- Ids that the SIS allots ---


def test_a_put_needs_an_id_unless_the_sis_allots_them(sandbox: SandboxProcess) -> None:
    reply = sandbox.sis("PUT", "/lineItems", line_item(sandbox))
    assert (reply.status, code_minor(reply)) == (405, "unsupportedoperation")


def test_a_put_without_an_id_is_answered_with_the_allotted_one(sandbox: SandboxProcess) -> None:
    assert choose(sandbox, writes="put_without_id")["writes"] == "put_without_id"
    private = {"passback": "ours"}
    reply = sandbox.sis("PUT", "/lineItems", line_item(sandbox, ..., metadata=private))  # type: ignore[arg-type]
    assert reply.status == 201
    allotted = reply.json["lineItem"]["sourcedId"]
    (held,) = sandbox.sis("GET", f"/classes/{CLASS}/lineItems").json["lineItems"]
    assert (held["sourcedId"], held["metadata"]) == (allotted, private)
    assert uuid.UUID(allotted)
    of_it = reference("lineItem", allotted)
    first = sandbox.sis("PUT", "/results", result(..., lineItem=of_it)).json["result"]  # type: ignore[arg-type]
    again = sandbox.sis("PUT", "/results", result(..., lineItem=of_it)).json["result"]  # type: ignore[arg-type]
    assert first["sourcedId"] != again["sourcedId"]  # it is not idempotent
    assert {write["sourced_id"] for write in sandbox.writes()} == {
        allotted,
        first["sourcedId"],
        again["sourcedId"],
    }


@pytest.mark.parametrize("writes", ["put_without_id", "post"])
def test_a_sis_that_allots_ids_replaces_what_it_holds_and_knows_no_other_id(
    generic: SandboxProcess, writes: str
) -> None:
    choose(generic, writes=writes)
    body = item_1_2(generic)
    assert generic.sis("PUT", "/lineItems/li-1", body).status == 404
    posted = generic.sis("POST", f"/classes/{CLASS_1_2}/lineItems", {"lineItems": [body["lineItem"]]})
    allotted = posted.json["sourcedIdPairs"][0]["allocatedSourcedId"]
    body["lineItem"] |= {"sourcedId": allotted, "title": "Changed"}
    assert generic.sis("PUT", f"/lineItems/{allotted}", body).status == 201
    assert generic.sis("GET", f"/lineItems/{allotted}").json["lineItem"]["title"] == "Changed"


def test_an_allotted_id_may_come_in_a_list(sandbox: SandboxProcess) -> None:
    choose(sandbox, writes="put_without_id", allotted_as="list")
    (record,) = sandbox.sis("PUT", "/lineItems", line_item(sandbox)).json["lineItem"]
    assert sandbox.sis("GET", f"/lineItems/{record['sourcedId']}").status == 200


def test_a_refused_put_without_an_id_leaves_nothing(sandbox: SandboxProcess) -> None:
    choose(sandbox, writes="put_without_id")
    assert sandbox.sis("PUT", "/lineItems", line_item(sandbox, title="")).status == 422
    assert sandbox.dump()["lineItems"] == []


def test_metadata_may_be_lost(sandbox: SandboxProcess) -> None:
    choose(sandbox, drops_metadata=True)
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox, metadata={"passback": "ours"}))
    assert "metadata" not in sandbox.sis("GET", "/lineItems/li-1").json["lineItem"]


CLASS_1_2 = "1001-01"
STUDENTS_1_2 = (STUDENT, "90028400", "90031604", "90032885")


def item_1_2(sandbox: SandboxProcess, **changes: Any) -> dict[str, Any]:
    own = {"class": reference("class", CLASS_1_2), "school": reference("org", "101"), "gradingPeriod": ...}
    return line_item(sandbox, **own | changes)


BULK = {  # what is ordered: how many are stored, how many ids are answered
    "half_unless_said": ({}, 2, 2),
    "some": ({"stores": 3}, 3, 3),
    "none": ({"stores": 0}, 0, 0),
    "stored_and_not_answered": ({"stores": 4, "answers": 1}, 4, 1),
    "answered_and_not_stored": ({"stores": 1, "answers": 4}, 1, 4),
    "more_than_there_are": ({"stores": 9, "answers": 9}, 4, 4),
}


@pytest.mark.parametrize(("order", "stored", "answered"), BULK.values(), ids=BULK)
def test_a_list_may_be_stored_and_answered_in_part(
    generic: SandboxProcess, order: dict[str, int], stored: int, answered: int
) -> None:
    generic.sis("PUT", "/lineItems/li-1", item_1_2(generic))
    bodies = [
        result(f"r-{student}", student=reference("user", student))["result"] for student in STUDENTS_1_2
    ]
    generic.fault("sis", "partial-bulk", times=1, **order)
    reply = generic.sis("POST", "/lineItems/li-1/results", {"results": bodies})
    pairs = reply.json["sourcedIdPairs"]
    assert (reply.status, len(pairs)) == (201, answered)
    held = {record["sourcedId"]: record["student"]["sourcedId"] for record in generic.dump()["results"]}
    assert set(held.values()) == set(STUDENTS_1_2[:stored])
    for pair in pairs[: min(stored, answered)]:
        assert pair["suppliedSourcedId"] == f"r-{held[pair['allocatedSourcedId']]}"
    logged = {write["sourced_id"] for write in generic.writes() if write["method"] == "POST"}
    assert logged - {""} == set(held)


# --- Taking back ---


def test_nothing_is_deleted_where_deletes_is_no(sandbox: SandboxProcess) -> None:
    assert choose(sandbox, deletes="no")["deletes"] == "no"
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    assert sandbox.sis("DELETE", "/lineItems/li-1").status == 405
    assert len(sandbox.dump()["lineItems"]) == 1


@pytest.mark.parametrize("keeps_removed", [False, True], ids=["gone", "kept"])
def test_a_put_of_status_tobedeleted_removes(sandbox: SandboxProcess, *, keeps_removed: bool) -> None:
    choose(sandbox, deletes="tobedeleted", keeps_removed=keeps_removed)
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    sandbox.sis("PUT", "/results/r-1", result())
    assert sandbox.sis("DELETE", "/results/r-1").status == 405
    for path, body in (
        ("/results/r-1", result(status="tobedeleted")),
        ("/lineItems/li-1", line_item(sandbox, status="tobedeleted")),
    ):
        assert sandbox.sis("PUT", path, body).status == 200
        reply = sandbox.sis("GET", path)
        assert reply.status == (200 if keeps_removed else 404)
        if keeps_removed:
            (record,) = reply.json.values()
            assert record["status"] == "tobedeleted"
    refused = sandbox_records.refusal(sandbox.sis("PUT", "/results/r-2", result("r-2")))
    assert refused == "lineItem: does not exist."


def test_removing_a_line_item_removes_its_results(sandbox: SandboxProcess) -> None:
    choose(sandbox, keeps_removed=True)
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    sandbox.sis("PUT", "/results/r-1", result())
    assert sandbox.sis("DELETE", "/lineItems/li-1").status == 204
    assert sandbox.sis("GET", "/results/r-1").json["result"]["status"] == "tobedeleted"


def test_what_is_not_there_cannot_be_taken_back(sandbox: SandboxProcess) -> None:
    choose(sandbox, deletes="tobedeleted")
    body = line_item(sandbox, status="tobedeleted")
    assert sandbox.sis("PUT", "/lineItems/li-1", body).status == 404


def test_a_line_item_that_could_no_longer_be_written_can_still_be_taken_back(sandbox: SandboxProcess) -> None:
    choose(sandbox, deletes="tobedeleted")
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    sandbox.control("PATCH", "/sis/periods/9203", {"status": "closed"})
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox)).status == 422
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox, status="tobedeleted")).status == 200


# --- Categories ---


def category(sourced_id: str = "309") -> dict[str, Any]:
    return {"category": {"sourcedId": sourced_id, **sandbox_records.STAMP, "title": "Essay"}}


def test_categories_are_taken_where_the_settings_say_so(
    sandbox: SandboxProcess, generic: SandboxProcess
) -> None:
    assert sandbox.sis("PUT", "/categories/309", category()).status == 403
    choose(sandbox, takes_categories=True)
    assert [sandbox.sis("PUT", "/categories/309", category()).status for _ in range(2)] == [201, 200]
    using_it = line_item(sandbox, category=reference("category", "309"))
    assert sandbox.sis("PUT", "/lineItems/li-1", using_it).status == 201
    assert generic.sis("PUT", "/categories/309", category()).status == 201
    choose(generic, takes_categories=False)
    assert generic.sis("PUT", "/categories/310", category("310")).status == 403
    assert generic.sis("DELETE", "/categories/309").status == 403


# --- Records that say less ---


BARE = {"status": ..., "dateLastModified": ..., "class": {"sourcedId": CLASS}}


def test_a_strict_sis_refuses_a_bare_record_and_a_lenient_one_completes_it(sandbox: SandboxProcess) -> None:
    bare = line_item(sandbox, **BARE, category={"sourcedId": "305"}, gradingPeriod=...)
    assert sandbox.sis("PUT", "/lineItems/li-1", bare).status == 422
    choose(sandbox, lenient=True)
    assert sandbox.sis("PUT", "/lineItems/li-1", bare).status == 201
    held = sandbox.sis("GET", "/lineItems/li-1").json["lineItem"]
    assert held["status"] == "active"
    assert held["class"] == {
        "href": f"{sandbox.info()['sis']['base_url']}/classes/{CLASS}",
        "sourcedId": CLASS,
        "type": "class",
    }
    assert held["gradingPeriod"]["sourcedId"] == "9203"
    later = result(status=..., dateLastModified=..., scoreDate="2026-11-22T20:00:00.000Z", comment="")
    later["result"] |= {"lineItem": {"sourcedId": "li-1"}, "student": {"sourcedId": STUDENT}}
    assert sandbox.sis("PUT", "/results/r-1", later).status == 201
    assert sandbox.sis("GET", "/results/r-1").json["result"]["scoreDate"] == "2026-11-22"


STILL_REFUSED = {
    "an_unknown_field": {"shoe": 1},
    "a_wrong_type": {"class": {"sourcedId": CLASS, "type": "course"}},
    "an_unknown_class": {"class": {"sourcedId": "none"}},
    "a_title_too_long": {"title": "x" * 50},
    "an_unknown_status": {"status": "gone"},
}


@pytest.mark.parametrize("change", STILL_REFUSED.values(), ids=STILL_REFUSED)
def test_a_lenient_sis_does_not_take_what_is_wrong(sandbox: SandboxProcess, change: dict[str, Any]) -> None:
    choose(sandbox, lenient=True)
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox, **change)).status == 422


def test_only_the_generic_sis_is_lenient_at_first(tmp_path: Path) -> None:
    for sis in SISS:
        with start_sandbox(tmp_path / sis, strict=False, sis=sis, modules="AAA") as sandbox:
            assert sandbox.info()["sis"]["settings"]["lenient"] is (sis == "generic")
