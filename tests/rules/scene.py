"""A small district to judge: one class, one teacher, one student, one assessment, one score, all in order.

It has any source and any SIS; Otus and Skyward unless a test says otherwise. Every table is a list of plain
records; a test says only what differs. Instants are written in local time, as `2026-10-20 09:00`, and the
district lies in Los Angeles.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from passback import ledger, paths, records
from passback.mapping.model import District
from passback.rules.suites import read_suites
from passback.sis import PROFILES, profile_of
from passback.sources.profiles import OTUS_TYPES, SOURCES
from passback.stages.validate import Verdicts, validate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
# What a source says of an assessment beside what all of them say.
SAID = {
    "canvas": {
        "sync_on": True,
        "course_published": True,
        "published": True,
        "whole_section": True,
        "due_uniform": True,
        "period_closed": False,
    }
}
# What a SIS says of itself in its own way: Aspire's categories belong to a term and are imported for it.
TERMS = {"T1": ("2026-08-17", "2026-12-18"), "T2": ("2027-01-05", "2027-05-28")}
FACTS_OF = {
    "aspire": {
        "sis_categories": [
            {
                "category_id": f"{term}-{title}",
                "title": title,
                "sis_class_id": "",
                "term_id": term,
                "term_start": start,
                "term_end": end,
            }
            for term, (start, end) in TERMS.items()
            for title in ("Quiz", "Test")
        ]
    }
}
IMPORTED = {"group_sis_id": "T1-Quiz", "group_term_id": "T1"}
_UNSAID = {
    records.TEXT: "",
    records.FLAG: False,
    records.MAYBE: None,
    records.INSTANT: None,
    records.NUMBER: None,
}
NO_LINE_ITEMS = ledger.no_line_items()


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
        values = [row.get(name, _UNSAID[dtype]) for row in rows]
        if dtype == records.INSTANT:
            values = [utc(value, zone) for value in values]
        columns[name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(columns)


def assessment_of(source: str, sis: str) -> dict[str, Any]:
    """An assessment in order, as a source says it of a class in a SIS."""
    imported = IMPORTED if PROFILES[sis].imports_categories and SOURCES[source].groups else {}
    return ASSESSMENT | SAID.get(source, {}) | imported


def district(source: str = "otus", sis: str = "skyward", /, **changes: Any) -> District:
    """The district, with changes to its mapping."""
    said = {
        "district": "lakeview",
        "name": "Lakeview",
        "timezone": ZONE,
        "schedule": None,
        "effective_date": date.fromisoformat(EFFECTIVE_DATE),
        "source": {"system": source, "connection": "lakeview_source"},
        "sis": {"system": sis, "connection": "lakeview_sis"},
        "confirmed": list(PROFILES[sis].confirmations),
        "categories": dict.fromkeys(OTUS_TYPES, "Quiz") if source == "otus" else None,
        "rules": {},
    }
    return District.model_validate(said | changes)


def suites(sis: str = "skyward") -> Suites:
    """Those of a SIS."""
    return read_suites(paths.expectations(), sis)


def frames(
    tables: Mapping[str, list[dict[str, Any]]], zone: str = ZONE, sis: str = "skyward"
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """The source's frames and the SIS's facts; tables that are not given are as above."""
    given = {
        "assessments": [ASSESSMENT],
        "scores": [SCORE],
        **SOURCE,
        **FACTS,
        **FACTS_OF.get(sis, {}),
        **tables,
    }
    source = {shape.name: frame_of(shape, given[shape.name], zone) for shape in records.SOURCE_FRAMES}
    facts = {shape.name: frame_of(shape, given[shape.name], zone) for shape in records.SIS_FRAMES}
    return source, facts


def judged(
    *,
    source: str = "otus",
    sis: str = "skyward",
    assessment: Mapping[str, Any] | None = None,
    score: Mapping[str, Any] | None = None,
    now: str = NOW,
    known: pd.DataFrame = NO_LINE_ITEMS,
    known_results: pd.DataFrame | None = None,
    suppressed: Iterable[tuple[str, str]] = (),
    everything: bool = False,
    allots_ids: bool = False,
    rules: Suites | None = None,
    said: Mapping[str, Any] | None = None,
    **tables: list[dict[str, Any]],
) -> Verdicts:
    """Verdicts on the district: tables replace, the others change the one record or the mapping there is."""
    given: dict[str, list[dict[str, Any]]] = {
        "assessments": [assessment_of(source, sis) | dict(assessment or {})],
        "scores": [SCORE | dict(score or {})],
        **tables,
    }
    mapping = district(source, sis, **(said or {}))
    read, facts = frames(given, mapping.timezone, sis)
    instant = utc(now, mapping.timezone)
    assert instant is not None
    return validate(
        read,
        facts,
        district=mapping,
        suites=rules or suites(sis),
        profile=profile_of(mapping.sis.system, mapping.sis.transport),
        known_line_items=known,
        known_results=ledger.no_results() if known_results is None else known_results,
        allots_ids=allots_ids,
        suppressions=pd.DataFrame(list(suppressed), columns=list(records.SUPPRESSIONS.columns), dtype="str"),
        now=instant,
        everything=everything,
    )


def known_line_item(**said: str) -> pd.DataFrame:
    """The ledger with one line item, of which it says this."""
    unsaid = {name: "" if dtype == records.TEXT else 0 for name, dtype in NO_LINE_ITEMS.dtypes.items()}
    return pd.DataFrame([unsaid | said]).astype(NO_LINE_ITEMS.dtypes)


def codes(verdicts: pd.DataFrame) -> str:
    """The codes of the only verdict."""
    (found,) = verdicts["codes"]
    return str(found)


def outcome(verdicts: pd.DataFrame) -> str:
    """The outcome of the only verdict."""
    (found,) = verdicts["outcome"]
    return str(found)
