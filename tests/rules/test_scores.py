"""One test a row of RULES section 2 for Skyward, score level, and what goes out (section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rules.scene import ASSESSMENT, SCORE, codes, judged, outcome

if TYPE_CHECKING:
    from passback.stages.validate import Verdicts

NOT_HANDED_IN = {"status": "not_submitted", "points": None, "scored_at": None}


RULE_BY_RULE: list[tuple[dict[str, Any], str, str]] = [
    ({}, "", "passed"),
    ({"points": 8.5}, "", "passed"),
    ({"points": 0.0}, "", "passed"),
    ({"points": -0.0}, "", "passed"),
    ({"points": 12.0}, "", "passed"),
    ({"points": -0.5}, "score.negative", "rejected"),
    ({"points": None}, "score.empty", "held"),
    ({"points": None, "points_text": "Late"}, "score.not_numeric", "rejected"),
    ({"points": None, "points_text": "inf"}, "score.not_numeric", "rejected"),
    ({"status": "turned_in", "points": None}, "score.not_graded", "held"),
    ({"status": "turned_in", "points": 5.0}, "score.not_graded", "held"),
    ({"status": "turned_in", "points": -5.0}, "score.not_graded score.negative", "rejected"),
    ({"status": "something new"}, "score.not_graded", "held"),
    ({"status": "excluded"}, "score.excluded", "rejected"),
    ({"status": "excluded", "points": None}, "score.excluded", "rejected"),
    ({"student_id": "stranger"}, "student.not_enrolled", "rejected"),
    ({"student_id": "stranger", "status": "turned_in"}, "student.not_enrolled score.not_graded", "rejected"),
    (
        {"student_id": "stranger", "status": "excluded", "points": None, "points_text": "Late"},
        "student.not_enrolled score.excluded score.not_numeric",
        "rejected",
    ),
]


@pytest.fixture(scope="module")
def rule_by_rule() -> Verdicts:
    """Verdicts on scores of which each differs in one thing, each of an assessment of its own."""
    cases = range(len(RULE_BY_RULE))
    return judged(
        assessments=[ASSESSMENT | {"assessment_id": f"a{n}"} for n in cases],
        scores=[SCORE | {"assessment_id": f"a{n}"} | RULE_BY_RULE[n][0] for n in cases],
    )


@pytest.mark.parametrize("case", range(len(RULE_BY_RULE)), ids=[f"{change}" for change, _, _ in RULE_BY_RULE])
def test_a_score_has_the_verdict_of_the_rules(case: int, rule_by_rule: Verdicts) -> None:
    _, expected, becomes = RULE_BY_RULE[case]
    verdict = rule_by_rule.scores.loc[case]
    assert verdict["codes"] == expected
    assert verdict["outcome"] == becomes
    assert (verdict["assessment_id"] in set(rule_by_rule.results["assessment_id"])) == (not expected)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, ["", "", "", ""]),
        ({"points.score_not_whole": False, "score.above_total": False}, ["", "", "", ""]),
        ({"points.score_not_whole": True}, ["", "points.score_not_whole", "", "points.score_not_whole"]),
        ({"score.above_total": True}, ["", "", "", "score.above_total"]),
        (
            {"points.score_not_whole": True, "score.above_total": True},
            ["", "points.score_not_whole", "", "points.score_not_whole score.above_total"],
        ),
    ],
)
def test_a_rule_that_is_off_is_switched_on_by_its_code(rules: dict[str, bool], expected: list[str]) -> None:
    points = [8.0, 8.5, 10.0, 10.5]
    verdicts = judged(
        assessments=[ASSESSMENT | {"assessment_id": f"a{n}"} for n in range(4)],
        scores=[SCORE | {"assessment_id": f"a{n}", "points": points[n]} for n in range(4)],
        said={"rules": rules},
    )
    assert verdicts.scores["codes"].tolist() == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-10-26 12:00", "score.not_graded"),  # due on 10-27
        ("2026-10-27 00:00", "score.not_graded"),
        ("2026-10-27 23:59", "score.not_graded"),
        ("2026-10-28 00:00", ""),
        ("2026-11-20 10:00", ""),
    ],
)
def test_missing_work_is_a_zero_from_the_day_after_the_due_date(now: str, expected: str) -> None:
    verdicts = judged(assessment={"due_at": "2026-10-27 08:00"}, score=NOT_HANDED_IN, now=now)
    assert codes(verdicts.scores) == expected
    if expected:
        assert verdicts.results.empty
    else:
        (result,) = verdicts.results.to_dict("records")
        assert result["score"] == 0.0
        assert result["score_status"] == "not submitted"
        assert result["score_date"] == "2026-10-27"


def test_a_district_may_hold_missing_work_in_place_of_a_zero() -> None:
    verdicts = judged(score=NOT_HANDED_IN, said={"rules": {"past_due_zero": False}})
    assert codes(verdicts.scores) == "score.not_graded"
    assert outcome(verdicts.scores) == "held"


@pytest.mark.parametrize("status", ["excluded", "turned_in"])
def test_excused_or_handed_in_work_is_never_a_zero(status: str) -> None:
    assert judged(score=NOT_HANDED_IN | {"status": status}).results.empty


def test_missing_work_of_a_student_who_is_not_enrolled_is_no_zero() -> None:
    verdicts = judged(score=NOT_HANDED_IN | {"student_id": "stranger"})
    assert codes(verdicts.scores) == "student.not_enrolled"


def test_enrollment_is_that_of_the_class() -> None:
    elsewhere = [
        {"sis_class_id": "K2", "sis_student_id": "P1"},
        {"sis_class_id": "K1", "sis_student_id": "P9"},
    ]
    assert codes(judged(sis_enrollments=elsewhere).scores) == "student.not_enrolled"


def test_a_student_without_a_sis_id_is_not_enrolled_whatever_the_sis_lists() -> None:
    verdicts = judged(
        students=[{"student_id": "s1", "sis_student_id": ""}],
        sis_enrollments=[{"sis_class_id": "K1", "sis_student_id": ""}],
    )
    assert codes(verdicts.scores) == "student.not_enrolled"


def test_a_score_of_a_refused_assessment_shares_its_reasons_and_is_not_judged_itself() -> None:
    verdicts = judged(assessment={"title": "", "due_at": None}, score={"points": -1.0, "status": "excluded"})
    assert codes(verdicts.scores) == codes(verdicts.assessments) == "title.missing due.missing"
    assert outcome(verdicts.scores) == "rejected"


def test_a_score_whose_assessment_has_not_come_is_held() -> None:
    verdicts = judged(assessments=[], score={"points": -1.0, "status": "excluded", "student_id": "stranger"})
    assert codes(verdicts.scores) == "assessment.not_in_feed"
    assert outcome(verdicts.scores) == "held"


def test_a_score_of_the_assessment_in_another_class_is_held() -> None:
    verdicts = judged(scores=[SCORE | {"class_id": "c2"}])
    assert codes(verdicts.scores) == "assessment.not_in_feed"


def test_differing_records_of_one_score_are_all_rejected_and_none_is_lost() -> None:
    verdicts = judged(scores=[SCORE, SCORE | {"points": 9.0}, SCORE | {"student_id": "s2"}])
    assert verdicts.scores["codes"].tolist() == ["duplicate.record", "duplicate.record", ""]
    assert verdicts.results["student_id"].tolist() == ["s2"]


def test_two_students_who_are_one_in_the_sis_would_overwrite_each_other() -> None:
    students = [{"student_id": "s1", "sis_student_id": "P1"}, {"student_id": "s2", "sis_student_id": "P1"}]
    verdicts = judged(scores=[SCORE, SCORE | {"student_id": "s2"}], students=students)
    assert verdicts.scores["codes"].tolist() == ["duplicate.record"] * 2


def test_strangers_are_no_duplicates_of_each_other() -> None:
    verdicts = judged(scores=[SCORE | {"student_id": "x"}, SCORE | {"student_id": "y"}])
    assert verdicts.scores["codes"].tolist() == ["student.not_enrolled"] * 2


@pytest.mark.parametrize(
    ("scored", "modified", "expected"),
    [
        ("2026-10-28 23:59", "2026-11-01 09:00", "2026-10-28"),
        ("2026-10-29 00:00", "2026-11-01 09:00", "2026-10-29"),
        (None, "2026-11-01 00:30", "2026-11-01"),
    ],
)
def test_a_score_is_dated_by_the_day_it_was_given_in_the_districts_zone(
    scored: str | None, modified: str, expected: str
) -> None:
    (result,) = judged(score={"scored_at": scored, "modified_at": modified}).results.to_dict("records")
    assert result["score_date"] == expected
    assert result["score_status"] == "fully graded"
    assert result["score"] == 8.5


def test_nothing_to_judge_is_no_error() -> None:
    verdicts = judged(assessments=[], scores=[])
    assert [
        len(frame) for frame in (verdicts.assessments, verdicts.scores, verdicts.line_items, verdicts.results)
    ] == [0] * 4


def test_an_assessment_without_scores_passes() -> None:
    verdicts = judged(assessments=[ASSESSMENT], scores=[])
    assert outcome(verdicts.assessments) == "passed"
    assert len(verdicts.line_items) == 1
