"""The feed contract: what a source that has no API of its own hands over, as JSON pages or CSV files.

`include/sandbox/README.md` documents it for those who write a feed. Here it is as types: a page that does
not fit is refused with the path of the field, never with its value.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import pandas as pd

from passback.errors import ContractError
from passback.records import ASSESSMENTS, CLASSES, MEMBERSHIPS, SCORES, STAFF, STUDENTS, Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

Id = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Instant = Annotated[
    str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$")
]
# A number that stands as text is not refused here: it becomes that score's reason, not the page's failure.
Number = float | str | None

STATUSES: Final = ("graded", "turned_in", "not_submitted", "excluded")


class Assessment(msgspec.Struct):
    """An assessment as it was assigned to one class."""

    id: Id
    class_id: Id
    title: str | None
    type: str | None
    grading_type: str | None
    points_possible: Number
    include_in_final_grade: bool | None
    assigned_by: str | None
    assigned_at: Instant
    due_at: Instant | None
    modified_at: Instant


class Score(msgspec.Struct):
    """What one student has on one assessment of one class."""

    assessment_id: Id
    class_id: Id
    student_id: Id
    status: str
    points: Number
    submitted_at: Instant | None
    graded_at: Instant | None
    modified_at: Instant


class Class(msgspec.Struct):
    """A class and the id the SIS knows it by."""

    id: Id
    sis_id: str | None
    title: str | None


class Student(msgspec.Struct):
    """A student and the id the SIS knows them by."""

    id: Id
    sis_id: str | None


class Staff(msgspec.Struct):
    """Somebody who may assign; without a SIS id, not synced from the SIS."""

    id: Id
    sis_id: str | None


class GroupMember(msgspec.Struct):
    """One stay in the passback teacher group."""

    staff_id: Id
    joined_at: Instant
    left_at: Instant | None


class Collection(msgspec.Struct, frozen=True):
    """A collection of the feed: its name, the type of its records, the fields that identify one."""

    name: str
    record: type[msgspec.Struct]
    key: tuple[str, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of a record's fields, which are also the columns of the CSV form."""
        return self.record.__struct_fields__


ASSESSMENT_COLLECTION: Final = Collection("assessments", Assessment, ("id", "class_id"))
SCORE_COLLECTION: Final = Collection("scores", Score, ("assessment_id", "class_id", "student_id"))
COLLECTIONS: Final = (
    ASSESSMENT_COLLECTION,
    SCORE_COLLECTION,
    Collection("classes", Class, ("id",)),
    Collection("students", Student, ("id",)),
    Collection("staff", Staff, ("id",)),
    Collection("group-members", GroupMember, ("staff_id", "joined_at")),
)


class _Envelope(msgspec.Struct):
    as_of: Instant
    total: Annotated[int, msgspec.Meta(ge=0)]
    items: msgspec.Raw
    next: str | None


class Page(msgspec.Struct):
    """One page of a collection, checked.

    Attributes:
        as_of: The feed's clock when the listing began, UTC.
        total: Live records of the whole collection.
        items: The live records of this page, one column a field.
        deleted: The keys of records deleted since the time asked for.
        next: The cursor of the next page; None on the last.
    """

    as_of: datetime
    total: int
    items: pd.DataFrame
    deleted: pd.DataFrame
    next: str | None


def read_page(collection: Collection, content: bytes, where: str) -> Page:
    """Check one page of a collection and make it columnar.

    Args:
        collection: What the page is a page of.
        content: The body of the answer.
        where: What to call the page in an error.

    Raises:
        ContractError: the page is not what the contract says; names the field, never its value.
    """
    try:
        envelope = msgspec.json.decode(content, type=_Envelope)
        try:
            # The common case: nothing deleted, the whole page is checked in one go.
            msgspec.json.decode(envelope.items, type=list[collection.record])  # type: ignore[name-defined]
            live, gone = msgspec.json.decode(envelope.items), []
        except msgspec.ValidationError:
            records = msgspec.json.decode(envelope.items, type=list[dict[str, object]])
            gone = [record for record in records if record.get("deleted") is True]
            if not gone:
                raise
            live = [record for record in records if record.get("deleted") is not True]
            msgspec.convert(live, type=list[collection.record])  # type: ignore[name-defined]
            _check_keys(gone, collection)
    except msgspec.ValidationError as error:
        raise ContractError(
            f"a record is not what the feed contract says: {_without_values(str(error))}",
            where=where,
            mend="Ask the vendor of the feed to mend the field; include/sandbox/README.md has the contract.",
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ContractError(
            "the answer is " + ("a web page, not JSON" if _is_html(content) else "not JSON"),
            where=where,
            mend="Look at the connection's address; a login page here means that the token is not known.",
        ) from None
    return Page(
        as_of=_as_of(envelope.as_of, where),
        total=envelope.total,
        items=pd.DataFrame.from_records(live, columns=list(collection.fields)),
        deleted=pd.DataFrame.from_records(gone, columns=list(collection.key)),
        next=envelope.next,
    )


def _as_of(text: str, where: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ContractError(
            "the page has an instant that does not exist",
            where=f"{where}, field as_of",
            mend="Ask the vendor of the feed to send its clock as an ISO 8601 instant with its zone.",
        ) from None


def _check_keys(gone: Sequence[dict[str, object]], collection: Collection) -> None:
    keys = [{name: record.get(name) for name in collection.key} for record in gone]
    msgspec.convert(keys, type=list[dict[str, Id]])


def _without_values(message: str) -> str:
    """A validation message says the kind and the path of a field; what it quotes of the value goes."""
    return re.sub(r"'[^']*'(?! object)", "…", message)


def _is_html(content: bytes) -> bool:
    return content[:1000].lstrip().lower().startswith((b"<!doctype", b"<html", b"<"))


# --- From the contract's records to the canonical frames ---


def canonical(collection: str, items: pd.DataFrame, where: str) -> pd.DataFrame:
    """The canonical frame of a collection's checked records.

    Args:
        collection: The collection's name.
        items: One column a field of the contract.
        where: What to call the collection in an error.

    Raises:
        ContractError: an instant is not a real one, or a status is unknown.
    """
    match collection:
        case "assessments":
            return _assessments(items, where)
        case "scores":
            return _scores(items, where)
        case "classes":
            return _rename(items, CLASSES, {"id": "class_id", "sis_id": "sis_class_id"})
        case "students":
            return _rename(items, STUDENTS, {"id": "student_id", "sis_id": "sis_student_id"})
        case "staff":
            return _rename(items, STAFF, {"id": "staff_id", "sis_id": "sis_staff_id"})
        case _:
            stays = items.assign(
                joined_at=_instant(items, "joined_at", where), left_at=_instant(items, "left_at", where)
            )
            return MEMBERSHIPS.conform(stays)


def _rename(items: pd.DataFrame, frame: Frame, names: dict[str, str]) -> pd.DataFrame:
    return frame.conform(items.rename(columns=names).fillna(""))


def _assessments(items: pd.DataFrame, where: str) -> pd.DataFrame:
    points, _ = _numbers(items["points_possible"])
    return ASSESSMENTS.conform(
        items.assign(
            assessment_id=items["id"],
            title=_title(items["title"]),
            type=_text(items["type"]),
            grading_type=_text(items["grading_type"]),
            points_possible=points,
            include_in_final_grade=items["include_in_final_grade"].eq(True),  # noqa: FBT003 - null is no
            assigner_id=_text(items["assigned_by"]),
            assigned_at=_instant(items, "assigned_at", where),
            due_at=_instant(items, "due_at", where),
            modified_at=_instant(items, "modified_at", where),
        )
    )


def _scores(items: pd.DataFrame, where: str) -> pd.DataFrame:
    unknown = ~items["status"].isin(STATUSES)
    if unknown.any():
        raise ContractError(
            f"{int(unknown.sum())} records have a status that the feed contract does not know"
            f" (the first is record {int(unknown.to_numpy().argmax()) + 1})",
            where=f"{where}, field status",
            mend=f"Ask the vendor of the feed to send one of: {', '.join(STATUSES)}.",
        )
    points, text = _numbers(items["points"])
    graded = _instant(items, "graded_at", where)
    return SCORES.conform(
        items.assign(
            points=points,
            points_text=text,
            scored_at=graded.fillna(_instant(items, "submitted_at", where)),
            modified_at=_instant(items, "modified_at", where),
        )
    )


def _title(column: pd.Series) -> pd.Series:
    """Trimmed, with control characters read as spaces: no gradebook can show them, and PostgreSQL no NUL."""
    return _text(column).str.replace(r"[\x00-\x1f\x7f]+", " ", regex=True).str.strip()


def _text(column: pd.Series) -> pd.Series:
    return column.astype("str").where(column.notna(), "")


def _numbers(column: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Finite numbers (else null), and the text that stood where there was something else."""
    if pd.api.types.is_numeric_dtype(column):
        text = pd.Series(index=column.index, dtype="object")
    else:  # pandas cannot tell text from numbers in a column that holds both without looking at each
        text = column.where(column.map(lambda value: isinstance(value, str)).astype("bool"))
    numbers = pd.to_numeric(column.mask(text.notna()), errors="coerce").astype("float64")
    finite = numbers.where(numbers.abs() < float("inf"))
    not_finite = numbers.notna() & finite.isna()
    return finite, _text(text).mask(not_finite, "infinite")


def _instant(items: pd.DataFrame, field: str, where: str) -> pd.Series:
    column = items[field]
    instants = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce").astype(
        "datetime64[us, UTC]"
    )
    wrong = instants.isna() & column.notna()
    if wrong.any():
        raise ContractError(
            f"{int(wrong.sum())} records have an instant that does not exist"
            f" (the first is record {int(wrong.to_numpy().argmax()) + 1})",
            where=f"{where}, field {field}",
            mend="Ask the vendor of the feed to send ISO 8601 instants with their zone.",
        )
    return instants
