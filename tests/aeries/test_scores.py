"""Scores: one batch an assignment, seen stored in its answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from aeries.stub_aeries import StubAeries, drop, gradebook, message, score, serving, student
from passback.errors import ConfigurationError, PermissionRefusedError, UnavailableError
from passback.gradebook import ResultRow
from passback.oneroster import Decision
from passback.oneroster.held import HELD_RESULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from passback.oneroster import Answer

CLASS = "994_1001"
ITEM = "essay"


def row(number: int | str, points: float = 7.5, **changes: Any) -> ResultRow:
    values: dict[str, Any] = {
        "line_item_id": "our essay",
        "sis_student_id": str(number),
        "sis_line_item_id": ITEM,
        "sis_result_id": "",
        "sis_class_id": CLASS,
        "score": points,
        "score_status": "fully graded",
        "score_date": "2026-10-20",
        "mark": "",
    }
    return ResultRow(**values | changes)


def prepare(stub: StubAeries, *students: int) -> StubAeries:
    stub.holds(gradebook(1, (994, 1001)))
    stub.students[1, "F"] = [student(number) for number in students]
    stub.assignments[ITEM] = {"UniqueID": ITEM, "GradebookNumber": 1}
    return stub


@pytest.fixture
def aeries(stub: StubAeries) -> StubAeries:
    """Aeries with an assignment of a class of eight."""
    return prepare(stub, *range(1, 9))


async def write(stub: StubAeries, rows: Sequence[ResultRow]) -> Sequence[Answer]:
    async with stub.client() as client:
        return await client.write_results(rows)


def decisions(answers: Sequence[Answer]) -> list[Decision]:
    return [answer.decision for answer in answers]


async def test_all_scores_of_an_assignment_go_out_at_once_and_are_seen_stored(aeries: StubAeries) -> None:
    answers = await write(aeries, [row(number) for number in range(1, 9)])
    assert decisions(answers) == [Decision.DONE] * 8
    (call,) = aeries.written()
    assert call.path == f"/gradebooks/assignments/{ITEM}/Scores"
    assert call.body == [{"StudentID": number, "NumberCorrect": 7.5} for number in range(1, 9)]
    assert aeries.scores[ITEM] == dict.fromkeys(range(1, 9), 7.5)


async def test_the_year_is_checked_once_before_the_first_score(aeries: StubAeries) -> None:
    async with aeries.client() as client:
        for _ in range(3):
            await client.write_results([row(1)])
        assert client.requests == 1 + 3


async def test_no_score_goes_into_another_year(stub: StubAeries) -> None:
    days = {"StartDate": "2025-08-17", "EndDate": "2026-06-04"}
    stub.holds(gradebook(1, (994, 1001), **days), year=2025)
    stub.default_year = 2025
    with pytest.raises(ConfigurationError):
        await write(stub, [row(1)])
    assert not stub.written()


async def test_a_score_has_four_decimals_at_most(aeries: StubAeries) -> None:
    answers = await write(aeries, [row(1, 100 / 3)])
    assert decisions(answers) == [Decision.DONE]
    assert aeries.scores[ITEM] == {1: 33.3333}


@pytest.mark.parametrize(
    ("unsendable", "words"),
    [
        (row(2, math.nan, score_status="exempt"), "cannot excuse"),
        (row(2, 0.0, score_status="exempt"), "cannot excuse"),
        (row(2, mark="late"), "no mark"),
        (row("n02"), "by a number"),
        (row("99999999999"), "by a number"),
    ],
)
async def test_what_the_interface_cannot_hold_is_not_sent_and_stops_no_other(
    aeries: StubAeries, unsendable: ResultRow, words: str
) -> None:
    answers = await write(aeries, [row(1), unsendable, row(3)])
    assert decisions(answers) == [Decision.DONE, Decision.REFUSE_ROW, Decision.DONE]
    assert answers[1].status == 0
    assert answers[1].words.startswith("not sent: ")
    assert words in answers[1].words
    assert aeries.scores[ITEM] == {1: 7.5, 3: 7.5}


async def test_a_zero_is_a_score(aeries: StubAeries) -> None:
    answers = await write(aeries, [row(1, 0.0, score_status="not submitted")])
    assert decisions(answers) == [Decision.DONE]


async def test_what_is_accepted_and_not_stored_is_seen(aeries: StubAeries) -> None:
    aeries.scores[ITEM] = {1: 5.0}
    aeries.stores = False
    answers = await write(aeries, [row(1), row(2)])
    assert decisions(answers) == [Decision.VERIFY, Decision.VERIFY]
    assert ["another score" in answers[0].words, "no score" in answers[1].words] == [True, True]


async def test_a_student_whom_the_teacher_excused_holds_no_score(aeries: StubAeries) -> None:
    aeries.script = lambda request: (
        web.json_response([score(1, 7.5, Mark="NA"), score(2, 7.5)]) if request.method == "POST" else None
    )
    answers = await write(aeries, [row(1), row(2)])
    assert decisions(answers) == [Decision.VERIFY, Decision.DONE]


@pytest.mark.parametrize("body", ["", "<html>", '[{"StudentID": ', "{}", '[{"StudentID": "x"}]'])
async def test_an_answer_that_shows_nothing_is_read_back_later(aeries: StubAeries, body: str) -> None:
    def answered(request: web.Request) -> web.Response | None:
        return web.Response(text=body, content_type="application/json") if request.method == "POST" else None

    aeries.script = answered
    (answer,) = await write(aeries, [row(1)])
    assert answer.decision in (Decision.VERIFY, Decision.RETRY_LATER)


class TestRefusedBatch:
    """Aeries refuses the whole batch for one student's sake."""

    async def test_one_who_is_not_in_the_gradebook_fails_no_other(self, aeries: StubAeries) -> None:
        answers = await write(aeries, [row(1), row(2), row(77), row(4), row(5)])
        refused = Decision.REFUSE_ROW
        assert decisions(answers) == [Decision.DONE, Decision.DONE, refused, Decision.DONE, Decision.DONE]
        assert answers[2].words == "A student is not in this gradebook."
        assert aeries.scores[ITEM] == dict.fromkeys((1, 2, 4, 5), 7.5)

    async def test_a_refusal_of_all_ends_after_a_few_requests(self, stub: StubAeries) -> None:
        prepare(stub, *range(1, 1001))
        stub.script = lambda request: message(400, "Locked.") if request.method == "POST" else None
        answers = await write(stub, [row(number) for number in range(1, 1001)])
        assert set(decisions(answers)) == {Decision.REFUSE_ROW}
        assert len(stub.written()) < 25

    async def test_an_assignment_that_is_gone_is_asked_for_once(self, aeries: StubAeries) -> None:
        del aeries.assignments[ITEM]
        answers = await write(aeries, [row(1), row(2)])
        assert [(answer.decision, answer.status) for answer in answers] == [(Decision.REFUSE_ROW, 404)] * 2
        assert len(aeries.written()) == 1

    @given(absent=st.sets(st.integers(1, 40), max_size=2))
    @settings(max_examples=15)
    async def test_whoever_is_absent_everybody_else_is_stored(self, absent: set[int]) -> None:
        async with serving(StubAeries()) as stub:
            prepare(stub, *(number for number in range(1, 41) if number not in absent))
            answers = await write(stub, [row(number) for number in range(1, 41)])
            refused = {number for number, answer in enumerate(answers, 1) if answer.decision != Decision.DONE}
            assert refused == absent
            assert set(stub.scores[ITEM]) == set(range(1, 41)) - absent
            assert len(stub.written()) <= 1 + 2 * 7 * len(absent)


async def test_a_dropped_answer_is_repeated_for_a_score_twice_is_a_score_once(aeries: StubAeries) -> None:
    dropped = [True, True]

    def script(request: web.Request) -> None:
        if request.method == "POST" and dropped:
            dropped.pop()
            drop(request)

    aeries.script = script
    answers = await write(aeries, [row(1)])
    assert decisions(answers) == [Decision.DONE]


async def test_aeries_out_of_order_leaves_all_to_the_next_run(aeries: StubAeries) -> None:
    aeries.script = lambda request: message(503, "Maintenance.") if request.method == "POST" else None
    answers = await write(aeries, [row(1), row(2)])
    assert decisions(answers) == [Decision.RETRY_LATER] * 2


async def test_a_permission_that_is_missing_is_named(aeries: StubAeries) -> None:
    aeries.script = lambda request: message(403, "Denied.") if request.method == "POST" else None
    with pytest.raises(PermissionRefusedError, match="give the certificate update on Gradebook Scores"):
        await write(aeries, [row(1)])


async def test_an_assignment_whose_id_is_not_known_gets_no_scores(aeries: StubAeries) -> None:
    answers = await write(aeries, [row(1, sis_line_item_id="")])
    assert decisions(answers) == [Decision.REFUSE_ROW]
    assert not aeries.calls


async def test_no_score_is_withdrawn(aeries: StubAeries) -> None:
    async with aeries.client() as client:
        answer = await client.withdraw_result(row(1))
    assert (answer.decision, answer.status) == (Decision.REFUSE_ROW, 0)


async def test_what_an_assignment_holds(aeries: StubAeries) -> None:
    scores = [
        score(1, 7.5),
        score(2, None),
        score(3, None, Mark="NA"),
        score(4, 3.0, Mark="TX"),
        score(5, None, IsMissing=True),
        score(6, 0.0),
    ]
    aeries.script = lambda _: web.json_response(scores)
    async with aeries.client() as client:
        held = await client.results(CLASS, ITEM)
    assert list(held.columns) == list(HELD_RESULTS.columns)
    assert held["line_item_id"].unique().tolist() == [ITEM]
    assert held["result_id"].is_unique
    assert not held["result_id"].str.contains("|".join(held["sis_student_id"] + "$")).all()
    found = {
        each.sis_student_id: (None if math.isnan(each.score) else each.score, each.score_status, each.mark)
        for each in held.itertuples()
    }
    assert found == {
        "1": (7.5, "fully graded", ""),
        "2": (None, "not submitted", ""),
        "3": (None, "exempt", ""),
        "4": (None, "exempt", ""),
        "5": (None, "not submitted", "missing"),
        "6": (0.0, "fully graded", ""),
    }
    dates = dict(zip(held["sis_student_id"], held["score_date"], strict=True))
    assert (dates["1"], dates["2"]) == ("2026-10-19", "")


async def test_an_assignment_that_is_gone_holds_nothing(aeries: StubAeries) -> None:
    async with aeries.client() as client:
        assert (await client.results(CLASS, "gone")).empty


async def test_reading_while_aeries_is_down_is_no_empty_gradebook(aeries: StubAeries) -> None:
    aeries.script = lambda _: message(503, "Maintenance.")
    async with aeries.client() as client:
        with pytest.raises(UnavailableError):
            await client.results(CLASS, ITEM)
