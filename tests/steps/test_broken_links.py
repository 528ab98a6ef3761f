"""Somebody removes an assignment in the SIS: it is noticed, and written anew only where that is wanted."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from passback import ledger
from steps.generic import ASSIGNMENT, SIS_CLASS, TITLE, SmallDistrict, sis_id


@pytest.fixture
def writes() -> str:
    return "put"


@pytest.fixture
def settings(writes: str) -> dict[str, Any]:
    return {"writes": writes}


def broken(report: dict[str, Any]) -> int:
    return report["reasons"].get("sis.link_broken", {}).get("scores", 0)


def removed(district: SmallDistrict, title: str = TITLE) -> dict[str, Any]:
    """A line item of ours that somebody has taken out by hand."""
    item = district.line_item(title)
    district.sandbox.control("POST", "/sis/forget", {"line_item_id": item["sourcedId"]})
    return item


def trail(district: SmallDistrict) -> list[tuple[str, bool]]:
    """Kind, and whether the SIS holds it no more, of every entry."""
    with closing(ledger.connect(district.ledger_url)) as connection, connection.cursor() as cursor:
        assert ledger.verify_trail(connection, "lakeview") is None
        cursor.execute("SELECT kind, to_value IS NULL FROM passback.trail ORDER BY seq")
        return cursor.fetchall()


@pytest.mark.parametrize(
    ("writes", "noticed_by"),
    [
        ("put", "a changed score"),
        ("post", "a changed title"),
        pytest.param("put_without_id", "a full run", marks=pytest.mark.slow),
    ],
)
def test_what_was_removed_is_noticed_and_written_no_more(district: SmallDistrict, noticed_by: str) -> None:
    sent = district.one_class()["outcomes"]["sent"]
    of_the_item = sum(title == TITLE for title, _ in district.scores())
    removed(district)
    there = district.scores()
    match noticed_by:
        case "a changed score":
            district.grade("3", 71)
        case "a changed title":
            district.rename("Renamed")
    report = district.one_class(mode="full" if noticed_by == "a full run" else "changes")
    assert broken(report) == report["outcomes"]["failed"] == of_the_item
    assert district.scores() == there
    assert trail(district).count(("line_item", True)) == 1
    assert trail(district).count(("result", True)) == of_the_item

    district.grade("4", 72)
    written = len(district.sandbox.writes())
    report = district.one_class()
    assert (broken(report), report["outcomes"]["unchanged"]) == (of_the_item, sent - of_the_item)
    assert len(district.sandbox.writes()) == written


@pytest.mark.parametrize(
    ("writes", "noticed_by"),
    [
        ("put", "a changed score"),
        pytest.param("post", "a changed title", marks=pytest.mark.slow),
        ("put_without_id", "a full run"),
    ],
)
def test_where_the_district_wants_it_all_is_back_in_the_same_run(
    district: SmallDistrict, noticed_by: str
) -> None:
    district.says(recreate=True)
    district.one_class()
    before = district.scores()
    removed(district)
    title = TITLE
    match noticed_by:
        case "a changed score":
            district.grade("3", 71)
            before[TITLE, sis_id("3")] = 71
        case "a changed title":
            title = "Renamed"
            district.rename(title)
            before = {
                (title if name == TITLE else name, student): value
                for (name, student), value in before.items()
            }
    report = district.one_class(mode="full" if noticed_by == "a full run" else "changes")
    assert report["outcomes"]["failed"] == 0
    assert district.scores() == before
    assert district.one_class()["written"] == {"line_items": 0, "results": 0}


@pytest.mark.parametrize("writes", ["put", pytest.param("post", marks=pytest.mark.slow)])
def test_a_sis_that_forgets_everything_is_filled_again_by_a_full_run(district: SmallDistrict) -> None:
    district.one_class()
    before = district.scores()
    district.sandbox.control("POST", "/sis/forget", {"class_id": SIS_CLASS})
    assert broken(district.one_class(mode="full")) == len(before)
    assert district.scores() == {}
    district.says(recreate=True)
    assert district.one_class()["outcomes"]["sent"] == len(before)
    assert district.scores() == before
    assert district.one_class()["written"] == {"line_items": 0, "results": 0}


@pytest.mark.parametrize("writes", ["put", pytest.param("put_without_id", marks=pytest.mark.slow)])
def test_what_is_put_back_by_hand_is_linked_again_by_a_full_run(district: SmallDistrict) -> None:
    district.one_class()
    before = district.scores()
    item = removed(district)
    district.grade("3", 71)
    assert broken(district.one_class()) > 0
    district.sandbox.control("PUT", f"/sis/lineItems/{item['sourcedId']}", item)
    assert broken(district.one_class()) > 0
    report = district.one_class(mode="full")
    assert report["outcomes"]["failed"] == 0
    assert district.scores() == before | {(TITLE, sis_id("3")): 71}
    assert district.one_class()["written"] == {"line_items": 0, "results": 0}


def test_nothing_is_written_anew_beside_what_a_teacher_put_there_since(district: SmallDistrict) -> None:
    district.says(recreate=True)
    district.one_class()
    item = removed(district)
    district.sandbox.control(
        "POST",
        "/sis/assignments",
        {"class_id": SIS_CLASS, "title": TITLE, "due_date": item["dueDate"][:10], "scores": {}},
    )
    district.grade("3", 71)
    there = district.scores()
    assert broken(district.one_class()) > 0
    assert district.scores() == there
    report = district.one_class()
    assert report["reasons"]["sis.duplicate"]["scores"] > 0
    assert district.scores() == there


@pytest.mark.parametrize("writes", ["put", pytest.param("post", marks=pytest.mark.slow)])
def test_where_it_may_be_taken_over_what_a_teacher_put_there_since_is_the_link(
    district: SmallDistrict,
) -> None:
    district.one_class()
    before = district.scores()
    item = removed(district)
    district.grade("3", 71)
    assert broken(district.one_class()) > 0
    theirs = district.sandbox.control(
        "POST",
        "/sis/assignments",
        {
            "class_id": SIS_CLASS,
            "title": TITLE,
            "due_date": item["dueDate"][:10],
            "scores": {sis_id("3"): 11},
        },
    )["lineItem"]["sourcedId"]
    district.says(adopt=True)
    report = district.one_class()
    assert report["outcomes"]["failed"] == 0
    told = [(row["kind"], row["assessment_title"]) for row in report["for_a_person"]]
    assert told == [("taken_over_in_sis", TITLE)]
    assert district.scores() == before | {(TITLE, sis_id("3")): 71}
    assert district.line_item()["sourcedId"] == theirs
    report = district.one_class()
    assert report["written"] == {"line_items": 0, "results": 0}
    assert report["for_a_person"] == []


@pytest.mark.parametrize("writes", ["put_without_id"])
def test_a_copy_that_carries_our_id_takes_the_place_of_what_was_removed(district: SmallDistrict) -> None:
    district.says(recreate=True)
    district.one_class()
    before = district.scores()
    item = removed(district)
    district.sandbox.control("PUT", "/sis/lineItems/copied", item | {"sourcedId": "copied"})
    district.rename("Renamed")
    report = district.one_class()
    assert report["outcomes"]["failed"] == 0
    assert district.line_item("Renamed")["sourcedId"] == "copied"
    assert district.scores() == {
        ("Renamed" if title == TITLE else title, student): score for (title, student), score in before.items()
    }


@pytest.mark.parametrize("status", [404, pytest.param(405, marks=pytest.mark.slow)])
def test_of_a_sis_that_shows_no_gradebook_nothing_is_called_missing(
    district: SmallDistrict, status: int
) -> None:
    match = {"method": "GET", "path": "/lineItems"}
    district.sandbox.fault("sis", "status", status=status, match=match)
    first = district.one_class()
    scores = district.scores()
    assert len(scores) == first["outcomes"]["failed"] > 0
    assert first["reasons"]["sis.not_verified"]["scores"] == len(scores)
    district.rename("Renamed")
    second = district.one_class()
    assert second["reasons"]["sis.not_verified"]["scores"] == second["outcomes"]["failed"] == len(scores)
    assert not {entry for entry in trail(district) if entry[1]}, "nothing was taken for gone"
    district.sandbox.lift_faults()
    assert district.one_class()["outcomes"]["sent"] == len(scores)


def test_a_sis_that_takes_results_of_what_it_does_not_hold_is_found_out_by_reading_back(
    district: SmallDistrict,
) -> None:
    district.one_class()
    of_the_item = sum(title == TITLE for title, _ in district.scores())
    before = district.scores()
    removed(district)
    district.grade("3", 71)
    district.sandbox.fault("sis", "store-nothing", match={"method": "PUT", "path": "/results/"})
    assert broken(district.one_class()) == of_the_item
    assert broken(district.one_class()) == of_the_item
    district.sandbox.lift_faults()
    district.says(recreate=True)
    assert district.one_class()["outcomes"]["sent"] == of_the_item
    assert district.scores() == before | {(TITLE, sis_id("3")): 71}


def test_a_line_item_that_was_taken_and_not_stored_is_sent_again_when_the_task_is_cleared(
    district: SmallDistrict,
) -> None:
    district.sandbox.fault("sis", "store-nothing", match={"method": "PUT", "path": "/lineItems/"}, times=1)
    night = district.night(classes=("AAA-2013J",), assessments=(ASSIGNMENT,))
    for task_id in ("extract-scores", "validate", "transform-to-oneroster", "approve-changes", "load-to-sis"):
        district.step(task_id, night)
    assert district.scores() == {}
    district.step("load-to-sis", night)
    district.step("audit", night)
    report = district.report(night)
    assert report["outcomes"]["failed"] == 0
    assert {title for title, _ in district.scores()} == {TITLE}
