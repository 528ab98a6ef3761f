"""What the SIS says of itself before anything is written: categories, grading periods, classes, enrolments.

OneRoster rostering, 1.1 or 1.2, read by whole collections: no student stands in an address, and a district of
a hundred schools costs no more requests than its rows need.

A record that is not what OneRoster says, or that contradicts another of the same id, is left out, and told in
the log: one odd class does not stop the others. Where no record of a collection is as it should be, the whole
answer is refused.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

import pandas as pd

from passback.errors import ContractError, PermissionRefusedError, UnavailableError
from passback.gradebook import GradebookLineItems
from passback.oneroster.client import NotFoundError
from passback.oneroster.held import flag, held_line_items, is_active, not_as_agreed, reference, text
from passback.records import (
    SIS_CATEGORIES,
    SIS_CLASSES,
    SIS_ENROLLMENTS,
    SIS_LINE_ITEMS,
    SIS_PERIODS,
    Frame,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from passback.oneroster import Client

    Record = Mapping[str, Any]

Row = TypeVar("Row", bound=tuple[Any, ...])
Found = TypeVar("Found")

log = logging.getLogger(__name__)

_STUDENT: Final = "student"
_GRADING_PERIOD: Final = "gradingPeriod"
_SCHOOL_YEAR: Final = "schoolYear"
_CLOSED: Final = "closed"
_ISO_DATE: Final = len("2026-11-22")
_OF_ONE_GRADEBOOK: Final = (ContractError, PermissionRefusedError, UnavailableError)
_NOT_SERVED: Final = (404, 405, 501)
_ONE_DAY: Final = timedelta(days=1)


class _Category(NamedTuple):
    category_id: str
    title: str
    code: str
    sis_class_id: str
    term_id: str


class _Session(NamedTuple):
    sourced_id: str
    title: str
    kind: str
    start_date: str  # both empty where they are not dates in their order
    end_date: str
    parent: str
    status: str  # of its gradebooks, in the SIS's own words; empty if it does not say


class _Class(NamedTuple):
    sourced_id: str
    title: str
    school_id: str
    gradebook: str
    terms: tuple[str, ...]


class _School(NamedTuple):
    sourced_id: str
    master_schedule: bool | None


class _Enrollment(NamedTuple):
    sis_class_id: str
    sis_student_id: str


async def read_facts(sis: Client, *, today: date) -> dict[str, pd.DataFrame]:
    """The frames of `records.SIS_FRAMES`, by their names; the line items without a row (`read_line_items`).

    A grading period holds for a class when it is one of the class's terms or lies below one of them; for a
    class without terms all do. It is closed when the SIS says so (`metadata.gradebookStatus` is "closed"),
    and, where the SIS does not say, from the day after its end date.

    Args:
        sis: The SIS.
        today: The date in the district's zone.

    Raises:
        ContractError: no answer of a kind is what OneRoster says; names path, index and field, never a value.
        PassbackError: as `Client.collection` does.
    """

    def enrollment(record: Record, at: str) -> _Enrollment | None:
        return _enrollment(record, at, today=today.isoformat())

    def session(record: Record, at: str) -> _Session:
        return _session(record, at, version=sis.version)

    try:
        async with asyncio.TaskGroup() as reads:
            categories = reads.create_task(_read(sis, "categories", "categories", _category))
            sessions = reads.create_task(_read(sis, "academicSessions", "academicSessions", session))
            classes = reads.create_task(_read(sis, "classes", "classes", _class))
            enrollments = reads.create_task(_read(sis, "enrollments", "enrollments", enrollment))
            schools = reads.create_task(_schools(sis))
    except ExceptionGroup as failures:  # the first one tells; the others were cancelled for it
        raise failures.exceptions[0] from None
    return {
        SIS_CATEGORIES.name: _categories(categories.result(), sessions.result()),
        SIS_PERIODS.name: _periods(sessions.result(), classes.result(), today=today),
        SIS_CLASSES.name: _classes(classes.result(), schools.result()),
        SIS_ENROLLMENTS.name: _frame(SIS_ENROLLMENTS, enrollments.result()),
        SIS_LINE_ITEMS.name: SIS_LINE_ITEMS.empty(),
    }


async def read_line_items(sis: Client, classes: Collection[str]) -> GradebookLineItems | None:
    """What stands in the gradebooks of some classes; one that cannot be read does not stop the others.

    A class that the SIS does not know (404) has an empty one, as long as it knows any.

    Args:
        sis: The SIS.
        classes: Classes that are on its roster, by its ids.

    Returns:
        None where the SIS does not show gradebooks at all: a provider may be certified for writing alone, and
        then answers 404, 405 or 501 to every such read.

    Raises:
        PassbackError: as `Client.collection` does; what one gradebook alone refuses only if all do.
    """
    names = sorted(set(classes))
    try:
        listings = await each_or_all(_gradebook(sis, name) for name in names)
    except ContractError:
        if await _shows_gradebooks(sis, names):
            raise
        return None
    # Refused, or not there: of one class that may be so, of all of them it is the SIS's way.
    all_absent = all(listing is not None and listing.absent for listing in listings)
    none_read = all(listing is None or listing.absent for listing in listings)
    if names and none_read and (all_absent or not await _shows_gradebooks(sis, names)):
        return None
    held = held_line_items(record for listing in listings if listing for record in listing.records)
    return GradebookLineItems(
        held.drop_duplicates("line_item_id", ignore_index=True),
        frozenset(name for name, listing in zip(names, listings, strict=True) if listing is None),
    )


class _Gradebook(NamedTuple):
    records: list[dict[str, Any]]
    absent: bool = False  # the SIS knows no such address


async def _gradebook(sis: Client, name: str) -> _Gradebook:
    try:
        return _Gradebook([record async for record in sis.collection(_address(name), "lineItems")])
    except NotFoundError:
        return _Gradebook([], absent=True)


async def _shows_gradebooks(sis: Client, names: Sequence[str]) -> bool:
    """Whether the SIS lists gradebooks at all, where every listing was refused."""
    response = await sis.get(_address(names[0]), {"limit": "1", "offset": "0"})
    return response.answer.status not in _NOT_SERVED


def _address(sis_class_id: str) -> str:
    return f"/classes/{quote(sis_class_id, safe='')}/lineItems"


async def each_or_all(reads: Iterable[Awaitable[Found]]) -> list[Found | None]:
    """What each of some reads of gradebooks gives; None for one that failed while others did not.

    Raises:
        PassbackError: all of several failed, and so the SIS; or one failed in a way that all will.
    """
    answers = await asyncio.gather(*reads, return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    alone = [failure for failure in failures if isinstance(failure, _OF_ONE_GRADEBOOK)]
    if failures and (len(alone) < len(failures) or len(failures) == len(answers) > 1):
        raise next((failure for failure in failures if failure not in alone), failures[0])
    if alone:
        told = f"{type(alone[0]).__name__}, {alone[0].where}"  # the SIS's own words may name somebody
        log.warning("%d of %d gradebooks could not be read: %s", len(alone), len(answers), told)
    return [None if isinstance(answer, BaseException) else answer for answer in answers]


def needs_schools(sis: Client) -> bool:
    """Whether it matters which schools have a master schedule."""
    return bool(sis.profile.class_without_master_schedule)


# --- Reading, record by record ---


async def _read(
    sis: Client, collection: str, key: str, row_of: Callable[[Record, str], Row | None]
) -> list[Row]:
    """What is read of every record of a collection.

    Args:
        sis: The SIS.
        collection: Below the service's address.
        key: The envelope's key.
        row_of: Reads a record, at a place for messages; None for one that does not count.

    Raises:
        ContractError: no record that counts is what OneRoster says.
        PassbackError: as `Client.collection` does.
    """
    found: dict[str, tuple[str, Row | None]] = {}
    odd: dict[str, ContractError] = {}
    index = -1
    async for record in sis.collection(f"/{collection}", key):
        index += 1
        at = f"GET /{collection}, {key}[{index}]"
        sourced_id, modified = record["sourcedId"], str(record.get("dateLastModified") or "")
        try:
            row = row_of(record, at) if is_active(record) else None
            if sourced_id in found:
                _refuse_contradiction(found[sourced_id], (modified, row), at)
        except ContractError as fault:
            odd[sourced_id] = fault
            continue
        if sourced_id not in found or modified > found[sourced_id][0]:
            found[sourced_id] = (modified, row)
    rows = [row for name, (_, row) in found.items() if row is not None and name not in odd]
    if odd:
        first = next(iter(odd.values()))
        if not rows:
            raise first
        log.warning("%d of %d %s are left out, such as: %s", len(odd), index + 1, collection, first)
    return rows


def _refuse_contradiction(before: tuple[str, Row | None], now: tuple[str, Row | None], at: str) -> None:
    """Refuse two records of one id that differ, unless one of them is the newer one."""
    if before[1] != now[1] and before[0] == now[0]:
        raise not_as_agreed(at, "sourcedId", "is that of another record too, which says otherwise")


async def _schools(sis: Client) -> list[_School]:
    """The schools, where it matters whether one has a master schedule."""
    return await _read(sis, "schools", "orgs", _school) if needs_schools(sis) else []


def _category(record: Record, at: str) -> _Category:
    return _Category(
        record["sourcedId"],
        text(record, "title", at=at, required=True).strip(),
        _said(record, "code"),
        _said(record, "classId"),
        _said(record, "termId"),
    )


def _session(record: Record, at: str, *, version: str) -> _Session:
    """A session; both of its dates belong to it, whichever way the version counts its end."""
    kind = text(record, "type", at=at, required=True)
    start_date = end_date = ""
    try:
        start_date, end_date = _day(record, "startDate", at), _day(record, "endDate", at)
        if end_date < start_date:
            raise not_as_agreed(at, "endDate", "precedes startDate")
        if version == "1.2" and start_date < end_date:  # 1.2 excludes the end date (AcademicSession)
            end_date = (date.fromisoformat(end_date) - _ONE_DAY).isoformat()
    except ContractError:
        if kind == _GRADING_PERIOD:
            raise
        start_date = end_date = ""  # a term still says which periods lie in it
    title, parent = text(record, "title", at=at), reference(record, "parent", at=at)
    status = _said(record, "gradebookStatus").lower()
    return _Session(record["sourcedId"], title, kind, start_date, end_date, parent, status)


def _class(record: Record, at: str) -> _Class:
    return _Class(
        record["sourcedId"],
        text(record, "title", at=at),
        reference(record, "school", at=at),
        _said(record, "gradebook").lower(),
        _terms(record, at),
    )


def _terms(record: Record, at: str) -> tuple[str, ...]:
    terms = record.get("terms")
    if terms is None:
        return ()
    if not isinstance(terms, list):
        raise not_as_agreed(at, "terms", "is no list")
    return tuple(
        reference({"terms": term}, "terms", at=f"{at}.terms[{index}]", required=True)
        for index, term in enumerate(terms)
    )


def _school(record: Record, at: str) -> _School:  # noqa: ARG001 - like the others
    return _School(record["sourcedId"], flag(_metadata(record), "masterSchedule"))


def _enrollment(record: Record, at: str, *, today: str) -> _Enrollment | None:
    """Who is in which class today; by far the longest listing, of which only two ids are kept."""
    if text(record, "role", at=at, required=True) != _STUDENT:
        return None
    begins = _day(record, "beginDate", at, required=False)
    ends = _day(record, "endDate", at, required=False)
    # The standard: beginDate is the first day, endDate the day after the last one (enrollment, 1.2).
    if begins > today or (ends and ends <= today):
        return None
    sis_class_id = reference(record, "class", at=at, required=True)
    return _Enrollment(sis_class_id, reference(record, "user", at=at, required=True))


def _day(record: Record, field: str, at: str, *, required: bool = True) -> str:
    said = text(record, field, at=at, required=required)[:_ISO_DATE]
    try:
        return date.fromisoformat(said).isoformat() if said else ""
    except ValueError:
        raise not_as_agreed(at, field, "is no date") from None


def _said(record: Record, name: str) -> str:
    """What its metadata say under a name; they are free: anything but text or a number says nothing."""
    value = _metadata(record).get(name)
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _metadata(record: Record) -> Record:
    metadata = record.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


# --- The frames ---


def _categories(categories: list[_Category], sessions: list[_Session]) -> pd.DataFrame:
    days = {session.sourced_id: (session.start_date, session.end_date) for session in sessions}
    return _frame(
        SIS_CATEGORIES, [(*category, *days.get(category.term_id, ("", ""))) for category in categories]
    )


def _classes(classes: list[_Class], schools: list[_School]) -> pd.DataFrame:
    schedules = {school.sourced_id: school.master_schedule for school in schools}
    return _frame(
        SIS_CLASSES,
        [
            (found.sourced_id, found.title, found.school_id, found.gradebook, schedules.get(found.school_id))
            for found in classes
        ],
    )


def _periods(sessions: list[_Session], classes: list[_Class], *, today: date) -> pd.DataFrame:
    parents = {session.sourced_id: session.parent for session in sessions}
    periods = [session for session in sessions if session.kind == _GRADING_PERIOD]
    years = {session.sourced_id: session.start_date for session in sessions if session.kind == _SCHOOL_YEAR}
    period_frame = pd.DataFrame(
        [
            (
                period.sourced_id,
                period.title,
                period.start_date,
                period.end_date,
                _is_closed(period, today),
                next((years[above] for above in _chain(period.sourced_id, parents) if above in years), ""),
            )
            for period in periods
        ],
        columns=[name for name in SIS_PERIODS.columns if name != "sis_class_id"],
    )
    within = pd.DataFrame(
        [(period.sourced_id, term) for period in periods for term in _chain(period.sourced_id, parents)],
        columns=["period_id", "term_id"],
    )
    terms = pd.DataFrame(
        [(found.sourced_id, term) for found in classes for term in found.terms or ("",)],
        columns=["sis_class_id", "term_id"],
    )
    of_terms = terms[terms["term_id"].ne("")].merge(within, on="term_id")
    of_all = terms[terms["term_id"].eq("")].merge(period_frame[["period_id"]], how="cross")
    pairs = pd.concat([of_terms, of_all], ignore_index=True)[["sis_class_id", "period_id"]].drop_duplicates()
    return SIS_PERIODS.conform(pairs.merge(period_frame, on="period_id"))


def _is_closed(period: _Session, today: date) -> bool:
    return period.status == _CLOSED if period.status else period.end_date < today.isoformat()


def _chain(sourced_id: str, parents: Mapping[str, str]) -> Iterator[str]:
    """A session and all above it; a circle of parents ends where it closes."""
    seen = set[str]()
    while sourced_id and sourced_id not in seen:
        seen.add(sourced_id)
        yield sourced_id
        sourced_id = parents.get(sourced_id, "")


def _frame(frame: Frame, rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    data = pd.DataFrame(list(rows), columns=list(frame.columns)).drop_duplicates(list(frame.key))
    return frame.conform(data)
