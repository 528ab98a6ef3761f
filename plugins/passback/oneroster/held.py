"""What a SIS says it holds, in OneRoster 1.1 or 1.2: its answers as frames.

A field that is not what the standard says stays empty, and is told in the log: one odd record in a teacher's
gradebook must not keep the others from being read.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from passback.errors import ContractError
from passback.records import MARKS, NUMBER, TEXT, Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Record = Mapping[str, Any]

log = logging.getLogger(__name__)

HELD_LINE_ITEMS: Final = Frame(
    "held_line_items",  # dates as ISO text, empty if it holds none; passback_id: ours, where the SIS keeps it
    {
        "line_item_id": TEXT,
        "passback_id": TEXT,
        "sis_class_id": TEXT,
        "title": TEXT,
        "category_id": TEXT,
        "period_id": TEXT,
        "assign_date": TEXT,
        "due_date": TEXT,
        "points_possible": NUMBER,
    },
    ("line_item_id",),
)

HELD_RESULTS: Final = Frame(
    "held_results",  # score is null where it holds none; mark is late, missing or empty
    {
        "result_id": TEXT,
        "line_item_id": TEXT,
        "sis_student_id": TEXT,
        "score": NUMBER,
        "score_status": TEXT,
        "score_date": TEXT,
        "mark": TEXT,
    },
    ("result_id",),
)

_EXEMPT: Final = "exempt"
_ISO_DATE: Final = len("2026-11-22")
_OURS_IN_CAPITALS: Final = re.compile(  # UUIDs of version 5, as `ids` makes them
    r"[0-9A-F]{8}-[0-9A-F]{4}-5[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}"
)


def held_line_items(records: Iterable[Record]) -> pd.DataFrame:
    """What the SIS holds, as `HELD_LINE_ITEMS`, from the lineItems it answered; deleted ones left out."""
    return _held(HELD_LINE_ITEMS, "lineItems", records, _line_item)


def held_results(records: Iterable[Record]) -> pd.DataFrame:
    """What the SIS holds, as `HELD_RESULTS`, from the results it answered; deleted ones left out."""
    return _held(HELD_RESULTS, "results", records, _result)


def is_empty(results: pd.DataFrame) -> pd.Series:
    """Whether each result says nothing: it has no score, and does not excuse the student.

    A SIS may list every student of a line item, and one that was cleared may stand there as not submitted.

    Args:
        results: `HELD_RESULTS`.
    """
    return results["score"].isna() & results["score_status"].ne(_EXEMPT)


def held_comments(records: Iterable[Record]) -> dict[str, str]:
    """The comments that stand beside results, by the results' ids."""
    comments = ((record.get("sourcedId"), record.get("comment")) for record in records if is_active(record))
    return {
        _as_we_write_it(sourced_id): comment
        for sourced_id, comment in comments
        if isinstance(sourced_id, str) and isinstance(comment, str) and comment.strip()
    }


def is_active(record: Record) -> bool:
    """Whether a record counts: 1.0's `inactive` reads as `tobedeleted`; no status at all is active."""
    return record.get("status") not in ("tobedeleted", "inactive")


def text(record: Record, field: str, *, at: str, required: bool = False) -> str:
    """A field's text; empty if it is missing and may be.

    Raises:
        ContractError: it is missing and may not be, or it is something else than text.
    """
    value = record.get(field)
    if value is None or value == "":
        if required:
            raise not_as_agreed(at, field, "is missing")
        return ""
    if not isinstance(value, str):
        raise not_as_agreed(at, field, "is no text")
    return value


def reference(record: Record, field: str, *, at: str, required: bool = False) -> str:
    """The sourcedId that a reference holds; empty if there is none and there may be none.

    Raises:
        ContractError: it is missing and may not be, or no reference.
    """
    value = record.get(field)
    if value is None:
        if required:
            raise not_as_agreed(at, field, "is missing")
        return ""
    if not isinstance(value, dict):
        raise not_as_agreed(at, field, "is no reference")
    return text(value, "sourcedId", at=f"{at}.{field}", required=True)


def flag(record: Record, field: str) -> bool | None:
    """A yes or no as either version writes it: JSON's own in 1.1, text in 1.2; None for anything else."""
    value = record.get(field)
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def not_as_agreed(at: str, field: str, what: str) -> ContractError:
    """The error for a field that is not what OneRoster says; `what` tells of its kind, never its value."""
    return ContractError(
        f"{field} {what}.", where=at, mend="Report it to the SIS: its answer is not what OneRoster says."
    )


def _line_item(record: Record, at: str, read: Callable[..., Any]) -> tuple[Any, ...]:
    return (
        _as_we_write_it(read(text, record, "sourcedId", at)),
        _passback_id(record),
        read(reference, record, "class", at),
        read(text, record, "title", at),
        read(reference, record, "category", at),
        read(reference, record, "gradingPeriod", at),
        read(_date, record, "assignDate", at),
        read(_date, record, "dueDate", at),
        read(_number, record, "resultValueMax", at),
    )


def _result(record: Record, at: str, read: Callable[..., Any]) -> tuple[Any, ...]:
    return (
        _as_we_write_it(read(text, record, "sourcedId", at)),
        _as_we_write_it(read(reference, record, "lineItem", at)),
        read(reference, record, "student", at),
        read(_number, record, "score", at),
        read(text, record, "scoreStatus", at),
        read(_date, record, "scoreDate", at),
        _mark(record),
    )


def _held(
    frame: Frame,
    collection: str,
    records: Iterable[Record],
    row_of: Callable[[Record, str, Callable[..., Any]], tuple[Any, ...]],
) -> pd.DataFrame:
    rows, odd = [], list[ContractError]()
    for index, record in enumerate(records):
        if not is_active(record):
            continue
        at = f"{collection}[{index}]"
        try:
            rows.append(row_of(record, at, _strictly))
        except ContractError as error:
            odd.append(error)
            rows.append(row_of(record, at, _leniently))
    if odd:
        log.warning(
            "%d of %d %s are not what OneRoster says, such as %s: %s",
            *(len(odd), len(rows), collection, odd[0].where, odd[0].what),
        )
    return frame.conform(pd.DataFrame(rows, columns=list(frame.columns)))


def _strictly(reader: Callable[..., Any], record: Record, field: str, at: str) -> Any:
    return reader(record, field, at=at)


def _leniently(reader: Callable[..., Any], record: Record, field: str, at: str) -> Any:
    try:
        return reader(record, field, at=at)
    except ContractError:
        return None if reader is _number else ""


def _as_we_write_it(sourced_id: str) -> str:
    """An id; one of ours as it was sent: a SIS that keeps them as GUIDs may answer them in capitals."""
    return sourced_id.lower() if _OURS_IN_CAPITALS.fullmatch(sourced_id) else sourced_id


def _passback_id(record: Record) -> str:
    """Our own id, which went out in the metadata to a SIS that allots ids; empty if it is not there."""
    metadata = record.get("metadata")
    kept = metadata.get("passback") if isinstance(metadata, dict) else None
    return kept if isinstance(kept, str) else ""


def _mark(record: Record) -> str:
    """Late or missing, however the SIS holds it: as a flag of 1.2, or as our own comment."""
    for mark in MARKS:
        if flag(record, mark):
            return mark
    comment = record.get("comment")
    said = comment.strip().lower() if isinstance(comment, str) else ""
    return said if said in MARKS else ""


def _number(record: Record, field: str, *, at: str) -> float | None:
    value = record.get(field)
    if value is None or value == "":
        return None
    try:  # some servers write numbers as text
        return float(value) if not isinstance(value, bool) else float("nan")
    except (TypeError, ValueError, OverflowError):
        raise not_as_agreed(at, field, "is no number") from None


def _date(record: Record, field: str, *, at: str) -> str:
    """The date of a date or an instant: our noons stay on their day in whichever zone a SIS answers them."""
    return text(record, field, at=at)[:_ISO_DATE]
