"""load-to-sis: write what was planned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import uvloop

from passback import ledger
from passback.frame_store import read_frame, read_json
from passback.gradebook import GradebookLineItems
from passback.oneroster import Decision
from passback.oneroster.held import HELD_LINE_ITEMS
from passback.records import NEW_CATEGORIES, SIS_CLASSES
from passback.stages.links import gone, held_under, kept_categories, kept_fields, twins
from passback.stages.load import LoadCounts, load
from passback.stages.transform import Plan
from passback.steps.decision import is_cancelled
from passback.steps.looked_into import look_into
from passback.steps.reconcile import note_decisions
from passback.steps.transform import make_plan, was_undone_since
from passback.steps.work import refuse_if_superseded

if TYPE_CHECKING:
    import pandas as pd

    from passback.gradebook import Gradebook
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
    if _is_empty(plan) and not (work.night.reconciles or was_undone_since(work)):
        work.note("load", requests=0)
        work.say("nothing to write")
        return {"line_items": 0, "results": 0}
    with ledger.district_lock(work.writable, work.night.district.district):
        refuse_if_superseded(work.writable, work.night, work.folder)
        if work.night.reconciles:
            note_decisions(work)
        elif was_undone_since(work):  # asked again: now no undo can come in between
            plan = make_plan(work)
        counts = LoadCounts() if _is_empty(plan) else uvloop.run(_load(work, plan))
    work.note("load", requests=counts.requests)
    return {
        "line_items": counts.line_items_written,
        "results": counts.results_written,
        "skipped": counts.skipped,
        "refused": counts.refused,
        "lost": counts.lost,
        "requests": counts.requests,
    }


def _is_empty(plan: Plan) -> bool:
    return plan.line_items.empty and plan.results.empty


async def _load(work: Work, plan: Plan) -> LoadCounts:
    async with work.gradebook() as sis:
        await _create_categories(work, sis, plan.line_items)
        known = work.known_line_items()
        there = await _held(work, sis, plan.line_items, known)
        # What takes over another's place may be gone itself.
        in_place = plan.line_items.loc[plan.line_items["adopts"].eq(""), ["line_item_id"]]
        lost = gone(_before_this_run(work, known.merge(in_place), there), *there)
        if len(lost):
            plan = await _without(work, sis, plan, lost, there.line_items)
        kept = _keep_theirs(work, plan.line_items, known, there.line_items)
        counts = await _write(work, sis, plan, kept)
        if not counts.refused:
            return replace(counts, requests=sis.requests)
        refusals = _refused(work)
        lost, there = await _found_gone(work, sis, plan, refusals)
        if lost.empty:
            return replace(counts, requests=sis.requests)
        refused = refusals["line_item_id"].isin(lost["line_item_id"]).sum()
        plan = await _without(work, sis, plan, lost, there.line_items)
        if not work.night.district.sis.recreate:
            return replace(counts, requests=sis.requests)
        # What else was lost on the way stays so: the SIS may be storing it still.
        anew = Plan(_of(plan.line_items, lost), _of(plan.results, lost))
        again = await _write(work, sis, anew, kept)
        counts = replace(counts, refused=counts.refused - int(refused))
        return _sum(counts, again, requests=sis.requests)


def _keep_theirs(
    work: Work, planned: pd.DataFrame, known: pd.DataFrame, held: pd.DataFrame
) -> dict[str, str]:
    """Note the titles that teachers gave line items in the SIS, and give the categories they gave, by our id.

    Both stay as they are set (RULES section 4), unless the district has them overwritten.
    """
    district = work.night.district
    if held.empty:
        return {}
    held_back = work.held_back()[0]
    if district.drift.assignments == "overwrite":
        ledger.release_line_items(
            work.writable,
            district.district,
            held_back[held_back["held_back"].eq("theirs")].merge(
                planned[["line_item_id"]], on="line_item_id"
            ),
        )
        return kept_categories(planned[planned["adopts"].ne("")], known, held)
    classes = planned["class_id"].unique().tolist()
    in_sis = ledger.line_items_in_sis(work.writable, district.district, classes, ())
    found = kept_fields(planned, known, in_sis, held, held_back)
    theirs = found[found["fields"].ne("")]
    ledger.hold_back_line_items(work.writable, district.district, work.run_id, "theirs", theirs)
    none = found.loc[found["fields"].eq(""), ["line_item_id"]]
    none = none[none["line_item_id"].isin(held_back.loc[held_back["held_back"].eq("theirs"), "line_item_id"])]
    ledger.release_line_items(work.writable, district.district, none)
    return kept_categories(planned, known, held)


async def _write(work: Work, sis: Gradebook, plan: Plan, kept: dict[str, str]) -> LoadCounts:
    classes = read_frame(work.folder / "sis", SIS_CLASSES)
    return await load(
        work.writable,
        sis,
        district=work.night.district.district,
        run_id=work.run_id,
        line_items=plan.line_items,
        results=plan.results,
        known_line_items=work.known_line_items(),
        known_results=work.known_results(),
        kept_categories=kept,
        held_back=work.held_back()[0],
        schools=dict(zip(classes["sis_class_id"], classes["school_id"], strict=True)),
        clock=work.clock,
        progress=lambda counts: work.say(
            f"{counts.line_items_written:,} of {len(plan.line_items):,} line items,"
            f" {counts.results_written:,} of {len(plan.results):,} results written"
        ),
    )


async def _create_categories(work: Work, sis: Gradebook, line_items: pd.DataFrame) -> None:
    """Create the categories that the line items need, where the district has us create them."""
    missing = read_frame(work.folder / "sis", NEW_CATEGORIES)
    created: list[str] = (read_json(work.folder, "created-categories") or {}).get("created", [])
    needed = missing["category_id"].isin(line_items["category_id"])
    wanted = missing[needed & ~missing["category_id"].isin(created)]
    for category_id, title in zip(wanted["category_id"], wanted["title"], strict=True):
        answer = await sis.write_category(category_id, title)
        if answer.decision in (Decision.VERIFY, Decision.DONE):
            ledger.note_category(
                work.writable,
                work.night.district.district,
                work.run_id,
                category_id=category_id,
                title=title,
                at=work.clock(),
            )
            created.append(category_id)
            work.note("created-categories", created=created)  # a cleared task does not create it again
            work.say(f"category {title!r} created in {work.profile.title}")
        else:  # its line items are refused with the SIS's own words
            work.say(f"{work.profile.title} did not take the category {title!r}: {answer.status}")


async def _held(work: Work, sis: Gradebook, planned: pd.DataFrame, known: pd.DataFrame) -> GradebookLineItems:
    """What stands in the gradebooks where line items are written that stand there already."""
    before = planned[planned["line_item_id"].isin(known["line_item_id"]) | planned["adopts"].ne("")]
    if before.empty:
        return _nothing_looked_at()
    return await look_into(work, sis, set(before["sis_class_id"]), known)


def _nothing_looked_at() -> GradebookLineItems:
    return GradebookLineItems(HELD_LINE_ITEMS.empty(), frozenset())


def _before_this_run(work: Work, known: pd.DataFrame, there: GradebookLineItems) -> pd.DataFrame:
    """`known` without what this very run wrote and the SIS took without storing it: that is sent again."""
    mine = known["run_id"].eq(work.run_id) & known["state"].eq("accepted")
    mine &= ~known["sis_class_id"].isin(there.unreadable)
    unstored = known[mine & ~held_under(known).isin(there.line_items["line_item_id"])]
    if len(unstored):
        states = unstored[["line_item_id"]].assign(state="not_stored")
        ledger.settle_line_items(work.writable, work.night.district.district, work.run_id, states)
    return known[~known["line_item_id"].isin(unstored["line_item_id"])]


async def _found_gone(
    work: Work, sis: Gradebook, plan: Plan, refusals: pd.DataFrame
) -> tuple[pd.DataFrame, GradebookLineItems]:
    """Line items that are gone, found by results that the SIS refused; and what stands in their classes."""
    known = work.known_line_items()
    suspect = known[
        known["line_item_id"].isin(refusals["line_item_id"])
        & ~known["line_item_id"].isin(plan.line_items["line_item_id"])
    ]
    if suspect.empty:
        return suspect, _nothing_looked_at()
    there = await sis.line_items(set(suspect["sis_class_id"]))
    return gone(suspect, *there), there


def _refused(work: Work) -> pd.DataFrame:
    results = work.known_results()
    return results[results["run_id"].eq(work.run_id) & results["state"].eq("refused")]


async def _without(work: Work, sis: Gradebook, plan: Plan, lost: pd.DataFrame, held: pd.DataFrame) -> Plan:
    """Note that line items are gone; go on without them, or anew with all that they held.

    Nothing is written anew beside an assignment of the same title and due date that somebody put there since:
    the next run finds it before it writes.
    """
    district = work.night.district
    new = lost[lost["state"].ne("gone")]
    known = work.known_line_items()
    ledger.lose_line_items(work.writable, district.district, work.run_id, new[["line_item_id"]])
    work.say(f"{len(lost):,} line items are no longer in {work.profile.title}")
    if not district.sis.recreate:
        return Plan(_not_of(plan.line_items, lost), _not_of(plan.results, lost))
    plan = make_plan(work)
    beside = twins(_of(plan.line_items, lost), known, held)
    plan = Plan(_not_of(plan.line_items, beside), _not_of(plan.results, beside))
    await _create_categories(work, sis, plan.line_items)
    return plan


def _of(rows: pd.DataFrame, line_items: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["line_item_id"].isin(line_items["line_item_id"])]


def _not_of(rows: pd.DataFrame, line_items: pd.DataFrame) -> pd.DataFrame:
    return rows[~rows["line_item_id"].isin(line_items["line_item_id"])]


def _sum(first: LoadCounts, second: LoadCounts, *, requests: int) -> LoadCounts:
    return LoadCounts(
        line_items_written=first.line_items_written + second.line_items_written,
        results_written=first.results_written + second.results_written,
        skipped=first.skipped,
        untried=first.untried + second.untried,
        refused=first.refused + second.refused,
        lost=first.lost + second.lost,
        requests=requests,
    )
