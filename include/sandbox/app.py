"""Joins the sides into one web application: one transaction a request, faults where they are ordered."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route as Served

from sandbox import aeries_native, control, service, tokens
from sandbox.batch import batch_route
from sandbox.exchange import Answer, Call, RefusedError, Route, Sandbox
from sandbox.faults import Fault, take
from sandbox.platforms import PLATFORMS
from sandbox.siss import SISS
from sandbox.spoilt import Broken, afterwards, bent, instead, response
from sandbox.store import instant, setting, transaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response


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
    if route.alone:
        try:
            return route.action(call)
        except RefusedError as refusal:
            return refusal.answer
    try:
        with transaction(connection):
            answer = route.action(call)
            if fault is not None and fault.kind == "store-nothing":
                raise RefusedError(answer)  # noqa: TRY301 - leaving the block undoes what was done
            _record(route, call, answer.status, fault, stored=True, written=answer.written)
    except RefusedError as refusal:
        with transaction(connection):
            written = refusal.answer.written
            _record(route, call, refusal.answer.status, fault, stored=False, written=written)
            return aeries_native.unstored(route, call, refusal.answer)
    return answer


def endpoint(sandbox: Sandbox, route: Route) -> Callable[[Request], Awaitable[Response]]:
    """What serves a route."""

    async def serve(request: Request) -> Response:
        found = await served(request)
        skew = setting(sandbox.connection, "clock_skew_seconds", 0) if route.side in {"sis", "token"} else 0
        found.headers["Date"] = formatdate(time.time() + skew, usegmt=True)
        return found

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
            raw_path=request.scope["raw_path"].decode("ascii"),
            raw_query=request.scope["query_string"].decode("ascii", "replace"),
        )
        fault = take(sandbox.faults, route.side, call.method, call.path) if sandbox.faults else None
        if fault is None:
            return response(perform(route, call))
        return await _struck(route, bent(call, fault), fault)

    return serve


async def _struck(route: Route, call: Call, fault: Fault) -> Response:
    """The response to a request that a fault strikes."""
    connection = call.sandbox.connection
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
    if fault.kind == "late-commit" and not await _is_still_wanted(call.sandbox, fault.seconds):
        return Broken()
    if fault.kind == "revoke-tokens":
        tokens.revoke_all(connection)
    if fault.kind == "expire-tokens":
        tokens.expire_all(connection)
    found = instead(call, fault, route.side)
    if found is not None:
        with transaction(connection):
            _record(route, call, found.status_code, fault, stored=False)
        return found
    return afterwards(call, fault, perform(route, call, fault), route.side)


async def _is_still_wanted(sandbox: Sandbox, seconds: float) -> bool:
    """Wait; whether the state is still the one that a request was made to."""
    epoch = sandbox.epoch
    sandbox.late += 1
    try:
        await asyncio.sleep(seconds)
    finally:
        sandbox.late -= 1
    return epoch == sandbox.epoch


def _no_such_route(_: Request, error: Exception) -> Response:
    """Outside all systems: 404, or 405 for a path that takes other methods."""
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


def application(sandbox: Sandbox) -> Starlette:
    """The whole sandbox as one ASGI application."""
    sis, platform = SISS[sandbox.sis], PLATFORMS[sandbox.lms]
    own = (*sis.routes, *platform.routes)
    controls = [route for route in (*own, *control.ROUTES) if route.side == "control"]
    batch = batch_route(controls, perform)
    served = (*service.routes(sis), *tokens.routes(sis), batch, *own, *control.ROUTES)
    return Starlette(
        routes=[Served(route.path, endpoint(sandbox, route), methods=[route.method]) for route in served],
        exception_handlers={HTTPException: _no_such_route},
    )
