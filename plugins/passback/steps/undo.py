"""The steps of an undo: plan-undo, put-back, audit-undo; Airflow's tasks and `passback undo` share them.

Each may be killed anywhere and run again with the same end state. Only put-back and audit-undo write, both
under the district's lock.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from passback import connections, ledger, paths
from passback.errors import ConfigurationError, ContractError, PassbackError
from passback.frame_store import open_folder, read_frame, read_json, write_frame, write_json
from passback.gradebook import LineItemRow
from passback.gradebooks import gradebook_of
from passback.ledger import undo as trail
from passback.ledger.runs import RUN_REASONS
from passback.night import folder_name
from passback.oneroster.held import HELD_LINE_ITEMS
from passback.reasons import DELIVERY_REASONS, Outcome
from passback.records import CLASSES, LINE_ITEM_PLAN, RESULT_PLAN, SIS_CLASSES
from passback.report.undo import UndoReport, write_undo_report
from passback.rules.suites import read_suites
from passback.stages import undo as fates
from passback.stages.audit import IN_SIS, LINE_ITEM_KEY, LINE_ITEM_VALUES, RESULT_KEY, compare
from passback.stages.links import gone, held_under, kept_categories, under_our_ids
from passback.stages.load import load
from passback.stages.undo import UNDO_LINE_ITEMS, UNDO_RESULTS, Standing, UndoPlan
from passback.steps import unforeseen, utc_now
from passback.steps.held import held_results
from passback.steps.pace import shared_limits
from passback.steps.work import RETRIES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from datetime import datetime

    from airflow.sdk import ObjectStoragePath

    from passback.gradebook import Gradebook
    from passback.ledger.undo import UndoneRun
    from passback.undo import Undo

_SCHOOLS: Final = "1.2"  # since then a line item names its school


@dataclass(frozen=True)
class UndoWork:
    """One step of an undo.

    Attributes:
        undo: Which.
        folder: Where its files lie.
        connection: The ledger.
        say: Told about progress, in counts.
        clock: The present instant, UTC.
    """

    undo: Undo
    folder: ObjectStoragePath
    connection: ledger.Connection
    say: Callable[[str], None]
    clock: Callable[[], datetime]

    @property
    def district(self) -> str:
        """The district's name."""
        return self.undo.district.district

    def undone(self) -> UndoneRun:
        """The run that is undone."""
        return trail.undone_run(self.connection, self.district, self.undo.undoes)

    @asynccontextmanager
    async def gradebook(self) -> AsyncIterator[Gradebook]:
        """The district's SIS, within the limits that all share who ask it."""
        endpoint = connections.endpoint(self.undo.district.sis.connection)
        gradebook = gradebook_of(
            self.undo.district, endpoint, now=self.clock(), clock=self.clock, retries=RETRIES
        )
        async with AsyncExitStack() as stack:
            shared = shared_limits(
                gradebook.limits, endpoint.base_url, connections.ledger_url(), preview=False, say=self.say
            )
            await stack.enter_async_context(shared)
            yield await stack.enter_async_context(gradebook)

    def read(self, name: str) -> UndoPlan | None:
        """The plan that an earlier step, or try, kept under a name; None if there is none."""
        folder = self.folder / name
        try:
            return UndoPlan(read_frame(folder, UNDO_LINE_ITEMS), read_frame(folder, UNDO_RESULTS))
        except ContractError:
            return None

    def keep(self, name: str, plan: UndoPlan) -> None:
        """Keep a plan for later steps."""
        write_frame(self.folder / name, UNDO_LINE_ITEMS.name, plan.line_items)
        write_frame(self.folder / name, UNDO_RESULTS.name, plan.results)

    def planned(self) -> UndoPlan:
        """What plan-undo planned.

        Raises:
            ContractError: it has not run.
        """
        plan = self.read("plan")
        if plan is None:
            raise ContractError(
                "plan-undo has left nothing", where=str(self.folder), mend="Clear it from plan-undo on."
            )
        return plan


def run(
    task_id: str, undo: Undo, *, say: Callable[[str], None], clock: Callable[[], datetime] = utc_now
) -> dict[str, Any]:
    """Do one step of an undo.

    Args:
        task_id: One of `undo.UNDO_TASKS`.
        undo: Which.
        say: Told about progress, in counts.
        clock: The present instant, UTC.

    Returns:
        Counts by fate, `writes` (how many values would go back, or went) and `folder`, the report's URI.

    Raises:
        PassbackError: the step failed; an undo that had begun to write is recorded as failed.
    """
    step = {"plan-undo": plan, "put-back": put_back, "audit-undo": audit}[task_id]
    try:
        with open_undo(undo, say=say, clock=clock) as work:
            return step(work)
    except PassbackError as error:
        _record_failure(task_id, undo, error, clock=clock)
        raise
    except Exception as error:  # noqa: BLE001 - Airflow would log its text, and pandas quotes values
        told = unforeseen(error, task_id)
        _record_failure(task_id, undo, told, clock=clock)
        raise told from None


@contextmanager
def open_undo(undo: Undo, *, say: Callable[[str], None], clock: Callable[[], datetime]) -> Iterator[UndoWork]:
    """Open what a step needs.

    Raises:
        PassbackError: a connection is missing, or the ledger cannot be used.
    """
    url = connections.ledger_url()
    ledger.ensure_schema(url)
    with closing(ledger.connect(url)) as connection:
        yield UndoWork(
            undo=undo,
            folder=open_folder(undo.folder),
            connection=connection,
            say=say,
            clock=clock,
        )


# --- plan-undo ---


def plan(work: UndoWork) -> dict[str, Any]:
    """Compare what the run left with what the SIS holds, and say what would go back; writes the report only.

    Raises:
        PassbackError: the run is not known or under way, or the SIS or the ledger cannot be asked.
    """
    undone = work.undone()
    with ledger.district_lock(work.connection, work.district):  # what is being written is not compared
        planned = asyncio.run(_plan(work, undone))
    work.keep("plan", planned)
    write_json(work.folder, "undo", {"began": work.clock().isoformat(), "undoes": work.undo.undoes})
    report = _report(work, undone, planned, state="planned")
    folder = str(work.folder / "report")
    write_undo_report(folder, report)
    counts = report.summary["line_items"], report.summary["results"]
    writes = sum(count.get(fate, 0) for count in counts for fate in fates.WRITTEN)
    work.say(f"{writes:,} values would go back")
    return {
        "writes": writes,
        "begun": work.read("begun") is not None,
        "line_items": counts[0],
        "results": counts[1],
        "folder": folder,
    }


async def _plan(work: UndoWork, undone: UndoneRun) -> UndoPlan:
    async with work.gradebook() as sis:
        planned, _ = await _plan_now(work, undone, sis)
        return planned


async def _plan_now(work: UndoWork, undone: UndoneRun, sis: Gradebook) -> tuple[UndoPlan, Standing]:
    items = trail.changed_line_items(work.connection, work.district, undone.run_id)
    results = trail.changed_results(work.connection, work.district, undone.run_id)
    known = ledger.known_line_items(work.connection, work.district)
    looked_for = {*results["line_item_id"], *items.loc[~items["was_there"], "line_item_id"]}
    concerned = known[known["line_item_id"].isin({*looked_for, *items["line_item_id"]})]
    standing = await _standing(sis, concerned, looked_for)
    work.say(f"{len(items):,} line items and {len(results):,} results were changed by this run")
    planned = fates.plan_undo(
        items,
        results,
        known,
        ledger.known_results(work.connection, work.district),
        standing,
        of_undo=undone.mode == "undo",
        taken_over=_taken_over(work, sis, concerned),
    )
    return planned, standing


async def _standing(sis: Gradebook, known: pd.DataFrame, looked_for: set[str]) -> Standing:
    """What the SIS holds of some of the ledger's line items, and of results of those that are looked for."""
    held, unreadable = HELD_LINE_ITEMS.empty(), frozenset[str]()
    if len(known):
        held, unreadable = await sis.line_items(set(known["sis_class_id"]))
        held = under_our_ids(held, known)
    there = known[known["line_item_id"].isin(held["line_item_id"]) & known["line_item_id"].isin(looked_for)]
    results, unread = await held_results(sis, there.assign(sis_line_item_id=held_under(there)))
    return Standing(held, results, unreadable, unread, sis.result_values, sis.clears_scores)


def _taken_over(work: UndoWork, sis: Gradebook, known: pd.DataFrame) -> set[str]:
    """The line items that may have been a teacher's own before we wrote them: they are not withdrawn."""
    if not work.undo.district.sis.adopt:
        return set()
    if sis.repeatable:  # what it holds under another id than ours, we have not created
        return set(known.loc[~held_under(known).eq(known["line_item_id"]), "line_item_id"])
    try:
        written = read_frame(_run_folder(work) / "transform", LINE_ITEM_PLAN)
    except ContractError:
        return set(known["line_item_id"])
    created = written.loc[written["action"].eq("create"), "line_item_id"]
    return set(known["line_item_id"]) - set(created)


def _run_folder(work: UndoWork) -> ObjectStoragePath:
    """Where the files of the run lie that is undone."""
    return open_folder(f"{paths.stage()}/{work.district}/{folder_name(work.undo.undoes)}")


# --- put-back ---


def put_back(work: UndoWork) -> dict[str, Any]:
    """Write what was planned and still stands as the run left it.

    Raises:
        PassbackError: the SIS or the ledger cannot be used, or a run of the district is writing.
    """
    undone, approved = work.undone(), work.planned()
    with ledger.district_lock(work.connection, work.district):
        run_id = _open_run(work, undone)
        requests = asyncio.run(_put_back(work, undone, approved, run_id))
    write_json(work.folder, "put-back", {"requests": requests})
    return {"requests": requests}


def _open_run(work: UndoWork, undone: UndoneRun) -> int:
    facts = read_json(work.folder, "undo") or {}
    return ledger.open_run(
        work.connection,
        district=work.district,
        run_key=work.undo.run_key,
        mode="undo",
        ordered_by=work.undo.ordered_by,
        mapping_hash=work.undo.mapping_hash,
        rule_set=read_suites(paths.expectations(), work.undo.district.sis.system).rule_set,
        reasons=DELIVERY_REASONS,
        started_at=pd.Timestamp(facts["began"]).to_pydatetime() if facts else work.clock(),
        undoes=undone.run_id,
    )


async def _put_back(work: UndoWork, undone: UndoneRun, approved: UndoPlan, run_id: int) -> int:
    async with work.gradebook() as sis:
        now, standing = await _plan_now(work, undone, sis)
        going = fates.again(now, approved, _begun(work, standing, run_id))
        work.keep("begun", going)
        if undone.puts_back:
            _hold_back(work, going, run_id)
        await _write(work, sis, going, standing, run_id)
        await _withdraw(work, sis, going, standing, run_id)
        return sis.requests


def _begun(work: UndoWork, standing: Standing, run_id: int) -> UndoPlan:
    """What an earlier try of this undo has begun to write, and nobody has written since."""
    begun = work.read("begun")
    if begun is None:
        return UndoPlan(UNDO_LINE_ITEMS.empty(), UNDO_RESULTS.empty())
    known_items = ledger.known_line_items(work.connection, work.district)
    known_results = ledger.known_results(work.connection, work.district)
    mine = known_items.loc[known_items["run_id"].eq(run_id), "line_item_id"]
    items, results = begun.line_items, begun.results
    # A withdrawal leaves no trace in the ledger before it was seen to be done.
    withdrawn = items["fate"].eq(fates.WITHDRAW)
    withdrawn &= ~items["line_item_id"].isin(standing.line_items["line_item_id"])
    written = known_results.loc[known_results["run_id"].eq(run_id), RESULT_KEY]
    return UndoPlan(
        items[items["line_item_id"].isin(mine) | withdrawn], results.merge(written, on=RESULT_KEY)
    )


def _hold_back(work: UndoWork, going: UndoPlan, run_id: int) -> None:
    """What is taken back is not to be sent again: noted before it is, so that no night comes in between."""
    items = fates.taken_back(going.line_items, LINE_ITEM_PLAN)
    results = fates.taken_back(going.results, RESULT_PLAN)
    ledger.hold_back_line_items(work.connection, work.district, run_id, "undone", items)
    ledger.hold_back_results(work.connection, work.district, run_id, "undone", results)


async def _write(work: UndoWork, sis: Gradebook, going: UndoPlan, standing: Standing, run_id: int) -> None:
    known = ledger.known_line_items(work.connection, work.district)
    known_results = ledger.known_results(work.connection, work.district)
    items = _without_withdrawn(fates.line_item_writes(going), known, LINE_ITEM_KEY, run_id)
    results = _without_withdrawn(fates.result_writes(going), known_results, RESULT_KEY, run_id)
    if items.empty and results.empty:
        return
    total = len(items) + len(results)
    await load(
        work.connection,
        sis,
        district=work.district,
        run_id=run_id,
        line_items=items,
        results=results,
        known_line_items=known,
        known_results=known_results,
        # `standing` has our ids already: the ledger's own are not looked for once more.
        kept_categories=kept_categories(items, known.assign(sis_line_item_id=""), standing.line_items),
        schools=await _schools(work, sis, set(items["sis_class_id"])),
        clock=work.clock,
        progress=lambda counts: work.say(
            f"{counts.line_items_written + counts.results_written:,} of {total:,} values put back"
        ),
    )


def _without_withdrawn(rows: pd.DataFrame, known: pd.DataFrame, key: list[str], run_id: int) -> pd.DataFrame:
    """The rows to write but for those that this undo has withdrawn, with their line item, before."""
    done = known.loc[known["run_id"].eq(run_id) & known["state"].eq("gone"), key]
    both = rows.merge(done, on=key, how="left", indicator=True)
    return both[both["_merge"].eq("left_only")][list(rows.columns)].reset_index(drop=True)


async def _withdraw(work: UndoWork, sis: Gradebook, going: UndoPlan, standing: Standing, run_id: int) -> None:
    """Take out the line items that the run created, once their scores are cleared."""
    known = ledger.known_line_items(work.connection, work.district)
    results = ledger.known_results(work.connection, work.district)
    wanted = going.line_items.loc[going.line_items["fate"].eq(fates.WITHDRAW), "line_item_id"]
    cleared = fates.result_writes(going)
    cleared = cleared[cleared["line_item_id"].isin(wanted)].merge(
        results[[*RESULT_KEY, "state", "run_id"]], on=RESULT_KEY, how="left"
    )
    stuck = cleared.loc[~cleared["state"].isin([*IN_SIS, "gone"]), "line_item_id"]
    rows = known[known["line_item_id"].isin(wanted) & ~known["line_item_id"].isin(stuck)]
    rows = rows[rows["state"].ne("gone")]
    if rows.empty:
        return
    there = rows[rows["line_item_id"].isin(standing.line_items["line_item_id"])]
    schools = await _schools(work, sis, set(there["sis_class_id"]))
    asked = there.assign(school_id=there["sis_class_id"].map(schools).astype("str").fillna(""))
    columns = asked[list(LineItemRow._fields)].astype(object)
    await asyncio.gather(
        *(
            sis.withdraw_line_item(LineItemRow._make(row))
            for row in columns.itertuples(index=False, name=None)
        )
    )
    # What counts is not the answer, but that it stands there no more.
    held, unreadable = await sis.line_items(set(rows["sis_class_id"]))
    lost = gone(rows, held, unreadable)
    ledger.lose_line_items(work.connection, work.district, run_id, lost[["line_item_id"]])
    work.say(f"{len(lost):,} of {len(rows):,} line items withdrawn")


async def _schools(work: UndoWork, sis: Gradebook, classes: set[str]) -> Mapping[str, str]:
    """The schools of some classes: as the run knew them, else as the SIS says now."""
    if not classes or sis.version != _SCHOOLS:
        return {}
    last = ledger.last_extract(work.connection, work.district)
    folders = [_run_folder(work), *([open_folder(last["snapshot"]).parent] if last else [])]
    for folder in folders:
        try:
            known = read_frame(folder / "sis", SIS_CLASSES)
        except ContractError:
            continue
        schools = dict(zip(known["sis_class_id"], known["school_id"], strict=True))
        if classes <= schools.keys():
            return schools
    today = work.clock().astimezone(work.undo.district.zone).date()
    facts = (await sis.facts(classes, today=today))[SIS_CLASSES.name]
    return dict(zip(facts["sis_class_id"], facts["school_id"], strict=True))


# --- audit-undo ---


def audit(work: UndoWork) -> dict[str, Any]:
    """Read back what was written, say what became of everything the run changed, close the undo.

    Raises:
        PassbackError: the SIS or the ledger cannot be asked, or the report cannot be written.
    """
    undone = work.undone()
    going, noted = work.read("begun"), read_json(work.folder, "put-back")
    if going is None or noted is None:
        raise ContractError(
            "put-back has not come to its end", where=str(work.folder), mend="Clear it from put-back on."
        )
    with ledger.district_lock(work.connection, work.district):
        run_id = _open_run(work, undone)
        requests = int(noted["requests"]) + asyncio.run(_read_back(work, going, run_id))
        done = fates.outcome(
            going,
            ledger.known_line_items(work.connection, work.district),
            ledger.known_results(work.connection, work.district),
            run_id=run_id,
        )
        if undone.puts_back:
            _release(work, going, done)
        report = _report(work, undone, done, state="good")
        report = replace(report, summary=report.summary | {"requests": requests})
        folder = str(work.folder / "report")
        write_undo_report(folder, report)
        ledger.close_run(
            work.connection,
            run_id,
            ended_at=work.clock(),
            state="good",
            extracted=len(done.results),
            outcomes=_outcomes(report.summary["results"]),
            reasons=RUN_REASONS.empty(),
            requests=requests,
        )
    told = report.summary["line_items"], report.summary["results"]
    writes = sum(count.get(fate, 0) for count in told for fate in _WENT)
    work.say(f"{writes:,} values went back")
    return {"writes": writes, "line_items": told[0], "results": told[1], "folder": folder}


_WENT: Final = (fates.PUT_BACK, fates.CLEARED, fates.WITHDRAWN, fates.EMPTIED)
_OUTCOMES: Final = {
    fates.PUT_BACK: Outcome.SENT,
    fates.CLEARED: Outcome.SENT,
    fates.WITHDRAWN: Outcome.SENT,
    fates.AS_BEFORE: Outcome.UNCHANGED,
    fates.LEFT: Outcome.CANCELLED,
    fates.NOT_POSSIBLE: Outcome.FAILED,
    fates.FAILED: Outcome.FAILED,
}


def _outcomes(by_fate: Mapping[str, int]) -> dict[str, int]:
    """The results by outcome, so that an undo adds up as any run does."""
    counts = dict.fromkeys(map(str, Outcome), 0)
    for fate, count in by_fate.items():
        counts[str(_OUTCOMES[fate])] += int(count)
    return counts


async def _read_back(work: UndoWork, going: UndoPlan, run_id: int) -> int:
    """Ask the SIS what it holds of what it accepted, and keep the answers."""
    known = ledger.known_line_items(work.connection, work.district)
    known_results = ledger.known_results(work.connection, work.district)
    open_states = ["accepted", "intended", "not_stored"]
    items = _mine(known, fates.line_item_writes(going), LINE_ITEM_KEY, run_id, open_states)
    results = _mine(known_results, fates.result_writes(going), RESULT_KEY, run_id, open_states)
    if items.empty and results.empty:
        return 0
    async with work.gradebook() as sis:
        concerned = known[known["line_item_id"].isin({*items["line_item_id"], *results["line_item_id"]})]
        standing = await _standing(sis, concerned, set(results["line_item_id"]))
        items = items[~items["sis_class_id"].isin(standing.unread_classes)]
        unread = results["line_item_id"].isin(standing.unread_line_items)
        results = results[~(unread | results["sis_class_id"].isin(standing.unread_classes))]
        for rows, held, key, values, settle in (
            (items, standing.line_items, LINE_ITEM_KEY, LINE_ITEM_VALUES, ledger.settle_line_items),
            (results, standing.results, RESULT_KEY, standing.result_values, ledger.settle_results),
        ):
            states = compare(rows, held, key, values).merge(
                rows[[*key, "state"]], on=key, suffixes=("", "_before")
            )
            # A write whose answer was lost, and that did not arrive, stays lost.
            told = states["state"].eq("confirmed") | states["state_before"].ne("intended")
            settle(work.connection, work.district, run_id, states.loc[told, [*key, "state"]])
        return sis.requests


def _mine(
    known: pd.DataFrame, planned: pd.DataFrame, key: list[str], run_id: int, states: list[str]
) -> pd.DataFrame:
    """What this undo wrote, and nobody has read back yet."""
    return known[known["run_id"].eq(run_id) & known["state"].isin(states)].merge(planned[key], on=key)


def _release(work: UndoWork, going: UndoPlan, done: UndoPlan) -> None:
    """What could not be taken back stands in the SIS: it is not held back any longer."""
    kept = [fates.NOT_POSSIBLE, fates.EMPTIED]
    items = going.line_items["fate"].isin(fates.WRITTEN) & done.line_items["fate"].isin(kept)
    results = going.results["fate"].isin(fates.WRITTEN) & done.results["fate"].isin(kept)
    ledger.release_line_items(work.connection, work.district, going.line_items.loc[items, LINE_ITEM_KEY])
    ledger.release_results(work.connection, work.district, going.results.loc[results, RESULT_KEY])


# --- What is told ---


def _report(work: UndoWork, undone: UndoneRun, told: UndoPlan, *, state: str) -> UndoReport:
    facts = read_json(work.folder, "undo") or {}
    known = ledger.known_line_items(work.connection, work.district)
    counts = [
        {str(fate): int(count) for fate, count in rows["fate"].value_counts().items()}
        for rows in (told.line_items, told.results)
    ]
    return UndoReport(
        summary={
            "district": work.district,
            "name": work.undo.district.name,
            "timezone": work.undo.district.timezone,
            "run": work.undo.run_key,
            "undoes": work.undo.undoes,
            "of_mode": undone.mode,
            "ordered_by": work.undo.ordered_by,
            "state": state,
            "started_at": facts.get("began", ""),
            "ended_at": work.clock().isoformat(),
            "line_items": counts[0],
            "results": counts[1],
            "categories_kept": undone.categories,
        },
        changes=fates.describe(told, titles=known, classes=_class_titles(work)),
    )


def _class_titles(work: UndoWork) -> pd.DataFrame:
    last = ledger.last_extract(work.connection, work.district)
    if last is not None:
        try:
            return read_frame(open_folder(last["snapshot"]), CLASSES)
        except ContractError:  # its files are gone, or of another version
            pass
    return CLASSES.empty()


def _record_failure(task_id: str, undo: Undo, error: PassbackError, *, clock: Callable[[], datetime]) -> None:
    """Close an undo that had begun to write as failed."""
    if task_id == "plan-undo" or isinstance(error, ConfigurationError):
        return
    try:
        with open_undo(undo, say=lambda _: None, clock=clock) as work:
            if work.read("begun") is None:
                return
            with ledger.district_lock(work.connection, work.district):  # else another run is writing
                run_id = _open_run(work, work.undone())
                ledger.close_run(
                    work.connection,
                    run_id,
                    ended_at=clock(),
                    state="failed",
                    extracted=0,
                    outcomes={},
                    reasons=RUN_REASONS.empty(),
                    requests=int((read_json(work.folder, "put-back") or {}).get("requests", 0)),
                    failed_task=task_id,
                    message=str(error),
                )
    except Exception:  # noqa: BLE001 - whatever it is, it must not hide the other
        logging.getLogger(__name__).warning("the failed undo could not be recorded in the ledger")
