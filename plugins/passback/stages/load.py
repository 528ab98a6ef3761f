"""load-to-sis: write the plan into the SIS, with the ledger around every write.

Intent is committed before a row's request goes out and the answer after it, both in batches, while other
rows are under way. Ids are derived and writes are PUT: whatever kills this, running it again ends the same.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from passback import ledger
from passback.errors import ConfigurationError
from passback.oneroster import Answer, Decision, result_id, v1p1, v1p2
from passback.records import INSTANT, LINE_ITEM_PLAN, RESULT_PLAN, TEXT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from passback.oneroster import Client
    from passback.oneroster.client import Kind
    from passback.oneroster.v1p1 import LineItemValues, ResultValues
    from passback.records import Frame
    from passback.sis import SisProfile
    from passback.sis.profile import LateAndMissing

    Key = tuple[str, ...]
    Body = dict[str, Any] | Answer  # what goes out, or why nothing can
    Writer = Callable[[pd.DataFrame], Awaitable[None]]

_BATCH: Final = 500  # rows whose intent is committed at once
_EVERY: Final = 2.0  # seconds after which answers are written and progress is told at the latest
_HELD: Final = ("accepted", "confirmed")
_STATES: Final = {Decision.VERIFY: "accepted", Decision.REFUSE_ROW: "refused"}
_COMMENTS: Final = {"late": "Late", "missing": "Missing"}
_NO_SCHOOL: Final = Answer(Decision.REFUSE_ROW, 0, "not sent: the SIS names no school for this class")
_FRAME_OF: Final[dict[Kind, Frame]] = {"lineItem": LINE_ITEM_PLAN, "result": RESULT_PLAN}
_KEY_OF: Final[dict[Kind, Callable[[Any], Key]]] = {
    "lineItem": lambda row: (row.line_item_id,),
    "result": lambda row: (row.line_item_id, row.sis_student_id),
}


@dataclass(frozen=True)
class LoadCounts:
    """How far a load has come.

    Attributes:
        line_items_written: Line items the SIS accepted.
        results_written: Results the SIS accepted.
        skipped: Rows that this very run had written before; they were not sent again.
        untried: Results whose line item did not arrive.
        refused: Rows the SIS refused.
        lost: Rows that may or may not have reached the SIS; the next run sends them again.
        requests: Requests sent to the SIS, tokens and repeated ones included.
    """

    line_items_written: int = 0
    results_written: int = 0
    skipped: int = 0
    untried: int = 0
    refused: int = 0
    lost: int = 0
    requests: int = 0


async def load(
    connection: ledger.Connection,
    sis: Client,
    *,
    district: str,
    run_id: int,
    line_items: pd.DataFrame,
    results: pd.DataFrame,
    known_line_items: pd.DataFrame,
    known_results: pd.DataFrame,
    kept_categories: Mapping[str, str],
    schools: Mapping[str, str],
    late_and_missing: LateAndMissing,
    clock: Callable[[], datetime],
    progress: Callable[[LoadCounts], None],
) -> LoadCounts:
    """Write line items, then results; one that is refused or lost never stops the others.

    Args:
        connection: The ledger; nobody else uses it meanwhile.
        sis: The SIS, open.
        district: The district's name.
        run_id: The ledger's id of this run.
        line_items: `records.LINE_ITEM_PLAN`.
        results: `records.RESULT_PLAN`; those of a line item that does not arrive are not tried.
        known_line_items: The ledger's line items before the load.
        known_results: The ledger's results before the load.
        kept_categories: By line item id, the category that a teacher gave it in the SIS: it goes out instead
            of the planned one.
        schools: The school of every class, both by the SIS's ids: OneRoster 1.2 wants it in a line item.
        late_and_missing: How the marks of the results go out.
        clock: The time now, with its zone.
        progress: Told how far the load is about every two seconds, and at the end.

    Raises:
        CredentialError: the SIS no longer accepts the credential.
        ConfigurationError: the SIS's address is wrong, or marks are to go out in a way it does not have.
        UnavailableError: the SIS is down.
        BusyError: the SIS asked to come back later than a load can wait.
        PermissionRefusedError: the token endpoint does not grant what is needed.
            After any of these the answers that came before stand in the ledger.
    """
    line_items_due = _not_yet_held(line_items, known_line_items, LINE_ITEM_PLAN, run_id)
    results_due = _not_yet_held(results, known_results, RESULT_PLAN, run_id)
    skipped = len(line_items) + len(results) - len(line_items_due) - len(results_due)
    tally = Counter(skipped=skipped)
    requests_before = sis.requests

    def counts() -> LoadCounts:
        return LoadCounts(**tally, requests=sis.requests - requests_before)

    comments = _comments(sis.profile) if late_and_missing == "comment" else {}
    flags = late_and_missing == "flags"
    if flags and sis.version == "1.1":
        raise ConfigurationError(
            f"{sis.profile.title} speaks OneRoster 1.1, which has no fields for late and missing.",
            where=f"{district}, sis.late_and_missing",
            mend="Set it to comment or none, or leave it out.",
        )

    def line_item_body(row: Any) -> Body:
        values: LineItemValues = {
            "sourced_id": row.line_item_id,
            "sis_class_id": row.sis_class_id,
            "title": row.title,
            "category_id": kept_categories.get(row.line_item_id, row.category_id),
            "period_id": row.period_id,
            "assign_date": row.assign_date,
            "due_date": row.due_date,
            "points_possible": row.points_possible,
            "modified": clock(),
            "services": sis.services,
        }
        if sis.version == "1.1":
            return v1p1.line_item(**values)
        school_id = schools.get(row.sis_class_id, "")
        return v1p2.line_item(school_id=school_id, **values) if school_id else _NO_SCHOOL

    def result_body(row: Any) -> Body:
        values: ResultValues = {
            "sourced_id": result_id(row.line_item_id, row.sis_student_id),
            "line_item_id": row.line_item_id,
            "sis_student_id": row.sis_student_id,
            "score": None if math.isnan(row.score) else row.score,
            "score_status": row.score_status,
            "score_date": row.score_date,
            "comment": comments.get(row.mark, ""),
            "modified": clock(),
            "services": sis.services,
        }
        if sis.version == "1.1":
            return v1p1.result(**values)
        return v1p2.result(mark=row.mark if flags else "", **values)

    # One thread: the ledger's connection is never used by two at a time, even when a load is cancelled.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger") as ledger_thread:
        books = _Books(connection, district, run_id, ledger_thread)
        shared: Any = {"clock": clock, "tell": lambda: progress(counts()), "tally": tally}
        missing = await _Delivery(
            sis,
            "lineItem",
            line_items_due,
            line_item_body,
            books.writer(ledger.intend_line_items),
            books.writer(ledger.answer_line_items),
            **shared,
        ).run()
        results_tried = results_due[~results_due["line_item_id"].isin([key[0] for key in missing])]
        tally["untried"] = len(results_due) - len(results_tried)
        await _Delivery(
            sis,
            "result",
            results_tried,
            result_body,
            books.writer(ledger.intend_results),
            books.writer(ledger.answer_results),
            **shared,
        ).run()
    return counts()


def _not_yet_held(plan: pd.DataFrame, known: pd.DataFrame, frame: Frame, run_id: int) -> pd.DataFrame:
    """The rows that this run has still to write: all but those it wrote before it was cleared or killed."""
    key = list(frame.key)
    values = [name for name in frame.columns if name in known.columns and name not in key]
    ours = known[known["run_id"].eq(run_id) & known["state"].isin(_HELD)]
    both = plan.merge(ours[[*key, *values, "state"]], on=key, how="left", suffixes=("", "_held"))
    held = both["state"].notna()
    for name in values:
        held &= both[name].eq(both[f"{name}_held"]) | (both[name].isna() & both[f"{name}_held"].isna())
    return plan[~held.to_numpy()]


def _comments(profile: SisProfile) -> dict[str, str]:
    """The comment that stands for each mark, where the SIS takes one of that length."""
    longest = profile.comment_limit or math.inf  # 0: not known
    return {mark: comment for mark, comment in _COMMENTS.items() if len(comment) <= longest}


@dataclass(frozen=True)
class _Books:
    """The ledger as one run writes it, from the loop."""

    connection: ledger.Connection
    district: str
    run_id: int
    thread: ThreadPoolExecutor

    def writer(self, write: Callable[[ledger.Connection, str, int, pd.DataFrame], None]) -> Writer:
        """`write` as a coroutine function of a frame alone."""

        async def in_thread(frame: pd.DataFrame) -> None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self.thread, write, self.connection, self.district, self.run_id, frame)

        return in_thread


@dataclass(eq=False)
class _Delivery:
    """The rows of one kind on their way into the SIS.

    Attributes:
        sis: The SIS.
        kind: What the rows are.
        plan: The rows.
        body: A row as the SIS takes it, or the answer to one that it cannot take.
        intend: Notes, before they are sent, that rows will be.
        answer: Notes what became of them.
        clock: The time now.
        tell: Called when answers have been noted.
        tally: Counts of `LoadCounts`, added to.
    """

    sis: Client
    kind: Kind
    plan: pd.DataFrame
    body: Callable[[Any], Body]
    intend: Writer
    answer: Writer
    clock: Callable[[], datetime]
    tell: Callable[[], None]
    tally: Counter[str]
    _rows: asyncio.Queue[Any] = field(default_factory=lambda: asyncio.Queue(maxsize=_BATCH))
    _answers: list[tuple[Key, Answer, datetime]] = field(default_factory=list)
    _enough: asyncio.Event = field(default_factory=asyncio.Event)
    _missing: list[Key] = field(default_factory=list)

    async def run(self) -> list[Key]:
        """Write all rows; the keys of those that did not arrive."""
        try:
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(self._send()) for _ in range(self.sis.limits.connections)]
                workers.append(group.create_task(self._keep_books()))
                await group.create_task(self._feed())
                for worker in workers:
                    worker.cancel()
        except ExceptionGroup as failures:  # one tells; the others were cancelled for it
            raise failures.exceptions[0] from None
        finally:
            await self._write_down()
        return self._missing

    async def _feed(self) -> None:
        # While the SIS is busy with one batch, the intent of the next is committed.
        for start in range(0, len(self.plan), _BATCH):
            batch = self.plan.iloc[start : start + _BATCH]
            await self.intend(batch)
            for row in batch.astype(object).itertuples(index=False):  # four times as fast as from Arrow
                await self._rows.put(row)
        await self._rows.join()

    async def _send(self) -> None:
        key_of = _KEY_OF[self.kind]
        while True:
            row = await self._rows.get()
            content = self.body(row)
            reply = (
                content
                if isinstance(content, Answer)
                else await self.sis.put(self.kind, content["sourcedId"], content)
            )
            self._answers.append((key_of(row), reply, self.clock()))
            self.tally[_counted_as(self.kind, reply)] += 1
            if reply.decision is not Decision.VERIFY:
                self._missing.append(key_of(row))
            if len(self._answers) >= _BATCH:
                self._enough.set()
            self._rows.task_done()

    async def _keep_books(self) -> None:
        while True:
            # Not wait_for: before Python 3.12 it forgets that it was cancelled when both come at once.
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY):
                    await self._enough.wait()
            self._enough.clear()
            await self._write_down()

    async def _write_down(self) -> None:
        if self._answers:
            answers = self._answers.copy()
            await self.answer(_answer_frame(answers, _FRAME_OF[self.kind].key))
            # Only now: what is noted twice does no harm, what is dropped does.
            del self._answers[: len(answers)]
        self.tell()


def _counted_as(kind: Kind, reply: Answer) -> str:
    if reply.decision is Decision.VERIFY:
        return "line_items_written" if kind == "lineItem" else "results_written"
    return "refused" if reply.decision is Decision.REFUSE_ROW else "lost"


def _answer_frame(
    answers: Sequence[tuple[Key, Answer, datetime]], key_columns: Sequence[str]
) -> pd.DataFrame:
    """The answers as the ledger takes them: key, state, status (null: none came), words, answered_at."""
    keys = pd.DataFrame([key for key, _, _ in answers], columns=list(key_columns), dtype=TEXT)
    replies = [reply for _, reply, _ in answers]
    return keys.assign(
        state=pd.Series([_STATES.get(reply.decision, "intended") for reply in replies], dtype=TEXT),
        status=pd.Series([reply.status or None for reply in replies], dtype="Int64"),
        words=pd.Series([reply.words for reply in replies], dtype=TEXT),
        answered_at=pd.Series([moment for _, _, moment in answers], dtype=INSTANT),
    )
