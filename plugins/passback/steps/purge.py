"""Old runs' folders go whole, with their reports: `prune` leaves pages and counts, a purge nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from passback import ledger, paths
from passback.frame_store import open_folder, read_json
from passback.ledger.purge import run_starts
from passback.night import folder_name

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


def old_folders(connection: ledger.Connection, district: str, before: datetime) -> list[ObjectStoragePath]:
    """The folders of a district's runs from before an instant, previews among them.

    Kept is the folder that the next night starts from, however old it is.
    """
    folder = open_folder(f"{paths.stage()}/{district}")
    if not folder.exists():
        return []
    last = ledger.last_extract(connection, district)
    started = {folder_name(run): at for run, at in run_starts(connection, district)}
    found = []
    for run in folder.iterdir():
        if not run.is_dir() or (last is not None and last["snapshot"].startswith(f"{run}/")):
            continue
        at = started.get(run.name) or _extracted_at(run)
        if at is not None and at < before:
            found.append(run)
    return sorted(found, key=str)


def remove_folders(folders: list[ObjectStoragePath]) -> None:
    """Remove folders with all that lies in them."""
    for folder in folders:
        if folder.exists():
            folder.fs.rm(folder.path, recursive=True)


def _extracted_at(run: ObjectStoragePath) -> datetime | None:
    """When a run that the ledger does not know read the source, or last touched its folder; None: unknown."""
    facts = read_json(run, "extract")
    if facts is not None:
        return datetime.fromisoformat(facts["now"])
    try:
        return datetime.fromtimestamp(run.stat().st_mtime, UTC)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None  # a bucket's folders have no time of their own
