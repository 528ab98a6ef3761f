"""load-to-sis against a SIS that misbehaves and a real ledger."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from load.plans import DISTRICT, gradebook, line_item_plan, now, open_run, result_plan, run_load, states
from oneroster.stub_sis import drop
from passback import ledger as books
from passback.errors import BusyError, ConfigurationError, CredentialError, PassbackError, UnavailableError
from passback.gradebook import ResultRow
from passback.oneroster import result_id
from passback.records import RESULT_PLAN
from passback.sis import PROFILES
from passback.stages import load as load_stage
from passback.stages.load import LoadCounts

if TYPE_CHECKING:
    import pandas as pd

    from oneroster.stub_sis import StubSis
    from passback.ledger import Connection
    from passback.sis.profile import LateAndMissing

STUDENTS = [f"70{number:02}" for number in range(12)]


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few rows make several batches."""
    monkeypatch.setattr(load_stage, "_BATCH", 5)


async def test_every_planned_row_is_written_line_items_first(stub: StubSis, ledger: Connection) -> None:
    items = line_item_plan(3)
    results = result_plan(items, STUDENTS)
    async with gradebook(stub) as sis:
        counts = await run_load(ledger, sis, items, results, run_id=open_run(ledger))
    assert counts == LoadCounts(line_items_written=3, results_written=36, requests=40)
    kinds = [call.path.split("/")[1] for call in stub.calls]
    assert kinds == ["lineItems"] * 3 + ["results"] * 36
    assert states(ledger) == {"line_items": {"accepted": 3}, "results": {"accepted": 36}}
    assert books.verify_trail(ledger, DISTRICT) is None
    for row in results.itertuples():
        sourced_id = result_id(row.line_item_id, row.sis_student_id)
        held = stub.stored[f"/results/{sourced_id}"]["result"]
        assert (held["score"], held["student"]["sourcedId"]) == (row.score, row.sis_student_id)


async def test_nothing_planned_asks_nothing(stub: StubSis, ledger: Connection) -> None:
    items = line_item_plan(0)
    async with gradebook(stub) as sis:
        counts = await run_load(ledger, sis, items, result_plan(items, STUDENTS), run_id=open_run(ledger))
    assert counts == LoadCounts()


async def test_intent_is_in_the_ledger_before_the_request_goes_out(
    stub: StubSis, ledger: Connection, ledger_url: str
) -> None:
    unannounced = []
    with closing(books.connect(ledger_url)) as other:

        def look(request: web.Request) -> None:
            sourced_id = request.path.rsplit("/", 1)[1]
            known = books.known_results(other, DISTRICT)
            intended = set(books.known_line_items(other, DISTRICT)["line_item_id"])
            for item, student in zip(known["line_item_id"], known["sis_student_id"], strict=True):
                intended.add(result_id(item, student))
            if sourced_id not in intended:
                unannounced.append(sourced_id)

        stub.script = look
        items = line_item_plan(3)
        async with gradebook(stub) as sis:
            await run_load(ledger, sis, items, result_plan(items, STUDENTS), run_id=open_run(ledger))
    assert unannounced == []


async def test_a_refused_result_does_not_stop_the_others_and_keeps_the_sis_words(
    stub: StubSis, ledger: Connection
) -> None:
    items = line_item_plan(1)
    refused = f"/results/{result_id(items['line_item_id'][0], '7003')}"
    stub.script = lambda request: (
        web.json_response({"imsx_description": "Student\x00 has left"}, status=422)
        if request.path.endswith(refused)
        else None
    )
    async with gradebook(stub) as sis:
        counts = await run_load(ledger, sis, items, result_plan(items, STUDENTS), run_id=open_run(ledger))
    assert (counts.results_written, counts.refused, counts.lost) == (11, 1, 0)
    assert states(ledger)["results"] == {"accepted": 11, "refused": 1}
    with ledger, ledger.cursor() as cursor:
        cursor.execute("SELECT answer_status, answer_words FROM passback.results WHERE state = 'refused'")
        assert cursor.fetchall() == [(422, "Student has left")]


async def test_results_of_a_line_item_that_did_not_arrive_are_not_tried(
    stub: StubSis, ledger: Connection
) -> None:
    items = line_item_plan(3)
    refused, lost = items["line_item_id"][0], items["line_item_id"][1]

    def answer(request: web.Request) -> web.Response | None:
        if request.path.endswith(refused):
            return web.json_response({"error": "period closed"}, status=403)
        return web.Response(status=500) if request.path.endswith(lost) else None

    stub.script = answer
    async with gradebook(stub) as sis:
        counts = await run_load(ledger, sis, items, result_plan(items, STUDENTS), run_id=open_run(ledger))
    assert (counts.line_items_written, counts.results_written) == (1, 12)
    assert (counts.refused, counts.lost, counts.untried) == (1, 1, 24)
    assert states(ledger) == {
        "line_items": {"accepted": 1, "refused": 1, "intended": 1},
        "results": {"accepted": 12},
    }


async def test_a_row_whose_answers_are_lost_stays_intended(stub: StubSis, ledger: Connection) -> None:
    items = line_item_plan(1)
    lost = result_id(items["line_item_id"][0], "7003")
    stub.script = lambda request: drop(request) if request.path.endswith(lost) else None
    async with gradebook(stub) as sis:
        counts = await run_load(ledger, sis, items, result_plan(items, STUDENTS), run_id=open_run(ledger))
    assert (counts.results_written, counts.lost) == (11, 1)
    assert states(ledger)["results"] == {"accepted": 11, "intended": 1}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda _request: web.Response(status=401), CredentialError),
        (lambda _request: web.Response(status=503), UnavailableError),
        (lambda _request: web.Response(status=429, headers={"Retry-After": "900"}), BusyError),
        (drop, UnavailableError),
    ],
)
async def test_what_stops_the_run_stops_it_once_and_the_answers_so_far_stand(
    stub: StubSis, ledger: Connection, fault: object, error: type[PassbackError]
) -> None:
    items = line_item_plan(4)
    results = result_plan(items, STUDENTS)
    stub.script = lambda request: fault(request) if len(stub.stored) >= 30 else None  # type: ignore[operator]
    run_id = open_run(ledger)
    async with gradebook(stub) as sis:
        with pytest.raises(error) as stopped:
            await run_load(ledger, sis, items, results, run_id=run_id)
    assert type(stopped.value) is error
    assert states(ledger)["results"]["accepted"] == 26
    stub.script = None
    async with gradebook(stub) as sis:
        counts = await run_load(ledger, sis, items, results, run_id=run_id)
    assert (counts.skipped, counts.results_written) == (30, 22)
    assert len(stub.stored) == 4 + 48


async def test_a_cleared_task_sends_nothing_twice(stub: StubSis, ledger: Connection) -> None:
    items = line_item_plan(2)
    results = result_plan(items, STUDENTS)
    run_id = open_run(ledger)
    async with gradebook(stub) as sis:
        await run_load(ledger, sis, items, results, run_id=run_id)
        counts = await run_load(ledger, sis, items, results, run_id=run_id)
    assert counts == LoadCounts(skipped=26)


async def test_a_cleared_task_sends_what_has_changed_since(stub: StubSis, ledger: Connection) -> None:
    items = line_item_plan(2)
    results = result_plan(items, STUDENTS)
    run_id = open_run(ledger)
    async with gradebook(stub) as sis:
        await run_load(ledger, sis, items, results, run_id=run_id)
        results.loc[5, "score"] += 0.5
        items.loc[1, "title"] = "Quiz 1, second form"
        counts = await run_load(ledger, sis, items, results, run_id=run_id)
    assert (counts.line_items_written, counts.results_written, counts.skipped) == (1, 1, 24)


async def test_another_run_sends_what_it_plans_whatever_an_earlier_one_sent(
    stub: StubSis, ledger: Connection
) -> None:
    items = line_item_plan(1)
    results = result_plan(items, STUDENTS)
    async with gradebook(stub) as sis:
        await run_load(ledger, sis, items, results, run_id=open_run(ledger, "r1"))
        counts = await run_load(ledger, sis, items, results, run_id=open_run(ledger, "r2"))
    assert (counts.line_items_written, counts.results_written, counts.skipped) == (1, 12, 0)


async def test_a_cancelled_load_is_finished_by_the_next_one(stub: StubSis, ledger: Connection) -> None:
    items = line_item_plan(2)
    results = result_plan(items, STUDENTS)
    run_id = open_run(ledger)
    reached = asyncio.Event()

    held = 0

    async def hold(_request: web.Request) -> None:
        nonlocal held
        if len(stub.stored) >= 12:
            held += 1
            if held == sis.limits.connections:  # so that what went before has been answered
                reached.set()
            await asyncio.Event().wait()

    stub.script = hold
    async with gradebook(stub) as sis:
        loading = asyncio.create_task(run_load(ledger, sis, items, results, run_id=run_id))
        await reached.wait()
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
    assert states(ledger)["results"]["accepted"] == 10
    stub.script = None
    async with gradebook(stub) as sis:
        await run_load(ledger, sis, items, results, run_id=run_id)
    assert len(stub.stored) == 26
    assert states(ledger) == {"line_items": {"accepted": 2}, "results": {"accepted": 24}}


async def test_the_sis_stays_busy_while_the_ledger_writes(stub: StubSis, ledger: Connection) -> None:
    under_way: list[int] = []
    now_under_way = 0

    async def watch(_request: web.Request) -> None:
        nonlocal now_under_way
        now_under_way += 1
        under_way.append(now_under_way)
        await asyncio.sleep(0.002)
        now_under_way -= 1

    stub.script = watch
    items = line_item_plan(1)
    students = [str(number) for number in range(100)]
    async with gradebook(stub) as sis:
        await run_load(ledger, sis, items, result_plan(items, students), run_id=open_run(ledger))
    assert max(under_way) == 4


async def test_an_answer_is_noted_once_though_all_is_sent_while_the_ledger_writes(
    stub: StubSis, ledger: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    students = [str(number) for number in range(24)]
    all_sent = threading.Event()
    noted: list[int] = []
    write = books.answer_results

    def answer_results(connection: Connection, district: str, run_id: int, answers: pd.DataFrame) -> None:
        assert all_sent.wait(30)
        noted.append(len(answers))
        write(connection, district, run_id, answers)

    def watch(_request: web.Request) -> None:
        if len(stub.calls) > len(students):
            all_sent.set()

    stub.script = watch
    monkeypatch.setattr(load_stage, "_BATCH", 96)  # the first answers are due when half of the rows are sent
    monkeypatch.setattr(books, "answer_results", answer_results)
    items = line_item_plan(1)
    async with gradebook(stub) as sis:
        await run_load(ledger, sis, items, result_plan(items, students), run_id=open_run(ledger))
    assert len(noted) > 1
    assert sum(noted) == len(students)


async def test_a_category_that_a_teacher_changed_goes_out_as_the_teacher_set_it(
    stub: StubSis, ledger: Connection
) -> None:
    items = line_item_plan(2)
    kept = {items["line_item_id"][1]: "305"}
    async with gradebook(stub) as sis:
        await run_load(
            ledger, sis, items, result_plan(items, []), run_id=open_run(ledger), kept_categories=kept
        )
    sent = {call.body["lineItem"]["title"]: call.body["lineItem"]["category"] for call in stub.calls}
    assert [sent["Quiz 0"]["sourcedId"], sent["Quiz 1"]["sourcedId"]] == ["301", "305"]
    assert set(books.known_line_items(ledger, DISTRICT)["category_id"]) == {"301"}


async def test_progress_is_told_in_counts_and_ends_with_the_last_one(
    stub: StubSis, ledger: Connection
) -> None:
    told: list[LoadCounts] = []
    items = line_item_plan(2)
    async with gradebook(stub) as sis:
        counts = await run_load(
            ledger, sis, items, result_plan(items, STUDENTS), run_id=open_run(ledger), progress=told.append
        )
    assert told[-1] == counts
    assert [step.requests for step in told] == sorted(step.requests for step in told)


async def test_no_request_is_wasted(stub: StubSis, ledger: Connection) -> None:
    items = line_item_plan(2)
    stub.script = lambda request: (
        web.Response(status=500) if len(stub.calls) == 3 and request.method == "PUT" else None
    )
    async with gradebook(stub) as sis:
        counts = await run_load(ledger, sis, items, result_plan(items, STUDENTS), run_id=open_run(ledger))
    assert counts.requests == 1 + 26 + 1  # a token, the rows, the one that was repeated


# --- What the versions and the SISs differ in ---


GENERIC = replace(PROFILES["generic"], page_size=10)
SCHOOLS = {"k1": "101"}


def marked_results(items: pd.DataFrame) -> pd.DataFrame:
    """A late, a missing, an excused and a plain result."""
    return result_plan(
        items,
        ["7001", "7002", "7003", "7004"],
        score=[17.0, 0.0, float("nan"), 20.0],
        score_status=["fully graded", "not submitted", "exempt", "fully graded"],
        mark=["late", "missing", "", ""],
    )


def sent_results(stub: StubSis) -> dict[str, dict[str, Any]]:
    """The results that the SIS got, by student."""
    bodies = [call.body["result"] for call in stub.calls if "result" in call.body]
    return {body["student"]["sourcedId"]: body for body in bodies}


async def test_a_1_2_line_item_names_the_school_and_its_flags_are_text(
    stub: StubSis, ledger: Connection
) -> None:
    items = line_item_plan(1)
    async with gradebook(stub, profile=GENERIC) as sis:
        counts = await run_load(
            ledger,
            sis,
            items,
            marked_results(items),
            run_id=open_run(ledger),
            schools=SCHOOLS,
        )
    assert (counts.line_items_written, counts.results_written) == (1, 4)
    assert stub.calls[0].path == f"{GENERIC.gradebook_path}/lineItems/{items['line_item_id'][0]}"
    assert stub.calls[0].body["lineItem"]["school"]["sourcedId"] == "101"
    sent = sent_results(stub)
    assert {student: body.get("late") for student, body in sent.items() if "late" in body} == {"7001": "true"}
    assert {student for student, body in sent.items() if "missing" in body} == {"7002"}
    assert {student for student, body in sent.items() if "score" not in body} == {"7003"}
    assert not any("comment" in body for body in sent.values())


@pytest.mark.parametrize(
    ("way", "limit", "comments"),
    [
        ("comment", 100, {"7001": "Late", "7002": "Missing"}),
        ("comment", 0, {"7001": "Late", "7002": "Missing"}),
        ("comment", 4, {"7001": "Late"}),
        ("none", 100, {}),
    ],
)
@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_marks_go_out_as_the_sis_can_hold_them(
    stub: StubSis,
    ledger: Connection,
    version: str,
    way: LateAndMissing,
    limit: int,
    comments: dict[str, str],
) -> None:
    items = line_item_plan(1)
    profile = replace(GENERIC, oneroster=version, comment_limit=limit)
    async with gradebook(stub, profile=profile, late_and_missing=way) as sis:
        await run_load(
            ledger,
            sis,
            items,
            marked_results(items),
            run_id=open_run(ledger),
            schools=SCHOOLS,
        )
    sent = sent_results(stub)
    assert {student: body["comment"] for student, body in sent.items() if "comment" in body} == comments
    assert not any({"late", "missing"} & body.keys() for body in sent.values())
    assert (sent["7003"].get("score"), sent["7003"]["scoreStatus"]) == (
        0.0 if version == "1.1" else None,
        "exempt",
    )


async def test_flags_are_refused_before_the_first_write_where_the_sis_has_none(stub: StubSis) -> None:
    with pytest.raises(ConfigurationError, match="no fields for late and missing"):
        gradebook(stub, late_and_missing="flags")
    assert not stub.calls


async def test_a_class_without_a_school_costs_its_own_line_items_and_no_others(
    stub: StubSis, ledger: Connection
) -> None:
    items = line_item_plan(2)
    items.loc[1, "sis_class_id"] = "k2"
    async with gradebook(stub, profile=GENERIC) as sis:
        counts = await run_load(
            ledger,
            sis,
            items,
            result_plan(items, STUDENTS),
            run_id=open_run(ledger),
            schools=SCHOOLS | {"k2": ""},
        )
    assert (counts.line_items_written, counts.refused, counts.untried) == (1, 1, 12)
    assert counts.requests == 1 + 1 + 12
    with ledger, ledger.cursor() as cursor:
        cursor.execute("SELECT answer_status, answer_words FROM passback.line_items WHERE state = 'refused'")
        assert cursor.fetchall() == [(None, "not sent: the SIS names no school for this class")]


async def test_a_cleared_task_sends_excused_and_marked_scores_no_second_time(
    stub: StubSis, ledger: Connection
) -> None:
    items = line_item_plan(1)
    results = marked_results(items)
    run_id = open_run(ledger)
    settings: Any = {"run_id": run_id, "schools": SCHOOLS}
    async with gradebook(stub, profile=GENERIC) as sis:
        await run_load(ledger, sis, items, results, **settings)
        assert (await run_load(ledger, sis, items, results, **settings)).skipped == 5
        results.loc[0, "mark"] = ""
        counts = await run_load(ledger, sis, items, results, **settings)
    assert (counts.results_written, counts.skipped) == (1, 4)


@pytest.mark.parametrize("turns", range(6))
async def test_a_load_ends_also_when_its_end_and_the_last_answers_come_at_once(
    stub: StubSis, turns: int
) -> None:
    async def nothing(_frame: pd.DataFrame) -> None:
        """No answer is to be noted."""

    async with gradebook(stub) as sis:
        plan = result_plan(line_item_plan(0), [])
        books: Any = None
        desk = load_stage._Desk(sis, books, now, lambda: None, Counter())
        parts: Any = dict.fromkeys(("our_id", "sis_id", "under", "write"), lambda *_: None)
        parts |= {"at_once": 1, "repeatable": True, "count_as": "results_written"}
        ledger: Any = dict.fromkeys(("intend", "answer", "settle"), nothing)
        delivery = load_stage._Delivery[ResultRow](
            desk, RESULT_PLAN, ResultRow, plan, plan, **parts, **ledger
        )
        keeping = asyncio.create_task(delivery._keep_books())
        await asyncio.sleep(0)
        delivery._enough.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        keeping.cancel()
        ended, _ = await asyncio.wait([keeping], timeout=1)
    assert ended
