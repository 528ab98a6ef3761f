"""A feed's page is what the contract says, or it is refused without a word of its values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from passback.errors import ContractError
from passback.records import ASSESSMENTS, SCORES
from passback.sources.contract import (
    ASSESSMENT_COLLECTION,
    COLLECTIONS,
    SCORE_COLLECTION,
    Collection,
    canonical,
    read_page,
)

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


def page(*items: Any, **changes: Any) -> bytes:
    envelope = {"as_of": "2026-11-22T18:00:00Z", "total": len(items), "items": items, "next": None}
    return json.dumps(envelope | changes).encode()


def scores(*items: Any) -> Any:
    return canonical("scores", read_page(SCORE_COLLECTION, page(*items), "feed").items, "feed: scores")


def assessments(*items: Any) -> Any:
    return canonical("assessments", read_page(ASSESSMENT_COLLECTION, page(*items), "feed").items, "feed")


@pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda collection: collection.name)
def test_an_empty_page_makes_an_empty_frame(collection: Collection) -> None:
    assert canonical(collection.name, read_page(collection, page(), "feed").items, "feed").empty


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
        ({"points": True}, r"\$\[1\]\.points"),
        ({"student_id": 5}, r"\$\[1\]\.student_id"),
        ({"student_id": ""}, r"\$\[1\]\.student_id"),
        ({"student_id": "s\x00"}, r"\$\[1\]\.student_id"),
        ({"modified_at": "2026-11-03T15:00:00"}, r"\$\[1\]\.modified_at"),
        ({"modified_at": "yesterday"}, r"\$\[1\]\.modified_at"),
        ({"graded_at": "2026-13-03T15:00:00Z"}, "field graded_at.*the first is record 2"),
        ({"status": "secretly"}, "field status.*the first is record 2"),
        ({"status": None}, r"\$\[1\]\.status"),
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
        (b'{"as_of": "2026-11-22T18:00:00Z", "total": 1, "items": [NaN], "next": null}', "not JSON"),
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
    with pytest.raises(ContractError, match="points"):
        read_page(SCORE_COLLECTION, page(SCORE | {"points": True}, gone), "feed")


@pytest.mark.parametrize("as_of", ["2026-02-30T10:00:00Z", "2026-11-22T18:00:00+99:00"])
def test_a_clock_that_shows_no_instant_is_refused(as_of: str) -> None:
    with pytest.raises(ContractError, match="field as_of: the page has an instant that does not exist"):
        read_page(SCORE_COLLECTION, page(as_of=as_of), "feed")
