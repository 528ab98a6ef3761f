"""A feed over HTTP is read whole or not at all, and goes on where a killed try stood."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from oneroster.stub_sis import StubSis, serving
from passback.errors import (
    BusyError,
    ConfigurationError,
    ContractError,
    CredentialError,
    PassbackError,
    PermissionRefusedError,
    UnavailableError,
)
from passback.records import ASSESSMENTS
from passback.sources import SOURCES, probe, pull
from passback.sources.feed import OVERLAP

if TYPE_CHECKING:
    import ssl
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
    return asyncio.run(
        pull(SOURCES["otus"], endpoint, pages, since=since, known=ASSESSMENTS.empty(), say=say)
    )


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
    got = read(endpoint, pages, since=first.as_of + OVERLAP)
    changed = got.frames["scores"]
    assert changed[["assessment_id", "student_id", "points"]].to_numpy().tolist() == [
        ["1755", "s11391", 42.0]
    ]
    assert got.deleted["assessments"].to_dict("records") == [
        {"assessment_id": "1752", "class_id": "AAA-2013J"}
    ]
    assert got.totals["assessments"] == 26
    assert len(got.frames["students"]) == got.totals["students"]


def test_what_became_visible_late_is_read_all_the_same(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath
) -> None:
    changed = sandbox.control("PATCH", "/scores/1755/AAA-2013J/s11391", {"points": 42})["modified_at"]
    last = datetime.fromisoformat(changed) + timedelta(minutes=9)
    assert 42.0 in read(endpoint, pages, since=last).frames["scores"]["points"].to_list()


def interrupt(sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath, after: int) -> None:
    """A try of an extraction that lost its connection after some pages of scores."""
    sandbox.fault("feed", "drop", match={"path": ".*/scores"}, after=after)
    with pytest.raises(UnavailableError, match="does not answer"):
        read(endpoint, pages)
    sandbox.lift_faults()


def asked(sandbox: SandboxProcess) -> int:
    return sum(row["count"] for row in sandbox.requests()["requests"] if row["path"].startswith("/feed/"))


def points_of(got: Pull, student: str) -> list[float]:
    rows = got.frames["scores"]
    return rows.loc[rows["assessment_id"].eq("1755") & rows["student_id"].eq(student), "points"].to_list()


def test_an_interrupted_extraction_goes_on_from_the_page_it_had(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath
) -> None:
    interrupt(sandbox, endpoint, pages, after=3)
    sandbox.control("POST", "/requests/reset")
    got = read(endpoint, pages)
    assert len(got.frames["scores"]) == 19_158
    assert got.requests == asked(sandbox) == 7


def set_back(page: ObjectStoragePath) -> None:
    """Make a kept page one of the day before."""
    content = json.loads(page.read_bytes())
    day_before = datetime.fromisoformat(content["as_of"]) - timedelta(days=1)
    page.write_bytes(json.dumps(content | {"as_of": day_before.isoformat()}).encode())


@pytest.mark.parametrize("set_back_pages", [(1, 2, 3, 4, 5), (3,)], ids=["all stale", "two listings"])
def test_pages_of_two_listings_are_never_read_as_one(
    sandbox: SandboxProcess,
    endpoint: Endpoint,
    pages: ObjectStoragePath,
    set_back_pages: tuple[int, ...],
) -> None:
    interrupt(sandbox, endpoint, pages, after=5)
    for number in set_back_pages:
        set_back(pages / "all" / f"scores-{number:05}.json")
    kept = b"".join((pages / "all" / f"scores-{number:05}.json").read_bytes() for number in range(2, 6))
    score = next(row for row in sandbox.feed_items("scores") if row["student_id"].encode() in kept)
    path = f"/scores/{score['assessment_id']}/{score['class_id']}/{score['student_id']}"
    sandbox.control("PATCH", path, {"status": "graded", "points": 12.25})
    interrupt(sandbox, endpoint, pages, after=1)
    assert len(list((pages / "all").glob("scores-*"))) == 1
    assert 12.25 in read(endpoint, pages).frames["scores"]["points"].to_list()


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_listing_whose_cursor_has_expired_is_begun_anew(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath, status: int
) -> None:
    interrupt(sandbox, endpoint, pages, after=3)
    sandbox.fault("feed", "status", status=status, match={"path": ".*/scores"}, times=1)
    assert len(read(endpoint, pages).frames["scores"]) == 19_158


def test_a_feed_that_knows_none_of_its_cursors_is_asked_twice(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath
) -> None:
    for after in (1, 2):  # page 2 of the listing, and page 2 when it is begun anew
        sandbox.fault("feed", "status", status=410, match={"path": ".*/scores"}, after=after, times=1)
    with pytest.raises(ContractError, match="answered 410 to a cursor that it gave out"):
        read(endpoint, pages)


def test_a_listing_that_was_wrong_is_asked_for_again_once_it_is_mended(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath
) -> None:
    path = "/assessments/1755/AAA-2013J"
    right = sandbox.control("GET", path)
    sandbox.control("PATCH", path, {"due_at": "2026-02-30T10:00:00Z"})
    with pytest.raises(ContractError, match="field due_at: 1 records have an instant that does not exist"):
        read(endpoint, pages)
    sandbox.control("PATCH", path, {"due_at": right["due_at"], "title": "Mended"})
    assert "Mended" in read(endpoint, pages).frames["assessments"]["title"].tolist()


@pytest.mark.parametrize("change", [{"status": "lost"}, {"graded_at": "2026-02-30T10:00:00Z"}])
def test_a_score_that_cannot_be_stops_no_other(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath, change: dict[str, str]
) -> None:
    said: list[str] = []
    sandbox.control("PATCH", "/scores/1755/AAA-2013J/s11391", change)
    scores = read(endpoint, pages, say=said.append).frames["scores"]
    assert len(scores) == 19_158
    assert scores.loc[scores["points_text"].ne(""), "student_id"].tolist() == ["s11391"]
    assert f"field {next(iter(change))}: 1 records have" in said[-1]


def delete_a_score_while_they_are_read(sandbox: SandboxProcess, times: int) -> Callable[[str], None]:
    """Something to tell the progress to: deletes a score yet to be listed when a listing has begun."""
    last = sandbox.feed_items("scores")[-times:]

    def say(line: str) -> None:
        if line.startswith("2,000 of") and last:
            score = last.pop()
            sandbox.control(
                "DELETE", f"/scores/{score['assessment_id']}/{score['class_id']}/{score['student_id']}"
            )

    return say


def test_a_listing_that_ends_short_of_its_total_is_asked_for_once_more(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath
) -> None:
    got = read(endpoint, pages, say=delete_a_score_while_they_are_read(sandbox, times=1))
    assert len(got.frames["scores"]) == got.totals["scores"] == 19_157


def test_a_listing_that_ends_short_twice_is_left_for_the_next_try_which_begins_anew(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath
) -> None:
    with pytest.raises(UnavailableError, match="ended after 19,156 of 19,157 records"):
        read(endpoint, pages, say=delete_a_score_while_they_are_read(sandbox, times=2))
    assert not list((pages / "all").glob("scores-*"))
    assert len(read(endpoint, pages).frames["scores"]) == 19_156


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


@pytest.mark.parametrize("status", [429, 503])
def test_a_feed_that_asks_for_a_long_wait_is_not_asked_before(
    sandbox: SandboxProcess, endpoint: Endpoint, status: int
) -> None:
    sandbox.fault("feed", "status", status=status, retry_after=3600)
    sandbox.control("POST", "/requests/reset")
    with pytest.raises(BusyError, match="3600 seconds") as busy:
        asyncio.run(probe(SOURCES["otus"], endpoint))
    assert busy.value.retry_after == 3600
    assert asked(sandbox) == 1


async def test_a_certificate_that_nobody_signed_is_a_matter_of_configuration(
    self_signed: ssl.SSLContext, endpoint: Endpoint
) -> None:
    async with serving(StubSis(), self_signed) as stub:
        with pytest.raises(ConfigurationError, match="certificate"):
            await probe(SOURCES["otus"], replace(endpoint, base_url=stub.url))


@pytest.mark.parametrize("address", ["https://feed.example:99999", "https://"])
def test_an_address_that_is_no_url_is_a_matter_of_configuration(endpoint: Endpoint, address: str) -> None:
    with pytest.raises(ConfigurationError, match="not a URL"):
        asyncio.run(probe(SOURCES["otus"], replace(endpoint, base_url=address)))


def test_a_feed_that_cannot_be_reached_is_unavailable(endpoint: Endpoint) -> None:
    nobody = replace(endpoint, base_url="http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match="does not answer"):
        asyncio.run(probe(SOURCES["otus"], nobody))


def test_a_wrong_token_says_which_connection_holds_it(endpoint: Endpoint, pages: ObjectStoragePath) -> None:
    with pytest.raises(CredentialError, match="password of the connection 'lakeview_otus'") as refused:
        read(replace(endpoint, secret="wrong"), pages)
    assert "wrong" not in str(refused.value)


def test_a_probe_counts_what_each_collection_holds(endpoint: Endpoint) -> None:
    assert asyncio.run(probe(SOURCES["otus"], endpoint))["scores"] == 19_158
