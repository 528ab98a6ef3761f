"""A course of Canvas that cannot be read for a night: nothing of it is lost, and the others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from district import SampleDistrict, environment
from sandbox_canvas import Canvas
from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox_process import SandboxProcess

BAD, GOOD = "1752", "1758"  # an assignment of each of the two courses of the data


@pytest.fixture
def harborview(ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SampleDistrict]:
    with start_sandbox(tmp_path / "sandbox", lms="canvas", sis="aspen", modules="AAA") as sandbox:
        for name, value in environment(sandbox, ledger_url, tmp_path / "stage", "harborview").items():
            monkeypatch.setenv(name, value)
        yield SampleDistrict(sandbox, ledger_url, tmp_path / "stage", name="harborview")


def course_of(sandbox: SandboxProcess, assignment: str) -> int:
    course: int = sandbox.control("GET", f"/canvas/assignments/{assignment}")["course_id"]
    return course


def grade(sandbox: SandboxProcess, assignment: str, points: float) -> None:
    rows = Canvas.of(sandbox).submissions(course_of(sandbox, assignment), assignment_ids=[assignment])
    student = next(row["user_id"] for row in rows if row["submissions"][0]["workflow_state"] == "graded")
    sandbox.control("PATCH", f"/canvas/submissions/{assignment}/{student}", {"score": points})


@pytest.mark.parametrize("mode", ["changes", "full"])
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
