"""Which category of the SIS an assessment belongs to: by mapping, name, import, class and term."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from passback import records
from passback.rules.categories import add_category
from passback.sis import PROFILES
from rules.scene import frame_of

Row = dict[str, Any]
FALL = {"term_id": "T1", "term_start": "2026-08-17", "term_end": "2026-12-18"}
SPRING = {"term_id": "T2", "term_start": "2027-01-05", "term_end": "2027-05-28"}
UNKNOWN_TERM = {"term_id": "T9"}


def categorised(
    categories: list[Row],
    *,
    sis: str,
    type_: str = "Quiz",
    group: Row | None = None,
    mapped: dict[str, str] | None = None,
    due: str | None = "2026-10-27",
    gradebook: bool | None = None,
) -> Row:
    """The columns that one assessment of class K1 gets; of a source with groups where `group` is given."""
    frame = pd.DataFrame(
        {
            "type": pd.Series([type_.strip()], dtype="str"),
            "sis_class_id": pd.Series(["K1"], dtype="str"),
            "class_on_roster": True,
            "class_has_gradebook": pd.Series([gradebook], dtype="boolean"),
            "gradebook_readable": True,
            "assign_date": pd.Series(["2026-10-20"], dtype="str"),
            "due_date": pd.Series([due], dtype="str"),
        }
    )
    groups = None
    if group is not None:
        given = {"type": type_, "group_sis_id": "", "group_term_id": ""} | group
        groups = pd.DataFrame({name: pd.Series([value], dtype="str") for name, value in given.items()})
    add_category(frame, groups, frame_of(records.SIS_CATEGORIES, categories), mapped, PROFILES[sis])
    (row,) = frame.astype("object").where(frame.notna(), None).to_dict("records")
    return row


def category(key: str, title: str, of: str = "", code: str = "", **term: str) -> Row:
    return {"category_id": key, "title": title, "sis_class_id": of, "code": code, **term}


QUIZ = category("G1", "Quiz", code="QZ")


@pytest.mark.parametrize(
    ("mapped", "expected"),
    [
        ("Quiz", "G1"),
        (" Quiz ", "G1"),
        ("QZ", "G1"),
        ("Quiz (QZ)", "G1"),
        ("quiz", None),
        ("qz", None),
        ("Quizzes", None),
    ],
)
@pytest.mark.parametrize("sis", ["aeries", "skyward", "aspen", "generic"])
def test_a_mapping_names_a_category_by_title_or_code_exactly(
    sis: str, mapped: str, expected: str | None
) -> None:
    row = categorised([QUIZ, category("G2", "Test", code="TS")], sis=sis, mapped={"Quiz": mapped})
    assert row["category_id"] == expected
    assert row["category_in_sis"] is (expected is not None)


def test_a_type_that_is_not_mapped_has_no_category_at_all() -> None:
    row = categorised([QUIZ], sis="skyward", type_="Essay", mapped={"Quiz": "Quiz"})
    assert (row["category_title"], row["category_id"], row["category_in_sis"]) == (None, None, None)


def test_of_two_with_one_title_the_code_behind_it_tells_which() -> None:
    both = [category("G1", "Work", code="CW"), category("G2", "Work", code="HW")]
    assert categorised(both, sis="skyward", mapped={"Quiz": "Work"})["category_id"] is None
    assert categorised(both, sis="skyward", mapped={"Quiz": "Work (HW)"})["category_id"] == "G2"


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        ([category("G1", "Quiz"), category("G2", "Quiz")], "G1"),  # of the global list the first counts
        ([category("G1", "Quiz"), category("G2", "Quiz", "K1")], "G2"),  # the class's own before it
        ([category("G2", "Quiz", "K1"), category("G1", "Quiz")], "G2"),
        ([category("G2", "Quiz", "K2"), category("G1", "Quiz")], "G1"),  # another class's never
        ([category("G2", "Quiz", "K2")], None),
        ([category("G3", "Quiz", "K1"), category("G2", "Quiz", "K1")], "G3"),
        ([category("G1", "Quiz"), category("G2", "Other", "K1", code="Quiz")], "G1"),  # a title before a code
    ],
)
def test_aspens_classes_have_categories_of_their_own_before_the_global_ones(
    categories: list[Row], expected: str | None
) -> None:
    assert categorised(categories, sis="aspen", group={})["category_id"] == expected


@pytest.mark.parametrize("sis", ["aspen", "synergy"])
@pytest.mark.parametrize(
    ("group", "mapped", "found", "named"),
    [
        ("Quiz", None, "G1", True),
        ("quiz", None, "G1", False),
        (" Quiz", None, "G1", False),
        ("Q u i z", None, None, None),
        ("QZ", None, "G1", False),
        ("Quizzes", None, None, None),
        ("Quizzes", {"Quizzes": "Quiz"}, "G1", False),
        ("Quiz", {"Quiz": "Quiz"}, "G1", True),
        ("Quiz", {"Quiz": "quiz"}, None, None),
    ],
)
def test_where_the_name_is_the_link_a_nearly_equal_one_is_told_as_such(
    sis: str,
    group: str,
    mapped: dict[str, str] | None,
    found: str | None,
    named: bool | None,  # noqa: FBT001 - a column of the table
) -> None:
    row = categorised([QUIZ], sis=sis, type_=group, group={}, mapped=mapped)
    assert row["category_id"] == found
    assert row["group_named_as_category"] is named


@pytest.mark.parametrize("sis", ["aeries", "skyward", "aspire", "generic", "infinite_campus", "powerschool"])
def test_elsewhere_only_exactly_the_same_name_counts(sis: str) -> None:
    assert categorised([QUIZ], sis=sis, type_="quiz", group={})["category_id"] is None
    assert categorised([QUIZ], sis=sis, type_="quiz")["category_in_sis"] is False
    assert categorised([QUIZ], sis=sis, type_="Quiz")["category_id"] == "G1"


def test_a_source_without_groups_is_not_asked_for_their_names() -> None:
    row = categorised([QUIZ], sis="aspen", type_="Homework", mapped={"Homework": "Quiz"})
    assert row["category_id"] == "G1"
    assert row["group_named_as_category"] is None


TERMS = [category("T1-Q", "Quiz", **FALL), category("T2-Q", "Quiz", **SPRING)]


@pytest.mark.parametrize(
    ("group", "due", "imported", "found"),
    [
        ({"group_sis_id": "T1-Q", "group_term_id": "T1"}, "2026-08-17", True, "T1-Q"),
        ({"group_sis_id": "T1-Q", "group_term_id": "T1"}, "2026-12-18", True, "T1-Q"),
        ({"group_sis_id": "T1-Q", "group_term_id": "T1"}, "2026-08-16", False, None),
        ({"group_sis_id": "T1-Q", "group_term_id": "T1"}, "2026-12-19", False, None),
        ({"group_sis_id": "T1-Q", "group_term_id": "T1"}, "2027-01-05", False, "T2-Q"),
        ({"group_sis_id": "T2-Q", "group_term_id": "T2"}, "2027-01-05", True, "T2-Q"),
        ({"group_sis_id": "T1-Q"}, "2026-10-27", True, "T1-Q"),  # the group does not say its term
        ({"group_sis_id": "T1-Q", "group_term_id": "T2"}, "2026-10-27", False, "T1-Q"),
        ({"group_sis_id": "T1-Q", "group_term_id": "T1"}, None, True, "T1-Q"),  # the assign date decides
        ({"group_sis_id": "T2-Q", "group_term_id": "T2"}, None, False, "T1-Q"),
        ({"group_sis_id": "gone", "group_term_id": "T1"}, "2026-10-27", False, "T1-Q"),
        ({}, "2026-10-27", False, "T1-Q"),
    ],
)
def test_aspires_groups_count_for_the_term_that_they_were_imported_for(
    group: Row,
    due: str | None,
    imported: bool,  # noqa: FBT001 - a column of the table
    found: str | None,
) -> None:
    row = categorised(TERMS, sis="aspire", group=group, due=due)
    assert row["group_imported"] is imported
    assert row["category_id"] == found


@pytest.mark.parametrize(("of", "imported"), [("", True), ("K1", True), ("K2", False)])
def test_a_group_of_another_classs_category_is_not_imported(of: str, imported: bool) -> None:  # noqa: FBT001 - a column of the table
    row = categorised([category("T1-Q", "Quiz", of, **FALL)], sis="aspire", group={"group_sis_id": "T1-Q"})
    assert row["group_imported"] is imported
    assert row["category_in_sis"] is imported


@pytest.mark.parametrize("sis", sorted(PROFILES))
def test_assignments_that_are_in_no_group_have_no_category(sis: str) -> None:
    row = categorised([QUIZ], sis=sis, type_="", group={})
    assert (row["category_title"], row["category_id"]) == (None, None)


def test_an_imported_group_may_be_called_anything() -> None:
    row = categorised(TERMS, sis="aspire", type_="My quizzes", group={"group_sis_id": "T1-Q"})
    assert (row["category_id"], row["category_in_sis"], row["group_imported"]) == ("T1-Q", True, True)


def test_a_group_that_a_teacher_made_is_told_as_not_imported_and_nothing_else() -> None:
    row = categorised(TERMS, sis="aspire", type_="My quizzes", group={})
    assert (row["category_in_sis"], row["group_imported"]) == (None, False)


def test_a_source_without_groups_imports_none_and_finds_the_terms_category_by_name() -> None:
    row = categorised(TERMS, sis="aspire", due="2027-02-01")
    assert (row["category_id"], row["group_imported"]) == ("T2-Q", None)


def test_a_term_that_the_sis_does_not_list_holds_on_any_day() -> None:
    row = categorised(
        [category("T9-Q", "Quiz", **UNKNOWN_TERM)], sis="aspire", group={"group_sis_id": "T9-Q"}
    )
    assert (row["category_id"], row["group_imported"]) == ("T9-Q", True)


@pytest.mark.parametrize(
    ("of_class", "gradebook", "expected"),
    [
        ([], None, None),  # the SIS lists no class's categories
        ([category("K1_QZ", "Quiz", "K1", code="QZ")], None, True),
        ([category("G1", "Little quiz", "K1")], None, True),  # the same id
        (
            [category("K1_QZ", "Little quiz", "K1", code="QZ")],
            None,
            True,
        ),  # its title was changed, not its code
        ([category("K1_TS", "Test", "K1", code="TS")], None, False),
        ([category("K2_QZ", "Quiz", "K2", code="QZ")], None, False),
        ([], False, False),  # the class has no gradebook
        ([], True, None),
        ([category("K1_QZ", "Quiz", "K1", code="QZ")], False, False),
    ],
)
def test_a_gradebook_has_the_category_wherever_the_sis_can_tell(
    of_class: list[Row],
    gradebook: bool | None,  # noqa: FBT001 - a column of the table
    expected: bool | None,  # noqa: FBT001 - as above
) -> None:
    row = categorised([QUIZ, *of_class], sis="aeries", mapped={"Quiz": "QZ"}, gradebook=gradebook)
    assert row["category_id"] == "G1"
    assert row["category_in_gradebook"] is expected


def test_aspens_global_categories_are_in_every_gradebook() -> None:
    row = categorised([QUIZ, category("C1", "Essay", "K1")], sis="aspen", group={})
    assert row["category_in_gradebook"] is True


@pytest.mark.parametrize("sis", sorted(PROFILES))
def test_a_sis_without_categories_has_none_for_anything(sis: str) -> None:
    row = categorised([], sis=sis, group={})
    assert row["category_id"] is None
    assert row["category_in_gradebook"] is None
