"""transform-to-oneroster: from what passed the rules to what differs from the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pandas as pd

from passback.oneroster.ids import line_item_id
from passback.records import CHANGES, LINE_ITEM_PLAN, RESULT_PLAN, TEXT, Frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LINE_ITEM_VALUES: Final = {  # and what a person calls them
    "title": "title",
    "category_id": "category",
    "period_id": "grading period",
    "assign_date": "assigned",
    "due_date": "due",
    "points_possible": "points possible",
}
_RESULT_VALUES: Final = {"score": "score", "score_status": "status", "score_date": "date", "mark": "mark"}
# The date goes out with a score but sends none: seed 001 sends again what has another score, and the
# date of a 0 for missing work moves with the due date.
_RESULT_CHANGES: Final = ("score", "score_status", "mark")
# Only what was read back is known to be held: 2xx is not proof. Anything else is sent again, which a PUT
# makes harmless.
_HELD: Final = "confirmed"
_GONE: Final = "gone"
_SCORE: Final = ["assessment_id", "class_id", "student_id"]

KEPT_THEIRS: Final = "sis.kept_theirs"
UNDONE: Final = "run.undone"

UNSENT: Final = Frame(
    "unsent",  # scores that passed the rules and are not sent all the same; code: of the reason
    {"assessment_id": TEXT, "class_id": TEXT, "student_id": TEXT, "code": TEXT},
    ("assessment_id", "class_id", "student_id"),
)


@dataclass(frozen=True)
class Plan:
    """What this run writes.

    Attributes:
        line_items: `records.LINE_ITEM_PLAN`.
        results: `records.RESULT_PLAN`; of every result here, the line item is here or confirmed in the SIS.
            What was removed in the source goes out, where it is to be cleared, without a score and a status.
        unsent: `UNSENT`, what passed the rules and is not sent because a person decided so.
    """

    line_items: pd.DataFrame
    results: pd.DataFrame
    unsent: pd.DataFrame = field(default_factory=UNSENT.empty)


def transform(
    line_items: pd.DataFrame,
    results: pd.DataFrame,
    known_line_items: pd.DataFrame,
    known_results: pd.DataFrame,
    *,
    source_system: str,
    run_id: int,
    everything: bool,
    recreate: bool,
    removed: pd.DataFrame,
    held_back_line_items: pd.DataFrame | None = None,
    held_back_results: pd.DataFrame | None = None,
) -> Plan:
    """Plan the writes of a run.

    A row is planned when the ledger does not say that the SIS holds the same values, or when this very run
    wrote it: so a cleared task finds the same plan again. A line item that somebody removed in the SIS is not
    planned, nor any of its results, unless it may be written anew, or what stands in its place may be taken
    over; in mode full it is looked for. What a person keeps in the SIS, or has taken back, is planned in no
    mode.

    Args:
        line_items: `records.PASSING_LINE_ITEMS`.
        results: `records.PASSING_RESULTS`.
        known_line_items: The ledger's line items.
        known_results: The ledger's results.
        source_system: The source's name, part of the derived ids.
        run_id: The ledger's id of this run.
        everything: Send what the SIS already holds as well (mode full).
        recreate: Whether what somebody removed in the SIS is written anew.
        removed: The ledger's results that are to be cleared in the SIS.
        held_back_line_items: As `ledger.held_back_line_items` gives them.
        held_back_results: As `ledger.held_back_results` gives them.
    """
    ids = [
        line_item_id(source_system, assessment, sis_class)
        for assessment, sis_class in zip(line_items["assessment_id"], line_items["sis_class_id"], strict=True)
    ]
    items = line_items.assign(line_item_id=pd.Series(ids, index=line_items.index, dtype="str"))
    gone = known_line_items.loc[known_line_items["state"].eq(_GONE), "line_item_id"]
    undone, given_anew = _undone(items, held_back_line_items, LINE_ITEM_PLAN.key, tuple(_LINE_ITEM_VALUES))
    taken_back = items["line_item_id"].isin(undone["line_item_id"])
    withdrawn = taken_back & items["line_item_id"].isin(gone)
    lost = items["line_item_id"].isin(gone) & ~taken_back & (not (recreate or everything))
    lost &= items["adopts"].eq("") & ~items["line_item_id"].isin(given_anew["line_item_id"])
    all_scores = results.merge(
        items.loc[~lost, ["assessment_id", "class_id", "line_item_id"]], on=["assessment_id", "class_id"]
    )
    unsent = _unsent(all_scores, items[withdrawn], held_back_results)
    scores = all_scores[_outside(all_scores, unsent, _SCORE)]
    planned = _differences(
        LINE_ITEM_PLAN,
        items[~lost & ~taken_back],
        known_line_items,
        _LINE_ITEM_VALUES,
        run_id=run_id,
        everything=everything,
    )
    adopts = planned["action"].eq("create") & planned["adopts"].ne("")
    written = _differences(
        RESULT_PLAN, scores, known_results, _RESULT_CHANGES, run_id=run_id, everything=everything
    )
    theirs = _because(held_back_results, "theirs")
    cleared = removed if theirs is None else removed[_outside(removed, theirs, list(RESULT_PLAN.key))]
    return Plan(
        line_items=planned.assign(action=planned["action"].mask(adopts, "adopt")),
        results=pd.concat([written, _cleared(cleared)], ignore_index=True),
        unsent=unsent,
    )


def with_settled(
    results: pd.DataFrame, settled: pd.DataFrame, known_line_items: pd.DataFrame
) -> pd.DataFrame:
    """What the SIS should hold: of line items that are gone, also what is too old to be sent for itself.

    Args:
        results: `records.PASSING_RESULTS`.
        settled: `stages.validate.SETTLED_RESULTS`.
        known_line_items: The ledger's line items.
    """
    place = ["assessment_id", "sis_class_id"]
    gone = known_line_items.loc[known_line_items["state"].eq(_GONE), place].drop_duplicates()
    return pd.concat([results, settled.merge(gone, on=place)], ignore_index=True)


def _unsent(scores: pd.DataFrame, withdrawn: pd.DataFrame, held_back: pd.DataFrame | None) -> pd.DataFrame:
    """`UNSENT` of some scores with their line_item_id."""
    key = list(RESULT_PLAN.key)
    of_withdrawn = scores["line_item_id"].isin(withdrawn["line_item_id"])
    taken_back, _ = _undone(scores, held_back, key, _RESULT_CHANGES)
    code = pd.Series("", index=scores.index, dtype="str")
    code = code.mask(of_withdrawn | ~_outside(scores, taken_back, key), UNDONE)
    if (theirs := _because(held_back, "theirs")) is not None:
        code = code.mask(~_outside(scores, theirs, key), KEPT_THEIRS)
    return UNSENT.conform(scores.assign(code=code)[code.ne("")])


def _undone(
    wanted: pd.DataFrame, held_back: pd.DataFrame | None, key: Sequence[str], values: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The keys of what was taken back and is wanted as it was, and of what is wanted otherwise since."""
    undone = _because(held_back, "undone")
    if undone is None:
        return wanted.head(0)[list(key)], wanted.head(0)[list(key)]
    both = wanted.merge(undone[[*key, *values]], on=list(key), suffixes=("", "_held"))
    same = _equal(both, values)
    return both.loc[same, list(key)], both.loc[~same, list(key)]


def _because(held_back: pd.DataFrame | None, why: str) -> pd.DataFrame | None:
    if held_back is None or held_back.empty:
        return None
    return held_back[held_back["held_back"].eq(why)]


def _outside(rows: pd.DataFrame, others: pd.DataFrame, key: list[str]) -> pd.Series:
    """Whether each row's key is in none of `others`."""
    if others.empty:
        return pd.Series(data=True, index=rows.index)
    found = rows[key].merge(others[key].drop_duplicates(), on=key, how="left", indicator=True)["_merge"]
    return found.ne("both").set_axis(rows.index)


def _equal(both: pd.DataFrame, values: Iterable[str]) -> pd.Series:
    """Whether the values are those beside them, whose names end in _held."""
    equal = pd.Series(data=True, index=both.index)
    for name in values:
        equal &= both[name].eq(both[f"{name}_held"]) | (both[name].isna() & both[f"{name}_held"].isna())
    return equal


def _cleared(removed: pd.DataFrame) -> pd.DataFrame:
    """Results of which the SIS shall hold nothing."""
    nothing = removed.assign(score=float("nan"), score_status="", score_date="", mark="", action="clear")
    return RESULT_PLAN.conform(nothing)


def _differences(
    frame: Frame,
    wanted: pd.DataFrame,
    known: pd.DataFrame,
    values: Iterable[str],
    *,
    run_id: int,
    everything: bool,
) -> pd.DataFrame:
    """The rows of `wanted` that must be written, each with its action."""
    key = list(frame.key)
    ledger = known[[*key, *values, "state", "run_id"]].rename(
        columns={name: f"{name}_held" for name in values}
    )
    both = wanted.merge(ledger, on=key, how="left")
    equal = _equal(both, values)
    held = both["state"].eq(_HELD)
    gone = both["state"].eq(_GONE)
    action = pd.Series("change", index=both.index, dtype="str")
    action = action.mask(both["state"].notna() & equal, "resend").mask(both["state"].isna() | gone, "create")
    planned = (~(held & equal)) | both["run_id"].eq(run_id) | everything
    return frame.conform(both.assign(action=action)[planned])


def describe(
    plan: Plan,
    known_line_items: pd.DataFrame,
    known_results: pd.DataFrame,
    *,
    titles: pd.DataFrame,
    classes: pd.DataFrame,
) -> pd.DataFrame:
    """The plan as a person reads it: from which value to which.

    Args:
        plan: What this run writes.
        known_line_items: The ledger's line items before the load.
        known_results: The ledger's results before the load.
        titles: assessment_id, class_id, title.
        classes: `records.CLASSES`.

    Returns:
        `records.CHANGES`, such as "score 80 → 85".
    """
    line_items = _described(plan.line_items, known_line_items, ["line_item_id"], _LINE_ITEM_VALUES)
    results = _described(plan.results, known_results, ["line_item_id", "sis_student_id"], _RESULT_VALUES)
    rows = pd.concat(
        [line_items.assign(kind="line item", student_id=""), results.assign(kind="result")], ignore_index=True
    )[["kind", "assessment_id", "class_id", "student_id", "action", "field_changes"]]
    assessment_titles = titles[["assessment_id", "class_id", "title"]].drop_duplicates(
        ["assessment_id", "class_id"]
    )
    class_titles = classes[["class_id", "title"]].drop_duplicates("class_id")
    named = rows.merge(
        assessment_titles.rename(columns={"title": "assessment_title"}), on=["assessment_id", "class_id"]
    ).merge(class_titles.rename(columns={"title": "class_title"}), on="class_id", how="left")
    return CHANGES.conform(named)


def _described(
    planned: pd.DataFrame, known: pd.DataFrame, key: list[str], values: Mapping[str, str]
) -> pd.DataFrame:
    before = known[[*key, *values]].rename(columns={name: f"{name}_held" for name in values})
    both = planned.merge(before, on=key, how="left")
    text = pd.Series("", index=both.index, dtype="str")
    created = both["action"].isin(["create", "adopt"])
    for name, called in values.items():
        new, old = readable(both[name]), readable(both[f"{name}_held"])
        change = (f"{called} " + old + " → " + new).mask(created, f"{called} " + new)
        shown = (new != old) | created
        begun = text.mask(text.ne(""), text + ", ")
        text = text.mask(shown, begun + change)
    return both.assign(field_changes=text)


def readable(values: pd.Series) -> pd.Series:
    """Values as a person reads them."""
    if pd.api.types.is_numeric_dtype(values):
        text = values.astype("str").str.replace(r"\.0$", "", regex=True)
        return text.where(values.notna(), "none")
    return values.astype("str").where(values.notna() & values.ne(""), "none")
