"""Bodies as OneRoster 1.1 wants them, and what comes back."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passback.errors import ContractError
from passback.oneroster import v1p1

BASE = "https://sis.example.org/ims/oneroster/v1p1"
NOW = datetime(2026, 11, 22, 4, 5, 6, 789_000, tzinfo=timezone(timedelta(hours=-8)))


def line_item(**changes: Any) -> dict[str, Any]:
    values = {
        "sourced_id": "li-1",
        "sis_class_id": "1001.0.01",
        "title": "Chapter 7",
        "category_id": "301",
        "period_id": "9203",
        "assign_date": "2026-11-02",
        "due_date": "2026-11-20",
        "points_possible": 20.0,
    }
    return v1p1.line_item(**(values | changes), modified=NOW, base_url=BASE)


def result(**changes: Any) -> dict[str, Any]:
    values = {
        "sourced_id": "re-1",
        "line_item_id": "li-1",
        "sis_student_id": "70/01",
        "score": 17.5,
        "score_status": "fully graded",
        "score_date": "2026-11-21",
    }
    return v1p1.result(**(values | changes), modified=NOW, base_url=BASE)


def test_a_line_item_has_every_field_that_the_standard_requires() -> None:
    assert line_item() == {
        "sourcedId": "li-1",
        "status": "active",
        "dateLastModified": "2026-11-22T12:05:06.789Z",
        "title": "Chapter 7",
        "assignDate": "2026-11-02T12:00:00.000Z",
        "dueDate": "2026-11-20T12:00:00.000Z",
        "category": {"href": f"{BASE}/categories/301", "sourcedId": "301", "type": "category"},
        "class": {"href": f"{BASE}/classes/1001.0.01", "sourcedId": "1001.0.01", "type": "class"},
        "gradingPeriod": {
            "href": f"{BASE}/academicSessions/9203",
            "sourcedId": "9203",
            "type": "academicSession",
        },
        "resultValueMin": 0.0,
        "resultValueMax": 20.0,
    }


def test_a_result_has_every_field_that_the_standard_requires() -> None:
    assert result() == {
        "sourcedId": "re-1",
        "status": "active",
        "dateLastModified": "2026-11-22T12:05:06.789Z",
        "lineItem": {"href": f"{BASE}/lineItems/li-1", "sourcedId": "li-1", "type": "lineItem"},
        "student": {"href": f"{BASE}/users/70%2F01", "sourcedId": "70/01", "type": "user"},
        "score": 17.5,
        "scoreStatus": "fully graded",
        "scoreDate": "2026-11-21",
    }


@given(
    st.dates(date(1970, 1, 1), date(2100, 1, 1)),
    st.sampled_from(
        [
            "UTC",
            "America/St_Johns",
            "America/New_York",
            "America/Los_Angeles",
            "Pacific/Honolulu",
            "America/Adak",
        ]
    ),
)
def test_a_due_date_stays_on_its_day_in_a_sis_that_cuts_the_time_off_and_in_one_that_converts_it(
    day: date, zone: str
) -> None:
    sent = line_item(due_date=day.isoformat())["dueDate"]
    assert sent[:10] == day.isoformat()
    converted = datetime.fromisoformat(sent).astimezone(ZoneInfo(zone))
    assert converted.date() == day
    held = v1p1.held_line_items([{"sourcedId": "li", "dueDate": converted.isoformat()}])
    assert list(held["due_date"]) == [day.isoformat()]


def test_what_a_sis_echoes_reads_back_as_it_was_sent() -> None:
    assert v1p1.held_line_items([line_item()]).to_dict("records") == [
        {
            "line_item_id": "li-1",
            "sis_class_id": "1001.0.01",
            "title": "Chapter 7",
            "category_id": "301",
            "period_id": "9203",
            "assign_date": "2026-11-02",
            "due_date": "2026-11-20",
            "points_possible": 20.0,
        }
    ]
    assert v1p1.held_results([result()]).to_dict("records") == [
        {
            "result_id": "re-1",
            "line_item_id": "li-1",
            "sis_student_id": "70/01",
            "score": 17.5,
            "score_status": "fully graded",
            "score_date": "2026-11-21",
        }
    ]


@pytest.mark.parametrize("status", ["tobedeleted", "inactive"])
def test_a_deleted_record_is_not_held(status: str) -> None:
    assert v1p1.held_line_items([line_item() | {"status": status}]).empty
    assert v1p1.held_results([result() | {"status": status}]).empty


def test_numbers_as_text_instants_for_dates_and_missing_scores_are_read() -> None:
    records = [
        result() | {"score": "17.50", "scoreDate": "2026-11-21T00:00:00.000Z"},
        result() | {"sourcedId": "re-2", "score": None},
    ]
    held = v1p1.held_results(records)
    assert held["score"].tolist()[0] == 17.5
    assert held["score"].isna().tolist() == [False, True]
    assert held["score_date"].tolist() == ["2026-11-21"] * 2


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"score": "student 4711"}, r"results\[0\]: score is no number"),
        ({"scoreStatus": 4711}, r"results\[0\]: scoreStatus is no text"),
        ({"student": "4711"}, r"results\[0\]: student is no reference"),
        ({"lineItem": {"href": "4711"}}, r"results\[0\].lineItem: sourcedId is missing"),
    ],
)
def test_a_field_of_another_type_is_named_and_its_value_is_not(change: dict[str, Any], what: str) -> None:
    with pytest.raises(ContractError, match=what) as broken:
        v1p1.held_results([result() | change])
    assert "4711" not in str(broken.value)
