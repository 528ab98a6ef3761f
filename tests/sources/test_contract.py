"""A feed's page is what the contract says, or it is refused without a word of its values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from passback.errors import ContractError
from passback.records import ASSESSMENTS, SCORE_STATUSES, SCORES
from passback.sources.canonical import canonical
from passback.sources.contract import Collection, read_page
from passback.sources.otus import FEED

if TYPE_CHECKING:
    from collections.abc import Callable

ASSESSMENT_COLLECTION, SCORE_COLLECTION = FEED.collections[:2]

ASSESSMENT = {
    "id": "a1",
    "class_id": "biology",
    "title": " Essay ",
    "type": "Paper",
    "grading_type": "points",
    "points_possible": 10,
    "include_in_final_grade": True,
    "assigned_by": "t1",
    "assigned_at": "2026-11-01T15:00:00Z",
    "due_at": None,
    "modified_at": "2026-11-01T15:00:00Z",
}
SCORE = {
    "assessment_id": "a1",
    "class_id": "biology",
    "student_id": "s-secret",
    "status": "graded",
    "points": 8.5,
    "submitted_at": "2026-11-02T15:00:00Z",
    "graded_at": "2026-11-03T15:00:00Z",
    "modified_at": "2026-11-03T15:00:00Z",
}


def quiet(_: str) -> None:
    """Say nothing."""


def page(*items: Any, **changes: Any) -> bytes:
    envelope = {"as_of": "2026-11-22T18:00:00Z", "total": len(items), "items": items, "next": None}
    return json.dumps(envelope | changes).encode()


def frame(collection: Collection, *items: Any, say: Callable[[str], None] = quiet) -> Any:
    read = read_page(collection, page(*items), "feed").items
    return canonical(collection, read, f"feed: {collection.name}", statuses={}, say=say)


def scores(*items: Any, say: Callable[[str], None] = quiet) -> Any:
    return frame(SCORE_COLLECTION, *items, say=say)


def assessments(*items: Any) -> Any:
    return frame(ASSESSMENT_COLLECTION, *items)


@pytest.mark.parametrize("collection", FEED.collections, ids=lambda collection: collection.name)
def test_an_empty_page_makes_an_empty_frame(collection: Collection) -> None:
    assert frame(collection).empty


def test_a_record_becomes_a_row_of_the_canonical_frame() -> None:
    assert list(assessments(ASSESSMENT).columns) == list(ASSESSMENTS.columns)
    rows = scores(SCORE)
    assert list(rows.columns) == list(SCORES.columns)
    assert rows.loc[0, "points"] == 8.5
    assert str(rows.loc[0, "scored_at"]) == "2026-11-03 15:00:00+00:00"


def test_work_that_is_not_graded_yet_counts_from_when_it_was_turned_in() -> None:
    assert str(scores(SCORE | {"graded_at": None}).loc[0, "scored_at"]) == "2026-11-02 15:00:00+00:00"


def test_a_field_that_the_contract_does_not_know_is_passed_over() -> None:
    assert len(scores(SCORE | {"mood": "good"})) == 1


@pytest.mark.parametrize(
    ("title", "read"),
    [(" Essay ", "Essay"), (None, ""), ("a\x00b\nc", "a b c"), ("🦉 שלום", "🦉 שלום")],
)
def test_a_title_is_trimmed_and_its_control_characters_read_as_spaces(title: str | None, read: str) -> None:
    assert assessments(ASSESSMENT | {"title": title}).loc[0, "title"] == read


@pytest.mark.parametrize(
    ("points", "number", "text"),
    [
        (8, 8.0, ""),
        (8.25, 8.25, ""),
        (None, None, ""),
        ("Late", None, "Late"),
        ("85", None, "85"),
        ("", None, ""),
    ],
)
def test_what_stands_for_points_is_a_number_or_kept_as_text(
    points: object, number: float | None, text: str
) -> None:
    rows = scores(SCORE | {"points": points}, SCORE | {"points": 1})
    assert rows["points"].astype("object").where(rows["points"].notna(), None).tolist() == [number, 1.0]
    assert rows["points_text"].tolist() == [text, ""]


def test_a_total_that_is_no_number_is_missing() -> None:
    assert assessments(ASSESSMENT | {"points_possible": "ten"})["points_possible"].isna().all()


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_first_and_the_last_year_are_years(instant: str) -> None:
    assert assessments(ASSESSMENT | {"due_at": instant})["due_at"].notna().all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"student_id": 5}, r"\$\[1\]\.student_id"),
        ({"student_id": ""}, r"\$\[1\]\.student_id"),
        ({"student_id": "s\x00"}, r"\$\[1\]\.student_id"),
        ({"modified_at": "2026-11-03T15:00:00"}, r"\$\[1\]\.modified_at"),
        ({"modified_at": "yesterday"}, r"\$\[1\]\.modified_at"),
        ({"graded_at": 20261103}, r"\$\[1\]\.graded_at"),
        ({"late": "yesterday"}, r"\$\[1\]\.late"),
    ],
)
def test_a_record_that_breaks_the_contract_is_named_by_field_and_never_quoted(
    change: dict[str, object], told: str
) -> None:
    with pytest.raises(ContractError, match=told) as refused:
        scores(SCORE, SCORE | change)
    assert "secret" not in str(refused.value)
    assert "yesterday" not in str(refused.value)


@pytest.mark.parametrize("field", sorted(SCORE))
def test_a_missing_field_is_refused(field: str) -> None:
    with pytest.raises(ContractError, match=f"missing required field `{field}`"):
        scores({name: value for name, value in SCORE.items() if name != field})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<!DOCTYPE html><title>Log in</title>", "a web page, not JSON"),
        (page(SCORE)[:-20], "not JSON"),
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not"),
        (page().replace(b"[]", b"[NaN]"), "Expected `object`, got `str`"),
        (b"[]", "not what the feed contract says"),
        (page(SCORE, total=-1), r"\$\.total"),
        (page(SCORE, total="1"), r"\$\.total"),
        (page(SCORE, next=7), r"\$\.next"),
    ],
)
def test_an_answer_that_is_no_page_is_refused(body: bytes, told: str) -> None:
    with pytest.raises(ContractError, match=told):
        read_page(SCORE_COLLECTION, body, "feed: scores, page 1")


def test_deleted_records_are_told_apart_by_their_keys() -> None:
    gone = {
        "assessment_id": "a2",
        "class_id": "biology",
        "student_id": "s1",
        "deleted": True,
        "modified_at": "-",
    }
    read = read_page(SCORE_COLLECTION, page(SCORE, gone), "feed")
    assert read.items["assessment_id"].tolist() == ["a1"]
    assert read.deleted.to_dict("records") == [
        {"assessment_id": "a2", "class_id": "biology", "student_id": "s1"}
    ]


def test_a_wrong_record_beside_a_deleted_one_is_still_refused() -> None:
    gone = {"assessment_id": "a2", "class_id": "biology", "student_id": "s1", "deleted": True}
    with pytest.raises(ContractError, match="graded_at"):
        read_page(SCORE_COLLECTION, page(SCORE | {"graded_at": True}, gone), "feed")


def test_a_record_that_is_deleted_is_not_live_however_much_is_left_of_it() -> None:
    read = read_page(SCORE_COLLECTION, page(SCORE | {"deleted": True}, SCORE | {"deleted": False}), "feed")
    assert [len(read.items), len(read.deleted)] == [1, 1]


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("sync", "sync_on"),
        ("course_published", "course_published"),
        ("published", "published"),
        ("whole_section", "whole_section"),
        ("due_uniform", "due_uniform"),
    ],
)
def test_what_a_feed_may_leave_out_is_not_said_unless_it_says_it(field: str, column: str) -> None:
    said = assessments(
        ASSESSMENT, ASSESSMENT | {field: None}, ASSESSMENT | {field: True}, ASSESSMENT | {field: False}
    )[column]
    assert said.isna().tolist() == [True, True, False, False]
    assert said[2:].tolist() == [True, False]


@pytest.mark.parametrize(
    ("change", "mark"),
    [
        ({}, ""),
        ({"late": None, "missing": False}, ""),
        ({"late": True}, "late"),
        ({"missing": True}, "missing"),
        ({"late": True, "missing": True}, "missing"),
    ],
)
def test_late_and_missing_stand_beside_the_score(change: dict[str, object], mark: str) -> None:
    rows = scores(SCORE | change)
    assert rows[["points", "mark"]].to_numpy().tolist() == [[8.5, mark]]


@pytest.mark.parametrize("status", SCORE_STATUSES)
def test_every_status_of_a_score_is_read(status: str) -> None:
    assert scores(SCORE | {"status": status})["status"].tolist() == [status]


@pytest.mark.parametrize("as_of", ["2026-02-30T10:00:00Z", "2026-11-22T18:00:00+99:00"])
def test_a_clock_that_shows_no_instant_is_refused(as_of: str) -> None:
    with pytest.raises(ContractError, match="field as_of: the page has an instant that does not exist"):
        read_page(SCORE_COLLECTION, page(as_of=as_of), "feed")
