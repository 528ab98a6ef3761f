"""What the sandbox's Canvas holds, as canonical frames: the table of the workshop in its README."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from passback.connections import Endpoint
from passback.errors import ConfigurationError, PassbackError, PermissionRefusedError
from passback.frame_store import open_folder
from passback.records import ASSESSMENTS, SOURCE_FRAMES
from passback.sources import canvas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import ObjectStoragePath

    from passback.sources.pulled import Pull
    from sandbox_process import SandboxProcess

FRACTIONS = "900001"


def quiet(_: str) -> None:
    """Say nothing."""


def endpoint(sandbox: SandboxProcess) -> Endpoint:
    told = sandbox.info()["connections"]["source"]
    url = f"{told['schema']}://{told['host']}:{told['port']}"
    return Endpoint("canyonridge_canvas", url, "", told["password"], {"account": "1"})


def read(sandbox: SandboxProcess, pages: ObjectStoragePath) -> Pull:
    return asyncio.run(
        canvas.pull(endpoint(sandbox), pages, since=None, known=ASSESSMENTS.empty(), say=quiet)
    )


@pytest.fixture(scope="module")
def got(running_canvas: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> Pull:
    running_canvas.reset()
    return read(running_canvas, open_folder(f"file://{tmp_path_factory.mktemp('pages')}"))


@pytest.fixture(scope="module")
def fractions(got: Pull) -> pd.DataFrame:
    """The scores on Fractions by the student's number in the workshop: they are numbered by id."""
    scores = got.frames["scores"]
    rows = scores[scores["assessment_id"].eq(FRACTIONS)].assign(
        number=lambda data: data["student_id"].astype("int64").rank().astype("int64")
    )
    return rows.set_index("number")


@pytest.fixture(scope="module")
def workshop(got: Pull) -> pd.DataFrame:
    """The assessments by title and class."""
    return got.frames["assessments"].set_index(["title", "class_id"]).sort_index()


def test_every_frame_has_its_shape_and_one_row_a_key(got: Pull) -> None:
    for frame in SOURCE_FRAMES:
        data = got.frames[frame.name]
        assert data.dtypes.astype("str").to_dict() == frame.empty().dtypes.astype("str").to_dict(), frame.name
        assert not data.duplicated(list(frame.key)).any()


def test_it_says_how_much_there_is(got: Pull) -> None:
    assert got.totals == {name: len(got.frames[name]) for name in got.totals}
    assert set(got.totals) == {"assessments", "scores", "classes", "students"}
    assert got.changes == frozenset()
    assert got.totals["scores"] > 4_500


@pytest.mark.parametrize(
    ("number", "status", "points", "points_text", "mark"),
    [
        (1, "graded", 8.0, "", ""),
        (2, "excused", None, "", ""),
        (3, "graded", 7.0, "", "late"),
        (4, "not_submitted", None, "", "missing"),
        (5, "graded", 0.0, "", "missing"),
        (6, "graded", None, "incomplete", ""),
        (7, "unposted", 9.0, "", ""),
        (8, "graded", 6.0, "", "late"),  # handed in again since: the grade stands
        (9, "turned_in", None, "", ""),
        (10, "not_submitted", None, "", "missing"),
        (11, "graded", 12.0, "", ""),
        (12, "turned_in", None, "", ""),  # a quiz of which a part is not graded yet
        (13, "graded", 4.0, "", ""),
        (14, "graded", 8.5, "", ""),
        (15, "graded", 0.0, "", ""),
        (16, "graded", 10.0, "", ""),
        (17, "graded", 3.0, "", ""),
    ],
)
def test_a_submission_is(
    fractions: pd.DataFrame, number: int, status: str, points: float | None, points_text: str, mark: str
) -> None:
    row = fractions.loc[number]
    assert (row["status"], row["points_text"], row["mark"]) == (status, points_text, mark)
    assert math.isnan(row["points"]) if points is None else row["points"] == points


def test_the_guest_who_was_enrolled_by_hand_has_no_sis_id(got: Pull, fractions: pd.DataFrame) -> None:
    students = got.frames["students"].set_index("student_id")["sis_student_id"]
    assert students[fractions.loc[17, "student_id"]] == ""
    assert students.eq("").sum() == 1


@pytest.mark.parametrize(
    ("title", "class_id", "told"),
    [
        (
            "Fractions",
            "9011",
            {"sync_on": True, "published": True, "course_published": True, "whole_section": True},
        ),
        ("Each section its date", "9011", {"due_uniform": True, "whole_section": True}),
        ("Two named students", "9011", {"whole_section": False}),
        ("One student later", "9011", {"whole_section": True, "due_uniform": False}),
        ("One student later", "9012", {"whole_section": True, "due_uniform": True}),
        ("One section only", "9011", {"whole_section": True, "due_uniform": True}),
        ("Draft", "9011", {"published": False}),
        ("Not for the SIS", "9011", {"sync_on": False}),
        ("Closed period", "9011", {"sync_on": False, "period_closed": True}),
        ("Bonus", "9011", {"include_in_final_grade": False}),
        ("Pass or fail", "9011", {"grading_type": "pass_fail"}),
        ("Letters", "9011", {"grading_type": "letter_grade"}),
        ("Half points", "9011", {"points_possible": 10.5}),
        ("No points", "9011", {"points_possible": 0.0}),
        ("Participation", "9011", {"type": "Participation", "group_sis_id": "", "group_term_id": ""}),
        ("Small letters", "9011", {"type": "assignment", "group_sis_id": ""}),
        ("Quiz night", "9011", {"type": "Quiz", "group_sis_id": "9102-307", "group_term_id": "9102"}),
        (
            "Group of the first term",
            "9011",
            {"type": "Assignment", "group_sis_id": "9101-301", "group_term_id": "9101"},
        ),
        ("Nobody sees it yet", "9031", {"published": True, "course_published": False}),
    ],
)
def test_an_assignment_is(workshop: pd.DataFrame, title: str, class_id: str, told: dict[str, Any]) -> None:
    row = workshop.loc[(title, class_id)]
    assert {name: row[name] for name in told} == told


@pytest.mark.parametrize(
    ("title", "class_ids"),
    [
        ("Fractions", ["9011", "9012", "9021"]),
        ("Two named students", ["9011"]),
        ("One section only", ["9011"]),
        ("Draft", ["9011", "9012", "9021"]),
    ],
)
def test_an_assignment_stands_in_the_sections_that_have_it(
    workshop: pd.DataFrame, title: str, class_ids: list[str]
) -> None:
    assert sorted(workshop.loc[title].index) == class_ids


def test_each_section_has_its_own_due_date(workshop: pd.DataFrame) -> None:
    due = workshop.loc["Each section its date", "due_at"]
    assert (due["9012"] - due["9011"]).days == 7
    assert pd.isna(workshop.loc[("No due date", "9011"), "due_at"])


def test_a_section_goes_by_its_own_sis_id_and_a_cross_listed_one_by_its_own_course(got: Pull) -> None:
    classes = got.frames["classes"].set_index("class_id")
    assert classes.loc["9012", "sis_class_id"] == "1999-02"
    assert classes.loc["9021"].to_list() == ["1998-01", "Workshop cross-listed"]


def test_scores_of_an_unpublished_course_are_read_all_the_same(got: Pull) -> None:
    assert got.frames["scores"]["class_id"].eq("9031").sum() == 4


# --- What Canvas refuses ---


@pytest.fixture
def sandbox(running_canvas: SandboxProcess) -> Iterator[SandboxProcess]:
    yield running_canvas
    running_canvas.lift_faults()
    switches = ("canvas_grade_export", "canvas_view_all_grades", "canvas_read_sis")
    running_canvas.control(
        "PATCH", "/canvas/settings", dict.fromkeys(switches, True) | {"canvas_throttle": None}
    )


@pytest.mark.parametrize(
    ("switch", "error", "told"),
    [
        ("canvas_grade_export", ConfigurationError, "exports no grades to a SIS"),
        ("canvas_view_all_grades", PermissionRefusedError, "Grades - view all grades"),
        ("canvas_read_sis", PermissionRefusedError, "SIS Data - read"),
    ],
)
def test_a_switch_that_is_off_is_named(
    sandbox: SandboxProcess, pages: ObjectStoragePath, switch: str, error: type[PassbackError], told: str
) -> None:
    sandbox.control("PATCH", "/canvas/settings", {switch: False})
    with pytest.raises(error, match=told):
        read(sandbox, pages)


@pytest.mark.parametrize("status", [403, 429])
def test_a_small_bucket_is_read_from_all_the_same(
    sandbox: SandboxProcess,
    pages: ObjectStoragePath,
    got: Pull,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("passback.sources.canvas.client.FIRST_WAIT", 0.05)
    throttle = {"hwm": 52, "outflow": 20, "status": status}
    sandbox.control("PATCH", "/canvas/settings", {"canvas_throttle": throttle})
    again = read(sandbox, pages)
    assert again.totals == got.totals
    assert again.requests > got.requests  # some were refused


def test_an_extraction_that_lost_its_connection_goes_on_where_it_stood(
    sandbox: SandboxProcess, pages: ObjectStoragePath, got: Pull
) -> None:
    sandbox.fault("feed", "drop", match={"path": ".*/courses/901/.*"})
    with pytest.raises(PassbackError, match="does not answer"):
        read(sandbox, pages)
    sandbox.lift_faults()
    again = read(sandbox, pages)
    assert again.frames["scores"].equals(got.frames["scores"])
    assert again.requests < got.requests


def test_the_connection_check_counts(sandbox: SandboxProcess) -> None:
    counts = asyncio.run(canvas.count(endpoint(sandbox)))
    assert (counts["courses"], counts["published_courses"]) == (5, 4)
    assert counts["assignments_to_sync"] > 30
    assert counts["students_with_sis_id"] == counts["students_of_a_course"] > 0
