"""Categories that a mapping file names and the SIS lacks."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

from passback.categories.creating import missing_categories, with_categories
from passback.mapping.model import District
from passback.oneroster.ids import category_id
from passback.records import NEW_CATEGORIES, SIS_CATEGORIES


def district(categories: dict[str, str] | None, *, create: bool = True) -> District:
    sis: dict[str, Any] = {"system": "generic", "connection": "hillside_sis", "create_categories": create}
    return District(
        district="hillside",
        name="Hillside",
        timezone="America/Denver",
        schedule=None,
        effective_date=date(2026, 8, 17),
        source={"system": "ekadence", "connection": "hillside_ekadence"},
        sis=sis,
        categories=categories,
    )


def held(*rows: dict[str, str]) -> pd.DataFrame:
    """The SIS's categories; each row says what is not empty."""
    columns = list(SIS_CATEGORIES.columns)
    return SIS_CATEGORIES.conform(
        pd.DataFrame([dict.fromkeys(columns, "") | row for row in rows], columns=columns)
    )


def titles(new: pd.DataFrame) -> list[str]:
    return list(new["title"])


def test_a_mapped_category_that_the_sis_lacks_is_to_be_created_under_a_derived_id() -> None:
    new = missing_categories(
        held({"category_id": "c1", "title": "Test"}), district({"Q": "Quiz", "T": "Test"})
    )
    assert new.to_dict("records") == [{"category_id": category_id("hillside", "Quiz"), "title": "Quiz"}]
    assert list(new.columns) == list(NEW_CATEGORIES.columns)


@pytest.mark.parametrize(
    "there",
    [
        {"title": "Quiz"},
        {"title": " Quiz "},
        {"title": "Short tests", "code": "Quiz"},
        {"title": "Quiz", "term_id": "T1"},
    ],
)
def test_what_the_sis_has_by_name_or_code_is_not_created(there: dict[str, str]) -> None:
    assert missing_categories(held({"category_id": "c1"} | there), district({"Q": "Quiz"})).empty


def test_a_name_with_its_code_behind_it_is_there_as_well() -> None:
    quiz = held({"category_id": "c1", "title": "Quiz", "code": "QZ"})
    assert missing_categories(quiz, district({"Q": "Quiz (QZ)"})).empty


def test_a_category_of_one_class_is_none_of_the_district() -> None:
    of_class = held({"category_id": "c1", "title": "Quiz", "sis_class_id": "K1"})
    assert titles(missing_categories(of_class, district({"Q": "Quiz"}))) == ["Quiz"]


def test_types_that_share_a_category_create_it_once() -> None:
    shared = district({"Quiz": "Tests", "Test": "Tests", "Lab": "Labs"})
    assert titles(missing_categories(held(), shared)) == ["Labs", "Tests"]


@pytest.mark.parametrize("mapping", [district(None), district({"Q": "Quiz"}, create=False)])
def test_nothing_is_created_without_a_mapping_or_the_districts_word(mapping: District) -> None:
    new = missing_categories(held(), mapping)
    assert new.empty
    assert list(new.columns) == list(NEW_CATEGORIES.columns)


def test_the_same_category_has_the_same_id_every_night_and_another_in_another_district() -> None:
    first, again = (missing_categories(held(), district({"Q": "Quiz"})) for _ in range(2))
    assert first["category_id"].tolist() == again["category_id"].tolist()
    assert category_id("lakeview", "Quiz") != category_id("hillside", "Quiz")


def test_rules_see_what_is_to_be_created_as_a_category_of_the_district() -> None:
    there = held({"category_id": "c1", "title": "Test"})
    both = with_categories(there, missing_categories(there, district({"Q": "Quiz"})))
    assert both[["title", "sis_class_id", "term_id"]].to_numpy().tolist() == [
        ["Test", "", ""],
        ["Quiz", "", ""],
    ]
    SIS_CATEGORIES.conform(both)
    pd.testing.assert_frame_equal(with_categories(there, NEW_CATEGORIES.empty()), there)
