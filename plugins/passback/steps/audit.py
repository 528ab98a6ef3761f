"""audit: read back what was written, give every score its outcome, write the report."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from passback import ledger
from passback.errors import ContractError, CountsError
from passback.frame_store import read_frame
from passback.oneroster.held import HELD_RESULTS
from passback.records import SCORE_VERDICTS
from passback.report.summary import write_report
from passback.stages.audit import (
    LINE_ITEM_KEY,
    LINE_ITEM_VALUES,
    RESULT_KEY,
    compare,
    count_outcomes,
    count_reasons,
    outcomes,
)
from passback.stages.links import as_persons_set, gone, held_under, under_our_ids
from passback.steps.decision import is_cancelled, keep_lost
from passback.steps.held import held_results
from passback.steps.prune import prune
from passback.steps.report import run_report
from passback.steps.unanswered import settle_unanswered

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from passback.gradebook import Gradebook
    from passback.stages.transform import Plan
    from passback.steps.work import Work

_WRITTEN = ("accepted", "confirmed", "not_stored", "intended")


def step(work: Work) -> dict[str, int | str]:
    """Read back, account for every extracted score, close the run and write its report.

    Raises:
        CountsError: not every extracted score has exactly one outcome.
        PassbackError: the SIS or the ledger cannot be asked, or the report cannot be written.
    """
    plan = work.plan()
    if work.night.preview:
        return _finish(work, plan, requests=0)
    with ledger.district_lock(work.writable, work.night.district.district):
        requests = asyncio.run(_read_back(work, plan))
        return _finish(work, plan, requests=requests)


def _finish(work: Work, plan: Plan, *, requests: int) -> dict[str, int | str]:
    verdicts = read_frame(work.folder / "validate", SCORE_VERDICTS)
    cancelled = is_cancelled(work)
    final = outcomes(
        verdicts,
        plan,
        work.known_line_items(),
        work.known_results(),
        run_id=work.run_id,
        preview=work.night.preview,
        cancelled=cancelled,
    )
    counts, reasons = count_outcomes(final), count_reasons(final)
    extracted = len(verdicts)
    if sum(counts.values()) != extracted:
        raise CountsError(
            f"{extracted:,} scores were extracted, but {sum(counts.values()):,} have an outcome",
            where=work.night.district.district,
            mend="This is a fault in Passback: report it with the run's name; what was sent stays as it is.",
        )
    requests += work.requests()
    ended_at = work.clock()
    if not (work.night.preview or work.night.reconciles or cancelled):
        keep_lost(work)  # what nobody let pass is asked about again
    report = run_report(
        work, plan, final, counts=counts, reasons=reasons, requests=requests, ended_at=ended_at
    )
    folder = str(work.folder / "report")
    write_report(folder, report)
    if not work.night.preview:  # last of all: what is good is complete
        ledger.close_run(
            work.writable,
            work.run_id,
            ended_at=ended_at,
            state="good",
            extracted=extracted,
            outcomes=counts,
            reasons=reasons,
            requests=requests,
            scores=final,
        )
        prune(work)
    work.say(", ".join(f"{count:,} {outcome}" for outcome, count in counts.items()))
    return {"extracted": extracted, **counts, "folder": folder}


async def _read_back(work: Work, plan: Plan) -> int:
    """Ask the SIS what it holds of what it accepted, by class and by line item; keep the answers."""
    district = work.night.district.district
    async with work.gradebook() as sis:
        await settle_unanswered(work, sis, plan)
        line_items = _written(work.known_line_items(), plan.line_items, LINE_ITEM_KEY, work.run_id, sis)
        if len(line_items):
            held, unreadable = await sis.line_items(set(line_items["sis_class_id"]))
            readable = line_items[~line_items["sis_class_id"].isin(unreadable)]
            held = under_our_ids(held, readable)
            readable = as_persons_set(readable, work.held_back()[0])
            states = _settled(readable, held, LINE_ITEM_KEY, LINE_ITEM_VALUES)
            ledger.settle_line_items(work.writable, district, work.run_id, states)
        results = _written(work.known_results(), plan.results, RESULT_KEY, work.run_id, sis)
        if len(results):
            work.say(f"reading back {len(results):,} results")
            held, results = await _held_results(sis, results, work.known_line_items())
            states = _settled(results, held, RESULT_KEY, sis.result_values)
            missed = states.loc[states["state"].eq("not_stored"), "line_item_id"]
            lost = await _gone(work, sis, plan, missed)
            if not sis.shows_gradebooks:  # what it does not show may be there all the same
                states = states[states["state"].ne("not_stored")]
            ledger.settle_results(work.writable, district, work.run_id, states)
            _lose(work, lost)
        return sis.requests


async def _gone(work: Work, sis: Gradebook, plan: Plan, missed: pd.Series) -> pd.DataFrame:
    """Line items that the SIS holds no more, found by results of theirs that it took and does not hold."""
    known = work.known_line_items()
    suspect = known[
        known["line_item_id"].isin(missed) & ~known["line_item_id"].isin(plan.line_items["line_item_id"])
    ]
    if suspect.empty or not sis.shows_gradebooks:
        return suspect.head(0)
    held, unreadable = await sis.line_items(set(suspect["sis_class_id"]))
    return gone(suspect, held, unreadable)


def _lose(work: Work, lost: pd.DataFrame) -> None:
    if len(lost):
        ledger.lose_line_items(
            work.writable, work.night.district.district, work.run_id, lost[["line_item_id"]]
        )
        work.say(f"{len(lost):,} line items are no longer in {work.profile.title}")


def _settled(
    written: pd.DataFrame, held: pd.DataFrame, key: list[str], values: Sequence[str]
) -> pd.DataFrame:
    """What reading back shows. A write whose answer was lost is settled if it arrived, else stays lost."""
    states = compare(written, held, key, values).merge(
        written[[*key, "state"]], on=key, suffixes=("", "_before")
    )
    arrived = states["state"].eq("confirmed") | states["state_before"].ne("intended")
    return states.loc[arrived, [*key, "state"]]


def _written(
    known: pd.DataFrame, planned: pd.DataFrame, key: list[str], run_id: int, sis: Gradebook
) -> pd.DataFrame:
    """The planned rows that this run wrote, refused ones left out, with the values it wrote."""
    # What was seen in the very answer to the write need not be asked for.
    open_states = [state for state in _WRITTEN if state != "confirmed" or not sis.reads_back_at_once]
    mine = known[known["run_id"].eq(run_id) & known["state"].isin(open_states)]
    return mine.merge(planned[key], on=key)


async def _held_results(
    sis: Gradebook, results: pd.DataFrame, line_items: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the SIS holds, under our line item ids, and the results that could be read back at all."""
    ids = line_items[["line_item_id"]].assign(sis_line_item_id=held_under(line_items))
    of = results[["sis_class_id", "line_item_id"]].drop_duplicates().merge(ids, on="line_item_id", how="left")
    try:
        held, unread = await held_results(sis, of)
    except ContractError:  # no later try will do better: what was sent stays unverified
        return HELD_RESULTS.empty(), results.head(0)
    return held, results[~results["line_item_id"].isin(unread)]
