"""extract-scores: read the source, keep the frames."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from passback import connections, ledger, sources
from passback.errors import ContractError, RetriableError
from passback.frame_store import open_folder, read_frame, read_json, write_frame
from passback.records import SOURCE_FRAMES
from passback.stages.extract import MUST_HOLD, check_not_shrunk, merge, merge_copies

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
    try:
        pull, frames = _read(work)
    except RetriableError:
        raise  # the next try goes on from the pages that this one kept
    except Exception:
        _remove_pages(work)  # or the same pages would fail the next try too, mended or not
        raise
    for frame in SOURCE_FRAMES:
        write_frame(work.folder / "extract", frame.name, frames[frame.name])
    held = {name: len(data) for name, data in frames.items()}
    work.note("extract", now=now.isoformat(), **held)
    if not night.preview:
        ledger.keep_extract(
            work.writable,
            night.district.district,
            snapshot=str(work.folder / "extract"),
            watermark=pull.as_of,
            assessments=held["assessments"],
            scores=held["scores"],
        )
    _remove_pages(work)
    counts = {name: len(data) for name, data in merge_copies(frames).items()}
    return {**counts, "requests": pull.requests, "folder": str(work.folder)}


def _read(work: Work) -> tuple[Pull, dict[str, pd.DataFrame]]:
    """What was read from the source, and everything that it holds by that."""
    last = ledger.last_extract(work.connection, work.night.district.district) if work.connection else None
    before = _last_counts(last)
    snapshot = _snapshot(last) if work.night.mode != "full" else None
    pull = _pull(work, last["watermark"] if last and snapshot else None, before)
    frames = merge(pull, snapshot)
    if frames is None:
        work.say("what changed does not add up with the last extraction: reading everything")
        pull = _pull(work, None, before)
        frames = merge(pull, None)
    assert frames is not None  # noqa: S101 - a whole pull always merges
    return pull, frames


def _pull(work: Work, since: datetime | None, before: Mapping[str, int]) -> Pull:
    source = work.night.district.source
    pull = asyncio.run(
        sources.pull(
            source.system,
            connections.endpoint(source.connection),
            work.folder / "pages",
            since=since,
            say=work.say,
        )
    )
    check_not_shrunk(pull.totals, before, where=source.connection, confirmed=work.night.mode == "full")
    return pull


def _last_counts(last: Mapping[str, Any] | None) -> dict[str, int]:
    """How much the source held at the last extraction, by frame name, as far as it is known."""
    if last is None:
        return {}
    noted = read_json(open_folder(last["snapshot"]).parent, "extract") or {}
    known = {**noted, **last}
    return {name: known[name] for name in MUST_HOLD if name in known}


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
