"""A feed comes over HTTP or as a folder of CSV files: the connection's address says which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passback.sources.feed import count_records, read_feed
from passback.sources.folder import read_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import pandas as pd
    from airflow.sdk import ObjectStoragePath

    from passback.connections import Endpoint
    from passback.sources.contract import Feed
    from passback.sources.pulled import Pull


async def pull(
    feed: Feed,
    endpoint: Endpoint,
    pages: ObjectStoragePath,
    *,
    since: datetime | None,
    known: pd.DataFrame,  # noqa: ARG001 - the feed lists an assessment's scores as changed when it is new
    say: Callable[[str], None],
) -> Pull:
    """Read what a platform holds of a district; files are complete, so `since` is for the HTTP form alone.

    Raises:
        PassbackError: as `read_feed` and `read_folder`.
    """
    if endpoint.base_url.startswith(("http://", "https://")):
        return await read_feed(feed, endpoint, pages, since=since, say=say)
    return read_folder(feed, endpoint, say=say)


async def count(feed: Feed, endpoint: Endpoint) -> dict[str, int]:
    """How much a platform holds, by collection: the connection check.

    Raises:
        PassbackError: as `count_records` and `read_folder`.
    """
    if endpoint.base_url.startswith(("http://", "https://")):
        return await count_records(feed, endpoint)
    return dict(read_folder(feed, endpoint, say=lambda _: None).totals)
