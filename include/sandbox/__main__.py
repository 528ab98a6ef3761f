"""Starts the sandbox: `python -m sandbox --state DIR`."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import os
import signal
import socket
import sqlite3
import sys
from contextlib import closing
from datetime import date
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox import store
from sandbox.app import application
from sandbox.exchange import Sandbox
from sandbox.seed import seed

_EXAMPLES = """\
examples:
  python -m sandbox --state .sandbox                       a free port, printed when it is ready
  python -m sandbox --state .sandbox --port 8100           always the same port
  python -m sandbox --state .sandbox --reset               forget everything, credentials included
  curl http://127.0.0.1:8100/control/info                  dates, periods, addresses, credentials
"""


class _Protocol(HttpToolsProtocol):
    """Lets a fault on order reach the connection that it is to break."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["sandbox.transport"] = self.transport


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, url: str, ready_file: Path | None) -> None:
        super().__init__(config)
        self.url = url
        self.ready_file = ready_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.ready_file is not None:
            partial = self.ready_file.with_name(f".{self.ready_file.name}.{os.getpid()}")
            partial.write_text(json.dumps({"url": self.url, "pid": os.getpid()}), encoding="utf-8")
            partial.replace(self.ready_file)
        print(f"The sandbox is ready at {self.url} (Ctrl-C stops it).", flush=True)


def _date(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="An Otus feed and a Skyward SIS on loopback, seeded from real scores.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps its state between runs")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0, the default: a free one")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (127.0.0.1)")
    parser.add_argument("--ready-file", type=Path, help='where to write {"url", "pid"} as soon as it answers')
    parser.add_argument("--reset", action="store_true", help="forget the state first, credentials included")
    parser.add_argument("--today", type=_date, help="seeding date YYYY-MM-DD, for tests")
    return parser.parse_args(arguments)


def _listen(host: str, port: int) -> socket.socket:
    """A socket on a loopback address.

    Raises:
        ValueError: the address is not loopback.
        OSError: the port is taken, or there is no such address.
    """
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError(host)
    listener = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)  # noqa: PLR2004
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((str(address), port))
    except OSError:
        listener.close()
        raise
    return listener


def _serve(sandbox: Sandbox, listener: socket.socket, ready_file: Path | None) -> None:
    config = uvicorn.Config(
        application(sandbox),
        http=_Protocol,
        access_log=False,  # paths and queries may name students
        log_level="warning",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=60,
    )
    # The server hands a signal on once it has shut down; by then it has been obeyed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server = _Server(config, sandbox.base_url, ready_file)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve([listener]))


def _open(arguments: argparse.Namespace) -> tuple[sqlite3.Connection, store.Clock]:
    if arguments.reset:
        store.forget(arguments.state)
    connection = store.connect(arguments.state)
    clock = store.Clock.of(connection)
    if "seeding_date" not in store.settings(connection):
        with store.transaction(connection):
            seed(connection, arguments.today or "", clock.tick())
    return connection, clock


def main(arguments: list[str]) -> int:
    """Run until a signal ends it; the exit code."""
    wanted = _arguments(arguments)
    os.umask(0o077)  # the state holds credentials, an export holds scores
    try:
        listener = _listen(wanted.host, wanted.port)
    except ValueError:
        print(f"The sandbox listens on loopback only, not on {wanted.host}.", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"Cannot listen on {wanted.host} port {wanted.port}: {error.strerror}.", file=sys.stderr)
        return 1
    try:
        held = store.lock(wanted.state)
    except store.FolderInUseError:
        print(f"Another sandbox is running on the state in {wanted.state}.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Cannot use the folder {wanted.state}: {error.strerror}.", file=sys.stderr)
        return 1
    with closing(listener), held:
        try:
            connection, clock = _open(wanted)
        except sqlite3.Error as error:
            print(f"Cannot use the state in {wanted.state}: {error}. --reset makes it anew.", file=sys.stderr)
            return 1
        with closing(connection):
            host, port = listener.getsockname()[:2]
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            _serve(Sandbox(connection, clock, url, wanted.today or ""), listener, wanted.ready_file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
