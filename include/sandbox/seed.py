"""The world that every platform and SIS of the sandbox shows its own way: days, periods, classes, students.

It comes from real scores in CSV files. README.md states every rule used here.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sandbox.store import instant

if TYPE_CHECKING:
    from collections.abc import Iterable

ZONE: Final = "America/Los_Angeles"
SEEDING_DAY: Final = 200
DATA: Final = Path(__file__).parent / "data"

TYPES: Final = {"TMA": "Assignment", "CMA": "Quiz", "Exam": "Test"}
ASSIGNED_DAYS_BEFORE_DUE: Final = 21
MEMBERS_SINCE: Final = date(2019, 8, 1)

SCHOOL_YEAR: Final = "9001"
WORKSHOP_NUMBER: Final = 1999
CROSS_LISTED_NUMBER: Final = 1998
UNPUBLISHED_NUMBER: Final = 1997


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
class SpecialClass:
    """A class besides those of the data, made for a rule of one SIS or for the workshop of Canvas.

    Attributes:
        class_id: The platform's id of it.
        sis_class_id: The SIS's id of it.
        title: The same on both sides.
        teacher_id: The platform's id of its teacher.
        sis_teacher_id: The SIS's.
        students: `id_student` of everybody in it.
        school: The SIS's id of its school.
        gradebook: unlinked, linked or none (Aeries).
    """

    class_id: str
    sis_class_id: str
    title: str
    teacher_id: str
    sis_teacher_id: str
    students: tuple[str, ...]
    school: str
    gradebook: str = "unlinked"


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


@dataclass(frozen=True)
class World:
    """What a sandbox is seeded from.

    Attributes:
        day_0: The date that days count from.
        seeded_at: The instant of the seeding, in microseconds since 1970.
        modified_at: The same as ISO text: `modified_at` of everything seeded.
        lms: The platform's name.
        sis: The SIS's name.
        modules: The modules held, in alphabetical order.
        data: The folder of the CSV files.
        courses: The classes of the data, in the order of module and presentation.
        registrations: The rows of `studentRegistration.csv` of those classes.
        special_classes: With Aeries, one class for each of its rules; the platform's too.
        workshop_sections: With Canvas, the sections of the workshop; the SIS's classes.
    """

    day_0: date
    seeded_at: int
    modified_at: str
    lms: str
    sis: str
    modules: tuple[str, ...]
    data: Path
    courses: tuple[Course, ...]
    registrations: tuple[dict[str, str], ...]
    special_classes: tuple[SpecialClass, ...] = ()
    workshop_sections: tuple[SpecialClass, ...] = ()

    @property
    def days(self) -> Days:
        """Days counted from day 0."""
        return Days(self.day_0)

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a CSV file that belong to the modules held."""
        found = read_rows(self.data, name)
        if name != "studentAssessment":
            return [row for row in found if row["code_module"] in self.modules]
        assessments = {row["id_assessment"] for row in self.rows("assessments")}
        return [row for row in found if row["id_assessment"] in assessments]


def data_folder(kept: str) -> Path:
    """The folder of the CSV files as the state keeps it: a path, or nothing for the sandbox's own."""
    return Path(kept) if kept else DATA


_COLUMNS: Final = {
    "courses": {"code_module", "code_presentation"},
    "assessments": {"code_module", "code_presentation", "id_assessment", "assessment_type", "date"},
    "studentRegistration": {"code_module", "code_presentation", "id_student"},
    "studentAssessment": {"id_assessment", "id_student", "date_submitted", "is_banked", "score"},
}


def read_rows(data: Path, name: str) -> list[dict[str, str]]:
    """All rows of a CSV file.

    Raises:
        ValueError: a column is missing.
        OSError: the file is.
    """
    with (data / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if missing := _COLUMNS[name] - set(reader.fieldnames or ()):
            message = f"{name}.csv has no column {', '.join(sorted(missing))}"
            raise ValueError(message)
        return list(reader)


def class_of(row: dict[str, str]) -> str:
    """The platform's id of the class that a row of the data belongs to."""
    return f"{row['code_module']}-{row['code_presentation']}"


def sis_student_id(id_student: str) -> str:
    """9 and the student's number, filled up with zeros to seven digits: 11391 → 90011391."""
    return "9" + id_student.zfill(7)


def sis_school(sis: str) -> str:
    """The SIS's id of the school of all classes of the data."""
    return "994" if sis == "aeries" else "101"


def sis_class_id(sis: str, number: int, presentation: int) -> str:
    """The SIS's id of a class: the module's number (1001 …) and its how-many-eth presentation (1 …)."""
    section = f"{presentation:02}"
    if sis == "skyward":
        return f"{number}.0.{section}"
    if sis == "aeries":
        return f"{sis_school(sis)}_{number}{section}"
    return f"STX{number}-{section}" if sis == "aspen" else f"{number}-{section}"


def _courses(sis: str, presentations: list[tuple[str, str]]) -> tuple[Course, ...]:
    found: list[Course] = []
    for number, (module, group) in enumerate(groupby(presentations, key=lambda pair: pair[0]), 1001):
        for section, (_, presentation) in enumerate(group, 1):
            found.append(
                Course(
                    class_id=f"{module}-{presentation}",
                    sis_class_id=sis_class_id(sis, number, section),
                    title=f"{module} {presentation}",
                    teacher_id=f"t{len(found) + 1}",
                    sis_teacher_id=str(80_000_001 + len(found)),
                    course_number=str(number),
                )
            )
    return tuple(found)


def _aeries_classes(students: tuple[str, ...]) -> tuple[SpecialClass, ...]:
    """One class for every reason for which Aeries cannot take grades, and an elementary one that can."""
    kinds = (
        ("elementary-no-schedule", "990_TN_421", "Grade 3 Room 421", "990", "unlinked"),
        ("elementary-schedule", "991_2101", "Grade 5 Science", "991", "unlinked"),
        ("linked-gradebook", "994_300101", "Linked gradebooks", "994", "linked"),
        ("no-gradebook", "994_300201", "No gradebook", "994", "none"),
    )
    return tuple(
        SpecialClass(
            class_id=class_id,
            sis_class_id=sis_class_id,
            title=title,
            teacher_id=f"t{number}",
            sis_teacher_id=str(80_000_000 + number),
            students=students,
            school=school,
            gradebook=gradebook,
        )
        for number, (class_id, sis_class_id, title, school, gradebook) in enumerate(kinds, 91)
    )


def _workshop_sections(sis: str, students: tuple[str, ...]) -> tuple[SpecialClass, ...]:
    """The two sections of the workshop, the one that is cross-listed into it, and an unpublished course's."""
    kinds = (
        ("workshop-01", WORKSHOP_NUMBER, 1, "Workshop 01", students[:6]),
        ("workshop-02", WORKSHOP_NUMBER, 2, "Workshop 02", students[6:12]),
        ("workshop-cross-listed", CROSS_LISTED_NUMBER, 1, "Workshop cross-listed", students[12:16]),
        ("workshop-unpublished", UNPUBLISHED_NUMBER, 1, "Workshop unpublished", students[:4]),
    )
    return tuple(
        SpecialClass(
            class_id=class_id,
            sis_class_id=sis_class_id(sis, number, section),
            title=title,
            teacher_id="t90",
            sis_teacher_id="80000090",
            students=members,
            school=sis_school(sis),
        )
        for class_id, number, section, title, members in kinds
    )


def held_modules(data: Path, wanted: Iterable[str]) -> tuple[str, ...]:
    """The modules of the data, or those of them that are wanted.

    Raises:
        ValueError: a wanted module is not in the data.
    """
    known = {row["code_module"] for row in read_rows(data, "courses")}
    if unknown := set(wanted) - known:
        message = f"there is no module {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
        raise ValueError(message)
    return tuple(sorted(set(wanted) or known))


def world(*, day_0: date, seeded_at: int, lms: str, sis: str, modules: tuple[str, ...], data: Path) -> World:
    """What a sandbox with these flags is seeded from.

    Args:
        day_0: The date that days count from.
        seeded_at: The instant of the seeding, in microseconds since 1970.
        lms: The platform's name.
        sis: The SIS's name.
        modules: The modules to hold; empty: all.
        data: The folder of the CSV files.

    Raises:
        ValueError: a module is not in the data.
        OSError: a file is missing.
    """
    modules = held_modules(data, modules)
    presentations = sorted(
        (row["code_module"], row["code_presentation"])
        for row in read_rows(data, "courses")
        if row["code_module"] in modules
    )
    courses = _courses(sis, presentations)
    registrations = tuple(
        row for row in read_rows(data, "studentRegistration") if row["code_module"] in modules
    )
    first_class = [row["id_student"] for row in registrations if class_of(row) == courses[0].class_id]
    students = tuple(sorted(first_class, key=int))
    return World(
        day_0=day_0,
        seeded_at=seeded_at,
        modified_at=instant(seeded_at),
        lms=lms,
        sis=sis,
        modules=modules,
        data=data,
        courses=courses,
        registrations=registrations,
        special_classes=_aeries_classes(students[:5]) if sis == "aeries" else (),
        workshop_sections=_workshop_sections(sis, students) if lms == "canvas" else (),
    )
