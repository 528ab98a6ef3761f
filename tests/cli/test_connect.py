"""What `passback check --connect` makes of what a SIS says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from passback.cli.connect import _categories, _periods
from passback.mapping.file import read_district
from passback.records import SIS_CATEGORIES, SIS_PERIODS

if TYPE_CHECKING:
    from pathlib import Path

    from passback.mapping.model import District

TITLES = ("Assignment", "Classwork", "Homework", "Lab", "Observation", "Project", "Quiz", "Test")


@pytest.fixture
def lakeview(mappings: Path) -> District:
    return read_district("lakeview", mappings)


def categories(*titles: str, sis_class_id: str = "") -> pd.DataFrame:
    rows = [(f"c{number}", title, sis_class_id) for number, title in enumerate(titles)]
    return pd.DataFrame(rows, columns=list(SIS_CATEGORIES.columns), dtype="str")


def periods(*closed: bool) -> pd.DataFrame:
    rows = [
        ("class", f"p{number}", f"P{number}", f"2026-0{number}-01", f"2026-0{number}-28", is_closed)
        for number, is_closed in enumerate(closed, 1)
    ]
    return pd.DataFrame(rows, columns=list(SIS_PERIODS.columns))


def test_categories_that_are_there_are_good(lakeview: District) -> None:
    (finding,) = _categories(lakeview, categories(*TITLES))
    assert finding.good
    assert finding.found == f"there: {', '.join(TITLES)}"


def test_a_missing_category_is_named_with_its_types_and_the_nearest(lakeview: District) -> None:
    there = [title for title in TITLES if title != "Project"]
    good, bad = _categories(lakeview, categories(*there, "Projects"))
    assert good.good
    assert not bad.good
    assert "'Project', to which Journal, Paper, Presentation, Project is mapped" in bad.found
    assert "Nearest there: Projects." in bad.found
    assert bad.mend


def test_a_category_of_one_class_alone_does_not_count(lakeview: District) -> None:
    held = pd.concat([categories(*TITLES[:-1]), categories("Test", sis_class_id="class")])
    assert [finding.good for finding in _categories(lakeview, held)] == [True, False]


@pytest.mark.parametrize(
    ("closed", "good", "told"),
    [
        ((True, False), True, "P1 2026-01-01 to 2026-01-28 closed; P2 2026-02-01 to 2026-02-28 open"),
        ((True, True), False, "all are closed: P1"),
        ((), False, "the SIS lists none"),
    ],
)
def test_grading_periods_need_an_open_one(closed: tuple[bool, ...], good: bool, told: str) -> None:  # noqa: FBT001 - a table
    finding = _periods(periods(*closed), "Skyward")
    assert finding.good is good
    assert told in finding.found
    assert bool(finding.mend) is not good
