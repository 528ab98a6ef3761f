"""Validate: a verdict on every assessment and score, and what passes as the SIS should hold it.

Assessment rules run first; a score of a refused or held assessment shares its outcome and reasons, and only
the scores of the others are judged (RULES section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from passback.records import (
    ASSESSMENT_VERDICTS,
    ASSESSMENTS,
    PASSING_LINE_ITEMS,
    PASSING_RESULTS,
    SCORE_VERDICTS,
    SCORES,
)
from passback.rules.columns import assessment_columns, local_dates, positions, score_columns
from passback.rules.suites import settings
from passback.rules.verdicts import PASSED, judge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from passback.mapping.model import District
    from passback.rules.suites import Suites
    from passback.sis import SisProfile

GRADED_STATUS: Final = "fully graded"


@dataclass(frozen=True)
class Verdicts:
    """What the rules say.

    Attributes:
        assessments: `records.ASSESSMENT_VERDICTS`, one row a row of the source.
        scores: `records.SCORE_VERDICTS`, one row a row of the source: differing copies of a record keep
            several, all refused, so that counts add up.
        line_items: `records.PASSING_LINE_ITEMS`: what the SIS should hold of every assessment that passed.
        results: `records.PASSING_RESULTS`: what it should hold of every score that passed.
    """

    assessments: pd.DataFrame
    scores: pd.DataFrame
    line_items: pd.DataFrame
    results: pd.DataFrame


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
    now: datetime,
) -> Verdicts:
    """Judge what a source yielded by the rules of a SIS.

    Args:
        source: The source's frames by name, as `records.SOURCE_FRAMES`.
        facts: What the SIS says of itself by name, as `records.SIS_FRAMES`.
        district: Its time zone, effective date, categories, settings and source.
        suites: The rules of its SIS.
        profile: Its SIS; names the status under which a 0 goes out.
        known_line_items: The ledger's line items: what of the SIS's is ours.
        now: The instant to judge at (UTC).

    Raises:
        ConfigurationError: a setting or a suite is wrong.
    """
    parameters = parameters_of(district, suites)
    assessments = judge_assessments(
        source, facts, district=district, suites=suites, known_line_items=known_line_items, now=now
    )
    scores = source[SCORES.name].reset_index(drop=True)
    verdict_of_its_own = _shared_verdicts(scores, assessments, suites)

    judged = scores[verdict_of_its_own["outcome"].isin(["", PASSED])]
    passing = assessments[assessments["outcome"].eq(PASSED)]
    columns = score_columns(
        judged,
        passing,
        source,
        facts,
        today=local_dates(pd.Series([now], dtype="datetime64[us, UTC]"), district.timezone)[0],
        past_due_zero=bool(parameters.get("past_due_zero", False)),
    )
    own = judge(columns, suites.scores, parameters)
    verdicts = pd.concat([verdict_of_its_own.drop(index=own.index), own]).sort_index()
    sent = own["outcome"].eq(PASSED)
    return Verdicts(
        assessments=ASSESSMENT_VERDICTS.conform(assessments),
        scores=SCORE_VERDICTS.conform(scores.join(verdicts)),
        line_items=PASSING_LINE_ITEMS.conform(passing),
        results=_results(judged[sent], columns[sent], district.timezone, profile.zero_status),
    )


def judge_assessments(
    source: Mapping[str, pd.DataFrame],
    facts: Mapping[str, pd.DataFrame],
    *,
    district: District,
    suites: Suites,
    known_line_items: pd.DataFrame,
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
        zone=district.timezone,
        effective_date=district.effective_date,
        categories=district.categories,
        known_line_items=known_line_items,
        source_system=district.source.system,
        now=now,
    )
    return columns.join(judge(columns, suites.assessments, parameters_of(district, suites)))


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


def _results(scores: pd.DataFrame, columns: pd.DataFrame, zone: str, zero_status: str) -> pd.DataFrame:
    """What the SIS should hold of scores that passed."""
    zero = columns["standing"].eq("missing")
    scored_on = local_dates(scores["scored_at"].fillna(scores["modified_at"]), zone)
    results = columns[["assessment_id", "class_id", "sis_class_id", "sis_student_id"]].assign(
        student_id=scores["student_id"],
        score=columns["points"].mask(zero, 0.0),
        score_status=np.where(zero, zero_status, GRADED_STATUS),
        score_date=scored_on.mask(zero, columns["due_date"]),
    )
    return PASSING_RESULTS.conform(results)
