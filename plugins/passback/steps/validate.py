"""validate: ask the SIS what it can take, judge every score."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from passback import ledger
from passback.categories.creating import missing_categories, with_categories
from passback.frame_store import read_frame, write_frame
from passback.gradebook import GradebookLineItems
from passback.oneroster.held import HELD_LINE_ITEMS
from passback.records import (
    CLASSES,
    NEW_CATEGORIES,
    SIS_CATEGORIES,
    SIS_CLASSES,
    SIS_FRAMES,
    SIS_LINE_ITEMS,
    SOURCE_FRAMES,
    UNREADABLE,
)
from passback.rules.lookup import positions
from passback.rules.verdicts import PASSED
from passback.stages.extract import Scope, limit, merge_copies
from passback.stages.validate import judge_assessments, validate
from passback.steps.categories import keep_categories
from passback.steps.looked_into import keep_read
from passback.steps.reconcile import look

if TYPE_CHECKING:
    import pandas as pd

    from passback.sis import SisProfile
    from passback.steps.work import Work


def step(work: Work) -> dict[str, int | str]:
    """Judge every extracted score by the rules and by what the SIS says of itself now.

    Raises:
        PassbackError: the SIS cannot be asked, or a rule cannot be applied.
    """
    night = work.night
    source = source_frames(work)
    known, suppressions = work.known_line_items(), work.suppressions()
    told = asyncio.run(_ask(work, source, known, suppressions))
    facts, requests = told.facts, told.requests
    for frame in SIS_FRAMES:
        write_frame(work.folder / "sis", frame.name, facts[frame.name])
    keep_categories(work, facts)
    new = missing_categories(facts[SIS_CATEGORIES.name], night.district)
    write_frame(work.folder / "sis", NEW_CATEGORIES.name, new)
    facts[SIS_CATEGORIES.name] = with_categories(facts[SIS_CATEGORIES.name], new)
    work.say(f"judging {len(source['scores']):,} scores of {len(source['assessments']):,} assessments")
    verdicts = validate(
        source,
        facts,
        district=night.district,
        suites=work.suites,
        profile=told.profile,
        known_line_items=known,
        known_results=work.known_results(),
        allots_ids=told.allots_ids,
        suppressions=suppressions,
        now=work.now(),
        everything=night.mode == "full",
        assessments=told.assessments,
    )
    if night.reconciles:
        requests += look(work)
    folder = work.folder / "validate"
    write_frame(folder, "assessment_verdicts", verdicts.assessments)
    write_frame(folder, "score_verdicts", verdicts.scores)
    write_frame(folder, "passing_line_items", verdicts.line_items)
    write_frame(folder, "passing_results", verdicts.results)
    write_frame(folder, "settled_results", verdicts.settled_results)
    if not night.preview:
        ledger.note_judged(work.writable, work.run_id, len(source["scores"]))
    counts = verdicts.scores["outcome"].value_counts()
    work.note("validate", requests=requests, **verdicts.marks_left_out)
    return {
        **{outcome: int(counts.get(outcome, 0)) for outcome in ("passed", "held", "rejected")},
        "requests": requests,
        "folder": str(folder),
    }


def source_frames(work: Work) -> dict[str, pd.DataFrame]:
    """The extracted frames, limited to what the run was asked to look at, identical copies merged."""
    frames = {frame.name: read_frame(work.folder / "extract", frame) for frame in SOURCE_FRAMES}
    return merge_copies(limit(frames, Scope(work.night.classes, work.night.assessments)))


class _Told(NamedTuple):
    facts: dict[str, pd.DataFrame]  # what the SIS says of itself
    requests: int  # that this took
    profile: SisProfile  # of the OneRoster that it speaks
    allots_ids: bool  # to what is new
    assessments: pd.DataFrame | None  # as judged, where no gradebook had to be looked into


async def _ask(
    work: Work, source: dict[str, pd.DataFrame], known: pd.DataFrame, suppressions: pd.DataFrame
) -> _Told:
    today = work.now().astimezone(ZoneInfo(work.night.district.timezone)).date()
    async with work.gradebook() as sis:
        work.say(f"asking {work.profile.title} for its categories, periods and rosters")
        facts = await sis.facts(set(source[CLASSES.name]["sis_class_id"]) - {""}, today=today)
        profile, allots_ids = replace(work.profile, oneroster=sis.version), not sis.repeatable
        categories = facts[SIS_CATEGORIES.name]
        new = missing_categories(categories, work.night.district)
        judged = judge_assessments(
            source,
            facts | {SIS_CATEGORIES.name: with_categories(categories, new)},
            district=work.night.district,
            suites=work.suites,
            profile=profile,
            known_line_items=known,
            allots_ids=allots_ids,
            suppressions=suppressions,
            now=work.now(),
        )
        classes = _classes_to_look_into(judged, known)
        there = GradebookLineItems(HELD_LINE_ITEMS.empty(), frozenset())
        begun = work.clock()
        if classes:
            work.say(f"asking {work.profile.title} what stands in {len(classes):,} gradebooks already")
            there = await sis.line_items(classes)
        keep_read(work, classes, there, at=begun)
        facts[SIS_LINE_ITEMS.name] = SIS_LINE_ITEMS.conform(there.line_items)
        if sis.shows_gradebooks:
            listed = facts[SIS_CLASSES.name]
            closed_to_us = listed["sis_class_id"].isin(there.unreadable)
            facts[SIS_CLASSES.name] = listed.assign(
                gradebook=listed["gradebook"].mask(closed_to_us, UNREADABLE)
            )
        else:  # there is nothing to wait for
            work.say(f"{work.profile.title} does not show what stands in its gradebooks")
        return _Told(facts, sis.requests, profile, allots_ids, None if classes else judged)


def _classes_to_look_into(judged: pd.DataFrame, known: pd.DataFrame) -> set[str]:
    """The SIS classes in which a foreign line item may stand already where this run wants one of ours.

    That is where it creates one, and where it gives one another title or due date.

    Args:
        judged: The assessments, judged without what stands in the gradebooks.
        known: The ledger's line items.
    """
    passing = judged[judged["outcome"].eq(PASSED)]
    passing = passing.assign(due_date=passing["due_date"].fillna(passing["assign_date"]))
    placed = ["assessment_id", "sis_class_id", "title", "due_date"]
    held = known.loc[known["state"].eq("confirmed"), placed]
    return set(passing.loc[positions(passing, held) < 0, "sis_class_id"])
