"""Which group is created where: planned from frames, told as a table a person can approve."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from passback.categories.canvas import COURSE_CLASSES, COURSES, GROUPS, CanvasCourses, NewGroup
from passback.categories.imports import (
    IMPORT_PLAN,
    approved,
    by_course,
    count_states,
    markdown,
    notes,
    plan_import,
    terms_to_import,
    to_create,
)
from passback.errors import ConfigurationError
from passback.ledger.categories import KNOWN_CATEGORIES

if TYPE_CHECKING:
    from passback.records import Frame

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
SPRING = {"term_id": "t2", "term_start": "2026-09-17", "term_end": "2027-01-31"}
FALL = {"term_id": "t1", "term_start": "2026-04-06", "term_end": "2026-09-16"}


def frame(shape: Frame, *rows: dict[str, object]) -> pd.DataFrame:
    blank = {name: None if dtype.startswith("datetime") else "" for name, dtype in shape.columns.items()}
    return shape.conform(pd.DataFrame([blank | row for row in rows], columns=list(shape.columns)))


def category(category_id: str, title: str, **more: object) -> dict[str, object]:
    seen = {"first_seen": NOW - timedelta(days=30), "verified_at": NOW - timedelta(hours=1)}
    return {"category_id": category_id, "title": title, **SPRING, **seen, **more}


def categories(*rows: dict[str, object]) -> pd.DataFrame:
    return frame(KNOWN_CATEGORIES, *rows)


def canvas(*groups: tuple[str, str, str], classes: dict[str, str] | None = None) -> CanvasCourses:
    """Courses 11 (Art) and 12 (Biology), with groups (course, name, category)."""
    of = classes or {"11": "a", "12": "b"}
    return CanvasCourses(
        frame(
            COURSES,
            {"course_id": "11", "course_title": "Art"},
            {"course_id": "12", "course_title": "Biology"},
        ),
        frame(COURSE_CLASSES, *({"course_id": course, "sis_class_id": name} for course, name in of.items())),
        frame(
            GROUPS,
            *(
                {"course_id": course, "group_id": str(number), "name": name, "category_id": category_id}
                for number, (course, name, category_id) in enumerate(groups)
            ),
        ),
    )


def planned(found: CanvasCourses, held: pd.DataFrame, *terms: str) -> list[tuple[str, str, str]]:
    plan = plan_import(found, held, terms or ("t2",), now=NOW)
    return list(zip(plan["course_id"], plan["title"], plan["state"], strict=True))


# --- What is created ---


def test_every_course_gets_every_category_of_the_term() -> None:
    held = categories(category("q", "Quiz"), category("l", "Lab"), category("f", "Quiz", **FALL))
    assert planned(canvas(), held) == [
        ("11", "Lab", "create"),
        ("11", "Quiz", "create"),
        ("12", "Lab", "create"),
        ("12", "Quiz", "create"),
    ]


def test_a_category_of_one_class_goes_into_the_course_of_that_class() -> None:
    held = categories(category("q", "Quiz", sis_class_id="b"), category("l", "Lab"))
    assert ("12", "Quiz", "create") in planned(canvas(), held)
    assert ("11", "Quiz", "create") not in planned(canvas(), held)


def test_a_category_of_all_terms_goes_with_any() -> None:
    held = categories(category("q", "Quiz", term_id="", term_start="", term_end=""))
    assert [state for *_, state in planned(canvas(), held, "", "t2")] == ["create", "create"]


@pytest.mark.parametrize(
    ("held", "group", "state"),
    [
        ({}, ("11", "Quiz", "q"), "exists"),
        ({"title": "Quizzes"}, ("11", "Quiz", "q"), "renamed"),
        ({"retired_at": NOW}, ("11", "Quiz", "q"), "retired"),
        ({}, ("11", "Quiz", ""), "create"),  # a teacher's own
        ({}, ("11", "Quiz", "another"), "create"),
        ({}, ("12", "Quiz", "q"), "create"),  # imported elsewhere
        ({"verified_at": NOW - timedelta(hours=25)}, ("12", "Quiz", "q"), "unverified"),
        ({"verified_at": NOW - timedelta(hours=24)}, ("12", "Quiz", "q"), "create"),
        ({"retired_at": NOW}, ("12", "Quiz", "q"), None),
    ],
)
def test_a_category_meets_what_stands_in_the_course(
    held: dict[str, object], group: tuple[str, str, str], state: str | None
) -> None:
    found = planned(canvas(group), categories({**category("q", "Quiz"), **held}))
    assert [each for course, _, each in found if course == "11"] == ([state] if state else [])


def test_what_is_created_keeps_the_order_of_the_plan() -> None:
    held = categories(category("q", "Quiz"), category("l", "Lab"))
    plan = plan_import(canvas(("11", "Lab", "l")), held, ("t2",), now=NOW)
    assert to_create(plan) == [
        ("11", "Art", [NewGroup("q", "Quiz", "t2")]),
        ("12", "Biology", [NewGroup("l", "Lab", "t2"), NewGroup("q", "Quiz", "t2")]),
    ]


def test_without_courses_or_categories_there_is_nothing_to_plan() -> None:
    nowhere = CanvasCourses(COURSES.empty(), COURSE_CLASSES.empty(), GROUPS.empty())
    for plan in (
        plan_import(nowhere, categories(category("q", "Quiz")), ("t2",), now=NOW),
        plan_import(canvas(), KNOWN_CATEGORIES.empty(), (), now=NOW),
    ):
        assert list(plan.columns) == list(IMPORT_PLAN.columns)
        assert count_states(plan) == {"create": 0, "courses": 0}
        assert (to_create(plan), notes(plan), len(by_course(plan))) == ([], [], 0)


def test_only_what_was_approved_is_created_of_what_would_be_created_now() -> None:
    held = categories(category("q", "Quiz"), category("l", "Lab"))
    before = plan_import(canvas(), held, ("t2",), now=NOW)
    changed = categories(
        category("q", "Quizzes"), category("l", "Lab"), category("p", "Portfolio", first_seen=NOW)
    )
    now = plan_import(canvas(("11", "Lab", "l")), changed, ("t2",), now=NOW)
    agreed = approved(now, before)
    assert list(zip(agreed["course_id"], agreed["title"], strict=True)) == [("12", "Lab")]


# --- Terms ---

BOTH = categories(category("q", "Quiz"), category("f", "Quiz", **FALL))


@pytest.mark.parametrize(
    ("today", "term", "terms"),
    [
        ("2026-09-16", "", ("t1",)),  # both its days belong to a term
        ("2026-09-17", "", ("t2",)),
        ("2027-01-31", "", ("t2",)),
        ("2027-01-31", "t1", ("t1",)),
    ],
)
def test_the_term_is_the_one_that_holds_today_unless_another_is_asked_for(
    today: str, term: str, terms: tuple[str, ...]
) -> None:
    assert terms_to_import(BOTH, today=date.fromisoformat(today), term=term, where="d") == terms


def test_between_two_terms_a_person_must_say_which() -> None:
    with pytest.raises(ConfigurationError) as raised:
        terms_to_import(BOTH, today=date(2027, 2, 1), term="", where="d")
    assert "--term" in raised.value.mend
    assert "t2 (2026-09-17 to 2027-01-31)" in raised.value.mend


def test_a_term_of_retired_categories_alone_is_no_term() -> None:
    held = categories(category("q", "Quiz"), category("f", "Quiz", retired_at=NOW, **FALL))
    with pytest.raises(ConfigurationError):
        terms_to_import(held, today=date(2026, 11, 22), term="t1", where="d")


# --- What a person reads ---


def test_the_approval_shows_counts_and_courses_and_what_to_know() -> None:
    held = categories(
        category("q", "Quizzes"),
        category("l", "Lab"),
        category("r", "Recital", retired_at=NOW),
        category("s", "Sketch", verified_at=NOW - timedelta(days=2)),
    )
    groups = (("11", "Quiz", "q"), ("11", "Recital", "r"), ("12", "Lab", ""))
    plan = plan_import(canvas(*groups), held, ("t2",), now=NOW)
    text = markdown(plan, source="Canvas", sis="Aspire")
    assert "**3 assignment groups** in **2 courses** of Canvas" in text
    assert "| Art | t2 | Lab | 1 |" in text
    assert "| Biology | t2 | Lab, Quizzes | 0 |" in text
    told = " ".join(notes(plan))
    assert all(note in text for note in notes(plan))
    for words in ("1 groups stand under a name", "no longer has", "may not yet be verified", "teacher's own"):
        assert words in told


@pytest.mark.parametrize("title", ["a | b", "<script>", "[x](http://evil)", "two\nlines", "`code`", "**b**"])
def test_a_title_cannot_dress_up_the_approval(title: str) -> None:
    found = canvas()
    found.courses.loc[0, "course_title"] = title
    text = markdown(
        plan_import(found, categories(category("q", "Quiz")), ("t2",), now=NOW), source="C", sis="A"
    )
    (row,) = [line for line in text.splitlines() if "Quiz" in line and "Biology" not in line]
    assert row.replace("\\|", "").count("|") == 5
    assert title not in text


def test_a_district_of_a_thousand_courses_is_shown_in_part() -> None:
    courses = [{"course_id": str(number), "course_title": f"Course {number:04}"} for number in range(1000)]
    found = CanvasCourses(frame(COURSES, *courses), COURSE_CLASSES.empty(), GROUPS.empty())
    text = markdown(
        plan_import(found, categories(category("q", "Quiz")), ("t2",), now=NOW), source="C", sis="A"
    )
    assert "**1,000 courses**" in text
    assert "and 800 more courses" in text
