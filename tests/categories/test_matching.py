"""Names beside categories: equal, near, missing; and the rows of YAML that a person pastes."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from passback.categories.matching import CODES, NAMES, Match, advice, code_for, match, yaml_rows
from passback.records import SIS_CATEGORIES
from passback.sis import PROFILES
from passback.sources import SOURCES

ASPEN, AERIES, SKYWARD, ASPIRE = (PROFILES[name] for name in ("aspen", "aeries", "skyward", "aspire"))
CANVAS, EKADENCE, OTUS = (SOURCES[name] for name in ("canvas", "ekadence", "otus"))


def names(*rows: str | tuple[str, str]) -> pd.DataFrame:
    """Names, alone or with the class that uses them."""
    pairs = [row if isinstance(row, tuple) else (row, "") for row in rows]
    return NAMES.conform(pd.DataFrame(pairs, columns=["name", "sis_class_id"]))


def held(*titles: str | tuple[str, str], **changed: object) -> pd.DataFrame:
    """The SIS's categories, of the district or of a class."""
    pairs = [title if isinstance(title, tuple) else (title, "") for title in titles]
    categories = {
        "category_id": [f"c{number}" for number in range(len(pairs))],
        "title": [title for title, _ in pairs],
        "code": "",
        "sis_class_id": [sis_class_id for _, sis_class_id in pairs],
        "term_id": "",
        "term_start": "",
        "term_end": "",
    }
    return SIS_CATEGORIES.conform(pd.DataFrame(categories | changed))


def by_name(found: list[Match]) -> dict[str, tuple[str, str]]:
    return {each.name: (each.state, each.category) for each in found}


# --- eKadence and Aeries, by name ---


def test_a_category_of_the_same_name_is_there() -> None:
    found = match(names("Quiz"), held("Quiz", "Test"), mapped=None, source=EKADENCE, sis=AERIES)
    assert (by_name(found), found[0].good) == ({"Quiz": ("exact", "Quiz")}, True)


def test_a_category_is_also_there_by_its_code() -> None:
    found = match(names("HW"), held("Homework", code="HW"), mapped=None, source=EKADENCE, sis=AERIES)
    assert by_name(found) == {"HW": ("exact", "Homework")}


@pytest.mark.parametrize("near", ["Quizzes", "quiz", "QUIZ ", "Quize"])
def test_a_name_that_is_only_near_is_proposed_not_taken(near: str) -> None:
    found = match(names(near), held("Quiz", "Test"), mapped=None, source=EKADENCE, sis=AERIES)
    assert (found[0].state, found[0].category, found[0].good) == ("near", "Quiz", False)


def test_a_name_that_is_near_to_nothing_has_no_proposal() -> None:
    (found,) = match(names("Xylophone"), held("Quiz"), mapped=None, source=EKADENCE, sis=AERIES)
    assert (found.state, found.category, found.nearest) == ("none", "", ())


def test_no_two_names_are_proposed_the_same_category_where_one_each_is_recommended() -> None:
    found = match(
        names("Homeworks", "Homewerk", "Quiz"),
        held("Homework", "Quiz"),
        mapped=None,
        source=EKADENCE,
        sis=AERIES,
    )
    assert [each.category for each in found].count("Homework") == 1
    assert by_name(found)["Quiz"] == ("exact", "Quiz")


def test_a_category_that_is_taken_is_not_proposed_to_another() -> None:
    found = match(names("Quiz", "Quizz"), held("Quiz"), mapped=None, source=EKADENCE, sis=AERIES)
    assert by_name(found) == {"Quiz": ("exact", "Quiz"), "Quizz": ("none", "")}


def test_names_of_different_classes_may_be_proposed_the_same_category() -> None:
    found = match(
        names(("Quiz", "7b"), ("quiz", "8c"), ("quizz", "7b")),
        held("Quiz"),
        mapped=None,
        source=CANVAS,
        sis=ASPEN,
    )
    assert by_name(found) == {"Quiz": ("exact", "Quiz"), "quiz": ("near", "Quiz"), "quizz": ("none", "")}


def test_another_number_of_categories_is_told() -> None:
    held_there = held("Quiz", "Test", "Lab")
    found = match(names("Quiz", "Test"), held_there, mapped=None, source=EKADENCE, sis=AERIES)
    (told,) = advice(found, held_there, source=EKADENCE, sis=AERIES)
    assert "eKadence has 2 categories, Aeries 3" in told


def test_the_same_number_and_names_leave_nothing_to_say() -> None:
    there = held("Quiz", "Test")
    found = match(names("Quiz", "Test"), there, mapped=None, source=EKADENCE, sis=AERIES)
    assert advice(found, there, source=EKADENCE, sis=AERIES) == []


def test_two_names_that_a_mapping_sends_to_one_category_are_told() -> None:
    there = held("Quiz", "Test")
    mapped = {"Pop quiz": "Quiz", "Long quiz": "Quiz"}
    found = match(names(*mapped), there, mapped=mapped, source=EKADENCE, sis=AERIES)
    assert all(each.state == "mapped" for each in found)
    assert any("Long quiz and Pop quiz" in line for line in advice(found, there, source=EKADENCE, sis=AERIES))


# --- Otus: several types may share a category ---


def test_several_types_may_be_proposed_the_same_category() -> None:
    found = match(names("Tests", "Testing"), held("Test"), mapped=None, source=OTUS, sis=SKYWARD)
    assert [each.category for each in found] == ["Test", "Test"]
    assert advice(found, held("Test"), source=OTUS, sis=SKYWARD) == []


def test_a_type_that_the_mapping_file_leaves_out_or_sends_nowhere_is_missing() -> None:
    there = held("Quiz", "Homework")
    found = match(
        names("Quiz", "Lab", "Paper"),
        there,
        mapped={"Quiz": "Quiz", "Paper": "Homeworks"},
        source=OTUS,
        sis=SKYWARD,
    )
    assert {each.name for each in found if not each.good} == {"Lab", "Paper"}


def test_two_district_categories_of_one_name_are_not_chosen_between() -> None:
    (found,) = match(names("Quiz"), held("Quiz", "Quiz"), mapped=None, source=OTUS, sis=SKYWARD)
    assert (found.state, found.good) == ("several", False)


# --- Aspen: of a class, and by the very name ---


def test_a_category_of_another_class_does_not_count() -> None:
    there = held(("Essay", "7b"), "Quiz")
    found = match(
        names(("Essay", "7b"), ("Essay", "8c"), ("Quiz", "7b"), ("Quiz", "8c")),
        there,
        mapped=None,
        source=CANVAS,
        sis=ASPEN,
    )
    essay, quiz = found
    assert (essay.state, essay.class_ids, essay.missing_in) == ("exact", {"7b", "8c"}, 1)
    assert not essay.good
    assert (quiz.missing_in, quiz.good) == (0, True)


@pytest.mark.parametrize(
    ("name", "advised"),
    [
        ("quiz", "call the group in Canvas exactly Quiz, or the category in Aspen exactly quiz"),
        ("Lab report 3", "add a category of this name in Aspen with a code such as LAB-REPORT-3"),
        ("x" * 51, "shorten the group's name to 50 characters"),
    ],
)
def test_what_to_do_about_a_group_that_is_not_called_as_its_category(name: str, advised: str) -> None:
    there = held("Quiz")
    found = match(names(name), there, mapped=None, source=CANVAS, sis=ASPEN)
    assert advised in " ".join(advice(found, there, source=CANVAS, sis=ASPEN))


@pytest.mark.parametrize(
    ("title", "code", "good"),
    [
        ("x" * 50, "A-1", True),
        ("x" * 51, "A-1", False),
        ("Quiz", "A" * 20, True),
        ("Quiz", "A" * 21, False),
        ("Quiz", "A 1", False),
        ("Quiz", "Ä", False),
        ("Quiz", "", True),  # it does not say
    ],
)
def test_a_category_that_breaks_aspens_limits_is_told(title: str, code: str, *, good: bool) -> None:
    there = held(title, code=code)
    found = match(names(title), there, mapped=None, source=CANVAS, sis=ASPEN)
    assert (advice(found, there, source=CANVAS, sis=ASPEN) == []) is good


@given(st.text(max_size=80))
def test_a_proposed_code_is_one_that_aspen_takes(name: str) -> None:
    code = code_for(name)
    assert not code or CODES["aspen"].fullmatch(code)


# --- Aspire: imported ---


def test_where_categories_are_imported_a_name_does_not_count() -> None:
    there = held("Quiz")
    found = match(names("Quiz"), there, mapped=None, source=CANVAS, sis=ASPIRE)
    (told,) = advice(found, there, source=CANVAS, sis=ASPIRE)
    assert "passback categories import" in told


# --- YAML ---


def test_the_rows_can_be_pasted_under_categories() -> None:
    found = match(
        names("Quiz", "Home work", "Xylophone"),
        held("Quiz", "Homework", "Homewards"),
        mapped=None,
        source=EKADENCE,
        sis=AERIES,
    )
    rows = yaml_rows(found)
    assert yaml.safe_load("categories:\n" + "\n".join(rows)) == {
        "categories": {"Quiz": "Quiz", "Home work": "Homework"}
    }
    assert any("Xylophone" in row and row.strip().startswith("#") for row in rows)
    assert any("look at it" in row for row in rows)


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, unique_by=str.strip))
def test_any_name_is_read_back_from_its_row(titles: list[str]) -> None:
    titles = [title.strip() for title in titles if title.strip()]
    found = [Match(title, frozenset(), title, "exact", 0, ()) for title in titles]
    read = yaml.safe_load("\n".join(["categories:", *yaml_rows(found)]))["categories"] or {}
    assert read == {title: title for title in titles}
