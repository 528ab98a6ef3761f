"""HTTP/1.1 as a SIS may speak it, byte by byte: what is read, what is lost, and which connection is kept.

All of it in asyncio's own loop and in uvloop, which the steps take.
"""

from __future__ import annotations

import asyncio
import gzip
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passback.oneroster import exchange
from passback.oneroster.exchange import Connections, WrongAddressError
from passback.oneroster.wire import NoAnswerError, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
EMPTY = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\n{\r\n1\r\n}\r\n0\r\nX-Sum: 1\r\n\r\n"


@dataclass
class Wire:
    """A server that answers bytes with bytes.

    Attributes:
        url: Its address.
        heads: The heads of all requests, as they came.
        accepted: How many connections it was asked for.
        over: The test is.
    """

    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    accepted: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def asked(self, reader: asyncio.StreamReader) -> None:
        """Read one request."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        length = re.search(rb"Content-Length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)


@asynccontextmanager
async def serving(serve: Callable[[Wire], Serve]) -> AsyncIterator[Wire]:
    wire = Wire()
    serving_now: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire.accepted += 1
        task = asyncio.current_task()
        assert task
        serving_now[task] = writer
        try:
            await serve(wire)(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):  # the client has gone
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wire.url = f"http://127.0.0.1:{port}"
    async with server:
        yield wire
        wire.over.set()
        for writer in serving_now.values():
            writer.transport.abort()
        await asyncio.gather(*serving_now)


def answering(*answers: bytes, then_close: bool = False) -> Callable[[Wire], Serve]:
    """One answer after the other on each connection, the last one over and over."""

    def serve(wire: Wire) -> Serve:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            waiting = list(answers)
            while True:
                await wire.asked(reader)
                writer.write(waiting.pop(0) if len(waiting) > 1 else waiting[0])
                if then_close:
                    writer.close()
                    await writer.wait_closed()
                    return

        return run

    return serve


@asynccontextmanager
async def connected(*, patience: float = 10.0) -> AsyncIterator[Connections]:
    connections = Connections(None, headers={"Accept": "application/json"}, timeout=patience)
    try:
        yield connections
    finally:
        await connections.close()


async def asked(connections: Connections, url: str, **more: Any) -> Reply:
    return await connections.exchange("GET", f"{url}/classes", {}, **more)


# --- What is read ---


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (OK, 200, b"{}"),
        (EMPTY, 201, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
        (CHUNKED, 200, b"{}"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"{}"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, 200, b"{}"),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}", 200, b"{}"),
    ],
)
async def test_an_answer_is_read_however_it_says_its_length(answer: bytes, status: int, body: bytes) -> None:
    async with serving(answering(answer)) as wire, connected() as connections:
        reply = await asked(connections, wire.url)
        assert (reply.status, reply.body) == (status, body)
        assert "Link" not in reply.headers


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_an_answer_without_a_length_ends_with_its_connection(version: bytes) -> None:
    answer = b"HTTP/%s 200 OK\r\n\r\n{}" % version
    async with serving(answering(answer, then_close=True)) as wire, connected() as connections:
        assert (await asked(connections, wire.url)).body == b"{}"


async def test_headers_are_looked_up_without_regard_to_case() -> None:
    answer = b"HTTP/1.1 503 No\r\nRETRY-AFTER: 7\r\nX-Words: gr\xfcn\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(answer)) as wire, connected() as connections:
        reply = await asked(connections, wire.url)
        assert (reply.headers["Retry-After"], reply.headers["x-words"]) == ("7", "grün")


def packed(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


async def test_what_is_packed_is_unpacked() -> None:
    async with serving(answering(packed(gzip.compress(b"{}")))) as wire, connected() as connections:
        assert (await asked(connections, wire.url)).body == b"{}"
        assert b"Accept-Encoding: gzip\r\n" in wire.heads[0]


@pytest.mark.parametrize(
    "spoilt",
    [
        gzip.compress(b"{}")[:-1],
        gzip.compress(b"{}")[:-8] + bytes(8),
        gzip.compress(b"{}")[:10] + b"\xff" * 20,
        b"{}",
    ],
    ids=["cut", "another sum", "no deflate", "not packed"],
)
async def test_what_cannot_be_unpacked_is_half_an_answer(spoilt: bytes) -> None:
    async with serving(answering(packed(spoilt))) as wire, connected() as connections:
        with pytest.raises(NoAnswerError, match="not whole") as lost:
            await asked(connections, wire.url)
        assert lost.value.sent


@st.composite
def framed(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A body, and the pieces in which an answer with it comes."""
    parts = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
    body = b"".join(parts)
    if draw(st.booleans()):
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    else:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    cuts = sorted(draw(st.sets(st.integers(1, len(answer) - 1), max_size=6)))
    return body, [answer[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]


@settings(max_examples=60, deadline=None)
@given(answers=st.lists(framed(), min_size=1, max_size=3))
def test_answers_are_read_in_whatever_pieces_they_come(answers: list[tuple[bytes, list[bytes]]]) -> None:
    def serve(wire: Wire) -> Serve:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _, pieces in answers:
                await wire.asked(reader)
                for piece in pieces:
                    writer.write(piece)
                    await asyncio.sleep(0)
            await reader.read()

        return run

    async def read() -> Sequence[bytes]:
        async with serving(serve) as wire, connected() as connections:
            bodies = [(await asked(connections, wire.url)).body for _ in answers]
            assert wire.accepted == 1
            return bodies

    assert asyncio.run(read()) == [body for body, _ in answers]


# --- What is lost ---


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"", "the connection broke"),
        (b"HTTP/1.1 200 OK\r\nContent-", "the connection broke"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", "not whole"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "not whole"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "the connection broke"),
        (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", "not whole, or not HTTP"),
        (b"220 mail.example.org ESMTP\r\n", "not whole, or not HTTP"),
        (b"<html>", "not whole, or not HTTP"),
    ],
)
async def test_half_an_answer_is_none_and_the_request_may_have_arrived(answer: bytes, what: str) -> None:
    async with serving(answering(answer, then_close=True)) as wire, connected() as connections:
        with pytest.raises(NoAnswerError, match=what) as lost:
            await asked(connections, wire.url)
        assert (lost.value.sent, lost.value.timed_out) == (True, False)


async def test_an_answer_that_does_not_come_in_time_may_yet_be_done() -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\n")) as wire, connected(patience=0.05) as connections:
        with pytest.raises(NoAnswerError, match="not in time") as lost:
            await asked(connections, wire.url)
        assert (lost.value.sent, lost.value.timed_out) == (True, True)


async def test_the_time_for_one_answer_is_not_taken_from_the_next() -> None:
    patience = 0.3
    ends = asyncio.get_running_loop().time() + patience

    def serve(wire: Wire) -> Serve:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await wire.asked(reader)
            await asyncio.sleep(patience / 2)
            writer.write(OK)
            await wire.asked(reader)
            # When the time of the first is over, and that of the second is not.
            await asyncio.sleep(ends - asyncio.get_running_loop().time() + patience / 10)
            writer.write(EMPTY)
            await reader.read()

        return run

    async with serving(serve) as wire, connected(patience=patience) as connections:
        assert (await asked(connections, wire.url)).status == 200
        assert (await asked(connections, wire.url)).status == 201
        assert wire.accepted == 1


async def test_a_host_that_takes_no_connection_was_sent_nothing(unused_tcp_port: int) -> None:
    async with connected() as connections:
        with pytest.raises(NoAnswerError, match="no connection: Connection refused") as lost:
            await asked(connections, f"http://127.0.0.1:{unused_tcp_port}")
        assert not lost.value.sent


async def test_a_host_that_speaks_no_tls_was_sent_nothing() -> None:
    def serve(_wire: Wire) -> Serve:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await reader.read()

        return run

    async with serving(serve) as wire, connected() as connections:
        with pytest.raises(NoAnswerError, match="no connection: TLS: wrong version number") as lost:
            await asked(connections, wire.url.replace("http:", "https:"))
        assert not lost.value.sent


async def test_a_host_that_does_not_end_the_handshake_was_sent_nothing() -> None:
    def serve(_wire: Wire) -> Serve:
        async def run(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        return run

    async with serving(serve) as wire, connected(patience=0.05) as connections:
        with pytest.raises(NoAnswerError, match="no connection: not in time") as lost:
            async with asyncio.timeout(5):
                await asked(connections, wire.url.replace("http:", "https:"))
        assert (lost.value.sent, lost.value.timed_out) == (False, False)


# --- Which connection is kept ---


@pytest.mark.parametrize(
    ("first", "connections_made"),
    [
        (OK, 1),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 1),
        (CHUNKED, 1),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", 1),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 2),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", 2),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" + EMPTY, 2),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{} ", 2),
    ],
    ids=[
        "1.1",
        "after 100",
        "chunked",
        "1.0 kept",
        "1.0",
        "close",
        "a second answer",
        "more than its length",
    ],
)
async def test_a_connection_is_used_again_only_where_nothing_stands_before_the_next_answer(
    first: bytes, connections_made: int
) -> None:
    async with serving(answering(first, EMPTY)) as wire, connected() as connections:
        assert (await asked(connections, wire.url)).body == b"{}"
        second = await asked(connections, wire.url)
        assert (second.status, second.body) == ((200, b"{}") if connections_made == 2 else (201, b""))
        assert wire.accepted == connections_made


async def test_what_comes_unasked_is_no_answer_to_the_next_request() -> None:
    told = asyncio.Event()

    def serve(wire: Wire) -> Serve:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await wire.asked(reader)
            writer.write(OK)
            if wire.accepted == 1:
                await told.wait()
                writer.write(b"HTTP/1.1 408 Too Slow\r\nContent-Length: 0\r\n\r\n")
            await reader.read()

        return run

    async with serving(serve) as wire, connected() as connections:
        await asked(connections, wire.url)
        (kept,) = connections._open
        told.set()
        await kept.ended
        assert (await asked(connections, wire.url)).status == 200
        assert wire.accepted == 2


@pytest.mark.parametrize("how", ["late", "cancelled"])
async def test_an_answer_that_was_not_waited_for_is_none_to_the_next_request(how: str) -> None:
    asked_once, told, hung_up = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def serve(wire: Wire) -> Serve:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await wire.asked(reader)
            if wire.accepted > 1:
                writer.write(EMPTY)
                await reader.read()
                return
            asked_once.set()
            await told.wait()
            writer.write(OK)
            await reader.read()
            hung_up.set()

        return run

    async with serving(serve) as wire, connected(patience=0.2 if how == "late" else 10) as connections:
        first = asyncio.create_task(asked(connections, wire.url))
        await asked_once.wait()
        if how == "cancelled":
            first.cancel()
        await asyncio.wait({first})
        assert first.cancelled() or isinstance(first.exception(), NoAnswerError)
        told.set()
        await hung_up.wait()
        assert (await asked(connections, wire.url)).status == 201
        assert wire.accepted == 2


async def test_a_connection_on_which_half_a_request_stands_is_not_used_again() -> None:
    def serve(wire: Wire) -> Serve:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            wire.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await wire.over.wait()  # the rest of it is never read

        return run

    async with serving(serve) as wire, connected() as connections:
        for made in (1, 2):
            reply = await connections.exchange("POST", f"{wire.url}/results", {}, bytes(50_000_000))
            assert (reply.status, wire.accepted) == (413, made)


async def test_a_connection_that_was_idle_for_long_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering(OK)) as wire, connected() as connections:
        await asked(connections, wire.url)
        await asked(connections, wire.url)
        assert wire.accepted == 1
        monkeypatch.setattr(exchange, "_IDLE", 0.0)
        await asked(connections, wire.url)
        assert wire.accepted == 2


async def test_a_connection_that_the_host_closed_meanwhile_is_not_used() -> None:
    async with serving(answering(OK, then_close=True)) as wire, connected() as connections:
        for made in (1, 2, 3):
            assert (await asked(connections, wire.url)).status == 200
            assert wire.accepted == made
            for connection in list(connections._open):
                await connection.ended


async def test_closing_ends_what_is_kept_and_what_is_under_way() -> None:
    async with serving(answering(OK, b"HTTP/1.1 200 OK\r\n")) as wire:
        async with connected() as connections:
            await asked(connections, wire.url)
            waiting = asyncio.create_task(asked(connections, wire.url))
            kept = asyncio.create_task(asked(connections, wire.url))
            await kept
        with pytest.raises(NoAnswerError, match="the connection broke"):
            await waiting
        assert not connections._open


# --- What goes out ---


async def test_a_request_says_what_it_must_and_no_more() -> None:
    async with serving(answering(EMPTY)) as wire, connected() as connections:
        await connections.exchange(
            "PUT", f"{wire.url}/results/r%201?x=y", {"Authorization": "Bearer t"}, b"{}"
        )
        await asked(connections, wire.url)
        await connections.exchange("POST", wire.url, {}, b"")
    host = wire.url.removeprefix("http://").encode()
    ours = b"Host: %s\r\nUser-Agent: passback\r\nAccept-Encoding: gzip\r\nAccept: application/json\r\n" % host
    assert wire.heads == [
        b"PUT /results/r%201?x=y HTTP/1.1\r\n"
        + ours
        + b"Authorization: Bearer t\r\nContent-Length: 2\r\n\r\n",
        b"GET /classes HTTP/1.1\r\n" + ours + b"\r\n",
        b"POST / HTTP/1.1\r\n" + ours + b"Content-Length: 0\r\n\r\n",
    ]


async def test_a_host_is_reached_on_whichever_of_its_addresses_answers() -> None:
    async with serving(answering(OK)) as wire, connected() as connections:
        assert (await asked(connections, wire.url.replace("127.0.0.1", "localhost"))).status == 200


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("https://sis.example.org", ("sis.example.org", 443, True, "sis.example.org")),
        ("HTTPS://SIS.example.org:443", ("sis.example.org", 443, True, "sis.example.org")),
        ("https://sis.example.org:8443", ("sis.example.org", 8443, True, "sis.example.org:8443")),
        ("https://schüle.example.org", ("xn--schle-mva.example.org", 443, True, "xn--schle-mva.example.org")),
        ("http://127.0.0.1:80", ("127.0.0.1", 80, False, "127.0.0.1")),
        ("http://[::1]:8080", ("::1", 8080, False, "[::1]:8080")),
    ],
)
def test_an_address_names_a_host_and_a_port(url: str, named: tuple[str, int, bool, str]) -> None:
    assert exchange._origin_of(url) == named


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sis.example.org/results",
        "ftp://sis.example.org/results",
        "https:///results",
        "https://:443/results",
        "https://sis.example.org:99999/results",
        "https://sis.example.org:four/results",
        "https://user:secret@sis.example.org/results",
        "https://sis..example.org/results",
        "https://sis.example.org/re sults",
        "https://sis.example.org/results\r\nX-Admin: yes",
        "https://sis.example.org/schüle",
        "https://sis.example.org/results#all",
        "https://sis.example.org?results",
    ],
)
async def test_what_is_no_address_is_refused_before_anything_is_sent(url: str) -> None:
    async with connected() as connections:
        with pytest.raises(WrongAddressError) as wrong:
            await connections.exchange("GET", url, {})
        assert not wrong.value.certificate
        assert not str(wrong.value)


@pytest.mark.parametrize("value", ["t\r\nX-Admin: yes", "t\n", "t\0", "grün"])
async def test_no_header_ends_early(value: str) -> None:
    async with serving(answering(OK)) as wire, connected() as connections:
        with pytest.raises(ValueError, match="header") as refused:
            await connections.exchange("GET", f"{wire.url}/classes", {"Authorization": value})
        assert "X-Admin" not in str(refused.value)
        assert not wire.accepted
