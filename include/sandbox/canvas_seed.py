"""What the sandbox's Canvas holds at first: the world as courses, and the workshop; README.md says how."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final

from sandbox import canvas_store
from sandbox import canvas_workshop as workshop
from sandbox.canvas_records import ACCOUNT_ID, CALLER_ID, TERM_ID, new
from sandbox.instants import moment
from sandbox.seed import ACADEMIC_SESSIONS, SCHOOL_YEAR, UNPUBLISHED_NUMBER, sis_class_id, sis_student_id
from sandbox.seed_feed import feed_records

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping

    from sandbox.canvas_store import Record
    from sandbox.seed import Course, World

_SIS_IMPORT: Final = 1
_FIRST_STUDENT: Final = 10_000_000  # + id_student: a Canvas id that is no SIS id
_GUEST: Final = 99_000_017
_TYPES: Final = ("Assignment", "Quiz", "Test")
# The categories of Aspire are 301 …, one set a term.
_CATEGORY: Final = {"Assignment": "301", "Quiz": "307", "Test": "308"}
_TERMS: Final = tuple(session for session in ACADEMIC_SESSIONS if session.kind == "term")


def _teacher_user_id(teacher_id: str) -> int:
    return 1000 + int(teacher_id.removeprefix("t"))


def _student_user_id(student_id: str) -> int:
    return _FIRST_STUDENT + int(student_id.removeprefix("s"))


def _without_groups(world: World) -> str:
    """The class into which nobody imported the groups of Aspire: the second one, or the only one."""
    return world.courses[min(1, len(world.courses) - 1)].class_id


# --- Account, term, periods, people ---


def _periods(world: World) -> Iterator[Record]:
    days = world.days
    for session in ACADEMIC_SESSIONS:
        if session.kind == "gradingPeriod":
            ends_at = days.at(session.last_day, 23, 59)
            yield new(
                "grading_period",
                id=int(session.sourced_id),
                title=session.title,
                start_date=days.at(session.first_day, 0),
                end_date=ends_at,
                close_date=ends_at,
                is_closed=session.closed,
            )


def _users(world: World) -> Iterator[Record]:
    def user(number: int, name: str, sis_id: str | None) -> Record:
        return new(
            "user",
            id=number,
            name=name,
            short_name=name,
            sortable_name=name,
            created_at=world.days.at(-30, 8),
            sis_user_id=sis_id,
            login_id=sis_id,
        )

    yield user(CALLER_ID, "Grade Passback", None)
    for course in world.courses:
        yield user(_teacher_user_id(course.teacher_id), "Teacher", course.sis_teacher_id)
    for section in world.workshop_sections[:1]:
        yield user(_teacher_user_id(section.teacher_id), "Teacher", section.sis_teacher_id)
    for student in sorted({row["id_student"] for row in world.registrations}, key=int):
        yield user(_FIRST_STUDENT + int(student), "Student", sis_student_id(student))
    yield user(_GUEST, "Guest", None)


def _enrollment(
    world: World, number: int, *, course_id: int, section_id: int, user_id: int, **more: Any
) -> Record:
    at = world.days.at(-30, 8)
    return new(
        "enrollment",
        id=number,
        course_id=course_id,
        course_section_id=section_id,
        user_id=user_id,
        created_at=at,
        updated_at=at,
        **{"sis_import_id": _SIS_IMPORT} | more,
    )


_TEACHES: Final = {"type": "TeacherEnrollment", "role": "TeacherEnrollment"}


# --- Groups ---


def _group(number: int, course_id: int, position: int, name: str, term: str = "") -> Record:
    """A group; with a term, imported from Aspire for that term."""
    imported: Record = {}
    if term:
        imported = {"sis_source_id": f"{term}-{_CATEGORY[name]}", "integration_data": {"sis_term_id": term}}
    return new("assignment_group", id=number, course_id=course_id, position=position, name=name, **imported)


def _groups(world: World, course: Course, course_id: int) -> dict[tuple[str, str], Record]:
    """Term and type → group; where groups are not imported, every term has the same."""
    imported = world.sis == "aspire" and course.class_id != _without_groups(world)
    terms = [term.sourced_id for term in _TERMS] if imported else [""]
    numbers = count(1)
    by_term: dict[tuple[str, str], Record] = {}
    for term in terms:
        for name in _TYPES:
            number = next(numbers)
            by_term[term, name] = _group(course_id * 100 + number, course_id, number, name, term)
    if not imported:
        by_term |= {(term.sourced_id, name): by_term["", name] for term in _TERMS for name in _TYPES}
    return by_term


def _term_of(world: World, assessment: Record) -> str:
    """The term of an assessment's due day; without one, of the day it was assigned."""
    date = moment(assessment["due_at"] or assessment["assigned_at"])
    after = [term for term in _TERMS if date and date >= (moment(world.days.at(term.first_day, 0)) or date)]
    return (after or [_TERMS[0]])[-1].sourced_id


# --- The courses of the data ---


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _submission(score: Record) -> Record:
    """What a score of the feed is as a submission."""
    submitted = {"submission_type": "online_upload", "attempt": 1} if score["submitted_at"] else {}
    if score["status"] == "excluded":
        graded: Record = {"workflow_state": "graded", "excused": True, "posted_at": score["graded_at"]}
    elif score["status"] == "graded":
        points = _number(score["points"])
        graded = {
            "workflow_state": "graded",
            "score": points,
            "grade": f"{points:g}",
            "posted_at": score["graded_at"],
        }
    else:
        graded = {"workflow_state": "submitted" if score["status"] == "turned_in" else "unsubmitted"}
    return {"submitted_at": score["submitted_at"], "graded_at": score["graded_at"], **submitted, **graded}


def _put_courses(connection: sqlite3.Connection, world: World, numbers: Iterator[int]) -> None:
    at = world.days.at(-30, 8)
    courses = {course.class_id: number for number, course in enumerate(world.courses, 11)}
    enrollments = []
    groups: dict[str, dict[tuple[str, str], Record]] = {}
    for course in world.courses:
        course_id = courses[course.class_id]
        canvas_store.put(
            connection,
            "course",
            new(
                "course",
                id=course_id,
                name=course.title,
                course_code=course.class_id,
                sis_course_id=f"C-{course.sis_class_id}",
                created_at=at,
            ),
        )
        section = new(
            "section",
            id=course_id * 10 + 1,
            course_id=course_id,
            name=course.title,
            sis_section_id=course.sis_class_id,
            created_at=at,
        )
        canvas_store.put(connection, "section", section)
        groups[course.class_id] = _groups(world, course, course_id)
        canvas_store.put_all(connection, "assignment_group", groups[course.class_id].values())
        teacher = _teacher_user_id(course.teacher_id)
        enrollments.append(
            _enrollment(
                world,
                next(numbers),
                course_id=course_id,
                section_id=section["id"],
                user_id=teacher,
                **_TEACHES,
            )
        )
    for row in world.registrations:
        course_id = courses[f"{row['code_module']}-{row['code_presentation']}"]
        enrollments.append(
            _enrollment(
                world,
                next(numbers),
                course_id=course_id,
                section_id=course_id * 10 + 1,
                user_id=_student_user_id(row["id_student"]),
            )
        )
    canvas_store.put_all(connection, "enrollment", enrollments)
    _put_gradebooks(connection, world, courses, groups)


def _put_gradebooks(
    connection: sqlite3.Connection,
    world: World,
    courses: Mapping[str, int],
    groups: Mapping[str, Mapping[tuple[str, str], Record]],
) -> None:
    assignments, submissions = [], []
    submission_numbers = count(1)
    for collection, record in feed_records(world):
        if record.get("class_id") not in courses:
            continue  # people, and the classes that are there for a rule of Aeries alone
        if collection == "assessments":
            group = groups[record["class_id"]][_term_of(world, record), record["type"]]
            assignments.append(
                new(
                    "assignment",
                    id=int(record["id"]),
                    course_id=courses[record["class_id"]],
                    name=record["title"],
                    points_possible=_number(record["points_possible"]),
                    assignment_group_id=group["id"],
                    created_at=record["assigned_at"],
                    updated_at=record["assigned_at"],
                    due_at=record["due_at"],
                )
            )
        elif collection == "scores":
            submissions.append(
                new(
                    "submission",
                    id=next(submission_numbers),
                    course_id=courses[record["class_id"]],
                    assignment_id=int(record["assessment_id"]),
                    user_id=_student_user_id(record["student_id"]),
                    **_submission(record),
                )
            )
    canvas_store.put_all(connection, "assignment", assignments)
    canvas_store.put_submissions(connection, submissions)


# --- The workshop ---


def _workshop_groups(world: World) -> dict[str, Record]:
    """Name in `canvas_workshop.PIECES` → group."""
    terms = [term.sourced_id if world.sis == "aspire" else "" for term in _TERMS]
    first_term, this_term = terms[0], terms[-1]
    base = workshop.COURSE * 100
    return {
        "Assignment": _group(base + 1, workshop.COURSE, 1, "Assignment", this_term),
        "Quiz": _group(base + 2, workshop.COURSE, 2, "Quiz", this_term),
        "Assignment (first term)": _group(base + 3, workshop.COURSE, 3, "Assignment", first_term),
        "Participation": _group(base + 4, workshop.COURSE, 4, "Participation"),
        "assignment": _group(base + 5, workshop.COURSE, 5, "assignment"),
    }


def _workshop_courses(world: World) -> Iterator[tuple[str, Record]]:
    at = world.days.at(-30, 8)
    courses = (
        (workshop.COURSE, "Workshop", "available"),
        (workshop.ORIGIN_COURSE, "Workshop cross-listed", "available"),
        (workshop.UNPUBLISHED_COURSE, "Workshop unpublished", "unpublished"),
    )
    for number, name, state in courses:
        yield (
            "course",
            new(
                "course",
                id=number,
                name=name,
                course_code=name,
                workflow_state=state,
                sis_course_id=f"C-{number}",
                created_at=at,
                start_at=world.days.at(100, 0),
                end_at=world.days.at(300, 23, 59),
            ),
        )
    first, second, cross_listed = world.workshop_sections[:3]
    sections = (
        (workshop.FIRST_SECTION, workshop.COURSE, first.title, first.sis_class_id, None),
        (workshop.SECOND_SECTION, workshop.COURSE, second.title, second.sis_class_id, None),
        (
            workshop.CROSS_LISTED_SECTION,
            workshop.COURSE,
            cross_listed.title,
            cross_listed.sis_class_id,
            workshop.ORIGIN_COURSE,
        ),
        (
            workshop.UNPUBLISHED_SECTION,
            workshop.UNPUBLISHED_COURSE,
            "Workshop unpublished",
            sis_class_id(world.sis, UNPUBLISHED_NUMBER, 1),
            None,
        ),
    )
    for number, course_id, name, sis_id, origin in sections:
        yield (
            "section",
            new(
                "section",
                id=number,
                course_id=course_id,
                name=name,
                sis_section_id=sis_id,
                nonxlist_course_id=origin,
                created_at=at,
            ),
        )


def _workshop_enrollments(world: World, users: Mapping[int, int], numbers: Iterator[int]) -> Iterator[Record]:
    teacher = _teacher_user_id(world.workshop_sections[0].teacher_id)
    for section_id, course_id in (
        (workshop.FIRST_SECTION, workshop.COURSE),
        (workshop.SECOND_SECTION, workshop.COURSE),
        (workshop.CROSS_LISTED_SECTION, workshop.COURSE),
        (workshop.UNPUBLISHED_SECTION, workshop.UNPUBLISHED_COURSE),
    ):
        yield _enrollment(
            world, next(numbers), course_id=course_id, section_id=section_id, user_id=teacher, **_TEACHES
        )
    for student, user_id in users.items():
        by_hand = {"sis_import_id": None} if user_id == _GUEST else {}
        section_id = workshop.section_of(student)
        yield _enrollment(
            world, next(numbers), course_id=workshop.COURSE, section_id=section_id, user_id=user_id, **by_hand
        )
    for user_id in _unpublished_students(users):
        yield _enrollment(
            world,
            next(numbers),
            course_id=workshop.UNPUBLISHED_COURSE,
            section_id=workshop.UNPUBLISHED_SECTION,
            user_id=user_id,
        )


def _unpublished_students(users: Mapping[int, int]) -> list[int]:
    """Who is in the unpublished course: the first four of the workshop."""
    return list(users.values())[:4]


def _put_workshop(connection: sqlite3.Connection, world: World, numbers: Iterator[int]) -> None:
    students = [student for section in world.workshop_sections[:3] for student in section.students]
    users = {number: _student_user_id(student) for number, student in enumerate(students, 1)}
    users[len(users) + 1] = _GUEST
    for kind, record in _workshop_courses(world):
        canvas_store.put(connection, kind, record)
    canvas_store.put_all(connection, "enrollment", _workshop_enrollments(world, users, numbers))
    groups = _workshop_groups(world)
    canvas_store.put_all(connection, "assignment_group", groups.values())
    days, submission_numbers = world.days, count(canvas_store.following_submission_id(connection))

    def put(
        number: int, course_id: int, piece: workshop.Piece, group: Record, submissions: Iterable[Any]
    ) -> None:
        canvas_store.put(
            connection,
            "assignment",
            workshop.assignment(
                days, piece, number=number, course_id=course_id, group_id=group["id"], users=users
            ),
        )
        canvas_store.put_submissions(
            connection,
            (
                new(
                    "submission",
                    id=next(submission_numbers),
                    course_id=course_id,
                    assignment_id=number,
                    user_id=user_id,
                    **given,
                )
                for user_id, given in submissions
            ),
        )

    for number, piece in enumerate(workshop.PIECES, workshop.FIRST_ASSIGNMENT):
        given = workshop.submissions(days, number, piece, users)
        put(number, workshop.COURSE, piece, groups[piece.group], given)
    waiting = workshop.Piece("Nobody sees it yet")
    group = _group(workshop.UNPUBLISHED_COURSE * 100 + 1, workshop.UNPUBLISHED_COURSE, 1, "Assignment", "")
    if world.sis == "aspire":
        group |= {key: groups["Assignment"][key] for key in ("sis_source_id", "integration_data")}
    canvas_store.put(connection, "assignment_group", group)
    graded = workshop.submission(days, {"score": waiting.score})
    put(
        workshop.UNPUBLISHED_ASSIGNMENT,
        workshop.UNPUBLISHED_COURSE,
        waiting,
        group,
        ((user_id, graded) for user_id in _unpublished_students(users)),
    )


def seed(connection: sqlite3.Connection, world: World) -> None:
    """Make Canvas' tables and fill them, inside the caller's transaction."""
    canvas_store.make_tables(connection)
    canvas_store.put(
        connection,
        "account",
        new("account", id=ACCOUNT_ID, name="Lakeview Unified School District", sis_account_id="100"),
    )
    year = next(session for session in ACADEMIC_SESSIONS if session.sourced_id == SCHOOL_YEAR)
    canvas_store.put(
        connection,
        "term",
        new(
            "term",
            id=TERM_ID,
            name=year.title,
            start_at=world.days.at(year.first_day, 0),
            end_at=world.days.at(year.last_day, 23, 59),
            sis_term_id=SCHOOL_YEAR,
        ),
    )
    canvas_store.put_all(connection, "grading_period", _periods(world))
    canvas_store.put_all(connection, "user", _users(world))
    numbers = count(1)
    _put_courses(connection, world, numbers)
    _put_workshop(connection, world, numbers)
