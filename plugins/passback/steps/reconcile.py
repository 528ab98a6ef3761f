"""reconcile: look into the gradebooks, plan by what was found, note what is decided of it.

The steps of a run do it in turn: validate looks, transform-to-oneroster compares and plans, load-to-sis
notes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from passback import ledger
from passback.errors import ContractError, SupersededError
from passback.frame_store import read_frame, read_json, write_frame, write_json
from passback.ledger.undo import undos_so_far
from passback.oneroster import line_item_id
from passback.oneroster.held import HELD_LINE_ITEMS, HELD_RESULTS
from passback.records import (
    ASSESSMENTS,
    CLASSES,
    LINE_ITEM_PLAN,
    PASSING_LINE_ITEMS,
    PASSING_RESULTS,
    RESULT_PLAN,
    SCORE_VERDICTS,
    STUDENTS,
)
from passback.stages.reconcile import (
    CHANGED,
    DRIFT,
    EQUAL,
    FOREIGN,
    KEPT,
    LINE_ITEM_DRIFT,
    MISSING,
    RESULT_DRIFT,
    SENT_AGAIN,
    InSis,
    compare_line_items,
    compare_results,
    count_by_class,
    drifted,
    fields_kept,
    our_ids,
)
from passback.stages.transform import UNSENT, Plan, describe, transform
from passback.steps.held import held_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from passback.records import Frame
    from passback.steps.work import Work

_FOLDER: Final = "reconcile"
_COMPARED: Final = "run.reconcile"


def look(work: Work) -> int:
    """Read what stands in the gradebooks that hold something of ours, and keep it; the requests that took.

    Raises:
        PassbackError: the SIS or the ledger cannot be asked, or a run of the district is writing.
    """
    district = work.night.district.district
    with ledger.district_lock(work.writable, district):  # what is being written is not compared
        requests = asyncio.run(_look(work))
        write_json(work.folder / _FOLDER, "undos", {"so_far": undos_so_far(work.writable, district)})
    return requests


async def _look(work: Work) -> int:
    ours, known = _ours(work), work.known_line_items()
    classes = set(ours["sis_class_id"])
    if work.night.classes:  # asked for by name: what is foreign there is told, though nothing of ours is
        source = read_frame(work.folder / "extract", CLASSES)
        named = source.loc[source["class_id"].isin(work.night.classes), "sis_class_id"]
        classes |= set(named) - {""}
    folder = work.folder / _FOLDER
    async with work.gradebook() as sis:
        work.say(f"asking {work.profile.title} what stands in {len(classes):,} gradebooks")
        there, unreadable = await sis.line_items(classes)
        found = pd.DataFrame(
            {"line_item_id": our_ids(there, known), "sis_line_item_id": there["line_item_id"]}
        )
        stand = ours[["line_item_id", "sis_class_id"]].merge(found.drop_duplicates("line_item_id"))
        work.say(f"reading the results of {len(stand):,} line items")
        results, unread = await held_results(sis, stand)
        write_frame(folder, HELD_LINE_ITEMS.name, HELD_LINE_ITEMS.conform(there))
        write_frame(folder, HELD_RESULTS.name, HELD_RESULTS.conform(results))
        write_json(
            folder,
            "looked",
            {
                "unreadable": sorted(unreadable),
                "unread": sorted(unread),
                "result_values": list(sis.result_values),
            },
        )
        return sis.requests


def _ours(work: Work) -> pd.DataFrame:
    """This school year's line items that the SIS accepted from us, of what the run was asked to look at."""
    ours = ledger.line_items_in_sis(
        work.writable, work.night.district.district, work.night.classes, work.night.assessments
    )
    return ours[ours["due_date"].ge(work.night.district.effective_date.isoformat())]


def make_plan(work: Work) -> Plan:
    """Compare, and plan what goes out again; keep both in the run's folder.

    What this very run has sent already stays in the plan and in the list, so that a cleared task finds the
    same again.

    Raises:
        PassbackError: an earlier step's files are missing, or the ledger cannot be read.
    """
    known_line_items, known_results = work.known_line_items(), work.known_results()
    line_items, results = _compare(work, known_line_items, known_results)
    plan = Plan(
        _sent_again(known_line_items, line_items, LINE_ITEM_PLAN, work.run_id),
        _sent_again(known_results, results, RESULT_PLAN, work.run_id),
        _unsent(work, known_line_items, known_results, results),
    )
    classes = read_frame(work.folder / "extract", CLASSES)
    changes = describe(
        plan,
        _as_found(known_line_items, line_items, LINE_ITEM_DRIFT),
        _as_found(known_results, results, RESULT_DRIFT),
        titles=plan.line_items
        if plan.results.empty
        else known_line_items[["assessment_id", "class_id", "title"]],
        classes=classes,
    )
    folder = work.folder / _FOLDER
    write_frame(folder, LINE_ITEM_DRIFT.name, line_items)
    write_frame(folder, RESULT_DRIFT.name, results)
    write_frame(folder, DRIFT.name, drifted(line_items, results, classes))
    counts = count_by_class(line_items, results, classes)
    write_json(folder, "counts", {"classes": counts, "not_compared": _not_compared(work, classes)})
    folder = work.folder / "transform"
    write_frame(folder, "line_item_plan", plan.line_items)
    write_frame(folder, "result_plan", plan.results)
    write_frame(folder, UNSENT.name, plan.unsent)
    write_frame(folder, "changes", changes)
    return plan


def _compare(
    work: Work, known_line_items: pd.DataFrame, known_results: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    night, judged = work.night, work.folder / "validate"
    drift, scope = night.district.drift, (night.classes, night.assessments)
    there = _found_there(work)
    passing_items = read_frame(judged, PASSING_LINE_ITEMS)
    passing_items = passing_items.assign(line_item_id=_line_item_ids(work, passing_items))
    line_items = compare_line_items(
        _ours(work),
        known_line_items,
        there,
        alive=_alive(work),
        passing=set(passing_items["line_item_id"]),
        policy=drift.assignments,
    )
    if night.assessments:  # what was not asked for is not foreign
        line_items = line_items[line_items["finding"].ne(FOREIGN)].reset_index(drop=True)
    place = ["assessment_id", "class_id"]
    passing = read_frame(judged, PASSING_RESULTS)[[*place, "student_id"]]
    results = compare_results(
        ledger.results_in_sis(work.writable, night.district.district, *scope),
        known_results,
        there,
        line_items,
        verdicts=read_frame(judged, SCORE_VERDICTS),
        passing=passing.merge(passing_items[[*place, "line_item_id"]], on=place)[
            ["line_item_id", "student_id"]
        ],
        zero_status=work.profile.zero_status,
        policy=drift.scores,
    )
    students = read_frame(work.folder / "extract", STUDENTS).drop_duplicates("sis_student_id")
    by_sis_id = dict(zip(students["sis_student_id"], students["student_id"], strict=True))
    named = results["sis_student_id"].map(by_sis_id).astype("str").fillna("")
    results = results.assign(student_id=results["student_id"].mask(results["student_id"].eq(""), named))
    return (
        _with_those_of_before(work, line_items, known_line_items, LINE_ITEM_DRIFT),
        _with_those_of_before(work, results, known_results, RESULT_DRIFT),
    )


def _found_there(work: Work) -> InSis:
    folder = work.folder / _FOLDER
    looked = read_json(folder, "looked")
    if looked is None:
        raise ContractError(
            "the gradebooks have not been looked into",
            where=str(folder),
            mend="Clear the run from validate on.",
        )
    return InSis(
        line_items=read_frame(folder, HELD_LINE_ITEMS),
        results=read_frame(folder, HELD_RESULTS),
        unreadable=looked["unreadable"],
        unread=looked["unread"],
        result_values=looked["result_values"],
    )


def _alive(work: Work) -> set[str]:
    """The line items that the source's assessments stand for."""
    folder = work.folder / "extract"
    classes = read_frame(folder, CLASSES).drop_duplicates("class_id")
    return set(_line_item_ids(work, read_frame(folder, ASSESSMENTS).merge(classes, on="class_id")))


def _line_item_ids(work: Work, rows: pd.DataFrame) -> Sequence[str]:
    system = work.night.district.source.system
    return [
        line_item_id(system, assessment, sis_class)
        for assessment, sis_class in zip(rows["assessment_id"], rows["sis_class_id"], strict=True)
    ]


def _with_those_of_before(work: Work, found: pd.DataFrame, known: pd.DataFrame, frame: Frame) -> pd.DataFrame:
    """`found`, and what an earlier try of this run found and has done something about since."""
    try:
        before = read_frame(work.folder / _FOLDER, frame)
    except ContractError:
        return found
    key = list(frame.key)
    done = known.loc[known["run_id"].eq(work.run_id), key]
    kept = before[before["finding"].isin([CHANGED, MISSING])].merge(done, on=key)
    rest = found.merge(kept[key], on=key, how="left", indicator=True)["_merge"].ne("both")
    return frame.conform(pd.concat([found[rest.to_numpy()], kept], ignore_index=True))


def _sent_again(known: pd.DataFrame, found: pd.DataFrame, frame: Frame, run_id: int) -> pd.DataFrame:
    """What goes out again, as we had it."""
    key = list(frame.key)
    wanted = found.loc[found["action"].eq(SENT_AGAIN), key].assign(wanted=True)
    both = known.merge(wanted, on=key, how="left")
    mine = both["run_id"].eq(run_id) & both["state"].ne("gone")
    rows = both[both["wanted"].eq(other=True) | mine].assign(action="change")
    return frame.conform(rows if "adopts" not in frame.columns else rows.assign(adopts=""))


def _as_found(known: pd.DataFrame, found: pd.DataFrame, frame: Frame) -> pd.DataFrame:
    """The ledger's rows with what the SIS holds in place of what we sent, where a person changed it."""
    key = list(frame.key)
    names = [name for name in frame.columns if name in known.columns and name not in key]
    content = [
        name for name in names if name not in ("assessment_id", "class_id", "sis_class_id", "student_id")
    ]
    changed = found.loc[found["action"].eq(SENT_AGAIN), [*key, *content]]
    others = known.merge(changed[key], on=key, how="left", indicator=True)["_merge"].ne("both")
    return pd.concat([known.loc[others.to_numpy(), [*key, *content]], changed], ignore_index=True)


def _unsent(
    work: Work, known_line_items: pd.DataFrame, known_results: pd.DataFrame, found: pd.DataFrame
) -> pd.DataFrame:
    """What the next run sends, or a person has kept from being sent: this one sends nothing new."""
    judged = work.folder / "validate"
    held_back_line_items, held_back_results = work.held_back()
    nothing, key = known_results.head(0), list(RESULT_PLAN.key)
    kept = found[found["action"].eq(KEPT)].assign(held_back="theirs")
    decided = pd.concat([_no_longer(held_back_results, found, key), kept[key]])
    stays = held_back_results.merge(decided, on=key, how="left", indicator=True)["_merge"].ne("both")
    held_back_results = pd.concat([held_back_results[stays.to_numpy()], kept])
    waiting = transform(
        read_frame(judged, PASSING_LINE_ITEMS),
        read_frame(judged, PASSING_RESULTS),
        known_line_items,
        known_results,
        source_system=work.night.district.source.system,
        run_id=-1,  # of what this run sends again, only what differs from the source waits
        everything=False,
        recreate=work.night.district.sis.recreate,
        removed=nothing,
        held_back_line_items=held_back_line_items,
        held_back_results=held_back_results,
    )
    return UNSENT.conform(pd.concat([waiting.unsent, waiting.results.assign(code=_COMPARED)]))


def _not_compared(work: Work, classes: pd.DataFrame) -> list[str]:
    """The classes whose gradebook, or one of whose line items, could not be read; by title or id."""
    there, ours = _found_there(work), _ours(work)
    some = ours["sis_class_id"].isin(list(there.unreadable)) | ours["line_item_id"].isin(list(there.unread))
    of = classes[classes["class_id"].isin(ours.loc[some, "class_id"])]
    return sorted(of["title"].where(of["title"].ne(""), of["class_id"]))


def note_decisions(work: Work) -> None:
    """Note in the ledger what is kept as a person set it, what is sent again, and what is there no more.

    Raises:
        SupersededError: a run was undone since the gradebooks were looked into.
        PassbackError: the ledger cannot be written to.
    """
    folder, district = work.folder / _FOLDER, work.night.district
    undos = (read_json(folder, "undos") or {}).get("so_far")
    if undos != undos_so_far(work.writable, district.district):
        raise SupersededError(
            "a run was undone since the gradebooks were looked into; what was found is out of date",
            where=f"{district.district}, run {work.night.run_key}",
            mend="Clear this run from validate on.",
        )
    line_items, results = read_frame(folder, LINE_ITEM_DRIFT), read_frame(folder, RESULT_DRIFT)
    connection, name, run_id = work.writable, district.district, work.run_id
    known = work.known_line_items()
    missing = line_items.loc[line_items["finding"].eq(MISSING), ["line_item_id"]]
    gone = missing[~missing["line_item_id"].isin(known.loc[known["state"].eq("gone"), "line_item_id"])]
    if len(gone):
        ledger.lose_line_items(connection, name, run_id, gone)
    kept_items = line_items[line_items["action"].eq(KEPT)]
    kept_items = kept_items.assign(fields=fields_kept(kept_items["fields"], district.drift.assignments))
    held_items, held_scores = work.held_back()
    ledger.release_line_items(connection, name, _no_longer(held_items, line_items, ["line_item_id"]))
    ledger.release_results(connection, name, _no_longer(held_scores, results, list(RESULT_PLAN.key)))
    ledger.hold_back_line_items(connection, name, run_id, "theirs", kept_items)
    kept_results = results[results["action"].eq(KEPT)].drop(columns="fields")
    ledger.hold_back_results(connection, name, run_id, "theirs", kept_results)
    again = line_items[line_items["action"].eq(SENT_AGAIN)]
    ledger.overwrite_line_items(connection, name, run_id, again)
    ledger.overwrite_results(connection, name, run_id, results[results["action"].eq(SENT_AGAIN)])


def _no_longer(held_back: pd.DataFrame, found: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """What was kept as a person set it, and is equal again or no longer to be kept."""
    theirs = held_back.loc[held_back["held_back"].eq("theirs"), key]
    told = found["finding"].isin([EQUAL, CHANGED, MISSING]) & found["action"].ne(KEPT)
    return theirs.merge(found.loc[told, key], on=key)


def noted_drift(work: Work) -> tuple[dict[str, Any] | None, pd.DataFrame | None]:
    """What was found, for the report: by class, and entry by entry; None where the run compared nothing."""
    if not work.night.reconciles:
        return None, None
    folder = work.folder / _FOLDER
    listed = read_frame(folder, DRIFT)
    counts = read_json(folder, "counts") or {"classes": [], "not_compared": []}
    policy = work.night.district.drift
    return {
        **counts,
        "entries": len(listed),
        "policy": {"scores": policy.scores, "assignments": policy.assignments},
    }, listed
