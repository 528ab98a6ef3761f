"""A class id of OneRoster as the section that the native interface knows."""

from __future__ import annotations

import pytest

from passback.aeries.classes import section_of


@pytest.mark.parametrize(
    ("sis_class_id", "school", "section"),
    [
        ("994_1001", 994, 1001),
        ("994_100101", 994, 100101),
        ("990_TN_421", 990, 421),  # without a master schedule the section is the teacher's number
        ("990_17", 990, 17),  # the same before 2019
    ],
)
def test_a_class_is_a_section_of_a_school(sis_class_id: str, school: int, section: int) -> None:
    assert section_of(sis_class_id) == (school, section)


@pytest.mark.parametrize(
    "sis_class_id", ["", "994", "994_", "_1001", "994_1001_2", "994_TN_", "994_abc", "994_\u0661"]
)
def test_what_names_no_section_is_none(sis_class_id: str) -> None:
    assert section_of(sis_class_id) is None
