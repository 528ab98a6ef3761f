"""The feed contract: what a source that has no API of its own hands over, as JSON pages or CSV files.

`include/sandbox/README.md` documents it for those who write a feed. Here it is as types: a page that does
not fit is refused with the path of the field, never with its value. What a value says is judged later and
one by one (see `canonical`), so that a wrong score stops nothing but itself.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import pandas as pd

from passback.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from passback.records import Frame

LONGEST_TEXT: Final = 1000  # characters; no gradebook takes as many, so that what is cut never passes
_USUAL_RECORD: Final = 5000  # bytes; where records are longer on average, texts are cut

Id = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
# An instant in another form, or without a zone, is the whole export's fault; one that does not exist
# (30 February) may be a single record's.
Instant = Annotated[
    str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$")
]
Number = Any  # text too: it becomes that record's reason, not the page's failure
Text = Any


class Assessment(msgspec.Struct):
    """An assessment as it was assigned to one class; null or absent flags at the end: not said."""

    id: Id
    class_id: Id
    title: Text
    type: Text
    grading_type: Text
    points_possible: Number
    include_in_final_grade: bool | None
    assigned_by: Text
    assigned_at: Instant
    due_at: Instant | None
    modified_at: Instant
    sync: bool | None = None
    course_published: bool | None = None
    published: bool | None = None
    whole_section: bool | None = None
    due_uniform: bool | None = None


class Score(msgspec.Struct):
    """What one student has on one assessment of one class."""

    assessment_id: Id
    class_id: Id
    student_id: Id
    status: Text
    points: Number
    submitted_at: Instant | None
    graded_at: Instant | None
    modified_at: Instant
    late: bool | None = None
    missing: bool | None = None


class Class(msgspec.Struct):
    """A class and the id the SIS knows it by."""

    id: Id
    sis_id: str | None
    title: Text


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


def under_own_names(
    record: type[msgspec.Struct], names: Mapping[str, str], absent: Mapping[str, Any] | None = None
) -> type[msgspec.Struct]:
    """A record of the contract as a platform names its fields.

    Args:
        record: The record of the contract.
        names: The platform's name of a field, by the contract's.
        absent: What counts for fields that the platform does not have.
    """
    said = absent or {}
    fields: list[tuple[str, Any, Any]] = []
    for each in sorted(
        msgspec.structs.fields(record), key=lambda each: not each.required or each.name in said
    ):
        default = said.get(each.name, each.default)
        fields.append((each.name, each.type, msgspec.field(default=default)))
    return msgspec.defstruct(record.__name__, fields, rename=dict(names))


@dataclass(frozen=True)
class Collection:
    """A collection of a feed.

    Attributes:
        name: What the feed calls it, in its addresses and as the name of its file.
        frame: The canonical frame that it becomes.
        record: The type of its records.
        key: The contract's names of the fields that identify a record.
    """

    name: str
    frame: Frame
    record: type[msgspec.Struct]
    key: tuple[str, ...]

    @property
    def own_names(self) -> dict[str, str]:
        """The feed's name of each field, which is also its column in a CSV file, by the contract's."""
        return {each.name: each.encode_name for each in msgspec.structs.fields(self.record)}

    @property
    def defaults(self) -> dict[str, Any]:
        """What counts for a field that may be left out, by the contract's names."""
        return {each.name: each.default for each in msgspec.structs.fields(self.record) if not each.required}


@dataclass(frozen=True)
class Feed:
    """A platform's feed: the contract under its own names.

    Attributes:
        base_path: Where it is served, unless the connection says `base_path`.
        collections: What it holds; a canonical frame that none of them becomes is empty.
        statuses: The contract's name of a score's status, by the feed's, where they differ.
    """

    base_path: str
    collections: tuple[Collection, ...]
    statuses: Mapping[str, str] = field(default_factory=dict)


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
        items: The live records of this page, one column a field, by the contract's names.
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
        try:
            return _decoded(collection, content, where)
        except (msgspec.DecodeError, UnicodeDecodeError):  # also what does not fit the contract
            return _decoded(collection, as_strict_json(content), where)
    except msgspec.ValidationError as error:
        raise ContractError(
            f"a record is not what the feed contract says: {without_values(str(error))}",
            where=where,
            mend="Ask the vendor of the feed to mend the field; include/sandbox/README.md has the contract.",
        ) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise ContractError(
            "the answer is " + ("a web page, not JSON" if is_html(content) else "not JSON"),
            where=where,
            mend="Look at the connection's address; a login page here means that the token is not known.",
        ) from None


def _decoded(collection: Collection, content: bytes, where: str) -> Page:
    envelope = msgspec.json.decode(content, type=_Envelope)
    records: type[list[msgspec.Struct]] = list[collection.record]  # type: ignore[name-defined]
    gone: list[dict[str, Any]] = []
    if b'"deleted"' in content:
        both = msgspec.json.decode(envelope.items, type=list[dict[str, Any]])
        gone = [record for record in both if record.get("deleted") is True]
        live = msgspec.convert([record for record in both if record.get("deleted") is not True], type=records)
    else:
        live = msgspec.json.decode(envelope.items, type=records)
    items = pd.DataFrame.from_records(
        list(map(msgspec.structs.astuple, live)), columns=list(collection.own_names)
    )
    if len(content) > _USUAL_RECORD * (len(items) + 1):
        items = _cut(items)
    return Page(
        as_of=_as_of(envelope.as_of, where),
        total=envelope.total,
        items=items,
        deleted=_keys(gone, collection),
        next=envelope.next,
    )


def _cut(items: pd.DataFrame) -> pd.DataFrame:
    """The records with their texts cut to what is ever looked at, so that nobody carries megabytes along."""
    return items.map(lambda value: value[: LONGEST_TEXT + 1] if isinstance(value, str) else value)


def as_strict_json(content: bytes) -> bytes:
    """JSON as the standard has it, of what many libraries write: numbers that are none stand as text.

    Half of a surrogate pair, which no text can hold, stands as its number.
    """

    def number(text: str) -> float | str:
        value = float(text)
        return value if math.isfinite(value) else text

    def whole(text: str) -> int | float | str:
        return int(text) if len(text) <= len(str(2**53)) else number(text)

    records = json.loads(content, parse_constant=str, parse_float=number, parse_int=whole)
    return json.dumps(records, ensure_ascii=False).encode("utf-8", "xmlcharrefreplace")


def _as_of(text: str, where: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ContractError(
            "the page has an instant that does not exist",
            where=f"{where}, field as_of",
            mend="Ask the vendor of the feed to send its clock as an ISO 8601 instant with its zone.",
        ) from None


def _keys(gone: Sequence[dict[str, Any]], collection: Collection) -> pd.DataFrame:
    own_names = collection.own_names
    keys = [{name: record.get(own_names[name]) for name in collection.key} for record in gone]
    msgspec.convert(keys, type=list[dict[str, Id]])
    return pd.DataFrame.from_records(keys, columns=list(collection.key))


def without_values(message: str) -> str:
    """A validation message says the kind and the path of a field; what it quotes of the value goes."""
    return re.sub(r"'[^']*'(?! object)", "…", message)


def is_html(content: bytes) -> bool:
    """Whether an answer is a web page, such as that of a login."""
    return content[:1000].lstrip().lower().startswith((b"<!doctype", b"<html", b"<"))
