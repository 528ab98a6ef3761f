"""To whom an assignment is assigned and until when, by Canvas' overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from sources.canvas.stub_canvas import (
    ASSIGNMENTS,
    COURSES,
    GROUPS,
    SECTIONS,
    SUBMISSIONS,
    TO_SYNC,
    assignment,
    student,
    submission,
)

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from sources.canvas.stub_canvas import Record, StubCanvas

FIRST, SECOND = {"course_section_id": 11}, {"course_section_id": 12}
# Of the first section are students 1 and 2, of the second is 3.
ONE, TWO, THREE = {"student_ids": [1]}, {"student_ids": [2]}, {"student_ids": [3]}
MARCH_4, MARCH_5, MARCH_6 = (f"2026-03-0{day}T07:59:00Z" for day in (4, 5, 6))


async def sections_of(
    stub: StubCanvas, pages: ObjectStoragePath, **fields: Any
) -> dict[str, tuple[bool, str | None, bool | None]]:
    """Section → assigned to the whole of it, its due date, the same for all; of an assignment like that."""
    stub.records[ASSIGNMENTS] = [assignment(101, **fields)]
    read = (await stub.pull(pages)).frames["assessments"]
    return {
        row["class_id"]: (
            row["whole_section"],
            None if pd.isna(row["due_at"]) else f"{row['due_at']:%Y-%m-%dT%H:%M:%SZ}",
            None if pd.isna(row["due_uniform"]) else row["due_uniform"],
        )
        for row in read.to_dict("records")
    }


WHOLE = (True, MARCH_5, True)


@pytest.mark.parametrize(
    ("overrides", "first", "second"),
    [
        ([], WHOLE, WHOLE),
        ([FIRST | {"due_at": MARCH_4}], (True, MARCH_4, True), WHOLE),
        ([FIRST | {"due_at": None}], (True, None, True), WHOLE),
        ([FIRST], WHOLE, WHOLE),  # it says other dates than the due date
        (
            [FIRST | {"due_at": MARCH_4}, SECOND | {"due_at": MARCH_6}],
            (True, MARCH_4, True),
            (True, MARCH_6, True),
        ),
        ([ONE | {"due_at": MARCH_6}], (True, MARCH_5, False), WHOLE),
        ([ONE | {"due_at": "2026-03-04T23:59:00-08:00"}], WHOLE, WHOLE),  # the same instant
        ([ONE], WHOLE, WHOLE),
        ([ONE | {"due_at": None}], (True, MARCH_5, False), WHOLE),
        # The latest of a student's dates holds.
        ([FIRST | {"due_at": MARCH_6}, ONE | {"due_at": MARCH_4}], (True, MARCH_6, True), WHOLE),
        ([FIRST | {"due_at": MARCH_4}, ONE | {"due_at": MARCH_6}], (True, MARCH_4, False), WHOLE),
        ([{"course_id": 1, "due_at": MARCH_4}], (True, MARCH_4, True), (True, MARCH_4, True)),
        ([{"student_ids": [99], "due_at": MARCH_6}], WHOLE, WHOLE),  # not enrolled
        ([{"group_id": 5, "due_at": MARCH_6}], (True, MARCH_5, False), (True, MARCH_5, False)),
    ],
)
async def test_an_assignment_for_everyone(
    stub: StubCanvas,
    pages: ObjectStoragePath,
    overrides: list[Record],
    first: tuple[bool, str | None, bool],
    second: tuple[bool, str | None, bool],
) -> None:
    assert await sections_of(stub, pages, overrides=overrides) == {"11": first, "12": second}


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ([FIRST | {"due_at": MARCH_4}], {"11": (True, MARCH_4, True)}),
        ([ONE | {"due_at": MARCH_4}], {"11": (False, MARCH_4, True)}),
        (
            [{"student_ids": [1, 3], "due_at": MARCH_4}],
            {"11": (False, MARCH_4, True), "12": (False, MARCH_4, True)},
        ),
        ([ONE | {"due_at": MARCH_4}, TWO | {"due_at": MARCH_6}], {"11": (False, MARCH_6, False)}),
        ([ONE | {"due_at": MARCH_4}, TWO], {"11": (False, None, False)}),
        (
            [FIRST | {"due_at": MARCH_4}, THREE | {"due_at": MARCH_6}],
            {"11": (True, MARCH_4, True), "12": (False, MARCH_6, True)},
        ),
        ([{"course_id": 1, "due_at": MARCH_4}], {"11": (True, MARCH_4, True), "12": (True, MARCH_4, True)}),
        ([], {}),
    ],
)
async def test_an_assignment_for_those_whom_its_overrides_name(
    stub: StubCanvas, pages: ObjectStoragePath, overrides: list[Record], told: dict[str, Any]
) -> None:
    for row in stub.records[SUBMISSIONS]:
        row["submissions"] = []
    only = {"only_visible_to_overrides": True, "due_at": None, "overrides": overrides}
    assert await sections_of(stub, pages, **only) == told


@pytest.mark.parametrize("set_kind", ["group_id", "noop_id"])
async def test_whom_a_group_or_a_mastery_path_concerns_shows_in_the_submissions(
    stub: StubCanvas, pages: ObjectStoragePath, set_kind: str
) -> None:
    stub.records[SUBMISSIONS] = [student(1, 11), student(3, 12, submission(101))]
    override = {set_kind: 5, "due_at": MARCH_4}
    only = {"only_visible_to_overrides": True, "due_at": None, "overrides": [override]}
    assert await sections_of(stub, pages, **only) == {"12": (False, MARCH_4, None)}


async def test_a_student_to_whom_it_is_no_longer_assigned_has_no_score(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    stub.records[SUBMISSIONS][0]["submissions"][0]["assignment_visible"] = False
    scores = (await stub.pull(pages)).frames["scores"]
    assert scores[["assessment_id", "student_id"]].to_numpy().tolist() == [
        ["102", "1"],
        ["101", "2"],
        ["101", "3"],
        ["102", "3"],
    ]


@pytest.mark.parametrize(
    ("fields", "assigned_at"),
    [
        ({}, "2026-02-20T10:00:00Z"),
        ({"unlock_at": MARCH_4}, MARCH_4),
        ({"unlock_at": MARCH_4, "overrides": [FIRST | {"unlock_at": MARCH_5}]}, MARCH_5),
        ({"unlock_at": MARCH_4, "overrides": [FIRST | {"unlock_at": None}]}, "2026-02-20T10:00:00Z"),
        ({"unlock_at": MARCH_4, "overrides": [SECOND | {"unlock_at": MARCH_5}]}, MARCH_4),
    ],
)
async def test_it_is_assigned_when_it_opens_else_when_it_was_made(
    stub: StubCanvas, pages: ObjectStoragePath, fields: Record, assigned_at: str
) -> None:
    stub.records[ASSIGNMENTS] = [assignment(101, **fields)]
    read = (await stub.pull(pages)).frames["assessments"].set_index("class_id")
    assert read.loc["11", "assigned_at"] == pd.Timestamp(assigned_at)


@pytest.mark.parametrize(
    ("fields", "column", "told"),
    [
        ({"post_to_sis": False}, "sync_on", False),
        ({"post_to_sis": None}, "sync_on", True),  # then the SIS endpoint says it
        ({"id": 103, "post_to_sis": None}, "sync_on", False),
        ({"published": False}, "published", False),
        ({"grading_type": "letter_grade"}, "grading_type", "letter_grade"),
        ({"in_closed_grading_period": True}, "period_closed", True),
        ({"in_closed_grading_period": None}, "period_closed", None),
        ({"id": 103, "omit_from_final_grade": True}, "include_in_final_grade", False),
        ({"id": 103, "omit_from_final_grade": None}, "include_in_final_grade", True),
        ({"assignment_group_id": 99}, "type", ""),
        ({"assignment_group_id": None}, "type", ""),
    ],
)
async def test_what_canvas_says_of_an_assignment(
    stub: StubCanvas, pages: ObjectStoragePath, fields: Record, column: str, told: object
) -> None:
    stub.records[ASSIGNMENTS] = [assignment(101) | fields]
    value = (await stub.pull(pages)).frames["assessments"].loc[0, column]
    assert (None if value is pd.NA else value) == told


async def test_the_sis_endpoint_says_whether_it_counts(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    stub.records[TO_SYNC][0]["include_in_final_grade"] = False
    read = (await stub.pull(pages)).frames["assessments"].set_index("assessment_id")
    assert read["include_in_final_grade"].to_dict() == {"101": False, "102": True}


async def test_what_is_not_graded_at_all_carries_no_score(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    stub.records[ASSIGNMENTS][0]["grading_type"] = "not_graded"
    got = await stub.pull(pages)
    assert set(got.frames["assessments"]["assessment_id"]) == {"102"}
    assert set(got.frames["scores"]["assessment_id"]) == {"102"}


@pytest.mark.parametrize(
    ("group", "told"),
    [
        ({"name": " Home\twork "}, (" Home work ", "", "")),
        ({"name": None}, ("", "", "")),
        (
            {"name": "Homework", "sis_source_id": "9102-301", "integration_data": {"sis_term_id": "9102"}},
            ("Homework", "9102-301", "9102"),
        ),
        (
            {"name": "Homework", "sis_source_id": 301, "integration_data": {"sis_term_id": 9102}},
            ("Homework", "301", "9102"),
        ),
        ({"name": "Homework", "integration_data": "other"}, ("Homework", "", "")),
        ({"name": "Homework", "integration_data": {"sis_term_id": None}}, ("Homework", "", "")),
    ],
)
async def test_a_group_s_name_stands_as_it_is_with_what_the_sis_calls_it(
    stub: StubCanvas, pages: ObjectStoragePath, group: Record, told: tuple[str, str, str]
) -> None:
    stub.records[GROUPS] = [{"id": 7, **group}]
    read = (await stub.pull(pages)).frames["assessments"].iloc[0]
    assert (read["type"], read["group_sis_id"], read["group_term_id"]) == told


@pytest.mark.parametrize(
    ("told_by", "title"), [("sis endpoint", "Geometry"), ("courses", "Geometry II"), ("nobody", "Algebra")]
)
async def test_a_cross_listed_section_goes_by_the_course_it_comes_from(
    stub: StubCanvas, pages: ObjectStoragePath, told_by: str, title: str
) -> None:
    stub.records[SECTIONS][0]["nonxlist_course_id"] = 2
    for each in stub.records[TO_SYNC]:
        each["sections"][0]["origin_course"]["name"] = "Geometry" if told_by == "sis endpoint" else None
    if told_by == "courses":
        stub.add_courses(2)
        stub.records[COURSES][1]["name"] = "Geometry II"
    classes = (await stub.pull(pages)).frames["classes"].set_index("class_id")
    assert classes.loc["11"].to_list() == ["A-1", title]
    assert classes.loc["12"].to_list() == ["A-2", "Algebra P2"]


async def test_a_district_without_courses_is_read_as_empty(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    stub.records[COURSES], stub.records[TO_SYNC] = [], []
    got = await stub.pull(pages)
    assert {len(frame) for frame in got.frames.values()} == {0}
    assert got.totals == {"assessments": 0, "classes": 0, "students": 0, "scores": 0}
