"""The workshop: a course of the sandbox's Canvas made for the rules, with one assignment for each of them.

README.md has its table; what stands here and there must agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sandbox.canvas_records import new

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.canvas_store import Record
    from sandbox.seed import Days

COURSE: Final = 901
ORIGIN_COURSE: Final = 902  # of the section that is cross-listed into the workshop
UNPUBLISHED_COURSE: Final = 903
FIRST_SECTION, SECOND_SECTION, CROSS_LISTED_SECTION, UNPUBLISHED_SECTION = 9011, 9012, 9021, 9031

FIRST_ASSIGNMENT: Final = 900_001
UNPUBLISHED_ASSIGNMENT: Final = 900_101

POINTS: Final = 10.0
_ASSIGNED_DAY: Final = 170
_DUE_DAY: Final = 190
_GRADED_DAY: Final = 189


@dataclass(frozen=True)
class Override:
    """Another due date: for a section, or for students by their number in the workshop (1 …)."""

    due_day: int | None
    section: int | None = None
    students: tuple[int, ...] = ()


@dataclass(frozen=True)
class Piece:
    """An assignment of the workshop; what it does not say is as everywhere in it.

    Attributes:
        name: Its title.
        group: Which of the workshop's groups it is in.
        due_day: When it is due, at 23:59; None: it has no due date.
        assigned_day: When it was made, at 08:00.
        overrides: Its other due dates.
        only_overrides: Whether only those are assigned it whom an override names.
        fields: What else it has.
        grade: What everybody has on it as a grade; the score is `score`.
        score: Everybody's score.
    """

    name: str
    group: str = "Assignment"
    due_day: int | None = _DUE_DAY
    assigned_day: int = _ASSIGNED_DAY
    overrides: tuple[Override, ...] = ()
    only_overrides: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)
    grade: str = "8"
    score: float | None = 8.0


def _title(length: int) -> str:
    """A title of that many characters, which says how many."""
    return f"A title of {length} characters ".ljust(length, "x")


PIECES: Final = (
    Piece("Fractions"),
    Piece(
        "Each section its date",
        overrides=(Override(188, section=FIRST_SECTION), Override(195, section=SECOND_SECTION)),
    ),
    Piece("Two named students", overrides=(Override(_DUE_DAY, students=(1, 2)),), only_overrides=True),
    Piece("One student later", overrides=(Override(198, students=(3,)),)),
    Piece("One section only", overrides=(Override(_DUE_DAY, section=FIRST_SECTION),), only_overrides=True),
    Piece("Draft", fields={"published": False, "workflow_state": "unpublished"}),
    Piece("Not for the SIS", fields={"post_to_sis": False}),
    Piece(
        "Closed period",
        due_day=60,
        assigned_day=40,
        group="Assignment (first term)",
        fields={"post_to_sis": False},
    ),
    Piece("Bonus", fields={"omit_from_final_grade": True}),
    Piece("Pass or fail", fields={"grading_type": "pass_fail"}, grade="complete", score=10.0),
    Piece("Letters", fields={"grading_type": "letter_grade"}, grade="B", score=8.5),
    Piece("Half points", fields={"points_possible": 10.5}),
    Piece(_title(30)),
    Piece(_title(31)),
    Piece(_title(49)),
    Piece(_title(50)),
    Piece(_title(51)),
    Piece("No due date", due_day=None),
    Piece("Participation", group="Participation"),
    Piece("Small letters", group="assignment"),
    Piece("Group of the first term", group="Assignment (first term)"),
    Piece("No points", fields={"points_possible": 0.0}, grade="0", score=0.0),
    Piece("A decimal score", grade="8.25", score=8.25),
    Piece("Quiz night", group="Quiz"),
)

# Student of the workshop, by number → what they have on Fractions; 17 is a guest without a SIS id.
_SUBMISSIONS: Final[dict[int, Record]] = {
    1: {"score": 8.0},
    2: {"excused": True},
    3: {"score": 7.0, "submitted_day": 192, "graded_day": 193},
    4: {"late_policy_status": "missing", "submitted_day": None, "graded_day": None},
    5: {"score": 0.0, "late_policy_status": "missing", "submitted_day": None},
    6: {"grade": "incomplete"},
    7: {"score": 9.0, "posted": False},
    8: {
        "score": 6.0,
        "submitted_day": 194,
        "workflow_state": "submitted",
        "grade_matches_current_submission": False,
    },
    9: {"graded_day": None},
    10: {"submitted_day": None, "graded_day": None},
    11: {"score": 12.0},
    12: {"score": 5.0, "graded_day": None, "workflow_state": "pending_review"},
    13: {"score": 4.0, "redo_request": True},
    14: {"score": 8.5},
    15: {"score": 0.0},
    16: {"score": 10.0},
    17: {"score": 3.0},
}


def _grade_text(score: float | None) -> str | None:
    return None if score is None else f"{score:g}"


def submission(days: Days, given: Record) -> Record:
    """The fields of a submission, from days and what is said of it."""
    said = dict(given)
    submitted_day, graded_day = (
        said.pop("submitted_day", _GRADED_DAY - 1),
        said.pop("graded_day", _GRADED_DAY),
    )
    posted = said.pop("posted", graded_day is not None)
    submitted_at = None if submitted_day is None else days.at(submitted_day, 12)
    graded_at = None if graded_day is None else days.at(graded_day, 12)
    state = "unsubmitted" if submitted_day is None else "submitted"
    return {
        "grade": _grade_text(said.get("score")),
        "workflow_state": "graded" if graded_at else state,
        "submitted_at": submitted_at,
        "submission_type": "online_upload" if submitted_at else None,
        "attempt": 1 if submitted_at else None,
        "graded_at": graded_at,
        "posted_at": graded_at if posted else None,
        **said,
    }


def assignment(
    days: Days, piece: Piece, *, number: int, course_id: int, group_id: int, users: Mapping[int, int]
) -> Record:
    """A piece as an assignment.

    Args:
        days: Days counted from day 0.
        piece: What it is.
        number: Its id.
        course_id: Its course.
        group_id: Its assignment group.
        users: Number of a student in the workshop → user id.
    """
    overrides = []
    for index, override in enumerate(piece.overrides, 1):
        due_at = None if override.due_day is None else days.at(override.due_day, 23, 59)
        assigned = (
            {"course_section_id": override.section, "title": f"Section {override.section}"}
            if override.section
            else {
                "student_ids": [users[student] for student in override.students],
                "title": f"{len(override.students)} student{'s'[: len(override.students) - 1]}",
            }
        )
        overrides.append({"id": number * 10 + index, **assigned, "due_at": due_at})
    assigned_at = days.at(piece.assigned_day, 8)
    values: Record = {
        "name": piece.name,
        "points_possible": POINTS,
        "created_at": assigned_at,
        "updated_at": assigned_at,
        "unlock_at": None,
        "due_at": None if piece.due_day is None else days.at(piece.due_day, 23, 59),
        "assignment_group_id": group_id,
        "position": number % 100,
        "overrides": overrides,
        "only_visible_to_overrides": piece.only_overrides,
        **piece.fields,
    }
    if piece.only_overrides:
        values["due_at"] = None
    return new("assignment", id=number, course_id=course_id, **values)


def submissions(
    days: Days, number: int, piece: Piece, users: Mapping[int, int]
) -> Iterator[tuple[int, Record]]:
    """User id and submission, of everybody in the workshop who has the piece to do."""
    sections = {student: section_of(student) for student in users}
    for student, user_id in users.items():
        named = any(
            student in override.students or override.section == sections[student]
            for override in piece.overrides
        )
        if piece.only_overrides and not named:
            continue
        if number == FIRST_ASSIGNMENT:
            given = _SUBMISSIONS.get(student, {"score": piece.score})
        elif student == max(_SUBMISSIONS):
            given = {"submitted_day": None, "graded_day": None}
        else:
            day = min(_GRADED_DAY, piece.due_day or _GRADED_DAY)
            given = {
                "score": piece.score,
                "grade": piece.grade,
                "submitted_day": day - 2,
                "graded_day": day - 1,
            }
        yield user_id, submission(days, given)


def section_of(student: int) -> int:
    """The section of a student, by number in the workshop: six, six, four; the guest is in the first."""
    if student <= 6 or student == max(_SUBMISSIONS):  # noqa: PLR2004 - the first six
        return FIRST_SECTION
    return SECOND_SECTION if student <= 12 else CROSS_LISTED_SECTION  # noqa: PLR2004 - the second six
