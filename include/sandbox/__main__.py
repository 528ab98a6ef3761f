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
from typing import Any, TextIO

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox import store
from sandbox.app import application
from sandbox.exchange import Sandbox
from sandbox.platforms import PLATFORMS
from sandbox.seed import data_folder, held_modules
from sandbox.seeding import first_settings, seed
from sandbox.siss import SISS

_EXAMPLES = """\
examples:
  python -m sandbox --state .sandbox                       a free port, printed when it is ready
  python -m sandbox --state .sandbox --port 8100           always the same port
  python -m sandbox --state .sandbox --reset               forget everything, credentials included
  python -m sandbox --state .canvas --lms canvas --sis aspire --modules AAA,EEE
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


def _modules(text: str) -> tuple[str, ...]:
    return tuple(sorted({module.strip() for module in text.split(",") if module.strip()}))


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="A district's learning platform and its SIS on loopback, seeded from real scores.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps its state between runs")
    parser.add_argument("--lms", choices=sorted(PLATFORMS), help="learning platform; otus on a new state")
    parser.add_argument("--sis", choices=sorted(SISS), help="SIS; skyward on a new state")
    parser.add_argument(
        "--modules", type=_modules, help="modules to hold, such as AAA,EEE; all on a new state"
    )
    parser.add_argument(
        "--data", type=Path, help="folder of the four CSV files; the sandbox's own on a new state"
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0, the default: a free one")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (127.0.0.1)")
    parser.add_argument("--ready-file", type=Path, help='where to write {"url", "pid"} as soon as it answers')
    parser.add_argument("--reset", action="store_true", help="forget the state first, credentials included")
    parser.add_argument("--today", type=_date, help="seeding date YYYY-MM-DD, for tests")
    return parser.parse_args(arguments)


class _CannotStartError(Exception):
    """Says why in one sentence; `code` is the exit code: 2 for a wrong argument, else 1."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


def _listen(host: str, port: int) -> socket.socket:
    """A socket on a loopback address.

    Raises:
        _CannotStartError: the address is not loopback, there is no such address, or the port is taken.
    """
    loopback_only = f"The sandbox listens on loopback only, not on {host}."
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError as error:
        raise _CannotStartError(loopback_only, 2) from error
    if not address.is_loopback:
        raise _CannotStartError(loopback_only, 2)
    listener = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)  # noqa: PLR2004
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((str(address), port))
    except OSError as error:
        listener.close()
        raise _CannotStartError(f"Cannot listen on {host} port {port}: {error.strerror}.") from error
    return listener


def _lock(folder: Path) -> TextIO:
    """Take the state's folder for this process.

    Raises:
        _CannotStartError: another one holds it, or it cannot be used.
    """
    try:
        return store.lock(folder)
    except store.FolderInUseError as error:
        raise _CannotStartError(f"Another sandbox is running on the state in {folder}.") from error
    except OSError as error:
        raise _CannotStartError(f"Cannot use the folder {folder}: {error.strerror}.") from error


def _serve(sandbox: Sandbox, listener: socket.socket, ready_file: Path | None) -> None:
    config = uvicorn.Config(
        application(sandbox),
        http=_Protocol,
        access_log=False,  # paths and queries may name students
        log_level="warning",
        date_header=False,  # the application sets it: the SIS's clock may be skewed on order
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


def _district(arguments: argparse.Namespace, kept: dict[str, Any]) -> dict[str, Any]:
    """Platform, SIS, modules and data: what the state remembers, or what is asked for on a new one.

    Raises:
        _CannotStartError: something else is asked for than the state remembers.
        ValueError: a module is not in the data.
        OSError: a file of the data is missing.
    """
    given = {
        "lms": arguments.lms,
        "sis": arguments.sis,
        "modules": arguments.modules and list(arguments.modules),
        "data": arguments.data and str(arguments.data.resolve()),
    }
    first = {"lms": "otus", "sis": "skyward", "modules": [], "data": ""}
    if "seeding_date" not in kept:
        wanted = {name: value or first[name] for name, value in given.items()}
        return wanted | {"modules": list(held_modules(data_folder(wanted["data"]), wanted["modules"]))}
    remembered = {name: kept.get(name, value) for name, value in first.items()}
    remembered["modules"] = list(held_modules(data_folder(remembered["data"]), remembered["modules"]))
    differing = [name for name, value in given.items() if value and value != remembered[name]]
    if differing:
        modules = ",".join(remembered["modules"])
        shown = remembered | {"modules": modules, "data": data_folder(remembered["data"])}
        of = " ".join(f"--{name} {shown[name]}" for name in differing)
        sentence = f"The state in {arguments.state} is that of {of}. --reset makes it anew."
        raise _CannotStartError(sentence, 2)
    return remembered


def _open(arguments: argparse.Namespace) -> tuple[sqlite3.Connection, store.Clock, dict[str, Any]]:
    """The state, seeded if it is new, its clock, and which district it is.

    Raises:
        _CannotStartError: it cannot be used, is that of another district, or the data are wrong.
    """
    try:
        if arguments.reset:
            store.forget(arguments.state)
        connection = store.connect(arguments.state)
        clock = store.Clock.of(connection)
        kept = store.settings(connection)
        district = _district(arguments, kept)
        if "seeding_date" not in kept:
            with store.transaction(connection):
                store.keep_settings(connection, **district)
                seed(connection, arguments.today or "", clock.tick())
        else:  # a state of before there was a choice knows less
            store.keep_settings(connection, **district | first_settings(SISS[district["sis"]]) | kept)
    except sqlite3.Error as error:
        sentence = f"Cannot use the state in {arguments.state}: {error}. --reset makes it anew."
        raise _CannotStartError(sentence) from error
    except (ValueError, OSError) as error:
        raise _CannotStartError(f"Cannot seed from the data: {error}.", 2) from error
    return connection, clock, district


def _run(wanted: argparse.Namespace) -> None:
    with closing(_listen(wanted.host, wanted.port)) as listener, _lock(wanted.state):
        connection, clock, district = _open(wanted)
        with closing(connection):
            host, port = listener.getsockname()[:2]
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            sandbox = Sandbox(connection, clock, url, district["lms"], district["sis"], wanted.today or "")
            _serve(sandbox, listener, wanted.ready_file)


def main(arguments: list[str]) -> int:
    """Run until a signal ends it; the exit code."""
    wanted = _arguments(arguments)
    os.umask(0o077)  # the state holds credentials, an export holds scores
    try:
        _run(wanted)
    except _CannotStartError as error:
        print(error, file=sys.stderr)
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
