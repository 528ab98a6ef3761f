"""The sandbox's process: a learning platform and a SIS on loopback."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stack import processes
from stack.http import request_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stack.processes import Service

__all__ = ["Sandbox", "connections", "start"]

START_SECONDS = 120


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox.

    Args:
        url: Where it listens: http://127.0.0.1:PORT.
        info: What it says of itself, credentials included.
        service: Its process.
    """

    url: str
    info: Mapping[str, Any] = field(repr=False)
    service: Service


def start(*, state: Path, run_folder: Path, environment: Mapping[str, str], working_folder: Path) -> Sandbox:
    """Start the sandbox on its state, which it makes the first time, and wait until it answers."""
    ready = run_folder / "sandbox.ready"
    run_folder.mkdir(parents=True, exist_ok=True)
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "sandbox", "--state", str(state), "--ready-file", str(ready)]
    service = processes.start(
        "sandbox", command, folder=run_folder, environment=environment, working_folder=working_folder
    )
    processes.wait_until(
        ready.exists,
        what="the sandbox is ready",
        services=[service],
        seconds=START_SECONDS,
    )
    url = json.loads(ready.read_text(encoding="utf-8"))["url"]
    return Sandbox(url, request_json("GET", f"{url}/control/info"), service)


def connections(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """The Airflow connections of the sample district, by id, in Airflow's JSON form."""
    feed, sis = sandbox.info["feed"], sandbox.info["sis"]
    otus = _http(feed["base_url"], password=feed["token"], extra={})
    skyward = _http(
        sis["base_url"],
        login=sis["client_id"],
        password=sis["client_secret"],
        extra={"token_url": sis["token_url"]},
    )
    return {"lakeview_otus": otus, "lakeview_skyward": skyward}


def _http(url: str, *, extra: dict[str, str], **credential: str) -> dict[str, Any]:
    address = urlsplit(url)
    return {
        "conn_type": "http",
        "schema": address.scheme,
        "host": address.hostname,
        "port": address.port,
        **credential,
        "extra": {"base_path": address.path, **extra},
    }
