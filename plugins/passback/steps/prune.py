"""Old runs' frames go, for they hold student data and nobody clears a task of last month.

What stays of a run is its page and its counts; the ledger has the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from passback import ledger
from passback.frame_store import open_folder, read_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import ObjectStoragePath

    from passback.steps.work import Work

RUNS_KEPT: Final = 7
_FRAMES: Final = (
    "pages",
    "extract",
    "sis",
    "validate",
    "transform",
    "reconcile",
    *(f"report/{name}" for name in ("not-passed.csv", "changes.csv", "drift.csv", "drift.json")),
    *(f"report/{name}" for name in ("preview.csv", "preview.json")),
)
_UNDO_FRAMES: Final = ("plan", "begun", "report")  # an undo's page is all about students


def prune(work: Work) -> None:
    """Remove the frames of all but the district's newest runs, but for those the next night starts from.

    Of undos the newest ones' are kept as well.
    """
    last = ledger.last_extract(work.writable, work.night.district.district)
    folders = [folder for folder in open_folder(work.night.folder).parent.iterdir() if folder.is_dir()]
    runs, undos = _by_age(folders, "extract", "now"), _by_age(folders, "undo", "began")
    for folder in folders:
        if folder not in runs:
            _remove(folder / "pages")
    for folder in runs[RUNS_KEPT:]:
        for name in _FRAMES:
            if last is None or str(folder / name) != last["snapshot"]:
                _remove(folder / name)
    for folder in undos[RUNS_KEPT:]:
        for name in _UNDO_FRAMES:
            _remove(folder / name)


def _by_age(folders: Iterable[ObjectStoragePath], note: str, instant: str) -> list[ObjectStoragePath]:
    """The folders with a note, newest first by an instant that stands in it."""
    noted = [(facts[instant], folder) for folder in folders if (facts := read_json(folder, note))]
    return [folder for _, folder in sorted(noted, key=lambda run: run[0], reverse=True)]


def _remove(path: ObjectStoragePath) -> None:
    if path.exists():
        path.fs.rm(path.path, recursive=True)
