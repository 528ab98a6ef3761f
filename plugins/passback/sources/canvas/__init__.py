"""Canvas, read over its REST API with a bearer token.

The `canvasapi` library is not used: it is synchronous and builds an object with attributes for every record,
it has no call for the SIS assignments endpoint, it does not check what a page holds, and it raises on a
throttled request (since 3.5 on status 429 alone; Canvas answered 403 for years) instead of trying it again.
What remains of it is joining a URL and following `Link`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from passback.errors import ContractError
from passback.sources.canvas.client import Canvas
from passback.sources.canvas.frames import canonical
from passback.sources.canvas.probe import probe
from passback.sources.canvas.reading import read_district, unread_course
from passback.sources.pulled import Pull

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow.sdk import ObjectStoragePath

    from passback.connections import Endpoint
    from passback.sources.canvas.pages import CourseRead
    from passback.sources.pulled import Unread

__all__ = ["count", "pull"]

# Where everything was read; of what changed nobody can say how much there is of it.
_COUNTED = ("assessments", "classes", "students")


async def pull(
    endpoint: Endpoint,
    pages: ObjectStoragePath,
    *,
    since: datetime | None,
    known: pd.DataFrame,
    say: Callable[[str], None],
) -> Pull:
    """Read the courses that the connection names.

    With `since`, grades given and work handed in since then are read, and all else as it is now. What
    Canvas does not date is seen only when everything is read again: a grade taken back or hidden again, a
    mark set by hand, a student who came or changed section and has not been graded since.

    A course that cannot be read is left out and told of (`Pull.unread`): it does not stop the others.

    Args:
        endpoint: The connection; its secret is the access token, its extra holds `account` or `courses`.
        pages: The folder in which what was read is kept until the extraction is complete.
        since: Read only what changed since then (UTC); None for everything.
        known: `assessment_id` and `class_id` of what the last extraction held: of another assessment, and of
            one that was changed since, everything is read, however old it is.
        say: Told about progress, in counts.

    Raises:
        ConfigurationError: the connection or a switch in Canvas is wrong.
        ContractError: a page is not what Canvas documents.
        CredentialError: the token is refused.
        PermissionRefusedError: the token's user may not read something; says what.
        UnavailableError, BusyError: Canvas does not answer, or keeps asking to slow down.
    """
    async with Canvas(endpoint) as canvas:
        courses, unread = await read_district(canvas, pages, since=since, known=known, say=say)
    frames, courses, odd = _frames(courses, endpoint.connection, say=say)
    counted = _COUNTED if since else (*_COUNTED, "scores")
    # What was known of these is replaced: somebody may no longer have them to do.
    whole = pd.DataFrame(
        {"assessment_id": [str(each) for course in courses for each in course.read_whole]}, dtype="str"
    )
    return Pull(
        frames=frames,
        deleted={"scores": whole} if since else {},
        totals={name: len(frames[name]) for name in counted},
        as_of=min(course.as_of for course in courses) if courses else canvas.began,
        requests=canvas.requests,
        changes=frozenset({"scores"}) if since else frozenset(),
        unread=(*unread, *odd),
    )


def _frames(
    courses: list[CourseRead], connection: str, *, say: Callable[[str], None]
) -> tuple[dict[str, pd.DataFrame], list[CourseRead], list[Unread]]:
    """The canonical frames, the courses that are in them, and those that hold what cannot be."""
    try:
        return canonical(courses, connection, say=say), courses, []
    except ContractError:
        good, odd = [], []
        for read in courses:
            try:
                canonical([read], connection, say=lambda _: None)
            except ContractError as error:
                say(f"course {read.course.id} could not be read")
                odd.append(unread_course(read.course, error))
            else:
                good.append(read)
        if len(odd) > len(good):
            raise
        return canonical(good, connection, say=say), good, odd


async def count(endpoint: Endpoint) -> dict[str, int]:
    """What the connection check tells: courses, assignments to sync, and students whose grades may be read.

    Raises:
        PassbackError: as `pull`.
    """
    async with Canvas(endpoint, attempts=2) as canvas:  # a person waits
        return await probe(canvas)
