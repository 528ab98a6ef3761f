"""The SIS's categories, kept each night: what is new, renamed, retired or back again is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from passback import ledger
from passback.frame_store import write_json
from passback.records import SIS_CATEGORIES, SIS_CLASSES, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from passback.steps.work import Work

NOTED: Final = "categories"  # the file in the run's folder that its report reads
_TOLD_BY_NAME: Final = 5


def keep_categories(work: Work, facts: Mapping[str, pd.DataFrame]) -> None:
    """Keep what the SIS holds now, and tell what changed, in the log and in the report; not in a preview.

    Args:
        work: The step that has asked the SIS.
        facts: What it says of itself by name, as `records.SIS_FRAMES`.
    """
    if work.night.preview:
        return
    found = ledger.keep_categories(
        work.writable,
        work.night.district.district,
        facts[SIS_CATEGORIES.name],
        at=work.clock(),
        since=work.now(),
        asked=_asked(work, facts[SIS_CLASSES.name]) if work.profile.lists_classes_asked else None,
    )
    changes = by_change(found)
    write_json(work.folder, NOTED, changes)
    for line in _told(found, changes, sis=work.profile.title):
        work.say(line)


def _asked(work: Work, classes: pd.DataFrame) -> set[str]:
    """The classes whose categories the SIS has told; the district's too only if all of its classes have."""
    readable = classes["gradebook"].ne(UNREADABLE)
    everything = readable.all() and not work.night.classes and not work.night.assessments
    return {*classes.loc[readable, "sis_class_id"], *([""] if everything else [])}


def by_change(found: ledger.CategoryChanges) -> dict[str, Any]:
    """What the SIS did to its categories, as the report has it: each title once.

    Returns:
        Lists of titles under new, retired and returned, of pairs (before, after) under renamed; the counts
        verified and unlisted. Where nothing was known before, nothing is new.
    """
    titles = {
        change: list(found.changes.loc[found.changes["change"].eq(change), "title"].unique())
        for change in ("new", "retired", "returned")
    }
    if found.changes["change"].eq("new").sum() == found.verified:
        titles["new"] = []
    renamed = found.changes.loc[found.changes["change"].eq("renamed"), ["title_before", "title"]]
    return {
        **titles,
        "renamed": renamed.drop_duplicates().to_numpy().tolist(),
        "verified": found.verified,
        "unlisted": found.unlisted,
    }


def _told(found: ledger.CategoryChanges, changes: dict[str, Any], *, sis: str) -> list[str]:
    if found.unlisted:
        what = f"{sis} lists no category, though {found.unlisted:,} are known"
        return [f"{what}: they are kept, not taken for retired, and none of them is verified"]
    lines = [f"{found.verified:,} categories verified"]
    renamed = [f"{before} → {after}" for before, after in changes["renamed"]]
    for change, names in {**changes, "renamed": renamed}.items():
        if isinstance(names, list) and names:
            shown = ", ".join(names[:_TOLD_BY_NAME]) + (" …" if len(names) > _TOLD_BY_NAME else "")
            lines.append(f"categories {change}: {shown}")
    return lines
