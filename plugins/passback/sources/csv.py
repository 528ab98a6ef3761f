"""CSV files of any learning platform: the feed contract in a folder or a bucket, types as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passback.errors import ConfigurationError
from passback.sources.folder import read_folder
from passback.sources.otus import FEED  # the contract under its plain names

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import pandas as pd
    from airflow.sdk import ObjectStoragePath

    from passback.connections import Endpoint
    from passback.sources.pulled import Pull


async def pull(
    endpoint: Endpoint,
    pages: ObjectStoragePath,  # noqa: ARG001 - files need not be kept
    *,
    since: datetime | None,  # noqa: ARG001 - files are complete
    known: pd.DataFrame,  # noqa: ARG001 - files are complete
    say: Callable[[str], None],
) -> Pull:
    """Read all files of a district.

    Raises:
        ConfigurationError: the connection's address is no folder's.
        PassbackError: as `read_folder`.
    """
    _refuse_web_address(endpoint)
    return read_folder(FEED, endpoint, say=say)


async def count(endpoint: Endpoint) -> dict[str, int]:
    """How many records the files hold: the connection check.

    Raises:
        PassbackError: as `pull`.
    """
    _refuse_web_address(endpoint)
    return dict(read_folder(FEED, endpoint, say=lambda _: None).totals)


def _refuse_web_address(endpoint: Endpoint) -> None:
    if endpoint.base_url.startswith(("http://", "https://")):
        raise ConfigurationError(
            "its host is no folder of files",
            where=f"connection {endpoint.connection}",
            mend="Set its host to the folder's URI, such as file:///data/scores or s3://bucket/scores.",
        )
