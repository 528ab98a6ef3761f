"""What a person has taken out of passback is refused before any rule is asked."""

from __future__ import annotations

import pytest

from rules.scene import ASSESSMENT, SCORE, judged

SUPPRESSED = ("rejected", "suppressed.by_person")
TWO_STUDENTS = [SCORE, SCORE | {"student_id": "s2"}]
BOTH_ENROLLED = [
    {"sis_class_id": "K1", "sis_student_id": "P1"},
    {"sis_class_id": "K1", "sis_student_id": "P2"},
]


@pytest.mark.parametrize("out", [("assessment", "a1"), ("class", "c1"), ("student", "s1")])
def test_what_is_taken_out_is_refused_and_not_sent(out: tuple[str, str]) -> None:
    verdicts = judged(suppressed=[out])
    assert list(verdicts.scores[["outcome", "codes"]].itertuples(index=False, name=None)) == [SUPPRESSED]
    assert verdicts.results.empty


@pytest.mark.parametrize(
    "out", [("assessment", "c1"), ("class", "a1"), ("student", "a1"), ("assessment", "a2"), ("class", "C1")]
)
def test_what_has_another_id_or_is_of_another_kind_passes(out: tuple[str, str]) -> None:
    assert list(judged(suppressed=[out]).scores["outcome"]) == ["passed"]


@pytest.mark.parametrize(
    ("out", "line_items"), [(("assessment", "a1"), 0), (("class", "c1"), 0), (("student", "s1"), 1)]
)
def test_a_line_item_goes_out_unless_it_or_its_class_is_taken_out(
    out: tuple[str, str], line_items: int
) -> None:
    assert len(judged(suppressed=[out]).line_items) == line_items


def test_a_student_who_is_taken_out_keeps_nobody_else_back() -> None:
    verdicts = judged(scores=TWO_STUDENTS, sis_enrollments=BOTH_ENROLLED, suppressed=[("student", "s1")])
    assert list(verdicts.scores[["outcome", "codes"]].itertuples(index=False, name=None)) == [
        SUPPRESSED,
        ("passed", ""),
    ]
    assert list(verdicts.results["student_id"]) == ["s2"]


@pytest.mark.parametrize(
    ("assessment", "score"), [({"title": "x" * 80}, {}), ({}, {"status": "turned_in", "points": None})]
)
def test_no_rule_is_asked_about_what_is_taken_out(
    assessment: dict[str, object], score: dict[str, object]
) -> None:
    verdicts = judged(assessment=assessment, score=score, suppressed=[("assessment", "a1")])
    assert list(verdicts.scores["codes"]) == ["suppressed.by_person"]
    assert list(verdicts.assessments["codes"]) == ["suppressed.by_person"]


def test_differing_copies_of_what_is_taken_out_are_refused_for_that_alone() -> None:
    copies = [ASSESSMENT, ASSESSMENT | {"title": "Other"}]
    verdicts = judged(assessments=copies, suppressed=[("class", "c1")])
    assert list(verdicts.scores["codes"]) == ["suppressed.by_person"]
