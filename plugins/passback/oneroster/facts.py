"""What the SIS says of itself before anything is written: categories, grading periods, classes, enrolments.

OneRoster 1.1 rostering, read by whole collections: no student stands in an address, and a district of a
hundred schools costs no more requests than its rows need.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from passback.oneroster.v1p1 import held_line_items, is_active, reference, text
from passback.records import (
    SIS_CATEGORIES,
    SIS_CLASSES,
    SIS_ENROLLMENTS,
    SIS_LINE_ITEMS,
    SIS_PERIODS,
    Frame,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import date

    from passback.oneroster import Client

    Record = Mapping[str, Any]

_STUDENT: Final = "student"
_GRADING_PERIOD: Final = "gradingPeriod"


async def read_facts(sis: Client, *, today: date) -> dict[str, pd.DataFrame]:
    """The frames of `records.SIS_FRAMES`, by their names; the line items without a row (`read_line_items`).

    A grading period holds for a class when it is one of the class's terms or lies below one of them; for a
    class without terms all do. It is closed when the SIS says so (`metadata.gradebookStatus` is "closed"),
    and, where the SIS does not say, from the day after its end date.

    Args:
        sis: The SIS.
        today: The date in the district's zone.

    Raises:
        ContractError: an answer is not what OneRoster says; names path, index and field, never a value.
        PassbackError: as `Client.collection` does.
    """
    try:
        async with asyncio.TaskGroup() as reads:
            categories = reads.create_task(_all(sis, "categories"))
            sessions = reads.create_task(_all(sis, "academicSessions"))
            classes = reads.create_task(_all(sis, "classes"))
            enrollments = reads.create_task(_enrollments(sis, today=today))
    except ExceptionGroup as failures:  # the first one tells; the others were cancelled for it
        raise failures.exceptions[0] from None
    return {
        SIS_CATEGORIES.name: _categories(categories.result()),
        SIS_PERIODS.name: _periods(sessions.result(), classes.result(), today=today),
        SIS_CLASSES.name: _frame(
            SIS_CLASSES,
            [(text(record, "sourcedId", at=at),) for at, record in _active("classes", classes.result())],
        ),
        SIS_ENROLLMENTS.name: enrollments.result(),
        SIS_LINE_ITEMS.name: SIS_LINE_ITEMS.empty(),
    }


async def read_line_items(sis: Client, classes: Collection[str]) -> pd.DataFrame:
    """What stands in the gradebooks of some classes, as `v1p1.HELD_LINE_ITEMS`.

    Args:
        sis: The SIS.
        classes: The classes, by the SIS's ids.

    Raises:
        ContractError: an answer is not what OneRoster says; names path, index and field, never a value.
        PassbackError: as `Client.collection` does.
    """
    listings = await asyncio.gather(*(sis.line_items_of_class(name) for name in sorted(set(classes))))
    held = held_line_items(record for listing in listings for record in listing)
    return held.drop_duplicates("line_item_id", ignore_index=True)


async def _all(sis: Client, collection: str) -> list[Record]:
    return [record async for record in sis.collection(f"/{collection}", collection)]


def _categories(records: list[Record]) -> pd.DataFrame:
    rows = []
    for at, record in _active("categories", records):
        metadata = _metadata(record)
        rows.append(
            (
                text(record, "sourcedId", at=at),
                text(record, "title", at=at, required=True),
                text(metadata, "classId", at=f"{at}.metadata"),
            )
        )
    return _frame(SIS_CATEGORIES, rows)


def _periods(sessions: list[Record], classes: list[Record], *, today: date) -> pd.DataFrame:
    parents: dict[str, str] = {}
    periods = []
    for at, record in _active("academicSessions", sessions):
        sourced_id = text(record, "sourcedId", at=at)
        parents[sourced_id] = reference(record, "parent", at=at)
        if text(record, "type", at=at, required=True) == _GRADING_PERIOD:
            ends = text(record, "endDate", at=at, required=True)[:10]
            periods.append(
                (
                    sourced_id,
                    text(record, "title", at=at),
                    text(record, "startDate", at=at, required=True)[:10],
                    ends,
                    _is_closed(record, ends, today=today, at=at),
                )
            )
    period_columns = [name for name in SIS_PERIODS.columns if name != "sis_class_id"]
    period_frame = pd.DataFrame(periods, columns=period_columns)
    within = pd.DataFrame(
        [(period[0], term) for period in periods for term in _chain(period[0], parents)],
        columns=["period_id", "term_id"],
    )
    terms = pd.DataFrame(
        [
            (text(record, "sourcedId", at=at), term)
            for at, record in _active("classes", classes)
            for term in _terms(record, at=at)
        ],
        columns=["sis_class_id", "term_id"],
    )
    of_terms = terms[terms["term_id"].ne("")].merge(within, on="term_id")
    of_all = terms[terms["term_id"].eq("")].merge(period_frame[["period_id"]], how="cross")
    pairs = pd.concat([of_terms, of_all], ignore_index=True)[["sis_class_id", "period_id"]].drop_duplicates()
    return SIS_PERIODS.conform(pairs.merge(period_frame, on="period_id"))


def _is_closed(record: Record, ends: str, *, today: date, at: str) -> bool:
    status = text(_metadata(record), "gradebookStatus", at=f"{at}.metadata")
    return status.lower() == "closed" if status else ends < today.isoformat()


def _chain(sourced_id: str, parents: Mapping[str, str]) -> Iterator[str]:
    """A session and all above it; a circle of parents ends where it closes."""
    seen = set[str]()
    while sourced_id and sourced_id not in seen:
        seen.add(sourced_id)
        yield sourced_id
        sourced_id = parents.get(sourced_id, "")


def _terms(record: Record, *, at: str) -> list[str]:
    """The class's terms; one empty text if it has none."""
    terms = record.get("terms")
    if not isinstance(terms, list) or not terms:
        return [""]
    return [
        reference({"terms": term}, "terms", at=f"{at}.terms[{index}]", required=True)
        for index, term in enumerate(terms)
    ]


async def _enrollments(sis: Client, *, today: date) -> pd.DataFrame:
    # By far the longest listing: of every record only the two ids are kept.
    day = today.isoformat()
    rows = []
    index = -1
    async for record in sis.collection("/enrollments", "enrollments"):
        index += 1
        at = _place("enrollments", index)
        if not is_active(record) or text(record, "role", at=at, required=True) != _STUDENT:
            continue
        begins = text(record, "beginDate", at=at)[:10]
        ends = text(record, "endDate", at=at)[:10]
        # The standard: beginDate is the first day, endDate the day after the last one (enrollment, 1.2).
        if begins <= day and (not ends or day < ends):
            sis_class_id = reference(record, "class", at=at, required=True)
            rows.append((sis_class_id, reference(record, "user", at=at, required=True)))
    return _frame(SIS_ENROLLMENTS, rows)


def _active(collection: str, records: list[Record]) -> Iterator[tuple[str, Record]]:
    """The records that count, each with its place for messages."""
    return ((_place(collection, index), record) for index, record in enumerate(records) if is_active(record))


def _place(collection: str, index: int) -> str:
    return f"GET /{collection}, {collection}[{index}]"


def _metadata(record: Record) -> Record:
    metadata = record.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _frame(frame: Frame, rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    data = pd.DataFrame(rows, columns=list(frame.columns)).drop_duplicates(list(frame.key))
    return frame.conform(data)
