"""Learning platforms: one module each, all yielding the canonical frames; `profiles` says what each tells."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from passback.sources.profiles import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import pandas as pd
    from airflow.sdk import ObjectStoragePath

    from passback.connections import Endpoint
    from passback.sources.profile import SourceProfile
    from passback.sources.pulled import Pull

__all__ = ["SOURCES", "probe", "pull"]


async def pull(
    source: SourceProfile,
    endpoint: Endpoint,
    pages: ObjectStoragePath,
    *,
    since: datetime | None,
    known: pd.DataFrame,
    say: Callable[[str], None],
) -> Pull:
    """Read what a source holds of a district (see the source's own module).

    Args:
        source: The learning platform.
        endpoint: Its connection.
        pages: The folder in which pages may be kept until the extraction is complete.
        since: Read only what changed since then (UTC); None for everything.
        known: `assessment_id` and `class_id` of what the last extraction held; of an assessment that is not
            among them everything is read, however old it is. Without a row when `since` is None.
        say: Told about progress, in counts.
    """
    module = import_module(f"passback.sources.{source.module}")
    read: Pull = await module.pull(endpoint, pages, since=since, known=known, say=say)
    return read


async def probe(source: SourceProfile, endpoint: Endpoint) -> dict[str, int]:
    """How much a source holds, by collection, to see that its connection works."""
    counts: dict[str, int] = await import_module(f"passback.sources.{source.module}").count(endpoint)
    return counts
