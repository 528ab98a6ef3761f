"""Learning platforms: one module each, all yielding the canonical frames."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow.sdk import ObjectStoragePath

    from passback.connections import Endpoint
    from passback.sources.pulled import Pull

SYSTEMS: Final = ("otus",)


async def pull(
    system: str,
    endpoint: Endpoint,
    pages: ObjectStoragePath,
    *,
    since: datetime | None,
    say: Callable[[str], None],
) -> Pull:
    """Read what a source holds of a district (see the source's own module)."""
    read: Pull = await import_module(f"passback.sources.{system}").pull(endpoint, pages, since=since, say=say)
    return read


async def probe(system: str, endpoint: Endpoint) -> dict[str, int]:
    """How much a source holds, by collection, to see that its connection works."""
    counts: dict[str, int] = await import_module(f"passback.sources.{system}").count(endpoint)
    return counts
