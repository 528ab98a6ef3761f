"""A SIS's gradebooks over OneRoster: `passback.gradebook.Gradebook` on a `Client`.

What is new goes out in one of three forms, as the SIS wants it (profile, or `writes` in the connection's
extra): by PUT under our own id, which may be repeated; by PUT without an id; or by POST, the results of a
line item at once (1.2). In the last two the SIS allots ids. Our own id then travels in the metadata, so that
a record whose answer was lost is known again.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self, get_args

from passback.errors import ConfigurationError, ContractError, PermissionRefusedError, UnavailableError
from passback.gradebook import MARK, RESULT_VALUES, GradebookLineItems
from passback.oneroster import v1p1, v1p2
from passback.oneroster.answers import Answer, Decision
from passback.oneroster.client import Client
from passback.oneroster.facts import read_facts, read_line_items
from passback.oneroster.held import HELD_LINE_ITEMS, held_comments, held_results
from passback.oneroster.ids import result_id
from passback.oneroster.patience import Retries
from passback.sis.profile import Deletes, Writes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import date, datetime
    from types import TracebackType

    import pandas as pd

    from passback.connections import Endpoint
    from passback.gradebook import LineItemRow, ResultRow
    from passback.oneroster.limits import Limits
    from passback.oneroster.v1p1 import LineItemValues, ResultValues
    from passback.sis import SisProfile
    from passback.sis.profile import LateAndMissing

_COMMENTS: Final = {"late": "Late", "missing": "Missing"}
_MOST_AT_ONCE: Final = 500  # results in one POST
_NO_SCHOOL: Final = Answer(Decision.REFUSE_ROW, 0, "not sent: the SIS names no school for this class")
_CANNOT_WITHDRAW: Final = Answer(Decision.REFUSE_ROW, 0, "not sent: this SIS lets nothing be taken out")
_NOTHING_HELD: Final = Answer(Decision.DONE, 0, "not sent: the SIS holds none")
_NOT_SUBMITTED: Final = "not submitted"
_GONE: Final = (404, 410)
_NOT_OF_A_ROW: Final = (403, 405, 501)  # a refusal that no row can help
_COMMENT_UNREAD: Final = Answer(
    Decision.RETRY_LATER, 0, "not sent: whether a teacher's comment stands beside it could not be read"
)
_NO_ID: Final = "it was accepted, but no id came back"


class OneRosterGradebook:
    """A SIS's gradebooks over OneRoster.

    Attributes:
        client: Speaks to the SIS.
        writes: How what is new goes out.
        deletes: How a record is taken out.

    Args:
        endpoint: The SIS's connection; its extra may say `writes` and `deletes` otherwise than the profile.
        profile: What is known of this SIS.
        late_and_missing: How marks go out; as the profile says if left out.
        clock: The time now, with its zone.
        limits: What it may be asked; from the profile if left out.
        retries: How long a request is tried again.
        timeout: Seconds a single answer may take.

    Raises:
        ConfigurationError: a setting of the connection is wrong, or marks are to go out in a way that this
            version of OneRoster does not have.
    """

    reads_back_at_once = False

    def __init__(
        self,
        endpoint: Endpoint,
        profile: SisProfile,
        *,
        clock: Callable[[], datetime],
        late_and_missing: LateAndMissing | None = None,
        limits: Limits | None = None,
        retries: Retries = Retries(),
        timeout: float = 60.0,
    ) -> None:
        self.client = Client(endpoint, profile, limits=limits, retries=retries, timeout=timeout)
        self.profile = profile
        self.version = self.client.version
        self.limits = self.client.limits
        self.writes: Writes = _said(endpoint, "writes", profile.writes, get_args(Writes))
        self.deletes: Deletes = _said(endpoint, "deletes", profile.deletes, get_args(Deletes))
        marks = late_and_missing or profile.late_and_missing
        where = f"connection {endpoint.connection}"
        if self.writes == "post" and self.version == "1.1":
            raise ConfigurationError(
                "writes in its extra is 'post', which OneRoster 1.1 does not have.",
                where=where,
                mend="Set it to put or put_without_id, or leave it out.",
            )
        if marks == "flags" and self.version == "1.1":
            raise ConfigurationError(
                f"{profile.title} speaks OneRoster 1.1, which has no fields for late and missing.",
                where=f"{where}, sis.late_and_missing of the mapping file",
                mend="Set it to comment or none, or leave it out.",
            )
        self.repeatable = self.writes == "put"
        self.clears_scores = self.deletes != "no" or self.version != "1.1"
        self.results_by_student = False
        self.results_at_once = _MOST_AT_ONCE if self.writes == "post" else 1
        self.result_values: Sequence[str] = RESULT_VALUES if marks == "none" else (*RESULT_VALUES, MARK)
        self.shows_gradebooks = True
        self._flags = marks == "flags"
        self._comments = _comments(profile) if marks == "comment" else {}
        self._clock = clock
        self._teachers_comments = dict[str, str]()  # by the SIS's id of the result
        self._commented = set[str]()  # line items of which they are known
        self._reading_comments: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def requests(self) -> int:
        """How many requests the SIS has been sent, tokens and repeated ones included."""
        return self.client.requests

    async def __aenter__(self) -> Self:
        """Open the connections' pool."""
        await self.client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        await self.client.__aexit__(kind, error, trace)

    async def facts(self, classes: Collection[str], *, today: date) -> dict[str, pd.DataFrame]:  # noqa: ARG002 - OneRoster lists whole collections
        """The frames of `records.SIS_FRAMES` by name, of all classes; the line items without a row."""
        return await read_facts(self.client, today=today)

    async def line_items(self, classes: Collection[str]) -> GradebookLineItems:
        """What stands in the gradebooks of some classes; all are unreadable where the SIS shows none."""
        read = await read_line_items(self.client, classes)
        if read is None:
            self.shows_gradebooks = False
            return GradebookLineItems(HELD_LINE_ITEMS.empty(), frozenset(classes))
        self.shows_gradebooks = True
        return read

    async def results(self, sis_class_id: str, sis_line_item_id: str) -> pd.DataFrame:
        """What a line item holds, as `held.HELD_RESULTS`."""
        records = await self.client.results_of_line_item(sis_class_id, sis_line_item_id)
        self._commented.add(sis_line_item_id)
        ours = {comment.lower() for comment in self._comments.values()}
        self._teachers_comments |= {
            sis_result_id: comment
            for sis_result_id, comment in held_comments(records).items()
            if comment.strip().lower() not in ours
        }
        return held_results(records)

    async def write_category(self, category_id: str, title: str) -> Answer:
        """Create a category of the whole district."""
        body = v1p1.category(sourced_id=category_id, title=title, modified=self._clock())
        return await self.client.put("category", category_id, body)

    async def write_line_item(self, row: LineItemRow) -> Answer:
        """Create a line item, or replace the one that the SIS holds."""
        body = self._line_item_body(row)
        if isinstance(body, Answer):
            return body
        if self.repeatable or row.sis_line_item_id:
            return await self.client.put("lineItem", body["sourcedId"], body)
        body["metadata"] = {"passback": row.line_item_id}
        answer = await (
            self.client.post_line_items(row.sis_class_id, [body])
            if self.writes == "post"
            else self.client.put_without_id("lineItem", body)
        )
        return _if_allotted(answer, row.line_item_id)

    async def write_results(self, rows: Sequence[ResultRow]) -> Sequence[Answer]:
        """Write results of one line item; those that the SIS allots an id and are new to it at once."""
        if self.writes == "put":
            return [await self._put_result(row) for row in rows]
        answers = dict[int, Answer]()
        for index, row in enumerate(rows):
            if row.sis_result_id:
                answer = await self._put_result(row)
                # What somebody removed there is new again: under an allotted id a PUT creates nothing.
                if answer.decision is not Decision.REFUSE_ROW or answer.status not in _GONE:
                    answers[index] = answer
        new = [index for index in range(len(rows)) if index not in answers]
        sent = await self._write_new([rows[index]._replace(sis_result_id="") for index in new])
        answers |= zip(new, sent, strict=True)
        return [answers[index] for index in range(len(rows))]

    async def withdraw_line_item(self, row: LineItemRow) -> Answer:
        """Take a line item out of the gradebook, as this SIS lets it be done."""
        held_under = row.sis_line_item_id or row.line_item_id
        if self.deletes == "delete":
            return await self.client.delete("lineItem", held_under)
        body = self._line_item_body(row)
        if isinstance(body, Answer):
            return body
        if self.deletes == "no":
            return _CANNOT_WITHDRAW
        return await self.client.put("lineItem", held_under, body | {"status": "tobedeleted"})

    async def withdraw_result(self, row: ResultRow) -> Answer:
        """Clear a student's result as this SIS lets it be done; since 1.2 one may be without a score."""
        held_under = row.sis_result_id or result_id(row.line_item_id, row.sis_student_id)
        if not self.repeatable and not row.sis_result_id:
            return _NOTHING_HELD
        if self.deletes == "delete":
            return await self.client.delete("result", held_under)
        if not self.clears_scores:
            return _CANNOT_WITHDRAW
        day = row.score_date or self._clock().date().isoformat()
        empty = row._replace(score=math.nan, score_status=_NOT_SUBMITTED, score_date=day, mark="")
        body = self._result_body(empty)
        if self.deletes == "tobedeleted":
            body["status"] = "tobedeleted"
        return await self.client.put("result", held_under, body)

    async def _put_result(self, row: ResultRow) -> Answer:
        if not await self._know_comments(row):
            return _COMMENT_UNREAD
        body = self._result_body(row)
        return await self.client.put("result", body["sourcedId"], body)

    async def _know_comments(self, row: ResultRow) -> bool:
        """Whether it is known what a teacher wrote beside a result that was taken over: a PUT replaces it.

        Where ids are ours, a result that has another is such a one. Its line item is read once.
        """
        if not (self.repeatable and row.sis_result_id):
            return True
        held_under = row.sis_line_item_id or row.line_item_id
        async with self._reading_comments[held_under]:
            if held_under not in self._commented:
                try:
                    await self.results(row.sis_class_id, held_under)
                except (ContractError, PermissionRefusedError, UnavailableError):
                    return False
        return True

    async def _write_new(self, rows: Sequence[ResultRow]) -> Sequence[Answer]:
        """Results to which the SIS allots ids; of many that are refused together, each that is in order."""
        if not rows:
            return []
        bodies = []
        for row in rows:
            body = self._result_body(row)
            body["metadata"] = {"passback": body["sourcedId"]}
            bodies.append(body)
        if self.writes == "put_without_id":
            answers = [await self.client.put_without_id("result", body) for body in bodies]
            return [
                _if_allotted(answer, body["sourcedId"]) for answer, body in zip(answers, bodies, strict=True)
            ]
        held_under = rows[0].sis_line_item_id or rows[0].line_item_id
        answer = await self.client.post_results(held_under, bodies)
        if (
            answer.decision is Decision.REFUSE_ROW
            and len(rows) > 1
            and await self._may_be_a_row(answer, rows)
        ):
            return await self._one_by_one(rows)
        return [_if_allotted(answer, body["sourcedId"]) for body in bodies]

    async def _may_be_a_row(self, answer: Answer, rows: Sequence[ResultRow]) -> bool:
        """Whether a refusal of many may be due to some of them, and not to their line item."""
        if answer.status not in _GONE:
            return answer.status not in _NOT_OF_A_ROW
        held, _ = await self.line_items({rows[0].sis_class_id})
        return bool(held["line_item_id"].eq(rows[0].sis_line_item_id or rows[0].line_item_id).any())

    async def _one_by_one(self, rows: Sequence[ResultRow]) -> Sequence[Answer]:
        """Results that were refused together, in halves, so that only what is wrong stays refused.

        The standard knows no partial success, but a server may have stored some before it refused the rest.
        """
        held = await self.results(rows[0].sis_class_id, rows[0].sis_line_item_id or rows[0].line_item_id)
        found = dict(zip(held["sis_student_id"], held["result_id"], strict=True))
        answers = {
            row: await self._put_result(row._replace(sis_result_id=found[row.sis_student_id]))
            for row in rows
            if row.sis_student_id in found
        }
        for row, answer in answers.items():
            ours = result_id(row.line_item_id, row.sis_student_id)
            answers[row] = replace(answer, allotted={ours: found[row.sis_student_id]})
        new = [row for row in rows if row not in answers]
        half = -(-len(new) // 2)
        for part in (new[:half], new[half:]):
            answers |= zip(part, await self._write_new(part), strict=True)
        return [answers[row] for row in rows]

    def _line_item_body(self, row: LineItemRow) -> dict[str, Any] | Answer:
        values: LineItemValues = {
            "sourced_id": row.sis_line_item_id or row.line_item_id,
            "sis_class_id": row.sis_class_id,
            "title": row.title,
            "category_id": row.category_id,
            "period_id": row.period_id,
            "assign_date": row.assign_date,
            "due_date": row.due_date,
            "points_possible": row.points_possible,
            "modified": self._clock(),
            "services": self.client.services,
        }
        if self.version == "1.1":
            return v1p1.line_item(**values)
        return v1p2.line_item(school_id=row.school_id, **values) if row.school_id else _NO_SCHOOL

    def _result_body(self, row: ResultRow) -> dict[str, Any]:
        values: ResultValues = {
            "sourced_id": row.sis_result_id or result_id(row.line_item_id, row.sis_student_id),
            "line_item_id": row.sis_line_item_id or row.line_item_id,
            "sis_student_id": row.sis_student_id,
            "score": None if math.isnan(row.score) else row.score,
            "score_status": row.score_status,
            "score_date": row.score_date,
            # A mark that goes out as a comment needs its place.
            "comment": self._comments.get(row.mark) or self._teachers_comments.get(row.sis_result_id, ""),
            "modified": self._clock(),
            "services": self.client.services,
        }
        if self.version == "1.1":
            return v1p1.result(**values)
        return v1p2.result(mark=row.mark if self._flags else "", **values)


def _said(endpoint: Endpoint, name: str, otherwise: Any, known: tuple[str, ...]) -> Any:
    """A setting of the connection's extra, else the profile's."""
    value = endpoint.extra.get(name, otherwise)
    if value not in known:
        raise ConfigurationError(
            f"{name} in its extra is none of {', '.join(known)}.",
            where=f"connection {endpoint.connection}",
            mend="Leave it out: the SIS's profile knows it.",
        )
    return value


def _comments(profile: SisProfile) -> dict[str, str]:
    """The comment that stands for each mark, where the SIS takes one of that length."""
    longest = profile.comment_limit or math.inf  # 0: not known
    return {mark: comment for mark, comment in _COMMENTS.items() if len(comment) <= longest}


def _if_allotted(answer: Answer, ours: str) -> Answer:
    """The answer to one new record: what was accepted without telling its id is as good as lost."""
    if answer.decision is Decision.VERIFY and not answer.allotted.get(ours):
        return replace(answer, decision=Decision.RETRY_LATER, words=_NO_ID, uncertain=True)
    return answer
