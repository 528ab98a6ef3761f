"""What the rules make of a class or a score that goes out over Aeries' own interface."""

from __future__ import annotations

from typing import Any

import pytest

from rules.scene import FACTS, codes, judged

Row = dict[str, Any]


def over(transport: str, of_class: Row, *, score: Row | None = None, **sis: Any) -> Any:
    class_id = of_class["sis_class_id"]
    return judged(
        source="csv",
        sis="aeries",
        score={"points": 8.0} | (score or {}),
        classes=[{"class_id": "c1", "sis_class_id": class_id}],
        sis_classes=[of_class],
        sis_enrollments=[{"sis_class_id": class_id, "sis_student_id": "P1"}],
        sis_periods=[period | {"sis_class_id": class_id} for period in FACTS["sis_periods"]],
        said={"sis": {"system": "aeries", "connection": "x", "transport": transport, **sis}},
    )


@pytest.mark.parametrize(
    ("of_class", "sis", "over_oneroster", "natively"),
    [
        ({"sis_class_id": "990_TN_421"}, {}, "school.no_master_schedule", ""),
        (
            {"sis_class_id": "990_2101", "school_id": "990"},
            {"schools_without_master_schedule": ["990"]},
            "school.no_master_schedule",
            "",
        ),
        ({"sis_class_id": "994_1", "gradebook": "several"}, {}, "gradebook.several", "gradebook.several"),
        ({"sis_class_id": "994_1", "gradebook": "linked"}, {}, "gradebook.linked", "gradebook.linked"),
        ({"sis_class_id": "994_1"}, {"linked_gradebooks": ["994_1"]}, *["gradebook.linked"] * 2),
        (
            {"sis_class_id": "994_1", "gradebook": "unreadable"},
            {},
            "gradebook.not_readable",
            "gradebook.not_readable",
        ),
        ({"sis_class_id": "994_1", "gradebook": "unlinked"}, {}, "", ""),
    ],
)
def test_a_class_is_judged_by_its_gradebook_not_by_its_school(
    of_class: Row, sis: Row, over_oneroster: str, natively: str
) -> None:
    for transport, expected in (("oneroster", over_oneroster), ("native", natively)):
        assert codes(over(transport, of_class, **sis).assessments) == expected


@pytest.mark.parametrize(
    ("score", "natively"),
    [
        ({"status": "excused", "points": None}, "score.excused_unsupported"),
        ({"status": "excused", "points": 7.0}, "score.excused_unsupported"),
        ({"status": "graded"}, ""),
        ({"status": "graded", "mark": "late"}, ""),
    ],
)
def test_a_student_who_is_excused_is_refused_where_nobody_can_be_told(score: Row, natively: str) -> None:
    of_class = {"sis_class_id": "994_1", "gradebook": "unlinked"}
    assert codes(over("oneroster", of_class, score=score).scores) == ""
    found = over("native", of_class, score=score)
    assert codes(found.scores) == natively
    assert found.results["mark"].tolist() == ([] if natively else [""])


def test_of_a_gradebook_that_is_not_shown_nothing_is_said_about_its_categories() -> None:
    of_class = {"sis_class_id": "994_1", "gradebook": "unreadable"}
    found = judged(
        source="csv",
        sis="aeries",
        classes=[{"class_id": "c1", "sis_class_id": "994_1"}],
        sis_classes=[of_class, {"sis_class_id": "994_2", "gradebook": "unlinked"}],
        sis_categories=[
            *FACTS["sis_categories"],
            {"category_id": "G1", "title": "Quiz", "sis_class_id": "994_2"},
        ],
        sis_periods=[period | {"sis_class_id": "994_1"} for period in FACTS["sis_periods"]],
    )
    assert codes(found.assessments) == "gradebook.not_readable"
