"""The learning platforms that the sandbox can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sandbox import canvas, canvas_seed, ekadence, feed, lms_oneroster, seed_feed
from sandbox.exchange import connection_to
from sandbox.store import settings

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from sandbox.exchange import Call, Route
    from sandbox.seed import World


@dataclass(frozen=True)
class Platform:
    """A learning platform.

    Attributes:
        routes: What it serves; its own control operations too, which go before the general ones.
        seed: Fills its empty tables, inside the caller's transaction.
        address: What `GET /control/info` says of it under `lms`: `base_url`, `token`, ….
        connection: The Airflow connection to it, in Airflow's JSON form.
    """

    routes: tuple[Route, ...]
    seed: Callable[[sqlite3.Connection, World], None]
    address: Callable[[Call], dict[str, Any]]
    connection: Callable[[Call], dict[str, Any]]


def _feed_address(call: Call) -> dict[str, Any]:
    token = settings(call.sandbox.connection)["feed_token"]
    return {"base_url": f"{call.sandbox.base_url}/feed/v1", "token": token}


def _feed_connection(call: Call) -> dict[str, Any]:
    address = _feed_address(call)
    return connection_to(address["base_url"], password=address["token"])


PLATFORMS: Final = {
    "otus": Platform(feed.ROUTES, seed_feed.seed, _feed_address, _feed_connection),
    "ekadence": Platform(ekadence.ROUTES, ekadence.seed, ekadence.address, ekadence.connection),
    "canvas": Platform(canvas.ROUTES, canvas_seed.seed, canvas.address, canvas.connection),
    "oneroster": Platform(
        lms_oneroster.ROUTES, seed_feed.seed, lms_oneroster.address, lms_oneroster.connection
    ),
}
