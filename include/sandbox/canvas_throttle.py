"""Canvas' rate limit: a leaky bucket a token, filled by what requests cost, emptied by time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from sandbox.exchange import Answer

if TYPE_CHECKING:
    import sqlite3

# Canvas' own numbers. `status` is what a throttled request is answered: its documentation says 403 and 429.
DEFAULTS: Final = {"hwm": 600, "maximum": 800, "outflow": 10, "up_front_cost": 50, "status": 403}

_COST_OF_REQUEST: Final = 0.05
_COST_OF_ITEM: Final = 0.002


@dataclass
class Bucket:
    """The bucket of one token, as it stands while one of its requests is served.

    Attributes:
        token: Whose bucket it is, as a hash.
        count: How full it is, with what the running request has reserved.
        limits: Those of `DEFAULTS`.
    """

    token: str
    count: float
    limits: dict[str, Any]

    @property
    def full(self) -> bool:
        """Whether the request is refused."""
        return bool(self.count >= self.limits["hwm"])


def reserve(connection: sqlite3.Connection, token: str, limits: dict[str, Any]) -> Bucket:
    """Let the bucket leak since its last request, and take out the price that is asked up front."""
    hashed, now = sha256(token.encode()).hexdigest(), time.time()
    row = connection.execute(
        "SELECT count, touched FROM canvas_buckets WHERE token = ?", (hashed,)
    ).fetchone()
    count, touched = row or (0.0, now)
    leaked = max(0.0, count - max(0.0, now - touched) * limits["outflow"])
    return Bucket(hashed, min(leaked + limits["up_front_cost"], limits["maximum"]), limits)


def release(connection: sqlite3.Connection, bucket: Bucket, items: int) -> dict[str, str]:
    """Give the price back, charge what the request did cost, and say so in headers."""
    cost = _COST_OF_REQUEST + _COST_OF_ITEM * items
    bucket.count = max(0.0, bucket.count - bucket.limits["up_front_cost"]) + cost
    connection.execute(
        "INSERT OR REPLACE INTO canvas_buckets VALUES (?, ?, ?)", (bucket.token, bucket.count, time.time())
    )
    remaining = bucket.limits["hwm"] - bucket.count
    return {"X-Request-Cost": str(cost), "X-Rate-Limit-Remaining": str(remaining)}


def exceeded(bucket: Bucket) -> Answer:
    """The answer to a request that found its bucket full: no JSON."""
    reason = {403: "Forbidden"}.get(bucket.limits["status"], "Too Many Requests")
    headers = {"Content-Type": "text/plain; charset=utf-8", "X-Rate-Limit-Remaining": "0.0"}
    return Answer(
        bucket.limits["status"], f"{bucket.limits['status']} {reason} (Rate Limit Exceeded)\n", headers
    )
