"""load-to-sis: write the plan into the SIS, with the ledger around every write.

Intent is committed before a row's request goes out and the answer after it, both in batches, while other
rows are under way. Whatever kills this, running it again ends the same: where ids are ours, because a PUT
that is repeated changes nothing; where the SIS allots them, because what may have arrived is looked for
before it is sent again.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import numpy as np
import pandas as pd

from passback import ledger
from passback.gradebook import MARK, RESULT_VALUES, LineItemRow, ResultRow
from passback.ledger.sent import THEIRS
from passback.oneroster import Answer, Decision, result_id
from passback.oneroster.facts import each_or_all
from passback.oneroster.held import HELD_RESULTS, is_empty
from passback.records import INSTANT, LINE_ITEM_PLAN, RESULT_PLAN, TEXT
from passback.stages.links import as_persons_set, held_under, recognised

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from passback.gradebook import Gradebook
    from passback.records import Frame

    Key = tuple[str, ...]
    Writer = Callable[[pd.DataFrame], Awaitable[None]]

Row = TypeVar("Row", LineItemRow, ResultRow)

_BATCH: Final = 2_000  # rows whose intent, and then whose answers, are committed at once, or a little more
_FIRST: Final = 8  # the first batch is this much smaller, so that sending begins at once
_EVERY: Final = 2.0  # seconds after which answers are written and progress is told at the latest
_HELD: Final = ("accepted", "confirmed")
# Where the SIS allots ids, the one that is known may be of a record that never was stored.
_IN_DOUBT: Final = ("intended", "refused", "not_stored")
_ACCEPTED: Final = (Decision.VERIFY, Decision.DONE)


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
    sis: Gradebook,
    *,
    district: str,
    run_id: int,
    line_items: pd.DataFrame,
    results: pd.DataFrame,
    known_line_items: pd.DataFrame,
    known_results: pd.DataFrame,
    kept_categories: Mapping[str, str],
    schools: Mapping[str, str],
    clock: Callable[[], datetime],
    progress: Callable[[LoadCounts], None],
    held_back: pd.DataFrame | None = None,
) -> LoadCounts:
    """Write line items, then results; one that is refused or lost never stops the others.

    Args:
        connection: The ledger; nobody else uses it meanwhile.
        sis: The SIS's gradebooks, open.
        district: The district's name.
        run_id: The ledger's id of this run.
        line_items: `records.LINE_ITEM_PLAN`.
        results: `records.RESULT_PLAN`; those of a line item that does not arrive are not tried.
        known_line_items: The ledger's line items before the load.
        known_results: The ledger's results before the load.
        kept_categories: By line item id, the category that a teacher gave it in the SIS: it goes out instead
            of the planned one.
        schools: The school of every class, both by the SIS's ids: OneRoster 1.2 wants it in a line item.
        clock: The time now, with its zone.
        progress: Told how far the load is about every two seconds, and at the end.
        held_back: As `ledger.held_back_line_items` gives them: fields that a person set in the SIS go out as
            they stand there.

    Raises:
        CredentialError: the SIS no longer accepts the credential.
        ConfigurationError: the SIS's address is wrong.
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

    # One thread: the ledger's connection is never used by two at a time, even when a load is cancelled.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger") as ledger_thread:
        books = _Books(connection, district, run_id, ledger_thread)
        desk = _Desk(sis, books, clock, lambda: progress(counts()), tally)
        items = await _load_line_items(
            desk, line_items_due, known_line_items, kept_categories, schools, held_back
        )
        tried = results_due[~results_due["line_item_id"].isin(items.missing)]
        tally["untried"] = len(results_due) - len(tried)
        await _load_results(desk, tried, known_results, items)
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


# --- Line items ---


@dataclass(frozen=True)
class _LineItems:
    """What became of the line items.

    Attributes:
        missing: Those that did not arrive, by our ids.
        sis_ids: The SIS's id by ours, of those that it holds under its own.
        created: Those that this load created, so that they hold nothing but what it wrote.
    """

    missing: frozenset[str]
    sis_ids: Mapping[str, str]
    created: frozenset[str]


async def _load_line_items(
    desk: _Desk,
    plan: pd.DataFrame,
    known: pd.DataFrame,
    kept_categories: Mapping[str, str],
    schools: Mapping[str, str],
    held_back: pd.DataFrame | None,
) -> _LineItems:
    """Write line items."""
    before = known[["line_item_id", "sis_line_item_id", "state"]]
    rows = plan.merge(before, on="line_item_id", how="left")
    rows = rows.assign(sis_line_item_id=_text(rows["sis_line_item_id"]), state=_text(rows["state"]))
    adopted = rows["sis_line_item_id"].eq("") & rows["adopts"].ne("")
    rows["sis_line_item_id"] = rows["sis_line_item_id"].mask(adopted, rows["adopts"])
    rows["school_id"] = _text(rows["sis_class_id"].map(schools))
    kept = _text(rows["line_item_id"].map(kept_categories))
    sent = rows.assign(category_id=kept.where(kept.ne(""), rows["category_id"]))
    if held_back is not None:
        sent = as_persons_set(sent, held_back)
    linked = [*known["line_item_id"], *known["sis_line_item_id"]]
    # What an earlier run or try sent without learning its id may stand there.
    unsure = rows["state"].ne("") & (rows["sis_line_item_id"].eq("") | rows["state"].isin(_IN_DOUBT))
    unsure &= ~adopted & (not desk.sis.repeatable)
    found, unreadable = await _recognise(desk.sis, sent[unsure], linked)
    sent = _with_ids(sent, "sis_line_item_id", _our_ids, found, unsure)
    unseen = unsure & sent["sis_class_id"].isin(unreadable)
    plan = rows.assign(sis_line_item_id=sent["sis_line_item_id"])
    delivery = _Delivery(
        desk,
        frame=LINE_ITEM_PLAN,
        row_type=LineItemRow,
        rows=sent[~unseen],
        plan=plan[~unseen],
        at_once=1,
        repeatable=desk.sis.repeatable,
        write=lambda parcel: _each(desk.sis.write_line_item, parcel),
        our_id=lambda row: row.line_item_id,
        sis_id=lambda row: row.sis_line_item_id,
        under=lambda row, sis_id: row._replace(sis_line_item_id=sis_id),
        intend=desk.books.writer(ledger.intend_line_items),
        answer=desk.books.writer(ledger.answer_line_items),
        settle=desk.books.writer(ledger.settle_line_items),
        count_as="line_items_written",
    )
    await delivery.hold_back(plan[unseen])
    await delivery.run()
    found = {}
    if again := delivery.unsettled():
        lost = sent[sent["line_item_id"].isin([key[0] for key in again])]
        found, unreadable = await _recognise(desk.sis, lost, [*linked, *delivery.allotted.values()])
        unread = lost.loc[lost["sis_class_id"].isin(unreadable), "line_item_id"]
        await delivery.run_again(
            {(ours,): sis_id for ours, sis_id in found.items()}, unseen={(ours,) for ours in unread}
        )
    new = set(sent.loc[sent["sis_line_item_id"].eq(""), "line_item_id"])
    sis_ids = dict(zip(known["line_item_id"], known["sis_line_item_id"], strict=True))
    sis_ids |= dict(zip(sent["line_item_id"], sent["sis_line_item_id"], strict=True))
    sis_ids |= {key[0]: sis_id for key, sis_id in delivery.allotted.items()}
    return _LineItems(
        missing=frozenset(key[0] for key in delivery.missing),
        sis_ids=sis_ids,
        created=frozenset(new - found.keys()),
    )


async def _recognise(
    sis: Gradebook, unsure: pd.DataFrame, linked: Collection[str]
) -> tuple[dict[str, str], frozenset[str]]:
    """Those of some line items that the SIS holds, with its ids, and the classes that could not be read."""
    if unsure.empty:
        return {}, frozenset()
    held, unreadable = await sis.line_items(set(unsure["sis_class_id"]))
    under = held_under(unsure)
    there = under.isin(held["line_item_id"])
    found = dict(zip(unsure.loc[there, "line_item_id"], under[there], strict=True))
    return found | recognised(unsure[~there], held, linked), unreadable


async def _each(
    write: Callable[[LineItemRow], Awaitable[Answer]], parcel: Sequence[LineItemRow]
) -> Sequence[Answer]:
    return [await write(row) for row in parcel]


# --- Results ---


async def _load_results(
    desk: _Desk,
    plan: pd.DataFrame,
    known: pd.DataFrame,
    items: _LineItems,
) -> None:
    """Write results."""
    sis, key = desk.sis, list(RESULT_PLAN.key)
    before = known[[*key, "sis_result_id", "state"]]
    rows = plan.merge(before, on=key, how="left")
    rows = rows.assign(
        sis_result_id=_text(rows["sis_result_id"]),
        state=_text(rows["state"]),
        sis_line_item_id=_text(rows["line_item_id"].map(items.sis_ids)),
    )
    unsure = _unsure(rows, sis, items)
    held, unreadable = await _held_results(sis, rows[unsure])
    rows = _with_ids(rows, "sis_result_id", _keys, _ids(held), unsure)
    rows = _with_theirs(rows, held)
    unseen = unsure & rows["line_item_id"].isin(unreadable)
    held_back, rows = rows[unseen], rows[~unseen]
    if sis.results_at_once > 1:
        rows = rows.sort_values("line_item_id", kind="stable")
    delivery = _Delivery(
        desk,
        frame=RESULT_PLAN,
        row_type=ResultRow,
        rows=rows,
        plan=rows,
        at_once=sis.results_at_once,
        repeatable=sis.repeatable or sis.results_by_student,
        write=lambda parcel: _write_results(sis, parcel),
        our_id=lambda row: result_id(row.line_item_id, row.sis_student_id),
        sis_id=lambda row: row.sis_result_id,
        under=lambda row, sis_id: row._replace(sis_result_id=sis_id),
        intend=desk.books.writer(ledger.intend_results),
        answer=desk.books.writer(ledger.answer_results),
        settle=desk.books.writer(ledger.settle_results),
        count_as="results_written",
    )
    await delivery.hold_back(held_back)
    await delivery.run()
    if again := delivery.unsettled():
        lost = rows[pd.Series(_keys(rows), index=rows.index).isin(again)]
        held, unreadable = await _held_results(sis, lost)
        await delivery.run_again(_ids(held), unseen={key for key in again if key[0] in unreadable})


def _unsure(rows: pd.DataFrame, sis: Gradebook, items: _LineItems) -> pd.Series:
    """Whether the SIS may hold each result under an id that we do not know."""
    if sis.results_by_student:
        return pd.Series(data=False, index=rows.index)
    without_id = rows["sis_result_id"].eq("")
    if sis.repeatable:
        # An assignment that was taken over: what it holds is replaced, not put beside.
        return without_id & rows["sis_line_item_id"].ne("") & ~rows["state"].isin(_HELD)
    return (without_id | rows["state"].isin(_IN_DOUBT)) & ~rows["line_item_id"].isin(items.created)


def _keys(rows: pd.DataFrame) -> list[Key]:
    return list(zip(rows["line_item_id"], rows["sis_student_id"], strict=True))


def _with_theirs(rows: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """`rows` with what stood there of a teacher's own, where we have not written before."""
    key = list(RESULT_PLAN.key)
    theirs = held[~is_empty(held)].drop_duplicates(key)
    if theirs.empty:
        return rows
    names = {name: f"{name}{THEIRS}" for name in (*RESULT_VALUES, MARK)}
    both = rows.merge(theirs[[*key, *names]].rename(columns=names), on=key, how="left")
    ours = ~both["state"].isin(["", "gone"])
    return both.assign(**{name: both[name].mask(ours) for name in names.values()})


async def _held_results(sis: Gradebook, rows: pd.DataFrame) -> tuple[pd.DataFrame, frozenset[str]]:
    """What the SIS holds in the line items of some rows, as `HELD_RESULTS` under our line item ids.

    And the line items, by our ids, whose results could not be read.
    """
    ids = ["line_item_id", "sis_line_item_id"]
    pairs = rows[[*ids, "sis_class_id"]].drop_duplicates()
    listings = await each_or_all(
        sis.results(sis_class, sis_id or ours)
        for ours, sis_id, sis_class in pairs.itertuples(index=False, name=None)
    )
    held = [
        listing.assign(line_item_id=ours)
        for ours, listing in zip(pairs["line_item_id"], listings, strict=True)
        if listing is not None
    ]
    found = pd.concat([HELD_RESULTS.empty(), *held], ignore_index=True)
    unread = [ours for ours, listing in zip(pairs["line_item_id"], listings, strict=True) if listing is None]
    return found, frozenset(unread)


def _ids(held: pd.DataFrame) -> dict[Key, str]:
    """The ids under which the SIS holds results, by our key."""
    return dict(zip(_keys(held), held["result_id"], strict=True))


async def _write_results(sis: Gradebook, parcel: Sequence[ResultRow]) -> Sequence[Answer]:
    """Write results of one line item; those without a status are cleared."""
    if all(row.score_status for row in parcel):
        return await sis.write_results(parcel)
    answers = {row: await sis.withdraw_result(row) for row in parcel if not row.score_status}
    rest = [row for row in parcel if row.score_status]
    answers |= zip(rest, await sis.write_results(rest) if rest else (), strict=True)
    return [answers[row] for row in parcel]


def _text(values: pd.Series) -> pd.Series:
    """Texts of which some, or all, were not found."""
    return values.astype(TEXT).fillna("")


def _our_ids(line_items: pd.DataFrame) -> list[str]:
    return line_items["line_item_id"].tolist()


def _with_ids(
    rows: pd.DataFrame,
    column: str,
    keys: Callable[[pd.DataFrame], Sequence[Any]],
    found: Mapping[Any, str],
    unsure: pd.Series,
) -> pd.DataFrame:
    """`rows` with the ids that were found of those that were looked for; what was not found has none."""
    looked_for = rows[unsure]
    ids = pd.Series([found.get(key, "") for key in keys(looked_for)], index=looked_for.index, dtype=TEXT)
    return rows.assign(**{column: rows[column].mask(unsure, ids.reindex(rows.index))})


# --- The delivery of either ---


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


@dataclass(frozen=True)
class _Desk:
    """What every delivery of a load uses.

    Attributes:
        sis: The SIS's gradebooks.
        books: The ledger.
        clock: The time now.
        tell: Called when answers have been noted.
        tally: Counts of `LoadCounts`, added to.
    """

    sis: Gradebook
    books: _Books
    clock: Callable[[], datetime]
    tell: Callable[[], None]
    tally: Counter[str]


@dataclass(eq=False)
class _Delivery(Generic[Row]):
    """The rows of one kind on their way into the SIS.

    Attributes:
        desk: What every delivery uses.
        frame: What the plan is.
        row_type: What a row is sent as.
        rows: The rows to send, with the columns of `row_type`.
        plan: The same rows as the ledger takes them, with the SIS's ids.
        at_once: Rows of one line item that go out together at most.
        repeatable: Whether what is new may be sent again after a lost answer.
        write: Sends some rows of one line item.
        our_id: The id of a row that is ours.
        sis_id: The id under which the SIS holds it, as far as it was known when it was sent.
        under: A row with the id under which the SIS was found to hold it.
        intend: Notes, before they are sent, that rows will be.
        answer: Notes what became of them.
        settle: Notes what was seen to be stored.
        count_as: The field of `LoadCounts` that counts what is accepted.
        missing: Keys of the rows that did not arrive.
        allotted: The SIS's ids, by key, of rows that it holds under its own.
    """

    desk: _Desk
    frame: Frame
    row_type: type[Row]
    rows: pd.DataFrame
    plan: pd.DataFrame
    at_once: int
    repeatable: bool
    write: Callable[[Sequence[Row]], Awaitable[Sequence[Answer]]]
    our_id: Callable[[Row], str]
    sis_id: Callable[[Row], str]
    under: Callable[[Row, str], Row]
    intend: Writer
    answer: Writer
    settle: Writer
    count_as: str
    missing: set[Key] = field(default_factory=set)
    allotted: dict[Key, str] = field(default_factory=dict)
    _parcels: deque[Sequence[Row]] = field(default_factory=deque)
    _fed: bool = False  # no more parcels come
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _few: asyncio.Event = field(default_factory=asyncio.Event)  # so few are left that …
    _enough_left: int = 0  # … the next batch has to be on its way
    _answers: list[tuple[Key, Answer, str, datetime]] = field(default_factory=list)
    _enough: asyncio.Event = field(default_factory=asyncio.Event)
    _sent: bool = False  # no more answers come
    _unsettled: dict[Key, tuple[Row, Answer]] = field(default_factory=dict)

    async def run(self) -> None:
        """Write all rows."""
        await self._deliver(self._feed())

    async def hold_back(self, plan: pd.DataFrame) -> None:
        """Note as lost, without sending it, what the SIS may hold while it does not let us look."""
        if len(plan):
            await self.intend(plan)
            self.missing |= set(plan[list(self.frame.key)].itertuples(index=False, name=None))
            self.desk.tally["lost"] += len(plan)

    def unsettled(self) -> set[Key]:
        """Keys of new rows of which nobody knows whether they arrived, where sending again is no answer."""
        return set() if self.repeatable else set(self._unsettled)

    async def run_again(self, found: Mapping[Key, str], *, unseen: Collection[Key]) -> None:
        """Send once more what is unsettled, after the SIS was asked for it.

        What was found goes out under the SIS's id. What was not is sent anew, but for what could not be
        looked for, and for what the SIS may be storing still, since no answer came in time: the next run
        looks for these.
        """
        again = list[Row]()
        for key, (row, answer) in self._unsettled.items():
            if (sis_id := found.get(key)) is not None:
                self.allotted[key] = sis_id
                again.append(self.under(row, sis_id))
            elif not answer.timed_out and key not in unseen:
                again.append(row)
        self._unsettled = {}
        for row in again:
            self.missing.discard(self._key(row))
        self.desk.tally["lost"] -= len(again)
        await self._deliver(self._put_parcels([[row] for row in again]))

    def _key(self, row: Row) -> Key:
        return cast("Key", row[: len(self.frame.key)])

    async def _deliver(self, feed: Any) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_books())
                group.create_task(feed)
                connections = self.desk.sis.limits.connections
                await asyncio.wait([group.create_task(self._send()) for _ in range(connections)])
                self._sent = True
                self._enough.set()
        except ExceptionGroup as failures:  # one tells; the others were cancelled for it
            raise failures.exceptions[0] from None
        finally:
            await self._write_down()

    async def _feed(self) -> None:
        # While the SIS is busy with one batch, the intent of the next is committed.
        for start, end, cuts in _batches(self.rows, self.at_once):
            await self.intend(self.plan.iloc[start:end])
            columns = self.rows.iloc[start:end][list(self.row_type._fields)].astype(object)
            # Four times as fast as from Arrow.
            rows = [self.row_type._make(row) for row in columns.itertuples(index=False, name=None)]
            self._parcels.extend(rows[first - start : last - start] for first, last in pairwise(cuts))
            self._more.set()
            if end < len(self.rows):
                growing = end - start < _BATCH
                self._enough_left = len(cuts) if growing else len(cuts) // 2
                self._few.clear()
                await self._few.wait()
        self._end()

    async def _put_parcels(self, parcels: Sequence[Sequence[Row]]) -> None:
        self._fed = self._sent = False
        self._parcels.extend(parcels)
        self._end()

    def _end(self) -> None:
        self._fed = True
        self._more.set()

    async def _send(self) -> None:
        # Not a queue: it wakes a task for every row, which costs a good part of a request.
        while self._parcels or not self._fed:
            if not self._parcels:
                self._more.clear()
                await self._more.wait()
                continue
            parcel = self._parcels.popleft()
            if len(self._parcels) <= self._enough_left:
                self._few.set()
            answers = await self.write(parcel)
            now = self.desk.clock()
            for row, reply in zip(parcel, answers, strict=True):
                self._note(row, reply, now)
            if len(self._answers) >= self._due():
                self._enough.set()

    def _due(self) -> int:
        """Answers that are written at once: fewer towards the end, so that few are left after the last."""
        left = len(self._parcels) if self._fed else _BATCH
        return min(_BATCH, max(_BATCH // _FIRST, left))

    def _note(self, row: Row, reply: Answer, now: datetime) -> None:
        """Keep what became of a row, for the ledger and for what comes after."""
        key = self._key(row)
        sis_id = reply.allotted.get(self.our_id(row), "") if reply.allotted else ""
        if sis_id:
            self.allotted[key] = sis_id
        self._answers.append((key, reply, sis_id or self.sis_id(row), now))
        if reply.decision in _ACCEPTED:
            self.desk.tally[self.count_as] += 1
            return
        self.missing.add(key)
        self.desk.tally["refused" if reply.decision is Decision.REFUSE_ROW else "lost"] += 1
        if reply.decision is Decision.RETRY_LATER and not self.sis_id(row):
            self._unsettled[key] = (row, reply)

    async def _keep_books(self) -> None:
        # Not cancelled when all is sent: what was being written would be written twice.
        while not self._sent:
            # Not wait_for: before Python 3.12 it forgets that it was cancelled when both come at once.
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY):
                    await self._enough.wait()
            await self._write_down()
            self._enough.clear()  # only now: what is being written has counted until here

    async def _write_down(self) -> None:
        if self._answers:
            answers = self._answers.copy()
            frame = _answer_frame(answers, self.frame.key)
            await self.answer(frame)
            if self.desk.sis.reads_back_at_once:
                stored = [reply.decision is Decision.DONE for _, reply, _, _ in answers]
                if any(stored):
                    await self.settle(frame.loc[stored, list(self.frame.key)].assign(state="confirmed"))
            # Only now: what is noted twice does no harm, what is dropped does.
            del self._answers[: len(answers)]
        self.desk.tell()


def _batches(rows: pd.DataFrame, at_once: int) -> Iterator[tuple[int, int, list[int]]]:
    """Positions of the batches, and within each the cuts between what goes out together.

    A line item's rows stay together, so that no more requests are sent than needed.
    """
    total = len(rows)
    size = -(-_BATCH // _FIRST)
    if at_once == 1:
        start = 0
        while start < total:
            end = min(start + size, total)
            yield start, end, list(range(start, end + 1))
            start, size = end, min(2 * size, _BATCH)
        return
    ids = rows["line_item_id"].to_numpy(dtype=object)
    alone = rows["sis_result_id"].ne("").to_numpy(dtype=bool)  # replaced one by one, so in parallel
    parted = (ids[1:] != ids[:-1]) | alone[1:] | alone[:-1]
    begins = np.flatnonzero(np.r_[True, parted]) if total else np.array([], dtype=int)
    cuts = [cut for first, last in pairwise([*begins.tolist(), total]) for cut in range(first, last, at_once)]
    start, inside = 0, list[int]()
    for cut in [*cuts, total]:
        inside.append(cut)
        if cut - start >= size or (cut == total and cut > start):
            yield start, cut, inside
            start, inside, size = cut, [cut], min(2 * size, _BATCH)


def _answer_frame(
    answers: Sequence[tuple[Key, Answer, str, datetime]], key_columns: Sequence[str]
) -> pd.DataFrame:
    """The answers as the ledger takes them: key, state, status (null: none came), words, time, sis_id."""
    keys, replies, sis_ids, moments = zip(*answers, strict=True)
    columns = dict(zip(key_columns, zip(*keys, strict=True), strict=True)) | {
        "state": [_STATES.get(reply.decision, "intended") for reply in replies],
        "words": [reply.words for reply in replies],
        "sis_id": sis_ids,
    }
    return pd.DataFrame(
        {name: pd.array(values, dtype=TEXT) for name, values in columns.items()}
        | {
            "status": pd.array([reply.status or None for reply in replies], dtype="Int64"),
            "answered_at": pd.array(moments, dtype=INSTANT),
        }
    )


_STATES: Final = {
    Decision.VERIFY: "accepted",
    Decision.DONE: "accepted",
    Decision.REFUSE_ROW: "refused",
}
