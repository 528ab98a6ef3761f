"""Reading pages and writing records while the SIS misbehaves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from oneroster.stub_sis import QUICK, SKYWARD, StubSis, drop, once, serving
from passback.connections import Endpoint
from passback.errors import (
    BusyError,
    ConfigurationError,
    ContractError,
    PassbackError,
    PermissionRefusedError,
    UnavailableError,
)
from passback.oneroster import Client, Decision, Limits

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

RECORD = {"sourcedId": "r1"}


def records(number: int) -> list[dict[str, Any]]:
    return [{"sourcedId": f"id-{index}"} for index in range(number)]


async def read(sis: Client, path: str = "/classes", key: str = "classes") -> list[str]:
    return [record["sourcedId"] async for record in sis.collection(path, key)]


# --- Pages ---


@settings(max_examples=30, deadline=None)
@given(
    number=st.integers(0, 45),
    page_cap=st.integers(1, 12),
    total=st.sampled_from([str, lambda _number: None, lambda _number: "many"]),
)
def test_every_record_is_read_once_whatever_the_page_and_the_count(
    number: int, page_cap: int, total: Callable[[int], str | None]
) -> None:
    async def scene() -> None:
        listed = StubSis({"/classes": records(number)}, page_cap=page_cap, total=total)
        async with serving(listed) as stub, stub.client() as sis:
            assert await read(sis) == [f"id-{index}" for index in range(number)]

    asyncio.run(scene())


@settings(max_examples=15, deadline=None)
@given(number=st.integers(0, 45), page_cap=st.integers(1, 12), missing=st.sampled_from([1, 7, 999_999]))
def test_a_count_that_is_too_high_costs_no_record_and_no_run(
    number: int, page_cap: int, missing: int
) -> None:
    async def scene() -> None:
        counted = StubSis({"/classes": records(number)}, page_cap=page_cap, total=lambda n: str(n + missing))
        async with serving(counted) as stub, stub.client() as sis:
            assert await read(sis) == [f"id-{index}" for index in range(number)]

    asyncio.run(scene())


async def test_a_count_that_is_too_high_is_noted(stub: StubSis, caplog: pytest.LogCaptureFixture) -> None:
    stub.collections["/classes"], stub.total = records(20), lambda _number: "25"
    async with stub.client() as sis:
        assert len(await read(sis)) == 20
    assert "GET /classes: the SIS counts 25 records and sent 20" in caplog.text


async def test_a_record_deleted_during_the_reading_is_not_missed(stub: StubSis) -> None:
    def shrinking(request: web.Request) -> web.Response:
        offset = int(request.query["offset"])
        left = records(25)[: 25 if offset == 0 else 24]
        return web.json_response({"classes": left[offset:][:10]}, headers={"X-Total-Count": str(len(left))})

    stub.script = shrinking
    async with stub.client() as sis:
        assert len(await read(sis)) == 24


async def test_records_that_the_sis_lists_and_counts_twice_are_not_missed(stub: StubSis) -> None:
    stub.collections["/classes"] = [*records(12), *records(12)]
    async with stub.client() as sis:
        assert len(await read(sis)) == 12


async def test_a_count_that_is_too_low_does_not_cut_off_full_pages(stub: StubSis) -> None:
    stub.collections["/classes"], stub.total = records(35), lambda _number: "3"
    async with stub.client() as sis:
        assert len(await read(sis)) == 35


async def test_a_right_count_saves_the_last_empty_page(stub: StubSis) -> None:
    stub.collections["/classes"] = records(25)
    async with stub.client() as sis:
        await read(sis)
    assert [call.query["offset"] for call in stub.calls] == ["0", "10", "20"]


async def test_a_sis_that_ignores_the_offset_is_read_once(stub: StubSis) -> None:
    stub.script = lambda _request: web.json_response({"classes": records(10)})
    async with stub.client() as sis:
        assert len(await read(sis)) == 10
    assert len(stub.calls) == 2


@pytest.mark.parametrize("number", [3, 10, 35])
async def test_a_sis_that_ignores_the_offset_and_sends_all_it_counts_is_read(
    stub: StubSis, number: int
) -> None:
    headers = {"X-Total-Count": str(number)}
    stub.script = lambda _request: web.json_response({"classes": records(number)}, headers=headers)
    async with stub.client() as sis:
        assert len(await read(sis)) == number


@pytest.mark.parametrize("total", [15, 20, 35])
async def test_a_sis_that_ignores_the_offset_and_sends_less_than_it_counts_breaks_the_contract(
    stub: StubSis, total: int
) -> None:
    headers = {"X-Total-Count": str(total)}
    stub.script = lambda _request: web.json_response({"classes": records(10)}, headers=headers)
    async with stub.client() as sis:
        with pytest.raises(ContractError, match=f"counts {total} records and sent 10"):
            await read(sis)


async def test_a_record_that_moves_to_the_next_page_is_read_once(stub: StubSis) -> None:
    stub.script = lambda request: web.json_response(
        {"classes": records(15)[9 if request.query["offset"] == "10" else 0 :][:10]}
    )
    async with stub.client() as sis:
        assert await read(sis) == [f"id-{index}" for index in range(15)]


async def test_the_link_to_a_next_page_is_believed_and_its_absence_too(stub: StubSis) -> None:
    def linked(request: web.Request) -> web.Response:
        offset = int(request.query["offset"])
        relation = "next" if offset < 8 else "prev"
        page = records(12)[offset : offset + 4]
        return web.json_response({"classes": page}, headers={"Link": f'<https://x/>; rel="{relation}"'})

    stub.script = linked
    async with stub.client() as sis:
        assert len(await read(sis)) == 12
    assert len(stub.calls) == 3


async def test_a_listing_without_end_is_given_up(stub: StubSis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("passback.oneroster.client._MOST_PAGES", 20)
    stub.script = lambda request: web.json_response({"classes": [{"sourcedId": request.query["offset"]}]})
    async with stub.client() as sis:
        with pytest.raises(ContractError, match="does not end after 20 pages"):
            await read(sis)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"items": []}, "GET /classes: the answer holds no list under 'classes'"),
        ({"classes": {}}, "the answer holds no list under 'classes'"),
        ([], "the answer holds no list under 'classes'"),
        ({"classes": [{"sourcedId": "a"}, {"title": "b"}]}, r"classes\[1\].sourcedId is missing"),
        ({"classes": [{"sourcedId": 17}]}, r"classes\[0\].sourcedId is missing or no text"),
        ({"classes": ["a"]}, r"classes\[0\].sourcedId is missing"),
    ],
)
async def test_an_answer_that_is_no_listing_breaks_the_contract(stub: StubSis, body: Any, what: str) -> None:
    stub.script = lambda _request: web.json_response(body)
    async with stub.client() as sis:
        with pytest.raises(ContractError, match=what):
            await read(sis)


@pytest.mark.parametrize("empty", [{"status": 204}, {"text": "{}"}, {"text": '{"classes": []}'}])
async def test_an_empty_collection_may_be_said_in_three_ways(stub: StubSis, empty: dict[str, Any]) -> None:
    stub.collections["/classes"] = records(30)
    stub.script = lambda request: web.Response(**empty) if request.query["offset"] == "20" else None
    async with stub.client() as sis:
        assert len(await read(sis)) == 20
    assert len(stub.calls) == 3


async def test_a_page_of_html_is_asked_for_again_before_it_breaks_the_contract(stub: StubSis) -> None:
    stub.collections["/classes"] = records(3)
    stub.script = once(web.Response(text="<h1>Just a moment</h1>", content_type="text/html"))
    async with stub.client() as sis:
        assert len(await read(sis)) == 3
        stub.script = lambda _request: web.Response(text="<h1>Log in</h1>", content_type="text/html")
        with pytest.raises(ContractError, match="not JSON"):
            await read(sis)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, PermissionRefusedError),
        (404, ConfigurationError),
        (302, ConfigurationError),
        (400, ContractError),
        (429, BusyError),
        (500, UnavailableError),
    ],
)
async def test_a_refused_read_says_what_is_wrong(
    stub: StubSis, status: int, error: type[PassbackError]
) -> None:
    headers = {"Retry-After": "0.01", "Location": "https://elsewhere.example.org/"}
    stub.script = lambda _request: web.Response(status=status, headers=headers)
    async with stub.client() as sis:
        with pytest.raises(error):
            await read(sis)


async def test_a_refused_read_names_the_collection_whose_permission_is_missing(stub: StubSis) -> None:
    stub.script = lambda request: web.json_response(
        {"imsx_description": "Insufficient scope."}, status=403 if "lineItems" in request.path else 404
    )
    async with stub.client() as sis:
        with pytest.raises(
            PermissionRefusedError, match=r"read lineItems: 403 Insufficient scope\."
        ) as refused:
            await sis.line_items_of_class("c1")
    assert refused.value.mend.endswith("the permission to read lineItems.")


async def test_a_record_that_is_listed_again_with_another_content_comes_again(stub: StubSis) -> None:
    listed = [{"sourcedId": "a", "title": "1"}, {"sourcedId": "b"}]
    stub.collections["/classes"] = [*listed, *listed, {"sourcedId": "a", "title": "2"}]
    async with stub.client() as sis:
        found = [record async for record in sis.collection("/classes", "classes")]
    assert found == [*listed, {"sourcedId": "a", "title": "2"}]


async def test_rosters_and_gradebooks_are_asked_of_their_own_services(stub: StubSis) -> None:
    asked: list[str] = []

    def listing(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path}")
        return web.json_response({"classes": [], "categories": [], "lineItems": []})

    stub.script = listing
    extra = {"rostering_path": "/roster", "gradebook_path": f"{stub.url}/grades"}
    async with stub.client(endpoint=replace(stub.endpoint, extra=extra)) as sis:
        await read(sis)
        await read(sis, "/categories", "categories")
        await sis.line_items_of_class("c1")
        await sis.put("result", "r1", RECORD)
    assert asked == [
        "GET /roster/classes",
        "GET /grades/categories",
        "GET /grades/classes/c1/lineItems",
        "PUT /grades/results/r1",
    ]


async def test_what_the_sis_does_not_know_holds_nothing(stub: StubSis) -> None:
    async with stub.client() as sis:
        assert await sis.line_items_of_class("gone") == []
        assert await sis.results_of_line_item("class/1", "gone") == []
    assert stub.calls[1].path == "/classes/class/1/lineItems/gone/results"


async def test_a_read_goes_on_where_the_connection_broke(stub: StubSis) -> None:
    stub.collections["/classes"] = records(25)
    stub.script = lambda request: drop(request) if len(stub.calls) == 2 else None
    async with stub.client() as sis:
        assert len(await read(sis)) == 25


# --- Writes ---


async def test_a_write_carries_its_record_under_its_id(stub: StubSis) -> None:
    async with stub.client() as sis:
        answer = await sis.put("lineItem", "a/b c", {"sourcedId": "a/b c", "title": "Ünit"})
    assert (answer.decision, answer.status) == (Decision.VERIFY, 201)
    assert stub.stored == {"/lineItems/a/b c": {"lineItem": {"sourcedId": "a/b c", "title": "Ünit"}}}


@pytest.mark.parametrize(
    "fault",
    [
        web.Response(status=429, headers={"Retry-After": "0.01"}),
        web.Response(status=500),
        web.Response(status=502, text="<h1>nginx</h1>"),
        web.Response(status=503, headers={"Retry-After": "0.01"}),
        web.Response(status=504),
    ],
)
async def test_a_write_is_repeated_after_a_passing_fault(stub: StubSis, fault: web.Response) -> None:
    stub.script = once(fault)
    async with stub.client() as sis:
        assert (await sis.put("result", "r1", RECORD)).decision is Decision.VERIFY
    assert len(stub.calls) == 2


@pytest.mark.parametrize("committed", [False, True])
async def test_a_write_whose_answer_is_lost_is_repeated(stub: StubSis, committed: bool) -> None:  # noqa: FBT001
    def cut(request: web.Request) -> None:
        if len(stub.calls) == 1:
            if committed:
                stub.stored["/results/r1"] = {"result": RECORD}
            drop(request)

    stub.script = cut
    async with stub.client() as sis:
        assert (await sis.put("result", "r1", RECORD)).decision is Decision.VERIFY
    assert stub.stored == {"/results/r1": {"result": RECORD}}


async def test_an_answer_that_does_not_come_in_time_counts_as_lost(stub: StubSis) -> None:
    async def slow(_request: web.Request) -> None:
        if len(stub.calls) == 1:
            await asyncio.sleep(5)

    stub.script = slow
    async with stub.client(timeout=0.1) as sis:
        assert (await sis.put("result", "r1", RECORD)).decision is Decision.VERIFY


async def test_a_refused_row_is_not_repeated_and_carries_the_sis_words(stub: StubSis) -> None:
    stub.script = lambda _request: web.json_response({"imsx_description": "Period closed"}, status=422)
    async with stub.client() as sis:
        answer = await sis.put("result", "r1", RECORD)
    assert (answer.decision, answer.status, answer.words) == (Decision.REFUSE_ROW, 422, "Period closed")
    assert len(stub.calls) == 1


async def test_a_row_that_the_sis_breaks_on_is_given_up_and_the_others_pass(stub: StubSis) -> None:
    stub.script = lambda request: web.Response(status=500) if request.path.endswith("/bad") else None
    async with stub.client() as sis:
        names = ["bad", *(f"r{number}" for number in range(30))]
        answers = await asyncio.gather(*(sis.put("result", name, {"sourcedId": name}) for name in names))
    assert [answer.decision for answer in answers] == [Decision.RETRY_LATER, *[Decision.VERIFY] * 30]
    assert sum(call.path == "/results/bad" for call in stub.calls) == QUICK.attempts


async def test_a_sis_that_breaks_on_every_row_is_down(stub: StubSis) -> None:
    stub.script = lambda _request: web.Response(status=500, text="student 4711 is null")
    async with stub.client() as sis:
        answers = [await sis.put("result", f"r{number}", RECORD) for number in range(7)]
        with pytest.raises(UnavailableError) as down:
            await sis.put("result", "r8", RECORD)
    assert {answer.decision for answer in answers} == {Decision.RETRY_LATER}
    assert len(stub.calls) == 2 * 4 * QUICK.attempts
    assert "500" in str(down.value)
    assert "4711" not in str(down.value)


async def test_a_sis_that_cannot_be_reached_is_down_at_once(unused_tcp_port: int) -> None:
    endpoint = Endpoint("skyward", f"http://127.0.0.1:{unused_tcp_port}", "client", "secret", {})
    async with Client(endpoint, SKYWARD, retries=QUICK) as sis:
        with pytest.raises(
            UnavailableError, match=f"connection skyward.*127.0.0.1:{unused_tcp_port}"
        ) as down:
            await sis.put("result", "r1", RECORD)
        assert "Connection refused" in str(down.value)
        assert sis.requests == QUICK.attempts


async def test_too_long_a_wait_is_given_back_with_its_length(stub: StubSis) -> None:
    stub.script = lambda _request: web.Response(status=503, headers={"Retry-After": "3600"})
    async with stub.client() as sis:
        with pytest.raises(BusyError) as busy:
            await sis.put("result", "r1", RECORD)
    assert busy.value.retry_after == 3600
    assert len(stub.calls) == 1


@pytest.mark.parametrize("status", [403, 429])
async def test_a_sis_that_only_says_too_many_requests_is_busy(stub: StubSis, status: int) -> None:
    stub.script = lambda _request: web.Response(
        status=status, headers={"Retry-After": "0.01"}, text="Rate Limit Exceeded"
    )
    async with stub.client() as sis:
        with pytest.raises(BusyError, match=str(status)):
            await sis.put("result", "r1", RECORD)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_never_followed_with_a_token(stub: StubSis, status: int) -> None:
    async with serving(StubSis()) as elsewhere:
        stub.script = lambda _request: web.Response(status=status, headers={"Location": elsewhere.url})
        async with stub.client() as sis:
            with pytest.raises(ConfigurationError, match="redirect"):
                await sis.put("result", "r1", RECORD)
    assert not elsewhere.calls


async def test_the_connection_may_have_a_path_of_its_own(stub: StubSis) -> None:
    stub.script = lambda request: web.Response(status=201) if request.path == "/or/results/r1" else None
    async with stub.client(endpoint=replace(stub.endpoint, extra={"base_path": "or/"})) as sis:
        assert sis.services.gradebook == f"{stub.url}/or"
        assert (await sis.put("result", "r1", RECORD)).status == 201


async def test_a_certificate_that_nobody_signed_is_a_matter_of_configuration(
    self_signed: ssl.SSLContext,
) -> None:
    async with serving(StubSis(), self_signed) as stub, stub.client() as sis:
        with pytest.raises(ConfigurationError, match="certificate"):
            await sis.put("result", "r1", RECORD)
    assert not stub.token_calls


# --- Limits ---


async def test_no_more_requests_are_under_way_than_allowed(stub: StubSis) -> None:
    under_way, most = 0, 0

    async def watched(_request: web.Request) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.005)
        under_way -= 1

    stub.script = watched
    async with stub.client(limits=Limits(connections=3, requests_per_second=10_000)) as sis:
        await asyncio.gather(*(sis.put("result", f"r{n}", RECORD) for n in range(30)))
    assert most == 3


async def test_no_more_requests_start_in_a_second_than_allowed(stub: StubSis) -> None:
    loop = asyncio.get_running_loop()
    async with stub.client(limits=Limits(connections=8, requests_per_second=100)) as sis:
        began = loop.time()
        await asyncio.gather(*(sis.put("result", f"r{n}", RECORD) for n in range(49)))
    assert 0.38 <= loop.time() - began <= 2


async def test_everybody_waits_when_one_is_told_to_and_goes_on_more_slowly(stub: StubSis) -> None:
    loop = asyncio.get_running_loop()
    arrivals: list[float] = []

    def crowded(_request: web.Request) -> web.Response | None:
        arrivals.append(loop.time())
        return web.Response(status=429, headers={"Retry-After": "0.3"}) if len(arrivals) <= 4 else None

    stub.script = crowded
    limits = Limits(connections=4, requests_per_second=1000)
    async with stub.client(limits=limits) as sis:
        await asyncio.gather(*(sis.put("result", f"r{n}", RECORD) for n in range(20)))
    assert min(later - earlier for later in arrivals[4:] for earlier in arrivals[:4]) >= 0.29
    assert limits.rate == 500  # four answers to one crowd slow it down once


async def test_the_rate_recovers_step_by_step() -> None:
    limits = Limits(connections=1, requests_per_second=10_000)
    limits.pause(0.0)
    limits._rate_since -= 5  # five seconds without a complaint
    async with limits.turn():
        assert limits.rate == 6250
    async with limits.turn():
        assert limits.rate == 6250
