"""One kept-alive connection to a SIS, and HTTP/1.1 on it: a request goes out, one whole answer comes back.

The parser is httptools'. The rest is our own for two reasons. A load sends one small request for every score,
and aiohttp spends three times as long on each as is spent here: the loop that waits for the answers is one
thread's, and that thread is what bounds a load. And a load that must not write twice has to know whether a
request may have reached the SIS: nothing here is ever sent a second time, as aiohttp does when a kept
connection breaks.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

if TYPE_CHECKING:
    from collections.abc import Mapping

_FINAL: Final = 200  # what comes before it is no answer yet (RFC 9110, 15.2)
_LENGTHS: Final = ("Content-Length", "Transfer-Encoding")


class Reply(NamedTuple):
    """What came back.

    Attributes:
        status: The HTTP status.
        headers: Looked up without regard to case.
        body: As it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswerError(Exception):
    """Nothing came back, or nothing whole.

    Attributes:
        sent: Whether the SIS may have got the request.
        timed_out: Whether it was sent, and may yet be done.
    """

    def __init__(self, what: str, *, sent: bool, timed_out: bool = False) -> None:
        super().__init__(what)
        self.sent = sent
        self.timed_out = timed_out


class Connection(asyncio.Protocol):
    """A connection on which one request at a time is under way.

    Attributes:
        ended: Done when the connection is closed.
        idle_since: When its last answer came, by the loop's clock; for who keeps it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._answer: asyncio.Future[Reply] | None = None
        self._keep = True
        self._begun = False  # the head of an answer is there
        self._headers = list[tuple[str, str]]()
        self._body = list[bytes]()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.idle_since = 0.0

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on it."""
        return self._keep and not self._transport.is_closing()

    async def ask(self, request: bytes, *, within: float) -> Reply:
        """Send a request, its head and its body, and wait for the whole of its answer.

        Raises:
            NoAnswerError: it did not come within so many seconds, the connection ended before, or what came
                is not HTTP.
        """
        self._begun = False
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._answer = answer
        self._transport.write(request)
        timer = self._loop.call_later(within, self._expire)
        try:
            reply = await answer
        except BaseException:  # what comes later must not pass for the answer to the next request
            self.abort()
            raise
        finally:
            timer.cancel()
            self._answer = None
        # An answer to half a request: the rest of it would stand before the next one.
        self._keep = self._keep and not self._transport.get_write_buffer_size()
        self.idle_since = self._loop.time()
        return reply

    def abort(self) -> None:
        """Close it at once, whatever is under way."""
        self._keep = False
        self._transport.abort()

    # --- What the loop calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It can be written to."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read what came; nothing may come unasked."""
        if self._answer is None or self._answer.done():
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._fail("not whole, or not HTTP")
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """It is closed: also what ends an answer that does not say how long it is (RFC 9112, 6.3)."""
        self._keep = False
        if error is None and self._begun and not any(name in self._head() for name in _LENGTHS):
            self._complete()
        self._fail("not whole, or not HTTP" if self._begun else "the connection broke")
        if not self.ended.done():
            self.ended.set_result(None)

    # --- What the parser calls ---

    def on_message_begin(self) -> None:
        """An answer begins; a second one after the awaited one is none to anything."""
        if self._answer is None or self._answer.done():
            self._keep = False
        self._headers, self._body = [], []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._begun = True

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """An answer is whole; what is provisional is followed by another."""
        if self._parser.get_status_code() < _FINAL:
            self._begun = False
            return
        if not self._parser.should_keep_alive():
            self._keep = False
        self._complete()

    def _head(self) -> CIMultiDict[str]:
        return CIMultiDict(self._headers)

    def _complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            status = self._parser.get_status_code()
            self._answer.set_result(Reply(status, self._head(), b"".join(self._body)))

    def _expire(self) -> None:
        self._fail("not in time", timed_out=True)

    def _fail(self, what: str, *, timed_out: bool = False) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NoAnswerError(what, sent=True, timed_out=timed_out))
