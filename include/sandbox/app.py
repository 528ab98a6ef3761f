"""Joins the sides into one web application: one transaction a request, faults where they are ordered."""

from __future__ import annotations

import asyncio
import json
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Served

from sandbox import control, service, tokens
from sandbox.exchange import Answer, Call, RefusedError, Route, Sandbox, dumps
from sandbox.faults import Fault, take
from sandbox.oneroster import status_info
from sandbox.platforms import PLATFORMS
from sandbox.siss import SISS
from sandbox.store import instant, setting, transaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

_HTML = (
    "<!DOCTYPE html><html><head><title>Service</title></head><body><h1>Please try again</h1></body></html>"
)


class Broken(Response):
    """Closes the connection: before any answer, or in the middle of the given one."""

    def __init__(self, half: Response | None = None) -> None:
        super().__init__(status_code=half.status_code if half else 0)
        self.half = half

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve as an ASGI response."""
        transport = scope["sandbox.transport"]
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


def _response(answer: Answer) -> Response:
    media_type = "application/json" if answer.body else None
    return Response(answer.body, answer.status, headers=answer.headers, media_type=media_type)


def _error(side: str, status: int, headers: dict[str, str]) -> Answer:
    """What a side answers of its own when something is wrong with it."""
    if side == "sis":
        code_minor = {401: "unauthorisedrequest", 403: "forbidden", 404: "unknownobject", 422: "invaliddata"}
        busy = {429: "server_busy", 503: "server_busy"}
        known = code_minor | busy
        return status_info(status, known.get(status, "internal_server_error"), "A fault on order.", headers)
    return Answer(status, dumps({"error": {"message": "A fault on order."}}), headers)


def _instead(fault: Fault, side: str) -> Response | None:
    """The response of a fault that keeps the request from being done; None if it is to be done."""
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    if fault.kind in {"drop", "down"}:
        return Broken()
    if fault.kind == "status":
        return _response(_error(side, fault.status or 503, headers))
    if fault.kind == "html":
        return Response(_HTML, fault.status or 200, headers=headers, media_type="text/html")
    if fault.kind == "bad-secret":
        return _response(tokens.bad_secret())
    return None


def _afterwards(fault: Fault, answer: Answer, side: str) -> Response:
    """The response of a fault that spoils what was done."""
    if fault.kind == "drop-after-commit":
        return Broken()
    if fault.kind == "truncate":
        return Broken(_response(answer))
    if fault.kind == "error-after-commit":
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return _response(_error(side, fault.status or 500, headers))
    if fault.kind in {"bad-item", "empty"} and answer.status == 200 and answer.body:  # noqa: PLR2004
        return _response(Answer(200, _spoilt_listing(fault.kind, answer.body), answer.headers))
    return _response(answer)


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
            value[0] = {field: part for field, part in value[0].items() if field not in identifying}
    return dumps(listing)


def _record(
    route: Route,
    call: Call,
    status: int,
    fault: Fault | None,
    *,
    stored: bool,
    written: tuple[str, ...] = (),
) -> None:
    """Count a request, and put a write on the log, inside the caller's transaction."""
    connection = call.sandbox.connection
    if route.side != "control":
        connection.execute(
            "INSERT INTO requests VALUES (?, ?, 1)"
            " ON CONFLICT (method, path) DO UPDATE SET count = count + 1",
            (route.method, route.path),
        )
    if route.kind:
        at, cause = instant(call.sandbox.clock.tick()), fault.kind if fault else None
        connection.executemany(
            "INSERT INTO writes (method, kind, sourced_id, status, fault, stored, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (route.method, route.kind, sourced_id, status, cause, stored, at)
                for sourced_id in written or (call.parameters.get("sourced_id", ""),)
            ],
        )


def perform(route: Route, call: Call, fault: Fault | None = None) -> Answer:
    """Do what a request asks, all of it or nothing, and record it in the same transaction.

    A refusal changes nothing but is recorded. `store-nothing` undoes what was done and answers as ever.
    """
    connection = call.sandbox.connection
    try:
        with transaction(connection):
            answer = route.action(call)
            if fault is not None and fault.kind == "store-nothing":
                raise RefusedError(answer)  # noqa: TRY301 - leaving the block undoes what was done
            _record(route, call, answer.status, fault, stored=True, written=answer.written)
    except RefusedError as refusal:
        with transaction(connection):
            _record(route, call, refusal.answer.status, fault, stored=False)
        return refusal.answer
    return answer


def endpoint(sandbox: Sandbox, route: Route) -> Callable[[Request], Awaitable[Response]]:
    """What serves a route."""

    async def serve(request: Request) -> Response:
        response = await served(request)
        skew = setting(sandbox.connection, "clock_skew_seconds", 0) if route.side in {"sis", "token"} else 0
        response.headers["Date"] = formatdate(time.time() + skew, usegmt=True)
        return response

    async def served(request: Request) -> Response:
        body = await request.body()
        call = Call(
            sandbox=sandbox,
            method=request.method,
            path=request.url.path,
            parameters=request.path_params,
            query=request.query_params,
            headers=request.headers,
            body=body,
        )
        fault = take(sandbox.faults, route.side, call.method, call.path) if sandbox.faults else None
        if fault is None:
            return _response(perform(route, call))
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault.kind == "revoke-tokens":
            tokens.revoke_all(sandbox.connection)
        instead = _instead(fault, route.side)
        if instead is not None:
            with transaction(sandbox.connection):
                _record(route, call, instead.status_code, fault, stored=False)
            return instead
        return _afterwards(fault, perform(route, call, fault), route.side)

    return serve


def _no_such_route(_: Request, error: Exception) -> Response:
    """Outside all systems: 404, or 405 for a path that takes other methods."""
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


def application(sandbox: Sandbox) -> Starlette:
    """The whole sandbox as one ASGI application."""
    sis, platform = SISS[sandbox.sis], PLATFORMS[sandbox.lms]
    served = (*service.routes(sis), *tokens.routes(sis), *platform.routes, *control.ROUTES)
    return Starlette(
        routes=[Served(route.path, endpoint(sandbox, route), methods=[route.method]) for route in served],
        exception_handlers={HTTPException: _no_such_route},
    )
