"""Many control requests in one: what a test harness orders between two nights costs one round trip."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from starlette.datastructures import QueryParams
from starlette.routing import compile_path

from sandbox.exchange import Answer, Route, answer, dumps, object_of, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox.exchange import Call


def _order(order: Any) -> tuple[str, str, Any]:
    """Method, path and body of one request of a batch."""
    fields = {"method", "path", "body"}
    if not isinstance(order, dict) or set(order) - fields or not isinstance(order.get("path"), str):
        raise refused(422, "A call is an object of method, path (below /control) and body.")
    return str(order.get("method") or "POST").upper(), order["path"], order.get("body")


def batch_route(controls: Sequence[Route], perform: Callable[[Route, Call], Answer]) -> Route:
    """POST /control/batch {"calls": [{"method", "path", "body"}, …]}.

    The calls are done in their order, each as a whole. The first that is refused ends the batch, which then
    has its status, and is the last of those answered. No other request comes between them.

    Args:
        controls: What can be called.
        perform: Does one of them.
    """
    compiled = [(route, *compile_path(route.path)) for route in controls]

    def _done(call: Call, method: str, path: str, body: Any) -> Answer:
        address = urlsplit(path)
        wanted = "/control" + unquote(address.path)
        for route, pattern, _, convertors in compiled:
            found = pattern.match(wanted)
            if found is None or route.method != method:
                continue
            this = replace(
                call,
                method=method,
                path=wanted,
                parameters={name: convertors[name].convert(text) for name, text in found.groupdict().items()},
                query=QueryParams(address.query),
                body=dumps(body).encode() if body is not None else b"",
            )
            return perform(route, this)
        return Answer(404, dumps({"error": {"message": f"There is no {method} {path} below /control."}}))

    def batch(call: Call) -> Answer:
        calls = object_of(call.body).get("calls")
        if not isinstance(calls, list):
            raise refused(422, "calls is a list.")
        answers: list[dict[str, Any]] = []
        status = 200
        for order in [_order(each) for each in calls]:
            done = _done(call, *order)
            answers.append({"status": done.status, "body": json.loads(done.body) if done.body else None})
            if done.status >= 400:  # noqa: PLR2004 - refused
                status = done.status
                break
        return answer({"answers": answers}, status)

    return Route("POST", "/control/batch", batch, "control", alone=True)
