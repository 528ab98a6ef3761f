"""Starts the sandbox as a process of its own, for any test that wants an LMS and a SIS.

with start_sandbox(tmp_path / "sandbox") as sandbox:
    sandbox.control("PATCH", "/scores/1755/AAA-2013J/s11391", {"points": 60})
    sandbox.dump()["results"]
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

INCLUDE = Path(__file__).parents[1] / "include"
STARTS_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class Reply:
    """An HTTP response."""

    status: int
    headers: dict[str, str]  # names in lower case
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def request(
    method: str, url: str, body: Any = None, headers: dict[str, str] | None = None, *, timeout: float = 30
) -> Reply:
    """One request on a connection of its own; raises http.client.HTTPException or OSError if it breaks."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    content = json.dumps(body) if body is not None and not isinstance(body, str | bytes) else body
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, content, {"Content-Type": "application/json"} | (headers or {}))
        response = connection.getresponse()
        text = response.read().decode()
        return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, text)
    finally:
        connection.close()


class SandboxProcess:
    """A running sandbox.

    Attributes:
        url: Where it listens; the same after `restart`.
        pid: Its process.
        state: Its state folder.
    """

    def __init__(self, state: Path, options: dict[str, Any], *, strict: bool = True) -> None:
        self.state = state
        self._options = options
        self._strict = strict
        self._token = ""
        self._sis: dict[str, Any] = {}
        self._start(options)
        self._be_strict()

    def _start(self, options: dict[str, Any]) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        ready, log = self.state / "ready.json", self.state / "log.txt"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "sandbox", "--state", str(self.state), "--ready-file", str(ready)]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
        environment = os.environ | {"PYTHONPATH": str(INCLUDE)}
        with log.open("a") as output:
            self._process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        give_up = time.monotonic() + STARTS_WITHIN_SECONDS
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.kill()
                message = f"the sandbox did not start: {log.read_text()}"
                raise RuntimeError(message)
            time.sleep(0.02)
        self.url: str = json.loads(ready.read_text())["url"]
        self.pid = self._process.pid

    def _be_strict(self) -> None:
        """Only the generic SIS takes half a record, unless it is told not to."""
        if self._strict and self._options.get("sis") == "generic":
            self.control("PATCH", "/settings", {"lenient": False})

    def stop(self) -> int:
        """End it with SIGTERM; its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=15)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(timeout=15)

    def restart(self) -> None:
        """Start it again on the same state and port, after `stop` or `kill`."""
        kept = {name: value for name, value in self._options.items() if name != "reset"}
        self._start(kept | {"port": urlsplit(self.url).port})

    # --- Control ---

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the control interface (`path` without /control); its JSON, or None."""
        reply = request(method, f"{self.url}/control{path}", body)
        assert reply.status < 300, f"{method} /control{path} answered {reply.status}: {reply.text}"
        return json.loads(reply.text) if reply.text else None

    def info(self) -> dict[str, Any]:
        """Dates, periods, addresses and credentials."""
        return self.control("GET", "/info")

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """The `lineItems` and `results` the SIS holds."""
        return self.control("GET", "/sis/dump")

    def requests(self) -> dict[str, Any]:
        """What was asked of it since the last reset."""
        return self.control("GET", "/requests")

    def writes(self) -> list[dict[str, Any]]:
        """The log of writes since the last seeding."""
        found: list[dict[str, Any]] = []
        while page := self.control("GET", f"/writes?after={found[-1]['sequence'] if found else 0}")["writes"]:
            found += page
        return found

    def fault(self, side: str, kind: str, **more: Any) -> None:
        """Order a fault."""
        self.control("POST", "/faults", {"side": side, "kind": kind, **more})

    def lift_faults(self) -> None:
        """Take all faults back."""
        self.control("DELETE", "/faults")

    def reset(self) -> None:
        """Seed afresh, forget faults; credentials and address stay."""
        self.control("POST", "/reset")
        self._token = ""  # a fault may have revoked it
        self._be_strict()

    # --- What a client sees ---

    def feed(self, path: str, **query: Any) -> Reply:
        """A request to the feed, with its token."""
        token = self.info()["feed"]["token"]
        url = f"{self.url}/feed/v1{path}" + (f"?{urlencode(query)}" if query else "")
        return request("GET", url, headers={"Authorization": f"Bearer {token}"})

    def feed_items(self, collection: str, **query: Any) -> list[dict[str, Any]]:
        """All items of a collection, over all its pages."""
        page = self.feed(f"/{collection}", limit=5000, **query).json
        items = page["items"]
        while page["next"]:
            page = self.feed(f"/{collection}", limit=5000, cursor=page["next"]).json
            items += page["items"]
        return items

    def new_token(self, **form: str) -> Reply:
        """A request to the token endpoint with the right credentials; all scopes unless `scope` is given."""
        info = self.info()
        sis, extra = info["sis"], info["connections"]["sis"]["extra"]
        fields = {"grant_type": "client_credentials", "scope": " ".join(sis["scopes"])} | form
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if extra["token_auth"] == "body":
            fields = {name: sis[name] for name in ("client_id", "client_secret")} | fields
        else:
            pair = f"{quote_plus(sis['client_id'])}:{quote_plus(sis['client_secret'])}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return request("POST", sis["token_url"], urlencode(fields), headers)

    def sis(self, method: str, path: str, body: Any = None, *, token: str = "") -> Reply:
        """A request to the SIS (`path` below its base), with a token that it fetches once."""
        if not self._sis:
            self._sis = self.info()["sis"]
        if not token:
            self._token = self._token or self.new_token().json["access_token"]
            token = self._token
        gradebook = {"categories", "lineItems", "results", "scoreScales"} & set(
            urlsplit(path).path.split("/")
        )
        base = urlsplit(self._sis["gradebook_url" if gradebook else "base_url"]).path
        return request(method, self.url + base + path, body, {"Authorization": f"Bearer {token}"})


@contextmanager
def start_sandbox(state: Path, *, strict: bool = True, **options: Any) -> Iterator[SandboxProcess]:
    """A sandbox on loopback for the with-block.

    Args:
        state: The folder of its state; a second start on it goes on where the first ended.
        strict: Whether the generic SIS refuses records that say less than they must; by itself it takes them.
        **options: Options of `python -m sandbox`: `lms="canvas"`, `sis="aspen"`, `modules="AAA"`, `port`,
            `today="2026-03-02"`, `reset=True`.
    """
    process = SandboxProcess(state, options, strict=strict)
    try:
        yield process
    finally:
        process.stop()
