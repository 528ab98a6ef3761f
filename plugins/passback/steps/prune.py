"""Old runs' frames go, for they hold student data and nobody clears a task of last month.

What stays of a run is its page and its counts; the ledger has the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from passback import ledger
from passback.frame_store import open_folder, read_json

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from passback.steps.work import Work

RUNS_KEPT: Final = 7
_FRAMES: Final = (
    "pages",
    "extract",
    "sis",
    "validate",
    "transform",
    "report/not-passed.csv",
    "report/changes.csv",
)


def prune(work: Work) -> None:
    """Remove the frames of all but the district's newest runs, but for those the next night starts from."""
    last = ledger.last_extract(work.writable, work.night.district.district)
    finished, unfinished = _runs(open_folder(work.night.folder).parent)
    for folder in unfinished:
        _remove(folder / "pages")
    for folder in finished[RUNS_KEPT:]:
        for name in _FRAMES:
            if last is None or str(folder / name) != last["snapshot"]:
                _remove(folder / name)


def _runs(district: ObjectStoragePath) -> tuple[list[ObjectStoragePath], list[ObjectStoragePath]]:
    """The folders of the runs that have extracted something, newest first, and of those that have not."""
    finished, unfinished = [], []
    for folder in district.iterdir():
        facts = read_json(folder, "extract") if folder.is_dir() else None
        if facts is None:
            unfinished.append(folder)
        else:
            finished.append((facts["now"], folder))
    return [folder for _, folder in sorted(finished, key=lambda run: run[0], reverse=True)], unfinished


def _remove(path: ObjectStoragePath) -> None:
    if path.exists():
        path.fs.rm(path.path, recursive=True)
