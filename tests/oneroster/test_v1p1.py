"""Bodies as OneRoster 1.1 wants them."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oneroster.models_v1p1 import SingleCategory, SingleLineItem, SingleResult
from oneroster.stub_sis import SKYWARD
from passback.oneroster import Services, held_line_items, v1p1

if TYPE_CHECKING:
    from oneroster.stub_sis import StubSis

BASE = "https://sis.example.org/ims/oneroster/v1p1"
SERVICES = Services(BASE, BASE)
NOW = datetime(2026, 11, 22, 4, 5, 6, 789_000, tzinfo=timezone(timedelta(hours=-8)))


def line_item(**changes: Any) -> dict[str, Any]:
    values: Any = {
        "sourced_id": "li-1",
        "sis_class_id": "1001.0.01",
        "title": "Chapter 7",
        "category_id": "301",
        "period_id": "9203",
        "assign_date": "2026-11-02",
        "due_date": "2026-11-20",
        "points_possible": 20.0,
    }
    return v1p1.line_item(**({"modified": NOW, "services": SERVICES} | values | changes))


def result(**changes: Any) -> dict[str, Any]:
    values: Any = {
        "sourced_id": "re-1",
        "line_item_id": "li-1",
        "sis_student_id": "70/01",
        "score": 17.5,
        "score_status": "fully graded",
        "score_date": "2026-11-21",
        "comment": "",
    }
    return v1p1.result(**({"modified": NOW, "services": SERVICES} | values | changes))


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
    held = held_line_items([{"sourcedId": "li", "dueDate": converted.isoformat()}])
    assert list(held["due_date"]) == [day.isoformat()]


def test_a_line_item_without_a_period_leaves_it_to_the_sis() -> None:
    assert "gradingPeriod" not in line_item(period_id="")


def test_excused_work_without_a_score_goes_out_with_the_score_that_1_1_requires_and_its_status() -> None:
    body = result(score=None, score_status="exempt")
    assert (body["score"], body["scoreStatus"]) == (0.0, "exempt")


@pytest.mark.parametrize("comment", ["Late", "Missing"])
def test_a_comment_goes_out_beside_the_score(comment: str) -> None:
    assert result(comment=comment) == result() | {"comment": comment}


def test_the_two_services_may_have_addresses_of_their_own() -> None:
    services = Services("https://roster.example.org/r", "https://grades.example.org/g")
    item, score = line_item(services=services), result(services=services)
    hrefs = [item[name]["href"] for name in ("category", "class", "gradingPeriod")]
    hrefs += [score[name]["href"] for name in ("lineItem", "student")]
    assert [href.partition(".example.org")[0] for href in hrefs] == [
        "https://grades",
        "https://roster",
        "https://roster",
        "https://grades",
        "https://roster",
    ]


# --- By the models of the standard ---

TITLES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)


@given(title=TITLES, points=st.floats(0, 1e6), due=st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_a_line_item_is_what_the_standard_says(title: str, points: float, due: date) -> None:
    body = line_item(title=title, points_possible=points, due_date=due.isoformat())
    SingleLineItem.model_validate_json(json.dumps({"lineItem": body}))


@given(
    score=st.none() | st.floats(0, 1e6) | st.integers(0, 1000),
    status=st.sampled_from(["fully graded", "exempt", "not submitted"]),
    comment=st.sampled_from(["", "Late", "Missing"]),
)
def test_a_result_is_what_the_standard_says(score: float | None, status: str, comment: str) -> None:
    body = result(score=score, score_status=status, comment=comment)
    SingleResult.model_validate_json(json.dumps({"result": body}))
    SingleResult.model_validate_json(json.dumps({"result": body | {"status": "tobedeleted"}}))


def test_a_category_is_what_the_standard_says() -> None:
    body = v1p1.category(sourced_id="cat-1", title="Quizzes", modified=NOW)
    assert body == {
        "sourcedId": "cat-1",
        "status": "active",
        "dateLastModified": "2026-11-22T12:05:06.789Z",
        "title": "Quizzes",
    }
    SingleCategory.model_validate_json(json.dumps({"category": body}))


async def test_what_the_client_sends_is_what_the_standard_says(stub: StubSis) -> None:
    category = v1p1.category(sourced_id="cat-1", title="Quizzes", modified=NOW)
    async with stub.client(profile=SKYWARD) as sis:
        await sis.put("category", "cat-1", category)
        await sis.put("lineItem", "4711", line_item())
        await sis.put("result", "re-1", result())
    for call, model in zip(stub.calls, (SingleCategory, SingleLineItem, SingleResult), strict=True):
        model.model_validate(call.body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"late": "true"},
        {"score": "17.5"},
        {"score": None},
        {"comment": ""},
        {"scoreStatus": "fullyGraded"},
        {"scoreDate": "2026-11-21T00:00:00.000Z"},
        {"dateLastModified": "2026-11-21"},
        {"student": {"sourcedId": "1"}},
        {"student": {"href": "users/1", "sourcedId": "1", "type": "user"}},
    ],
)
def test_the_models_refuse_what_the_standard_does_not_say(wrong: dict[str, Any]) -> None:
    """Or the tests above could not fail."""
    with pytest.raises(ValidationError):
        SingleResult.model_validate({"result": result() | wrong})
