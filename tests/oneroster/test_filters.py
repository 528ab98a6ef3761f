"""Narrower listings: what is asked for, and what is believed of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from passback.errors import ContractError
from passback.oneroster import Filter
from passback.oneroster.filters import narrowing

if TYPE_CHECKING:
    from oneroster.stub_sis import StubSis

RECORD = {
    "sourcedId": "007",
    "status": "active",
    "title": "Chapter 7",
    "dateLastModified": "2026-11-22T08:00:00.000Z",
    "resultValueMax": 10.0,
    "class": {"sourcedId": "c1", "type": "class"},
    "grades": ["09", "10"],
    "enabledUser": True,
    "metadata": {"classId": "c1"},
    "comment": None,
}


@pytest.mark.parametrize(
    ("field", "operator", "value", "holds"),
    [
        ("status", "=", "active", True),
        ("status", "=", "ACTIVE", True),
        ("status", "=", "tobedeleted", False),
        ("status", "!=", "tobedeleted", True),
        ("status", "!=", "active", False),
        ("title", "~", "chapter", True),
        ("title", "~", "unit", False),
        ("sourcedId", "=", "7", False),
        ("sourcedId", "=", "007", True),
        ("class.sourcedId", "=", "c1", True),
        ("metadata.classId", "=", "c2", False),
        ("metadata.teacher.name", "=", "c1", False),
        ("grades", "=", "10", True),
        ("grades", "!=", "10", False),
        ("grades", "=", "11", False),
        ("enabledUser", "=", "true", True),
        ("resultValueMax", ">", "9", True),
        ("resultValueMax", ">=", "10", True),
        ("resultValueMax", "<", "9", False),
        ("resultValueMax", "<=", "nan", True),  # a text, and digits come before letters
        ("dateLastModified", ">", "2026-11-22T09:00:00+02:00", True),
        ("dateLastModified", "=", "2026-11-22T08:00:00Z", True),
        ("dateLastModified", "<", "2026-11-22T08:00:00Z", False),
        ("dateLastModified", ">", "2026-11-22", True),
        ("missing", "=", "", False),
        ("missing", "!=", "x", True),
        ("comment", "~", "", False),
        ("class", "=", "c1", False),
    ],
)
def test_a_record_meets_a_condition(field: str, operator: Any, value: str, *, holds: bool) -> None:
    assert Filter(field, operator, value).holds(RECORD) is holds


@pytest.mark.parametrize(
    ("filters", "fields", "query"),
    [
        ([], [], {}),
        ([Filter("status", "=", "active")], [], {"filter": "status='active'"}),
        (
            [Filter("status", "=", "active"), Filter("title", "~", "a b")],
            [],
            {"filter": "status='active' AND title~'a b'"},
        ),
        ([Filter("title", "=", "O'Neill")], [], {}),
        ([], ["title", "dueDate"], {"fields": "sourcedId,title,dueDate"}),
        (
            [Filter("metadata.classId", "=", "c1")],
            ["sourcedId", "title"],
            {"filter": "metadata.classId='c1'", "fields": "sourcedId,title,metadata"},
        ),
    ],
)
def test_conditions_and_fields_become_query_parameters(
    filters: list[Filter], fields: list[str], query: dict[str, str]
) -> None:
    assert narrowing(filters, fields) == query


# --- Over the wire ---

HELD = [
    {"sourcedId": "1", "title": "Quiz", "metadata": {"classId": "c1"}},
    {"sourcedId": "2", "title": "Test", "metadata": {"classId": "c2"}},
    {"sourcedId": "3", "title": "Lab"},
]
OF_C1 = [Filter("metadata.classId", "=", "c1")]


async def titles(stub: StubSis) -> list[str]:
    async with stub.client() as sis:
        return [
            record["title"]
            async for record in sis.collection(
                "/categories", "categories", filters=OF_C1, fields=["title"], parameters={"sort": "title"}
            )
        ]


async def test_a_filter_that_the_sis_honours_narrows_the_listing(stub: StubSis) -> None:
    stub.script = lambda _request: web.json_response({"categories": HELD[:1]}, headers={"X-Total-Count": "1"})
    assert await titles(stub) == ["Quiz"]
    (call,) = stub.calls
    assert call.query["filter"] == "metadata.classId='c1'"
    assert call.query["fields"] == "sourcedId,title,metadata"


async def test_a_filter_that_the_sis_ignores_is_made_good_on_our_side(stub: StubSis) -> None:
    stub.collections["/categories"] = HELD
    assert await titles(stub) == ["Quiz"]
    assert len(stub.calls) == 1


NO_FILTER = {"imsx_codeMajor": "failure", "imsx_severity": "error", "imsx_codeMinor": "invalid_filter_field"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {}),
        (422, NO_FILTER),
        (200, {"statusInfoSet": [NO_FILTER]}),
        (200, {"imsx_StatusInfo": NO_FILTER}),
    ],
)
async def test_a_sis_that_refuses_the_filter_is_asked_again_without_it(
    stub: StubSis, status: int, body: Any
) -> None:
    stub.collections["/categories"] = HELD
    stub.script = lambda request: (
        web.json_response(body, status=status) if "filter" in request.query else None
    )
    assert await titles(stub) == ["Quiz"]
    assert [sorted(call.query) for call in stub.calls] == [
        ["fields", "filter", "limit", "offset", "sort"],
        ["limit", "offset", "sort"],
    ]


async def test_a_warning_beside_the_records_is_no_refusal(stub: StubSis) -> None:
    warning = {
        "imsx_codeMajor": "success",
        "imsx_severity": "warning",
        "imsx_codeMinor": "invalid_sort_field",
    }
    stub.script = lambda _request: web.json_response({"categories": HELD, "statusInfoSet": [warning]})
    async with stub.client() as sis:
        assert len([record async for record in sis.collection("/categories", "categories")]) == 3


async def test_a_sis_that_refuses_the_plain_listing_too_breaks_the_contract(stub: StubSis) -> None:
    stub.script = lambda _request: web.Response(status=400)
    with pytest.raises(ContractError, match="refuses a plain read"):
        await titles(stub)
    assert len(stub.calls) == 2
