"""load-to-sis: write what was planned."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from passback import ledger
from passback.frame_store import read_frame
from passback.oneroster.facts import read_line_items
from passback.records import SIS_CLASSES
from passback.stages.load import load
from passback.steps.decision import is_cancelled
from passback.steps.work import refuse_if_superseded

if TYPE_CHECKING:
    import pandas as pd

    from passback.oneroster import Client
    from passback.stages.load import LoadCounts
    from passback.stages.transform import Plan
    from passback.steps.work import Work


def step(work: Work) -> dict[str, int | str]:
    """Write the planned line items and results; what this run has written already is not written again.

    Raises:
        PassbackError: the SIS or the ledger cannot be used, or another run of the district is loading.
    """
    if work.night.preview:
        work.say("preview: nothing is written")
        return {"line_items": 0, "results": 0}
    if is_cancelled(work):
        work.note("load", requests=0)
        work.say("cancelled: nothing is written")
        return {"line_items": 0, "results": 0}
    plan = work.plan()
    if plan.line_items.empty and plan.results.empty:
        work.note("load", requests=0)
        work.say("nothing to write")
        return {"line_items": 0, "results": 0}
    with ledger.district_lock(work.writable, work.night.district.district):
        refuse_if_superseded(work.writable, work.night, work.folder)
        counts = asyncio.run(_load(work, plan))
    work.note("load", requests=counts.requests)
    return {
        "line_items": counts.line_items_written,
        "results": counts.results_written,
        "skipped": counts.skipped,
        "refused": counts.refused,
        "lost": counts.lost,
        "requests": counts.requests,
    }


async def _load(work: Work, plan: Plan) -> LoadCounts:
    district = work.night.district
    known_line_items = work.known_line_items()
    classes = read_frame(work.folder / "sis", SIS_CLASSES)
    async with work.sis() as sis:
        return await load(
            work.writable,
            sis,
            district=district.district,
            run_id=work.run_id,
            line_items=plan.line_items,
            results=plan.results,
            known_line_items=known_line_items,
            known_results=work.known_results(),
            kept_categories=await _kept_categories(sis, plan.line_items, known_line_items),
            schools=dict(zip(classes["sis_class_id"], classes["school_id"], strict=True)),
            late_and_missing=district.sis.late_and_missing or work.profile.late_and_missing,
            clock=work.clock,
            progress=lambda counts: work.say(
                f"{counts.line_items_written:,} of {len(plan.line_items):,} line items,"
                f" {counts.results_written:,} of {len(plan.results):,} results written"
            ),
        )


async def _kept_categories(sis: Client, planned: pd.DataFrame, known: pd.DataFrame) -> dict[str, str]:
    """The categories that teachers changed in the SIS: they stay as they are set (RULES section 4).

    Returns:
        By line item id, for those planned line items whose category in the SIS is none that we sent.
    """
    rewritten = planned[planned["action"].ne("create")]
    ours = known[["line_item_id", "category_id", "accepted_category_id"]]
    held, _ = await read_line_items(sis, rewritten["sis_class_id"])
    both = (
        rewritten[["line_item_id"]]
        .merge(ours, on="line_item_id")
        .merge(held[["line_item_id", "category_id"]], on="line_item_id", suffixes=("", "_held"))
    )
    # Of a write whose answer was lost, the SIS may hold the category before it or after it: both are ours.
    teachers = both["category_id_held"].ne(both["category_id"])
    teachers &= both["category_id_held"].ne(both["accepted_category_id"]) & both["category_id_held"].ne("")
    kept = both[teachers]
    return dict(zip(kept["line_item_id"], kept["category_id_held"], strict=True))
