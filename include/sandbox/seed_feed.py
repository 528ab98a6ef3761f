"""What a feed holds at first: the world's assessments and scores. README.md states every rule used here."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from sandbox import feed
from sandbox.exchange import dumps
from sandbox.seed import (
    ASSIGNED_DAYS_BEFORE_DUE,
    MEMBERS_SINCE,
    SEEDING_DAY,
    TYPES,
    class_of,
    sis_student_id,
    utc,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from sandbox.seed import Course, SpecialClass, World

_FIRST_OF_SPECIAL_CLASSES: Final = 90_091


def _assessments(world: World, by_class: dict[str, Course]) -> Iterator[dict[str, Any]]:
    days = world.days

    def order(row: dict[str, str]) -> tuple[Any, ...]:
        undated = row["date"] == ""
        return (
            class_of(row),
            row["assessment_type"],
            undated,
            int(row["date"] or 0),
            int(row["id_assessment"]),
        )

    listed = sorted(world.rows("assessments"), key=order)
    for _, group in groupby(listed, key=lambda row: (class_of(row), row["assessment_type"])):
        for number, row in enumerate(group, 1):
            course = by_class[class_of(row)]
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


def _scores(world: World) -> Iterator[dict[str, Any]]:
    days = world.days
    given = {(row["id_assessment"], row["id_student"]): row for row in world.rows("studentAssessment")}
    assessments: dict[str, list[str]] = {}
    for row in world.rows("assessments"):
        assessments.setdefault(class_of(row), []).append(row["id_assessment"])
    first = min((int(row["date_submitted"]) for row in given.values()), default=0)
    noons = {day: days.at(day, 12) for day in range(first, SEEDING_DAY + 1)}
    for row in world.registrations:
        for assessment_id in assessments.get(class_of(row), []):
            yield {
                "assessment_id": assessment_id,
                "class_id": class_of(row),
                "student_id": f"s{row['id_student']}",
                **_score(given.get((assessment_id, row["id_student"])), noons),
            }


def _homework(world: World, special: SpecialClass, number: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The one assessment of a special class, and the score 8 of each of its students."""
    days = world.days
    yield (
        "assessments",
        {
            "id": number,
            "class_id": special.class_id,
            "title": f"Homework ({special.title})",
            "type": "Homework",
            "grading_type": "points",
            "points_possible": 10,
            "include_in_final_grade": True,
            "assigned_by": special.teacher_id,
            "assigned_at": days.at(190, 8),
            "due_at": days.at(195, 23, 59),
        },
    )
    noon = days.at(195, 12)
    graded = {"status": "graded", "points": 8, "submitted_at": noon, "graded_at": noon}
    for student in special.students:
        score = {"assessment_id": number, "class_id": special.class_id, "student_id": f"s{student}"}
        yield "scores", score | graded


def feed_records(world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every record of the feed with its collection, without `modified_at`."""
    students = sorted({row["id_student"] for row in world.registrations}, key=int)
    taught: tuple[Course | SpecialClass, ...] = (*world.courses, *world.special_classes)
    for course in taught:
        yield "classes", {"id": course.class_id, "sis_id": course.sis_class_id, "title": course.title}
        yield "staff", {"id": course.teacher_id, "sis_id": course.sis_teacher_id, "role": "teacher"}
        yield (
            "group-members",
            {"staff_id": course.teacher_id, "joined_at": utc(MEMBERS_SINCE, 0), "left_at": None},
        )
    for student in students:
        yield "students", {"id": f"s{student}", "sis_id": sis_student_id(student)}
    for record in _assessments(world, {course.class_id: course for course in world.courses}):
        yield "assessments", record
    for record in _scores(world):
        yield "scores", record
    for number, special in enumerate(world.special_classes, _FIRST_OF_SPECIAL_CLASSES):
        yield from _homework(world, special, str(number))


def put(connection: sqlite3.Connection, world: World, records: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Write records with their collections, as modified at the instant of the seeding."""
    connection.executemany(
        "INSERT INTO feed_records VALUES (?, ?, ?, 0, ?)",
        (
            (
                collection,
                feed.key_of(collection, record),
                world.seeded_at,
                dumps(record | {"modified_at": world.modified_at}),
            )
            for collection, record in records
        ),
    )


def seed(connection: sqlite3.Connection, world: World) -> None:
    """Fill the feed's empty tables, inside the caller's transaction."""
    put(connection, world, feed_records(world))
