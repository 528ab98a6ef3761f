"""What Aeries' gradebooks say of themselves."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from aeries.stub_aeries import (
    DAYS,
    FALL,
    SPRING,
    TODAY,
    StubAeries,
    category,
    gradebook,
    message,
    student,
)
from passback.errors import ConfigurationError, PermissionRefusedError
from passback.records import SIS_FRAMES
from passback.rules.categories import add_category
from passback.sis.aeries import AERIES_NATIVE

if TYPE_CHECKING:
    from aiohttp import web

CLASS = "994_1001"


async def facts(
    stub: StubAeries, *classes: str, today: date = TODAY, **extra: Any
) -> dict[str, pd.DataFrame]:
    async with stub.client(today=today, **extra) as aeries:
        return await aeries.facts(classes or (CLASS,), today=today)


async def standing(stub: StubAeries, *classes: str) -> dict[str, str]:
    found = (await facts(stub, *classes))["sis_classes"]
    return dict(zip(found["sis_class_id"], found["gradebook"], strict=True))


async def test_no_classes_give_empty_frames_of_the_right_shape_without_a_request(stub: StubAeries) -> None:
    async with stub.client() as aeries:
        found = await aeries.facts((), today=TODAY)
        assert aeries.requests == 0
    for frame in SIS_FRAMES:
        assert list(found[frame.name].columns) == list(frame.columns)
        assert found[frame.name].dtypes.astype(str).to_dict() == frame.empty().dtypes.astype(str).to_dict()
        assert found[frame.name].empty


async def test_a_class_takes_two_requests_each_with_certificate_and_year(stub: StubAeries) -> None:
    stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1002)))
    await facts(stub, CLASS, "994_1002")
    assert sorted(call.path for call in stub.calls) == [
        "/gradebooks/1/F/students",
        "/gradebooks/2/F/students",
        "/schools/994/sections/1001/gradebooks",
        "/schools/994/sections/1002/gradebooks",
    ]
    assert {call.query["DatabaseYear"] for call in stub.calls} == {"2026"}
    assert all("AERIES-CERT" in call.headers for call in stub.calls)


async def test_a_class_is_known_with_its_gradebook_and_school(stub: StubAeries) -> None:
    stub.holds(gradebook(1, (994, 1001), Name="English 9"))
    found = (await facts(stub))["sis_classes"]
    row = found.iloc[0]
    assert (row["sis_class_id"], row["title"], row["school_id"]) == (CLASS, "English 9", "994")
    assert row["gradebook"] == "unlinked"


async def test_an_elementary_class_without_a_master_schedule_is_like_any_other(stub: StubAeries) -> None:
    year = {**DAYS, "Code": "Y", "Name": "Year"}
    stub.holds(gradebook(7, (990, 421), Terms=[year]))
    stub.students[7, "Y"] = [student(11)]
    found = await facts(stub, "990_TN_421")
    assert found["sis_classes"]["gradebook"].tolist() == ["unlinked"]
    assert found["sis_classes"]["master_schedule"].isna().all()
    assert found["sis_periods"]["period_id"].tolist() == ["Y"]
    assert found["sis_enrollments"]["sis_student_id"].tolist() == ["11"]


class TestStanding:
    """Which gradebook a class has."""

    async def test_a_section_without_a_gradebook_has_none(self, stub: StubAeries) -> None:
        stub.holds(gradebook(1, (994, 1001)))
        assert await standing(stub, CLASS, "994_1002") == {CLASS: "unlinked", "994_1002": "none"}

    async def test_a_section_that_aeries_does_not_know_has_none(self, stub: StubAeries) -> None:
        stub.script = lambda _: message(404, "Section not found.")
        assert await standing(stub) == {CLASS: "none"}

    async def test_a_gradebook_of_a_linked_group_is_linked(self, stub: StubAeries) -> None:
        stub.holds(gradebook(1, (994, 1001), LinkedGroup=3))
        assert await standing(stub) == {CLASS: "linked"}

    async def test_nobody_guesses_which_of_several_gradebooks_is_meant(self, stub: StubAeries) -> None:
        stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1001)))
        assert await standing(stub) == {CLASS: "several"}
        assert not any("students" in call.path for call in stub.calls)

    async def test_of_several_the_only_one_whose_days_have_today_is_meant(self, stub: StubAeries) -> None:
        autumn = {"StartDate": "2026-08-17", "EndDate": "2026-12-18"}
        spring = {"StartDate": "2027-01-05", "EndDate": "2027-06-04"}
        stub.holds(gradebook(1, (994, 1001), **autumn), gradebook(2, (994, 1001), **spring))
        stub.students[1, "F"] = [student(11)]
        found = await facts(stub)
        assert found["sis_classes"]["gradebook"].tolist() == ["unlinked"]
        assert found["sis_classes"]["title"].tolist() == ["Gradebook 1"]
        assert found["sis_enrollments"]["sis_student_id"].tolist() == ["11"]

    @pytest.mark.parametrize(
        ("named", "expected"),
        [(2, "unlinked"), (3, "linked"), (4, "several"), (99, "several")],
        ids=["one of them", "a linked one", "one of two sections", "another class's"],
    )
    async def test_of_several_the_one_that_the_district_names_is_meant(
        self, stub: StubAeries, named: int, expected: str
    ) -> None:
        section = (994, 1001)
        stub.holds(
            *(gradebook(1, section), gradebook(2, section)),
            *(gradebook(3, section, LinkedGroup=1), gradebook(4, section, (994, 1002))),
        )
        found = await facts(stub, gradebooks={CLASS: named})
        assert found["sis_classes"]["gradebook"].tolist() == [expected]
        asked = [call.path for call in stub.calls if call.path.endswith("students")]
        assert asked == ([f"/gradebooks/{named}/F/students"] if expected != "several" else [])

    async def test_one_that_is_named_and_is_not_there_is_not_replaced_by_the_only_one(
        self, stub: StubAeries
    ) -> None:
        stub.holds(gradebook(1, (994, 1001)))
        found = await facts(stub, gradebooks={CLASS: 2})
        assert found["sis_classes"]["gradebook"].tolist() == ["several"]

    async def test_a_gradebook_of_two_sections_is_not_one_classs(self, stub: StubAeries) -> None:
        stub.holds(gradebook(1, (994, 1001), (994, 1002)))
        assert await standing(stub, CLASS, "994_1002") == {CLASS: "several", "994_1002": "several"}

    async def test_a_gradebook_that_cannot_be_read_does_not_stop_the_others(self, stub: StubAeries) -> None:
        stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1002)))

        def no_students(request: web.Request) -> web.Response | None:
            return message(403, "Denied.") if "/gradebooks/2/" in request.path else None

        stub.script = no_students
        assert await standing(stub, CLASS, "994_1002") == {CLASS: "unlinked", "994_1002": "unreadable"}

    async def test_where_none_may_be_read_the_security_area_is_named(self, stub: StubAeries) -> None:
        stub.script = lambda _: message(403, "Denied.")
        with pytest.raises(PermissionRefusedError, match="give the certificate read on Gradebook Data"):
            await facts(stub, CLASS, "994_1002")

    async def test_a_class_id_that_names_no_section_is_not_on_the_roster(self, stub: StubAeries) -> None:
        stub.holds(gradebook(1, (994, 1001)))
        assert await standing(stub, CLASS, "workshop") == {CLASS: "unlinked"}


class TestSchoolYear:
    """Aeries answers with its default year for one that it does not know."""

    @pytest.mark.parametrize(
        ("today", "year"),
        [(date(2026, 11, 22), "2026"), (date(2027, 6, 30), "2026"), (date(2026, 7, 1), "2026")],
    )
    async def test_the_year_in_which_the_school_year_begins_is_sent(
        self, stub: StubAeries, today: date, year: str
    ) -> None:
        stub.holds(gradebook(1, (994, 1001)))
        await facts(stub, today=today)
        assert {call.query["DatabaseYear"] for call in stub.calls} == {year}

    async def test_the_connection_may_name_the_year(self, stub: StubAeries) -> None:
        days = {"StartDate": "2025-08-17", "EndDate": "2026-06-04"}
        stub.holds(gradebook(1, (994, 1001), **days), year=2025)
        await facts(stub, database_year="2025")
        assert {call.query["DatabaseYear"] for call in stub.calls} == {"2025"}

    async def test_gradebooks_of_another_year_stop_the_run(self, stub: StubAeries) -> None:
        days = {"StartDate": "2025-08-17T00:00:00", "EndDate": "2026-06-04T00:00:00"}
        stub.holds(gradebook(1, (994, 1001), **days), year=2025)
        stub.default_year = 2025
        with pytest.raises(ConfigurationError, match=r"begins in 2026.*its default year"):
            await facts(stub)
        async with stub.client() as aeries:
            with pytest.raises(ConfigurationError, match="its default year"):
                await aeries.line_items([CLASS])

    async def test_one_misdated_gradebook_among_others_is_not_readable(self, stub: StubAeries) -> None:
        old = {"StartDate": "2016-08-17", "EndDate": "2017-06-04"}
        stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1002), **old))
        assert await standing(stub, CLASS, "994_1002") == {CLASS: "unlinked", "994_1002": "unreadable"}

    async def test_a_gradebook_without_days_has_those_of_its_terms(self, stub: StubAeries) -> None:
        none = {"StartDate": "0001-01-01T00:00:00", "EndDate": None}
        stub.holds(gradebook(1, (994, 1001), **none))
        assert await standing(stub) == {CLASS: "unlinked"}

    @pytest.mark.parametrize("said", ["26", "this year", "20 26", True, 20260])
    async def test_what_is_no_year_is_refused(self, stub: StubAeries, said: object) -> None:
        with pytest.raises(ConfigurationError, match="no year of four digits"):
            stub.client(database_year=said)


async def test_categories_are_the_gradebooks_own_and_the_districts_are_all_of_them(stub: StubAeries) -> None:
    other = [category("T", "Quiz"), category("X", " Test ")]
    stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1002), AssignmentCategories=other))
    found = (await facts(stub, CLASS, "994_1002"))["sis_categories"]
    of_district = found[found["sis_class_id"].eq("")]
    assert of_district["title"].tolist() == ["Assignment", "Quiz", "Test"]
    assert of_district["code"].eq("").all(), "a code means another category in another gradebook"
    of_class = found[found["sis_class_id"].ne("")]
    assert set(zip(of_class["sis_class_id"], of_class["title"], of_class["code"], strict=True)) == {
        (CLASS, "Assignment", "A"),
        (CLASS, "Test", "T"),
        ("994_1002", "Quiz", "T"),
        ("994_1002", "Test", "X"),
    }


async def test_the_rules_tell_a_category_that_one_gradebook_lacks_from_one_that_all_lack(
    stub: StubAeries,
) -> None:
    only_tests = [category("Q", "Test")]
    stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1002), AssignmentCategories=only_tests))
    held = (await facts(stub, CLASS, "994_1002"))["sis_categories"]
    frame = pd.DataFrame(
        [
            (type_, name, "2026-10-01")
            for type_ in ("Test", "Assignment", "Project")
            for name in (CLASS, "994_1002")
        ],
        columns=["type", "sis_class_id", "due_date"],
    )
    frame["assign_date"], frame["class_on_roster"], frame["class_has_gradebook"] = "2026-10-01", True, True
    frame["class_has_gradebook"] = frame["class_has_gradebook"].astype("boolean")
    frame["gradebook_readable"] = True
    add_category(frame, None, held, {name: name for name in ("Test", "Assignment", "Project")}, AERIES_NATIVE)
    told = frame[["category_in_sis", "category_in_gradebook"]].astype(object)
    assert told.where(told.notna(), None).to_numpy().tolist() == [
        [True, True],
        [True, True],
        [True, True],
        [True, False],
        [False, None],
        [False, None],
    ]


async def test_the_terms_are_the_grading_periods(stub: StubAeries) -> None:
    late_start = {"StartDate": "2027-01-05", "EndDate": "2027-06-04", "Terms": [SPRING]}
    stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1002), **late_start))
    found = (await facts(stub, CLASS, "994_1002", today=date(2027, 1, 2)))["sis_periods"]
    assert found[
        ["sis_class_id", "period_id", "title", "start_date", "end_date", "closed"]
    ].to_numpy().tolist() == [
        [CLASS, "F", "Fall", "2026-08-17", "2026-12-18", True],
        [CLASS, "S", "Spring", "2027-01-05", "2027-06-04", False],
        ["994_1002", "S", "Spring", "2027-01-05", "2027-06-04", False],
    ]
    assert found["year_start"].unique().tolist() == ["2026-08-17"], "also for a class that begins in January"


@pytest.mark.parametrize(
    ("more", "enrolled"),
    [
        ({}, True),
        ({"EndDate": "0001-01-01T00:00:00"}, True),
        ({"EndDate": FALL["EndDate"]}, True),
        ({"EndDate": "2026-11-22T00:00:00"}, True),
        ({"EndDate": "2026-11-21T00:00:00"}, False),
        ({"StartDate": "2026-11-23T00:00:00"}, False),
        ({"InactiveTag": "I"}, False),
    ],
)
async def test_who_is_in_the_gradebook_today_is_enrolled(
    stub: StubAeries, more: dict[str, Any], *, enrolled: bool
) -> None:
    stub.holds(gradebook(1, (994, 1001)))
    stub.students[1, "F"] = [student(11, **more)]
    found = (await facts(stub))["sis_enrollments"]
    assert found["sis_student_id"].tolist() == ["11"] * enrolled


async def test_between_two_terms_the_one_before_says_who_is_enrolled(stub: StubAeries) -> None:
    stub.holds(gradebook(1, (994, 1001)))
    stub.students[1, "F"] = [
        student(11, EndDate=FALL["EndDate"]),
        student(12, EndDate="2026-12-01T00:00:00"),
    ]
    found = (await facts(stub, today=date(2026, 12, 28)))["sis_enrollments"]
    assert found["sis_student_id"].tolist() == ["11"]


async def test_an_odd_answer_names_the_field_and_no_value(
    stub: StubAeries, caplog: pytest.LogCaptureFixture
) -> None:
    stub.holds(gradebook(1, (994, 1001)))
    stub.students[1, "F"] = [student(11), {"StudentID": "Nora", "StartDate": None}]
    assert await standing(stub) == {CLASS: "unreadable"}
    assert "ContractError" in caplog.text
    assert "Nora" not in caplog.text
