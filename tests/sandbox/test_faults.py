from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING

import pytest

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
