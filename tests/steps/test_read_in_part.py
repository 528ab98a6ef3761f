"""A course of Canvas that cannot be read for a night: nothing of it is lost, and the others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox_canvas import Canvas

if TYPE_CHECKING:
    from district import SampleDistrict
    from sandbox_process import SandboxProcess

BAD, GOOD = "1752", "1758"  # an assignment of each of the two courses of the data


def course_of(sandbox: SandboxProcess, assignment: str) -> int:
    course: int = sandbox.control("GET", f"/canvas/assignments/{assignment}")["course_id"]
    return course


def grade(sandbox: SandboxProcess, assignment: str, points: float) -> None:
    rows = Canvas.of(sandbox).submissions(course_of(sandbox, assignment), assignment_ids=[assignment])
    student = next(row["user_id"] for row in rows if row["submissions"][0]["workflow_state"] == "graded")
    sandbox.control("PATCH", f"/canvas/submissions/{assignment}/{student}", {"score": points})


@pytest.mark.parametrize("mode", ["changes", pytest.param("full", marks=pytest.mark.slow)])
def test_what_could_not_be_read_counts_neither_as_deleted_nor_as_removed_and_comes_the_next_night(
    harborview: SampleDistrict, mode: str
) -> None:
    sandbox = harborview.sandbox
    first = harborview.run()
    assert first["for_a_person"] == []

    bad = course_of(sandbox, BAD)
    grade(sandbox, BAD, 31)
    grade(sandbox, GOOD, 32)
    sandbox.fault("feed", "status", status=404, match={"path": f"/courses/{bad}/students/submissions"})
    second = harborview.run(mode=mode)
    assert second["extracted"] == first["extracted"] == sum(second["outcomes"].values())
    assert second["outcomes"]["sent"] == (1 if mode == "changes" else first["outcomes"]["sent"])
    (told,) = second["for_a_person"]
    assert told["kind"] == "not_read"
    assert f"(course {bad})" in told["class_title"]
    assert second["limit"]["vanished"] == 0

    sandbox.lift_faults()
    third = harborview.run()
    assert third["outcomes"]["sent"] == 1
    assert third["for_a_person"] == []
    assert harborview.run()["outcomes"]["sent"] == 0
