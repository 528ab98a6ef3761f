"""transform-to-oneroster: plan what differs from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passback.frame_store import read_frame, read_json, write_frame, write_json
from passback.ledger.undo import undos_so_far
from passback.records import ASSESSMENTS, CLASSES, PASSING_LINE_ITEMS, PASSING_RESULTS, SCORE_VERDICTS
from passback.stages.extract import Scope
from passback.stages.left_behind import removed_results
from passback.stages.limit import CHANGED, KNOWN_EFFECTS, count, count_by_class, effects, is_over
from passback.stages.transform import UNSENT, describe, transform, with_settled
from passback.stages.validate import SETTLED_RESULTS
from passback.steps.decision import forget_answer, lost_before
from passback.steps.reconcile import make_plan as plan_reconcile

if TYPE_CHECKING:
    from passback.stages.transform import Plan
    from passback.steps.work import Work


def step(work: Work) -> dict[str, int | str]:
    """Plan the line items and results that this run writes, and count what they do to what the SIS holds.

    Raises:
        PassbackError: an earlier step's files are missing, or the ledger cannot be read.
    """
    if not work.night.preview:
        forget_answer(work)  # it was given to another plan
    plan = make_plan(work)
    _count_effects(work, plan)
    work.say(f"{len(plan.line_items):,} line items and {len(plan.results):,} results to write")
    folder = work.folder / "transform"
    return {"line_items": len(plan.line_items), "results": len(plan.results), "folder": str(folder)}


def make_plan(work: Work) -> Plan:
    """Plan by what the ledger says now, and keep the plan in the run's folder.

    Raises:
        PassbackError: an earlier step's files are missing, or the ledger cannot be read.
    """
    if work.night.reconciles:
        return plan_reconcile(work)
    judged, night = work.folder / "validate", work.night
    undos = "" if night.preview else undos_so_far(work.writable, night.district.district)
    held_back_line_items, held_back_results = work.held_back()
    line_items = read_frame(judged, PASSING_LINE_ITEMS)
    known_line_items, known_results = work.known_line_items(), work.known_results()
    removed = removed_results(
        known_results, read_frame(judged, SCORE_VERDICTS), zero_status=work.profile.zero_status
    )
    plan = transform(
        line_items,
        with_settled(
            read_frame(judged, PASSING_RESULTS), read_frame(judged, SETTLED_RESULTS), known_line_items
        ),
        known_line_items,
        known_results,
        source_system=night.district.source.system,
        run_id=work.run_id,
        everything=night.mode == "full",
        recreate=night.district.sis.recreate,
        removed=removed if night.district.sis.removed_scores == "clear" else removed.head(0),
        held_back_line_items=held_back_line_items,
        held_back_results=held_back_results,
    )
    changes = describe(
        plan,
        known_line_items,
        known_results,
        titles=line_items,
        classes=read_frame(work.folder / "extract", CLASSES),
    )
    folder = work.folder / "transform"
    write_frame(folder, "line_item_plan", plan.line_items)
    write_frame(folder, "result_plan", plan.results)
    write_frame(folder, UNSENT.name, plan.unsent)
    write_frame(folder, "changes", changes)
    # Read before what they took back, kept after the plan: whoever dies in between plans anew.
    work.note("undos", so_far=undos)
    return plan


def was_undone_since(work: Work) -> bool:
    """Whether a run of the district was undone since the plan was made: it may hold what was taken back."""
    noted = read_json(work.folder, "undos")
    return noted is None or noted["so_far"] != undos_so_far(work.writable, work.night.district.district)


def _count_effects(work: Work, plan: Plan) -> None:
    """Keep what the plan would change, and what the SIS would lose sight of: approve-changes goes by it."""
    night = work.night
    known = effects(
        work.known_line_items(),
        work.known_results(),
        read_frame(work.folder / "validate", SCORE_VERDICTS),
        plan.results,
        read_frame(work.folder / "extract", ASSESSMENTS),
        since=night.district.effective_date.isoformat(),
        scope=Scope(night.classes, night.assessments),
        lost=lost_before(work),
    )
    if night.reconciles:  # it sends nothing but what it overwrites: losses are the next run's
        known = known.assign(counts=known["counts"] & known["effect"].eq(CHANGED))
    counts, limits = count(known), night.district.limits
    write_frame(work.folder / "transform", KNOWN_EFFECTS.name, known)
    write_json(
        work.folder / "transform",
        "limit",
        {
            **counts,
            "asks": is_over(counts, limits),
            "share": limits.share,
            "at_least": limits.at_least,
            "classes": count_by_class(known, read_frame(work.folder / "extract", CLASSES)),
        },
    )
