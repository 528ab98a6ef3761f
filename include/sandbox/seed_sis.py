"""What a SIS holds at first: roster, categories and periods; no line item and no result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sandbox.exchange import dumps
from sandbox.seed import ACADEMIC_SESSIONS, Days, class_of, sis_school, sis_student_id

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sandbox.seed import SpecialClass, World
    from sandbox.sis import Sis

DISTRICT: Final = "100"
_SPECIAL_COURSE: Final = "3000"
_ELEMENTARY: Final = (("990", "Oak Elementary School", "false"), ("991", "Pine Elementary School", "true"))


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


def _flag(sis: Sis, value: bool) -> bool | str:  # noqa: FBT001 - the value itself
    """A flag: JSON's in 1.1, text in 1.2."""
    return value if sis.version == "1.1" else str(value).lower()


def enrollment(
    sis: Sis, sis_class_id: str, user_id: str, role: str, stamp: dict[str, Any], school: str = ""
) -> SisRecord:
    """A person in a class, of the SIS's usual school unless another is named."""
    record = {
        "sourcedId": f"{sis_class_id}-{user_id}",
        **stamp,
        "user": reference("user", "users", user_id),
        "class": reference("class", "classes", sis_class_id),
        "school": reference("org", "orgs", school or sis_school(sis.name)),
        "role": role,
        "primary": _flag(sis, role == "teacher"),
    }
    return SisRecord("enrollment", record, role, sis_class_id, user_id)


def class_record(
    sis: Sis,
    sis_class_id: str,
    title: str,
    course_number: str,
    stamp: dict[str, Any],
    *,
    school: str = "",
    gradebook: str = "unlinked",
) -> SisRecord:
    """A class; it runs through both terms."""
    terms = [session.sourced_id for session in ACADEMIC_SESSIONS if session.kind == "term"]
    record = {
        "sourcedId": sis_class_id,
        **stamp,
        "title": title,
        "classCode": sis_class_id,
        "classType": "scheduled",
        "course": reference("course", "courses", course_number),
        "school": reference("org", "orgs", school or sis_school(sis.name)),
        "terms": [reference("academicSession", "academicSessions", term) for term in terms],
    }
    if sis.name == "aeries":
        record["metadata"] = {"gradebook": gradebook}
    return SisRecord("class", record)


def category_record(
    sourced_id: str, title: str, stamp: dict[str, Any], metadata: dict[str, Any] | None = None
) -> SisRecord:
    """A category: of the whole district, unless its metadata say otherwise."""
    record = {"sourcedId": sourced_id, **stamp, "title": title}
    if metadata:
        record["metadata"] = metadata
    return SisRecord("category", record)


def user_record(sis: Sis, sourced_id: str, role: str, stamp: dict[str, Any], school: str = "") -> SisRecord:
    """A person of the SIS; names are made up, the data have none."""
    org = reference("org", "orgs", school or sis_school(sis.name))
    record: dict[str, Any] = {
        "sourcedId": sourced_id,
        **stamp,
        "username": sourced_id,
        "enabledUser": _flag(sis, value=True),
        "givenName": role.capitalize(),
        "familyName": sourced_id,
        "email": f"{role}.{sourced_id}@lakeview.example",
    }
    if sis.version == "1.1":
        record |= {"role": role, "orgs": [org]}
    else:
        record |= {"roles": [{"roleType": "primary", "role": role, "org": org}], "primaryOrg": org}
    return SisRecord("user", record, role)


def _academic_sessions(sis: Sis, days: Days, stamp: dict[str, Any]) -> Iterator[SisRecord]:
    ends = days.date(ACADEMIC_SESSIONS[0].last_day)
    for session in ACADEMIC_SESSIONS:
        record: dict[str, Any] = {
            "sourcedId": session.sourced_id,
            **stamp,
            "title": session.title,
            "startDate": days.date(session.first_day).isoformat(),
            "endDate": days.date(session.last_day + sis.ends_after_days).isoformat(),
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


def _orgs(sis: Sis, stamp: dict[str, Any]) -> Iterator[SisRecord]:
    """The district and its schools; Aeries says of each whether it has a master schedule."""
    aeries = sis.name == "aeries"
    schools = ((sis_school(sis.name), "Lakeview High School", "true"), *(_ELEMENTARY if aeries else ()))
    children = [reference("org", "orgs", school) for school, _, _ in schools]
    district = {"sourcedId": DISTRICT, **stamp, "name": "Lakeview Unified School District"}
    identifier = {"identifier": DISTRICT} if sis.version != "1.1" else {}
    yield SisRecord("org", district | {"type": "district", "children": children} | identifier, "district")
    for school, name, master_schedule in schools:
        record = {"sourcedId": school, **stamp, "name": name, "type": "school"}
        record["parent"] = reference("org", "orgs", DISTRICT)
        if sis.version != "1.1":
            record["identifier"] = school
        if aeries:
            record["metadata"] = {"masterSchedule": master_schedule}
        yield SisRecord("org", record, "school")


def _special_class(sis: Sis, found: SpecialClass, course: str, stamp: dict[str, Any]) -> Iterator[SisRecord]:
    """A class besides those of the data, with its teacher and students, who are on the roster already."""
    yield class_record(
        sis,
        found.sis_class_id,
        found.title,
        course,
        stamp,
        school=found.school,
        gradebook=found.gradebook,
    )
    yield user_record(sis, found.sis_teacher_id, "teacher", stamp, found.school)
    yield enrollment(sis, found.sis_class_id, found.sis_teacher_id, "teacher", stamp, found.school)
    for student in found.students:
        yield enrollment(sis, found.sis_class_id, sis_student_id(student), "student", stamp, found.school)


def _courses(world: World) -> dict[str, str]:
    """Course numbers and titles."""
    found = {}
    for course in reversed(world.courses):
        found[course.course_number] = course.title.split()[0]
    if world.workshop_sections:
        found |= {"1998": "Workshop, cross-listed", "1999": "Workshop"}
    if world.special_classes:
        found[_SPECIAL_COURSE] = "Other classes"
    return dict(sorted(found.items()))


def sis_records(sis: Sis, world: World) -> Iterator[SisRecord]:
    """Every record of the SIS: its roster, categories and periods; no line item and no result."""
    stamp = {"status": "active", "dateLastModified": world.modified_at[:23] + "Z"}
    yield from _orgs(sis, stamp)
    yield from _academic_sessions(sis, world.days, stamp)
    for category in sis.categories(world):
        yield category_record(category.sourced_id, category.title, stamp, category.metadata)
    for number, title in _courses(world).items():
        record = {"sourcedId": number, **stamp, "title": title, "courseCode": number}
        yield SisRecord("course", record | {"org": reference("org", "orgs", sis_school(sis.name))})
    for course in world.courses:
        yield class_record(sis, course.sis_class_id, course.title, course.course_number, stamp)
        yield user_record(sis, course.sis_teacher_id, "teacher", stamp)
        yield enrollment(sis, course.sis_class_id, course.sis_teacher_id, "teacher", stamp)
    for student in sorted({row["id_student"] for row in world.registrations}, key=int):
        yield user_record(sis, sis_student_id(student), "student", stamp)
    sis_class = {course.class_id: course.sis_class_id for course in world.courses}
    for row in world.registrations:
        yield enrollment(sis, sis_class[class_of(row)], sis_student_id(row["id_student"]), "student", stamp)
    for section in world.workshop_sections:
        course_number = "1998" if section.class_id == "workshop-cross-listed" else "1999"
        yield from _special_class(sis, section, course_number, stamp)
    for special in world.special_classes:
        yield from _special_class(sis, special, _SPECIAL_COURSE, stamp)


def _row(found: SisRecord) -> tuple[Any, ...]:
    record = found.record
    return found.kind, record["sourcedId"], found.subtype, found.class_id, found.user_id, dumps(record)


def put_sis_record(connection: sqlite3.Connection, found: SisRecord) -> None:
    """Create or replace one record of the SIS."""
    connection.execute("INSERT OR REPLACE INTO sis_records VALUES (?, ?, ?, ?, ?, NULL, ?)", _row(found))


def seed(connection: sqlite3.Connection, world: World, sis: Sis) -> None:
    """Fill the SIS's empty tables, inside the caller's transaction."""
    connection.executemany(
        "INSERT OR REPLACE INTO sis_records VALUES (?, ?, ?, ?, ?, NULL, ?)",
        (_row(found) for found in sis_records(sis, world)),
    )
