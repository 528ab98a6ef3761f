"""A learning platform that offers its gradebook as a OneRoster provider, 1.1 or 1.2.

Line items, results and enrollments become records of the feed contract, and from there go the way of every
feed. Everything is read every night: many providers refuse or ignore a filter by `dateLastModified`, and a
result that was taken away shows in none.

A platform that has its roster from the SIS keeps the SIS's ids as sourcedIds; where it has ids of its own,
`metadata.sisId` holds the SIS's.
"""

from __future__ import annotations

import asyncio
import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pandas as pd

from passback.errors import ContractError
from passback.oneroster import Client
from passback.oneroster.held import flag, is_active, not_as_agreed, reference, text
from passback.records import SOURCE_FRAMES
from passback.sis.profile import SisProfile
from passback.sources.canonical import canonical
from passback.sources.otus import FEED  # the contract under its plain names
from passback.sources.pulled import Pull

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import ObjectStoragePath

    from passback.connections import Endpoint

    Record = Mapping[str, Any]

_STATUSES: Final = {
    "fully graded": "graded",
    "exempt": "excused",
    "submitted": "turned_in",
    "partially graded": "turned_in",
    "not submitted": "not_submitted",
}
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)")
_ID: Final = r"[^\x00-\x1f\x7f]{0,200}"


class _LineItem(NamedTuple):
    id: str
    class_id: str
    title: Any
    category_id: str
    points_possible: Any
    assigned_at: str
    due_at: str | None
    modified_at: str
    active: bool


class _Result(NamedTuple):
    assessment_id: str
    student_id: str
    class_id: str
    status: Any
    points: Any
    graded_at: str | None
    modified_at: str
    late: bool | None
    missing: bool | None


async def pull(
    endpoint: Endpoint,
    pages: ObjectStoragePath,  # noqa: ARG001 - pages of offsets cannot be gone on with later
    *,
    since: datetime | None,  # noqa: ARG001 - read whole, as above
    known: pd.DataFrame,  # noqa: ARG001 - read whole, as above
    say: Callable[[str], None],
) -> Pull:
    """Read what a provider holds of a district.

    An enrolled student without a result has not submitted. Records marked `tobedeleted` are left out.

    Raises:
        ContractError: an answer is not what OneRoster says; names record and field, never a value.
        PassbackError: as `Client.collection` does.
    """
    return await _read_all(endpoint, say)


async def count(endpoint: Endpoint) -> dict[str, int]:
    """How much a provider holds, by frame: the connection check reads all of it once.

    Raises:
        PassbackError: as `pull`.
    """
    return dict((await _read_all(endpoint, lambda _: None)).totals)


async def _read_all(endpoint: Endpoint, say: Callable[[str], None]) -> Pull:
    as_of = datetime.now(UTC)
    today = as_of.date().isoformat()
    async with Client(endpoint, _profile(endpoint)) as provider:
        try:
            async with asyncio.TaskGroup() as reads:
                categories = reads.create_task(_read(provider, "categories", _category))
                line_items = reads.create_task(_read(provider, "lineItems", _line_item, deleted_too=True))
                results = reads.create_task(_read(provider, "results", _result))
                classes = reads.create_task(_read(provider, "classes", _class))
                students = reads.create_task(_read(provider, "students", _student, key="users"))
                enrollments = reads.create_task(
                    _read(provider, "enrollments", lambda record, at: _enrollment(record, at, today))
                )
        except ExceptionGroup as failures:  # the first one tells; the others were cancelled for it
            raise failures.exceptions[0] from None
    say(f"{len(results.result()):,} results read, all of them: a provider does not tell what changed")
    listed = pd.DataFrame(line_items.result(), columns=list(_LineItem._fields))
    enrolled = [pair for pair in enrollments.result() if pair]
    items = {
        "assessments": _assessments(listed[listed["active"].astype("bool")], dict(categories.result())),
        "scores": _scores(listed, results.result(), enrolled),
        "classes": pd.DataFrame(classes.result(), columns=["id", "sis_id", "title"]),
        "students": pd.DataFrame(students.result(), columns=["id", "sis_id"]),
    }
    frames = {frame.name: frame.empty() for frame in SOURCE_FRAMES}
    for collection in FEED.collections:
        if collection.name in items:
            rows = items[collection.name].reindex(columns=list(collection.own_names))
            where = f"{endpoint.connection}: {collection.name}"
            frame = canonical(
                collection, rows.astype("object").where(rows.notna(), None), where, statuses={}, say=say
            )
            _check_ids(frame, collection.frame.key, where)
            frames[collection.frame.name] = frame
    totals = {name: len(frames[name]) for name in items}
    return Pull(frames=frames, deleted={}, totals=totals, as_of=as_of, requests=provider.requests)


def _check_ids(frame: pd.DataFrame, key: tuple[str, ...], where: str) -> None:
    for name in key:
        if not frame[name].str.fullmatch(_ID).all():
            raise not_as_agreed(
                where, f"a sourcedId ({name})", "is longer than 200, or holds control characters"
            )


def _profile(endpoint: Endpoint) -> SisProfile:
    """What is known of any provider, before its connection says more (see `Client`)."""
    version = "1.1" if str(endpoint.extra.get("version")) == "1.1" else "1.2"
    scope = f"https://purl.imsglobal.org/spec/or/v{version.replace('.', 'p')}/scope/"
    names = ("roster-core.readonly", "roster.readonly", "gradebook.readonly")
    return SisProfile(
        system="oneroster",
        title="The OneRoster provider",
        oneroster=version,
        base_path="/ims/oneroster/v1p1" if version == "1.1" else "/ims/oneroster/rostering/v1p2",
        gradebook_path="" if version == "1.1" else "/ims/oneroster/gradebook/v1p2",
        token_path="/token",  # noqa: S106 - a path
        scopes=" ".join(scope + name for name in names),
        connections=4,
        requests_per_second=50.0,
        page_size=1000,
        zero_status="",
        confirmations={},
        credential_renewal="the administrator of the learning platform",
    )


# --- Records as they are read ---


async def _read(
    provider: Client,
    collection: str,
    row: Callable[[Record, str], Any],
    *,
    key: str = "",
    deleted_too: bool = False,
) -> list[Any]:
    """Every live record of a collection, each as the row that is kept of it."""
    rows, index = [], 0
    async for record in provider.collection(f"/{collection}", key or collection):
        if deleted_too or is_active(record):
            rows.append(row(record, f"/{collection}: record {index + 1}"))
        index += 1
    return rows


def _category(record: Record, at: str) -> tuple[str, str]:
    return text(record, "sourcedId", at=at), text(record, "title", at=at)


def _line_item(record: Record, at: str) -> _LineItem:
    active = is_active(record)
    assigned = _instant(record, "assignDate", at)
    if assigned is None and active:
        raise not_as_agreed(at, "assignDate", "is missing")
    return _LineItem(
        id=text(record, "sourcedId", at=at),
        class_id=reference(record, "class", at=at, required=active),
        title=record.get("title"),
        category_id=reference(record, "category", at=at),
        points_possible=record.get("resultValueMax"),
        assigned_at=assigned or "",
        due_at=_instant(record, "dueDate", at),
        modified_at=_modified(record, at),
        active=active,
    )


def _result(record: Record, at: str) -> _Result:
    score = record.get("score")
    if isinstance(score, float) and not math.isfinite(score):
        score = str(score)  # JSON has no such number, but some write it
    return _Result(
        assessment_id=reference(record, "lineItem", at=at, required=True),
        student_id=reference(record, "student", at=at, required=True),
        class_id=reference(record, "class", at=at),
        status=_status(record.get("scoreStatus")),
        # A grade of letters stands beside the score; where it stands alone, it is no number.
        points=record.get("textScore") if score is None else score,
        graded_at=_score_date(record),
        modified_at=_modified(record, at),
        late=flag(record, "late"),
        missing=flag(record, "missing"),
    )


def _status(said: object) -> object:
    return _STATUSES.get(said.strip().lower(), f"“{said}”") if isinstance(said, str) else None


def _class(record: Record, at: str) -> tuple[str, str, Any]:
    return text(record, "sourcedId", at=at), _sis_id(record, at), record.get("title")


def _student(record: Record, at: str) -> tuple[str, str]:
    return text(record, "sourcedId", at=at), _sis_id(record, at)


def _sis_id(record: Record, at: str) -> str:
    metadata = record.get("metadata")
    said = text(metadata, "sisId", at=f"{at}.metadata") if isinstance(metadata, dict) else ""
    return said or text(record, "sourcedId", at=at)


def _enrollment(record: Record, at: str, today: str) -> tuple[str, str] | None:
    """Class and student of an enrollment that holds today; its last day does not belong to it."""
    begin, end = (text(record, field, at=at)[:10] for field in ("beginDate", "endDate"))
    if record.get("role") != "student" or (begin and begin > today) or (end and end <= today):
        return None
    return reference(record, "class", at=at, required=True), reference(record, "user", at=at, required=True)


def _modified(record: Record, at: str) -> str:
    modified = _instant(record, "dateLastModified", at)
    if modified is None:
        raise not_as_agreed(at, "dateLastModified", "is missing")
    return modified


def _instant(record: Record, field: str, at: str) -> str | None:
    """An instant as it stands there; a bare date as noon UTC, which is that day in every American zone."""
    said = text(record, field, at=at)
    if not said:
        return None
    if _DAY.fullmatch(said):
        return f"{said}T12:00:00Z"
    if not _INSTANT.fullmatch(said):
        raise not_as_agreed(at, field, "is no ISO 8601 instant with its zone")
    return said


def _score_date(record: Record) -> str | None:
    """As above; what is no date refuses this result alone (see `canonical`)."""
    try:
        return _instant(record, "scoreDate", "")
    except ContractError:
        return "no date"


# --- The same as records of the feed contract ---


def _assessments(line_items: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    return line_items.assign(
        type=line_items["category_id"].map(titles),
        grading_type="points",
        include_in_final_grade=True,
    )


def _scores(
    line_items: pd.DataFrame, results: list[_Result], enrolled: list[tuple[str, str]]
) -> pd.DataFrame:
    """The results of live line items, and a score not submitted for everybody enrolled who has none."""
    live = line_items[line_items["active"].astype("bool")]
    given = pd.DataFrame(results, columns=list(_Result._fields))
    given = given[~given["assessment_id"].isin(line_items.loc[~line_items["active"].astype("bool"), "id"])]
    class_of = live.drop_duplicates("id").set_index("id")["class_id"]
    given = given.assign(class_id=given["assessment_id"].map(class_of).fillna(given["class_id"]))

    roster = pd.DataFrame(enrolled, columns=["class_id", "student_id"]).drop_duplicates()
    tasks = live.drop_duplicates(["id", "class_id"])[["id", "class_id", "modified_at"]]
    due = tasks.merge(roster, on="class_id").rename(columns={"id": "assessment_id"})
    key = ["assessment_id", "class_id", "student_id"]
    there = due[key].merge(given[key].drop_duplicates(), on=key, how="left", indicator=True)
    missing = due[there["_merge"].eq("left_only").to_numpy()].assign(status="not_submitted")
    return pd.concat([given, missing], ignore_index=True)
