"""What a SIS lets passback read, found out without writing; and its clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from oneroster.stub_sis import SKYWARD
from passback.errors import CredentialError, UnavailableError
from passback.oneroster.probe import Permission, clock_skew, permissions

if TYPE_CHECKING:
    from oneroster.stub_sis import StubSis

NAMES = ["categories", "academicSessions", "classes", "enrollments", "lineItems", "results"]
CLASS = "/classes/1001.0.01"
ALL: dict[str, list[dict[str, Any]]] = {
    "/categories": [],
    "/academicSessions": [],
    "/classes": [{"sourcedId": "1001.0.01"}, {"sourcedId": "1001.0.02"}],
    "/enrollments": [],
    f"{CLASS}/lineItems": [{"sourcedId": "li"}],
    f"{CLASS}/lineItems/li/results": [],
}


def refusing(path_end: str, status: int) -> Any:
    return lambda request: (
        web.json_response({"imsx_description": "Not permitted"}, status=status)
        if request.path.endswith(path_end)
        else None
    )


async def test_everything_that_a_run_reads_is_tried_with_one_record_and_nothing_is_written(
    stub: StubSis,
) -> None:
    stub.collections |= ALL
    async with stub.client() as sis:
        assert await permissions(sis) == [Permission(name, readable=True, status=200) for name in NAMES]
    assert {call.method for call in stub.calls} == {"GET"}
    assert {call.query["limit"] for call in stub.calls} == {"1"}
    assert len(stub.calls) == 6


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", [400, 403, 404])
async def test_what_may_not_be_read_is_named_with_the_sis_words(
    stub: StubSis, name: str, status: int
) -> None:
    stub.collections |= ALL
    stub.collections |= {"/lineItems": [], "/results": []}
    stub.script = refusing(f"/{name}", status)
    async with stub.client() as sis:
        found = await permissions(sis)
    assert sorted(each.collection for each in found) == sorted(NAMES)
    assert [each for each in found if not each.readable] == [
        Permission(name, readable=False, status=status, words="Not permitted")
    ]


async def test_without_any_line_item_the_answer_that_there_is_none_counts_as_one(stub: StubSis) -> None:
    stub.collections |= ALL | {f"{CLASS}/lineItems": []}
    del stub.collections[f"{CLASS}/lineItems/li/results"]
    async with stub.client() as sis:
        assert (await permissions(sis))[-1] == Permission("results", readable=True, status=404)
        stub.script = refusing("/results", 403)
        assert not (await permissions(sis))[-1].readable


async def test_schools_are_tried_where_a_run_reads_them(stub: StubSis) -> None:
    stub.collections |= ALL
    stub.script = refusing("/schools", 403)
    profile = replace(SKYWARD, class_without_master_schedule="x")
    async with stub.client(profile=profile) as sis:
        refused = [each.collection for each in await permissions(sis) if not each.readable]
    assert refused == ["schools"]


async def test_an_answer_that_is_no_listing_is_not_readable(stub: StubSis) -> None:
    stub.collections |= ALL
    stub.script = lambda request: (
        web.Response(text="<h1>Log in</h1>", content_type="text/html")
        if request.path.endswith("/categories")
        else None
    )
    async with stub.client() as sis:
        (found, *_) = await permissions(sis)
    assert found == Permission(
        "categories", readable=False, status=200, words="the answer holds no list under 'categories'"
    )


@pytest.mark.parametrize(("status", "error"), [(401, CredentialError), (500, UnavailableError)])
async def test_a_sis_that_cannot_be_asked_at_all_says_why(
    stub: StubSis, status: int, error: type[Exception]
) -> None:
    stub.script = lambda _request: web.Response(status=status)
    async with stub.client() as sis:
        with pytest.raises(error):
            await permissions(sis)


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Sun, 22 Nov 2026 12:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 12:05:00 GMT", 300.0),
        ("Sun, 22 Nov 2026 11:59:50 -0000", -10.0),
        ("now", None),
    ],
)
async def test_the_clocks_are_compared_in_whole_seconds(
    stub: StubSis, date: str, seconds: float | None
) -> None:
    stub.script = lambda _request: web.json_response({"academicSessions": []}, headers={"Date": date})
    now = datetime(2026, 11, 22, 12, 0, 0, 700_000, tzinfo=UTC)
    async with stub.client() as sis:
        assert await clock_skew(sis, clock=lambda: now) == seconds


async def test_a_clock_on_the_same_machine_is_right(stub: StubSis) -> None:
    stub.collections["/academicSessions"] = []
    async with stub.client() as sis:
        skew = await clock_skew(sis)
    assert skew is not None
    assert abs(skew) <= 2
