"""Writes under ids that the SIS allots, many at once, and taking out: never twice where twice makes two."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from oneroster.stub_sis import QUICK, SKYWARD, StubSis, drop, once
from passback.connections import Endpoint
from passback.errors import BusyError, ConfigurationError, UnavailableError
from passback.oneroster import Answer, Client, Decision
from passback.sis import PROFILES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Write = Callable[[Client], Awaitable[Answer]]

RECORD = {"sourcedId": "ours", "title": "Quiz"}
TWO = replace(PROFILES["generic"], base_path="/or/r", gradebook_path="/or/g", token_path="/token")
CREATED: Mapping[str, Any] = {"sourcedIdPairs": [{"suppliedSourcedId": "ours", "allocatedSourcedId": "4711"}]}


def put_new(sis: Client) -> Awaitable[Answer]:
    return sis.put_without_id("lineItem", RECORD)


def post_line_items(sis: Client) -> Awaitable[Answer]:
    return sis.post_line_items("class/1", [RECORD, {"sourcedId": "other"}])


def post_results(sis: Client) -> Awaitable[Answer]:
    return sis.post_results("li 1", [RECORD])


NEW = pytest.mark.parametrize("write", [put_new, post_line_items, post_results])


async def test_a_record_without_an_id_is_put_to_its_collection_and_comes_back_with_one(stub: StubSis) -> None:
    stub.script = lambda _request: web.json_response({"lineItem": {"sourcedId": 4711}}, status=201)
    async with stub.client() as sis:
        answer = await put_new(sis)
    assert (answer.decision, answer.allotted) == (Decision.VERIFY, {"ours": "4711"})
    (call,) = stub.calls
    assert (call.method, call.path, call.body) == ("PUT", "/lineItems", {"lineItem": {"title": "Quiz"}})


@pytest.mark.parametrize("body", ["", "Created", '{"lineItem": {}}'])
async def test_an_accepted_record_whose_id_is_not_told_is_to_be_looked_for(stub: StubSis, body: str) -> None:
    stub.script = lambda _request: web.Response(status=201, text=body)
    async with stub.client() as sis:
        answer = await put_new(sis)
    assert (answer.decision, answer.allotted) == (Decision.VERIFY, {})


async def test_line_items_of_a_class_and_results_of_a_line_item_are_posted_at_once(
    stub: StubSis, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[tuple[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        asked.append((f"{request.method} {request.raw_path}", await request.json()))
        return web.json_response(CREATED, status=201)

    stub.script = take
    async with stub.client(profile=TWO) as sis:
        line_items, results = await post_line_items(sis), await post_results(sis)
    assert asked == [
        ("POST /or/g/classes/class%2F1/lineItems", {"lineItems": [RECORD, {"sourcedId": "other"}]}),
        ("POST /or/g/lineItems/li%201/results", {"results": [RECORD]}),
    ]
    assert line_items == Answer(Decision.VERIFY, 201, allotted={"ours": "4711"})
    assert results.allotted == {"ours": "4711"}
    assert "the SIS told the ids of 1 of 2" in caplog.text  # of the line items
    assert caplog.text.count("told the ids") == 1


async def test_a_refusal_of_many_at_once_is_that_of_all(stub: StubSis) -> None:
    stub.script = lambda _request: web.json_response({"imsx_description": "Unknown student"}, status=422)
    async with stub.client(profile=TWO) as sis:
        answer = await post_results(sis)
    assert answer == Answer(Decision.REFUSE_ROW, 422, "Unknown student")
    assert len(stub.calls) == 1


@pytest.mark.parametrize("write", [post_line_items, post_results])
async def test_oneroster_1_1_has_no_post(stub: StubSis, write: Write) -> None:
    async with stub.client() as sis:
        with pytest.raises(ConfigurationError, match=r"1\.1 has no POST"):
            await write(sis)
    assert not stub.calls


@NEW
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_what_may_have_been_created_is_not_sent_again(stub: StubSis, write: Write, status: int) -> None:
    stub.script = lambda _request: web.Response(status=status, headers={"Retry-After": "0.01"})
    async with stub.client(profile=TWO) as sis:
        answer = await write(sis)
    assert (answer.decision, answer.uncertain, answer.timed_out) == (Decision.RETRY_LATER, True, False)
    assert len(stub.calls) == 1


@NEW
async def test_what_was_dropped_on_a_kept_connection_is_not_sent_again_by_the_library_either(
    stub: StubSis, write: Write
) -> None:
    stub.script = lambda request: drop(request) if len(stub.calls) == 2 else web.json_response(CREATED)
    async with stub.client(profile=TWO) as sis:
        await sis.put("result", "r1", RECORD)  # leaves a connection that is kept alive
        answer = await write(sis)
        assert sis.requests == 3  # the token too
    assert (answer.decision, answer.uncertain, answer.timed_out) == (Decision.RETRY_LATER, True, False)
    assert len(stub.calls) == 2


@NEW
async def test_what_is_not_answered_in_time_may_be_created_even_later(stub: StubSis, write: Write) -> None:
    async def slow(_request: web.Request) -> None:
        await asyncio.sleep(5)

    stub.script = slow
    async with stub.client(profile=TWO, timeout=0.1) as sis:
        answer = await write(sis)
    assert (answer.decision, answer.uncertain, answer.timed_out) == (Decision.RETRY_LATER, True, True)
    assert len(stub.calls) == 1


@NEW
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {}),
        (403, {"error": "Rate limit exceeded"}),
        (400, {"imsx_codeMinor": "server_busy"}),
    ],
)
async def test_what_was_turned_away_is_sent_again(
    stub: StubSis, write: Write, status: int, body: dict[str, Any]
) -> None:
    turned_away = web.json_response(body, status=status, headers={"Retry-After": "0.01"})
    stub.script = once(turned_away, web.json_response(CREATED, status=201))
    async with stub.client(profile=TWO) as sis:
        assert (await write(sis)).decision is Decision.VERIFY
    assert len(stub.calls) == 2


@NEW
async def test_after_having_been_turned_away_it_is_again_sent_only_once(stub: StubSis, write: Write) -> None:
    turned_away = web.Response(status=429, headers={"Retry-After": "0.01"})
    stub.script = once(turned_away, web.Response(status=500), web.Response(status=201))
    async with stub.client(profile=TWO) as sis:
        answer = await write(sis)
    assert (answer.status, answer.uncertain) == (500, True)
    assert len(stub.calls) == 2


@NEW
async def test_an_expired_token_is_renewed_before_it_is_sent_again(stub: StubSis, write: Write) -> None:
    stub.script = once(web.Response(status=401), web.json_response(CREATED, status=201))
    async with stub.client(profile=TWO) as sis:
        assert (await write(sis)).decision is Decision.VERIFY
    assert len(stub.tokens) == 2


@NEW
async def test_what_could_not_be_sent_is_tried_again_and_was_surely_not_done(
    stub: StubSis, unused_tcp_port: int, write: Write
) -> None:
    extra = {"gradebook_path": f"http://127.0.0.1:{unused_tcp_port}/or"}
    async with stub.client(profile=TWO, endpoint=replace(stub.endpoint, extra=extra)) as sis:
        with pytest.raises(UnavailableError):
            await write(sis)
        assert sis.requests == 1 + QUICK.attempts


@NEW
async def test_too_long_a_wait_is_given_back_for_what_is_new_too(stub: StubSis, write: Write) -> None:
    stub.script = lambda _request: web.Response(status=429, headers={"Retry-After": "3600"})
    async with stub.client(profile=TWO) as sis:
        with pytest.raises(BusyError):
            await write(sis)
    assert len(stub.calls) == 1


@NEW
async def test_a_page_of_html_is_no_proof_of_having_created_anything(stub: StubSis, write: Write) -> None:
    stub.script = lambda _request: web.Response(text="<!doctype html><title>Log in</title>")
    async with stub.client(profile=TWO) as sis:
        answer = await write(sis)
    assert answer == Answer(Decision.RETRY_LATER, 200, "Log in", uncertain=True)
    assert len(stub.calls) == 1


async def test_a_page_of_html_under_a_write_that_may_be_repeated_is_tried_again(stub: StubSis) -> None:
    stub.script = once(web.Response(text="<h1>Back in a moment</h1>"))
    async with stub.client() as sis:
        assert (await sis.put("result", "ours", RECORD)).status == 201
    assert len(stub.calls) == 2


# --- Under a known id ---


async def test_a_record_is_put_under_the_id_that_the_sis_holds_it_by(stub: StubSis) -> None:
    async with stub.client() as sis:
        await sis.put("lineItem", "4711", RECORD)
        await sis.put("category", "cat", {"sourcedId": "cat", "title": "Quizzes"})
    assert stub.stored == {
        "/lineItems/4711": {"lineItem": {"sourcedId": "4711", "title": "Quiz"}},
        "/categories/cat": {"category": {"sourcedId": "cat", "title": "Quizzes"}},
    }
    assert RECORD["sourcedId"] == "ours"


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        (200, Decision.DONE),
        (204, Decision.DONE),
        (404, Decision.DONE),
        (410, Decision.DONE),
        (403, Decision.REFUSE_ROW),
        (405, Decision.REFUSE_ROW),
        (409, Decision.REFUSE_ROW),
        (501, Decision.REFUSE_ROW),
        (500, Decision.RETRY_LATER),
    ],
)
async def test_what_is_not_there_is_taken_out(stub: StubSis, status: int, decision: Decision) -> None:
    stub.script = lambda _request: web.Response(status=status)
    async with stub.client() as sis:
        answer = await sis.delete("result", "r/1")
    assert (answer.decision, answer.status) == (decision, status)
    assert {(call.method, call.path, call.body) for call in stub.calls} == {("DELETE", "/results/r/1", None)}
    assert len(stub.calls) == (QUICK.attempts if status == 500 else 1)


async def test_a_deletion_whose_answer_is_lost_is_repeated(stub: StubSis) -> None:
    gone: list[str] = []

    def cut(request: web.Request) -> web.Response | None:
        if not gone:
            gone.append(request.path)
            return drop(request)
        return web.Response(status=404)

    stub.script = cut
    async with stub.client() as sis:
        assert (await sis.delete("lineItem", "li")).decision is Decision.DONE


async def test_no_student_and_no_id_of_a_record_stands_in_an_error(unused_tcp_port: int) -> None:
    endpoint = Endpoint("skyward", f"http://127.0.0.1:{unused_tcp_port}", "client", "secret", {})
    async with Client(endpoint, SKYWARD, retries=QUICK) as sis:
        for write in (sis.put("result", "4711", RECORD), sis.delete("result", "4711")):
            with pytest.raises(UnavailableError) as down:
                await write
            assert "4711" not in str(down.value)
