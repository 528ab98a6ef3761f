"""What the SIS says of itself: categories, periods, classes, enrolments, line items."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from oneroster.stub_sis import SKYWARD
from passback.errors import ContractError, PermissionRefusedError
from passback.oneroster.facts import read_facts, read_line_items
from passback.records import SIS_FRAMES

if TYPE_CHECKING:
    import pandas as pd

    from oneroster.stub_sis import StubSis
    from passback.sis import SisProfile

TODAY = date(2026, 11, 22)
PROFILE = replace(SKYWARD, page_size=10)


def session(name: str, *, parent: str = "", kind: str = "gradingPeriod", **more: Any) -> dict[str, Any]:
    record: dict[str, Any] = {"sourcedId": name, "title": f"Period {name}", "type": kind}
    record |= {"startDate": "2026-08-17", "endDate": "2026-12-18"} | more
    return record | ({"parent": {"sourcedId": parent}} if parent else {})


def school_class(name: str, *terms: str, **more: Any) -> dict[str, Any]:
    return {"sourcedId": name, "terms": [{"sourcedId": term} for term in terms]} | more


def enrollment(student: str, sis_class: str = "c1", **more: Any) -> dict[str, Any]:
    record = {"sourcedId": f"{student}-{sis_class}", "role": "student", "status": "active"}
    return record | {"class": {"sourcedId": sis_class}, "user": {"sourcedId": student}} | more


async def facts(
    stub: StubSis, *, profile: SisProfile = PROFILE, **collections: list[dict[str, Any]]
) -> dict[str, pd.DataFrame]:
    names = ("categories", "academicSessions", "classes", "enrollments")
    stub.collections |= {f"/{name}": collections.get(name, []) for name in names}
    async with stub.client(profile=profile) as sis:
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
    columns = ["category_id", "title", "sis_class_id"]
    assert found["sis_categories"][columns].to_numpy().tolist() == [["1", "Homework", ""], ["2", "Lab", "c1"]]


async def test_a_category_may_have_a_code_and_belong_to_a_term_of_certain_days(stub: StubSis) -> None:
    found = await facts(
        stub,
        categories=[
            {"sourcedId": "1", "title": " Homework ", "metadata": {"code": "HW", "termId": "fall"}},
            {"sourcedId": "2", "title": "Lab", "metadata": {"termId": 9102}},
            {"sourcedId": "3", "title": "Quiz", "metadata": {"termId": ["fall"], "code": None}},
            {"sourcedId": "4", "title": "Test", "metadata": "none"},
        ],
        academicSessions=[session("fall", kind="term"), session("9102", kind="term", endDate="soon")],
    )
    assert found["sis_categories"].drop(columns="sis_class_id").to_numpy().tolist() == [
        ["1", "Homework", "HW", "fall", "2026-08-17", "2026-12-18"],
        ["2", "Lab", "", "9102", "", ""],
        ["3", "Quiz", "", "", "", ""],
        ["4", "Test", "", "", "", ""],
    ]


async def test_a_class_has_a_school_a_gradebook_and_perhaps_a_master_schedule(stub: StubSis) -> None:
    profile = replace(SKYWARD, page_size=10, class_without_master_schedule="x")
    stub.collections["/schools"] = []
    stub.script = lambda request: (
        web.json_response(
            {
                "orgs": [
                    {"sourcedId": "990", "metadata": {"masterSchedule": "false"}},
                    {"sourcedId": "991", "metadata": {"masterSchedule": True}},
                    {"sourcedId": "992"},
                ]
            }
        )
        if request.path.endswith("/schools")
        else None
    )
    classes = [
        school_class("a", school={"sourcedId": "990"}, metadata={"gradebook": "Linked"}, title="Art"),
        school_class("b", school={"sourcedId": "991"}, metadata={"gradebook": "none"}),
        school_class("c", school={"sourcedId": "992"}),
        school_class("d"),
    ]
    found = await facts(stub, profile=profile, classes=classes)
    rows = found["sis_classes"].astype(object).where(found["sis_classes"].notna(), None)
    assert rows.to_numpy().tolist() == [
        ["a", "Art", "990", "linked", False],
        ["b", "", "991", "none", True],
        ["c", "", "992", "", None],
        ["d", "", "", "", None],
    ]


async def test_schools_are_read_only_where_it_matters(stub: StubSis) -> None:
    await facts(stub)
    assert "/schools" not in {call.path for call in stub.calls}


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
        read = await read_line_items(sis, {"c1"})
    assert read is not None
    found, unreadable = read
    assert unreadable == frozenset()
    assert found[["line_item_id", "sis_class_id", "title", "due_date"]].to_numpy().tolist() == [
        ["li", "c1", "Quiz", "2026-11-20"]
    ]


GOOD = {
    "categories": {"sourcedId": "good", "title": "Homework"},
    "academicSessions": session("good"),
    "classes": school_class("good"),
    "enrollments": enrollment("good"),
}
COLUMN = {
    "categories": ("sis_categories", "category_id"),
    "academicSessions": ("sis_periods", "period_id"),
    "classes": ("sis_classes", "sis_class_id"),
    "enrollments": ("sis_enrollments", "sis_student_id"),
}


async def left_of(stub: StubSis, collection: str, *records: dict[str, Any]) -> list[str]:
    """Ids of what is left of some records of a collection."""
    collections = {"classes": [school_class("c1")]} | {collection: list(records)}
    found = await facts(stub, **collections)
    frame, column = COLUMN[collection]
    return found[frame][column].tolist()


@pytest.mark.parametrize(
    ("collection", "record", "where"),
    [
        ("categories", {"sourcedId": "1"}, "categories[1]: title is missing"),
        ("categories", {"sourcedId": "1", "title": ["4711"]}, "categories[1]: title is no text"),
        ("academicSessions", session("p", endDate=20261218), "academicSessions[1]: endDate is no text"),
        ("academicSessions", session("p", startDate=None), "academicSessions[1]: startDate is missing"),
        ("academicSessions", session("p", endDate="4711"), "academicSessions[1]: endDate is no date"),
        (
            "academicSessions",
            session("p", endDate="2026-08-16"),
            "academicSessions[1]: endDate precedes startDate",
        ),
        ("academicSessions", session("p", type=None), "academicSessions[1]: type is missing"),
        ("classes", {"sourcedId": "c", "terms": ["t"]}, "classes[1].terms[0]: terms is no reference"),
        ("classes", {"sourcedId": "c", "terms": "t"}, "classes[1]: terms is no list"),
        ("classes", {"sourcedId": "c", "school": "4711"}, "classes[1]: school is no reference"),
        ("enrollments", enrollment("4711", role=None), "enrollments[1]: role is missing"),
        ("enrollments", enrollment("4711", user=None), "enrollments[1]: user is missing"),
        ("enrollments", enrollment("4711", beginDate="soon"), "enrollments[1]: beginDate is no date"),
        (
            "enrollments",
            enrollment("4711", user={"href": "4711"}),
            "enrollments[1].user: sourcedId is missing",
        ),
    ],
)
async def test_a_record_that_is_not_as_the_standard_says_is_left_out_and_told_by_place_and_field(
    stub: StubSis, caplog: pytest.LogCaptureFixture, collection: str, record: dict[str, Any], where: str
) -> None:
    assert await left_of(stub, collection, GOOD[collection], record) == ["good"]
    assert f"1 of 2 {collection} are left out, such as: GET /{collection}, {where}" in caplog.text
    assert "4711" not in caplog.text
    with pytest.raises(ContractError, match=re.escape(where.replace("[1]", "[0]", 1))) as broken:
        await left_of(stub, collection, record)  # nothing but this: the answer is none
    assert "4711" not in str(broken.value)


@pytest.mark.parametrize(
    ("collection", "record", "other"),
    [
        ("categories", {"sourcedId": "1", "title": "Homework"}, {"title": "Home work"}),
        ("academicSessions", session("p"), {"endDate": "2026-12-19"}),
        ("classes", school_class("c"), {"school": {"sourcedId": "102"}}),
        ("classes", school_class("c"), {"status": "tobedeleted"}),
        ("enrollments", enrollment("4711"), {"user": {"sourcedId": "4712"}}),
        ("enrollments", enrollment("4711"), {"role": "teacher"}),
    ],
)
async def test_records_of_one_id_that_contradict_each_other_are_left_out_unless_one_is_newer(
    stub: StubSis,
    caplog: pytest.LogCaptureFixture,
    collection: str,
    record: dict[str, Any],
    other: dict[str, Any],
) -> None:
    good = GOOD[collection]
    twice = [good, record, record | {"metadata": {"copied": 1}}]
    assert len(await left_of(stub, collection, *twice)) == 2
    assert "left out" not in caplog.text
    assert await left_of(stub, collection, good, record, record | other) == ["good"]
    assert f"1 of 3 {collection} are left out" in caplog.text
    assert "says otherwise" in caplog.text
    assert "471" not in caplog.text
    caplog.clear()
    stamps = [{"dateLastModified": f"2026-11-{day}T00:00:00.000Z"} for day in (20, 21)]
    newer = [record | stamps[1], record | other | stamps[0]]
    assert len(await left_of(stub, collection, good, *newer)) == 2
    assert await left_of(stub, collection, good, *newer) == await left_of(
        stub, collection, good, *reversed(newer)
    )
    assert "left out" not in caplog.text


async def test_one_odd_class_does_not_stop_the_others(stub: StubSis) -> None:
    classes = [school_class("odd") | {"terms": 17}, school_class("good", "fall"), school_class("bare")]
    found = await facts(stub, classes=classes, academicSessions=[session("p", parent="fall")])
    assert found["sis_classes"]["sis_class_id"].tolist() == ["good", "bare"]
    assert set(found["sis_periods"]["sis_class_id"]) == {"good", "bare"}


@pytest.mark.parametrize(("version", "last_day"), [("1.1", "2026-12-18"), ("1.2", "2026-12-17")])
async def test_the_last_day_of_a_period_is_its_end_date_in_1_1_and_the_day_before_it_in_1_2(
    stub: StubSis, version: str, last_day: str
) -> None:
    profile = replace(PROFILE, oneroster=version)
    found = await facts(
        stub, profile=profile, academicSessions=[session("Q1")], classes=[school_class("c1", "Q1")]
    )
    assert list(found["sis_periods"]["end_date"]) == [last_day]


def refuses(*classes: str) -> Any:
    """A SIS that does not show the gradebooks of some classes."""

    def answer(request: web.Request) -> web.Response | None:
        refused = any(f"/classes/{name}/" in request.path for name in classes)
        return web.json_response({"message": "No."}, status=403) if refused else None

    return answer


async def test_a_gradebook_that_cannot_be_read_is_named_and_the_others_are_read(
    stub: StubSis, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("c1", "c2"):
        stub.collections[f"/classes/{name}/lineItems"] = [
            {"sourcedId": name, "title": "Quiz", "class": {"sourcedId": name}}
        ]
    stub.script = refuses("c2")
    async with stub.client() as sis:
        found = await read_line_items(sis, {"c1", "c2"})
    assert found is not None
    assert list(found.line_items["line_item_id"]) == ["c1"]
    assert found.unreadable == {"c2"}
    assert "1 of 2 gradebooks could not be read: PermissionRefusedError" in caplog.text


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("classes", [{"c1"}, {"c1", "c2", "c3"}])
async def test_a_sis_that_shows_no_gradebook_at_all_is_told_from_one_with_empty_ones(
    stub: StubSis, status: int, classes: set[str]
) -> None:
    for name in classes:
        stub.collections[f"/classes/{name}/lineItems"] = []
    async with stub.client() as sis:
        read = await read_line_items(sis, classes)
        assert read is not None
        assert (len(read.line_items), read.unreadable) == (0, frozenset())
        stub.script = lambda _: web.json_response({"message": "Not here."}, status=status)
        assert await read_line_items(sis, classes) is None


async def test_a_class_that_the_sis_does_not_know_has_an_empty_gradebook_beside_others(stub: StubSis) -> None:
    stub.collections["/classes/c1/lineItems"] = [{"sourcedId": "li", "class": {"sourcedId": "c1"}}]
    stub.script = lambda request: web.json_response({}, status=404) if "/c2/" in request.path else None
    async with stub.client() as sis:
        read = await read_line_items(sis, {"c1", "c2"})
    assert read is not None
    assert (list(read.line_items["line_item_id"]), read.unreadable) == (["li"], frozenset())


async def test_where_no_gradebook_can_be_read_it_is_the_sis_that_refuses(stub: StubSis) -> None:
    stub.script = refuses("c1", "c2")
    async with stub.client() as sis:
        with pytest.raises(PermissionRefusedError):
            await read_line_items(sis, {"c1", "c2"})
