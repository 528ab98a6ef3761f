"""A SIS of a few lines on loopback that answers as a test tells it, also as no sandbox would."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from aiohttp import web

from passback.connections import Endpoint
from passback.oneroster import Client, Limits, Retries
from passback.sis import PROFILES

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    Script = Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse | None] | None]

BASE = "/ims/oneroster/v1p1"
QUICK = Retries(attempts=4, patience=20.0, first_wait=0.01)
SKYWARD = PROFILES["skyward"]


@dataclass
class Call:
    method: str
    path: str  # below the service's base
    query: dict[str, str]
    headers: Mapping[str, str]  # looked up without regard to case
    body: Any


@dataclass
class StubSis:
    """Holds collections, stores what is put, and does what `script` says first.

    Attributes:
        collections: Lists by path below the base, such as "/classes".
        script: Sees every call but those for a token; what it returns is the answer, None is the usual one.
        token_script: The same for the token endpoint.
    """

    collections: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    script: Script | None = None
    token_script: Script | None = None
    expires_in: Any = 3600
    page_cap: int = 10_000
    total: Callable[[int], str | None] = str
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    token_calls: list[Call] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)  # by path

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("stub", self.url, "client", "s3cr&t", {})

    def client(self, **settings: Any) -> Client:
        profile = settings.pop("profile", replace(SKYWARD, page_size=10))
        settings.setdefault("limits", Limits(connections=4, requests_per_second=10_000))
        settings.setdefault("retries", QUICK)
        return Client(settings.pop("endpoint", self.endpoint), profile, **settings)

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = {key: value[0] for key, value in parse_qs(await request.text()).items()}
        self.token_calls.append(Call("POST", "/token", {}, request.headers, form))
        if self.token_script and (answer := await _said(self.token_script, request)) is not None:
            return answer
        self.tokens.append(f"token-{len(self.tokens) + 1}")
        return web.json_response(
            {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": self.expires_in}
        )

    async def serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(BASE)
        text = await request.text()
        body = json.loads(text) if text else None
        self.calls.append(Call(request.method, path, dict(request.query), request.headers, body))
        if self.script and (answer := await _said(self.script, request)) is not None:
            return answer
        if request.method == "PUT":
            status = 200 if path in self.stored else 201
            self.stored[path] = body
            return web.Response(status=status)
        if path not in self.collections:
            return web.json_response({"imsx_codeMajor": "failure"}, status=404)
        return self.page(request, self.collections[path], path.rsplit("/", 1)[-1])

    def page(self, request: web.Request, records: list[dict[str, Any]], key: str) -> web.Response:
        offset, limit = int(request.query["offset"]), int(request.query["limit"])
        total = self.total(len(records))
        headers = {} if total is None else {"X-Total-Count": total}
        page = records[offset : offset + min(limit, self.page_cap)]
        return web.json_response({key: page}, headers=headers)


async def _said(script: Script, request: web.Request) -> web.StreamResponse | None:
    answer = script(request)
    return await answer if asyncio.iscoroutine(answer) else answer  # type: ignore[return-value]


def once(*answers: web.StreamResponse | None) -> Script:
    """Give these answers one after the other, then the usual ones."""
    waiting = list(answers)
    return lambda _request: waiting.pop(0) if waiting else None


def drop(request: web.Request) -> None:
    """Close the connection without an answer."""
    assert request.transport
    request.transport.abort()


@asynccontextmanager
async def serving(stub: StubSis, tls: ssl.SSLContext | None = None) -> AsyncIterator[StubSis]:
    """The stub, listening on a free port of loopback."""
    app = web.Application()
    app.router.add_post("/token", stub.token)
    app.router.add_route("*", "/{path:.*}", stub.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server
    server = await asyncio.get_running_loop().create_server(runner.server, "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()
    stub.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield stub
    finally:
        server.close()
        await runner.cleanup()
        while server._active_count:  # type: ignore[attr-defined] # noqa: ASYNC110 - wait_closed(), since Python 3.12
            await asyncio.sleep(0)
