"""Aeries' gradebooks over its native interface: `passback.gradebook.Gradebook`.

Aeries allots the ids of assignments. Ours stands in their ExternalID, so that one whose insertion was not
answered is found again instead of being inserted twice; changes and scores may be repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import replace
from itertools import chain
from math import log2
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import quote

from passback.aeries.assignments import (
    category_code,
    held_assignments,
    inserted,
    not_as_sent,
    updated,
)
from passback.aeries.classes import section_of
from passback.aeries.client import GRADEBOOK_DATA, GRADEBOOK_SCORES, Client, LostReadError, Reply
from passback.aeries.facts import ClassFacts, choose, frames, standing_of, term_under_way
from passback.aeries.records import Assignment, Gradebook, Score, Student, read_record, read_records
from passback.aeries.school_year import belongs_to, database_year
from passback.aeries.scores import compared, held_scores, sent, why_not
from passback.errors import ConfigurationError, ContractError, UnavailableError
from passback.gradebook import GradebookLineItems
from passback.oneroster import Answer, Decision, Limits, Retries
from passback.oneroster.facts import each_or_all

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date
    from types import TracebackType

    import pandas as pd

    from passback.connections import Endpoint
    from passback.gradebook import LineItemRow, ResultRow
    from passback.oneroster.services import Version
    from passback.sis import SisProfile

log = logging.getLogger(__name__)

_BAD_REQUEST: Final = 400
_INSERTIONS: Final = 3  # of one assignment at most, each after it was looked for and not found

_NO_DELETE: Final = Answer(
    Decision.REFUSE_ROW,
    0,
    "not sent: Aeries lets nothing be deleted from outside; delete it in the gradebook",
)
_NOT_LOOKED_UP: Final = Answer(
    Decision.RETRY_LATER, 0, "not sent: its gradebook could not be looked up before, for want of an answer"
)
_NOT_UNDERSTOOD: Final = Answer(
    Decision.REFUSE_ROW, 0, "not sent: what Aeries says of its gradebook is not what it documents"
)
_NOT_OF_THE_SECTION: Final = Answer(
    Decision.REFUSE_ROW, 0, "not sent: the assignment stands in a gradebook that is none of this section's"
)
_NO_CATEGORIES: Final = Answer(
    Decision.REFUSE_ROW, 0, "not sent: Aeries takes no category from outside; add it to the gradebook"
)


class _Found(NamedTuple):
    """A section's gradebooks: those of the school year, and how many of another came back."""

    of_year: Sequence[Gradebook]
    of_other_years: int


class AeriesGradebook:
    """Aeries' gradebooks over its native interface. Used as `async with AeriesGradebook(…) as gradebook:`.

    Attributes:
        profile: What is known of Aeries.
        client: Speaks to Aeries.
        year: The year in which the school year begins that is written into.
        version: 1.1: it holds no flags for late and missing.
        limits: What it may be asked.
        results_at_once: Results of one line item in a batch.
        repeatable: False: Aeries allots ids.
        results_by_student: True: scores are a list by student.
        reads_back_at_once: True: the answer to a batch of scores shows all that the assignment holds. A line
            item is answered VERIFY, because its answer shows what was sent rather than what is stored.
        clears_scores: False.
        shows_gradebooks: True.
        result_values: The score alone: status and date are Aeries' own.

    Args:
        endpoint: Aeries' connection: its password is the certificate (AERIES-CERT); its extra may hold
            `base_path`, if it is another than /api/v5, and `database_year`.
        profile: What is known of Aeries.
        today: The date in the district's zone: it decides on the school year, and which of several gradebooks
            is meant.
        gradebooks: By class, the number of the gradebook that the district chose of several.
        limits: What it may be asked; from the profile if left out.
        retries: How long a request is tried again; as `Retries` says if left out.
        timeout: Seconds a single answer may take.

    Raises:
        ConfigurationError: the connection holds no certificate, no web address or no year.
    """

    version: Version = "1.1"
    results_at_once = 1000
    repeatable = False
    results_by_student = True
    reads_back_at_once = True
    clears_scores = False
    shows_gradebooks = True
    result_values: Sequence[str] = ("score",)

    def __init__(
        self,
        endpoint: Endpoint,
        profile: SisProfile,
        *,
        today: date,
        gradebooks: Mapping[str, int] | None = None,
        limits: Limits | None = None,
        retries: Retries | None = None,
        timeout: float = 60.0,
    ) -> None:
        self.profile = profile
        self.limits = limits or Limits(
            connections=profile.connections, requests_per_second=profile.requests_per_second
        )
        self._today = today
        self._named = gradebooks or {}
        self.year = database_year(endpoint, today=today)
        self._where = f"connection {endpoint.connection}"
        self.client = Client(
            endpoint,
            profile,
            year=self.year,
            limits=self.limits,
            retries=retries or Retries(),
            timeout=timeout,
        )
        self._sections: dict[str, _Found] = {}  # by class
        self._looking_up: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._year_seen = False  # a gradebook of the year that is asked for has come back

    @property
    def requests(self) -> int:
        """How many requests Aeries has been sent, repeated ones included."""
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

    # --- Reading ---

    async def facts(self, classes: Collection[str], *, today: date) -> dict[str, pd.DataFrame]:
        """The frames of `records.SIS_FRAMES` by name; the line items without a row.

        Two requests a class: its gradebooks, and who is in the one that is meant. A class whose id names no
        section is left out; one whose gradebook could not be read, or is of another year, is unreadable.

        Args:
            classes: The classes that the run is about, by the SIS's ids.
            today: The date in the district's zone.

        Raises:
            ConfigurationError: what comes back is of another school year.
            PassbackError: as `Client.read` does; what one gradebook alone refuses only if all do.
        """
        names = [name for name in sorted(set(classes)) if section_of(name)]
        read = await each_or_all([self._class_facts(name, today) for name in names])
        self._refuse_other_year(names)
        known = [found or ClassFacts(name, "unreadable") for name, found in zip(names, read, strict=True)]
        return frames(known, today=today)

    async def line_items(self, classes: Collection[str]) -> GradebookLineItems:
        """What stands in the gradebooks of some classes, as Aeries' UniqueIDs; two requests a class.

        Raises:
            ConfigurationError: what comes back is of another school year.
            PassbackError: as `facts` does.
        """
        names = [name for name in sorted(set(classes)) if section_of(name)]
        read = await each_or_all([self._assignments_of_class(name) for name in names])
        self._refuse_other_year(names)
        unreadable = frozenset(name for name, found in zip(names, read, strict=True) if found is None)
        pairs = zip(names, read, strict=True)
        return GradebookLineItems(
            held_assignments((name, each) for name, found in pairs for each in found or ()), unreadable
        )

    async def results(self, sis_class_id: str, sis_line_item_id: str) -> pd.DataFrame:  # noqa: ARG002 - a UniqueID is the district's
        """What an assignment holds, as `oneroster.held.HELD_RESULTS`; nothing if it is gone.

        Of what passback writes it holds the score alone: status and date are Aeries' own.

        Raises:
            PassbackError: as `Client.read` does.
        """
        path = f"{_assignment(sis_line_item_id)}/scores"
        content = await self.client.read(path, area=GRADEBOOK_SCORES)
        scores = self._records(Score, content, "GET", path)
        return held_scores(sis_line_item_id, scores)

    # --- Writing ---

    async def write_category(self, category_id: str, title: str) -> Answer:  # noqa: ARG002 - a Gradebook's
        """REFUSE_ROW: Aeries takes no category from outside."""
        return _NO_CATEGORIES

    async def write_line_item(self, row: LineItemRow) -> Answer:
        """Insert an assignment, or change the one that Aeries holds, which keeps what its teacher wrote.

        Returns:
            VERIFY with Aeries' id; REFUSE_ROW, also with an id where it stands in the gradebook with another
            category or without points; RETRY_LATER: it may or may not have reached Aeries.

        Raises:
            ConfigurationError: the gradebook that comes back is of another school year.
            PassbackError: as `Client.write` does.
        """
        try:
            return await self._write_line_item(row)
        except LostReadError:
            return _NOT_LOOKED_UP
        except ContractError:
            return _NOT_UNDERSTOOD

    async def _write_line_item(self, row: LineItemRow) -> Answer:
        if row.sis_line_item_id:
            return await self._update(row)
        gradebook = await self._gradebook_for(row.sis_class_id)
        if isinstance(gradebook, Answer):
            return gradebook
        code = category_code(gradebook, row.category_id)
        return await self._insert(row, code, gradebook) if code else _no_category(row, gradebook)

    async def write_results(self, rows: Sequence[ResultRow]) -> Sequence[Answer]:
        """Write the scores of one assignment; the answer shows what is stored.

        A batch that Aeries refuses for one student's sake is sent again without that student.

        Returns:
            An answer each: DONE (seen stored); VERIFY (accepted, but seen otherwise); REFUSE_ROW, also for
            what Aeries' interface cannot hold; RETRY_LATER: it may or may not have reached Aeries.

        Raises:
            ConfigurationError: the gradebook that comes back is of another school year.
            PassbackError: as `Client.write` does.
        """
        reasons = {index: why_not(row) for index, row in enumerate(rows)}
        answers = {index: Answer(Decision.REFUSE_ROW, 0, words) for index, words in reasons.items() if words}
        sendable = {index: row for index, row in enumerate(rows) if index not in answers}
        if sendable:
            first = next(iter(sendable.values()))
            if (refused := await self._why_no_scores(first)) is not None:
                answers |= dict.fromkeys(sendable, refused)
            else:
                answers |= await self._send_scores(_assignment(first.sis_line_item_id), sendable)
        return [answers[index] for index in range(len(rows))]

    async def withdraw_line_item(self, row: LineItemRow) -> Answer:  # noqa: ARG002 - a Gradebook's
        """REFUSE_ROW: Aeries lets nothing be deleted."""
        return _NO_DELETE

    async def withdraw_result(self, row: ResultRow) -> Answer:  # noqa: ARG002 - a Gradebook's
        """REFUSE_ROW: Aeries lets nothing be deleted."""
        return _NO_DELETE

    # --- A section's gradebooks ---

    async def _class_facts(self, sis_class_id: str, today: date) -> ClassFacts:
        found = await self._look_up(sis_class_id)
        if not found.of_year and found.of_other_years:
            return ClassFacts(sis_class_id, "unreadable")
        gradebook = self._choose(sis_class_id, found)
        students: Sequence[Student] = ()
        if gradebook is not None:
            term = quote(term_under_way(gradebook, today=today).code, safe="")
            path = f"/gradebooks/{gradebook.gradebook_number}/{term}/students"
            content = await self.client.read(path, area=GRADEBOOK_DATA)
            students = self._records(Student, content, "GET", path)
        standing = standing_of(found.of_year, gradebook)
        return ClassFacts(sis_class_id, standing, found.of_year, gradebook, students)

    def _choose(self, sis_class_id: str, found: _Found) -> Gradebook | None:
        return choose(found.of_year, named=self._named.get(sis_class_id), today=self._today)

    async def _look_up(self, sis_class_id: str) -> _Found:
        """The gradebooks of a section; asked once."""
        async with self._looking_up[sis_class_id]:
            if sis_class_id not in self._sections:
                section = section_of(sis_class_id)
                if section is None:
                    return _Found((), 0)
                path = f"/schools/{section.school_code}/sections/{section.section_number}/gradebooks"
                content = await self.client.read(path, area=GRADEBOOK_DATA)
                found = self._records(Gradebook, content, "GET", path)
                of_year = [each for each in found if belongs_to(each, self.year)]
                self._year_seen = self._year_seen or bool(of_year)
                self._sections[sis_class_id] = _Found(of_year, len(found) - len(of_year))
            return self._sections[sis_class_id]

    def _refuse_other_year(self, classes: Collection[str]) -> None:
        """Refuse to go on where gradebooks came back, and none of the year that was asked for.

        Raises:
            ConfigurationError: so it is.
        """
        known = [self._sections[name] for name in classes if name in self._sections]
        if self._year_seen or not any(found.of_other_years for found in known):
            return
        raise ConfigurationError(
            f"{self.profile.title} was asked for the school year that begins in {self.year}, and answers"
            " with gradebooks of another one: it does not know this year, and took its default year instead.",
            where=f"{self._where}, DatabaseYear {self.year}",
            mend="Set database_year in the connection's extra to the year in which the school year begins, or"
            " wait until Aeries has the new one.",
        )

    async def _gradebook_for(self, sis_class_id: str) -> Gradebook | Answer:
        """The gradebook that a class's line items go into, or why there is none."""
        found = await self._look_up(sis_class_id)
        self._refuse_other_year([sis_class_id])
        gradebook = self._choose(sis_class_id, found)
        if gradebook is not None:
            return gradebook
        if found.of_year:
            words = "not sent: the section and its gradebook are not one to one, so that there is no choosing"
        elif found.of_other_years:
            words = f"not sent: the dates of its gradebook lie outside of the school year {self.year}"
        else:
            words = "not sent: this section has no gradebook"
        return Answer(Decision.REFUSE_ROW, 0, words)

    # --- Assignments ---

    async def _assignments_of_class(self, sis_class_id: str) -> Sequence[Assignment] | None:
        """What stands in the gradebooks of a class; None where they are of another year.

        Where one is meant, what teachers wrote into the others is another subject's, or another term's; ours
        may stand there from the time when that one was meant.
        """
        found = await self._look_up(sis_class_id)
        if not found.of_year and found.of_other_years:
            return None
        meant = self._choose(sis_class_id, found)
        numbers = [gradebook.gradebook_number for gradebook in found.of_year]
        read = await asyncio.gather(*map(self._assignments, numbers))
        return [
            each
            for number, standing in zip(numbers, read, strict=True)
            for each in standing
            if meant is None or number == meant.gradebook_number or each.external_id
        ]

    async def _assignments(self, gradebook_number: int) -> Sequence[Assignment]:
        path = f"/gradebooks/{gradebook_number}/assignments"
        content = await self.client.read(path, area=GRADEBOOK_DATA)
        return self._records(Assignment, content, "GET", path)

    async def _insert(self, row: LineItemRow, code: str, gradebook: Gradebook) -> Answer:
        """Insert an assignment once: where the answer is lost it is looked for before it is sent again."""
        path = f"/gradebooks/{gradebook.gradebook_number}/Assignments"
        for _ in range(_INSERTIONS):
            reply = await self.client.write(
                "POST", path, inserted(row, code), area=GRADEBOOK_DATA, repeatable=False
            )
            answer = reply.answer
            if answer.decision is Decision.REFUSE_ROW or (
                answer.decision is Decision.RETRY_LATER and not answer.uncertain
            ):
                return answer
            held = self._ours_in(reply, row, gradebook)
            if held is None:
                standing = await self._standing(gradebook)
                held = next((each for each in standing or () if each.external_id == row.line_item_id), None)
                if standing is None:  # it may stand there, and cannot be looked for now
                    return answer
            if held is not None:
                return _judged(held, row, code, status=answer.status)
            if answer.decision is Decision.VERIFY:
                return replace(answer, words="accepted, but the gradebook does not hold it")
            if answer.timed_out:  # Aeries may be storing it still
                return answer
        return answer

    async def _standing(self, gradebook: Gradebook) -> Sequence[Assignment] | None:
        """What stands in a gradebook; None where it cannot be read now."""
        try:
            return await self._assignments(gradebook.gradebook_number)
        except (ContractError, UnavailableError) as failure:
            log.warning("an insertion without an answer could not be looked for: %s", failure)
            return None

    async def _update(self, row: LineItemRow) -> Answer:
        found = await self._look_up(row.sis_class_id)
        self._refuse_other_year([row.sis_class_id])
        path = _assignment(row.sis_line_item_id)
        content = await self.client.read(path, area=GRADEBOOK_DATA)
        if content is None:
            return Answer(Decision.REFUSE_ROW, 404, "the assignment is no longer in the gradebook")
        held = read_record(Assignment, content, where=self.client.where("GET", path))
        number = held.number_of_gradebook
        gradebook = next((each for each in found.of_year if each.gradebook_number == number), None)
        if gradebook is None:
            return _NOT_OF_THE_SECTION
        code = category_code(gradebook, row.category_id)  # codes are each gradebook's own
        if not code:
            return _no_category(row, gradebook)
        body = updated(row, code, held)
        reply = await self.client.write("PUT", path, body, area=GRADEBOOK_DATA, repeatable=True)
        if reply.answer.decision is not Decision.VERIFY:
            return reply.answer
        stored = [each for each in self._answered(reply) if each.unique_id == held.unique_id]
        if not stored:
            return replace(reply.answer, allotted={row.line_item_id: row.sis_line_item_id})
        return _judged(stored[0], row, code, status=reply.answer.status)

    def _ours_in(self, reply: Reply, row: LineItemRow, gradebook: Gradebook) -> Assignment | None:
        """The assignment that an insertion made, of all that it answers with."""
        made = [each for each in self._answered(reply) if each.external_id == row.line_item_id]
        if len(made) > 1:
            log.warning(
                "gradebook %d: Aeries inserted an assignment in %d gradebooks, though it was asked for one",
                *(gradebook.gradebook_number, len(made)),
            )
        return made[0] if len(made) == 1 else None

    def _answered(self, reply: Reply) -> Sequence[Assignment]:
        """The assignments that the answer to a write shows; none where it is not as documented."""
        try:
            return read_records(Assignment, reply.content, where=self._where)
        except ContractError:
            return ()

    # --- Scores ---

    async def _why_no_scores(self, row: ResultRow) -> Answer | None:
        """Why no score of an assignment can go out; no score goes to a year that was not checked."""
        if not row.sis_line_item_id:
            return Answer(Decision.REFUSE_ROW, 0, "not sent: it is not known under which id Aeries holds it")
        if self._year_seen:
            return None
        try:
            gradebook = await self._gradebook_for(row.sis_class_id)
        except LostReadError:
            return _NOT_LOOKED_UP
        except ContractError:
            return _NOT_UNDERSTOOD
        return gradebook if isinstance(gradebook, Answer) and not self._year_seen else None

    async def _send_scores(self, path: str, rows: Mapping[int, ResultRow]) -> dict[int, Answer]:
        """Send a batch; where Aeries refuses it, its halves, until those for whose sake are found.

        A batch is stored whole or not at all, and may be repeated. A refusal that is about none of them but
        about all is met in each half again: after enough refusals in a row, the rest is not tried.
        """
        answers: dict[int, Answer] = {}
        waiting = [list(rows)]
        refusals_in_a_row, enough = 0, 2 * int(log2(len(rows))) + 3
        while waiting:
            batch = waiting.pop()
            reply = await self.client.write(
                "POST",
                f"{path}/Scores",
                [sent(rows[index]) for index in batch],
                area=GRADEBOOK_SCORES,
                repeatable=True,
            )
            answer = reply.answer
            if answer.decision is Decision.VERIFY:
                refusals_in_a_row = 0
                answers |= self._stored({index: rows[index] for index in batch}, reply)
                continue
            refusals_in_a_row += 1
            splits = answer.status == _BAD_REQUEST and len(batch) > 1 and refusals_in_a_row < enough
            if not splits:
                answers |= dict.fromkeys(batch, answer)
                if refusals_in_a_row >= enough:
                    answers |= dict.fromkeys(chain.from_iterable(waiting), answer)
                    break
                continue
            middle = len(batch) // 2
            waiting += [batch[middle:], batch[:middle]]
        return answers

    def _stored(self, rows: Mapping[int, ResultRow], reply: Reply) -> dict[int, Answer]:
        """What became of each score of a batch that was accepted."""
        try:
            scores = read_records(Score, reply.content, where=self._where)
        except ContractError:  # reading back settles it
            return dict.fromkeys(rows, reply.answer)
        held = {score.student_id: score for score in scores}
        return {index: compared(row, held) for index, row in rows.items()}

    # --- Answers ---

    def _records(self, kind: type[Any], content: Any, method: str, path: str) -> Sequence[Any]:
        """The records of a list; none where there is no such list (404)."""
        if content is None:
            return ()
        return read_records(kind, content, where=self.client.where(method, path))


def _no_category(row: LineItemRow, gradebook: Gradebook) -> Answer:
    names = ", ".join(found.description for found in gradebook.assignment_categories)
    words = (
        f"not sent: the gradebook has no category, or several, called {row.category_id!r}; it has: {names}"
    )
    return Answer(Decision.REFUSE_ROW, 0, words[:300])


def _judged(held: Assignment, row: LineItemRow, code: str, *, status: int) -> Answer:
    """What became of a line item, by the assignment that Aeries shows."""
    words = not_as_sent(held, code, row.points_possible)
    decision = Decision.REFUSE_ROW if words else Decision.VERIFY
    return Answer(decision, status, words, allotted={row.line_item_id: held.unique_id})


def _assignment(unique_id: str) -> str:
    return f"/gradebooks/assignments/{quote(unique_id, safe='')}"
