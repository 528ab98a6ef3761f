"""The import into a Canvas that runs: nothing twice, nothing renamed, nothing lost on the way."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from categories.conftest import OTHER_TERM, TERM, TITLES
from passback import ledger
from passback.categories import importing
from passback.categories.canvas import read_courses
from passback.categories.imports import count_states
from passback.errors import (
    BusyError,
    ConfigurationError,
    PassbackError,
    PermissionRefusedError,
    UnavailableError,
)
from passback.mapping.file import read_district

if TYPE_CHECKING:
    import pandas as pd

    from categories.conftest import CanyonRidge

EMPTY, FILLED = "12", "11"  # nobody has imported anything into the first; teachers made their own groups


def plan(canyonridge: CanyonRidge, *, now: datetime | None = None, **asked: Any) -> pd.DataFrame:
    return importing.read_plan(
        canyonridge.district, now=now or datetime.now(UTC), say=lambda _: None, **asked
    )


def carry_out(canyonridge: CanyonRidge, **asked: Any) -> int:
    return importing.carry_out(canyonridge.district, plan(canyonridge, **asked), say=lambda _: None)


def states(found: pd.DataFrame, course: str) -> dict[str, str]:
    rows = found[found["course_id"].eq(course)]
    return dict(zip(rows["title"], rows["state"], strict=True))


def test_the_categories_of_the_current_term_become_groups_with_their_id_and_term(
    canyonridge: CanyonRidge,
) -> None:
    assert carry_out(canyonridge, courses=(EMPTY,)) == len(TITLES)
    assert [name for name, _ in canyonridge.imported(EMPTY)] == TITLES
    assert {category_id[:5] for _, category_id in canyonridge.imported(EMPTY)} == {f"{TERM}-"}
    assert canyonridge.imported(EMPTY, OTHER_TERM) == []


def test_an_import_that_runs_twice_changes_nothing(canyonridge: CanyonRidge) -> None:
    assert carry_out(canyonridge) > 0
    before = {course: canyonridge.groups(course) for course in (EMPTY, FILLED, "901")}
    again = plan(canyonridge)
    assert count_states(again)["create"] == 0
    assert carry_out(canyonridge) == 0
    assert {course: canyonridge.groups(course) for course in before} == before


def test_two_that_planned_the_same_create_it_once(canyonridge: CanyonRidge) -> None:
    first = plan(canyonridge, courses=(EMPTY,))
    second = plan(canyonridge, courses=(EMPTY,))
    assert importing.carry_out(canyonridge.district, first, say=lambda _: None) == len(TITLES)
    assert importing.carry_out(canyonridge.district, second, say=lambda _: None) == 0
    assert len(canyonridge.imported(EMPTY)) == len(TITLES)


def test_a_teachers_own_group_of_the_same_name_is_left_as_it_is(canyonridge: CanyonRidge) -> None:
    own = canyonridge.groups(EMPTY)
    assert {group["name"] for group in own} == {"Assignment", "Quiz", "Test"}
    found = plan(canyonridge, courses=(EMPTY,))
    assert set(found.loc[found["own_group"], "title"]) == {"Assignment", "Quiz", "Test"}
    carry_out(canyonridge, courses=(EMPTY,))
    assert canyonridge.groups(EMPTY)[: len(own)] == own


def test_what_was_imported_before_is_told_and_only_the_rest_created(canyonridge: CanyonRidge) -> None:
    told = states(plan(canyonridge, courses=(FILLED,)), FILLED)
    assert {title for title, state in told.items() if state == "exists"} == {"Assignment", "Quiz", "Test"}
    assert carry_out(canyonridge, courses=(FILLED,)) == len(TITLES) - 3
    assert sorted(name for name, _ in canyonridge.imported(FILLED)) == TITLES


def test_a_course_that_the_sis_does_not_know_is_left_out(canyonridge: CanyonRidge) -> None:
    courses = {"id": 77, "name": "Staff room", "account_id": 1, "workflow_state": "available"}
    canyonridge.sandbox.control("PUT", "/canvas/courses", courses)
    assert "Staff room" not in set(plan(canyonridge)["course_title"])
    with pytest.raises(ConfigurationError, match="77"):
        plan(canyonridge, courses=("77",))


def test_a_course_that_has_ended_is_left_out(canyonridge: CanyonRidge) -> None:
    over = (datetime.now(UTC) - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    canyonridge.sandbox.control("PATCH", f"/canvas/courses/{EMPTY}", {"end_at": over})
    assert EMPTY not in set(plan(canyonridge)["course_id"])


def test_an_unpublished_course_gets_its_groups_before_it_is_published(canyonridge: CanyonRidge) -> None:
    assert "Workshop unpublished" in set(plan(canyonridge)["course_title"])


# --- Terms ---


def test_another_term_is_imported_on_demand(canyonridge: CanyonRidge) -> None:
    assert carry_out(canyonridge, courses=(EMPTY,), term=OTHER_TERM) == len(TITLES)
    assert canyonridge.imported(EMPTY) == []
    assert [name for name, _ in canyonridge.imported(EMPTY, OTHER_TERM)] == TITLES


def test_an_unknown_term_is_refused_with_those_that_are_known(canyonridge: CanyonRidge) -> None:
    with pytest.raises(ConfigurationError) as raised:
        plan(canyonridge, term="9999")
    assert TERM in raised.value.mend
    assert OTHER_TERM in raised.value.mend


# --- What the SIS changes ---


def test_what_the_sis_renames_retires_and_adds_is_told_and_never_followed(canyonridge: CanyonRidge) -> None:
    carry_out(canyonridge, courses=(EMPTY,))
    before = canyonridge.groups(EMPTY)
    canyonridge.put_category(f"{TERM}-307", title="Quizzes")
    canyonridge.put_category(f"{TERM}-308", status="tobedeleted")
    canyonridge.put_category(f"{TERM}-309", title="Portfolio", metadata={"termId": TERM})
    with closing(ledger.connect(canyonridge.ledger_url)) as connection:
        noticed = ledger.keep_categories(
            connection,
            "canyonridge",
            importing.read_categories(canyonridge.district, say=print),
            at=datetime.now(UTC),
        )
    told = noticed.changes.set_index("change")["title"].to_dict()
    assert told == {"new": "Portfolio", "renamed": "Quizzes", "retired": "Test"}

    told = states(plan(canyonridge, courses=(EMPTY,)), EMPTY)
    assert (told["Quizzes"], told["Test"], told["Portfolio"]) == ("renamed", "retired", "create")
    assert carry_out(canyonridge, courses=(EMPTY,)) == 1
    assert canyonridge.groups(EMPTY)[:-1] == before
    assert canyonridge.groups(EMPTY)[-1]["name"] == "Portfolio"


def test_a_category_not_verified_within_a_day_is_not_imported(canyonridge: CanyonRidge) -> None:
    now = datetime.now(UTC)
    plan(canyonridge, courses=(EMPTY,), now=now)  # the first time, the categories are collected
    fresh = plan(canyonridge, courses=(EMPTY,), now=now + timedelta(hours=24))
    assert count_states(fresh)["create"] == len(TITLES)
    stale = plan(canyonridge, courses=(EMPTY,), now=now + timedelta(hours=24, seconds=1))
    assert (count_states(stale)["create"], count_states(stale)["unverified"]) == (0, len(TITLES))


# --- What goes wrong on the way ---


@pytest.mark.parametrize("kind", ["drop-after-commit", "error-after-commit", "truncate"])
def test_an_answer_that_was_lost_makes_no_second_group(canyonridge: CanyonRidge, kind: str) -> None:
    canyonridge.sandbox.fault("feed", kind, match={"method": "POST"}, times=1, after=2)
    assert carry_out(canyonridge, courses=(EMPTY,)) == len(TITLES)
    assert [name for name, _ in canyonridge.imported(EMPTY)] == TITLES


@pytest.mark.parametrize("kind", ["drop", "status"])
def test_a_request_that_did_not_arrive_is_sent_again(canyonridge: CanyonRidge, kind: str) -> None:
    status = {"status": 503} if kind == "status" else {}
    canyonridge.sandbox.fault("feed", kind, match={"method": "POST"}, times=1, after=1, **status)
    carry_out(canyonridge, courses=(EMPTY,))
    assert [name for name, _ in canyonridge.imported(EMPTY)] == TITLES


def test_a_throttled_request_waits_and_goes_on(canyonridge: CanyonRidge) -> None:
    canyonridge.sandbox.fault("feed", "status", status=429, match={"method": "POST"}, times=1)
    carry_out(canyonridge, courses=(EMPTY,))
    assert [name for name, _ in canyonridge.imported(EMPTY)] == TITLES


def test_an_import_that_was_stopped_half_way_goes_on_where_it_stood(canyonridge: CanyonRidge) -> None:
    canyonridge.sandbox.fault("feed", "drop", match={"method": "POST"}, after=3)
    with pytest.raises(UnavailableError):
        carry_out(canyonridge, courses=(EMPTY,))
    assert len(canyonridge.imported(EMPTY)) == 3
    canyonridge.sandbox.lift_faults()
    assert carry_out(canyonridge, courses=(EMPTY,)) == len(TITLES) - 3
    assert [name for name, _ in canyonridge.imported(EMPTY)] == TITLES


def test_an_import_that_was_killed_between_two_courses_goes_on_with_the_rest(
    canyonridge: CanyonRidge,
) -> None:
    found = plan(canyonridge)

    def killed(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        importing.carry_out(canyonridge.district, found, say=killed)
    assert 0 < count_states(plan(canyonridge))["create"] < count_states(found)["create"]
    carry_out(canyonridge)
    for course in set(found["course_id"]):
        assert sorted(name for name, _ in canyonridge.imported(course)) == TITLES


def test_a_token_that_may_not_manage_assignments_is_told_which_permission_it_lacks(
    canyonridge: CanyonRidge,
) -> None:
    canyonridge.sandbox.control("PATCH", "/canvas/settings", {"canvas_manage_assignments": False})
    try:
        with pytest.raises(PermissionRefusedError) as raised:
            carry_out(canyonridge)
    finally:
        canyonridge.sandbox.control("PATCH", "/canvas/settings", {"canvas_manage_assignments": True})
    assert raised.value.mend


def test_a_token_that_may_not_read_sis_ids_imports_nothing(canyonridge: CanyonRidge) -> None:
    canyonridge.sandbox.control("PATCH", "/canvas/settings", {"canvas_read_sis": False})
    try:
        with pytest.raises(PermissionRefusedError, match="SIS"):
            carry_out(canyonridge)
    finally:
        canyonridge.sandbox.control("PATCH", "/canvas/settings", {"canvas_read_sis": True})


def test_while_one_import_is_under_way_another_is_asked_to_come_back(canyonridge: CanyonRidge) -> None:
    found = plan(canyonridge, courses=(EMPTY,))
    with (
        closing(ledger.connect(canyonridge.ledger_url)) as connection,
        ledger.categories_lock(connection, "canyonridge"),
        pytest.raises(BusyError),
    ):
        importing.carry_out(canyonridge.district, found, say=lambda _: None)
    assert canyonridge.imported(EMPTY) == []


def test_a_night_of_the_district_does_not_keep_an_import_waiting(canyonridge: CanyonRidge) -> None:
    found = plan(canyonridge, courses=(EMPTY,))
    with (
        closing(ledger.connect(canyonridge.ledger_url)) as connection,
        ledger.district_lock(connection, "canyonridge"),
    ):
        assert importing.carry_out(canyonridge.district, found, say=lambda _: None) == len(TITLES)


@pytest.mark.parametrize("name", ["lakeview", "harborview", "brookfield", "eastmoor"])
def test_on_the_other_routes_nothing_is_imported(name: str) -> None:
    with pytest.raises(ConfigurationError, match="not imported") as raised:
        importing.read_plan(read_district(name), now=datetime.now(UTC), say=lambda _: None)
    assert "categories match" in raised.value.mend


def test_canvas_being_down_is_told_without_its_token(canyonridge: CanyonRidge) -> None:
    canyonridge.sandbox.fault("feed", "html")
    with pytest.raises(PassbackError) as raised:
        asyncio.run(read_courses(canyonridge.endpoint, now=datetime.now(UTC), say=lambda _: None))
    assert canyonridge.endpoint.secret not in str(raised.value)
