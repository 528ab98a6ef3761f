"""audit: what the SIS holds against what was sent, and one outcome for every extracted score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from passback.reasons import Outcome
from passback.records import SCORE_VERDICTS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from passback.stages.transform import Plan

LINE_ITEM_KEY: Final = ["line_item_id"]
RESULT_KEY: Final = ["line_item_id", "sis_student_id"]
# A category that a teacher changed in the SIS stays as the teacher set it (RULES section 4): not compared.
LINE_ITEM_VALUES: Final = ("title", "assign_date", "due_date", "points_possible")
RESULT_VALUES: Final = ("score", "score_status", "score_date")
MARK: Final = "mark"  # compared where marks are sent; elsewhere what the SIS says is its own

IN_SIS: Final = ("accepted", "confirmed")

# What the ledger's state of a written row makes of it.
_OUTCOME_OF_STATE: Final = {
    "confirmed": (Outcome.SENT, ""),
    "accepted": (Outcome.FAILED, "sis.not_verified"),
    "not_stored": (Outcome.FAILED, "sis.not_stored"),
    "refused": (Outcome.FAILED, "sis.refused"),
    "intended": (Outcome.FAILED, "sis.unavailable"),
}


def compare(
    accepted: pd.DataFrame, read_back: pd.DataFrame, key: Sequence[str], values: Sequence[str]
) -> pd.DataFrame:
    """What the SIS took for good, value by value.

    Args:
        accepted: What it accepted: `key` and `values`.
        read_back: What it holds when asked again: the same columns.
        key: The columns that identify a row.
        values: The columns that must be equal.

    Returns:
        `key` and state: confirmed, or not_stored where the row is missing or differs.
    """
    both = accepted[[*key, *values]].merge(
        read_back[[*key, *values]], on=list(key), how="left", suffixes=("", "_held"), indicator=True
    )
    equal = both["_merge"].eq("both")
    for name in values:
        equal &= both[name].eq(both[f"{name}_held"]) | (both[name].isna() & both[f"{name}_held"].isna())
    # A SIS may answer with two records of one kind: it is enough that one is as it should be.
    found = both[list(key)].assign(equal=equal).groupby(list(key), as_index=False, sort=False).any()
    state = pd.Series("not_stored", index=found.index, dtype="str").mask(found["equal"], "confirmed")
    return found[list(key)].assign(state=state)


def outcomes(
    verdicts: pd.DataFrame,
    plan: Plan | None,
    known_line_items: pd.DataFrame,
    known_results: pd.DataFrame,
    *,
    run_id: int,
    preview: bool,
    cancelled: bool = False,
) -> pd.DataFrame:
    """The one outcome of every extracted score.

    Args:
        verdicts: `records.SCORE_VERDICTS`, one row an extracted score.
        plan: What this run was to write; None when the run stopped before it was planned.
        known_line_items: The ledger's line items after the load.
        known_results: The ledger's results after the load.
        run_id: The ledger's id of this run.
        preview: Nothing was to be written.
        cancelled: A person stopped the run, because it would have changed too much.

    Returns:
        The verdicts' columns with the final outcome and codes.
    """
    passed = verdicts["outcome"].eq("passed")
    final = verdicts.copy()
    if plan is None:
        return _decide(final, passed, Outcome.CANCELLED, "run.stopped")
    line_items = _with_state(plan.line_items, known_line_items, LINE_ITEM_KEY, run_id)
    results = _with_state(plan.results, known_results, RESULT_KEY, run_id)
    rows = verdicts.merge(
        line_items[["assessment_id", "class_id", "state"]].rename(columns={"state": "line_item_state"}),
        on=["assessment_id", "class_id"],
        how="left",
    ).merge(
        results[["assessment_id", "class_id", "student_id", "state"]],
        on=["assessment_id", "class_id", "student_id"],
        how="left",
    )
    rows.index = verdicts.index
    planned, item_planned = rows["state"].notna(), rows["line_item_state"].notna()
    final = _decide(final, passed & ~planned, Outcome.UNCHANGED, "")
    if preview:
        return _decide(final, passed & planned, Outcome.CANCELLED, "run.preview")
    unsent = "run.cancelled" if cancelled else "run.stopped"
    final = _decide(final, passed & planned, Outcome.CANCELLED, unsent)
    for state, (outcome, code) in _OUTCOME_OF_STATE.items():
        final = _decide(final, passed & rows["state"].eq(state), outcome, code)
        if outcome is not Outcome.SENT:
            # A line item that did not arrive takes its scores with it, also those that stand unchanged.
            item_code = "sis.line_item_refused" if state == "refused" else code
            final = _decide(final, passed & rows["line_item_state"].eq(state), outcome, item_code)
    stopped = passed & item_planned & rows["line_item_state"].eq("")
    return _decide(final, stopped, Outcome.CANCELLED, unsent)


def _with_state(plan: pd.DataFrame, known: pd.DataFrame, key: list[str], run_id: int) -> pd.DataFrame:
    """The planned rows with what this run made of them; an empty state where it did not come to them."""
    this_run = known.loc[known["run_id"].eq(run_id), [*key, "state"]]
    merged = plan.merge(this_run, on=key, how="left")
    return merged.assign(state=merged["state"].fillna(""))


def _decide(final: pd.DataFrame, rows: pd.Series, outcome: Outcome, code: str) -> pd.DataFrame:
    return final.assign(
        outcome=final["outcome"].mask(rows, outcome.value), codes=final["codes"].mask(rows, code)
    )


def count_outcomes(final: pd.DataFrame) -> dict[str, int]:
    """How many scores ended in each of the six outcomes."""
    counts = final["outcome"].value_counts()
    return {outcome.value: int(counts.get(outcome.value, 0)) for outcome in Outcome}


def count_reasons(final: pd.DataFrame) -> pd.DataFrame:
    """How many assessments and scores carry each reason.

    Returns:
        code, assessments, scores, leading_scores (of how many it is the first reason).
    """
    # As many different combinations of reasons as there are, not as many rows as there are scores.
    combinations = (
        final[final["codes"].ne("")]
        .groupby("codes", sort=False)
        .agg(scores=("codes", "size"))
        .reset_index()
        .assign(code=lambda data: data["codes"].str.split(" "))
    )
    combinations["leading"] = combinations["code"].str[0]
    each = combinations.explode("code")
    pairs = final.loc[final["codes"].ne(""), ["codes", "assessment_id", "class_id"]].drop_duplicates()
    assessments = (
        each[["codes", "code"]]
        .merge(pairs, on="codes")[["code", "assessment_id", "class_id"]]
        .drop_duplicates()
        .groupby("code")
        .size()
    )
    counted = each.groupby("code").agg(scores=("scores", "sum"))
    leading = combinations.groupby("leading")["scores"].sum()
    counted["assessments"] = assessments.reindex(counted.index)
    counted["leading_scores"] = leading.reindex(counted.index).fillna(0)
    counts = counted.reset_index()[["code", "assessments", "scores", "leading_scores"]]
    return counts.astype(
        {"code": "str", "assessments": "int64", "scores": "int64", "leading_scores": "int64"}
    )


def count_by_class(final: pd.DataFrame, classes: pd.DataFrame) -> list[dict[str, Any]]:
    """The outcomes of each class: class_id, title, extracted and the six outcomes."""
    names = [outcome.value for outcome in Outcome]
    table = pd.crosstab(final["class_id"], final["outcome"]).reindex(columns=names, fill_value=0)
    titles = classes.drop_duplicates("class_id").set_index("class_id")["title"]
    table.insert(0, "extracted", table.sum(axis=1))
    table.insert(0, "title", titles.reindex(table.index).fillna(""))
    table.columns.name = None
    rows = table.reset_index().to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def left_behind(
    known_line_items: pd.DataFrame,
    known_results: pd.DataFrame,
    final: pd.DataFrame,
    *,
    alive: Collection[str],
    since: str,
    zero_status: str,
) -> pd.DataFrame:
    """What the SIS still holds though the source does not: never withdrawn, listed for a person.

    RULES section 4: a deleted assessment is not deleted in the SIS (seed 004), a removed score is reported.
    A 0 for missing work that has been handed in since is neither: it waits for its grade.

    Args:
        known_line_items: The ledger's line items.
        known_results: The ledger's results.
        final: The outcome of every extracted score.
        alive: Ids of the line items that the source's assessments stand for.
        since: ISO date; what was due before it belongs to an earlier school year and is left alone.
        zero_status: The status under which a 0 went out for missing work.

    Returns:
        kind (deleted_in_source or removed_in_source), class_id, title (the SIS's), scores.
    """
    items = known_line_items[known_line_items["state"].isin(IN_SIS) & known_line_items["due_date"].ge(since)]
    items = items[["line_item_id", "class_id", "title"]].assign(
        kind=items["line_item_id"]
        .isin(list(alive))
        .map({True: "removed_in_source", False: "deleted_in_source"})
    )
    held = known_results[known_results["state"].isin(IN_SIS)]
    rows = held[["line_item_id", "assessment_id", "class_id", "student_id", "score_status"]].merge(
        items[["line_item_id", "kind"]], on="line_item_id"
    )
    now = final[["assessment_id", "class_id", "student_id", "codes"]].drop_duplicates(
        subset=SCORE_VERDICTS.key
    )
    rows = rows.merge(now, on=list(SCORE_VERDICTS.key), how="left")
    ungraded = rows["codes"].isna() | rows["codes"].str.contains(r"\bscore\.(?:not_graded|empty)\b", na=False)
    deleted = rows["kind"].eq("deleted_in_source")
    listed = rows[deleted | (ungraded & rows["score_status"].ne(zero_status))]
    scores = listed.groupby("line_item_id").size().rename("scores")
    counted = items.merge(scores, on="line_item_id", how="left").fillna({"scores": 0})
    told = counted[counted["kind"].eq("deleted_in_source") | counted["scores"].gt(0)]
    return told[["kind", "class_id", "title", "scores"]].astype({"scores": "int64"}).reset_index(drop=True)
