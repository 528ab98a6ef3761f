"""Where records and allotted ids stand in an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passback.oneroster.envelopes import Kind, allotted_id, allotted_ids, records_in

ONE = [{"sourcedId": "1"}]


@pytest.mark.parametrize(
    ("key", "content", "records"),
    [
        ("users", {"users": ONE}, ONE),
        ("users", {"students": ONE}, ONE),
        ("users", {"teachers": ONE}, ONE),
        ("users", {"user": ONE}, ONE),
        ("users", {"users": [], "students": ONE}, []),
        ("orgs", {"schools": ONE}, ONE),
        ("academicSessions", {"terms": ONE}, ONE),
        ("academicSessions", {"gradingPeriods": ONE}, ONE),
        ("categories", {"category": ONE}, ONE),
        ("classes", {"class": ONE}, ONE),
        ("lineItems", {"lineItem": ONE}, ONE),
        ("results", {"result": ONE}, ONE),
        ("classes", {"statusInfoSet": [], "classes": []}, []),
        ("classes", {}, []),
        ("classes", {"courses": ONE}, None),
        ("classes", {"classes": {"sourcedId": "1"}}, None),
        ("classes", {"classes": None}, None),
        ("classes", ONE, None),
        ("classes", "classes", None),
        ("classes", None, None),
    ],
)
def test_records_are_found_under_the_key_of_the_standard_and_under_those_that_stand_for_it(
    key: str, content: Any, records: Any
) -> None:
    assert records_in(content, key) == records


@pytest.mark.parametrize(
    ("kind", "answer", "sis_id"),
    [
        ("lineItem", {"lineItem": {"sourcedId": "4711", "title": "Quiz"}}, "4711"),
        ("lineItem", {"lineItem": {"sourcedId": 4711}}, "4711"),
        ("category", {"category": [{"sourcedId": "12"}]}, "12"),
        ("category", {"categories": [{"sourcedId": "12"}]}, "12"),
        ("result", {"results": {"sourcedId": "r"}}, "r"),
        ("result", {"sourcedId": "r"}, "r"),
        ("result", [{"sourcedId": "r"}], "r"),
        ("lineItem", {"lineItem": [{"sourcedId": "1"}, {"sourcedId": "2"}]}, ""),
        ("lineItem", {"lineItem": {"title": "Quiz"}}, ""),
        ("lineItem", {"lineItem": {"sourcedId": True}}, ""),
        ("lineItem", {"lineItem": {"sourcedId": None}}, ""),
        ("lineItem", {"lineItem": "4711"}, ""),
        ("lineItem", {"result": {"sourcedId": "r"}}, ""),
        ("lineItem", 4711, ""),
        ("lineItem", {}, ""),
    ],
)
def test_the_id_of_one_new_record_stands_in_its_echo(kind: Kind, answer: Any, sis_id: str) -> None:
    assert allotted_id(kind, json.dumps(answer).encode()) == sis_id


@pytest.mark.parametrize("body", [b"", b"created", b"{", b"\xff", b"[" * 60_000])
def test_an_answer_that_is_no_json_tells_no_id(body: bytes) -> None:
    assert allotted_id("lineItem", body) == ""
    assert allotted_ids(body, ["a"]) == {}


def pair(ours: Any, theirs: Any) -> dict[str, Any]:
    return {"suppliedSourcedId": ours, "allocatedSourcedId": theirs}


@pytest.mark.parametrize(
    ("answer", "allotted"),
    [
        ({"sourcedIdPairs": [pair("b", "2"), pair("a", "1")]}, {"a": "1", "b": "2"}),
        ({"sourcedIdPairs": [pair("a", 1)]}, {"a": "1"}),
        ({"sourcedIdPairs": pair("a", "1")}, {"a": "1"}),
        (pair("a", "1"), {"a": "1"}),
        ([pair("a", "1")], {"a": "1"}),
        ({"sourcedIdPairs": [pair("a", "a"), pair("b", "b")]}, {"a": "a", "b": "b"}),
        ({"sourcedIdPairs": [pair("a", "1"), pair("a", "1")]}, {"a": "1"}),
        ({"sourcedIdPairs": [pair("a", "1"), pair("a", "2"), pair("b", "3")]}, {"b": "3"}),
        ({"sourcedIdPairs": [pair("a", "1"), pair("b", "1")]}, {}),
        ({"sourcedIdPairs": [pair("c", "1"), pair("a", "2")]}, {"a": "2"}),
        ({"sourcedIdPairs": [pair("a", ""), pair("b", None), "a"]}, {}),
        ({"sourcedIdPairs": None}, {}),
        ({"sourcedIdPairs": []}, {}),
        ({"lineItems": [{"sourcedId": "1"}]}, {}),
        ("created", {}),
    ],
)
def test_pairs_tell_the_ids_of_many_new_records_where_they_leave_no_doubt(
    answer: Any, allotted: dict[str, str]
) -> None:
    assert allotted_ids(json.dumps(answer).encode(), ["a", "b"]) == allotted


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["1", "2", 3, "", None])).map(
            lambda ids: pair(*ids)
        )
    )
)
def test_no_two_records_are_ever_taken_for_the_same_one(pairs: list[dict[str, Any]]) -> None:
    allotted = allotted_ids(json.dumps({"sourcedIdPairs": pairs}).encode(), ["a", "b", "c"])
    assert len(set(allotted.values())) == len(allotted)
    assert set(allotted) <= {"a", "b", "c"}
