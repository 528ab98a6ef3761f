"""The edges of rules that count: characters, days, hours of the zone, and what a SIS can hold of a score."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from passback import ledger
from passback.sis import PROFILES
from passback.sources.profiles import SOURCES
from rules.scene import (
    ASSESSMENT,
    FACTS,
    NO_LINE_ITEMS,
    PERIODS,
    SCORE,
    SOURCE,
    assessment_of,
    codes,
    judged,
    known_line_item,
)

if TYPE_CHECKING:
    from passback.stages.validate import Verdicts

Row = dict[str, Any]

# --- Characters ---

COMBINED = "e\N{COMBINING ACUTE ACCENT}"  # two characters that look like one
TITLES = [
    ("x" * 48, 48),
    ("x" * 49, 49),
    ("x" * 50, 50),
    ("x" * 51, 51),
    ("😀" * 49, 49),
    ("😀" * 50, 50),
    ("😀" * 51, 51),
    ("é" * 50, 50),
    (COMBINED * 24, 48),
    (COMBINED * 25, 50),
    (COMBINED * 25 + "x", 51),
    ("ש" * 50, 50),
    ("  " + "x" * 49 + " \t", 49),
    ("x" * 24 + "  " + "x" * 24, 50),
]


@pytest.mark.parametrize(
    ("sis", "settings", "longest"),
    [
        ("aeries", {}, 49),
        ("skyward", {}, 49),
        ("aspire", {}, 50),
        ("aspire", {"title_max_length": 30}, 30),
        ("aspen", {}, 255),
        ("aspen", {"title_max_length": 50}, 50),
        ("infinite_campus", {"title_max_length": 49}, 49),
    ],
)
def test_a_title_is_measured_in_characters(sis: str, settings: Row, longest: int) -> None:
    source = "canvas" if sis in {"aspire", "aspen"} else "otus"
    usual = assessment_of(source, sis)
    rows = [usual | {"assessment_id": f"a{n}", "title": title} for n, (title, _) in enumerate(TITLES)]
    found = judged(source=source, sis=sis, assessments=rows, scores=[], said={"rules": settings})
    expected = ["title.too_long" if length > longest else "" for _, length in TITLES]
    assert found.assessments["codes"].tolist() == expected


# --- Days and hours ---

# Clocks go forward at 02:00 on 2026-03-08 and back at 02:00 on 2026-11-01.
MIDNIGHTS = [("2026-03-08", "2026-03-07"), ("2026-11-01", "2026-10-31"), ("2026-11-02", "2026-11-01")]


@pytest.mark.parametrize(("day", "before"), MIDNIGHTS)
@pytest.mark.parametrize("zone", ["America/Los_Angeles", "America/New_York", "Pacific/Kiritimati"])
def test_an_effective_date_and_a_period_begin_at_midnight_in_the_districts_zone(
    day: str, before: str, zone: str
) -> None:
    periods = [
        {"period_id": "P1", "start_date": "2026-01-01", "end_date": before, "closed": True},
        {"period_id": "P2", "start_date": day, "end_date": "2026-12-18", "closed": False},
    ]
    times = [f"{before} 23:59:59", f"{day} 00:00", f"{day} 23:59:59"]
    rows = [
        ASSESSMENT | {"assessment_id": f"a{n}", "assigned_at": time, "due_at": "2026-11-20 12:00"}
        for n, time in enumerate(times)
    ]
    found = judged(
        assessments=rows,
        scores=[],
        memberships=[SOURCE["memberships"][0] | {"joined_at": "2026-01-02 09:00"}],
        said={"timezone": zone, "effective_date": date.fromisoformat(day)},
        sis_periods=[period | {"sis_class_id": "K1", "title": ""} for period in periods],
    )
    assert found.assessments["codes"].tolist() == ["period.closed period.straddles effective.before", "", ""]


@pytest.mark.parametrize(
    ("assigned", "modified", "expected"),
    [
        ("2026-10-20 00:00", "2026-10-20 00:00", ""),
        ("2026-10-19 23:59", "2026-10-19 23:59", "effective.before"),
        ("2026-10-19 23:59", "2026-10-20 00:00", ""),  # modified on the effective date
        ("2026-10-19 09:00", "2026-10-21 09:00", ""),
        ("2026-10-21 09:00", "2026-10-19 09:00", ""),  # the later of the two counts
        ("2026-10-21 09:00", None, ""),
        (None, "2026-10-21 09:00", ""),
        (None, "2026-10-19 09:00", "effective.before"),
    ],
)
def test_for_aeries_what_was_assigned_or_modified_since_the_effective_date_counts(
    assigned: str | None, modified: str | None, expected: str
) -> None:
    found = judged(
        sis="aeries",
        assessment={"assigned_at": assigned, "modified_at": modified},
        scores=[],
        said={"effective_date": date(2026, 10, 20)},
    )
    assert codes(found.assessments) == expected


YEAR = [period | {"year_start": "2026-08-17"} for period in FACTS["sis_periods"]]
YEARS = [
    *({"sis_class_id": "K1", "year_start": "2026-08-17", **period} for period in PERIODS),
    {
        "sis_class_id": "K1",
        "period_id": "next year",
        "start_date": "2027-08-16",
        "end_date": "2027-10-08",
        "closed": False,
        "year_start": "2027-08-16",
    },
]
LAST_YEARS_CLASS = [
    {
        "sis_class_id": "K1",
        "period_id": "Q4",
        "start_date": "2026-03-16",
        "end_date": "2026-06-05",
        "closed": True,
        "year_start": "2025-08-18",
    },
    YEAR[0] | {"sis_class_id": "K2"},
]
SENT_LAST_YEAR = known_line_item(assessment_id="a1", sis_class_id="K1", due_date="2026-03-20")


@pytest.mark.parametrize("periods", [YEAR, YEARS], ids=["one year", "the next year is listed too"])
@pytest.mark.parametrize(
    ("assigned", "due", "known", "expected"),
    [
        ("2026-08-16", "2026-08-20", None, ""),  # in summer, for the new year
        ("2026-08-16", "2026-08-17", None, ""),
        ("2026-08-16", "2026-08-16", None, "effective.before"),
        ("2026-08-16", None, None, "effective.before"),  # the assign date goes out for it
        ("2026-03-16", "2026-03-20", None, "effective.before"),
        ("2026-03-16", "2026-11-16", SENT_LAST_YEAR, "effective.before"),  # its line item is last year's
        ("2026-08-17", "2026-08-16", None, ""),
    ],
)
def test_for_aeries_a_modification_brings_back_nothing_of_last_years(
    periods: list[Row], assigned: str, due: str | None, known: pd.DataFrame | None, expected: str
) -> None:
    found = judged(
        sis="aeries",
        assessment={
            "assigned_at": f"{assigned} 09:00",
            "due_at": due and f"{due} 09:00",
            "modified_at": "2026-09-17 09:00",
        },
        scores=[],
        known=NO_LINE_ITEMS if known is None else known,
        sis_periods=periods,
    )
    assert codes(found.assessments) == expected


def test_for_aeries_a_modification_brings_back_nothing_of_a_class_of_last_years() -> None:
    found = judged(
        sis="aeries",
        assessment={
            "assigned_at": "2026-03-16 09:00",
            "due_at": "2026-03-20 09:00",
            "modified_at": "2026-09-17 09:00",
        },
        scores=[],
        sis_periods=LAST_YEARS_CLASS,
    )
    assert codes(found.assessments) == "effective.before"


def test_aeries_takes_any_date_and_the_nearest_grading_period_goes_with_it() -> None:
    days = [
        ("2026-09-01", "2026-09-08", "Q1"),  # closed
        ("2026-10-09", "2026-10-10", "Q2"),
        ("2026-12-20", "2026-12-27", "Q2"),  # in none: the last that had begun
        ("2027-04-01", "2027-04-02", "Q3"),
    ]
    rows = [
        ASSESSMENT | {"assessment_id": f"a{n}", "assigned_at": f"{a} 09:00", "due_at": f"{d} 09:00"}
        for n, (a, d, _) in enumerate(days)
    ]
    found = judged(sis="aeries", assessments=rows, scores=[])
    assert found.assessments["codes"].tolist() == [""] * len(days)
    assert found.line_items["period_id"].tolist() == [period for *_, period in days]


def test_without_a_due_date_the_assign_date_goes_out_for_it() -> None:
    (line_item,) = judged(sis="aeries", assessment={"due_at": None}, scores=[]).line_items.to_dict("records")
    assert line_item["due_date"] == line_item["assign_date"] == "2026-10-20"


def test_a_class_without_grading_periods_has_none_to_name() -> None:
    found = judged(sis="aeries", sis_periods=[], scores=[])
    assert codes(found.assessments) == ""
    assert found.line_items["period_id"].tolist() == [""]


def test_what_would_stand_twice_is_found_by_the_date_that_goes_out() -> None:
    theirs = {"line_item_id": "x", "sis_class_id": "K1", "title": "Unit 1", "due_date": "2026-10-20"}
    found = judged(sis="aeries", assessment={"due_at": None}, scores=[], sis_line_items=[theirs])
    assert codes(found.assessments) == "sis.duplicate"


# --- Aspire's window of 30 days ---


def known(state: str) -> pd.DataFrame:
    """The one score as the ledger knows it."""
    row = {
        name: SCORE.get(name, {"state": state, "run_id": 1}.get(name)) for name in ledger.no_results().columns
    }
    return pd.DataFrame([row]).astype({"student_id": "str"})


@pytest.mark.parametrize(
    ("scored", "state", "full", "settings", "expected", "goes_out"),
    [
        ("2026-10-22 00:00", None, False, {}, "", True),  # 29 days
        ("2026-10-21 00:00", None, False, {}, "", True),  # 30
        ("2026-10-20 23:59", None, False, {}, "change.too_old", False),  # 31
        ("2026-10-20 23:59", None, True, {}, "", True),
        ("2026-10-20 23:59", "confirmed", False, {}, "", False),  # the SIS holds it: unchanged
        ("2026-10-20 23:59", "confirmed", True, {}, "", True),
        ("2026-10-20 23:59", "not_stored", False, {}, "", True),  # it was sent and did not arrive
        ("2026-10-20 23:59", "gone", False, {}, "", True),  # it stood there until its line item was removed
        ("2026-10-21 00:00", "confirmed", False, {}, "", True),
        ("2026-10-20 23:59", None, False, {"change_window_days": 31}, "", True),
        ("2026-10-21 00:00", None, False, {"change_window_days": 29}, "change.too_old", False),
        ("2027-01-01 00:00", None, False, {}, "", True),  # a clock that runs ahead
    ],
)
def test_a_grade_passes_aspire_for_thirty_days(
    scored: str,
    state: str | None,
    full: bool,  # noqa: FBT001 - a column of the table
    settings: Row,
    expected: str,
    goes_out: bool,  # noqa: FBT001 - as above
) -> None:
    found = judged(
        source="canvas",
        sis="aspire",
        score={"scored_at": scored},
        known_results=known(state) if state else None,
        everything=full,
        said={"rules": settings},
    )
    assert codes(found.scores) == expected
    assert found.scores["outcome"].tolist() == ["held" if expected else "passed"]
    assert (len(found.results) == 1) is goes_out
    # Should its line item turn out to be gone, it goes out with it.
    assert len(found.settled_results) == (not goes_out and not expected)


@pytest.mark.parametrize("status", ["turned_in", "not_submitted", "unposted"])
def test_what_has_no_grade_has_none_that_is_too_old(status: str) -> None:
    old = {"status": status, "points": None, "scored_at": None, "modified_at": "2026-09-01 09:00"}
    assert codes(judged(source="canvas", sis="aspire", score=old).scores) == "score.not_graded"


# --- Excused, late, missing ---

STATUSES: list[tuple[Row, str, float | None, str]] = [
    ({"status": "excused", "points": None}, "exempt", 0.0, ""),
    ({"status": "excused", "points": 7.0, "mark": "late"}, "exempt", 0.0, ""),
    ({"status": "excused", "points": None, "points_text": "EX"}, "exempt", 0.0, ""),
    ({"status": "graded", "points": 7.0, "mark": "late"}, "fully graded", 7.0, "late"),
    ({"status": "graded", "points": 0.0, "mark": "missing"}, "fully graded", 0.0, "missing"),
    ({"status": "graded", "points": 7.0}, "fully graded", 7.0, ""),
    ({"status": "not_submitted", "points": None}, "not submitted", 0.0, "missing"),
]


def by_status(sis: str, said: Row) -> Verdicts:
    rows = [assessment_of("csv", sis) | {"assessment_id": f"a{n}"} for n in range(len(STATUSES))]
    scores = [
        SCORE | {"assessment_id": f"a{n}", "scored_at": "2026-11-10 09:00"} | change
        for n, (change, *_) in enumerate(STATUSES)
    ]
    rules = {"rules": {"past_due_zero": True}}
    return judged(source="csv", sis=sis, assessments=rows, scores=scores, said=rules | said)


@pytest.mark.parametrize(
    ("sis", "said", "holds_marks", "excused"),
    [
        ("skyward", {}, False, 0.0),
        ("aeries", {}, False, 0.0),
        ("aspire", {}, False, 0.0),
        ("aspen", {}, True, 0.0),
        ("generic", {}, True, None),
        ("infinite_campus", {}, True, None),
        ("aspen", {"sis": {"system": "aspen", "connection": "x", "late_and_missing": "none"}}, False, 0.0),
        (
            "skyward",
            {"sis": {"system": "skyward", "connection": "x", "late_and_missing": "comment"}},
            True,
            0.0,
        ),
    ],
)
def test_a_status_goes_out_as_the_sis_can_hold_it_and_excused_never_as_a_plain_zero(
    sis: str,
    said: Row,
    holds_marks: bool,  # noqa: FBT001 - a column of the table
    excused: float | None,
) -> None:
    found = by_status(sis, said)
    assert found.scores["codes"].tolist() == [""] * len(STATUSES)
    for row, (_, status, points, mark) in zip(found.results.to_dict("records"), STATUSES, strict=True):
        assert row["score_status"] == status
        assert row["mark"] == (mark if holds_marks else "")
        if status == "exempt" and excused is None:
            assert pd.isna(row["score"])
        else:
            assert row["score"] == points
    left_out = {} if holds_marks else {"late": 1, "missing": 1}
    assert dict(found.marks_left_out) == left_out


@pytest.mark.parametrize("sis", ["aeries", "aspire", "aspen", "generic"])
def test_missing_work_is_a_zero_only_where_the_district_wants_it(sis: str) -> None:
    missing = {"status": "not_submitted", "points": None, "scored_at": None}
    assert codes(judged(source="csv", sis=sis, score=missing).scores) == "score.not_graded"
    wanted = judged(source="csv", sis=sis, score=missing, said={"rules": {"past_due_zero": True}})
    assert wanted.results["score"].tolist() == [0.0]
    excused = judged(
        source="csv", sis=sis, score=missing | {"status": "excused"}, said={"rules": {"past_due_zero": True}}
    )
    assert excused.results["score_status"].tolist() == ["exempt"]


# --- What a source or a SIS does not say ---


@pytest.mark.parametrize("sis", sorted(PROFILES))
@pytest.mark.parametrize("source", sorted(SOURCES))
def test_nothing_to_judge_is_no_error_on_any_route(source: str, sis: str) -> None:
    nothing: dict[str, list[Row]] = {name: [] for name in ("assessments", "scores", *SOURCE, *FACTS)}
    found = judged(source=source, sis=sis, **nothing)
    assert [len(frame) for frame in (found.assessments, found.scores, found.line_items, found.results)] == [
        0
    ] * 4


@pytest.mark.parametrize("sis", sorted(PROFILES))
@pytest.mark.parametrize("source", sorted(SOURCES))
def test_any_source_works_with_any_sis(source: str, sis: str) -> None:
    found = judged(source=source, sis=sis, score={"points": 8.0})
    assert found.assessments["outcome"].tolist() == ["passed"]
    assert found.results["score"].tolist() == [8.0]


def test_a_source_that_does_not_say_breaks_no_rule_on_it() -> None:
    unsaid = dict.fromkeys(["sync_on", "course_published", "published", "whole_section", "due_uniform"])
    found = judged(source="canvas", sis="aspire", assessment=unsaid, scores=[])
    assert codes(found.assessments) == ""


@pytest.mark.parametrize("source", ["canvas", "ekadence", "oneroster"])
def test_a_source_without_assigners_and_a_group_passes_whoever_assigned(source: str) -> None:
    found = judged(source=source, sis="skyward", staff=[], memberships=[], assessment={"assigner_id": ""})
    assert codes(found.assessments) == ""


@pytest.mark.parametrize(
    ("of_class", "sis", "expected"),
    [
        ({"sis_class_id": "990_TN_421"}, {}, "school.no_master_schedule"),  # its id says so
        ({"sis_class_id": "990_TN_421", "master_schedule": True}, {}, "school.no_master_schedule"),
        ({"sis_class_id": "990_2101"}, {}, ""),
        ({"sis_class_id": "990_2101", "master_schedule": False}, {}, "school.no_master_schedule"),
        ({"sis_class_id": "990_2101", "school_id": "990"}, {"schools_without_master_schedule": ["991"]}, ""),
        (
            {"sis_class_id": "990_2101", "school_id": "990"},
            {"schools_without_master_schedule": ["990"]},
            "school.no_master_schedule",
        ),
        ({"sis_class_id": "990_2101", "gradebook": "linked"}, {}, "gradebook.linked"),
        ({"sis_class_id": "990_2101", "gradebook": "unlinked"}, {}, ""),
        ({"sis_class_id": "990_2101"}, {"linked_gradebooks": ["990_2101"]}, "gradebook.linked"),
        (
            {"sis_class_id": "990_2101", "gradebook": "unlinked"},
            {"linked_gradebooks": ["990_2101"]},
            "gradebook.linked",
        ),
    ],
)
def test_aeries_schools_and_gradebooks_by_what_the_sis_its_ids_or_the_district_say(
    of_class: Row, sis: Row, expected: str
) -> None:
    class_id = of_class["sis_class_id"]
    found = judged(
        sis="aeries",
        scores=[],
        classes=[{"class_id": "c1", "sis_class_id": class_id}],
        sis_classes=[of_class],
        sis_periods=[period | {"sis_class_id": class_id} for period in FACTS["sis_periods"]],
        said={"sis": {"system": "aeries", "connection": "x", **sis}},
    )
    assert codes(found.assessments) == expected


# --- Records that contradict each other ---


@pytest.mark.parametrize(
    ("table", "record", "level", "expected"),
    [
        ("students", {"student_id": "s1", "sis_student_id": "P2"}, "scores", "student.not_enrolled"),
        ("students", {"student_id": "s1", "sis_student_id": ""}, "scores", "student.not_enrolled"),
        ("students", SOURCE["students"][0], "scores", ""),
        ("classes", {"class_id": "c1", "sis_class_id": "K2"}, "assessments", "class.not_on_roster"),
        ("classes", SOURCE["classes"][0] | {"title": "Algebra 1"}, "assessments", ""),
        ("staff", {"staff_id": "t1", "sis_staff_id": "U2"}, "assessments", "assigner.not_synced"),
        ("staff", SOURCE["staff"][0], "assessments", ""),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_of_records_that_say_different_ids_none_is_believed(
    table: str,
    record: Row,
    level: str,
    expected: str,
    first: bool,  # noqa: FBT001 - a column of the table
) -> None:
    usual = SOURCE[table]
    rows = [record, *usual] if first else [*usual, record]
    found = judged(**{table: rows}, sis_classes=[{"sis_class_id": "K1"}, {"sis_class_id": "K2"}])
    assert codes(getattr(found, level)) == expected
    assert len(found.results) == (0 if expected else 1)


@pytest.mark.parametrize("points", [8.5, -1.0])
def test_a_zero_for_missing_work_is_judged_as_the_zero_it_is(points: float) -> None:
    found = judged(
        sis="aeries",
        score={"status": "not_submitted", "points": points},
        said={"rules": {"past_due_zero": True}},
    )
    assert codes(found.scores) == ""
    assert found.results["score"].tolist() == [0.0]
