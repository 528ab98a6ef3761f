"""Courses and assignment groups in Canvas: read, and created; never changed, never deleted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from msgspec import UNSET, Struct, UnsetType
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

from passback.errors import (
    ConfigurationError,
    ContractError,
    PermissionRefusedError,
    RetriableError,
)
from passback.records import TEXT, Frame
from passback.sources.canvas.client import Canvas, Listing, wait
from passback.sources.canvas.pages import Group, Id, Section, SisId
from passback.sources.canvas.reading import SEE_CONTENT, SEE_COURSES, SEE_SIS_IDS
from passback.sources.contract import Instant  # noqa: TC001 - the same

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Iterable, Sequence
    from typing import Protocol

    from passback.connections import Endpoint

    class Say(Protocol):
        """Told about progress, in counts."""

        def __call__(self, line: str, /) -> object:
            """Tell one line."""


COURSES: Final = Frame("courses", {"course_id": TEXT, "course_title": TEXT}, ("course_id",))
COURSE_CLASSES: Final = Frame(
    "course_classes",  # the sections of a course that the SIS knows
    {"course_id": TEXT, "sis_class_id": TEXT},
    ("course_id", "sis_class_id"),
)
GROUPS: Final = Frame(
    "groups",  # category_id and term_id are empty for a group that was not imported
    {"course_id": TEXT, "group_id": TEXT, "name": TEXT, "category_id": TEXT, "term_id": TEXT},
    ("group_id",),
)

_TRIES: Final = 4
_AT_ONCE: Final = 4
_MANAGE_GROUPS: Final = "'Assignments and Quizzes - add'"
_MANAGE_SIS: Final = "'SIS Data - manage'"


@dataclass(frozen=True)
class CanvasCourses:
    """The courses that run now and have a section which the SIS knows.

    Attributes:
        courses: `COURSES`.
        classes: `COURSE_CLASSES`.
        groups: `GROUPS`.
    """

    courses: pd.DataFrame
    classes: pd.DataFrame
    groups: pd.DataFrame


@dataclass(frozen=True)
class NewGroup:
    """An assignment group to create.

    Attributes:
        category_id: The SIS's id of its category.
        name: The category's name.
        term_id: The SIS's id of the term it is for; empty for all terms.
    """

    category_id: str
    name: str
    term_id: str


class _Term(Struct):
    end_at: Instant | None = None


class _Course(Struct):
    id: Id
    name: str | None
    workflow_state: str
    end_at: Instant | None = None
    term: _Term | None = None

    def runs(self, now: datetime) -> bool:
        """Whether it has not ended, by its own date or else its term's."""
        ends = self.end_at or (self.term.end_at if self.term else None)
        return self.workflow_state not in ("completed", "deleted") and (
            ends is None or datetime.fromisoformat(ends) >= now
        )


class _Made(Struct):
    """An assignment group as Canvas answers that it made it."""

    id: Id
    sis_source_id: SisId | UnsetType = UNSET


async def read_courses(
    endpoint: Endpoint, *, now: datetime, only: Collection[str] = (), say: Say
) -> CanvasCourses:
    """The courses that have not ended, those with a section that the SIS knows, and their groups.

    Args:
        endpoint: Canvas' connection, as `passback.sources.canvas` reads it.
        now: The present instant, with a time zone.
        only: Only these courses, by Canvas' ids; empty for all.
        say: Told about progress.

    Raises:
        ConfigurationError: one of `only` is not among them.
        PermissionRefusedError: the token's user may not see courses, or SIS ids.
        PassbackError: as `passback.sources.canvas.pull`.
    """
    async with Canvas(endpoint) as canvas:
        running = [
            course
            for course in await _listed(canvas)
            if course.runs(now) and (not only or str(course.id) in only)
        ]
        say(f"reading the assignment groups of {len(running):,} courses")
        sections = await _few_at_once(_of_course(canvas, course, "sections", Section) for course in running)
        classes = pd.DataFrame(
            [
                (str(course.id), str(section.sis_section_id))
                for course, found in zip(running, sections, strict=True)
                for section in found
                if _shown(section.sis_section_id, endpoint)
            ],
            columns=list(COURSE_CLASSES.columns),
        )
        known = set(classes["course_id"])
        if missing := sorted(set(only) - known):
            raise ConfigurationError(
                f"Canvas has no course {', '.join(missing)} that runs now and has a section of the SIS",
                where=f"connection {endpoint.connection}",
                mend="Name a course by the number in its address, /courses/NUMBER.",
            )
        running = [course for course in running if str(course.id) in known]
        listings = await _few_at_once(
            _of_course(canvas, course, "assignment_groups", Group) for course in running
        )
    courses = [(str(course.id), (course.name or "").strip() or f"course {course.id}") for course in running]
    groups = [
        (str(course.id), *_read(group))
        for course, found in zip(running, listings, strict=True)
        for group in found
    ]
    return CanvasCourses(
        courses=COURSES.conform(pd.DataFrame(courses, columns=list(COURSES.columns))),
        classes=COURSE_CLASSES.conform(classes),
        groups=GROUPS.conform(pd.DataFrame(groups, columns=list(GROUPS.columns))),
    )


async def create_groups(
    endpoint: Endpoint, wanted: Sequence[tuple[str, str, Sequence[NewGroup]]], *, say: Say
) -> int:
    """Create assignment groups; those that are there by now are left out.

    Before a request whose answer was lost is sent again, its course is read again: no group is made twice.

    Args:
        endpoint: Canvas' connection.
        wanted: Course, its title, and the groups to create in it, in their order.
        say: Told how many were created in which course.

    Returns:
        How many were created.

    Raises:
        PermissionRefusedError: the token's user may not create groups, or not give them SIS ids.
        PassbackError: Canvas cannot be reached; what was created stays, and doing it again goes on there.
    """

    async def create_in(course_id: str, title: str, groups: Sequence[NewGroup]) -> int:
        there = await _category_ids(canvas, course_id)
        missing = [group for group in groups if group.category_id not in there]
        for group in missing:
            await _create(canvas, course_id, group)
        say(f"{title}: {len(missing)} of {len(groups)} groups created" + _the_rest(missing, groups))
        return len(missing)

    async with Canvas(endpoint) as canvas:
        # The first course alone: what the token's user may not do shows in a single group.
        created = [await create_in(*course) for course in wanted[:1]]
        created += await _few_at_once(create_in(*course) for course in wanted[1:])
    return sum(created)


def _the_rest(missing: Sequence[NewGroup], groups: Sequence[NewGroup]) -> str:
    return "" if len(missing) == len(groups) else ", the others are there by now"


async def _create(canvas: Canvas, course_id: str, group: NewGroup) -> None:
    body: dict[str, Any] = {"name": group.name, "sis_source_id": group.category_id}
    if group.term_id:
        body["integration_data"] = {"sis_term_id": group.term_id}
    async for attempt in AsyncRetrying(
        # An answer that cannot be read is as good as lost.
        retry=retry_if_exception_type((RetriableError, ContractError)),
        stop=stop_after_attempt(_TRIES),
        wait=wait,
        reraise=True,
    ):
        with attempt:
            again = attempt.retry_state.attempt_number > 1
            if again and group.category_id in await _category_ids(canvas, course_id):
                return
            made = await canvas.post(_to_make(course_id), body)
    if made.sis_source_id != group.category_id:
        raise PermissionRefusedError(
            f"Canvas made assignment group {made.id} without the SIS's id: it is no imported one",
            where=f"{canvas.endpoint.connection}: course {course_id}",
            mend=f"In Canvas, give the role of the token's user the permission {_MANAGE_SIS}, remove that"
            " group by hand, and import again.",
        )


def _to_make(course_id: str) -> Listing:
    what = f"the assignment groups of course {course_id}"
    return Listing(f"/api/v1/courses/{course_id}/assignment_groups", (), _Made, what, _MANAGE_GROUPS)


async def _category_ids(canvas: Canvas, course_id: str) -> set[str]:
    groups = await canvas.list(_listing(course_id, "assignment_groups", Group))
    return {category_id for group in groups if (category_id := _read(group)[2])}


# --- What Canvas lists ---


async def _listed(canvas: Canvas) -> list[_Course]:
    """The courses of the account that the connection names, or those that it names one by one."""
    extra = canvas.endpoint.extra
    what = "the courses of the account"
    include = ("include[]", "term")
    if named := extra.get("courses"):
        return [
            await canvas.get(
                Listing(f"/api/v1/courses/{course}", (include,), _Course, f"course {course}", SEE_COURSES)
            )
            for course in named
        ]
    path = f"/api/v1/accounts/{extra.get('account') or 'self'}/courses"
    found: list[_Course] = await canvas.list(Listing(path, (include,), _Course, what, SEE_COURSES))
    return list({course.id: course for course in found}.values())


def _listing(course_id: str, collection: str, record: type) -> Listing:
    what = f"the {collection.replace('_', ' ')} of course {course_id}"
    return Listing(f"/api/v1/courses/{course_id}/{collection}", (), record, what, SEE_CONTENT)


async def _of_course(canvas: Canvas, course: _Course, collection: str, record: type) -> list[Any]:
    return await canvas.list(_listing(str(course.id), collection, record))


async def _few_at_once(work: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """What all of it gives, in its order; the first failure stops the rest and is the one raised."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(part: Coroutine[Any, Any, Any]) -> Any:
        async with turns:
            return await part

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(in_turn(part)) for part in work]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _read(group: Group) -> tuple[str, str, str, str]:
    """A group's id and name, its category's id and its term; the latter empty where it was not imported."""
    marks = group.integration_data
    term = marks.get("sis_term_id") if isinstance(marks, dict) else None
    return str(group.id), (group.name or "").strip(), str(group.sis_source_id or ""), str(term or "")


def _shown(sis_id: SisId | UnsetType, endpoint: Endpoint) -> bool:
    """Whether the SIS knows a section.

    Raises:
        PermissionRefusedError: Canvas does not show SIS ids: everything would be imported a second time.
    """
    if sis_id is UNSET:
        raise PermissionRefusedError(
            "the token's user may not read SIS ids",
            where=f"connection {endpoint.connection}",
            mend=f"In Canvas, give the role of the token's user the permission {SEE_SIS_IDS}.",
        )
    return bool(sis_id)
