"""Old runs' frames go, for they hold student data and nobody clears a task of last month; reports stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from passback import ledger
from passback.frame_store import open_folder, read_json

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from passback.steps.work import Work

RUNS_KEPT: Final = 7
_FRAMES: Final = ("pages", "extract", "sis", "validate", "transform")


def prune(work: Work) -> None:
    """Remove the frames of all but the district's newest runs, but for those the next night starts from."""
    district = work.night.district.district
    last = ledger.last_extract(work.writable, district)
    runs = sorted(_runs(open_folder(work.night.folder).parent), key=lambda run: run[0], reverse=True)
    for _, folder in runs[RUNS_KEPT:]:
        for name in _FRAMES:
            frames = folder / name
            if frames.exists() and (last is None or str(frames) != last["snapshot"]):
                frames.fs.rm(frames.path, recursive=True)


def _runs(district: ObjectStoragePath) -> list[tuple[str, ObjectStoragePath]]:
    """The runs of a district that have extracted something: when, and their folder."""
    found = []
    for folder in district.iterdir():
        facts = read_json(folder, "extract") if folder.is_dir() else None
        if facts is not None:
            found.append((facts["now"], folder))
    return found
