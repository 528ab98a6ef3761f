"""Whatever a page of Canvas holds: a clear failure that quotes nothing, or an outcome of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from passback.errors import ContractError
from passback.stages.extract import merge_copies
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
    import pandas as pd
    from airflow.sdk import ObjectStoragePath

    from sources.canvas.stub_canvas import StubCanvas

GONE = object()
MEGABYTE = 1_000_000


def change(record: dict[str, Any], **fields: Any) -> None:
    for name, value in fields.items():
        if value is GONE:
            del record[name]
        else:
            record[name] = value


@pytest.mark.parametrize(
    ("path", "fields", "told"),
    [
        (COURSES, {"workflow_state": GONE}, r"missing required field `workflow_state` - at `\$\[0\]`"),
        (COURSES, {"id": "1/../2"}, r"at `\$\[0\]\.id`"),
        (COURSES, {"id": -4711}, r"at `\$\[0\]\.id`"),
        (COURSES, {"id": 4711.5}, r"at `\$\[0\]\.id`"),
        (TO_SYNC, {"course_id": None}, r"at `\$\[0\]\.course_id`"),
        (SECTIONS, {"sis_section_id": "4711\n"}, r"at `\$\[0\]\.sis_section_id`"),
        (GROUPS, {"name": ["4711"]}, r"at `\$\[0\]\.name`"),
        (ASSIGNMENTS, {"name": GONE}, r"missing required field `name`"),
        (ASSIGNMENTS, {"name": 4711}, r"Expected `str \| null`, got `int` - at `\$\[0\]\.name`"),
        (ASSIGNMENTS, {"published": "4711"}, r"at `\$\[0\]\.published`"),
        (ASSIGNMENTS, {"overrides": GONE}, r"missing required field `overrides`"),
        (ASSIGNMENTS, {"due_at": "4711-01-01T10:00:00"}, r"at `\$\[0\]\.due_at`"),
        (ASSIGNMENTS, {"due_at": "4711-02-30T10:00:00Z"}, "instant that does not exist"),
        (ASSIGNMENTS, {"updated_at": "4711-01-01T25:00:00Z"}, "instant that does not exist"),
        (
            ASSIGNMENTS,
            {"overrides": [{"student_ids": [1], "due_at": "4711-02-30T10:00:00Z"}]},
            "due date that does not exist",
        ),
        (SUBMISSIONS, {"section_id": None}, r"at `\$\[0\]\.section_id`"),
        (SUBMISSIONS, {"submissions": "4711"}, r"at `\$\[0\]\.submissions`"),
        (SUBMISSIONS, {"submissions": [{"score": 4711}]}, r"at `\$\[0\]\.submissions\[0\]`"),
        (
            SUBMISSIONS,
            {"submissions": [submission(101, workflow_state="4711")]},
            r"at `\$\[0\]\.submissions\[0\]\.workflow_state`",
        ),
        (
            SUBMISSIONS,
            {"submissions": [submission(101, graded_at="4711-02-30T10:00:00Z")]},
            "instant that does not exist",
        ),
    ],
)
async def test_a_wrong_field_is_named_and_its_value_is_not(
    stub: StubCanvas, pages: ObjectStoragePath, path: str, fields: dict[str, Any], told: str
) -> None:
    change(stub.records[path][0], **fields)
    with pytest.raises(ContractError, match=told) as refused:
        await stub.pull(pages)
    assert "4711" not in str(refused.value)
    assert refused.value.where.startswith("canyonridge_canvas: ")


@pytest.mark.parametrize("path", [COURSES, TO_SYNC, SECTIONS, GROUPS, ASSIGNMENTS, SUBMISSIONS])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<!DOCTYPE html><title>Log in, Ada Lovelace</title>", "a web page, not JSON"),
        (b'[{"id": 1, "name": "Ada Love', "not JSON"),
        (b"", "not JSON"),
        (b'{"message": "Ada Lovelace"}', "Expected `array`, got `object`"),
        (b'"Ada Lovelace"', "Expected `array`, got `str`"),
        (b"\xff\xfe", "not JSON"),
    ],
    ids=["html", "truncated", "empty", "object", "text", "bytes"],
)
async def test_what_is_no_list_of_records_is_refused(
    stub: StubCanvas, pages: ObjectStoragePath, path: str, body: bytes, told: str
) -> None:
    stub.raw[path] = body
    with pytest.raises(ContractError, match=told) as refused:
        await stub.pull(pages)
    assert "Ada" not in str(refused.value)


async def test_lists_within_lists_without_end_are_refused(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    stub.raw[GROUPS] = b'[{"id": 7, "name": "Homework", "integration_data": ' + deep + b"}]"
    with pytest.raises(ContractError, match="not JSON"):
        await stub.pull(pages)


async def score_of(stub: StubCanvas, pages: ObjectStoragePath, **fields: Any) -> dict[str, Any]:
    """What is read of a student who has this on an assignment."""
    stub.records[SUBMISSIONS] = [student(1, 11, submission(101, **fields))]
    stub.raw[SUBMISSIONS] = json.dumps(stub.records[SUBMISSIONS]).replace('"1e999"', "1e999").encode()
    scores = (await stub.pull(pages)).frames["scores"]
    assert len(scores) == 1
    return scores.iloc[0].to_dict()


@pytest.mark.parametrize(
    ("score", "told"),
    [
        ("8", "8"),
        ("8,5", "8,5"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        ("1e999", "1e999"),
        ([8], "neither a number nor text"),
        (True, "neither a number nor text"),
    ],
    ids=repr,
)
async def test_a_score_that_is_no_number_is_that_score_s_reason(
    stub: StubCanvas, pages: ObjectStoragePath, score: Any, told: str
) -> None:
    read = await score_of(stub, pages, score=score)
    assert (read["status"], read["points_text"]) == ("graded", told)
    assert read["points"] != read["points"]  # null


async def assessment_of(stub: StubCanvas, pages: ObjectStoragePath, **fields: Any) -> pd.Series:
    stub.records[ASSIGNMENTS] = [assignment(101, **fields)]
    return (await stub.pull(pages)).frames["assessments"].iloc[0]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("  Essay\x00\x07one\r\n", "Essay one"),
        ("Essay 🎓👩🏽‍🏫", "Essay 🎓👩🏽‍🏫"),
        ("مقال جديد", "مقال جديد"),
        (None, ""),
        ("\t", ""),
    ],
)
async def test_a_title_is_one_line(
    stub: StubCanvas, pages: ObjectStoragePath, name: str | None, title: str
) -> None:
    assert (await assessment_of(stub, pages, name=name))["title"] == title


async def test_a_title_of_ten_megabytes_stays_too_long_and_is_told_to_nobody(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    said: list[str] = []
    stub.records[ASSIGNMENTS][0]["name"] = "x" * 10 * MEGABYTE
    got = await stub.pull(pages, say=said.append)
    titles = got.frames["assessments"]["title"]
    assert titles.str.len().max() > 255
    assert max(map(len, said)) < 100


@pytest.mark.parametrize("points", [None, "10", "ten", [10], float("nan")])
async def test_points_possible_that_are_no_number_are_missing(
    stub: StubCanvas, pages: ObjectStoragePath, points: Any
) -> None:
    read = await assessment_of(stub, pages, points_possible=points)
    assert read["points_possible"] != read["points_possible"]  # null


@pytest.mark.parametrize(
    ("due_at", "instant"),
    [
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-03-08T01:59:00-08:00", datetime(2026, 3, 8, 9, 59, tzinfo=UTC)),
        ("2026-03-08T03:00:00-07:00", datetime(2026, 3, 8, 10, 0, tzinfo=UTC)),
        ("2026-11-01T01:30:00-07:00", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T01:30:00-08:00", datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
    ],
)
async def test_a_date_of_any_year_and_on_both_sides_of_a_time_change_is_that_instant(
    stub: StubCanvas, pages: ObjectStoragePath, due_at: str, instant: datetime
) -> None:
    read = await assessment_of(stub, pages, due_at=due_at, overrides=[{"student_ids": [1], "due_at": due_at}])
    assert read["due_at"] == instant
    assert read["due_uniform"]


async def test_ids_may_be_numbers_or_text(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    whole = await stub.pull(pages)
    stub.raw = {
        path: json.dumps(_as_text(records)).encode() for path, records in stub.records.items() if records
    }
    as_text = await stub.pull(pages / "again")
    for name, frame in whole.frames.items():
        assert frame.equals(as_text.frames[name]), name


def _as_text(value: Any, name: str = "") -> Any:
    if isinstance(value, list):
        return [_as_text(each, name) for each in value]
    if isinstance(value, dict):
        return {key: _as_text(each, key) for key, each in value.items()}
    return str(value) if name.endswith(("id", "ids")) and value is not None else value


async def test_leading_zeros_make_another_student(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    for row, sis_id in zip(stub.records[SUBMISSIONS], ("0042", "42", 42), strict=True):
        row["sis_user_id"] = sis_id
    students = (await stub.pull(pages)).frames["students"]
    assert students["sis_student_id"].tolist() == ["0042", "42", "42"]


async def test_equal_copies_of_a_record_are_one(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    once = merge_copies((await stub.pull(pages)).frames)
    for path in stub.records:
        stub.records[path] = [*stub.records[path], *stub.records[path]]
    twice = merge_copies((await stub.pull(pages / "again")).frames)
    for name, frame in once.items():
        key = list(frame.columns[:3])
        assert frame.sort_values(key, ignore_index=True).equals(
            twice[name].sort_values(key, ignore_index=True)
        ), name


async def test_contradicting_copies_of_assignments_and_scores_are_both_read(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    stub.records[ASSIGNMENTS].append(assignment(101, name="Another title"))
    stub.records[SUBMISSIONS].append(student(1, 11, submission(101, score=2.0)))
    got = merge_copies((await stub.pull(pages)).frames)
    twice = got["assessments"][got["assessments"]["assessment_id"].eq("101")]
    assert set(twice["title"]) == {"Essay 101", "Another title"}
    scores = got["scores"][got["scores"]["student_id"].eq("1") & got["scores"]["assessment_id"].eq("101")]
    assert sorted(scores["points"]) == [2.0, 8.0]


async def test_whoever_has_two_sis_ids_has_none_that_can_be_believed(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    said: list[str] = []
    stub.records[SUBMISSIONS].append(student(1, 11) | {"sis_user_id": "another"})
    stub.records[SECTIONS].append(stub.records[SECTIONS][0] | {"sis_section_id": "another"})
    got = await stub.pull(pages, say=said.append)
    assert got.frames["students"].set_index("student_id")["sis_student_id"].to_dict() == {
        "1": "",
        "2": "90002",
        "3": "90003",
    }
    assert got.frames["classes"].set_index("class_id")["sis_class_id"].to_dict() == {"11": "", "12": "A-2"}
    assert sum("several SIS ids" in line for line in said) == 2
    assert not any("another" in line for line in said)
