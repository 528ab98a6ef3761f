"""One request and its answer: what does not come of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from passback.oneroster import Client, Decision

if TYPE_CHECKING:
    from oneroster.stub_sis import StubSis


@pytest.mark.parametrize("patience", [0.0, 0.0005, 0.001, 0.002, 0.004])
async def test_a_request_that_is_cancelled_ends_so_even_as_its_answer_comes(
    stub: StubSis, patience: float
) -> None:
    async def write_for_ever(sis: Client) -> None:
        while True:
            await sis.put("result", "r1", {"sourcedId": "r1"})

    async with stub.client() as sis:
        for _ in range(40):
            writing = asyncio.create_task(write_for_ever(sis))
            await asyncio.wait({writing}, timeout=patience)
            writing.cancel()
            ended, _ = await asyncio.wait({writing}, timeout=10)
            assert ended
            assert writing.cancelled()


@pytest.mark.parametrize("dots", [".", ".."])
async def test_an_id_of_dots_names_nothing_else(stub: StubSis, dots: str) -> None:
    stub.collections["/lineItems"] = stub.collections["/lineItems/results"] = [{"sourcedId": "another's"}]
    async with stub.client() as sis:
        assert await sis.line_items_of_class(dots) == []
        assert await sis.results_of_line_item("class", dots) == []
        answer = await sis.put("result", dots, {"sourcedId": dots})
        assert (answer.decision, answer.status) == (Decision.REFUSE_ROW, 404)
        assert (await sis.put("result", "a.b", {"sourcedId": "a.b"})).decision is Decision.VERIFY
    assert list(stub.stored) == ["/results/a.b"]
    assert len(stub.calls) == 1


async def test_no_proxy_of_the_environment_sees_a_score(
    stub: StubSis, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    async with stub.client() as sis:
        assert (await sis.put("result", "r1", {"sourcedId": "r1"})).decision is Decision.VERIFY
