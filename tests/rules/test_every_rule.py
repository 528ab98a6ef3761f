"""Every rule on every SIS: a record that breaks it alone, and its neighbour that keeps it.

All rules that are off unless set are on here; `test_matrix` says which those are.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest

from passback.sources.profiles import OTUS_TYPES
from rules import matrix
from rules.scene import FACTS, PERIODS, SCORE, SOURCE, assessment_of, judged, suites

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
SOURCES = ("otus", "canvas")
BOTH = frozenset(SOURCES)
OTUS, CANVAS = frozenset({"otus"}), frozenset({"canvas"})

LONGEST = {
    "aeries": 49,
    "skyward": 49,
    "aspire": 50,
    "aspen": 255,
    "generic": 255,
    "infinite_campus": 30,
    "powerschool": 30,
    "synergy": 255,
}
SECOND_TERM = {"group_sis_id": "T2-Quiz", "group_term_id": "T2"}  # where groups are imported for a term
LONG, TOO_LONG = "as long as may be", "a character longer"  # become titles of that length

# code, sources that tell, what breaks the rule, what does not
ASSESSMENTS: list[tuple[str, frozenset[str], Row, Row]] = [
    ("grading.not_points", BOTH, {"grading_type": "standards"}, {"grading_type": "points"}),
    ("points.total_missing", BOTH, {"points_possible": 0.0}, {"points_possible": 1.0}),
    ("points.total_missing", BOTH, {"points_possible": None}, {"points_possible": 1.0}),
    ("points.total_not_whole", BOTH, {"points_possible": 10.5}, {"points_possible": 10.0}),
    ("title.missing", BOTH, {"title": " \t"}, {"title": " x "}),
    ("title.too_long", BOTH, {"title": TOO_LONG}, {"title": LONG}),
    ("final_grade.not_included", BOTH, {"include_in_final_grade": False}, {"include_in_final_grade": True}),
    ("sync.off", CANVAS, {"sync_on": False}, {"sync_on": True}),
    ("sync.off", CANVAS, {"sync_on": False, "period_closed": True}, {"period_closed": True}),
    ("course.unpublished", CANVAS, {"course_published": False}, {"course_published": True}),
    ("assessment.unpublished", CANVAS, {"published": False}, {"published": True}),
    ("assigned.not_whole_section", CANVAS, {"whole_section": False}, {"whole_section": True}),
    ("due.missing", BOTH, {"due_at": None}, {"due_at": "2026-10-27 00:00"}),
    ("due.not_uniform", CANVAS, {"due_uniform": False}, {"due_uniform": True}),
    (
        "dates.inverted",
        BOTH,
        {"assigned_at": "2026-10-28 00:00", "due_at": "2026-10-27 23:59"},
        {"assigned_at": "2026-10-27 23:59", "due_at": "2026-10-27 00:00"},
    ),
    (
        "period.closed",
        BOTH,
        {"assigned_at": "2027-03-20 00:00", "due_at": "2027-05-28 23:59", **SECOND_TERM},
        {"assigned_at": "2027-01-05 00:00", "due_at": "2027-03-12 23:59", **SECOND_TERM},
    ),
    (
        "period.straddles",
        BOTH,
        {"assigned_at": "2026-12-18 23:59", "due_at": "2027-01-05 00:00", **SECOND_TERM},
        {"assigned_at": "2026-12-18 00:00", "due_at": "2026-12-18 23:59"},
    ),
    (
        "effective.before",
        BOTH,
        {"assigned_at": "2026-10-11 23:59", "modified_at": "2026-10-11 23:59"},
        {"assigned_at": "2026-10-12 00:00", "modified_at": "2026-10-12 00:00"},
    ),
    ("assigner.not_synced", OTUS, {"assigner_id": "t2"}, {"assigner_id": "t1"}),
    ("assigner.not_in_group", OTUS, {"assigner_id": "t3"}, {"assigner_id": "t1"}),
    ("category.unmapped", OTUS, {"type": "Essay"}, {"type": "Worksheet"}),
    ("category.not_in_sis", OTUS, {"type": "Lab"}, {"type": "Test"}),
    ("category.not_in_gradebook", BOTH, {"class_id": "no gradebook"}, {"class_id": "unlinked"}),
    ("group.not_imported", CANVAS, {"group_sis_id": "", "group_term_id": ""}, {}),
    (
        "group.not_imported",
        CANVAS,
        SECOND_TERM,
        SECOND_TERM | {"assigned_at": "2027-01-05 00:00", "due_at": "2027-01-05 00:00"},
    ),
    ("group.not_imported", CANVAS, {"group_term_id": "T2"}, {"group_term_id": ""}),
    ("group.not_imported", CANVAS, {"group_sis_id": "retired"}, {"group_sis_id": "T1-Quiz"}),
    ("school.no_master_schedule", BOTH, {"class_id": "no schedule"}, {"class_id": "schedule"}),
    ("gradebook.linked", BOTH, {"class_id": "linked"}, {"class_id": "unlinked"}),
    ("gradebook.not_readable", BOTH, {"class_id": "unreadable"}, {"class_id": "unlinked"}),
    ("class.not_on_roster", BOTH, {"class_id": "elsewhere"}, {"class_id": "c1"}),
    ("class.not_on_roster", BOTH, {"class_id": "unheard of"}, {"class_id": "c1"}),
    ("sis.duplicate", BOTH, {"title": "Taken"}, {"title": "Taken", "due_at": "2026-10-28 23:59"}),
]
SCORES: list[tuple[str, Row, Row]] = [
    ("points.score_not_whole", {"points": 7.5}, {"points": 7.0}),
    ("student.not_enrolled", {"student_id": "s3"}, {"student_id": "s2"}),
    ("score.excluded", {"status": "excluded"}, {"status": "excused"}),
    ("score.not_graded", {"status": "turned_in", "points": None}, {"status": "graded"}),
    ("score.not_graded", {"status": "unposted"}, {"status": "graded"}),
    ("score.empty", {"points": None}, {"points": 0.0}),
    ("score.not_numeric", {"points": None, "points_text": "Good"}, {"mark": "late"}),
    ("score.not_numeric", {"points": None, "points_text": "Missing"}, {"mark": "missing"}),
    ("score.negative", {"points": -1.0}, {"points": 0.0}),
    ("score.above_total", {"points": 11.0}, {"points": 10.0}),
    ("change.too_old", {"scored_at": "2026-10-20 23:59"}, {"scored_at": "2026-10-21 00:00"}),
    (
        "student.not_enrolled",
        {"student_id": "s3", "status": "excused"},
        {"status": "excused", "points": None},
    ),
    ("score.not_graded", {"status": "unposted", "points": 5.0}, {"status": "excused", "points_text": "EX"}),
    ("score.negative", {"points": -2.0}, {"status": "excused", "points": -2.0}),
    ("score.above_total", {"points": 12.0}, {"status": "excused", "points": 12.0}),
    ("points.score_not_whole", {"points": 0.5}, {"status": "excused", "points": 0.5}),
]
CLASSES = ("c1", "no gradebook", "unlinked", "linked", "schedule", "no schedule", "unreadable")


def whole(score: Row) -> Row:
    return SCORE | {"points": 8.0, "scored_at": "2026-10-28 20:00"} | score


def fitted(row: Row, sis: str) -> Row:
    titles = {LONG: "x" * LONGEST[sis], TOO_LONG: "x" * (LONGEST[sis] + 1)}
    return row | {"title": titles.get(row["title"], row["title"])}


@lru_cache(maxsize=len(matrix.SISS) * len(SOURCES))
def verdicts(source: str, sis: str) -> tuple[pd.Series, pd.Series]:
    """The codes of every record above, by its id, on one route."""
    usual = assessment_of(source, sis)
    assessments, scores = [], []
    for place, (_, told_by, broken, kept) in enumerate(ASSESSMENTS):
        if source in told_by:
            for name, change in (("broken", broken), ("kept", kept)):
                row = usual | {"assessment_id": f"{place} {name}", "title": f"{place} {name}"} | change
                assessments.append(fitted(row, sis))
    for place, (_, *changes) in enumerate(SCORES):
        for name, change in zip(("broken", "kept"), changes, strict=True):
            key = f"score {place} {name}"
            assessments.append(usual | {"assessment_id": key, "title": key})
            scores.append(whole(change) | {"assessment_id": key})
    read = suites(sis)
    switches = [rule.when for rule in read.assessments.rules + read.scores.rules if rule.when]
    closed = {"period_id": "Q4", "start_date": "2027-03-20", "end_date": "2027-05-28", "closed": True}
    sis_classes = [{"sis_class_id": name, "gradebook": "unlinked"} for name in CLASSES]
    sis_classes[1] |= {"gradebook": "none"}
    sis_classes[3] |= {"gradebook": "linked"}
    sis_classes[4] |= {"master_schedule": True}
    sis_classes[5] |= {"master_schedule": False}
    sis_classes[6] |= {"gradebook": "unreadable"}
    mapped = dict.fromkeys(OTUS_TYPES, "Quiz") | {"Test": "Test", "Lab": "Laboratory"}
    found = judged(
        source=source,
        sis=sis,
        said={
            "rules": dict.fromkeys(switches, True),
            "effective_date": date(2026, 10, 12),
            "categories": mapped if source == "otus" else None,
        },
        assessments=assessments,
        scores=scores,
        classes=[{"class_id": name, "sis_class_id": name} for name in (*CLASSES, "elsewhere")],
        students=[*SOURCE["students"], {"student_id": "s3", "sis_student_id": "P3"}],
        staff=[
            *SOURCE["staff"],
            {"staff_id": "t2", "sis_staff_id": ""},
            {"staff_id": "t3", "sis_staff_id": "U3"},
        ],
        memberships=[*SOURCE["memberships"], SOURCE["memberships"][0] | {"staff_id": "t2"}],
        sis_classes=sis_classes,
        sis_periods=[
            period | {"sis_class_id": name, "title": ""} for name in CLASSES for period in [*PERIODS, closed]
        ],
        sis_enrollments=[row | {"sis_class_id": "c1"} for row in FACTS["sis_enrollments"]],
        sis_line_items=[
            {"line_item_id": "theirs", "sis_class_id": "c1", "title": "Taken", "due_date": "2026-10-27"}
        ],
    )
    return tuple(frame.set_index("assessment_id")["codes"] for frame in (found.assessments, found.scores))


ROUTES = [(source, sis) for sis in matrix.SISS for source in SOURCES]


@pytest.mark.parametrize(
    ("route", "place"),
    [
        pytest.param((source, sis), place, id=f"{source}-{sis}-{ASSESSMENTS[place][0]}-{place}")
        for source, sis in ROUTES
        for place in range(len(ASSESSMENTS))
        if source in ASSESSMENTS[place][1]
    ],
)
def test_an_assessment_breaks_a_rule_alone_and_its_neighbour_keeps_it(
    route: tuple[str, str], place: int
) -> None:
    code = ASSESSMENTS[place][0]
    found, _ = verdicts(*route)
    expected = "" if matrix.state(code, route[1]) == matrix.ABSENT else code
    assert found[f"{place} broken"] == expected
    assert found[f"{place} kept"] == ""


@pytest.mark.parametrize(
    ("route", "place"),
    [
        pytest.param((source, sis), place, id=f"{source}-{sis}-{SCORES[place][0]}-{place}")
        for source, sis in ROUTES
        for place in range(len(SCORES))
    ],
)
def test_a_score_breaks_a_rule_alone_and_its_neighbour_keeps_it(route: tuple[str, str], place: int) -> None:
    code = SCORES[place][0]
    _, found = verdicts(*route)
    expected = "" if matrix.state(code, route[1], "S") == matrix.ABSENT else code
    assert found[f"score {place} broken"] == expected
    assert found[f"score {place} kept"] == ""
