"""transform-to-oneroster: plan what differs from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passback.frame_store import read_frame, write_frame
from passback.records import CLASSES, PASSING_LINE_ITEMS, PASSING_RESULTS
from passback.stages.transform import describe, transform

if TYPE_CHECKING:
    from passback.steps.work import Work


def step(work: Work) -> dict[str, int | str]:
    """Plan the line items and results that this run writes.

    Raises:
        PassbackError: an earlier step's files are missing, or the ledger cannot be read.
    """
    judged = work.folder / "validate"
    known_line_items, known_results = work.known_line_items(), work.known_results()
    plan = transform(
        read_frame(judged, PASSING_LINE_ITEMS),
        read_frame(judged, PASSING_RESULTS),
        known_line_items,
        known_results,
        source_system=work.night.district.source.system,
        run_id=work.run_id,
        everything=work.night.mode == "full",
    )
    changes = describe(
        plan,
        known_line_items,
        known_results,
        titles=read_frame(judged, PASSING_LINE_ITEMS),
        classes=read_frame(work.folder / "extract", CLASSES),
    )
    folder = work.folder / "transform"
    write_frame(folder, "line_item_plan", plan.line_items)
    write_frame(folder, "result_plan", plan.results)
    write_frame(folder, "changes", changes)
    work.say(f"{len(plan.line_items):,} line items and {len(plan.results):,} results to write")
    return {"line_items": len(plan.line_items), "results": len(plan.results), "folder": str(folder)}
