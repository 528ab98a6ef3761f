"""One test a row of RULES section 2 for Skyward, assessment level, each with its edges."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from passback.oneroster.ids import line_item_id
from rules.scene import ASSESSMENT, FACTS, SOURCE, codes, judged, known_line_item

if TYPE_CHECKING:
    from passback.stages.validate import Verdicts

A49, A50 = "x" * 49, "x" * 50
STAY = SOURCE["memberships"][0]


RULE_BY_RULE: list[tuple[dict[str, Any], str]] = [
    ({"grading_type": "points"}, ""),
    ({"grading_type": "standards"}, "grading.not_points"),
    ({"grading_type": ""}, "grading.not_points"),
    ({"points_possible": None}, "points.total_missing"),
    ({"points_possible": float("inf")}, "points.total_missing"),
    ({"points_possible": 0.0}, "points.total_missing"),
    ({"points_possible": -5.0}, "points.total_missing"),
    ({"points_possible": 10.0}, ""),
    ({"points_possible": 10.5}, "points.total_not_whole"),
    ({"points_possible": 0.5}, "points.total_not_whole"),
    ({"points_possible": -0.5}, "points.total_missing points.total_not_whole"),
    ({"title": ""}, "title.missing"),
    ({"title": "  \t"}, "title.missing"),
    ({"title": A49}, ""),
    ({"title": A50}, "title.too_long"),
    ({"title": f"  {A49}  "}, ""),
    ({"title": "é" * 49}, ""),
    ({"title": "😀" * 49}, ""),
    ({"title": "😀" * 50}, "title.too_long"),
    ({"include_in_final_grade": False}, "final_grade.not_included"),
    ({"due_at": None}, "due.missing"),
    ({"assigned_at": "2026-10-27 23:59", "due_at": "2026-10-27 00:00"}, ""),
    ({"assigned_at": "2026-10-28 00:00", "due_at": "2026-10-27 23:59"}, "dates.inverted"),
    ({"assigned_at": None}, "period.closed period.straddles"),
    ({"type": "Quiz"}, ""),
    ({"type": " Quiz "}, ""),
    ({"type": "quiz"}, "category.unmapped"),
    ({"type": ""}, "category.unmapped"),
    ({"type": "Exam"}, "category.unmapped"),
    ({"assigner_id": "nobody"}, "assigner.not_synced assigner.not_in_group"),
    ({"class_id": "nowhere"}, "class.not_on_roster"),
]
# Q1 until 10-09 is closed, Q2 from 10-10 until 12-18 and Q3 from 01-05 are open
PERIOD_BY_PERIOD: list[tuple[str, str | None, str]] = [
    ("2026-10-10 00:00", "2026-12-18 23:59", ""),
    ("2026-10-09 23:59", "2026-10-10 00:00", "period.closed period.straddles"),
    ("2026-09-01 09:00", "2026-09-08 09:00", "period.closed"),
    ("2026-10-09 09:00", "2026-10-09 23:59", "period.closed"),
    ("2026-12-18 09:00", "2026-12-19 00:00", "period.closed period.straddles"),
    ("2026-12-18 09:00", "2027-01-05 00:00", "period.straddles"),
    ("2026-12-20 09:00", "2026-12-21 09:00", "period.closed period.straddles"),
    ("2026-10-09 09:00", None, "due.missing period.closed"),
    ("2026-10-10 09:00", None, "due.missing"),
    ("2026-11-02 09:00", "2026-09-08 09:00", "dates.inverted period.closed period.straddles"),
]


def judged_together(changes: list[dict[str, Any]]) -> Verdicts:
    """Verdicts on assessments of which each differs in one thing; Great Expectations is slow to set out."""
    return judged(
        assessments=[ASSESSMENT | {"assessment_id": f"a{n}"} | change for n, change in enumerate(changes)],
        scores=[],
    )


@pytest.fixture(scope="module")
def rule_by_rule() -> Verdicts:
    return judged_together([change for change, _ in RULE_BY_RULE])


@pytest.fixture(scope="module")
def period_by_period() -> Verdicts:
    return judged_together(
        [{"assigned_at": assigned, "due_at": due} for assigned, due, _ in PERIOD_BY_PERIOD]
    )


@pytest.mark.parametrize("case", range(len(RULE_BY_RULE)), ids=[f"{change}" for change, _ in RULE_BY_RULE])
def test_an_assessment_that_breaks_a_rule_is_rejected(case: int, rule_by_rule: Verdicts) -> None:
    _, expected = RULE_BY_RULE[case]
    verdict = rule_by_rule.assessments.loc[case]
    assert verdict["codes"] == expected
    assert verdict["outcome"] == ("rejected" if expected else "passed")
    assert (verdict["assessment_id"] in set(rule_by_rule.line_items["assessment_id"])) == (not expected)


@pytest.mark.parametrize(
    "case", range(len(PERIOD_BY_PERIOD)), ids=[f"{a}--{d}" for a, d, _ in PERIOD_BY_PERIOD]
)
def test_both_dates_lie_in_one_open_grading_period(case: int, period_by_period: Verdicts) -> None:
    assert period_by_period.assessments["codes"][case] == PERIOD_BY_PERIOD[case][2]


@pytest.mark.parametrize(
    ("assigned", "expected"),
    [
        ("2026-10-10 09:00", "period.closed period.straddles"),
        ("2026-10-15 09:00", "period.closed period.straddles"),  # the last day of one, the first of the other
        ("2026-10-16 09:00", "period.closed period.straddles"),
    ],
)
def test_where_periods_overlap_the_one_that_starts_latest_counts(assigned: str, expected: str) -> None:
    early = {
        "sis_class_id": "K1",
        "title": "",
        "period_id": "E",
        "start_date": "2026-10-01",
        "end_date": "2026-10-15",
    }
    late = {
        "sis_class_id": "K1",
        "title": "",
        "period_id": "L",
        "start_date": "2026-10-15",
        "end_date": "2026-11-30",
    }
    dates = {"assigned_at": assigned, "due_at": "2026-10-20 09:00"}
    late_closed = judged(
        assessment=dates, scores=[], sis_periods=[early | {"closed": False}, late | {"closed": True}]
    )
    same = assigned >= "2026-10-15"
    assert codes(late_closed.assessments) == ("period.closed" if same else expected)
    late_open = judged(
        assessment=dates, scores=[], sis_periods=[late | {"closed": False}, early | {"closed": True}]
    )
    assert codes(late_open.assessments) == ("" if same else expected)


def test_periods_of_another_class_do_not_count() -> None:
    elsewhere = [period | {"sis_class_id": "K2"} for period in FACTS["sis_periods"]]
    assert codes(judged(scores=[], sis_periods=elsewhere).assessments) == "period.closed period.straddles"


def test_a_class_that_the_sis_does_not_know_has_no_periods_to_break() -> None:
    verdicts = judged(
        assessment={"assigned_at": "2026-09-01 09:00", "due_at": "2026-09-08 09:00"},
        scores=[],
        sis_classes=[],
    )
    assert codes(verdicts.assessments) == "class.not_on_roster"


@pytest.mark.parametrize(
    ("effective", "assigned", "expected"),
    [
        ("2026-10-20", "2026-10-19 23:59", "effective.before"),
        ("2026-10-20", "2026-10-20 00:00", ""),
        ("2026-10-20", "2026-10-21 00:00", ""),
        ("2027-01-01", "2026-10-20 09:00", "effective.before"),
        ("0001-01-01", "2026-10-20 09:00", ""),
        ("9999-12-31", "2026-10-20 09:00", "effective.before"),
    ],
)
def test_an_assessment_counts_from_the_effective_date_on(
    effective: str, assigned: str, expected: str
) -> None:
    said = {"effective_date": date.fromisoformat(effective)}
    verdicts = judged(
        assessment={"assigned_at": assigned, "due_at": "2026-10-27 09:00"}, scores=[], said=said
    )
    assert codes(verdicts.assessments) == expected


def test_modifying_an_assessment_does_not_bring_it_past_the_effective_date() -> None:
    said = {"effective_date": date(2026, 10, 25)}
    verdicts = judged(assessment={"modified_at": "2026-11-01 09:00"}, scores=[], said=said)
    assert codes(verdicts.assessments) == "effective.before"


JOINING: list[tuple[list[tuple[str, str | None]], str, str]] = [
    # a member from before the effective date: from the effective date (here 08-17, in the closed Q1)
    ([("2026-08-01 09:00", None)], "2026-10-10 00:00", ""),
    # joined in Q2: from the start of Q2, also what was assigned before she joined
    ([("2026-11-10 09:00", None)], "2026-10-10 00:00", ""),
    ([("2026-11-10 09:00", None)], "2026-10-09 23:59", "period.closed period.straddles effective.before"),
    # a stay that is still to come changes nothing
    ([("2026-08-01 09:00", None), ("2026-12-20 09:00", None)], "2026-10-10 09:00", ""),
    # left, and came back: the stay that she is in counts
    ([("2026-08-01 09:00", "2026-10-30 09:00"), ("2026-11-10 09:00", None)], "2026-10-10 09:00", ""),
    ([("2026-08-01 09:00", "2026-11-20 10:00")], "2026-10-20 09:00", "assigner.not_in_group"),
    ([("2026-08-01 09:00", "2026-11-20 10:01")], "2026-10-20 09:00", ""),
    ([("2026-11-20 10:00", None)], "2026-10-20 09:00", ""),
    ([("2026-11-20 10:01", None)], "2026-10-20 09:00", "assigner.not_in_group"),
    ([], "2026-10-20 09:00", "assigner.not_in_group"),
]


@pytest.fixture(scope="module")
def joining() -> Verdicts:
    """Verdicts on assessments that each have an assigner of their own."""
    return judged(
        assessments=[
            ASSESSMENT | {"assessment_id": f"a{n}", "assigner_id": f"t{n}", "assigned_at": assigned}
            for n, (_, assigned, _) in enumerate(JOINING)
        ],
        scores=[],
        staff=[{"staff_id": f"t{n}", "sis_staff_id": f"U{n}"} for n in range(len(JOINING))],
        memberships=[
            {"staff_id": f"t{n}", "joined_at": joined, "left_at": left}
            for n, (stays, _, _) in enumerate(JOINING)
            for joined, left in stays
        ],
    )


@pytest.mark.parametrize("case", range(len(JOINING)), ids=[f"{stays}" for stays, _, _ in JOINING])
def test_joining_makes_the_grading_period_of_that_day_eligible(case: int, joining: Verdicts) -> None:
    assert joining.assessments["codes"][case] == JOINING[case][2]


@pytest.mark.parametrize(
    ("joined", "assigned", "expected"),
    [
        ("2026-12-20 12:00", "2026-12-19 23:59", "period.closed period.straddles effective.before"),
        ("2026-12-20 12:00", "2026-12-20 00:00", "period.closed period.straddles"),
    ],
)
def test_joining_between_periods_counts_from_that_day(joined: str, assigned: str, expected: str) -> None:
    verdicts = judged(
        assessment={"assigned_at": assigned, "due_at": "2027-01-10 09:00"},
        scores=[],
        memberships=[STAY | {"joined_at": joined}],
        now="2027-01-11 09:00",
    )
    assert codes(verdicts.assessments) == expected


def test_joining_never_reaches_back_before_the_effective_date() -> None:
    verdicts = judged(
        scores=[],
        memberships=[STAY | {"joined_at": "2026-11-10 09:00"}],
        said={"effective_date": date(2026, 10, 21)},
    )
    assert codes(verdicts.assessments) == "effective.before"


def test_an_administrator_who_is_not_in_the_sis_never_passes() -> None:
    admin = {"staff_id": "t1", "sis_staff_id": ""}
    assert codes(judged(scores=[], staff=[admin]).assessments) == "assigner.not_synced"


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        ([("G1", "Quiz", "")], ""),
        ([("G1", " Quiz ", "")], ""),
        ([("G1", "quiz", "")], "category.not_in_sis"),
        ([("G2", "Test", "")], "category.not_in_sis"),
        ([], "category.not_in_sis"),
        ([("G1", "Quiz", "K1")], "category.not_in_sis"),  # of one class, not of the district
        ([("G1", "Quiz", ""), ("G3", "Quiz", "")], "category.not_in_sis"),  # which of the two?
        ([("G1", "Quiz", ""), ("G9", "Quiz", "K1")], ""),
        ([("G1", "Quiz", ""), ("G1", "Little quiz", "K1")], ""),
        ([("G1", "Quiz", ""), ("G9", "Quiz", "K2")], "category.not_in_gradebook"),
        ([("G1", "Quiz", ""), ("G9", "Test", "K1")], "category.not_in_gradebook"),
    ],
)
def test_the_category_stands_in_the_sis_and_in_the_gradebook(
    categories: list[tuple[str, str, str]], expected: str
) -> None:
    rows = [{"category_id": key, "title": title, "sis_class_id": of} for key, title, of in categories]
    assert codes(judged(scores=[], sis_categories=rows).assessments) == expected


def test_many_types_may_share_one_category() -> None:
    verdicts = judged(assessment={"type": "Worksheet"}, scores=[])
    assert verdicts.line_items["category_id"].tolist() == ["G1"]


@pytest.mark.parametrize("sis_id", ["", "K9"])
def test_a_class_without_a_place_in_the_sis_is_rejected(sis_id: str) -> None:
    verdicts = judged(scores=[], classes=[{"class_id": "c1", "sis_class_id": sis_id, "title": ""}])
    assert codes(verdicts.assessments) == "class.not_on_roster"


def test_differing_records_of_one_assessment_and_class_are_all_rejected() -> None:
    other = ASSESSMENT | {"title": "Unit 1, corrected"}
    verdicts = judged(assessments=[ASSESSMENT, other])
    assert verdicts.assessments["codes"].tolist() == ["duplicate.record"] * 2
    assert codes(verdicts.scores) == "duplicate.record"
    assert verdicts.line_items.empty
    assert verdicts.results.empty


def test_scores_carry_what_is_wrong_with_any_differing_record_of_their_assessment() -> None:
    other = ASSESSMENT | {"title": "", "include_in_final_grade": False}
    verdicts = judged(assessments=[ASSESSMENT, other])
    assert codes(verdicts.scores) == "title.missing final_grade.not_included duplicate.record"


def test_the_same_assessment_in_two_classes_is_no_duplicate() -> None:
    classes = [{"class_id": f"c{n}", "sis_class_id": f"K{n}", "title": ""} for n in (1, 2)]
    periods = [period | {"sis_class_id": f"K{n}"} for n in (1, 2) for period in FACTS["sis_periods"]]
    verdicts = judged(
        assessments=[ASSESSMENT, ASSESSMENT | {"class_id": "c2"}],
        classes=classes,
        sis_classes=[{"sis_class_id": "K1"}, {"sis_class_id": "K2"}],
        sis_periods=periods,
    )
    assert verdicts.assessments["outcome"].tolist() == ["passed", "passed"]


def test_two_classes_that_are_one_in_the_sis_would_write_one_line_item_twice() -> None:
    classes = [{"class_id": f"c{n}", "sis_class_id": "K1", "title": ""} for n in (1, 2)]
    verdicts = judged(assessments=[ASSESSMENT, ASSESSMENT | {"class_id": "c2"}], classes=classes)
    assert verdicts.assessments["codes"].tolist() == ["duplicate.record"] * 2


@pytest.mark.parametrize(
    ("twin", "expected"),
    [
        ({}, "sis.duplicate"),
        ({"title": " Unit 1 "}, "sis.duplicate"),
        ({"title": "Unit 2"}, ""),
        ({"due_date": "2026-10-28"}, ""),
        ({"sis_class_id": "K2"}, ""),
        ({"line_item_id": "known"}, ""),
        ({"line_item_id": line_item_id("otus", "a1", "K1")}, ""),
    ],
)
def test_a_foreign_assignment_of_the_same_title_and_due_date_is_not_doubled(
    twin: dict[str, str], expected: str
) -> None:
    foreign = {"line_item_id": "theirs", "sis_class_id": "K1", "title": "Unit 1", "due_date": "2026-10-27"}
    known = known_line_item(line_item_id="known")
    verdicts = judged(scores=[], sis_line_items=[foreign | twin], known=known)
    assert codes(verdicts.assessments) == expected


def test_several_broken_rules_stand_in_the_order_of_the_table() -> None:
    verdicts = judged(
        assessment={
            "grading_type": "standards",
            "points_possible": 10.5,
            "title": A50,
            "type": "Exam",
            "due_at": None,
        },
        scores=[],
        staff=[],
    )
    assert codes(verdicts.assessments).split() == [
        "grading.not_points",
        "points.total_not_whole",
        "title.too_long",
        "due.missing",
        "assigner.not_synced",
        "category.unmapped",
    ]


@pytest.mark.parametrize(
    ("zone", "assigned", "due", "assign_date", "due_date"),
    [
        # clocks go back at 02:00 on 11-01 and forward at 02:00 on 03-08 in Los Angeles
        ("America/Los_Angeles", "2026-11-01 00:30", "2026-11-01 23:59", "2026-11-01", "2026-11-01"),
        ("America/Los_Angeles", "2027-03-08 00:00", "2027-03-08 23:59", "2027-03-08", "2027-03-08"),
        ("Pacific/Kiritimati", "2026-10-20 00:00", "2026-10-20 23:59", "2026-10-20", "2026-10-20"),
        ("Pacific/Honolulu", "2026-10-20 00:00", "2026-10-20 23:59", "2026-10-20", "2026-10-20"),
    ],
)
def test_days_are_those_of_the_districts_zone(
    zone: str, assigned: str, due: str, assign_date: str, due_date: str
) -> None:
    verdicts = judged(assessment={"assigned_at": assigned, "due_at": due}, scores=[], said={"timezone": zone})
    assert verdicts.line_items["assign_date"].tolist() == [assign_date]
    assert verdicts.line_items["due_date"].tolist() == [due_date]


def test_a_passing_assessment_goes_out_with_its_trimmed_title_category_and_period() -> None:
    line_item = judged(assessment={"title": "  Unit 1 "}, scores=[]).line_items.to_dict("records")
    assert line_item == [
        {
            "assessment_id": "a1",
            "class_id": "c1",
            "sis_class_id": "K1",
            "title": "Unit 1",
            "category_id": "G1",
            "period_id": "Q2",
            "assign_date": "2026-10-20",
            "due_date": "2026-10-27",
            "points_possible": 10.0,
            "adopts": "",
        }
    ]
