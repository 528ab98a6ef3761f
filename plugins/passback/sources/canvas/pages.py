"""What a page of Canvas holds, as types: only the fields that are read, so that only these are ever kept.

A page that does not fit is refused with the path of the field, never with its value.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads it at run time
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from passback.errors import ContractError
from passback.sources.contract import Instant, Number, as_strict_json, is_html, without_values

# Canvas' own ids: numbers, as text with `10~123` for one of another shard. They go into URLs and file names.
Id = Annotated[int, Meta(ge=0)] | Annotated[str, Meta(pattern=r"\A[0-9]{1,20}(~[0-9]{1,20})?\Z")]
# What the SIS calls something; a number where somebody typed one.
SisId = int | Annotated[str, Meta(max_length=255, pattern=r"\A[^\x00-\x1f\x7f]*\Z")] | None

PUBLISHED = ("available", "completed")


class Course(Struct):
    """A course of the account."""

    id: Id
    name: str | None
    workflow_state: str

    @property
    def published(self) -> bool:
        """Whether students may see it, or might until it ended."""
        return self.workflow_state in PUBLISHED


class Section(Struct):
    """A section; cross-listed where another course is its own."""

    id: Id
    name: str | None
    nonxlist_course_id: Id | None = None
    sis_section_id: SisId | UnsetType = UNSET  # left out for who may not read SIS ids


class Group(Struct):
    """An assignment group; with the SIS's id where it was imported from there."""

    id: Id
    name: str | None
    sis_source_id: SisId = None
    integration_data: Any = None


class Override(Struct):
    """Other dates, for whom it names; a date it leaves out is the assignment's own."""

    course_section_id: Id | None = None
    student_ids: list[Id] = []
    course_id: Id | None = None  # for everybody
    group_id: Id | None = None
    noop_id: Id | None = None  # for those whom a mastery path leads there
    due_at: Instant | UnsetType | None = UNSET
    unlock_at: Instant | UnsetType | None = UNSET

    @property
    def names_nobody(self) -> bool:
        """Whether it says neither section nor students: whom it concerns shows in the submissions alone."""
        return self.group_id is not None or self.noop_id is not None


class Assignment(Struct):
    """An assignment of a course with its own dates, and all its overrides."""

    id: Id
    name: str | None
    assignment_group_id: Id | None
    points_possible: Number
    grading_type: str
    published: bool
    due_at: Instant | None
    created_at: Instant
    updated_at: Instant
    only_visible_to_overrides: bool
    overrides: list[Override]
    unlock_at: Instant | None = None
    post_to_sis: bool | None = None
    omit_from_final_grade: bool | None = None
    in_closed_grading_period: bool | None = None
    post_manually: bool | None = None

    @property
    def for_everyone(self) -> bool:
        """Whether all sections have it to do."""
        return not self.only_visible_to_overrides or any(
            each.course_id is not None for each in self.overrides
        )


class OriginCourse(Struct):
    """The course that a section belongs to, wherever it is listed."""

    name: str | None


class SyncSection(Struct):
    """A section as the SIS endpoint tells of it."""

    id: Id
    origin_course: OriginCourse


class SyncAssignment(Struct):
    """An assignment that Canvas itself would export to the SIS."""

    id: Id
    course_id: Id
    include_in_final_grade: bool
    sections: list[SyncSection]


class Submission(Struct):
    """What a student has on an assignment."""

    assignment_id: Id
    score: Number
    grade: str | None
    workflow_state: Literal["graded", "submitted", "unsubmitted", "pending_review"]
    submitted_at: Instant | None
    graded_at: Instant | None
    posted_at: Instant | None
    excused: bool | None = None
    late: bool | None = None
    missing: bool | None = None
    assignment_visible: bool | None = None


class Student(Struct):
    """A student of a course, in one of its sections, and their submissions."""

    user_id: Id
    section_id: Id
    submissions: list[Submission]
    sis_user_id: SisId = None


class Caller(Struct):
    """Who a token belongs to."""

    id: Id


class Account(Struct):
    """What was read of the account: its courses, and what Canvas would export from them."""

    as_of: datetime
    courses: list[Course]
    to_sync: list[SyncAssignment]


class CourseRead(Struct):
    """All that was read of a course.

    Attributes:
        as_of: Canvas' clock (UTC) when the reading began.
        course: The course itself.
        to_sync: Its assignments that Canvas would export.
        sections: Its sections.
        groups: Its assignment groups.
        assignments: Its assignments, published or not.
        listings: Its students with their submissions, one listing after the other: what the later one holds
            is the newer.
        read_whole: The assignments of which they hold everything.
    """

    as_of: datetime
    course: Course
    to_sync: list[SyncAssignment]
    sections: list[Section]
    groups: list[Group]
    assignments: list[Assignment]
    listings: list[list[Student]]
    read_whole: list[Id]


def decode(content: bytes, record: type, where: str) -> Any:
    """The records on a page.

    Args:
        content: The body of the answer.
        record: What the page holds.
        where: What to call the page in an error.

    Raises:
        ContractError: the page does not hold that; names the field, never its value.
    """
    try:
        try:
            return msgspec.json.decode(content, type=record)
        except (msgspec.DecodeError, UnicodeDecodeError):  # also a number that is none, or half a character
            return msgspec.json.decode(as_strict_json(content), type=record)
    except msgspec.ValidationError as error:
        raise ContractError(
            f"a record is not what Canvas documents: {without_values(str(error))}",
            where=where,
            mend="Look at the record in Canvas; if it is right there, tell Passback's makers the field.",
        ) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise ContractError(
            "the answer is " + ("a web page, not JSON" if is_html(content) else "not JSON"),
            where=where,
            mend="Look at the host in the connection: it must be Canvas' own, without a path.",
        ) from None
