"""extract-scores: read the source, keep the frames."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

from passback import connections, ledger, sources
from passback.errors import ContractError, RetriableError
from passback.frame_store import open_folder, read_frame, read_json, write_frame
from passback.records import ASSESSMENTS, SOURCE_FRAMES
from passback.stages.extract import check_not_shrunk, keep_unread, merge, merge_copies

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from passback.sources.profile import SourceProfile
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
        pull, frames, compared = _read(work)
    except RetriableError:
        raise  # the next try goes on from the pages that this one kept
    except Exception:
        _remove_pages(work)  # or the same pages would fail the next try too, mended or not
        raise
    for frame in SOURCE_FRAMES:
        write_frame(work.folder / "extract", frame.name, frames[frame.name])
    held = {name: len(data) for name, data in frames.items()}
    unread = [{"title": part.title, "error": str(part.error)} for part in pull.unread]
    work.note(
        "extract", now=now.isoformat(), compared=compared and compared.isoformat(), unread=unread, **held
    )
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


def _read(work: Work) -> tuple[Pull, dict[str, pd.DataFrame], datetime | None]:
    """What was read from the source, everything that it holds by that, and when all of it was read last.

    The latter is None where a part could not be read: the next run reads everything, since what changed in
    that part until now would show in no other.
    """
    last = ledger.last_extract(work.connection, work.night.district.district) if work.connection else None
    noted = _noted(last)
    snapshot = _snapshot(last) if work.night.mode != "full" and not _is_due(noted, work) else None
    now = work.clock()
    pull = _pull(work, last["watermark"] if last and snapshot else None, snapshot, noted)
    frames = merge(pull, snapshot)
    if frames is None:
        work.say("what changed does not add up with the last extraction: reading everything")
        pull = _pull(work, None, None, noted)
        frames = merge(pull, None)
    assert frames is not None  # noqa: S101 - a whole pull always merges
    if pull.unread:
        work.say(f"{len(pull.unread):,} parts of the source could not be read; they stay as they were")
        before = _snapshot(last)
        return pull, frames if before is None else keep_unread(frames, before), None
    return pull, frames, datetime.fromisoformat(noted["compared"]) if pull.changes else now


def _is_due(noted: Mapping[str, Any], work: Work) -> bool:
    """Whether everything is read, because what changed would not show everything (see `SourceProfile`)."""
    compared = noted.get("compared")
    if compared is None:
        return True
    every = _source(work).compare_every
    return every is not None and work.clock() - datetime.fromisoformat(compared) >= every


def _pull(
    work: Work, since: datetime | None, snapshot: Mapping[str, pd.DataFrame] | None, noted: Mapping[str, Any]
) -> Pull:
    source = _source(work)
    connection = work.night.district.source.connection
    known = snapshot["assessments"] if since and snapshot else ASSESSMENTS.empty()
    pull = asyncio.run(
        sources.pull(
            source,
            connections.endpoint(connection),
            work.folder / "pages",
            since=since,
            known=known[list(ASSESSMENTS.key)],
            say=work.say,
        )
    )
    last = {name: noted[name] for name in source.must_hold if name in noted}
    confirmed = work.night.mode == "full"
    check_not_shrunk(pull.totals, last, must_hold=source.must_hold, where=connection, confirmed=confirmed)
    return pull


def _source(work: Work) -> SourceProfile:
    return sources.SOURCES[work.night.district.source.system]


def _noted(last: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the last extraction noted: how much the source held, by frame name, and when it was read whole."""
    if last is None:
        return {}
    noted = read_json(open_folder(last["snapshot"]).parent, "extract") or {}
    return {**noted, "assessments": last["assessments"], "scores": last["scores"]}


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
