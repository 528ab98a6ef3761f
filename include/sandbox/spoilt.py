"""What a fault makes of an answer: broken connections, slow bodies, listings that lie."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import struct
import time
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from sandbox import aeries_native, tokens
from sandbox.exchange import Answer, Call, dumps
from sandbox.oneroster import status_info
from sandbox.store import setting

if TYPE_CHECKING:
    from sandbox.faults import Fault

_HTML: Final = (
    "<!DOCTYPE html><html><head><title>Service</title></head><body><h1>Please try again</h1></body></html>"
)
_DRIPS: Final = 10


class Broken(Response):
    """Closes the connection: before any answer, or in the middle of the given one.

    Args:
        half: The answer of which half is sent; none: nothing is.
        reset: Whether the connection ends with a TCP reset.
    """

    def __init__(self, half: Response | None = None, *, reset: bool = False) -> None:
        super().__init__(status_code=half.status_code if half else 0)
        self.half = half
        self.reset = reset

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve as an ASGI response."""
        transport = scope["sandbox.transport"]
        if self.reset and (connected := transport.get_extra_info("socket")) is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self.half is None:
            transport.abort()
        else:
            start = {"type": "http.response.start", "status": self.half.status_code}
            await send(start | {"headers": self.half.raw_headers})
            half = bytes(self.half.body)[: len(self.half.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            transport.close()  # unlike abort, sends first what is written
        while (await receive())["type"] != "http.disconnect":
            pass


class Dripping(Response):
    """Sends the head at once and the body bit by bit, over the given seconds."""

    def __init__(self, whole: Response, seconds: float) -> None:
        super().__init__(whole.body, whole.status_code)
        self.raw_headers = list(whole.raw_headers)
        self.seconds = seconds

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - the form of ASGI
        """Serve as an ASGI response."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send(start | {"headers": self.raw_headers})
        body = bytes(self.body)
        size = math.ceil(len(body) / _DRIPS) or 1
        for first in range(0, size * _DRIPS, size):
            await asyncio.sleep(self.seconds / _DRIPS)
            part = {"type": "http.response.body", "body": body[first : first + size], "more_body": True}
            await send(part)
        await send({"type": "http.response.body", "body": b""})


def response(answer: Answer) -> Response:
    """An answer as the server sends it."""
    media_type = "application/json" if answer.body else None
    return Response(answer.body, answer.status, headers=answer.headers, media_type=media_type)


def _retry_after(call: Call, fault: Fault) -> dict[str, str]:
    """The header Retry-After: seconds, or a date by the clock that the SIS's header Date shows."""
    if fault.retry_after is None:
        return {}
    if not fault.retry_after_date:
        return {"Retry-After": str(fault.retry_after)}
    clock = math.ceil(time.time()) + setting(call.sandbox.connection, "clock_skew_seconds", 0)
    return {"Retry-After": formatdate(clock + fault.retry_after, usegmt=True)}


def _error(call: Call, side: str, status: int, headers: dict[str, str]) -> Answer:
    """What a side answers of its own when something is wrong with it."""
    if call.path.startswith(f"{aeries_native.BASE}/"):
        return Answer(status, aeries_native.error_body("A fault on order."), headers)
    if side == "sis":
        code_minor = {401: "unauthorisedrequest", 403: "forbidden", 404: "unknownobject", 422: "invaliddata"}
        busy = {429: "server_busy", 503: "server_busy"}
        known = code_minor | busy
        return status_info(status, known.get(status, "internal_server_error"), "A fault on order.", headers)
    return Answer(status, dumps({"error": {"message": "A fault on order."}}), headers)


def bent(call: Call, fault: Fault) -> Call:
    """The request as a fault makes it: a page of another size or place than it asked for."""
    if fault.kind == "cap-pages":
        limit = call.query.get("limit", "100")
        capped = str(min(int(limit), fault.items)) if limit.isdecimal() else limit
        return replace(call, fault=fault, query={**call.query, "limit": capped})
    if fault.kind == "ignore-offset":
        return replace(call, fault=fault, query={**call.query, "offset": "0"})
    return replace(call, fault=fault)


def instead(call: Call, fault: Fault, side: str) -> Response | None:
    """The response of a fault that keeps a request from being done; None if it is to be done."""
    if fault.kind in {"drop", "down", "connection-reset"}:
        return Broken(reset=fault.kind == "connection-reset")
    if fault.kind == "status":
        return response(_error(call, side, fault.status or 503, _retry_after(call, fault)))
    if fault.kind == "html":
        headers = _retry_after(call, fault)
        return Response(_HTML, fault.status or 200, headers=headers, media_type="text/html")
    if fault.kind == "bad-secret":
        return response(tokens.bad_secret())
    return None


def afterwards(call: Call, fault: Fault, answer: Answer, side: str) -> Response:
    """The response of a fault that spoils what was done."""
    if fault.kind in {"drop-after-commit", "reset-after-commit", "late-commit"}:
        return Broken(reset=fault.kind == "reset-after-commit")
    if fault.kind == "truncate":
        return Broken(response(answer))
    if fault.kind == "slow-body":
        return Dripping(response(answer), fault.seconds)
    return response(_spoilt(call, fault, answer, side))


def _spoilt(call: Call, fault: Fault, answer: Answer, side: str) -> Answer:
    """An answer that says something else than was done."""
    if fault.kind == "error-after-commit":
        return _error(call, side, fault.status or 500, _retry_after(call, fault))
    if fault.kind == "malformed":
        cut = answer.body[: len(answer.body) * 2 // 3] or '{"imsx_codeMajor": "suc'
        return Answer(fault.status or 200, cut, answer.headers)
    if fault.kind == "wrong-total" and "X-Total-Count" in answer.headers:
        return replace(answer, headers=answer.headers | {"X-Total-Count": str(fault.total)})
    if fault.kind in {"bad-item", "empty"} and answer.status == 200 and answer.body:  # noqa: PLR2004
        return Answer(200, _spoilt_listing(fault.kind, answer.body), answer.headers)
    return answer


def _spoilt_listing(kind: str, body: str) -> str:
    """A listing without items, or with a first item that lacks what identifies it."""
    listing = json.loads(body)
    if isinstance(listing, list):
        return _spoilt_listing(kind, dumps({"items": listing}))[len('{"items":') : -1]
    if kind == "empty" and "total" in listing:
        listing |= {"total": 0, "next": None}
    for name, value in listing.items():
        if isinstance(value, list) and kind == "empty":
            listing[name] = []
        elif isinstance(value, list) and value:
            identifying = {"id", "sourcedId", "assessment_id", "staff_id"}
            identifying |= {"GradebookNumber", "UniqueID", "StudentID"}
            value[0] = {field: part for field, part in value[0].items() if field not in identifying}
    return dumps(listing)
