"""extract-scores: read the source, keep the frames."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from passback import connections, ledger, sources
from passback.errors import ContractError
from passback.frame_store import open_folder, read_frame, write_frame
from passback.records import SOURCE_FRAMES
from passback.stages.extract import check_not_shrunk, merge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pandas as pd

    from passback.sources.pulled import Pull
    from passback.steps.work import Work


def step(work: Work) -> dict[str, int | str]:
    """Read what changed in the source since the last extraction, or everything, and keep all of it.

    Raises:
        PassbackError: the source cannot be read, or holds nothing, or far less than last time.
    """
    night = work.night
    now = work.clock()
    last = ledger.last_extract(work.connection, night.district.district) if work.connection else None
    snapshot = _snapshot(last) if night.mode != "full" else None
    pull = _pull(work, last["watermark"] if last and snapshot else None)
    check_not_shrunk(
        pull.totals, last, where=night.district.source.connection, confirmed=night.mode == "full"
    )
    frames = merge(pull, snapshot)
    if frames is None:
        work.say("what changed does not add up with the last extraction: reading everything")
        pull = _pull(work, None)
        frames = merge(pull, None)
    assert frames is not None  # noqa: S101 - a whole pull always merges
    for frame in SOURCE_FRAMES:
        write_frame(work.folder / "extract", frame.name, frames[frame.name])
    counts = {name: len(data) for name, data in frames.items()}
    work.note("extract", now=now.isoformat(), **counts)
    if not night.preview:
        ledger.keep_extract(
            work.writable,
            night.district.district,
            snapshot=str(work.folder / "extract"),
            watermark=pull.as_of,
            assessments=counts["assessments"],
            scores=counts["scores"],
        )
    _remove_pages(work)
    return {**counts, "requests": pull.requests, "folder": str(work.folder)}


def _pull(work: Work, since: datetime | None) -> Pull:
    source = work.night.district.source
    return asyncio.run(
        sources.pull(
            source.system,
            connections.endpoint(source.connection),
            work.folder / "pages",
            since=since,
            say=work.say,
        )
    )


def _snapshot(last: Mapping[str, Any] | None) -> dict[str, pd.DataFrame] | None:
    """The frames of the last extraction, if they are still there."""
    if last is None:
        return None
    folder = open_folder(last["snapshot"])
    try:
        return {frame.name: read_frame(folder, frame) for frame in SOURCE_FRAMES}
    except ContractError:
        return None


def _remove_pages(work: Work) -> None:
    pages = work.folder / "pages"
    if pages.exists():
        pages.fs.rm(pages.path, recursive=True)
