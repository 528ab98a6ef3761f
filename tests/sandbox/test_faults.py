from __future__ import annotations

import http.client
import json
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest

from sandbox_process import request
from sandbox_records import line_item, result

if TYPE_CHECKING:
    from sandbox_process import SandboxProcess

BROKEN = (http.client.HTTPException, ConnectionError)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_status_on_order_comes_with_its_retry_after(sandbox: SandboxProcess, status: int) -> None:
    sandbox.fault("sis", "status", status=status, retry_after=2, times=1)
    reply = sandbox.sis("GET", "/categories")
    assert (reply.status, reply.headers["retry-after"]) == (status, "2")
    assert reply.json["imsx_codeMajor"] == "failure"
    assert sandbox.sis("GET", "/categories").status == 200


def test_a_fault_waits_for_its_turn_and_strikes_as_often_as_ordered(sandbox: SandboxProcess) -> None:
    sandbox.fault("feed", "status", status=500, after=1, times=2)
    assert [sandbox.feed("/classes").status for _ in range(4)] == [200, 500, 500, 200]


def test_a_fault_strikes_only_what_it_is_meant_for(sandbox: SandboxProcess) -> None:
    sandbox.fault("sis", "status", status=500, match={"method": "PUT", "path": "/lineItems/"})
    assert sandbox.sis("GET", "/lineItems").status == 200
    assert sandbox.sis("PUT", "/results/r-1", result()).status == 422
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox)).status == 500
    sandbox.lift_faults()
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox)).status == 201


@pytest.mark.parametrize("kind", ["drop", "down", "truncate"])
def test_a_broken_connection_is_broken(sandbox: SandboxProcess, kind: str) -> None:
    sandbox.fault("feed", kind)
    for _ in range(2):
        with pytest.raises(BROKEN):
            sandbox.feed("/classes")
    sandbox.lift_faults()
    assert sandbox.feed("/classes").status == 200


def test_a_sis_that_is_down_gives_no_token_either(sandbox: SandboxProcess) -> None:
    sandbox.fault("sis", "down")
    with pytest.raises(BROKEN):
        sandbox.new_token()
    assert sandbox.feed("/classes").status == 200


def test_an_empty_feed_has_no_items_and_a_total_of_zero(sandbox: SandboxProcess) -> None:
    sandbox.fault("feed", "empty")
    page = sandbox.feed("/scores").json
    assert (page["items"], page["total"], page["next"]) == ([], 0, None)


def test_html_and_a_bad_item_are_not_what_the_contract_says(sandbox: SandboxProcess) -> None:
    sandbox.fault("feed", "html", times=1)
    assert sandbox.feed("/classes").text.startswith("<!DOCTYPE html>")
    sandbox.fault("feed", "bad-item", times=1)
    items = sandbox.feed("/classes").json["items"]
    assert "id" not in items[0]
    assert "id" in items[1]


def test_a_slow_answer_comes_late_and_holds_nobody_else_up(sandbox: SandboxProcess) -> None:
    sandbox.fault("feed", "slow", seconds=0.3, times=1)
    began = time.monotonic()
    assert sandbox.feed("/classes").status == 200
    assert time.monotonic() - began >= 0.3


def test_store_nothing_accepts_and_keeps_nothing(sandbox: SandboxProcess) -> None:
    sandbox.fault("sis", "store-nothing", match={"method": "PUT"}, times=1)
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox)).status == 201
    assert sandbox.sis("GET", "/lineItems/li-1").status == 404
    (write,) = sandbox.writes()
    assert (write["status"], write["stored"], write["fault"]) == (201, False, "store-nothing")


def test_an_error_after_the_commit_has_stored(sandbox: SandboxProcess) -> None:
    sandbox.fault("sis", "error-after-commit", status=502, times=1)
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox)).status == 502
    assert sandbox.sis("GET", "/lineItems/li-1").status == 200


def test_a_lost_answer_has_stored(sandbox: SandboxProcess) -> None:
    sandbox.sis("GET", "/categories")
    sandbox.fault("sis", "drop-after-commit", times=1)
    with pytest.raises(BROKEN):
        sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    assert sandbox.sis("GET", "/lineItems/li-1").status == 200
    (write,) = sandbox.writes()
    assert (write["stored"], write["fault"]) == (True, "drop-after-commit")


def test_revoked_tokens_are_refused_and_a_new_one_is_not(sandbox: SandboxProcess) -> None:
    token = sandbox.new_token().json["access_token"]
    sandbox.fault("sis", "revoke-tokens", after=1)
    assert [sandbox.sis("GET", "/categories", token=token).status for _ in range(3)] == [200, 401, 401]
    token = sandbox.new_token().json["access_token"]
    assert sandbox.sis("GET", "/categories", token=token).status == 200


def test_a_bad_secret_is_an_invalid_client(sandbox: SandboxProcess) -> None:
    sandbox.fault("token", "bad-secret")
    reply = sandbox.new_token()
    assert (reply.status, reply.json["error"]) == (401, "invalid_client")


def test_waiting_faults_are_listed_and_lifted(sandbox: SandboxProcess) -> None:
    sandbox.fault("feed", "drop", times=3)
    (waiting,) = sandbox.control("GET", "/faults")["faults"]
    assert (waiting["side"], waiting["kind"], waiting["times"]) == ("feed", "drop", 3)
    sandbox.lift_faults()
    assert sandbox.control("GET", "/faults")["faults"] == []


# --- Broken, slow and late ---


@pytest.mark.parametrize(
    ("kind", "then"), [("connection-reset", 404), ("reset-after-commit", 200)], ids=["before", "after"]
)
def test_a_connection_is_reset_before_or_after_the_commit(
    sandbox: SandboxProcess, kind: str, then: int
) -> None:
    sandbox.sis("GET", "/categories")
    sandbox.fault("sis", kind, times=1)
    with pytest.raises(ConnectionResetError):
        sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    assert sandbox.sis("GET", "/lineItems/li-1").status == then
    (write,) = sandbox.writes()
    assert (write["stored"], write["fault"]) == (then == 200, kind)


def test_malformed_json_comes_under_200_and_what_was_asked_is_done(sandbox: SandboxProcess) -> None:
    sandbox.fault("sis", "malformed", times=3)
    replies = [
        sandbox.sis("GET", "/categories"),
        sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox)),
        sandbox.sis("DELETE", "/lineItems/li-1"),
    ]
    for reply in replies:
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
        with pytest.raises(ValueError, match=r"."):
            json.loads(reply.text)
    assert [write["stored"] for write in sandbox.writes()] == [True, True]


def test_a_slow_body_is_whole_at_last(sandbox: SandboxProcess) -> None:
    usual = sandbox.sis("GET", "/categories")
    sandbox.fault("sis", "slow-body", seconds=0.2, times=2)
    began = time.monotonic()
    assert sandbox.sis("GET", "/categories").json == usual.json
    assert time.monotonic() - began >= 0.2
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    assert sandbox.sis("DELETE", "/lineItems/li-1").status == 204


def late(sandbox: SandboxProcess) -> int:
    """How many late commits are under way."""
    under_way: int = sandbox.control("GET", "/faults")["late"]
    return under_way


def give_up(sandbox: SandboxProcess, path: str, body: dict[str, Any]) -> None:
    """A PUT by a client that waits for a tenth of a second."""
    info = sandbox.info()["sis"]
    token = sandbox.new_token().json["access_token"]
    with pytest.raises(TimeoutError):
        request("PUT", info["base_url"] + path, body, {"Authorization": f"Bearer {token}"}, timeout=0.1)


def test_a_late_commit_stores_after_the_client_gave_up(sandbox: SandboxProcess) -> None:
    sandbox.fault("sis", "late-commit", seconds=0.4, times=1)
    give_up(sandbox, "/lineItems/li-1", line_item(sandbox))
    assert late(sandbox) == 1
    assert sandbox.sis("GET", "/lineItems/li-1").status == 404
    while late(sandbox):
        time.sleep(0.01)
    assert sandbox.sis("GET", "/lineItems/li-1").status == 200
    (write,) = sandbox.writes()
    assert (write["stored"], write["fault"]) == (True, "late-commit")


def test_a_late_commit_does_not_reach_a_state_that_was_put_back(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "/snapshot")
    sandbox.fault("sis", "late-commit", seconds=0.3, times=1)
    give_up(sandbox, "/lineItems/li-1", line_item(sandbox))
    sandbox.control("POST", "/restore")
    while late(sandbox):
        time.sleep(0.01)
    assert sandbox.dump()["lineItems"] == []


# --- Answers that lie ---


def test_retry_after_may_be_a_date_by_the_clock_of_the_sis(sandbox: SandboxProcess) -> None:
    sandbox.control("PATCH", "/settings", {"clock_skew_seconds": 600})
    sandbox.fault("sis", "status", status=429, retry_after=30, retry_after_date=True, times=1)
    headers = sandbox.sis("GET", "/categories").headers
    wait = parsedate_to_datetime(headers["retry-after"]) - parsedate_to_datetime(headers["date"])
    assert 29 <= wait.total_seconds() <= 32


def test_the_total_may_be_wrong(sandbox: SandboxProcess) -> None:
    sandbox.fault("sis", "wrong-total", total=3, times=1)
    reply = sandbox.sis("GET", "/categories")
    assert (reply.headers["x-total-count"], len(reply.json["categories"])) == ("3", 8)


def test_pages_may_be_smaller_than_was_asked_for(sandbox: SandboxProcess) -> None:
    sandbox.fault("sis", "cap-pages", items=3)
    first = sandbox.sis("GET", "/categories?limit=100")
    rest = sandbox.sis("GET", "/categories?limit=2&offset=6")
    assert [len(reply.json["categories"]) for reply in (first, rest)] == [3, 2]
    assert first.headers["x-total-count"] == "8"
    assert 'offset=3>; rel="next"' in first.headers["link"]


def test_the_offset_may_be_ignored(sandbox: SandboxProcess) -> None:
    first = sandbox.sis("GET", "/categories?limit=3").json
    sandbox.fault("sis", "ignore-offset")
    assert sandbox.sis("GET", "/categories?limit=3&offset=3").json == first


def test_expired_tokens_are_refused_and_a_new_one_is_not(sandbox: SandboxProcess) -> None:
    token = sandbox.new_token().json["access_token"]
    sandbox.fault("sis", "expire-tokens")
    assert sandbox.sis("GET", "/categories", token=token).status == 401
    token = sandbox.new_token().json["access_token"]
    assert sandbox.sis("GET", "/categories", token=token).status == 200


@pytest.mark.parametrize(
    "order",
    [
        {"kind": "cap-pages", "items": 0},
        {"kind": "partial-bulk", "stores": -1},
        {"kind": "status", "status": 429, "retry_after_date": "yes"},
        {"kind": "wrong-total", "totals": 1},
    ],
    ids=lambda order: order["kind"],
)
def test_an_order_that_means_nothing_is_refused(sandbox: SandboxProcess, order: dict[str, Any]) -> None:
    assert request("POST", f"{sandbox.url}/control/faults", {"side": "sis"} | order).status == 422
