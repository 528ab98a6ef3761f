"""JSON over HTTP to our own services on loopback, past any proxy."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from stack.errors import StackError

__all__ = ["answers", "request_json"]

SECONDS = 30
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request_json(method: str, url: str, *, body: Any = None, token: str = "") -> Any:
    """Send a request and return the JSON that comes back.

    Raises:
        StackError: No answer, or one that is not 2xx; the message holds its beginning.
    """
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - loopback
    try:
        with OPENER.open(request, timeout=SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        words = error.read(500).decode(errors="replace")
        raise StackError(f"{method} {url} was answered with {error.code}: {words}") from error
    except (OSError, ValueError) as error:
        raise StackError(f"{method} {url} got no usable answer: {error}") from error


def answers(url: str) -> bool:
    """Whether a GET of this address is answered with 2xx now."""
    try:
        with OPENER.open(url, timeout=SECONDS) as answer:
            return bool(answer.status // 100 == 2)  # noqa: PLR2004
    except OSError:
        return False
