"""What validate saw in gradebooks, for a load that follows at once: it need not ask for it again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import pandas as pd

from passback.frame_store import read_frame, read_json, write_frame, write_json
from passback.gradebook import GradebookLineItems
from passback.oneroster.held import HELD_LINE_ITEMS
from passback.steps.decision import noted_limit

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from passback.gradebook import Gradebook
    from passback.steps.work import Work

_YOUNG: Final = timedelta(minutes=15)


def keep_read(work: Work, classes: AbstractSet[str], there: GradebookLineItems, *, at: datetime) -> None:
    """Keep what stood in some gradebooks.

    Args:
        work: The run.
        classes: The classes that were asked for, by the SIS's ids.
        there: What stood in them.
        at: When they were asked for, with a time zone.
    """
    write_frame(work.folder / "sis", HELD_LINE_ITEMS.name, there.line_items)
    write_json(
        work.folder / "sis",
        "looked_into",
        {"at": at.isoformat(), "classes": sorted(classes), "unreadable": sorted(there.unreadable)},
    )


async def look_into(
    work: Work, sis: Gradebook, classes: AbstractSet[str], known_line_items: pd.DataFrame
) -> GradebookLineItems:
    """What stands in some gradebooks: as validate saw it where that is as good as asking, else as it is now.

    It is as good for a quarter of an hour, as long as this run has written nothing, and no person was asked
    in between. What a teacher does meanwhile might as well come a moment after any other read.

    Args:
        work: The run.
        sis: The SIS, open.
        classes: The classes, by the SIS's ids.
        known_line_items: The ledger's.
    """
    seen = _seen(work, known_line_items)
    if seen is None:
        return await sis.line_items(classes)
    there, looked_into = seen
    kept = there.line_items[there.line_items["sis_class_id"].isin(list(classes))]
    unreadable = there.unreadable & classes
    if rest := classes - looked_into:
        more = await sis.line_items(rest)
        kept, unreadable = pd.concat([kept, more.line_items], ignore_index=True), unreadable | more.unreadable
    return GradebookLineItems(kept.reset_index(drop=True), frozenset(unreadable))


def _seen(work: Work, known_line_items: pd.DataFrame) -> tuple[GradebookLineItems, frozenset[str]] | None:
    """What validate saw and in which classes; None where it must be looked at anew."""
    note = read_json(work.folder / "sis", "looked_into")
    if note is None or noted_limit(work)["asks"] or known_line_items["run_id"].eq(work.run_id).any():
        return None
    if not timedelta(0) <= work.clock() - datetime.fromisoformat(note["at"]) <= _YOUNG:
        return None
    held = read_frame(work.folder / "sis", HELD_LINE_ITEMS)
    return GradebookLineItems(held, frozenset(note["unreadable"])), frozenset(note["classes"])
