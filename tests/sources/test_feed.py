"""A feed over HTTP is read whole or not at all, and goes on where a killed try stood."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from passback.errors import (
    BusyError,
    ContractError,
    CredentialError,
    PassbackError,
    PermissionRefusedError,
    UnavailableError,
)
from passback.sources import probe, pull

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import ObjectStoragePath

    from passback.connections import Endpoint
    from passback.sources.pulled import Pull
    from sandbox_process import SandboxProcess


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("passback.sources.feed.FIRST_WAIT", 0.01)


def quiet(_: str) -> None:
    """Say nothing."""


def read(
    endpoint: Endpoint,
    pages: ObjectStoragePath,
    since: datetime | None = None,
    say: Callable[[str], None] = quiet,
) -> Pull:
    return asyncio.run(pull("otus", endpoint, pages, since=since, say=say))


def test_everything_is_read_over_all_pages(endpoint: Endpoint, pages: ObjectStoragePath) -> None:
    said: list[str] = []
    got = read(endpoint, pages, say=said.append)
    assert {name: len(data) for name, data in got.frames.items()} == dict(got.totals)
    assert len(got.frames["scores"]) == 19_158
    assert len(got.frames["assessments"]) == 27
    assert said[-1] == "19,158 of 19,158 scores read"


def test_only_what_changed_since_is_read_again(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath
) -> None:
    first = read(endpoint, pages)
    sandbox.control("PATCH", "/scores/1755/AAA-2013J/s11391", {"points": 42})
    sandbox.control("DELETE", "/assessments/1752/AAA-2013J")
    got = read(endpoint, pages, since=first.as_of)
    changed = got.frames["scores"]
    assert changed[["assessment_id", "student_id", "points"]].to_numpy().tolist() == [
        ["1755", "s11391", 42.0]
    ]
    assert got.deleted["assessments"].to_dict("records") == [
        {"assessment_id": "1752", "class_id": "AAA-2013J"}
    ]
    assert got.totals["assessments"] == 26
    assert len(got.frames["students"]) == got.totals["students"]


def test_a_killed_extraction_goes_on_from_the_page_it_had(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath
) -> None:
    sandbox.fault("feed", "html", match={"path": ".*/scores"}, after=3)
    with pytest.raises(ContractError, match="page 4: the answer is a web page"):
        read(endpoint, pages)
    sandbox.lift_faults()
    sandbox.control("POST", "/requests/reset")
    got = read(endpoint, pages)
    assert len(got.frames["scores"]) == 19_158
    counted = [row["count"] for row in sandbox.requests()["requests"] if row["path"].startswith("/feed/")]
    assert got.requests == sum(counted) == 7


def test_pages_of_another_day_are_not_gone_on_from(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath
) -> None:
    read(endpoint, pages)
    kept = pages / "all" / "assessments-00001.json"
    day = sandbox.feed("/assessments").json["as_of"][:10]
    before = f"{datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=1):%Y-%m-%d}"
    kept.write_bytes(kept.read_bytes().replace(day.encode(), before.encode()))
    sandbox.control("DELETE", "/assessments/1752/AAA-2013J")
    assert len(read(endpoint, pages).frames["assessments"]) == 26


@pytest.mark.parametrize(
    ("fault", "error", "told"),
    [
        ({"kind": "html"}, ContractError, "a web page, not JSON"),
        ({"kind": "truncate"}, UnavailableError, "does not answer"),
        ({"kind": "drop"}, UnavailableError, "does not answer"),
        ({"kind": "status", "status": 500}, UnavailableError, "answered 500"),
        ({"kind": "bad-item"}, ContractError, "not what the feed contract says"),
        ({"kind": "status", "status": 403}, PermissionRefusedError, "may not read"),
        ({"kind": "status", "status": 404}, ContractError, "answered 404"),
    ],
)
def test_an_answer_that_cannot_be_used_fails_the_extraction(
    sandbox: SandboxProcess,
    endpoint: Endpoint,
    pages: ObjectStoragePath,
    fault: dict[str, object],
    error: type[PassbackError],
    told: str,
) -> None:
    sandbox.control("POST", "/faults", {"side": "feed", **fault})
    with pytest.raises(error, match=told) as failed:
        read(endpoint, pages)
    assert failed.value.mend


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503, "times": 2},
        {"kind": "status", "status": 429, "retry_after": 0, "times": 3},
        {"kind": "drop", "times": 1},
    ],
)
def test_what_may_pass_is_tried_again(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath, fault: dict[str, object]
) -> None:
    sandbox.control("POST", "/faults", {"side": "feed", "match": {"path": ".*/scores"}, **fault})
    assert len(read(endpoint, pages).frames["scores"]) == 19_158


def test_a_feed_that_stays_busy_is_left_for_later(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath
) -> None:
    sandbox.fault("feed", "status", status=429, retry_after=0)
    with pytest.raises(BusyError):
        read(endpoint, pages)


def test_a_feed_that_cannot_be_reached_is_unavailable(endpoint: Endpoint) -> None:
    nobody = replace(endpoint, base_url="http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match="does not answer"):
        asyncio.run(probe("otus", nobody))


def test_a_wrong_token_says_which_connection_holds_it(endpoint: Endpoint, pages: ObjectStoragePath) -> None:
    with pytest.raises(CredentialError, match="password of the connection 'lakeview_otus'") as refused:
        read(replace(endpoint, secret="wrong"), pages)
    assert "wrong" not in str(refused.value)


def test_a_probe_counts_what_each_collection_holds(endpoint: Endpoint) -> None:
    assert asyncio.run(probe("otus", endpoint))["scores"] == 19_158
