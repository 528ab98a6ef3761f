"""The SIS's categories as they are seen night by night: new, renamed, retired, back again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passback.ledger import CategoryChanges, database, keep_categories, known_categories
from passback.records import SIS_CATEGORIES

if TYPE_CHECKING:
    from passback.ledger import Connection

FIRST_NIGHT = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def night(number: int) -> datetime:
    return FIRST_NIGHT + timedelta(days=number - 1)


def listed(*titles: str, **changed: object) -> pd.DataFrame:
    """Categories whose ids are their titles' first letters."""
    categories = {
        "category_id": [title[:1].lower() for title in titles],
        "title": list(titles),
        "code": "",
        "sis_class_id": "",
        "term_id": "9102",
        "term_start": "2026-09-01",
        "term_end": "2027-01-31",
    }
    return SIS_CATEGORIES.conform(pd.DataFrame(categories | changed))


def told(found: CategoryChanges) -> list[tuple[str, str]]:
    return list(zip(found.changes["change"], found.changes["title"], strict=True))


def keep(
    ledger: Connection, on: int, *titles: str, since: datetime | None = None, district: str = "lakeview"
) -> CategoryChanges:
    return keep_categories(ledger, district, listed(*titles), at=night(on), since=since)


def test_on_the_first_night_every_category_is_new(ledger: Connection) -> None:
    found = keep(ledger, 1, "Quiz", "Test")
    assert (found.verified, found.unlisted) == (2, 0)
    assert told(found) == [("new", "Quiz"), ("new", "Test")]
    known = known_categories(ledger, "lakeview")
    assert list(known["title"]) == ["Quiz", "Test"]
    assert set(known["first_seen"]) == set(known["verified_at"]) == {night(1)}
    assert known["retired_at"].isna().all()
    assert set(known["term_start"]) == {"2026-09-01"}


def test_the_same_list_is_verified_and_tells_nothing(ledger: Connection) -> None:
    keep(ledger, 1, "Quiz")
    found = keep(ledger, 2, "Quiz")
    assert (found.verified, told(found)) == (1, [])
    (known,) = known_categories(ledger, "lakeview").to_dict("records")
    assert (known["first_seen"], known["verified_at"]) == (night(1), night(2))


def test_a_renamed_category_keeps_the_name_it_had_before(ledger: Connection) -> None:
    keep(ledger, 1, "Quiz")
    found = keep(ledger, 2, "Quizzes")
    assert found.changes[["change", "title_before", "title"]].to_numpy().tolist() == [
        ["renamed", "Quiz", "Quizzes"]
    ]
    keep(ledger, 3, "Quizzes")
    (known,) = known_categories(ledger, "lakeview").to_dict("records")
    assert (known["title"], known["title_before"], known["renamed_at"]) == ("Quizzes", "Quiz", night(2))


def test_a_retired_category_is_kept_as_such_and_may_come_back(ledger: Connection) -> None:
    keep(ledger, 1, "Quiz", "Test")
    assert told(keep(ledger, 2, "Test")) == [("retired", "Quiz")]
    assert told(keep(ledger, 3, "Test")) == []
    known = known_categories(ledger, "lakeview").set_index("title")
    assert list(known.index) == ["Test", "Quiz"]
    assert (known.loc["Quiz", "retired_at"], known.loc["Quiz", "verified_at"]) == (night(2), night(1))

    assert told(keep(ledger, 4, "Quiz", "Test")) == [("returned", "Quiz")]
    known = known_categories(ledger, "lakeview").set_index("title")
    assert pd.isna(known.loc["Quiz", "retired_at"])
    assert (known.loc["Quiz", "first_seen"], known.loc["Quiz", "returned_at"]) == (night(1), night(4))


def test_a_category_that_returns_under_another_name_is_told_of_twice(ledger: Connection) -> None:
    keep(ledger, 1, "Quiz", "Test")
    keep(ledger, 2, "Test")
    assert told(keep(ledger, 3, "Quizzes", "Test")) == [("renamed", "Quizzes"), ("returned", "Quizzes")]


def test_a_list_that_is_suddenly_empty_retires_nothing_and_verifies_nothing(ledger: Connection) -> None:
    keep(ledger, 1, "Quiz", "Test")
    found = keep(ledger, 2)
    assert (found.verified, found.unlisted, told(found)) == (0, 2, [])
    known = known_categories(ledger, "lakeview")
    assert known["retired_at"].isna().all()
    assert set(known["verified_at"]) == {night(1)}
    assert told(keep(ledger, 3, "Quiz", "Test")) == []


def test_a_sis_without_any_category_is_nothing_to_tell(ledger: Connection) -> None:
    found = keep(ledger, 1)
    assert (found.verified, found.unlisted, told(found)) == (0, 0, [])


def test_a_step_that_runs_again_tells_what_its_first_try_noticed(ledger: Connection) -> None:
    keep(ledger, 1, "Quiz", "Test")
    began = night(2)
    first = keep_categories(ledger, "lakeview", listed("Quizzes", "Lab"), at=began + timedelta(minutes=1))
    again = keep_categories(
        ledger, "lakeview", listed("Quizzes", "Lab"), at=began + timedelta(hours=9), since=began
    )
    assert told(first) == told(again) == [("new", "Lab"), ("renamed", "Quizzes"), ("retired", "Test")]


def test_an_older_look_does_not_take_back_a_later_verification(ledger: Connection) -> None:
    keep(ledger, 3, "Quiz")
    keep(ledger, 2, "Quiz")
    assert set(known_categories(ledger, "lakeview")["verified_at"]) == {night(3)}


def test_a_category_of_two_classes_is_two(ledger: Connection) -> None:
    both = pd.concat([listed("Quiz", sis_class_id="7b"), listed("Quiz", sis_class_id="8c")])
    assert len(keep_categories(ledger, "lakeview", both, at=night(1)).changes) == 2
    found = keep_categories(ledger, "lakeview", both[:1], at=night(2))
    assert found.changes[["change", "sis_class_id"]].to_numpy().tolist() == [["retired", "8c"]]


@pytest.mark.parametrize(
    ("asked", "retired"),
    [
        (None, ["", "7b", "8c"]),
        ({"7b"}, ["7b"]),
        ({"", "7b"}, ["", "7b"]),
        ({"9d"}, []),
    ],
)
def test_a_list_retires_nothing_of_a_class_that_was_not_asked_for(
    ledger: Connection, asked: set[str] | None, retired: list[str]
) -> None:
    every = pd.concat([listed("Quiz", sis_class_id=where) for where in ("", "7b", "8c")])
    keep_categories(ledger, "lakeview", every, at=night(1))
    other = listed("Test", sis_class_id="7b")
    keep_categories(ledger, "lakeview", other, at=night(2), asked=asked)
    known = known_categories(ledger, "lakeview")
    assert sorted(known.loc[known["retired_at"].notna(), "sis_class_id"]) == retired


def test_a_district_does_not_see_another_ones_categories(ledger: Connection) -> None:
    keep(ledger, 1, "Quiz", district="hillside")
    assert told(keep(ledger, 1, "Test")) == [("new", "Test")]
    assert list(known_categories(ledger, "lakeview")["title"]) == ["Test"]


@pytest.mark.parametrize("title", ["Tab\there", "back\\slash", "two\nlines", "'; --", "Ⅷ 🧪 مختبر"])
def test_any_title_comes_back_as_it_was(ledger: Connection, title: str) -> None:
    keep_categories(ledger, "lakeview", listed("Quiz", title=[title]), at=night(1))
    assert list(known_categories(ledger, "lakeview")["title"]) == [title]


@given(st.lists(st.sets(st.sampled_from("abcde"), min_size=1), min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_after_any_nights_the_sis_holds_what_it_listed_last(
    ledger: Connection, nights: list[set[str]]
) -> None:
    with database.transaction(ledger) as cursor:
        cursor.execute("DELETE FROM passback.sis_categories")
    for number, titles in enumerate(nights, 1):
        keep(ledger, number, *sorted(titles))
        assert told(keep(ledger, number, *sorted(titles), since=night(number) + timedelta(1))) == []
    known = known_categories(ledger, "lakeview")
    assert set(known.loc[known["retired_at"].isna(), "title"]) == nights[-1]
    assert set(known["title"]) == set().union(*nights)
