"""Bodies as OneRoster 1.2 wants them, judged by its official interface document."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from oneroster.stub_sis import BASE
from passback.oneroster import Services, held_line_items, held_results, v1p1, v1p2
from passback.sis import PROFILES

if TYPE_CHECKING:
    from oneroster.stub_sis import StubSis

# Handed out beside the project, not a part of it.
DOCUMENT = Path(__file__).parents[3] / "shared/reference/openapi"
GRADEBOOK = DOCUMENT / "onerosterv1p2gradebookservice_openapi3_v1p0.json"
SERVICES = Services(
    "https://sis.example.org/ims/oneroster/rostering/v1p2",
    "https://sis.example.org/ims/oneroster/gradebook/v1p2",
)
NOW = datetime(2026, 11, 22, 12, 5, 6, 789_000, tzinfo=UTC)

needs_document = pytest.mark.skipif(not GRADEBOOK.exists(), reason=f"{GRADEBOOK.name} is not at hand")


def line_item(**changes: Any) -> dict[str, Any]:
    values: Any = {
        "sourced_id": "li-1",
        "sis_class_id": "1001-01",
        "school_id": "101",
        "title": "Chapter 7",
        "category_id": "301",
        "period_id": "9203",
        "assign_date": "2026-11-02",
        "due_date": "2026-11-20",
        "points_possible": 20.0,
        "modified": NOW,
        "services": SERVICES,
    }
    return v1p2.line_item(**(values | changes))


def result(**changes: Any) -> dict[str, Any]:
    values: Any = {
        "sourced_id": "re-1",
        "line_item_id": "li-1",
        "sis_student_id": "70/01",
        "score": 17.5,
        "score_status": "fully graded",
        "score_date": "2026-11-21",
        "comment": "",
        "mark": "",
        "modified": NOW,
        "services": SERVICES,
    }
    return v1p2.result(**(values | changes))


def is_instant(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def validate(body: dict[str, Any], schema: str) -> None:
    """Judge a body as it goes over the wire by a schema of the gradebook service."""
    document = json.loads(GRADEBOOK.read_text())
    formats = jsonschema.FormatChecker(("date",))
    formats.checks("date-time", raises=ValueError)(is_instant)
    formats.checks("uri")(lambda value: not isinstance(value, str) or bool(urlsplit(value).scheme))
    rule = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    jsonschema.Draft202012Validator(rule, format_checker=formats).validate(json.loads(json.dumps(body)))


@needs_document
@pytest.mark.parametrize("changes", [{}, {"period_id": ""}, {"points_possible": 8.5}])
def test_a_line_item_is_what_the_official_document_says(changes: dict[str, Any]) -> None:
    validate({"lineItem": line_item(**changes)}, "SingleLineItemDType")


@needs_document
@given(
    score=st.none() | st.floats(0, 1e6),
    status=st.sampled_from(["fully graded", "exempt", "not submitted"]),
    mark=st.sampled_from(["", "late", "missing"]),
    comment=st.sampled_from(["", "Late"]),
)
def test_a_result_is_what_the_official_document_says(
    score: float | None, status: str, mark: str, comment: str
) -> None:
    body = result(score=score, score_status=status, mark=mark, comment=comment)
    validate({"result": body}, "SingleResultDType")


@needs_document
def test_a_category_is_what_the_official_document_says() -> None:
    category = v1p2.category(sourced_id="cat-1", title="Quizzes", modified=NOW)
    validate({"category": category}, "SingleCategoryDType")


@needs_document
def test_many_at_once_are_what_the_official_document_says() -> None:
    ours = {"metadata": {"passback": "li-1"}}
    validate({"lineItems": [line_item(), line_item(sourced_id="li-2") | ours]}, "LineItemSetDType")
    validate({"results": [result(), result(sourced_id="re-2", score=None) | ours]}, "ResultSetDType")


@needs_document
def test_a_record_that_is_taken_out_is_still_what_the_official_document_says() -> None:
    validate({"lineItem": line_item() | {"status": "tobedeleted"}}, "SingleLineItemDType")
    validate({"result": result() | {"status": "tobedeleted"}}, "SingleResultDType")


@needs_document
async def test_what_the_client_sends_is_what_the_official_document_says(stub: StubSis) -> None:
    """Judged as it came over the wire, by the operation it came to."""
    pairs = {"suppliedSourcedId": "li-1", "allocatedSourcedId": "li-1"}
    stub.script = lambda _request: web.json_response({"sourcedIdPairs": [pairs]}, status=201)
    profile = replace(PROFILES["generic"], base_path=BASE, gradebook_path=BASE, token_path="/token")
    category = v1p2.category(sourced_id="cat-1", title="Quizzes", modified=NOW)
    async with stub.client(profile=profile) as sis:
        await sis.put("category", "cat-1", category)
        await sis.put("lineItem", "li-1", line_item())
        await sis.put("result", "4711", result())
        await sis.post_line_items("1001-01", [line_item()])
        await sis.post_results("li-1", [result()])
    schemas = [
        ("PUT", "/categories/cat-1", "SingleCategoryDType"),
        ("PUT", "/lineItems/li-1", "SingleLineItemDType"),
        ("PUT", "/results/4711", "SingleResultDType"),
        ("POST", "/classes/1001-01/lineItems", "LineItemSetDType"),
        ("POST", "/lineItems/li-1/results", "ResultSetDType"),
    ]
    assert [(call.method, call.path) for call in stub.calls] == [
        (method, path) for method, path, _ in schemas
    ]
    for call, (_, _, schema) in zip(stub.calls, schemas, strict=True):
        validate(call.body, schema)


@needs_document
def test_the_document_refuses_what_is_right_in_1_1_only() -> None:
    """Or the tests above could not fail."""
    old: Any = {"sourced_id": "li-1", "sis_class_id": "c", "title": "t", "category_id": "1", "period_id": ""}
    old |= {"assign_date": "2026-11-02", "due_date": "2026-11-20", "points_possible": 1.0}
    with pytest.raises(jsonschema.ValidationError, match="'school' is a required property"):
        validate({"lineItem": v1p1.line_item(**old, modified=NOW, services=SERVICES)}, "SingleLineItemDType")
    for wrong in (
        {"late": True},
        {"late": "yes"},
        {"note": "x"},
        {"scoreDate": "2026-11-21T00:00:00Z"},
        {"dateLastModified": "2026-11-21"},
        {"student": {"href": "users/1", "sourcedId": "1", "type": "user"}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            validate({"result": result() | wrong}, "SingleResultDType")


def test_a_line_item_names_the_school_of_its_class() -> None:
    assert line_item()["school"] == {
        "href": "https://sis.example.org/ims/oneroster/rostering/v1p2/orgs/101",
        "sourcedId": "101",
        "type": "org",
    }


def test_a_result_without_a_score_has_none() -> None:
    assert "score" not in result(score=None, score_status="exempt")
    assert result(score=0.0)["score"] == 0.0


@pytest.mark.parametrize(("mark", "flags"), [("late", {"late": "true"}), ("missing", {"missing": "true"})])
def test_late_and_missing_are_flags_of_text_and_only_where_they_are_set(
    mark: str, flags: dict[str, str]
) -> None:
    assert result(mark=mark) == result() | flags
    assert not {"late", "missing"} & result().keys()


def test_what_a_sis_echoes_reads_back_as_it_was_sent() -> None:
    assert held_line_items([line_item()])["points_possible"].tolist() == [20.0]
    held = held_results([result(mark="late"), result(sourced_id="re-2", score=None)])
    assert held["mark"].tolist() == ["late", ""]
    assert held["score"].isna().tolist() == [False, True]
