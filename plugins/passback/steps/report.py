"""What the report of a run says, gathered from its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from passback.frame_store import read_frame, read_json
from passback.oneroster import line_item_id
from passback.reasons import Outcome
from passback.records import ASSESSMENT_VERDICTS, CHANGES, MARKS, NEW_CATEGORIES
from passback.report.summary import NOT_PASSED_COLUMNS, Report
from passback.stages.audit import IN_SIS, count_by_class
from passback.stages.left_behind import left_behind
from passback.stages.preview import count_by_class as count_listed
from passback.stages.preview import preview
from passback.steps.decision import kept_answer, noted_limit
from passback.steps.reconcile import noted_drift
from passback.steps.validate import source_frames

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from passback.reasons import Reason
    from passback.stages.transform import Plan
    from passback.steps.work import Work

_SENTENCES: Final = {
    "deleted_in_source": "The assessment was deleted in the learning platform; the SIS still holds it. It is"
    " never deleted there by Passback: delete it by hand if it should go.",
    "removed_in_source": "Scores were removed in the learning platform; the SIS still holds them. Clear them"
    " by hand if they should go.",
    "gone_in_sis": "Somebody removed the assignment in the SIS, or its gradebook was replaced. It is written"
    " anew only where the district says so (sis.recreate).",
    "taken_over_in_sis": "It stood in the SIS already and was taken over, with the scores that it held"
    " (sis.adopt).",
    "cleared_in_sis": "Scores were removed in the learning platform, and cleared in the SIS as well"
    " (sis.removed_scores).",
    "category_created": "The SIS lacked this category; it was created there (sis.create_categories).",
    "not_read": "It could not be read, and stands as it was read last; the next run reads everything again.",
}


def run_report(
    work: Work,
    plan: Plan,
    final: pd.DataFrame,
    *,
    counts: Mapping[str, int],
    reasons: pd.DataFrame,
    requests: int,
    ended_at: datetime,
    waits: bool = False,
) -> Report:
    """The report of a run whose scores all have their outcome.

    Args:
        work: The run.
        plan: What it wrote, or in a preview would write.
        final: The outcome of every extracted score.
        counts: Scores by outcome.
        reasons: `stages.audit.count_reasons` of `final`.
        requests: Requests sent to the SIS.
        ended_at: When the run ended, UTC.
        waits: It is what lies ready for a person who is asked: a preview of a run that has not ended.
    """
    judged = work.noted("validate")
    source = source_frames(work)
    drift, drift_listed = noted_drift(work)
    texts = work.reasons
    changes = read_frame(work.folder / "transform", CHANGES)
    listed = _preview(work, changes, final, source) if work.night.preview else None
    return Report(
        summary={
            "district": work.night.district.district,
            "name": work.night.district.name,
            "timezone": work.night.district.timezone,
            "run": work.night.run_key,
            "mode": "preview" if waits else work.night.mode,
            "state": "running" if waits else "good",
            "started_at": _iso(work.now()),
            "ended_at": _iso(ended_at),
            "extracted": len(final),
            "outcomes": dict(counts),
            "reasons": _reasons(reasons, texts),
            "written": _written(work, plan),
            "requests": requests,
            "failed_task": "",
            "message": "",
            "classes": count_by_class(final, source["classes"]),
            "for_a_person": [*_for_a_person(work, final, source), *_done_where_allowed(work, plan, source)],
            "limit": noted_limit(work),
            "decision": kept_answer(work),
            "marks_left_out": {mark: judged[mark] for mark in MARKS if judged.get(mark)},
            "category_changes": read_json(work.folder, "categories"),
            "drift": drift,
            "preview": None if listed is None else count_listed(listed),
            "rule_set": work.suites.rule_set,
            "mapping_file": work.night.mapping_hash,
        },
        not_passed=_not_passed(final, source, texts),
        changes=changes,
        preview=listed,
        drift=drift_listed,
    )


def _preview(
    work: Work, changes: pd.DataFrame, final: pd.DataFrame, source: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """What a real run would do to every line item and result."""
    return preview(
        changes,
        read_frame(work.folder / "validate", ASSESSMENT_VERDICTS),
        final,
        titles=source["assessments"],
        classes=source["classes"],
    )


def _written(work: Work, plan: Plan) -> dict[str, int]:
    """How much was sent, or would be: all that was planned, but of a cancelled run."""
    if kept_answer(work)["decision"] != "cancel":
        return {"line_items": len(plan.line_items), "results": len(plan.results)}
    sent = {"line_items": work.known_line_items(), "results": work.known_results()}
    return {kind: int(_done(work, known).sum()) for kind, known in sent.items()}


def _reasons(counted: pd.DataFrame, texts: Mapping[str, Reason]) -> dict[str, dict[str, Any]]:
    ordered = counted.sort_values(["leading_scores", "scores", "code"], ascending=[False, False, True])
    return {
        row["code"]: {
            "assessments": row["assessments"],
            "scores": row["scores"],
            "leading_scores": row["leading_scores"],
            "outcome": texts[row["code"]].outcome.value,
            "sentence": texts[row["code"]].sentence,
            "who": texts[row["code"]].who.value,
            "mend": texts[row["code"]].mend,
        }
        for row in ordered.to_dict("records")
    }


def _for_a_person(
    work: Work, final: pd.DataFrame, source: Mapping[str, pd.DataFrame]
) -> list[dict[str, Any]]:
    unread = [
        {
            "kind": "not_read",
            "class_title": part["title"],
            "assessment_title": "",
            "scores": 0,
            "sentence": f"{_SENTENCES['not_read']} {part['error']}",
        }
        for part in work.noted("extract").get("unread", [])
    ]
    if work.night.classes or work.night.assessments:
        return unread  # what the run did not look at is not missing
    of_sis = source["assessments"].merge(source["classes"].drop_duplicates("class_id"), on="class_id")
    system = work.night.district.source.system
    left = left_behind(
        work.known_line_items(),
        work.known_results(),
        final,
        alive={
            line_item_id(system, assessment, sis_class)
            for assessment, sis_class in zip(of_sis["assessment_id"], of_sis["sis_class_id"], strict=True)
        },
        since=work.night.district.effective_date.isoformat(),
        zero_status=work.profile.zero_status,
    )
    titled = left.merge(_class_titles(source), on="class_id", how="left").fillna({"class_title": ""})
    return unread + [
        {
            "kind": row["kind"],
            "class_title": row["class_title"],
            "assessment_title": row["title"],
            "scores": row["scores"],
            "sentence": _SENTENCES[row["kind"]],
        }
        for row in titled.to_dict("records")
    ]


def _done_where_allowed(work: Work, plan: Plan, source: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """What a run did that no run does unless the mapping file allows it; of a preview, what it would do."""
    taken_over = plan.line_items[plan.line_items["action"].eq("adopt")]
    cleared = plan.results[plan.results["action"].eq("clear")]
    if not work.night.preview:
        items, results = work.known_line_items(), work.known_results()
        taken_over = taken_over.merge(items.loc[_done(work, items), ["line_item_id"]])
        cleared = cleared.merge(results.loc[_done(work, results), ["line_item_id", "sis_student_id"]])
    titles = source["assessments"].drop_duplicates(["assessment_id", "class_id"])
    named = pd.concat(
        [
            taken_over[["assessment_id", "class_id"]].assign(kind="taken_over_in_sis", scores=0),
            cleared.groupby(["assessment_id", "class_id"], as_index=False)
            .agg(scores=("student_id", "size"))
            .assign(kind="cleared_in_sis"),
        ]
    ).merge(titles[["assessment_id", "class_id", "title"]], on=["assessment_id", "class_id"], how="left")
    titled = named.merge(_class_titles(source), on="class_id", how="left").fillna("")
    created = (read_json(work.folder, "created-categories") or {}).get("created", [])
    categories = read_frame(work.folder / "sis", NEW_CATEGORIES)
    titles_created = categories.loc[categories["category_id"].isin(created), "title"]
    rows = [
        *titled[["kind", "class_title", "title", "scores"]].itertuples(index=False, name=None),
        *(("category_created", "", title, 0) for title in titles_created),
    ]
    return [
        {
            "kind": kind,
            "class_title": class_title,
            "assessment_title": title,
            "scores": int(scores),
            "sentence": _SENTENCES[kind],
        }
        for kind, class_title, title, scores in rows
    ]


def _done(work: Work, known: pd.DataFrame) -> pd.Series:
    return known["run_id"].eq(work.run_id) & known["state"].isin(IN_SIS)


def _not_passed(
    final: pd.DataFrame, source: Mapping[str, pd.DataFrame], texts: Mapping[str, Reason]
) -> pd.DataFrame:
    rows = final[~final["outcome"].isin([Outcome.SENT.value, Outcome.UNCHANGED.value])]
    rows = rows.rename(columns={"codes": "all_codes"})
    rows = rows.assign(code=rows["all_codes"].str.split(" ").str[0])
    said = pd.DataFrame(
        [(reason.code, reason.sentence, reason.who.value, reason.mend) for reason in texts.values()],
        columns=["code", "sentence", "who", "mend"],
    )
    assessments = source["assessments"].drop_duplicates(["assessment_id", "class_id"])
    titled = (
        rows.merge(said, on="code", how="left")
        .merge(_class_titles(source), on="class_id", how="left")
        .merge(
            assessments[["assessment_id", "class_id", "title"]].rename(columns={"title": "assessment_title"}),
            on=["assessment_id", "class_id"],
            how="left",
        )
    )
    return titled[list(NOT_PASSED_COLUMNS)].fillna("")


def _class_titles(source: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    classes = source["classes"].drop_duplicates("class_id")
    return classes[["class_id", "title"]].rename(columns={"title": "class_title"})


def _iso(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")
