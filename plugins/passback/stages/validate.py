"""Validate: a verdict on every assessment and score, and what passes as the SIS should hold it.

Assessment rules run first; a score of a refused or held assessment shares its outcome and reasons, and only
the scores of the others are judged (RULES section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from passback.reasons import SUPPRESSED
from passback.records import (
    ASSESSMENT_VERDICTS,
    ASSESSMENTS,
    MARKS,
    PASSING_LINE_ITEMS,
    PASSING_RESULTS,
    SCORE_VERDICTS,
    SCORES,
    Frame,
)
from passback.rules.columns import assessment_columns, local_dates, score_columns
from passback.rules.lookup import positions
from passback.rules.suites import settings
from passback.rules.verdicts import PASSED, judge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from passback.mapping.model import District
    from passback.rules.suites import Suites
    from passback.sis import SisProfile

GRADED_STATUS: Final = "fully graded"
EXCUSED_STATUS: Final = "exempt"
# It was sent, whatever came of it, also where somebody took its line item out: that may be written anew.
_IN_SIS: Final = ("intended", "accepted", "confirmed", "not_stored", "gone")

SETTLED_RESULTS: Final = Frame("settled_results", PASSING_RESULTS.columns, PASSING_RESULTS.key)


@dataclass(frozen=True)
class Verdicts:
    """What the rules say.

    Attributes:
        assessments: `records.ASSESSMENT_VERDICTS`, one row a row of the source.
        scores: `records.SCORE_VERDICTS`, one row a row of the source: differing copies of a record keep
            several, all refused, so that counts add up.
        line_items: `records.PASSING_LINE_ITEMS`: what the SIS should hold of every assessment that passed.
        results: `records.PASSING_RESULTS`: what it should hold of every score that passed, but for
            `settled_results`.
        settled_results: The same of what it holds, and what changed too long ago to be sent again: it goes
            out only if its line item turns out to be gone.
        marks_left_out: How many scores go out without their mark (late, missing), because the SIS holds none.
    """

    assessments: pd.DataFrame
    scores: pd.DataFrame
    line_items: pd.DataFrame
    results: pd.DataFrame
    settled_results: pd.DataFrame
    marks_left_out: Mapping[str, int]


def parameters_of(district: District, suites: Suites) -> dict[str, Any]:
    """What the rules and their sentences are given of a district: its settings and its effective date.

    Raises:
        ConfigurationError: a setting is unknown or not what it must be.
    """
    return {**settings(suites, district.rules), "effective_date": district.effective_date.isoformat()}


def validate(
    source: Mapping[str, pd.DataFrame],
    facts: Mapping[str, pd.DataFrame],
    *,
    district: District,
    suites: Suites,
    profile: SisProfile,
    known_line_items: pd.DataFrame,
    known_results: pd.DataFrame,
    allots_ids: bool,
    suppressions: pd.DataFrame,
    now: datetime,
    everything: bool,
    assessments: pd.DataFrame | None = None,
) -> Verdicts:
    """Judge what a source yielded by the rules of a SIS.

    Args:
        source: The source's frames by name, as `records.SOURCE_FRAMES`.
        facts: What the SIS says of itself by name, as `records.SIS_FRAMES`.
        district: Its time zone, effective date, categories, settings and source.
        suites: The rules of its SIS.
        profile: Its SIS: what it can hold, and how.
        known_line_items: The ledger's line items: what of the SIS's is ours.
        known_results: The ledger's results: what was sent before.
        allots_ids: Whether the SIS may hold what is ours under an id that nobody was told.
        suppressions: `records.SUPPRESSIONS`: what a person has taken out. No rule is asked about it.
        now: The instant to judge at (UTC).
        everything: However long ago a grade changed, it counts (mode full).
        assessments: As `judge_assessments` gave them, where it has been asked about the same.

    Raises:
        ConfigurationError: a setting or a suite is wrong.
    """
    parameters = parameters_of(district, suites)
    if assessments is None:
        assessments = judge_assessments(
            source,
            facts,
            district=district,
            suites=suites,
            profile=profile,
            known_line_items=known_line_items,
            allots_ids=allots_ids,
            suppressions=suppressions,
            now=now,
        )
    scores = source[SCORES.name].reset_index(drop=True)
    verdict_of_its_own = _taken_out(_shared_verdicts(scores, assessments, suites), scores, suppressions)

    judged = scores[verdict_of_its_own["outcome"].isin(["", PASSED])]
    passing = assessments[assessments["outcome"].eq(PASSED)]
    columns = score_columns(
        judged,
        passing,
        source,
        facts,
        today=local_dates(pd.Series([now], dtype="datetime64[us, UTC]"), district.timezone)[0],
        zone=district.timezone,
        past_due_zero=bool(parameters.get("past_due_zero", False)),
        holds_excused=profile.holds_excused,
        sent_before=_is_among(judged, known_results[known_results["state"].isin(_IN_SIS)]) | everything,
    )
    own = judge(columns, suites.scores, parameters)
    verdicts = pd.concat([verdict_of_its_own.drop(index=own.index), own]).sort_index()
    sent = own["outcome"].eq(PASSED)
    settled = pd.Series(data=False, index=sent.index)
    if not everything and (days := parameters.get("change_window_days")) is not None:
        confirmed = known_results[known_results["state"].eq("confirmed")]
        settled = sent & columns["grade_age_days"].gt(days) & _is_among(judged, confirmed)
        sent &= ~settled
    marks = district.sis.late_and_missing or profile.late_and_missing

    def results(rows: pd.Series) -> pd.DataFrame:
        return _results(judged[rows], columns[rows], district.timezone, profile, marks=marks != "none")

    line_items = passing.assign(due_date=passing["due_date"].fillna(passing["assign_date"]))
    return Verdicts(
        assessments=ASSESSMENT_VERDICTS.conform(assessments),
        scores=SCORE_VERDICTS.conform(scores.join(verdicts)),
        line_items=PASSING_LINE_ITEMS.conform(line_items),
        results=results(sent),
        settled_results=results(settled),
        marks_left_out=_count_marks(judged[sent], columns[sent]) if marks == "none" else {},
    )


def judge_assessments(
    source: Mapping[str, pd.DataFrame],
    facts: Mapping[str, pd.DataFrame],
    *,
    district: District,
    suites: Suites,
    profile: SisProfile,
    known_line_items: pd.DataFrame,
    allots_ids: bool,
    suppressions: pd.DataFrame,
    now: datetime,
) -> pd.DataFrame:
    """Judge the assessments alone, with the arguments of `validate`.

    Returns:
        The columns of `rules.columns.assessment_columns`, codes and outcome; one row a row of the source.

    Raises:
        ConfigurationError: a setting or a suite is wrong.
    """
    columns = assessment_columns(
        source,
        facts,
        district=district,
        profile=profile,
        known_line_items=known_line_items,
        allots_ids=allots_ids,
        now=now,
    )
    verdicts = judge(columns, suites.assessments, parameters_of(district, suites))
    return columns.join(_taken_out(verdicts, columns, suppressions))


def _taken_out(verdicts: pd.DataFrame, rows: pd.DataFrame, suppressions: pd.DataFrame) -> pd.DataFrame:
    """Verdicts on rows, whose index they have, with that on what a person has taken out of passback."""
    out = pd.Series(data=False, index=rows.index)
    for kind, of_kind in suppressions.groupby("kind"):
        if f"{kind}_id" in rows:
            out |= rows[f"{kind}_id"].isin(of_kind["id"])
    return verdicts.assign(
        codes=verdicts["codes"].mask(out, SUPPRESSED.code),
        outcome=verdicts["outcome"].mask(out, SUPPRESSED.outcome.value),
    )


def _shared_verdicts(scores: pd.DataFrame, assessments: pd.DataFrame, suites: Suites) -> pd.DataFrame:
    """Every score's codes and outcome as its assessment has them; empty where there is no assessment."""
    key = list(ASSESSMENTS.key)
    each = assessments.drop_duplicates(key)[[*key, "codes", "outcome"]].set_index(key)
    # Differing copies of an assessment: its scores carry what is wrong with any of them.
    for copies, rows in assessments[assessments.duplicated(key, keep=False)].groupby(key):
        broken = set(" ".join(rows["codes"]).split())
        each.loc[copies, "codes"] = " ".join(code for code in suites.assessments.codes if code in broken)
        each.loc[copies, "outcome"] = max(rows["outcome"], key=["passed", "held", "rejected"].index)
    place = positions(scores, each.index.to_frame(index=False))
    shared = pd.DataFrame(index=scores.index)
    for name in ("codes", "outcome"):
        texts = pd.concat([each[name], pd.Series([""], dtype=each[name].dtype)], ignore_index=True)
        shared[name] = texts.take(np.where(place >= 0, place, len(each))).set_axis(scores.index)
    return shared


def _is_among(scores: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
    """Whether each score is one of those that the ledger knows."""
    place = positions(scores, known[list(SCORES.key)].reset_index(drop=True))
    return pd.Series(place >= 0, index=scores.index)


def _count_marks(scores: pd.DataFrame, columns: pd.DataFrame) -> dict[str, int]:
    """Marks of scores that go out as graded: the status of the others says enough."""
    counts = scores.loc[columns["standing"].eq("graded"), "mark"].value_counts()
    return {mark: int(counts[mark]) for mark in MARKS if mark in counts}


def _results(
    scores: pd.DataFrame, columns: pd.DataFrame, zone: str, profile: SisProfile, *, marks: bool
) -> pd.DataFrame:
    """What the SIS should hold of scores that passed.

    Excused is never a plain 0: it goes out as exempt, with the 0 that OneRoster 1.1 wants in every result.
    """
    zero = columns["standing"].eq("missing")
    excused = columns["standing"].eq("excused")
    scored_on = local_dates(scores["scored_at"].fillna(scores["modified_at"]), zone)
    points = columns["points"].mask(zero, 0.0)
    if profile.oneroster == "1.1":
        points = points.mask(excused & points.isna(), 0.0)
    status = np.where(zero, profile.zero_status, np.where(excused, EXCUSED_STATUS, GRADED_STATUS))
    results = columns[["assessment_id", "class_id", "sis_class_id", "sis_student_id"]].assign(
        student_id=scores["student_id"],
        score=points,
        score_status=status,
        score_date=scored_on.mask(zero, columns["due_date"]),
        mark=scores["mark"].mask(zero, "missing").mask(excused, "") if marks else "",
    )
    return PASSING_RESULTS.conform(results)
