"""From what Canvas said of its courses to the canonical frames.

A class is a section; an assessment is an assignment in a section that it is assigned to.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pandas as pd

from passback.errors import ContractError
from passback.records import ASSESSMENTS, CLASSES, INSTANT, MEMBERSHIPS, SCORES, STAFF, STUDENTS
from passback.rules.lookup import mapped, positions
from passback.sources.canonical import line, numbers, one_sis_id_each
from passback.sources.canvas.pages import Submission

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from passback.sources.canvas.pages import Assignment, CourseRead, Group, Override

# Canvas' word for an assignment that carries no grade at all.
NOT_GRADED: Final = "not_graded"
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_PAIR: Final = ["assessment_id", "class_id"]
_CONTROL: Final = r"[\x00-\x1f\x7f]+"


def canonical(
    courses: Sequence[CourseRead], connection: str, *, say: Callable[[str], None]
) -> dict[str, pd.DataFrame]:
    """The canonical frames of what was read; staff and memberships are empty, Canvas does not tell of them.

    Args:
        courses: What was read, a course each.
        connection: What to call Canvas in an error.
        say: Told how many sections and students have several SIS ids, of which none can be believed.

    Raises:
        ContractError: an instant is not a real one.
    """
    assignments = _assignments(courses, connection)
    scores = _scores(courses, assignments, connection)
    assessments = _assessments(courses, assignments, scores, connection)
    return {
        "assessments": assessments,
        "scores": scores,
        "classes": CLASSES.conform(
            one_sis_id_each(_classes(courses), "class_id", "sis_class_id", say).drop_duplicates("class_id")
        ),
        "students": STUDENTS.conform(
            one_sis_id_each(_students(courses), "student_id", "sis_student_id", say).drop_duplicates(
                "student_id"
            )
        ),
        "staff": STAFF.empty(),
        "memberships": MEMBERSHIPS.empty(),
    }


# --- Assessments ---


def _assignments(courses: Iterable[CourseRead], connection: str) -> pd.DataFrame:
    """One row an assignment that can carry a grade, with what holds for all of its sections."""
    records: list[dict[str, Any]] = []
    for read in courses:
        groups = {str(group.id): group for group in read.groups}
        final = {str(each.id): each.include_in_final_grade for each in read.to_sync}
        for each in read.assignments:
            if each.grading_type == NOT_GRADED:
                continue
            assessment_id = str(each.id)
            counts = each.omit_from_final_grade is not True
            sync_on = assessment_id in final if each.post_to_sis is None else each.post_to_sis
            records.append(
                {
                    "assessment_id": assessment_id,
                    "title": each.name,
                    "grading_type": each.grading_type,
                    "points_possible": each.points_possible,
                    "include_in_final_grade": final.get(assessment_id, counts),
                    "updated_at": each.updated_at,
                    "sync_on": sync_on,
                    "course_published": read.course.published,
                    "published": each.published,
                    "period_closed": each.in_closed_grading_period,
                    **_of_group(groups.get(str(each.assignment_group_id))),
                    "assignment": each,
                    "course": read,
                }
            )
    columns = ["assessment_id", "title", "type", "grading_type", "points_possible", "include_in_final_grade"]
    columns += ["updated_at", "sync_on", "course_published", "published", "period_closed"]
    columns += ["group_sis_id", "group_term_id", "assignment", "course"]
    data = pd.DataFrame.from_records(records, columns=columns)
    return data.assign(
        title=line(data["title"]),
        type=data["type"].astype("str").str.replace(_CONTROL, " ", regex=True),
        points_possible=numbers(data["points_possible"])[0],
        modified_at=_instant(data, "updated_at", f"{connection}: assignments"),
        assigner_id="",
    )


def _of_group(group: Group | None) -> dict[str, str]:
    if group is None:
        return {"type": "", "group_sis_id": "", "group_term_id": ""}
    told = group.integration_data
    term = told.get("sis_term_id") if isinstance(told, dict) else None
    return {
        "type": group.name or "",
        "group_sis_id": _known_as(group.sis_source_id),
        "group_term_id": str(term) if isinstance(term, str | int) else "",
    }


def _assessments(
    courses: Iterable[CourseRead], assignments: pd.DataFrame, scores: pd.DataFrame, connection: str
) -> pd.DataFrame:
    """One row an assignment and section: of those it is assigned to, and of those where somebody has it."""
    where = f"{connection}: assignments"
    section_of = {id(read): _section_of(read) for read in courses}
    records: list[dict[str, Any]] = []
    for row, (assignment, read) in enumerate(
        zip(assignments["assignment"], assignments["course"], strict=True)
    ):
        section_ids = list(dict.fromkeys(str(section.id) for section in read.sections))
        sections_told = _assigned(assignment, section_ids, section_of[id(read)], where)
        records += [{"row": row, **dates} for dates in sections_told]
        records.append({"row": row, "class_id": None, **_for_somebody(assignment)})
    told = pd.DataFrame.from_records(
        records, columns=["row", "class_id", "whole_section", "due_uniform", "assigned_at", "due_at"]
    )
    told["assessment_id"] = assignments["assessment_id"].take(told["row"].to_numpy()).to_numpy()
    sections = told[told["class_id"].notna()]
    has = scores[_PAIR].drop_duplicates()
    elsewhere = has[positions(has, sections[_PAIR]) < 0]
    unsaid = told[told["class_id"].isna()].drop(columns="class_id").merge(elsewhere, on="assessment_id")
    data = pd.concat([sections, unsaid], ignore_index=True)
    data = data.drop(columns="assessment_id").join(assignments, on="row")
    return ASSESSMENTS.conform(
        data.assign(assigned_at=_instant(data, "assigned_at", where), due_at=_instant(data, "due_at", where))
    )


def _section_of(read: CourseRead) -> dict[str, str]:
    """Student → section, of all students of a course."""
    return {str(student.user_id): str(student.section_id) for listing in read.listings for student in listing}


def _assigned(
    assignment: Assignment, section_ids: Iterable[str], section_of: dict[str, str], where: str
) -> Iterator[dict[str, Any]]:
    """The sections that an assignment is assigned to, as a whole or to students of theirs.

    A section's own dates come before the assignment's. Of several dates that concern a student the latest
    holds, and none is later than any: so Canvas itself decides.
    """
    for_all = [each for each in assignment.overrides if each.course_id is not None]
    for section_id in section_ids:
        own = [each for each in assignment.overrides if str(each.course_section_id) == section_id]
        named = [
            each
            for each in assignment.overrides
            if any(section_of.get(str(student)) == section_id for student in each.student_ids)
        ]
        whole = assignment.for_everyone or bool(own)
        if not whole and not named:
            continue
        section_dues = _said([*own, *for_all], "due_at")
        base = _latest(section_dues, where) if section_dues else assignment.due_at
        named_dues = [
            _latest([each.due_at, *section_dues], where) if each.due_at is not msgspec.UNSET else base
            for each in named
        ]
        # Whom these concern is not known here, so they count for every section.
        others = _said([each for each in assignment.overrides if each.names_nobody], "due_at")
        due = base if whole else _latest(named_dues, where)
        given = [*named_dues, *others]
        yield {
            "class_id": section_id,
            "whole_section": whole,
            "due_at": due,
            "due_uniform": all(_moment(each, where) == _moment(due, where) for each in given),
            "assigned_at": _unlocked([*own, *for_all] or named, assignment),
        }


def _for_somebody(assignment: Assignment) -> dict[str, Any]:
    """What is said of a section in which somebody has the assignment, though no override names them."""
    dues = _said([each for each in assignment.overrides if each.names_nobody], "due_at")
    return {
        "whole_section": False,
        "due_at": dues[0] if dues else assignment.due_at,
        "due_uniform": None,
        "assigned_at": _unlocked([], assignment),
    }


def _said(overrides: Iterable[Override], field: str) -> list[str | None]:
    """A date as these overrides say it; null is a date too: none."""
    said = (getattr(each, field) for each in overrides)
    return [date for date in said if date is not msgspec.UNSET]


def _unlocked(overrides: Iterable[Override], assignment: Assignment) -> str:
    """When an assignment was opened, else made."""
    said = _said(overrides, "unlock_at") or [assignment.unlock_at]
    return said[0] or assignment.created_at


def _latest(dates: Iterable[str | None], where: str) -> str | None:
    return max(dates, key=lambda date: _moment(date, where))


def _moment(date: str | None, where: str) -> datetime:
    if date is None:
        return _NEVER
    try:
        return datetime.fromisoformat(date)
    except ValueError:
        raise ContractError(
            "an assignment has a due date that does not exist",
            where=where,
            mend="Look at the dates of the course's assignments in Canvas.",
        ) from None


def _instant(data: pd.DataFrame, name: str, where: str) -> pd.Series:
    instants = pd.to_datetime(data[name], format="ISO8601", utc=True, errors="coerce")
    wrong = instants.isna() & data[name].notna()
    if wrong.any():
        raise ContractError(
            f"{int(wrong.sum()):,} records have an instant that does not exist",
            where=f"{where}, field {name}",
            mend="Look at the dates of the course's assignments in Canvas.",
        )
    return instants.astype(INSTANT)


# --- Scores ---


def _scores(courses: Iterable[CourseRead], assignments: pd.DataFrame, connection: str) -> pd.DataFrame:
    """One row an assignment and student who has it to do."""
    listings = [
        (number, student)
        for read in courses
        for number, listing in enumerate(read.listings)
        for student in listing
    ]
    submissions = list(chain.from_iterable(student.submissions for _, student in listings))
    data = pd.DataFrame.from_records(
        list(map(msgspec.structs.astuple, submissions)), columns=list(Submission.__struct_fields__)
    )
    held = [len(student.submissions) for _, student in listings]
    data = data.assign(
        listing=np.repeat(np.array([number for number, _ in listings], dtype="int64"), held),
        student_id=_repeated((str(student.user_id) for _, student in listings), held),
        class_id=_repeated((str(student.section_id) for _, student in listings), held),
        assessment_id=data["assignment_id"].astype("str"),
    )
    newest = data.groupby(["assessment_id", "student_id"])["listing"].transform("max")
    assigned = data["assignment_visible"].ne(False)  # noqa: FBT003 - null: Canvas does not say
    graded_here = data["assessment_id"].isin(assignments["assessment_id"])
    return _statuses(
        data[data["listing"].eq(newest) & assigned & graded_here].reset_index(drop=True),
        assignments,
        f"{connection}: submissions",
    )


def _repeated(values: Iterable[str], times: Sequence[int]) -> pd.Series:
    each = pd.Series(list(values), dtype="str")
    return each.take(np.repeat(np.arange(len(each)), times)).reset_index(drop=True)


def _statuses(data: pd.DataFrame, assignments: pd.DataFrame, where: str) -> pd.DataFrame:
    graded_at, submitted_at, posted_at = (
        _instant(data, name, where) for name in ("graded_at", "submitted_at", "posted_at")
    )
    points, text = numbers(data["score"])
    excused, state = data["excused"].eq(True), data["workflow_state"]  # noqa: FBT003 - null is no
    # Work that was handed in again keeps the grade of what was handed in before.
    kept = state.eq("submitted") & graded_at.notna() & data["score"].notna()
    graded = state.eq("graded") | kept
    status = np.select(
        [excused, graded & posted_at.isna(), graded, state.eq("unsubmitted")],
        ["excused", "unposted", "graded", "not_submitted"],
        "turned_in",
    )
    worded = line(data["grade"].astype("object")).where(data["score"].isna(), text)
    updated = mapped(data["assessment_id"], assignments, "assessment_id", "modified_at")
    scored_at = graded_at.fillna(submitted_at)
    return SCORES.conform(
        data[[*_PAIR, "student_id"]].assign(
            status=status,
            points=points.where(graded & ~excused),
            points_text=worded.where(graded & ~excused, ""),
            mark=np.select(
                [excused, data["missing"].eq(True), data["late"].eq(True)],  # noqa: FBT003 - null is no
                ["", "missing", "late"],
                "",
            ),
            scored_at=scored_at,
            modified_at=scored_at.fillna(updated),
        )
    )


# --- Classes and students ---


def _classes(courses: Iterable[CourseRead]) -> pd.DataFrame:
    """The sections; one that is cross-listed goes by the name of the course it comes from."""
    courses = list(courses)
    names = {str(read.course.id): read.course.name for read in courses}
    origins = {
        str(section.id): section.origin_course.name
        for read in courses
        for assignment in read.to_sync
        for section in assignment.sections
    }
    records = [
        {
            "class_id": str(section.id),
            "sis_class_id": _known_as(section.sis_section_id),
            "title": (origins.get(str(section.id)) or names.get(str(section.nonxlist_course_id)))
            if section.nonxlist_course_id is not None
            else section.name,
            "course": read.course.name,
        }
        for read in courses
        for section in read.sections
    ]
    data = pd.DataFrame.from_records(records, columns=["class_id", "sis_class_id", "title", "course"])
    title = line(data["title"])
    return data.assign(title=title.where(title.ne(""), line(data["course"])))


def _students(courses: Iterable[CourseRead]) -> pd.DataFrame:
    records = {
        (str(student.user_id), _known_as(student.sis_user_id))
        for read in courses
        for listing in read.listings
        for student in listing
    }
    return pd.DataFrame.from_records(sorted(records), columns=["student_id", "sis_student_id"])


def _known_as(sis_id: object) -> str:
    return "" if sis_id is None or sis_id is msgspec.UNSET else str(sis_id)
