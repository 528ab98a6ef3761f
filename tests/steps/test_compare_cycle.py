"""What Canvas does not date is seen when everything is read again, on a cycle of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from passback import steps
from passback.sources import SOURCES
from sandbox_canvas import Canvas

if TYPE_CHECKING:
    from district import SampleDistrict

ASSIGNMENT = "1758"
NIGHT = timedelta(days=1)


def test_a_grade_that_was_taken_back_is_reported_once_everything_is_read_and_stays_in_the_sis(
    harborview: SampleDistrict,
) -> None:
    cycle = SOURCES["canvas"].compare_every
    assert cycle is not None
    first = harborview.run()
    held = harborview.sandbox.dump()
    sandbox = harborview.sandbox
    course = sandbox.control("GET", f"/canvas/assignments/{ASSIGNMENT}")["course_id"]
    rows = Canvas.of(sandbox).submissions(course, assignment_ids=[ASSIGNMENT])
    student = next(row["user_id"] for row in rows if row["submissions"][0]["workflow_state"] == "graded")
    sandbox.control("PATCH", f"/canvas/submissions/{ASSIGNMENT}/{student}", {"score": None})

    harborview.clock = lambda: steps.utc_now() + cycle - NIGHT
    before = harborview.run()
    assert before["for_a_person"] == []
    assert before["outcomes"]["unchanged"] == first["outcomes"]["sent"]

    harborview.clock = lambda: steps.utc_now() + cycle
    after = harborview.run()
    assert [(row["kind"], row["scores"]) for row in after["for_a_person"]] == [("removed_in_source", 1)]
    assert after["outcomes"]["unchanged"] == first["outcomes"]["sent"] - 1
    assert after["outcomes"]["sent"] == 0
    assert sandbox.dump() == held
