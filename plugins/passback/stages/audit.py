"""audit: what the SIS holds against what was sent, and one outcome for every extracted score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from passback.reasons import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from passback.stages.transform import Plan

LINE_ITEM_KEY: Final = ["line_item_id"]
RESULT_KEY: Final = ["line_item_id", "sis_student_id"]
# A category that a teacher changed in the SIS stays as the teacher set it (RULES section 4): not compared.
LINE_ITEM_VALUES: Final = ("title", "assign_date", "due_date", "points_possible")

_STATUS: Final = "score_status"

IN_SIS: Final = ("accepted", "confirmed")

# What the ledger's state of a written row makes of it.
_OUTCOME_OF_STATE: Final = {
    "confirmed": (Outcome.SENT, ""),
    "accepted": (Outcome.FAILED, "sis.not_verified"),
    "not_stored": (Outcome.FAILED, "sis.not_stored"),
    "refused": (Outcome.FAILED, "sis.refused"),
    "intended": (Outcome.FAILED, "sis.unavailable"),
}
_GONE: Final = "gone"
_LINK_BROKEN: Final = "sis.link_broken"
_COMPARED: Final = "run.reconcile"
_ASSESSMENT: Final = ["assessment_id", "class_id"]
_SCORE: Final = [*_ASSESSMENT, "student_id"]


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
    if _STATUS in values:  # cleared: nothing stands there, or a record without a score
        equal |= both[_STATUS].eq("") & (both["_merge"].ne("both") | both["score_held"].isna())
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
        line_items[[*_ASSESSMENT, "state"]].rename(columns={"state": "line_item_state"}),
        on=_ASSESSMENT,
        how="left",
    ).merge(
        results[[*_SCORE, "state"]],
        on=_SCORE,
        how="left",
    )
    rows.index = verdicts.index
    planned, item_planned = rows["state"].notna(), rows["line_item_state"].notna()
    final = _decide(final, passed & ~planned, Outcome.UNCHANGED, "")
    gone = _is_gone(verdicts, known_line_items, _ASSESSMENT)
    gone = passed & (gone | (~planned & _is_gone(verdicts, known_results, _SCORE)))
    if preview:
        final = _decide(final, passed & planned, Outcome.CANCELLED, "run.preview")
        final = _decide(final, gone & ~planned, Outcome.FAILED, _LINK_BROKEN)
        return _left_unsent(final, passed, plan.unsent)
    unsent = "run.cancelled" if cancelled else "run.stopped"
    final = _decide(final, passed & planned, Outcome.CANCELLED, unsent)
    for state, (outcome, code) in _OUTCOME_OF_STATE.items():
        final = _decide(final, passed & rows["state"].eq(state), outcome, code)
        if outcome is not Outcome.SENT:
            # A line item that did not arrive takes its scores with it, also those that stand unchanged.
            item_code = "sis.line_item_refused" if state == "refused" else code
            final = _decide(final, passed & rows["line_item_state"].eq(state), outcome, item_code)
    stopped = passed & item_planned & rows["line_item_state"].eq("")
    final = _decide(final, stopped, Outcome.CANCELLED, unsent)
    final = _decide(final, gone, Outcome.FAILED, _LINK_BROKEN)
    return _left_unsent(final, passed, plan.unsent)


def _left_unsent(final: pd.DataFrame, passed: pd.Series, unsent: pd.DataFrame) -> pd.DataFrame:
    """What passed and was not to be sent, because a person decided so or the run only compared."""
    if unsent.empty:
        return final
    codes = final[_SCORE].merge(unsent.drop_duplicates(_SCORE), on=_SCORE, how="left")["code"]
    codes = codes.set_axis(final.index).fillna("")
    for code in unsent["code"].unique():
        rows = passed & codes.eq(code)
        if code == _COMPARED:  # a value of before may have gone out again; what is new waits
            rows &= final["outcome"].isin([Outcome.SENT.value, Outcome.UNCHANGED.value])
        final = _decide(final, rows, Outcome.CANCELLED, code)
    return final


def _is_gone(verdicts: pd.DataFrame, known: pd.DataFrame, key: list[str]) -> pd.Series:
    """Whether somebody removed in the SIS what the ledger last knew of each score."""
    if not known["state"].eq(_GONE).any():
        return pd.Series(data=False, index=verdicts.index)
    # A class may have moved to another in the SIS: what was gone from the one before is no news.
    latest = known.sort_values("run_id", kind="stable").drop_duplicates(key, keep="last")
    lost = latest.loc[latest["state"].eq(_GONE), key]
    found = verdicts[key].merge(lost, on=key, how="left", indicator=True)["_merge"].eq("both")
    return found.set_axis(verdicts.index)


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
