"""What the sandbox holds at first, from the real scores in data/. README.md states every rule used here."""

from __future__ import annotations

import csv
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from sandbox import feed
from sandbox.exchange import dumps
from sandbox.store import drop_data, instant, keep_settings, settings

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

ZONE: Final = "America/Los_Angeles"
SEEDING_DAY: Final = 200
DATA: Final = Path(__file__).parent / "data"

TYPES: Final = {"TMA": "Assignment", "CMA": "Quiz", "Exam": "Test"}
ASSIGNED_DAYS_BEFORE_DUE: Final = 21
MEMBERS_SINCE: Final = date(2019, 8, 1)

CATEGORIES: Final = (
    "Assignment",
    "Classwork",
    "Homework",
    "Project",
    "Lab",
    "Observation",
    "Quiz",
    "Test",
)

SCHOOL: Final = "101"
SCHOOL_YEAR: Final = "9001"


@dataclass(frozen=True)
class AcademicSession:
    """A term or grading period: first and last day, both belonging to it, counted from day 0."""

    sourced_id: str
    title: str
    kind: str
    parent: str
    first_day: int
    last_day: int
    closed: bool = False


ACADEMIC_SESSIONS: Final = (
    AcademicSession(SCHOOL_YEAR, "School year", "schoolYear", "", -30, 300),
    AcademicSession("9101", "Fall", "term", SCHOOL_YEAR, -30, 133),
    AcademicSession("9102", "Spring", "term", SCHOOL_YEAR, 134, 300),
    AcademicSession("9201", "P1", "gradingPeriod", "9101", -30, 66, closed=True),
    AcademicSession("9202", "P2", "gradingPeriod", "9101", 67, 133, closed=True),
    AcademicSession("9203", "P3", "gradingPeriod", "9102", 134, 200),
    AcademicSession("9204", "P4", "gradingPeriod", "9102", 201, 300),
)


@dataclass(frozen=True)
class Course:
    """A module presentation: a class with its teacher."""

    class_id: str
    sis_class_id: str
    title: str
    teacher_id: str
    sis_teacher_id: str
    course_number: str


@dataclass(frozen=True)
class Days:
    """Turns days counted from day 0 into dates and instants of the zone."""

    day_0: date

    def date(self, day: int) -> date:
        """The date of a day."""
        return self.day_0 + timedelta(days=day)

    def at(self, day: int, hour: int, minute: int = 0) -> str:
        """A local time on a day, as an instant in UTC."""
        return utc(self.date(day), hour, minute)


def utc(local_date: date, hour: int, minute: int = 0) -> str:
    """A time in the sandbox's zone as `2026-11-22T18:00:00Z`."""
    local = datetime.combine(local_date, time(hour, minute), ZoneInfo(ZONE))
    return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a file in data/."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def sis_student_id(id_student: str) -> str:
    """9 and the student's number, filled up with zeros to seven digits: 11391 → 90011391."""
    return "9" + id_student.zfill(7)


def courses() -> list[Course]:
    """The classes, in the order of module and presentation."""
    presentations = sorted((row["code_module"], row["code_presentation"]) for row in rows("courses"))
    found = []
    for number, (module, group) in enumerate(groupby(presentations, key=lambda pair: pair[0]), 1001):
        for section, (_, presentation) in enumerate(group, 1):
            found.append(
                Course(
                    class_id=f"{module}-{presentation}",
                    sis_class_id=f"{number}.0.{section:02}",
                    title=f"{module} {presentation}",
                    teacher_id=f"t{len(found) + 1}",
                    sis_teacher_id=f"8000000{len(found) + 1}",
                    course_number=str(number),
                )
            )
    return found


def _class_of(row: dict[str, str]) -> str:
    return f"{row['code_module']}-{row['code_presentation']}"


# --- The feed ---


def _assessments(days: Days, by_class: dict[str, Course]) -> Iterator[dict[str, Any]]:
    def order(row: dict[str, str]) -> tuple[Any, ...]:
        undated = row["date"] == ""
        return (
            _class_of(row),
            row["assessment_type"],
            undated,
            int(row["date"] or 0),
            int(row["id_assessment"]),
        )

    listed = sorted(rows("assessments"), key=order)
    for _, group in groupby(listed, key=lambda row: (_class_of(row), row["assessment_type"])):
        for number, row in enumerate(group, 1):
            course = by_class[_class_of(row)]
            due_day = int(row["date"]) if row["date"] else None
            assigned_day = due_day - ASSIGNED_DAYS_BEFORE_DUE if due_day is not None else 0
            yield {
                "id": row["id_assessment"],
                "class_id": course.class_id,
                "title": f"{row['assessment_type']} {number} ({course.title})",
                "type": TYPES[row["assessment_type"]],
                "grading_type": "points",
                "points_possible": 100,
                "include_in_final_grade": True,
                "assigned_by": course.teacher_id,
                "assigned_at": days.at(assigned_day, 8),
                "due_at": days.at(due_day, 23, 59) if due_day is not None else None,
            }


def _score(row: dict[str, str] | None, noons: dict[int, str]) -> dict[str, Any]:
    """Status, points and times by a row of studentAssessment.csv, or by there being none."""
    if row is None:
        return {"status": "not_submitted", "points": None, "submitted_at": None, "graded_at": None}
    submitted_at = noons[min(int(row["date_submitted"]), SEEDING_DAY)]
    if row["score"] == "":
        return {"status": "turned_in", "points": None, "submitted_at": submitted_at, "graded_at": None}
    status = "excluded" if row["is_banked"] == "1" else "graded"
    points = float(row["score"])
    return {
        "status": status,
        "points": int(points) if points.is_integer() else points,
        "submitted_at": submitted_at,
        "graded_at": submitted_at,
    }


def _scores(days: Days) -> Iterator[dict[str, Any]]:
    given = {(row["id_assessment"], row["id_student"]): row for row in rows("studentAssessment")}
    assessments: dict[str, list[str]] = {}
    for row in rows("assessments"):
        assessments.setdefault(_class_of(row), []).append(row["id_assessment"])
    first = min(int(row["date_submitted"]) for row in given.values())
    noons = {day: days.at(day, 12) for day in range(first, SEEDING_DAY + 1)}
    for row in rows("studentRegistration"):
        for assessment_id in assessments[_class_of(row)]:
            yield {
                "assessment_id": assessment_id,
                "class_id": _class_of(row),
                "student_id": f"s{row['id_student']}",
                **_score(given.get((assessment_id, row["id_student"])), noons),
            }


def feed_records(day_0: date) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every record of the feed with its collection, without `modified_at`."""
    days = Days(day_0)
    taught = courses()
    students = sorted({row["id_student"] for row in rows("studentRegistration")}, key=int)
    for course in taught:
        yield "classes", {"id": course.class_id, "sis_id": course.sis_class_id, "title": course.title}
        yield "staff", {"id": course.teacher_id, "sis_id": course.sis_teacher_id, "role": "teacher"}
        yield (
            "group-members",
            {"staff_id": course.teacher_id, "joined_at": utc(MEMBERS_SINCE, 0), "left_at": None},
        )
    for student in students:
        yield "students", {"id": f"s{student}", "sis_id": sis_student_id(student)}
    for record in _assessments(days, {course.class_id: course for course in taught}):
        yield "assessments", record
    for record in _scores(days):
        yield "scores", record


# --- The SIS ---


@dataclass(frozen=True)
class SisRecord:
    """A OneRoster record and the columns it is found by."""

    kind: str
    record: dict[str, Any]
    subtype: str | None = None
    class_id: str | None = None
    user_id: str | None = None


def reference(kind: str, collection: str, sourced_id: str) -> dict[str, str]:
    """A GUIDRef; its href is relative until it is answered, because the port may change between runs."""
    return {"href": f"/{collection}/{sourced_id}", "sourcedId": sourced_id, "type": kind}


def enrollment(sis_class_id: str, user_id: str, role: str, stamp: dict[str, Any]) -> SisRecord:
    """A person in a class."""
    record = {
        "sourcedId": f"{sis_class_id}-{user_id}",
        **stamp,
        "user": reference("user", "users", user_id),
        "class": reference("class", "classes", sis_class_id),
        "school": reference("org", "orgs", SCHOOL),
        "role": role,
        "primary": role == "teacher",
    }
    return SisRecord("enrollment", record, role, sis_class_id, user_id)


def class_record(sis_class_id: str, title: str, course_number: str, stamp: dict[str, Any]) -> SisRecord:
    """A class; it runs through both terms."""
    terms = [session.sourced_id for session in ACADEMIC_SESSIONS if session.kind == "term"]
    record = {
        "sourcedId": sis_class_id,
        **stamp,
        "title": title,
        "classCode": sis_class_id,
        "classType": "scheduled",
        "course": reference("course", "courses", course_number),
        "school": reference("org", "orgs", SCHOOL),
        "terms": [reference("academicSession", "academicSessions", term) for term in terms],
    }
    return SisRecord("class", record)


def category_record(sourced_id: str, title: str, stamp: dict[str, Any]) -> SisRecord:
    """A category of the whole district."""
    return SisRecord("category", {"sourcedId": sourced_id, **stamp, "title": title})


def user_record(sourced_id: str, role: str, given_name: str, stamp: dict[str, Any]) -> SisRecord:
    """A person of the SIS; names are made up, the data have none."""
    record = {
        "sourcedId": sourced_id,
        **stamp,
        "username": sourced_id,
        "enabledUser": True,
        "givenName": given_name,
        "familyName": sourced_id,
        "role": role,
        "orgs": [reference("org", "orgs", SCHOOL)],
    }
    return SisRecord("user", record, role)


def _academic_sessions(days: Days, stamp: dict[str, Any]) -> Iterator[SisRecord]:
    ends = days.date(ACADEMIC_SESSIONS[0].last_day)
    for session in ACADEMIC_SESSIONS:
        record: dict[str, Any] = {
            "sourcedId": session.sourced_id,
            **stamp,
            "title": session.title,
            "startDate": days.date(session.first_day).isoformat(),
            "endDate": days.date(session.last_day).isoformat(),
            "type": session.kind,
            "schoolYear": str(ends.year),
        }
        if session.parent:
            record["parent"] = reference("academicSession", "academicSessions", session.parent)
        children = [child.sourced_id for child in ACADEMIC_SESSIONS if child.parent == session.sourced_id]
        if children:
            record["children"] = [
                reference("academicSession", "academicSessions", child) for child in children
            ]
        if session.kind == "gradingPeriod":
            record["metadata"] = {"gradebookStatus": "closed" if session.closed else "open"}
        yield SisRecord("academicSession", record, session.kind)


def sis_records(day_0: date, seeded_at: int) -> Iterator[SisRecord]:
    """Every record of the SIS: its roster, categories and periods; no line item and no result."""
    stamp = {"status": "active", "dateLastModified": instant(seeded_at)[:23] + "Z"}
    taught = courses()
    district = {"sourcedId": "100", **stamp, "name": "Lakeview Unified School District", "type": "district"}
    school = {"sourcedId": SCHOOL, **stamp, "name": "Lakeview High School", "type": "school"}
    yield SisRecord("org", district | {"children": [reference("org", "orgs", SCHOOL)]}, "district")
    yield SisRecord("org", school | {"parent": reference("org", "orgs", "100")}, "school")
    yield from _academic_sessions(Days(day_0), stamp)
    for number, title in enumerate(CATEGORIES, 301):
        yield category_record(str(number), title, stamp)
    for course_number in sorted({course.course_number for course in taught}):
        title = next(course.title for course in taught if course.course_number == course_number)[:3]
        record = {"sourcedId": course_number, **stamp, "title": title, "courseCode": course_number}
        yield SisRecord("course", record | {"org": reference("org", "orgs", SCHOOL)})
    for course in taught:
        yield class_record(course.sis_class_id, course.title, course.course_number, stamp)
        yield user_record(course.sis_teacher_id, "teacher", "Teacher", stamp)
        yield enrollment(course.sis_class_id, course.sis_teacher_id, "teacher", stamp)
    registrations = rows("studentRegistration")
    for student in sorted({row["id_student"] for row in registrations}, key=int):
        yield user_record(sis_student_id(student), "student", "Student", stamp)
    sis_class = {course.class_id: course.sis_class_id for course in taught}
    for row in registrations:
        yield enrollment(sis_class[_class_of(row)], sis_student_id(row["id_student"]), "student", stamp)


# --- Into the state ---


def put_sis_record(connection: sqlite3.Connection, found: SisRecord) -> None:
    """Create or replace one record of the SIS."""
    connection.execute(
        "INSERT OR REPLACE INTO sis_records VALUES (?, ?, ?, ?, ?, NULL, ?)",
        (
            found.kind,
            found.record["sourcedId"],
            found.subtype,
            found.class_id,
            found.user_id,
            dumps(found.record),
        ),
    )


def seed(connection: sqlite3.Connection, today: str, seeded_at: int) -> None:
    """Empty the state and fill it afresh, inside the caller's transaction; credentials and tokens stay.

    Args:
        connection: The state.
        today: The seeding date, or empty for the date it is in the sandbox's zone.
        seeded_at: The seeding instant: `modified_at` of everything seeded, in microseconds.
    """
    seeding_date = date.fromisoformat(today) if today else datetime.now(ZoneInfo(ZONE)).date()
    day_0 = seeding_date - timedelta(days=SEEDING_DAY)
    drop_data(connection)
    modified_at = instant(seeded_at)
    connection.executemany(
        "INSERT INTO feed_records VALUES (?, ?, ?, 0, ?)",
        (
            (
                collection,
                feed.key_of(collection, record),
                seeded_at,
                dumps(record | {"modified_at": modified_at}),
            )
            for collection, record in feed_records(day_0)
        ),
    )
    for found in sis_records(day_0, seeded_at):
        put_sis_record(connection, found)
    credentials = {
        "client_id": "passback-sandbox",
        "client_secret": secrets.token_urlsafe(24),
        "feed_token": secrets.token_urlsafe(24),
        "token_seconds": 3600,
    }
    keep_settings(
        connection,
        **credentials | settings(connection),
    )
    keep_settings(
        connection, seeding_date=seeding_date.isoformat(), day_0=day_0.isoformat(), seeded_at=modified_at
    )
