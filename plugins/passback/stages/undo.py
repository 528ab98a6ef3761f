"""undo: what a run left in the SIS against what stands there now, and what of it can be put back.

Each thing that the run changed gets one fate:

* put_back: the SIS holds it as the run left it; the value before goes back.
* clear: the same, and nothing stood there before.
* withdraw: a line item that the run created, and that holds nothing but what goes with it.
* as_before: it stands there already as before the run.
* left: somebody, or a later run, has changed it since; it is not touched.
* not_possible: it cannot be put back, or nobody knows what stood there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from passback.gradebook import RESULT_VALUES
from passback.ledger.undo import CHANGED_LINE_ITEMS, CHANGED_RESULTS
from passback.oneroster.held import is_empty
from passback.records import LINE_ITEM_PLAN, RESULT_PLAN, TEXT, Frame
from passback.stages.audit import IN_SIS, LINE_ITEM_KEY, LINE_ITEM_VALUES, RESULT_KEY, compare

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

PUT_BACK: Final = "put_back"
CLEAR: Final = "clear"
WITHDRAW: Final = "withdraw"
AS_BEFORE: Final = "as_before"
LEFT: Final = "left"
NOT_POSSIBLE: Final = "not_possible"
WRITTEN: Final = (PUT_BACK, CLEAR, WITHDRAW)

# What became of it in the end.
CLEARED: Final = "cleared"
WITHDRAWN: Final = "withdrawn"
EMPTIED: Final = "emptied"
FAILED: Final = "failed"
FATES: Final = (PUT_BACK, CLEARED, WITHDRAWN, EMPTIED, AS_BEFORE, LEFT, NOT_POSSIBLE, FAILED)

REFUSED: Final = "refused by the SIS"
NOT_STORED: Final = "not found in the SIS as it was written"
NOT_WITHDRAWN: Final = "the SIS does not take it out; it holds no score of the run any more"
NOT_REACHED: Final = "not reached before the undo was stopped"

CHANGED_IN_SIS: Final = "changed in the SIS since"
REMOVED_IN_SIS: Final = "removed in the SIS since"
CHANGED_BY_RUN: Final = "changed since by the run "
HOLDS_OTHERS: Final = "holds scores that the run did not write"
HOLDS_CHANGED: Final = "holds scores that are not taken back"
TAKEN_OVER: Final = "may have been the teacher's own before the run took it over"
UNKNOWN_BEFORE: Final = "what stood there before the run is not known"
NOT_CLEARED: Final = "the SIS lets nobody take a score out"
UNREADABLE: Final = "could not be read in the SIS"

_FATE: Final = {"fate": TEXT, "why": TEXT}
UNDO_LINE_ITEMS: Final = Frame(
    "undo_line_items", {**CHANGED_LINE_ITEMS.columns, **_FATE}, CHANGED_LINE_ITEMS.key
)
UNDO_RESULTS: Final = Frame("undo_results", {**CHANGED_RESULTS.columns, **_FATE}, CHANGED_RESULTS.key)

RESULT_CONTENT: Final = ("score", "score_status", "score_date", "mark")
LINE_ITEM_CONTENT: Final = {  # and what a person calls them
    "title": "title",
    "category_id": "category",
    "period_id": "grading period",
    "assign_date": "assigned",
    "due_date": "due",
    "points_possible": "points possible",
}


@dataclass(frozen=True)
class Standing:
    """What the SIS holds now of what a run changed, under our line item ids.

    Attributes:
        line_items: `oneroster.held.HELD_LINE_ITEMS` of the classes.
        results: `oneroster.held.HELD_RESULTS` of the line items.
        unread_classes: The classes whose line items could not be read.
        unread_line_items: The line items whose results could not be read.
        result_values: The columns of a result that the SIS holds as they were written.
        clears_scores: Whether the SIS lets a score be taken out.
    """

    line_items: pd.DataFrame
    results: pd.DataFrame
    unread_classes: Collection[str]
    unread_line_items: Collection[str]
    result_values: Sequence[str] = RESULT_VALUES
    clears_scores: bool = True


@dataclass(frozen=True)
class UndoPlan:
    """The fate of everything that a run changed.

    Attributes:
        line_items: `UNDO_LINE_ITEMS`.
        results: `UNDO_RESULTS`.
    """

    line_items: pd.DataFrame
    results: pd.DataFrame


def plan_undo(
    changed_line_items: pd.DataFrame,
    changed_results: pd.DataFrame,
    known_line_items: pd.DataFrame,
    known_results: pd.DataFrame,
    standing: Standing,
    *,
    of_undo: bool,
    taken_over: Collection[str],
) -> UndoPlan:
    """Decide what can be put back: what stands in the SIS as the run left it, value by value.

    Args:
        changed_line_items: `ledger.undo.CHANGED_LINE_ITEMS`.
        changed_results: `ledger.undo.CHANGED_RESULTS`.
        known_line_items: The ledger's line items.
        known_results: The ledger's results.
        standing: What the SIS holds now.
        of_undo: The run was itself an undo: what is gone since, it withdrew.
        taken_over: Line items, by our ids, that may have stood in the SIS before we wrote them.
    """
    values = list(standing.result_values)
    items = _with_known(changed_line_items, known_line_items, LINE_ITEM_KEY, LINE_ITEM_VALUES)
    items = _line_items_now(items, standing, of_undo=of_undo)
    results = _with_known(changed_results, known_results, RESULT_KEY, RESULT_CONTENT)
    results = _results_now(results, standing, values, of_undo=of_undo)

    # A result of a line item that is not there can only come back with it.
    there = standing.line_items["line_item_id"]
    comes_back = items.loc[items["fate"].eq(PUT_BACK), "line_item_id"]
    homeless = ~results["line_item_id"].isin([*there, *comes_back])
    unread = results["line_item_id"].isin(list(standing.unread_line_items))
    unread |= results["sis_class_id"].isin(list(standing.unread_classes))
    results = _decide(results, homeless & ~results["fate"].eq(AS_BEFORE), LEFT, REMOVED_IN_SIS)
    results = _decide(results, unread, NOT_POSSIBLE, UNREADABLE)
    return UndoPlan(
        UNDO_LINE_ITEMS.conform(_withdrawable(items, results, standing, taken_over)),
        UNDO_RESULTS.conform(results),
    )


def _with_known(
    changed: pd.DataFrame, known: pd.DataFrame, key: list[str], values: Sequence[str]
) -> pd.DataFrame:
    """`changed` with the ledger's state and its values of now, `_known` behind their names."""
    now = known[[*key, *values, "state"]].rename(columns={name: f"{name}_known" for name in values})
    merged = changed.merge(now, on=key, how="left")
    return merged.assign(state=merged["state"].astype(TEXT).fillna(""), fate=LEFT, why="")


def _decide(
    rows: pd.DataFrame, which: pd.Series, fate: str | pd.Series, why: str | pd.Series = ""
) -> pd.DataFrame:
    return rows.assign(fate=rows["fate"].mask(which, fate), why=rows["why"].mask(which, why))


def _since(rows: pd.DataFrame, held: pd.DataFrame, key: list[str], values: Sequence[str]) -> pd.Series:
    """Who has changed what does not stand as the run left it: a later run, if what it left stands."""
    of_ledger = rows.assign(**{name: rows[f"{name}_known"] for name in values})
    ours = rows["state"].isin(IN_SIS) & _stands(of_ledger, held, key, values)
    by_run = CHANGED_BY_RUN + rows["later_run"].astype(TEXT)
    return by_run.where(rows["later_run"].ne("") & ours, CHANGED_IN_SIS)


def _stands(rows: pd.DataFrame, held: pd.DataFrame, key: list[str], values: Sequence[str]) -> pd.Series:
    """Whether the SIS holds each row's `values`."""
    states = compare(rows, held, key, values)
    found = rows[key].merge(states, on=key, how="left")["state"].eq("confirmed")
    return found.set_axis(rows.index)


def _after(rows: pd.DataFrame, values: Sequence[str]) -> pd.DataFrame:
    """The rows with what the run left in place of what was there before."""
    return rows.assign(**{name: rows[f"{name}_after"] for name in values})


# --- Line items ---


def _line_items_now(rows: pd.DataFrame, standing: Standing, *, of_undo: bool) -> pd.DataFrame:
    held = standing.line_items
    there = rows["line_item_id"].isin(held["line_item_id"])
    category = rows[LINE_ITEM_KEY].merge(
        held[["line_item_id", "category_id"]].drop_duplicates("line_item_id"), on="line_item_id", how="left"
    )["category_id"]
    category = category.fillna("").set_axis(rows.index)
    as_left = rows["left_there"] & _stands(
        _after(rows, LINE_ITEM_VALUES), held, LINE_ITEM_KEY, LINE_ITEM_VALUES
    )
    # Where the run left the category alone, a teacher's own stays beside what is put back.
    ours = category.eq(rows["category_id_after"]) | category.eq("")
    as_left &= ours | (rows["was_there"] & rows["category_id"].eq(rows["category_id_after"]))
    withdrawn = ~rows["left_there"] & rows["state"].eq("gone") & rows["later_run"].eq("") & of_undo & ~there
    as_before = (rows["was_there"] & _stands(rows, held, LINE_ITEM_KEY, LINE_ITEM_VALUES)) & (
        category.eq(rows["category_id"]) | category.eq("")
    )
    as_before |= ~rows["was_there"] & ~there
    since = _since(rows, held, LINE_ITEM_KEY, LINE_ITEM_VALUES)
    rows = _decide(rows, rows["fate"].eq(LEFT), LEFT, since)
    rows = _decide(rows, ~there, LEFT, REMOVED_IN_SIS)
    rows = _decide(rows, as_before & ~as_left, AS_BEFORE)
    rows = _decide(rows, (as_left | withdrawn) & rows["was_there"], PUT_BACK)
    rows = _decide(rows, as_left & ~rows["was_there"], WITHDRAW)
    unread = rows["sis_class_id"].isin(list(standing.unread_classes))
    unknown = rows["unknown_before"] & rows["fate"].isin(WRITTEN)
    rows = _decide(rows, unknown, NOT_POSSIBLE, UNKNOWN_BEFORE)
    return _decide(rows, unread, NOT_POSSIBLE, UNREADABLE)


def _withdrawable(
    items: pd.DataFrame, results: pd.DataFrame, standing: Standing, taken_over: Collection[str]
) -> pd.DataFrame:
    """Of what is to be withdrawn, only what holds nothing but what this undo takes back."""
    going = results.loc[results["fate"].eq(CLEAR), RESULT_KEY]
    held = standing.results[~is_empty(standing.results)][RESULT_KEY].drop_duplicates()
    others = held.merge(going, on=RESULT_KEY, how="left", indicator=True)
    others = others[others["_merge"].eq("left_only")]
    mine = others.merge(results[RESULT_KEY], on=RESULT_KEY)["line_item_id"]
    withdraw = items["fate"].eq(WITHDRAW)
    items = _decide(items, withdraw & items["line_item_id"].isin(others["line_item_id"]), LEFT, HOLDS_OTHERS)
    items = _decide(items, withdraw & items["line_item_id"].isin(mine), LEFT, HOLDS_CHANGED)
    unread = items["line_item_id"].isin(list(standing.unread_line_items))
    items = _decide(items, withdraw & unread, NOT_POSSIBLE, UNREADABLE)
    return _decide(items, withdraw & items["line_item_id"].isin(list(taken_over)), NOT_POSSIBLE, TAKEN_OVER)


# --- Results ---


def _results_now(rows: pd.DataFrame, standing: Standing, values: list[str], *, of_undo: bool) -> pd.DataFrame:
    held = standing.results
    full = held[~is_empty(held)]
    nothing = ~rows.merge(full[RESULT_KEY].drop_duplicates(), on=RESULT_KEY, how="left", indicator=True)[
        "_merge"
    ].eq("both").set_axis(rows.index)
    left_empty = (rows["state"].isin(IN_SIS) & rows["score_status_known"].eq("")) | (
        rows["state"].eq("gone") & of_undo
    )
    left_empty &= ~rows["left_there"] & rows["later_run"].eq("")
    as_left = rows["left_there"] & _stands(_after(rows, values), full, RESULT_KEY, values)
    as_left |= left_empty & nothing
    as_before = rows["was_there"] & _stands(rows, full, RESULT_KEY, values)
    as_before |= ~rows["was_there"] & nothing
    since = _since(rows, full, RESULT_KEY, values)
    rows = _decide(rows, rows["fate"].eq(LEFT), LEFT, since)
    rows = _decide(rows, nothing & rows["later_run"].eq(""), LEFT, REMOVED_IN_SIS)
    rows = _decide(rows, as_before & ~as_left, AS_BEFORE)
    rows = _decide(rows, as_left & rows["was_there"], PUT_BACK)
    new = as_left & ~rows["was_there"]
    rows = (
        _decide(rows, new, CLEAR) if standing.clears_scores else _decide(rows, new, NOT_POSSIBLE, NOT_CLEARED)
    )
    return _decide(rows, rows["unknown_before"] & rows["fate"].isin(WRITTEN), NOT_POSSIBLE, UNKNOWN_BEFORE)


# --- What is written ---


def again(plan: UndoPlan, approved: UndoPlan, begun: UndoPlan) -> UndoPlan:
    """What is written of an approved plan, now that some time has passed since it was made.

    Args:
        plan: What can be put back now.
        approved: What a person has seen.
        begun: What this very undo has begun to write, before it was stopped.

    Returns:
        `plan` with what was approved and still stands, or was begun; anything else is left.
    """

    def frame(now: pd.DataFrame, seen: pd.DataFrame, mine: pd.DataFrame, key: list[str]) -> pd.DataFrame:
        fates = [rows[[*key, "fate"]] for rows in (seen, mine)]
        both = (
            now[key]
            .merge(fates[0], on=key, how="left")
            .merge(fates[1], on=key, how="left", suffixes=("", "_begun"))
            .set_axis(now.index)
        )
        resumed = both["fate_begun"].isin(WRITTEN)
        stands = both["fate"].eq(now["fate"]) | ~now["fate"].isin(WRITTEN)
        decided = _decide(now, ~stands, LEFT, CHANGED_IN_SIS)
        return _decide(decided, resumed, both["fate_begun"])

    return UndoPlan(
        frame(plan.line_items, approved.line_items, begun.line_items, LINE_ITEM_KEY),
        frame(plan.results, approved.results, begun.results, RESULT_KEY),
    )


def line_item_writes(plan: UndoPlan) -> pd.DataFrame:
    """`records.LINE_ITEM_PLAN` of the line items whose values go back."""
    rows = plan.line_items[plan.line_items["fate"].eq(PUT_BACK)]
    return LINE_ITEM_PLAN.conform(rows.assign(adopts="", action="change"))


def result_writes(plan: UndoPlan) -> pd.DataFrame:
    """`records.RESULT_PLAN` of the results whose values go back, or which are cleared."""
    rows = plan.results[plan.results["fate"].isin([PUT_BACK, CLEAR])]
    cleared = rows["fate"].eq(CLEAR)
    return RESULT_PLAN.conform(
        rows.assign(
            score=rows["score"].mask(cleared),
            action=pd.Series("change", index=rows.index, dtype=TEXT).mask(cleared, "clear"),
        )
    )


def taken_back(rows: pd.DataFrame, frame: Frame) -> pd.DataFrame:
    """What a run left of what is put back, under the plan's names: it is not to be sent again.

    Args:
        rows: `UNDO_LINE_ITEMS` or `UNDO_RESULTS`.
        frame: `records.LINE_ITEM_PLAN` or `records.RESULT_PLAN`.
    """
    going = rows[rows["fate"].isin(WRITTEN)]
    content = [name for name in frame.columns if f"{name}_after" in rows]
    return _after(going, content)[[*frame.key, *content]].reset_index(drop=True)


# --- What became of it ---


def outcome(
    plan: UndoPlan, known_line_items: pd.DataFrame, known_results: pd.DataFrame, *, run_id: int
) -> UndoPlan:
    """The final fate of everything, once it was written and read back.

    Args:
        plan: What was to be written.
        known_line_items: The ledger's line items after it.
        known_results: The ledger's results after it.
        run_id: The ledger's number of the undo.
    """
    results = _settled(plan.results, known_results, RESULT_KEY, run_id)
    items = _settled(plan.line_items, known_line_items, LINE_ITEM_KEY, run_id)
    withdraw = plan.line_items["fate"].eq(WITHDRAW) & items["fate"].ne(WITHDRAWN)
    stuck = results.loc[results["fate"].isin([NOT_POSSIBLE, FAILED]), "line_item_id"]
    stuck_here = items["line_item_id"].isin(stuck)
    items = _decide(items, withdraw & stuck_here, NOT_POSSIBLE, HOLDS_CHANGED)
    items = _decide(items, withdraw & ~stuck_here, EMPTIED, NOT_WITHDRAWN)
    return UndoPlan(UNDO_LINE_ITEMS.conform(items), UNDO_RESULTS.conform(results))


def _settled(rows: pd.DataFrame, known: pd.DataFrame, key: list[str], run_id: int) -> pd.DataFrame:
    of_run = known.loc[known["run_id"].eq(run_id), [*key, "state"]]
    state = rows[key].merge(of_run, on=key, how="left")["state"].astype(TEXT).fillna("").set_axis(rows.index)
    written = rows["fate"].isin(WRITTEN)
    rows = _decide(rows, written & rows["fate"].eq(CLEAR) & state.eq("confirmed"), CLEARED)
    rows = _decide(rows, written & state.eq("gone"), WITHDRAWN)
    rows = _decide(rows, written & state.eq("refused"), NOT_POSSIBLE, REFUSED)
    rows = _decide(rows, written & state.isin(["accepted", "not_stored", "intended"]), FAILED, NOT_STORED)
    return _decide(rows, written & state.eq("") & rows["fate"].ne(WITHDRAW), FAILED, NOT_REACHED)


UNDO_CHANGES: Final = Frame(
    "undo_changes",  # as a person reads it; student_id is the source's, empty for a line item
    {
        "class_id": TEXT,
        "class_title": TEXT,
        "assessment_id": TEXT,
        "assessment_title": TEXT,
        "kind": TEXT,
        "student_id": TEXT,
        "fate": TEXT,
        "field_changes": TEXT,
        "why": TEXT,
    },
    (),
)


def describe(plan: UndoPlan, *, titles: pd.DataFrame, classes: pd.DataFrame) -> pd.DataFrame:
    """The plan, or what became of it, as a person reads it: from what the run left to what was before.

    Args:
        plan: The fates.
        titles: line_item_id, title: what the assessments are called.
        classes: class_id, title.

    Returns:
        `UNDO_CHANGES`, by class and assessment.
    """
    items = plan.line_items.assign(
        kind="line item", student_id="", field_changes=_changes(plan.line_items, LINE_ITEM_CONTENT)
    )
    called = {"score": "score", "score_status": "status", "score_date": "date", "mark": "mark"}
    results = plan.results.assign(kind="result", field_changes=_changes(plan.results, called))
    columns = ["line_item_id", "class_id", "assessment_id", "kind", "student_id", "fate"]
    rows = pd.concat([items, results], ignore_index=True)[[*columns, "field_changes", "why"]]
    named = rows.merge(
        titles[["line_item_id", "title"]].rename(columns={"title": "assessment_title"}),
        on="line_item_id",
        how="left",
    ).merge(
        classes[["class_id", "title"]].drop_duplicates("class_id").rename(columns={"title": "class_title"}),
        on="class_id",
        how="left",
    )
    ordered = named.sort_values(["class_id", "assessment_id", "kind", "student_id"], kind="stable")
    return UNDO_CHANGES.conform(ordered)


def _changes(rows: pd.DataFrame, called: Mapping[str, str]) -> pd.Series:
    text = pd.Series("", index=rows.index, dtype=TEXT)
    for name, word in called.items():
        left = _shown(rows[f"{name}_after"], rows["left_there"])
        before = _shown(rows[name], rows["was_there"])
        begun = text.mask(text.ne(""), text + ", ")
        text = text.mask(left.ne(before), begun + f"{word} " + left + " → " + before)
    return text


def _shown(values: pd.Series, there: pd.Series) -> pd.Series:
    text = values.astype(TEXT)
    if pd.api.types.is_numeric_dtype(values):
        text = text.str.replace(r"\.0$", "", regex=True)
    return text.where(there & values.notna() & text.ne(""), "none")
