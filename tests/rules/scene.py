"""A small district to judge: one class, one teacher, one student, one assessment, one score, all in order.

Every table is a list of plain records; a test says only what differs. Instants are written in local time, as
`2026-10-20 09:00`, and the district lies in Los Angeles.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from passback import paths, records
from passback.mapping.model import OTUS_TYPES, District
from passback.rules.suites import read_suites
from passback.sis import profile_of
from passback.stages.validate import Verdicts, validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from passback.rules.suites import Suites

ZONE = "America/Los_Angeles"
NOW = "2026-11-20 10:00"
EFFECTIVE_DATE = "2026-08-17"

ASSESSMENT = {
    "assessment_id": "a1",
    "class_id": "c1",
    "title": "Unit 1",
    "type": "Quiz",
    "grading_type": "points",
    "points_possible": 10.0,
    "include_in_final_grade": True,
    "assigner_id": "t1",
    "assigned_at": "2026-10-20 09:00",
    "due_at": "2026-10-27 23:59",
    "modified_at": "2026-10-20 09:00",
}
SCORE = {
    "assessment_id": "a1",
    "class_id": "c1",
    "student_id": "s1",
    "status": "graded",
    "points": 8.5,
    "points_text": "",
    "scored_at": "2026-10-28 20:00",
    "modified_at": "2026-10-29 08:00",
}
SOURCE = {
    "classes": [{"class_id": "c1", "sis_class_id": "K1", "title": "Algebra"}],
    "students": [{"student_id": "s1", "sis_student_id": "P1"}, {"student_id": "s2", "sis_student_id": "P2"}],
    "staff": [{"staff_id": "t1", "sis_staff_id": "U1"}],
    "memberships": [{"staff_id": "t1", "joined_at": "2026-08-01 09:00", "left_at": None}],
}
PERIODS = [
    {"period_id": "Q1", "start_date": "2026-08-17", "end_date": "2026-10-09", "closed": True},
    {"period_id": "Q2", "start_date": "2026-10-10", "end_date": "2026-12-18", "closed": False},
    {"period_id": "Q3", "start_date": "2027-01-05", "end_date": "2027-03-12", "closed": False},
]
FACTS: dict[str, list[dict[str, Any]]] = {
    "sis_categories": [
        {"category_id": "G1", "title": "Quiz", "sis_class_id": ""},
        {"category_id": "G2", "title": "Test", "sis_class_id": ""},
    ],
    "sis_periods": [{"sis_class_id": "K1", "title": period["period_id"], **period} for period in PERIODS],
    "sis_classes": [{"sis_class_id": "K1"}],
    "sis_enrollments": [
        {"sis_class_id": "K1", "sis_student_id": "P1"},
        {"sis_class_id": "K1", "sis_student_id": "P2"},
    ],
    "sis_line_items": [],
}
NO_LINE_ITEMS = pd.DataFrame({"line_item_id": pd.Series(dtype="str")})


def utc(local: str | None, zone: str = ZONE) -> datetime | None:
    """An instant from local time."""
    return (
        None
        if local is None
        else datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    )


def frame_of(shape: records.Frame, rows: list[dict[str, Any]], zone: str = ZONE) -> pd.DataFrame:
    """Records as a canonical frame."""
    columns = {}
    for name, dtype in shape.columns.items():
        values = [row[name] for row in rows]
        if dtype == records.INSTANT:
            values = [utc(value, zone) for value in values]
        columns[name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(columns)


def district(**changes: Any) -> District:
    """The district, with changes to its mapping."""
    said = {
        "district": "lakeview",
        "name": "Lakeview",
        "timezone": ZONE,
        "schedule": None,
        "effective_date": date.fromisoformat(EFFECTIVE_DATE),
        "source": {"system": "otus", "connection": "lakeview_otus"},
        "sis": {"system": "skyward", "connection": "lakeview_skyward"},
        "confirmed": ["oneroster_licence", "use_grade_unchecked"],
        "categories": dict.fromkeys(OTUS_TYPES, "Quiz"),
        "rules": {},
    }
    return District.model_validate(said | changes)


def suites() -> Suites:
    """Skyward's."""
    return read_suites(paths.expectations(), "skyward")


def frames(
    tables: Mapping[str, list[dict[str, Any]]], zone: str = ZONE
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """The source's frames and the SIS's facts; tables that are not given are as above."""
    given = {"assessments": [ASSESSMENT], "scores": [SCORE], **SOURCE, **FACTS, **tables}
    source = {shape.name: frame_of(shape, given[shape.name], zone) for shape in records.SOURCE_FRAMES}
    facts = {shape.name: frame_of(shape, given[shape.name], zone) for shape in records.SIS_FRAMES}
    return source, facts


def judged(
    *,
    assessment: Mapping[str, Any] | None = None,
    score: Mapping[str, Any] | None = None,
    now: str = NOW,
    known: pd.DataFrame = NO_LINE_ITEMS,
    rules: Suites | None = None,
    said: Mapping[str, Any] | None = None,
    **tables: list[dict[str, Any]],
) -> Verdicts:
    """Verdicts on the district: tables replace, the others change the one record or the mapping there is."""
    given: dict[str, list[dict[str, Any]]] = {
        "assessments": [ASSESSMENT | dict(assessment or {})],
        "scores": [SCORE | dict(score or {})],
        **tables,
    }
    mapping = district(**(said or {}))
    source, facts = frames(given, mapping.timezone)
    instant = utc(now, mapping.timezone)
    assert instant is not None
    return validate(
        source,
        facts,
        district=mapping,
        suites=rules or suites(),
        profile=profile_of("skyward"),
        known_line_items=known,
        now=instant,
    )


def codes(verdicts: pd.DataFrame) -> str:
    """The codes of the only verdict."""
    (found,) = verdicts["codes"]
    return str(found)


def outcome(verdicts: pd.DataFrame) -> str:
    """The outcome of the only verdict."""
    (found,) = verdicts["outcome"]
    return str(found)
