"""What a SIS says it holds, in whichever version and however oddly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from passback.oneroster import Services, held_line_items, held_results, v1p1
from passback.oneroster.held import flag
from passback.oneroster.ids import line_item_id, result_id

if TYPE_CHECKING:
    from passback.oneroster.v1p1 import LineItemValues, ResultValues

BASE = "https://sis.example.org/ims/oneroster/v1p1"
STAMP: Any = {"modified": datetime(2026, 11, 22, tzinfo=UTC), "services": Services(BASE, BASE)}

LINE_ITEM: LineItemValues = {
    "sourced_id": "li-1",
    "sis_class_id": "1001.0.01",
    "title": "Chapter 7",
    "category_id": "301",
    "period_id": "9203",
    "assign_date": "2026-11-02",
    "due_date": "2026-11-20",
    "points_possible": 20.0,
    **STAMP,
}
RESULT: ResultValues = {
    "sourced_id": "re-1",
    "line_item_id": "li-1",
    "sis_student_id": "70/01",
    "score": 17.5,
    "score_status": "fully graded",
    "score_date": "2026-11-21",
    "comment": "",
    **STAMP,
}


def line_item(**changes: Any) -> dict[str, Any]:
    return v1p1.line_item(**LINE_ITEM) | changes


def result(**changes: Any) -> dict[str, Any]:
    return v1p1.result(**RESULT) | changes


def test_what_a_sis_echoes_reads_back_as_it_was_sent() -> None:
    assert held_line_items([line_item()]).to_dict("records") == [
        {
            "line_item_id": "li-1",
            "passback_id": "",
            "sis_class_id": "1001.0.01",
            "title": "Chapter 7",
            "category_id": "301",
            "period_id": "9203",
            "assign_date": "2026-11-02",
            "due_date": "2026-11-20",
            "points_possible": 20.0,
        }
    ]
    assert held_results([result()]).to_dict("records") == [
        {
            "result_id": "re-1",
            "line_item_id": "li-1",
            "sis_student_id": "70/01",
            "score": 17.5,
            "score_status": "fully graded",
            "score_date": "2026-11-21",
            "mark": "",
        }
    ]


@pytest.mark.parametrize("status", ["tobedeleted", "inactive"])
def test_a_deleted_record_is_not_held(status: str) -> None:
    assert held_line_items([line_item(status=status)]).empty
    assert held_results([result(status=status)]).empty


def test_numbers_as_text_instants_for_dates_and_missing_scores_are_read() -> None:
    held = held_results(
        [result(score="17.50", scoreDate="2026-11-21T00:00:00.000Z"), result(sourcedId="re-2", score=None)]
    )
    assert held["score"].tolist()[0] == 17.5
    assert held["score"].isna().tolist() == [False, True]
    assert held["score_date"].tolist() == ["2026-11-21"] * 2


@pytest.mark.parametrize(
    ("fields", "mark"),
    [
        ({"late": "true"}, "late"),
        ({"late": True}, "late"),
        ({"missing": "True"}, "missing"),
        ({"late": "false", "missing": "true"}, "missing"),
        ({"late": "false", "missing": False}, ""),
        ({"comment": "Late"}, "late"),
        ({"comment": " missing "}, "missing"),
        ({"comment": "Late again, see me"}, ""),
        ({"comment": None, "late": None}, ""),
        ({"comment": 17, "late": "maybe"}, ""),
    ],
)
def test_a_mark_is_read_from_a_flag_of_either_version_or_from_our_own_comment(
    fields: dict[str, Any], mark: str
) -> None:
    assert held_results([result(**fields)])["mark"].tolist() == [mark]


@pytest.mark.parametrize(
    ("value", "told"),
    [(True, True), ("true", True), ("TRUE", True), (False, False), ("false", False), (1, None), ("", None)],
)
def test_a_flag_is_read_as_either_version_writes_it(value: object, told: bool | None) -> None:  # noqa: FBT001
    assert flag({"primary": value}, "primary") is told


@pytest.mark.parametrize(
    ("change", "what", "column", "left"),
    [
        ({"score": "student 4711"}, "results[1]: score is no number", "score", None),
        ({"score": 10**400}, "results[1]: score is no number", "score", None),
        ({"scoreStatus": 4711}, "results[1]: scoreStatus is no text", "score_status", ""),
        ({"student": "4711"}, "results[1]: student is no reference", "sis_student_id", ""),
        ({"lineItem": {"href": "4711"}}, "results[1].lineItem: sourcedId is missing", "line_item_id", ""),
    ],
)
def test_a_field_of_another_type_is_told_without_its_value_stays_empty_and_costs_no_other(
    caplog: pytest.LogCaptureFixture, change: dict[str, Any], what: str, column: str, left: object
) -> None:
    held = held_results([result(), result(sourcedId="re-2") | change])
    assert held["result_id"].tolist() == ["re-1", "re-2"]
    assert (None if held[column].isna()[1] else held[column][1]) == left
    assert held["score_date"].tolist() == ["2026-11-21"] * 2
    assert f"1 of 2 results are not what OneRoster says, such as {what}" in caplog.text
    assert "4711" not in caplog.text


def test_our_ids_are_known_again_by_a_sis_that_keeps_them_as_guids_in_capitals() -> None:
    item = line_item_id("otus", "a1", "1001.0.01")
    score = result_id(item, "70/01")
    held = held_results(
        [result(sourcedId=score.upper(), lineItem={"sourcedId": item.upper(), "type": "lineItem"})]
    )
    assert held_line_items([line_item(sourcedId=item.upper())])["line_item_id"].tolist() == [item]
    assert held[["result_id", "line_item_id"]].to_numpy().tolist() == [[score, item]]


@pytest.mark.parametrize("theirs", ["LI-1", "0E984725-C51C-4BF4-9960-E1C80E27ABA0", "{ABC}"])
def test_an_id_of_the_sis_is_kept_as_it_writes_it(theirs: str) -> None:
    assert held_line_items([line_item(sourcedId=theirs)])["line_item_id"].tolist() == [theirs]
