"""Otus. It publishes no API: a district's scores come by the feed contract, over HTTP or as CSV files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passback.sources.feed import count_records, read_feed
from passback.sources.folder import read_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow.sdk import ObjectStoragePath

    from passback.connections import Endpoint
    from passback.sources.pulled import Pull


async def pull(
    endpoint: Endpoint, pages: ObjectStoragePath, *, since: datetime | None, say: Callable[[str], None]
) -> Pull:
    """Read what Otus holds of a district; files are complete, so `since` is for the HTTP form alone.

    Raises:
        PassbackError: as `read_feed` and `read_folder`.
    """
    if endpoint.base_url.startswith(("http://", "https://")):
        return await read_feed(endpoint, pages, since=since, say=say)
    return read_folder(endpoint, say=say)


async def count(endpoint: Endpoint) -> dict[str, int]:
    """How much Otus holds, by collection: the connection check.

    Raises:
        PassbackError: as `count_records` and `read_folder`.
    """
    if endpoint.base_url.startswith(("http://", "https://")):
        return await count_records(endpoint)
    return dict(read_folder(endpoint, say=lambda _: None).totals)
