"""What `passback check --connect` makes of what platform and SIS say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from passback.categories.matching import NAMES
from passback.cli.connect import (
    _categories,
    _clock,
    _gradebooks,
    _matches,
    _OfSis,
    _periods,
    _permissions,
    try_connections,
)
from passback.mapping.file import read_district
from passback.oneroster.probe import Permission
from passback.records import SIS_CATEGORIES, SIS_CLASSES, SIS_ENROLLMENTS, SIS_PERIODS
from passback.sis import PROFILES

if TYPE_CHECKING:
    from pathlib import Path

    from district import SampleDistrict
    from passback.mapping.model import District

TITLES = ("Assignment", "Classwork", "Homework", "Lab", "Observation", "Project", "Quiz", "Test")


@pytest.fixture
def mapped(mappings: Path) -> District:
    """The sample district's mapping."""
    return read_district("lakeview", mappings)


def table(frame: Any, *rows: dict[str, Any]) -> pd.DataFrame:
    empty = {"str": "", "bool": False, "boolean": None}
    full = [{name: empty[dtype] for name, dtype in frame.columns.items()} | row for row in rows]
    return frame.conform(pd.DataFrame(full, columns=list(frame.columns)))


def categories(*titles: str, **more: str) -> pd.DataFrame:
    rows = [
        {"category_id": f"c{number}{title}", "title": title, **more} for number, title in enumerate(titles)
    ]
    return table(SIS_CATEGORIES, *rows)


def names_of(district: District) -> pd.DataFrame:
    assert district.categories is not None
    return table(NAMES, *({"name": name} for name in district.categories))


def periods(*closed: bool) -> pd.DataFrame:
    rows = [
        {
            "sis_class_id": "class",
            "period_id": f"p{number}",
            "title": f"P{number}",
            "start_date": f"2026-0{number}-01",
            "end_date": f"2026-0{number}-28",
            "closed": is_closed,
        }
        for number, is_closed in enumerate(closed, 1)
    ]
    return table(SIS_PERIODS, *rows)


# --- Categories ---


def test_categories_that_are_there_are_good(mapped: District) -> None:
    (finding,) = _categories(mapped, categories(*TITLES), names_of(mapped))
    assert finding.good
    assert sorted(finding.found.removeprefix("there: ").split(", ")) == sorted(TITLES)


def test_a_missing_category_is_named_with_each_of_its_types_and_the_nearest(mapped: District) -> None:
    there = [title for title in TITLES if title != "Project"]
    found = list(_categories(mapped, categories(*there, "Projects"), names_of(mapped)))
    bad = [finding for finding in found if not finding.good]
    assert [finding.found.split(", to which ")[1].split(" is mapped")[0] for finding in bad] == [
        "Journal",
        "Paper",
        "Presentation",
        "Project",
    ]
    assert all("has no category 'Project'" in finding.found for finding in bad)
    assert "Projects" in bad[-1].found
    assert all(finding.mend for finding in bad)


def test_a_category_of_one_class_alone_does_not_count_for_the_district(mapped: District) -> None:
    held = pd.concat([categories(*TITLES[:-1]), categories("Test", sis_class_id="class")])
    bad = [finding for finding in _categories(mapped, held, names_of(mapped)) if not finding.good]
    assert len(bad) == 1
    assert "'Test'" in bad[0].found


def test_no_category_at_all_is_one_finding(mapped: District) -> None:
    (finding,) = _categories(mapped, categories(), names_of(mapped))
    assert not finding.good


# --- Grading periods, gradebooks, permissions, clock, rosters ---


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


@pytest.mark.parametrize(
    ("skew", "good", "told"),
    [
        (None, True, "does not tell"),
        (0.0, True, "0 s"),
        (-60.0, True, "60 s"),
        (61.0, False, "61 s ahead of"),
        (-7200.0, False, "7,200 s behind"),
    ],
)
def test_a_clock_may_be_a_minute_wrong(skew: float | None, good: bool, told: str) -> None:  # noqa: FBT001 - a table
    finding = _clock(skew, PROFILES["skyward"])
    assert finding.good is good
    assert told in finding.found


def test_each_permission_and_scope_that_is_missing_is_named() -> None:
    said = _OfSis(
        [
            Permission("classes", readable=True, status=200),
            Permission("results", readable=False, status=403, words="No."),
        ],
        ["https://purl.imsglobal.org/spec/or/v1p1/scope/gradebook.createput"],
        None,
        None,
    )
    good, results, scope = _permissions(said, PROFILES["aeries"])
    assert (good.good, results.good, scope.good) == (True, False, False)
    assert "may read classes" in good.found
    assert "may not read results (403: No.)" in results.found
    assert "gradebook.createput was asked for and not granted" in scope.found


def test_gradebooks_and_schools_are_told_where_the_sis_tells_them(mapped: District) -> None:
    classes = table(
        SIS_CLASSES,
        {"sis_class_id": "1", "gradebook": "none"},
        {"sis_class_id": "2", "gradebook": "linked"},
        {"sis_class_id": "3", "master_schedule": False},
    )
    gradebooks, schools = _gradebooks(classes, mapped, PROFILES["aeries"])
    assert "1 linked" in gradebooks.found
    assert "1 none" in gradebooks.found
    assert "no scores: 1." in gradebooks.mend
    assert "Linked gradebooks, so no scores: 2." in gradebooks.mend
    assert schools.found.startswith("1 ")
    assert list(_gradebooks(table(SIS_CLASSES, {"sis_class_id": "1"}), mapped, PROFILES["aeries"])) == []


@pytest.mark.parametrize(("known", "good"), [(4, True), (2, True), (1, False), (0, False)])
def test_a_roster_of_which_most_is_unknown_is_another_years(
    mapped: District,
    known: int,
    good: bool,  # noqa: FBT001 - a table
) -> None:
    frames = {
        "classes": pd.DataFrame({"sis_class_id": [f"K{number}" for number in range(4)]}),
        "students": pd.DataFrame({"sis_student_id": [f"P{number}" for number in range(4)]}),
    }
    facts = {
        SIS_CLASSES.name: table(SIS_CLASSES, *({"sis_class_id": f"K{number}"} for number in range(known))),
        SIS_ENROLLMENTS.name: table(
            SIS_ENROLLMENTS, *({"sis_class_id": "K0", "sis_student_id": f"P{number}"} for number in range(4))
        ),
    }
    classes, students = _matches(mapped, frames, facts)
    assert classes.good is good
    assert f"{known} of 4" in classes.found
    assert ("K3" in classes.found) is (known < 4)  # a class is named, a student never is
    assert students.good
    assert "P0" not in students.found


# --- Against the sandbox ---


def test_what_was_made_wrong_in_the_sandbox_is_found(lakeview: SampleDistrict) -> None:
    control = lakeview.sandbox.control
    control("PATCH", "/settings", {"clock_skew_seconds": 3600})
    control("DELETE", "/sis/categories/301")
    for period in ("9203", "9204"):
        control("PATCH", f"/sis/periods/{period}", {"status": "closed"})
    try:
        findings = try_connections(read_district("lakeview"), say=lambda _: None)
    finally:
        control("PATCH", "/settings", {"clock_skew_seconds": 0})
    assert {finding.check for finding in findings if not finding.good} == {
        "clock",
        "categories",
        "grading periods",
    }


def test_a_wrong_secret_is_told_and_the_platform_still_tried(lakeview: SampleDistrict) -> None:
    lakeview.sandbox.fault("token", "bad-secret")
    findings = try_connections(read_district("lakeview"), say=lambda _: None)
    assert [(finding.check, finding.good) for finding in findings] == [
        ("source otus", True),
        ("SIS skyward", False),
        ("confirmed", True),
        ("confirmed", True),
    ]
    assert "lakeview_skyward" in findings[1].found
