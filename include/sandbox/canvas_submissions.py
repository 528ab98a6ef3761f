"""Canvas' submissions of several students, grouped by student or one after the other."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sandbox import canvas_dates, canvas_store
from sandbox.canvas_exchange import (
    bookmarked_page,
    canvas_settings,
    error,
    found_by_id,
    numbered_page,
    require,
    switched_on,
    values,
)
from sandbox.exchange import Answer, RefusedError, answer, dumps
from sandbox.instants import microseconds, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.canvas_store import Record
    from sandbox.exchange import Call

_MAX_STUDENTS: Final = 100
_ISO_8601: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_STATES: Final = {"active": "active", "concluded": "completed"}


# Of some assignments of a course and some of its students, what was handed in and graded after an instant.
_SELECTED: Final = """
    SELECT record FROM canvas_submissions
    WHERE course_id = :course_id AND user_id IN (SELECT value FROM json_each(:users))
    AND assignment_id IN (SELECT value FROM json_each(:assignments))
    AND (:submitted_since IS NULL OR submitted_at > :submitted_since)
    AND (:graded_since IS NULL OR graded_at > :graded_since)
    AND (:workflow_state = '' OR workflow_state = :workflow_state)
"""


@dataclass(frozen=True)
class _Wanted:
    """What a request asks for.

    Attributes:
        enrollments: Student → enrollments, of the students asked for, in the order of their ids.
        assignments: Id → assignment, published and asked for.
        arguments: Those of `_SELECTED`, but for `users`.
    """

    enrollments: dict[int, list[Record]]
    assignments: dict[int, Record]
    arguments: dict[str, Any]

    def sections_of(self, user_id: int) -> set[int]:
        """The sections a student is in."""
        return {enrollment["course_section_id"] for enrollment in self.enrollments[user_id]}


def _since(call: Call, name: str) -> int | None:
    """An instant that submissions must be later than.

    Raises:
        RefusedError: it is no ISO 8601 instant (400); a `+` that was not escaped arrives as a space.
    """
    text = call.query.get(name, "")
    if not text:
        return None
    since = microseconds(text) if _ISO_8601.fullmatch(text) else None
    if since is None:
        raise RefusedError(answer({"errors": {name: f"Invalid datetime for {name}"}}, 400))
    return since


def _asked_students(call: Call, known: Sequence[int]) -> set[int]:
    """The students asked for, of those who are enrolled.

    Raises:
        RefusedError: too many by name (400), or one who is not enrolled here (403).
    """
    asked = values(call, "student_ids")
    if "all" in asked:
        return set(known)
    if len(asked) > _MAX_STUDENTS:
        raise RefusedError(answer({"error": "too many students"}, 400))
    if not asked or not all(text.isascii() and text.isdigit() and int(text) in known for text in asked):
        raise error(403, "user not authorized to perform that action", status="unauthorized")
    return {int(text) for text in asked}


def _asked_enrollments(call: Call, course_id: int, section_id: int | None) -> dict[int, list[Record]]:
    """Student → enrollments, by student."""
    connection = call.sandbox.connection
    enrolled = (
        canvas_store.enrollments(connection, course_id)
        if section_id is None
        else canvas_store.enrollments_of_section(connection, section_id)
    )
    found = [
        enrollment
        for enrollment in enrolled
        if enrollment["type"] == "StudentEnrollment" and enrollment["enrollment_state"] != "deleted"
    ]
    asked = _asked_students(call, [enrollment["user_id"] for enrollment in found])
    state = call.query.get("enrollment_state", "")
    if state and state not in _STATES:
        raise RefusedError(answer({"error": "invalid enrollment_state"}, 400))
    if state:
        found = [each for each in found if each["enrollment_state"] == _STATES[state]]
    if switched_on(call, "post_to_sis"):
        found = [each for each in found if each["sis_import_id"] is not None]
    grouped: dict[int, list[Record]] = {}
    for enrollment in sorted(found, key=lambda each: (each["user_id"], each["enrollment_state"] != "active")):
        if enrollment["user_id"] in asked:
            grouped.setdefault(enrollment["user_id"], []).append(enrollment)
    return grouped


def _asked_assignments(call: Call, course_id: int) -> dict[int, Record]:
    """The published assignments asked for.

    Raises:
        RefusedError: one asked for is not among them (403).
    """
    found = {
        assignment["id"]: assignment
        for assignment in canvas_store.of_course(call.sandbox.connection, "assignment", course_id)
        if assignment["published"] and (assignment["post_to_sis"] or not switched_on(call, "post_to_sis"))
    }
    asked = values(call, "assignment_ids")
    if not asked:
        return found
    if not all(text.isascii() and text.isdigit() and int(text) in found for text in asked):
        raise RefusedError(answer({"error": "invalid assignment ids requested"}, 403))
    return {number: found[number] for number in sorted({int(text) for text in asked})}


def _wanted(call: Call, course_id: int, section_id: int | None) -> _Wanted:
    require(call, "canvas_view_all_grades")
    enrollments = _asked_enrollments(call, course_id, section_id)
    assignments = _asked_assignments(call, course_id)
    arguments = {
        "course_id": course_id,
        "assignments": dumps(list(assignments)),
        "submitted_since": _since(call, "submitted_since"),
        "graded_since": _since(call, "graded_since"),
        "workflow_state": call.query.get("workflow_state", ""),
    }
    return _Wanted(enrollments, assignments, arguments)


def _shown(call: Call, wanted: _Wanted, submissions: list[Record]) -> Iterator[tuple[int, Record]]:
    """User and submission as they are answered: with what Canvas works out when it is asked."""
    includes, now = set(values(call, "include")), datetime.now(UTC)
    for submission in submissions:
        user_id, assignment = submission["user_id"], wanted.assignments[submission["assignment_id"]]
        sections = wanted.sections_of(user_id)
        visible = canvas_dates.is_assigned(assignment, user_id, sections)
        if not visible and submission["graded_at"] is None:
            continue
        due = canvas_dates.due_for(assignment, user_id, sections)
        shown = submission | _lateness(submission, due, now)
        for name in ("submitted_at", "graded_at", "posted_at"):
            shown[name] = _to_the_second(shown[name])
        shown["entered_score"], shown["entered_grade"] = submission["score"], submission["grade"]
        shown["cached_due_date"] = due
        del shown["course_id"]
        if "visibility" in includes:
            shown["assignment_visible"] = visible
        if "assignment" in includes:
            shown["assignment"] = {name: value for name, value in assignment.items() if name != "overrides"}
        if "user" in includes:
            shown["user"] = canvas_store.find(call.sandbox.connection, "user", user_id)
        if "submission_comments" in includes:
            shown["submission_comments"] = []
        yield user_id, shown


def _to_the_second(instant: Any) -> Any:
    """An instant as Canvas answers it; it keeps and compares microseconds."""
    return re.sub(r"(:\d\d)\.\d+", r"\1", instant) if isinstance(instant, str) else instant


def _lateness(submission: Record, due: str | None, now: datetime) -> Record:
    """`late`, `missing` and `seconds_late`, as set by hand, by the late policy or by the dates."""
    status, due_at = submission["late_policy_status"], moment(due)
    submitted_at = moment(submission["submitted_at"])
    after_due = bool(due_at and submitted_at and submitted_at > due_at)
    late = status == "late" or (status is None and after_due)
    graded = submission["workflow_state"] == "graded" and submission["score"] is not None
    past_due = due_at is not None and due_at < now
    missing = status == "missing" or (
        status is None and past_due and submitted_at is None and not graded and not submission["excused"]
    )
    seconds = (
        int((submitted_at - due_at).total_seconds()) if late and after_due and submitted_at and due_at else 0
    )
    found = {"late": late and not submission["excused"], "missing": missing, "seconds_late": seconds}
    by_hand = {name: submission[name] for name in ("late", "missing") if submission[name] is not None}
    return found | by_hand


def _grouped(call: Call, wanted: _Wanted) -> Answer:
    """A row for every student asked for, also for one of whose submissions none is wanted."""
    connection, students = call.sandbox.connection, list(wanted.enrollments)
    reads_sis = canvas_settings(call)["canvas_read_sis"]

    def fetch(offset: int, limit: int) -> list[Record]:
        page = students[offset : offset + limit]
        arguments = wanted.arguments | {"users": dumps(page)}
        found = connection.execute(_SELECTED + " ORDER BY user_id, id", arguments)
        stored = [json.loads(text) for (text,) in found]
        submissions: dict[int, list[Record]] = {}
        for user_id, submission in _shown(call, wanted, stored):
            submissions.setdefault(user_id, []).append(submission)
        rows = []
        for user_id in page:
            row: Record = {
                "user_id": user_id,
                "section_id": wanted.enrollments[user_id][0]["course_section_id"],
                "submissions": submissions.get(user_id, []),
            }
            user = canvas_store.find(connection, "user", user_id) or {}
            if reads_sis and user.get("sis_user_id"):
                row |= {"integration_id": user["integration_id"], "sis_user_id": user["sis_user_id"]}
            rows.append(row)
        return rows

    return numbered_page(call, len(students), fetch, "link")


def _flat(call: Call, wanted: _Wanted) -> Answer:
    """Submission after submission."""
    arguments = wanted.arguments | {"users": dumps(list(wanted.enrollments))}

    def fetch(after: int, limit: int) -> list[tuple[int, Record | None]]:
        found = call.sandbox.connection.execute(
            _SELECTED + " AND id > :after ORDER BY id LIMIT :limit",
            arguments | {"after": after, "limit": limit},
        )
        stored = [json.loads(text) for (text,) in found]
        shown = {submission["id"]: submission for _, submission in _shown(call, wanted, stored)}
        return [(submission["id"], shown.get(submission["id"])) for submission in stored]

    return bookmarked_page(call, fetch)


def _answer(call: Call, course_id: int, section_id: int | None) -> Answer:
    wanted = _wanted(call, course_id, section_id)
    return _grouped(call, wanted) if call.query.get("grouped") else _flat(call, wanted)


def for_course(call: Call) -> Answer:
    """GET /api/v1/courses/:id/students/submissions."""
    return _answer(call, found_by_id(call, "course", call.parameters["course_id"])["id"], None)


def for_section(call: Call) -> Answer:
    """GET /api/v1/sections/:id/students/submissions."""
    section = found_by_id(call, "section", call.parameters["section_id"])
    return _answer(call, section["course_id"], section["id"])
