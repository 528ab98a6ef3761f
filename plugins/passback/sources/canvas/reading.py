"""Which requests a district takes, and what is kept of them until all of it is read.

A course is kept when all of it has been read, so that an extraction that was killed goes on with the next
one. Only the fields that are needed are kept, never what a student handed in.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

import msgspec

from passback.errors import ConfigurationError, ContractError, PermissionRefusedError, UnavailableError
from passback.frame_store import write_whole
from passback.sources.canvas.client import (
    PARALLEL,
    Canvas,
    Listing,
    MissingError,
    UnpublishedError,
)
from passback.sources.canvas.pages import (
    Account,
    Assignment,
    Course,
    CourseRead,
    Group,
    Id,
    Section,
    Student,
    SyncAssignment,
)
from passback.sources.feed import OVERLAP, PAGES_KEPT
from passback.sources.pulled import Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import pandas as pd
    from airflow.sdk import ObjectStoragePath

    from passback.errors import PassbackError

Read = TypeVar("Read", Account, CourseRead)

SEE_COURSES: Final = "'Courses - view list'"
SEE_CONTENT: Final = "'Course Content - view'"
SEE_GRADES: Final = "'Grades - view all grades'"
SEE_SIS_IDS: Final = "'SIS Data - read'"

# Canvas keeps courses for ever; what ended longer ago than this is history.
READ_AFTER_END: Final = timedelta(days=365)
# A request must not grow longer than a web server takes; Canvas' ids have up to 17 digits.
IDS_AT_ONCE: Final = 50
TOLD_EVERY: Final = 50
# One odd course does not stop the others. Each that does not answer is waited for, and many are an outage.
MOST_UNANSWERED: Final = 3
LONGEST_TITLE: Final = 100  # of a course that is told of


async def read_district(
    canvas: Canvas,
    pages: ObjectStoragePath,
    *,
    since: datetime | None,
    known: pd.DataFrame,
    say: Callable[[str], None],
) -> tuple[list[CourseRead], list[Unread]]:
    """Read the account and all its courses, a few at a time (see `passback.sources.canvas.pull`).

    Returns:
        What was read, and the courses that could not be.

    Raises:
        UnavailableError: courses do not answer, for the first time in this extraction, or more of them than
            `MOST_UNANSWERED`; the others are kept for the next try.
        PassbackError: more than half of the courses cannot be read: that is no matter of single ones.
    """
    folder = pages / (f"{since:%Y%m%dT%H%M%SZ}" if since else "all")
    account = _kept(folder / "account.json", Account)
    if account is None:
        courses = await list_courses(canvas)
        to_sync = await list_to_sync(canvas, courses)
        account = Account(canvas.began, courses, to_sync)
        _keep(folder / "account.json", account)
    to_sync_of, sections_of = _to_sync_by_course(account), _sections_by_assignment(known)
    turns, read, unread, unanswered = asyncio.Semaphore(PARALLEL), 0, list[Unread](), list[Unread]()

    async def one(course: Course) -> CourseRead | None:
        nonlocal read
        path = folder / f"course-{course.id}.json"
        async with turns:
            found = _kept(path, CourseRead)
            if found is None:
                try:
                    found = await read_course(
                        canvas, course, to_sync_of.get(str(course.id), []), since=since, known=sections_of
                    )
                except UnavailableError as error:
                    unanswered.append(unread_course(course, error))
                    if len(unanswered) > MOST_UNANSWERED:
                        raise
                    return None
                except (ContractError, PermissionRefusedError) as error:
                    gone = isinstance(error, MissingError)
                    what = "is gone since the courses were listed" if gone else "could not be read"
                    say(f"course {course.id} {what}")
                    unread.append(unread_course(course, error))
                    return None
                await asyncio.to_thread(_keep, path, found)
        read += 1
        if read % TOLD_EVERY == 0 or read == len(account.courses):
            say(f"{read:,} of {len(account.courses):,} courses read")
        return found

    tasks = [asyncio.ensure_future(one(course)) for course in account.courses]
    try:
        found = [course for course in await asyncio.gather(*tasks) if course is not None]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    _check_enough(account, folder, unread, unanswered)
    return found, [*unread, *unanswered]


def _check_enough(
    account: Account, folder: ObjectStoragePath, unread: list[Unread], unanswered: list[Unread]
) -> None:
    """Raise where courses may yet answer, or where those that cannot be read are more than half of all."""
    if unanswered and not _is_tried_again(folder):
        raise unanswered[0].error
    failed = [*unread, *unanswered]
    if len(failed) > len(account.courses) / 2:
        raise failed[0].error


def _is_tried_again(folder: ObjectStoragePath) -> bool:
    """Whether a try of this extraction before this one ended for courses that did not answer."""
    marker = folder / "unanswered.json"
    if marker.exists():
        return True
    write_whole(marker, b"{}")
    return False


def _to_sync_by_course(account: Account) -> dict[str, list[SyncAssignment]]:
    by_course: dict[str, list[SyncAssignment]] = {}
    for assignment in account.to_sync:
        by_course.setdefault(str(assignment.course_id), []).append(assignment)
    return by_course


def _sections_by_assignment(known: pd.DataFrame) -> dict[str, set[str]]:
    sections: dict[str, set[str]] = {}
    for assessment_id, class_id in zip(known["assessment_id"], known["class_id"], strict=True):
        sections.setdefault(assessment_id, set()).add(class_id)
    return sections


def unread_course(course: Course, error: PassbackError) -> Unread:
    """A course that could not be read, as a person finds it in Canvas."""
    name = " ".join((course.name or "")[:LONGEST_TITLE].split())
    return Unread(f"{name} (course {course.id})".strip(), error)


# --- The account ---


async def list_courses(canvas: Canvas) -> list[Course]:
    """The courses that the connection names, each once; not those that ended long ago.

    Raises:
        PassbackError: as `passback.sources.canvas.pull`.
    """
    account, ids = _named(canvas)
    if ids:
        return [await canvas.get(_course(course_id)) for course_id in ids]
    path = f"/api/v1/accounts/{account}/courses"
    listing = Listing(path, _not_long_ended(), Course, "the courses of the account", SEE_COURSES)
    courses: list[Course] = await canvas.list(listing)
    return list({course.id: course for course in courses}.values())


async def list_to_sync(canvas: Canvas, courses: list[Course]) -> list[SyncAssignment]:
    """The assignments that Canvas itself would export to the SIS: published, and marked for it.

    Raises:
        ConfigurationError: Canvas exports no grades here.
        PassbackError: as `passback.sources.canvas.pull`.
    """
    account, ids = _named(canvas)
    contexts = [f"courses/{course.id}" for course in courses] if ids else [f"accounts/{account}"]
    found: list[SyncAssignment] = []
    for context in contexts:
        path, query = f"/api/sis/{context}/assignments", () if ids else _not_long_ended()
        listing = Listing(path, query, SyncAssignment, "the assignments for the SIS", SEE_GRADES)
        try:
            found += await canvas.list(listing)
        except UnpublishedError:  # nothing of it would be exported; the course says so itself
            continue
    return found


def _named(canvas: Canvas) -> tuple[str, list[str]]:
    """The account or the courses that the connection names, as parts of a path."""
    account, courses = canvas.endpoint.extra.get("account"), canvas.endpoint.extra.get("courses") or []
    if not isinstance(courses, list) or bool(account) == bool(courses):
        raise ConfigurationError(
            "its extra must name either the account or a list of courses",
            where=f"connection {canvas.endpoint.connection}",
            mend='Write {"account": "1"} with the number in the address of the account\'s page in Canvas,'
            ' or {"courses": ["101", "102"]}.',
        )
    return quote(str(account or ""), safe=":"), [quote(str(course), safe=":") for course in courses]


def _not_long_ended() -> tuple[tuple[str, str], ...]:
    """The part of a query that leaves out courses which ended long ago; one without an end stays."""
    return (("ends_after", f"{datetime.now(UTC) - READ_AFTER_END:%Y-%m-%dT%H:%M:%SZ}"),)


def _course(course_id: str) -> Listing:
    return Listing(f"/api/v1/courses/{course_id}", (), Course, f"course {course_id}", SEE_COURSES)


# --- A course ---


async def read_course(
    canvas: Canvas,
    course: Course,
    to_sync: list[SyncAssignment],
    *,
    since: datetime | None,
    known: Mapping[str, Collection[str]],
) -> CourseRead:
    """Read a course with its sections, groups, assignments and submissions.

    Args:
        canvas: The session.
        course: The course.
        to_sync: Its assignments that Canvas would export.
        since: Read submissions graded or handed in since then (UTC); None for all.
        known: Assignment → sections of what was read before.

    Raises:
        PassbackError: as `passback.sources.canvas.pull`.
    """
    sections = await list_sections(canvas, course)
    groups = await canvas.list(
        _of_course(course, "assignment_groups", (), Group, "the assignment groups", SEE_CONTENT)
    )
    dates = (("include[]", "overrides"), ("override_assignment_dates", "false"))
    assignments = await canvas.list(
        _of_course(course, "assignments", dates, Assignment, "the assignments", SEE_CONTENT)
    )
    whole = [
        each.id
        for each in assignments
        if each.published and (since is None or _is_to_read_whole(each, sections, since - OVERLAP, known))
    ]
    partly = any(each.published and each.id not in whole for each in assignments)
    listings = [
        await canvas.list(submissions_of(course, query))
        for query in _queries(whole, since - OVERLAP if since and partly else None)
    ]
    return CourseRead(canvas.began, course, to_sync, sections, groups, assignments, listings, whole)


async def list_sections(canvas: Canvas, course: Course) -> list[Section]:
    """The sections of a course, with the ids the SIS knows them by.

    Raises:
        PermissionRefusedError: the token's user may not see those ids.
        PassbackError: as `passback.sources.canvas.pull`.
    """
    listing = _of_course(course, "sections", (), Section, "the sections", SEE_CONTENT)
    sections: list[Section] = await canvas.list(listing)
    if any(section.sis_section_id is msgspec.UNSET for section in sections):
        raise PermissionRefusedError(
            "the token's user may not read SIS ids",
            where=f"{canvas.endpoint.connection}: {listing.what}",
            mend=f"In Canvas, give the role of the token's user the permission {SEE_SIS_IDS}.",
        )
    return sections


def submissions_of(course: Course, query: tuple[tuple[str, str], ...]) -> Listing:
    """The listing of a course's students with the submissions that a query asks for."""
    asked = (
        ("student_ids[]", "all"),
        ("grouped", "1"),
        ("include[]", "visibility"),
        ("exclude_response_fields[]", "preview_url"),
        ("exclude_response_fields[]", "attachments"),
        *query,
    )
    return _of_course(course, "students/submissions", asked, Student, "the grades", SEE_GRADES)


def _of_course(
    course: Course, path: str, query: tuple[tuple[str, str], ...], record: type, what: str, permission: str
) -> Listing:
    where = f"/api/v1/courses/{course.id}/{path}"
    return Listing(where, query, record, f"{what} of course {course.id}", permission)


def _queries(whole: list[Id], since: datetime | None) -> list[tuple[tuple[str, str], ...]]:
    """What to ask of a course's submissions, one listing each; of assignments that are published."""
    if since is None:
        return [()] if whole else []
    moment = f"{since:%Y-%m-%dT%H:%M:%SZ}"
    ids = [("assignment_ids[]", str(each)) for each in whole]
    return [
        (("graded_since", moment),),
        (("submitted_since", moment),),  # or who has handed in since would still count as missing
        *(tuple(ids[start : start + IDS_AT_ONCE]) for start in range(0, len(ids), IDS_AT_ONCE)),
    ]


def _is_to_read_whole(
    assignment: Assignment,
    sections: list[Section],
    earliest: datetime,
    known: Mapping[str, Collection[str]],
) -> bool:
    """Whether what was graded or handed in since does not tell all that may have changed in an assignment.

    So it is with a new one, or one that is new to a section; with one that was changed: published, marked
    for sync, assigned to others; with one whose grades are shown by hand, which Canvas does not date; and
    where only its submissions tell to whom it is assigned.
    """
    own = {str(each.course_section_id) for each in assignment.overrides}
    told = [each for each in sections if assignment.for_everyone or str(each.id) in own]
    return (
        bool(assignment.post_manually)
        or _changed_since(assignment.updated_at, earliest)
        or any(each.names_nobody for each in assignment.overrides)
        or str(assignment.id) not in known
        or any(str(each.id) not in known[str(assignment.id)] for each in told)
    )


def _changed_since(updated_at: str, earliest: datetime) -> bool:
    try:
        return datetime.fromisoformat(updated_at) >= earliest
    except ValueError:  # not a real day: refused when the frames are made
        return True


# --- What is kept of it ---


def _keep(path: ObjectStoragePath, read: Account | CourseRead) -> None:
    write_whole(path, msgspec.json.encode(read))


def _kept(path: ObjectStoragePath, kind: type[Read]) -> Read | None:
    """What an interrupted try of this extraction kept, if it is of today."""
    try:
        read = msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.MsgspecError):  # the latter: kept by another version
        return None
    return read if datetime.now(UTC) - read.as_of <= PAGES_KEPT else None
