"""What the SIS says of itself: categories, periods, classes, enrolments, line items."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from passback.errors import ContractError
from passback.oneroster.facts import read_facts, read_line_items
from passback.records import SIS_FRAMES

if TYPE_CHECKING:
    import pandas as pd

    from oneroster.stub_sis import StubSis

TODAY = date(2026, 11, 22)


def session(name: str, *, parent: str = "", kind: str = "gradingPeriod", **more: Any) -> dict[str, Any]:
    record: dict[str, Any] = {"sourcedId": name, "title": f"Period {name}", "type": kind}
    record |= {"startDate": "2026-08-17", "endDate": "2026-12-18"} | more
    return record | ({"parent": {"sourcedId": parent}} if parent else {})


def school_class(name: str, *terms: str, **more: Any) -> dict[str, Any]:
    return {"sourcedId": name, "terms": [{"sourcedId": term} for term in terms]} | more


def enrollment(student: str, sis_class: str = "c1", **more: Any) -> dict[str, Any]:
    record = {"sourcedId": f"{student}-{sis_class}", "role": "student", "status": "active"}
    return record | {"class": {"sourcedId": sis_class}, "user": {"sourcedId": student}} | more


async def facts(stub: StubSis, **collections: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    names = ("categories", "academicSessions", "classes", "enrollments")
    stub.collections |= {f"/{name}": collections.get(name, []) for name in names}
    async with stub.client() as sis:
        return await read_facts(sis, today=TODAY)


async def test_a_sis_without_anything_gives_empty_frames_of_the_right_shape(stub: StubSis) -> None:
    found = await facts(stub)
    for frame in SIS_FRAMES:
        assert list(found[frame.name].columns) == list(frame.columns)
        assert found[frame.name].dtypes.astype(str).to_dict() == frame.empty().dtypes.astype(str).to_dict()
        assert found[frame.name].empty


async def test_a_category_belongs_to_the_district_or_to_one_class(stub: StubSis) -> None:
    found = await facts(
        stub,
        categories=[
            {"sourcedId": "1", "title": "Homework"},
            {"sourcedId": "2", "title": "Lab", "metadata": {"classId": "c1"}},
            {"sourcedId": "3", "title": "Old", "status": "tobedeleted"},
        ],
    )
    assert found["sis_categories"].to_numpy().tolist() == [["1", "Homework", ""], ["2", "Lab", "c1"]]


async def test_a_period_holds_for_the_classes_whose_terms_it_lies_in(stub: StubSis) -> None:
    sessions = [
        session("year", kind="schoolYear"),
        session("fall", kind="semester", parent="year"),
        session("spring", kind="semester", parent="year"),
        session("p1", parent="fall"),
        session("p2", parent="fall"),
        session("p3", parent="spring"),
        session("odd"),
        session("gone", parent="fall", status="tobedeleted"),
    ]
    classes = [
        school_class("c-year", "year"),
        school_class("c-fall", "fall"),
        school_class("c-p3", "p3", "p3"),
        school_class("c-none"),
        school_class("c-without") | {"terms": None},
        school_class("c-unknown", "elsewhere"),
        school_class("c-gone", "fall", status="tobedeleted"),
    ]
    found = await facts(stub, academicSessions=sessions, classes=classes)
    held = found["sis_periods"].groupby("sis_class_id")["period_id"].agg(sorted).to_dict()
    everything = ["odd", "p1", "p2", "p3"]
    assert held == {
        "c-year": ["p1", "p2", "p3"],
        "c-fall": ["p1", "p2"],
        "c-p3": ["p3"],
        "c-none": everything,
        "c-without": everything,
    }
    assert "c-gone" not in set(found["sis_classes"]["sis_class_id"])


async def test_sessions_that_are_each_others_parents_end_somewhere(stub: StubSis) -> None:
    sessions = [session("p1", parent="p2"), session("p2", parent="p1")]
    found = await facts(stub, academicSessions=sessions, classes=[school_class("c1", "p1")])
    assert sorted(found["sis_periods"]["period_id"]) == ["p1", "p2"]


@pytest.mark.parametrize(
    ("more", "closed"),
    [
        ({"endDate": "2026-11-21"}, True),
        ({"endDate": "2026-11-22"}, False),
        ({"endDate": "2026-11-23"}, False),
        ({"endDate": "2026-11-21", "metadata": {"gradebookStatus": "open"}}, False),
        ({"endDate": "2026-12-18", "metadata": {"gradebookStatus": "closed"}}, True),
        ({"endDate": "2026-12-18", "metadata": {"gradebookStatus": "Closed"}}, True),
        ({"endDate": "2026-12-18", "metadata": {"other": 1}}, False),
    ],
)
async def test_a_period_is_closed_when_the_sis_says_so_or_else_after_its_last_day(
    stub: StubSis,
    more: dict[str, Any],
    closed: bool,  # noqa: FBT001
) -> None:
    found = await facts(stub, academicSessions=[session("p1", **more)], classes=[school_class("c1")])
    assert found["sis_periods"]["closed"].tolist() == [closed]


@pytest.mark.parametrize(
    ("more", "current"),
    [
        ({}, True),
        ({"beginDate": "2026-11-22", "endDate": "2026-11-23"}, True),
        ({"beginDate": "2026-11-23"}, False),
        ({"endDate": "2026-11-22"}, False),  # the standard: exclusive
        ({"status": "tobedeleted"}, False),
        ({"role": "teacher"}, False),
        ({"beginDate": None, "endDate": None}, True),
    ],
)
async def test_a_student_is_enrolled_while_the_enrolment_lasts(
    stub: StubSis,
    more: dict[str, Any],
    current: bool,  # noqa: FBT001
) -> None:
    found = await facts(stub, enrollments=[enrollment("s1", **more)])
    assert found["sis_enrollments"].to_numpy().tolist() == ([["c1", "s1"]] if current else [])


async def test_enrolments_are_read_by_collection_and_counted_once(stub: StubSis) -> None:
    stub.page_cap = 7
    students = [enrollment(f"s{number}", f"c{number % 3}") for number in range(40)]
    found = await facts(stub, enrollments=[*students, enrollment("s1", "c1", sourcedId="again")])
    assert len(found["sis_enrollments"]) == 40
    asked = {call.path for call in stub.calls if "enrol" in call.path}
    assert asked == {"/enrollments"}
    assert not any(f"s{number}" in str(call.query) for call in stub.calls for number in range(40))


async def test_line_items_are_read_of_the_classes_named(stub: StubSis) -> None:
    stub.collections["/classes/c1/lineItems"] = [
        {"sourcedId": "li", "title": "Quiz", "class": {"sourcedId": "c1"}, "dueDate": "2026-11-20T08:00:00Z"},
        {"sourcedId": "old", "title": "Quiz", "class": {"sourcedId": "c1"}, "status": "tobedeleted"},
    ]
    async with stub.client() as sis:
        found = await read_line_items(sis, {"c1"})
    assert found[["line_item_id", "sis_class_id", "title", "due_date"]].to_numpy().tolist() == [
        ["li", "c1", "Quiz", "2026-11-20"]
    ]


@pytest.mark.parametrize(
    ("collection", "record", "where"),
    [
        ("categories", {"sourcedId": "1"}, r"categories\[1\]: title is missing"),
        ("academicSessions", session("p", endDate=20261218), r"academicSessions\[1\]: endDate is no text"),
        ("academicSessions", session("p", startDate=None), r"academicSessions\[1\]: startDate is missing"),
        ("classes", {"sourcedId": "c", "terms": ["t"]}, r"classes\[1\].terms\[0\]: terms is no reference"),
        ("enrollments", enrollment("4711", role=None), r"enrollments\[1\]: role is missing"),
        ("enrollments", enrollment("4711", user=None), r"enrollments\[1\]: user is missing"),
        (
            "enrollments",
            enrollment("4711", user={"href": "4711"}),
            r"enrollments\[1\].user: sourcedId is missing",
        ),
    ],
)
async def test_a_record_that_is_not_as_the_standard_says_is_named_by_path_index_and_field(
    stub: StubSis, collection: str, record: dict[str, Any], where: str
) -> None:
    good = {
        "categories": {"sourcedId": "0", "title": "Homework"},
        "academicSessions": session("p0"),
        "classes": school_class("c0"),
        "enrollments": enrollment("s0"),
    }
    with pytest.raises(ContractError, match=f"GET /{collection}, {where}") as broken:
        await facts(stub, **{collection: [good[collection], record]})
    assert "4711" not in str(broken.value)
