"""The report as one HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from passback.reasons import Outcome
from passback.report import words
from passback.report.charts import outcome_chart, reason_chart
from passback.report.rendering import render
from passback.stages.preview import ADOPTED, CHANGED, CLEARED, CREATED, EFFECTS, SENT_AGAIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

MOST_ROWS: Final = 200

# What would be written, that first which overwrites something.
_WRITTEN: Final = (CHANGED, CLEARED, ADOPTED, CREATED, SENT_AGAIN)

_CHANGE_GROUP: Final = ["class_title", "assessment_title", "kind", "action"]


def page(
    summary: Mapping[str, Any],
    not_passed: pd.DataFrame,
    changes: pd.DataFrame,
    preview: pd.DataFrame | None = None,
    drift: pd.DataFrame | None = None,
) -> str:
    """The page of a run.

    Args:
        summary: As `Report.summary`.
        not_passed: As `Report.not_passed`; the first 200 rows are shown.
        changes: As `Report.changes`; shown by assessment, so that student ids stand in the table of
            what did not pass, and in a preview's list, alone.
        drift: As `Report.drift`; shown by assessment.
        preview: As `Report.preview`; of what would be written, the first 200 rows are shown.
    """
    by_assessment = _by_assessment(changes)
    return render(
        "report.html",
        summary=summary,
        headline=words.headline(summary),
        account=words.account(summary),
        adds_up=words.adds_up(summary),
        waits=words.waits(summary),
        cancelled=words.is_cancelled(summary),
        limit=words.limit_asked_about(summary),
        mode=words.MODES[summary["mode"]],
        began=words.local_time(summary["started_at"], summary["timezone"]),
        took=words.duration(summary["started_at"], summary["ended_at"]),
        outcome_meanings=words.OUTCOME_MEANINGS,
        outcomes=list(Outcome),
        reasons=words.reasons_by_scores(summary),
        # Both charts come from the drawing library, which escapes the text in them.
        outcome_chart=Markup(outcome_chart(summary["outcomes"])),  # noqa: S704
        reason_chart=Markup(reason_chart(summary["reasons"])),  # noqa: S704
        not_passed=not_passed.head(MOST_ROWS).to_dict("records"),
        not_passed_total=len(not_passed),
        changes=by_assessment.head(MOST_ROWS).to_dict("records"),
        changes_total=len(by_assessment),
        effects=EFFECTS,
        **_of_preview(preview),
        drift=summary.get("drift"),
        drift_listed=[] if drift is None else _drift_by_assessment(drift).to_dict("records"),
        findings=words.FINDINGS,
    )


def _of_preview(listed: pd.DataFrame | None) -> dict[str, Any]:
    """What the page shows of a preview; without one, nothing."""
    if listed is None:
        return {"listed": None}
    order = listed["effect"].map({effect: place for place, effect in enumerate(_WRITTEN)})
    written = listed.assign(order=order)[order.notna()].sort_values("order", kind="stable")
    return {
        "listed": written.head(MOST_ROWS).fillna("").to_dict("records"),
        "listed_total": len(written),
    }


def _by_assessment(changes: pd.DataFrame) -> pd.DataFrame:
    """`_CHANGE_GROUP`, entries (how many), field_changes (of a line item; empty for results)."""
    shown = changes.fillna("").assign(
        field_changes=lambda rows: rows["field_changes"].where(rows["kind"] == "line item", "")
    )
    return (
        shown.groupby(_CHANGE_GROUP, sort=False)
        .agg(entries=("kind", "size"), field_changes=("field_changes", "first"))
        .reset_index()
        .sort_values(_CHANGE_GROUP[:2], kind="stable")
    )


def _drift_by_assessment(drift: pd.DataFrame) -> pd.DataFrame:
    """class_title, assessment_title, kind, finding, action, entries, and of line items both values."""
    group = ["class_title", "assessment_title", "kind", "finding", "action"]
    items = drift["kind"].eq("line item")
    shown = drift.assign(ours=drift["ours"].where(items, ""), theirs=drift["theirs"].where(items, ""))
    return (
        shown.groupby(group, sort=False)
        .agg(entries=("kind", "size"), ours=("ours", "first"), theirs=("theirs", "first"))
        .reset_index()
        .head(MOST_ROWS)
    )
