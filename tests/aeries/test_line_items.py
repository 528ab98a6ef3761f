"""Assignments: inserted once, changed without losing what a teacher wrote."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from aeries.stub_aeries import StubAeries, category, drop, drop_unstored, gradebook, message
from passback.errors import ConfigurationError, PermissionRefusedError
from passback.gradebook import LineItemRow
from passback.oneroster import Decision
from passback.oneroster.held import HELD_LINE_ITEMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.oneroster import Answer

CLASS = "994_1001"
OURS = "5f0c4e9e-0000-5000-8000-000000000001"


def row(**changes: Any) -> LineItemRow:
    values: dict[str, Any] = {
        "line_item_id": OURS,
        "sis_line_item_id": "",
        "sis_class_id": CLASS,
        "school_id": "994",
        "title": "Essay",
        "category_id": "Test",
        "period_id": "F",
        "assign_date": "2026-10-01",
        "due_date": "2026-10-19",
        "points_possible": 50.0,
    }
    return LineItemRow(**values | changes)


@pytest.fixture
def aeries(stub: StubAeries) -> StubAeries:
    """Aeries with one class."""
    stub.holds(gradebook(1, (994, 1001)))
    return stub


async def write(stub: StubAeries, *rows: LineItemRow, **settings: Any) -> list[Answer]:
    async with stub.client(**settings) as client:
        return [await client.write_line_item(each) for each in rows]


def only(stub: StubAeries) -> dict[str, Any]:
    (found,) = stub.assignments.values()
    return found


def at_insertions(*scripts: Callable[[web.Request], web.StreamResponse | None]) -> Callable[..., Any]:
    """Give these answers to insertions, one after the other."""
    waiting = list(scripts)

    def script(request: web.Request) -> web.StreamResponse | None:
        return waiting.pop(0)(request) if waiting and request.method == "POST" else None

    return script


class TestInsertion:
    async def test_everything_is_said_that_aeries_would_otherwise_choose(self, aeries: StubAeries) -> None:
        (answer,) = await write(aeries, row())
        assert answer.decision is Decision.VERIFY
        assert answer.allotted == {OURS: only(aeries)["UniqueID"]}
        (call,) = aeries.written()
        assert (call.method, call.path) == ("POST", "/gradebooks/1/Assignments")
        assert call.body == {
            "Description": "Essay",
            "AssignmentCategoryCode": "T",
            "DateAssigned": "2026-10-01",
            "DateDue": "2026-10-19",
            "NumberCorrectPossible": 50.0,
            "PointsPossible": 50.0,
            "Comment": "",
            "FormativeSummativeIndicator": "S",
            "RubricAssignment": False,
            "ExternalID": OURS,
            "CreateInLinkedGradebooksToo": False,
        }

    async def test_assignments_of_one_class_look_its_gradebook_up_once(self, aeries: StubAeries) -> None:
        rows = [row(line_item_id=f"item-{index}") for index in range(5)]
        async with aeries.client() as client:
            await asyncio.gather(*(client.write_line_item(each) for each in rows))
            assert client.requests == 1 + 5

    @pytest.mark.parametrize(
        "categories",
        [
            [category("A", "Assignment")],
            [category("A", "Assignment"), category("T", "Test"), category("U", "Test ")],
            [],
        ],
    )
    async def test_a_category_that_is_not_there_once_is_never_sent(
        self, stub: StubAeries, categories: list[dict[str, Any]]
    ) -> None:
        stub.holds(gradebook(1, (994, 1001), AssignmentCategories=categories))
        (answer,) = await write(stub, row())
        assert answer.decision is Decision.REFUSE_ROW
        assert answer.status == 0
        assert "called 'Test'" in answer.words
        assert not stub.written()

    @pytest.mark.parametrize(
        ("gradebooks", "words"),
        [
            ([gradebook(1, (994, 1001)), gradebook(2, (994, 1001))], "not one to one"),
            ([gradebook(1, (994, 1001), (994, 1002))], "not one to one"),
            ([], "has no gradebook"),
        ],
    )
    async def test_nothing_is_sent_where_there_is_no_one_gradebook(
        self, stub: StubAeries, gradebooks: list[dict[str, Any]], words: str
    ) -> None:
        stub.holds(*gradebooks)
        (answer,) = await write(stub, row())
        assert (answer.decision, answer.status) == (Decision.REFUSE_ROW, 0)
        assert words in answer.words
        assert not stub.written()

    async def test_nothing_is_sent_into_another_year(self, stub: StubAeries) -> None:
        days = {"StartDate": "2025-08-17", "EndDate": "2026-06-04"}
        stub.holds(gradebook(1, (994, 1001), **days), year=2025)
        stub.default_year = 2025
        with pytest.raises(ConfigurationError):
            await write(stub, row())
        assert not stub.written()

    async def test_aeries_words_come_with_a_refusal(self, aeries: StubAeries) -> None:
        aeries.script = at_insertions(lambda _: message(400, "Description is too long."))
        (answer,) = await write(aeries, row())
        assert (answer.decision, answer.status) == (Decision.REFUSE_ROW, 400)
        assert answer.words == "Description is too long."

    async def test_a_permission_that_is_missing_is_named(self, aeries: StubAeries) -> None:
        aeries.script = at_insertions(lambda _: message(403, "Denied."))
        with pytest.raises(PermissionRefusedError, match="give the certificate update on Gradebook Data"):
            await write(aeries, row())

    @pytest.mark.parametrize(
        ("stored", "words"),
        [
            ({"AssignmentCategory": category("A", "Assignment")}, "another category"),
            ({"RubricAssignment": True, "NumberCorrectPossible": 0}, "rubric"),
            ({"NumberCorrectPossible": 40}, "another number"),
        ],
    )
    async def test_what_makes_scores_wrong_is_told_with_the_id(
        self, aeries: StubAeries, stored: dict[str, Any], words: str
    ) -> None:
        insert = aeries.insert
        aeries.insert = lambda found, body: insert(found, body) | stored  # type: ignore[method-assign]
        (answer,) = await write(aeries, row())
        assert answer.decision is Decision.REFUSE_ROW
        assert words in answer.words
        assert answer.allotted == {OURS: only(aeries)["UniqueID"]}


async def test_a_gradebook_that_cannot_be_looked_up_stops_no_other(stub: StubAeries) -> None:
    stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1002)))

    def script(request: web.Request) -> web.Response | None:
        if "/sections/1002/" in request.path:
            return message(500, "Out of order.")
        return web.json_response([{"Name": "x"}]) if "/sections/1003/" in request.path else None

    stub.script = script
    classes = ("994_1002", "994_1003", CLASS)
    answers = await write(stub, *(row(sis_class_id=name) for name in classes))
    expected = [Decision.RETRY_LATER, Decision.REFUSE_ROW, Decision.VERIFY]
    assert [answer.decision for answer in answers] == expected
    assert not answers[0].uncertain, "nothing was sent"
    assert len(stub.written()) == 1


class TestLostInsertion:
    """An answer that does not come: nothing is inserted twice."""

    async def test_one_that_arrived_is_found_by_our_id(self, aeries: StubAeries) -> None:
        aeries.script = at_insertions(drop)
        (answer,) = await write(aeries, row())
        assert answer.decision is Decision.VERIFY
        assert answer.allotted == {OURS: only(aeries)["UniqueID"]}
        assert len(aeries.written("POST")) == 1

    async def test_one_that_was_dropped_before_it_was_stored_is_sent_again(self, aeries: StubAeries) -> None:
        aeries.script = at_insertions(drop_unstored)
        (answer,) = await write(aeries, row())
        assert answer.allotted == {OURS: only(aeries)["UniqueID"]}
        assert len(aeries.written("POST")) == 2

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    async def test_one_that_did_not_arrive_is_sent_again(self, aeries: StubAeries, status: int) -> None:
        aeries.script = at_insertions(lambda _: message(status, "Out of order."))
        (answer,) = await write(aeries, row())
        assert answer.decision is Decision.VERIFY
        assert len(aeries.written("POST")) == 2
        only(aeries)

    @pytest.mark.parametrize("body", ["<html><title>Sign in</title></html>", '[{"UniqueID": "', "[]", "{}"])
    async def test_an_answer_that_shows_nothing_is_settled_by_looking(
        self, aeries: StubAeries, body: str
    ) -> None:
        def answered(_: web.Request) -> web.Response:
            aeries.insert(aeries.gradebooks[2026][0], row_body(row()))
            return web.Response(status=201, text=body, content_type="text/html")

        aeries.script = at_insertions(answered)
        (answer,) = await write(aeries, row())
        assert answer.allotted == {OURS: only(aeries)["UniqueID"]}
        assert len(aeries.written("POST")) == 1

    async def test_what_is_accepted_and_not_there_is_read_back_later(self, aeries: StubAeries) -> None:
        aeries.script = at_insertions(lambda _: web.json_response([], status=201))
        (answer,) = await write(aeries, row())
        assert answer.decision is Decision.VERIFY
        assert not answer.allotted
        assert len(aeries.written("POST")) == 1

    async def test_one_that_cannot_be_looked_for_is_not_sent_again(self, aeries: StubAeries) -> None:
        def out_of_order(request: web.Request) -> web.Response | None:
            if request.method == "POST":
                drop(request)
            return message(503, "No.") if request.path.endswith("/assignments") else None

        aeries.script = out_of_order
        (answer,) = await write(aeries, row())
        assert answer.decision is Decision.RETRY_LATER
        assert answer.uncertain
        assert len(aeries.written("POST")) == 1

    async def test_after_a_time_out_it_is_left_to_the_next_run(self, aeries: StubAeries) -> None:
        released = asyncio.Event()

        async def never(request: web.Request) -> web.StreamResponse | None:
            if request.method == "POST":
                await released.wait()
            return None

        aeries.script = never
        (answer,) = await write(aeries, row(), timeout=0.3)
        released.set()
        assert answer.decision is Decision.RETRY_LATER
        assert answer.timed_out
        assert len(aeries.written("POST")) == 1

    async def test_being_told_to_wait_is_no_lost_answer(self, aeries: StubAeries) -> None:
        slow_down = message(429, "Slow down.", **{"Retry-After": "0.05"})
        aeries.script = at_insertions(lambda _: slow_down)
        (answer,) = await write(aeries, row())
        assert answer.decision is Decision.VERIFY
        assert [call.method for call in aeries.calls] == ["GET", "POST", "POST"]


class TestUpdate:
    @pytest.fixture
    async def unique_id(self, aeries: StubAeries) -> str:
        """An assignment of ours that its teacher has touched."""
        aeries.insert(aeries.gradebooks[2026][0], row_body(row()))
        held = only(aeries)
        held |= {"Comment": "Bring a pen", "GradingCompleted": True, "FormativeSummativeIndicator": "F"}
        held |= {"VisibleToParents": False}
        return str(held["UniqueID"])

    async def test_a_change_keeps_what_the_teacher_wrote(self, aeries: StubAeries, unique_id: str) -> None:
        changed = row(sis_line_item_id=unique_id, title="Essay 2", points_possible=60.0)
        (answer,) = await write(aeries, changed)
        assert answer.decision is Decision.VERIFY
        assert answer.allotted == {OURS: unique_id}
        held = only(aeries)
        assert (held["Description"], held["PointsPossible"], held["NumberCorrectPossible"]) == (
            "Essay 2",
            60,
            60,
        )
        assert (held["Comment"], held["GradingCompleted"]) == ("Bring a pen", True)
        assert (held["FormativeSummativeIndicator"], held["VisibleToParents"]) == ("F", False)
        assert held["ExternalID"] == OURS
        (call,) = aeries.written()
        assert call.body["UpdateLinkedGradebooksToo"] is False

    async def test_a_change_may_be_repeated(self, aeries: StubAeries, unique_id: str) -> None:
        waiting = [500, 502]
        aeries.script = lambda request: (
            message(waiting.pop(), "No.") if waiting and request.method == "PUT" else None
        )
        (answer,) = await write(aeries, row(sis_line_item_id=unique_id, title="Essay 2"))
        assert answer.decision is Decision.VERIFY
        assert only(aeries)["Description"] == "Essay 2"

    async def test_one_that_is_taken_over_gets_our_id_unless_it_has_anothers(
        self, aeries: StubAeries, unique_id: str
    ) -> None:
        only(aeries)["ExternalID"] = None
        await write(aeries, row(sis_line_item_id=unique_id))
        assert only(aeries)["ExternalID"] == OURS
        only(aeries)["ExternalID"] = "another system's"
        await write(aeries, row(sis_line_item_id=unique_id))
        assert only(aeries)["ExternalID"] == "another system's"

    async def test_one_that_is_gone_is_refused_and_not_inserted(self, aeries: StubAeries) -> None:
        (answer,) = await write(aeries, row(sis_line_item_id="gone"))
        assert (answer.decision, answer.status) == (Decision.REFUSE_ROW, 404)
        assert not aeries.written()

    async def test_one_that_became_a_rubric_takes_no_points(self, aeries: StubAeries, unique_id: str) -> None:
        only(aeries)["RubricAssignment"] = True
        (answer,) = await write(aeries, row(sis_line_item_id=unique_id))
        assert answer.decision is Decision.REFUSE_ROW
        assert "rubric" in answer.words


async def test_what_stands_in_the_gradebooks(stub: StubAeries) -> None:
    stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1002)))
    stub.insert(stub.gradebooks[2026][0], row_body(row()))
    (ours,) = stub.assignments
    stub.insert(stub.gradebooks[2026][1], row_body(row()) | {"ExternalID": None, "Description": "By hand"})
    async with stub.client() as aeries:
        held, unreadable = await aeries.line_items([CLASS, "994_1002", "994_1003", "workshop"])
        assert aeries.requests == 5
    assert not unreadable
    assert list(held.columns) == list(HELD_LINE_ITEMS.columns)
    first = held.iloc[0].to_dict()
    assert first == {
        "line_item_id": ours,
        "passback_id": OURS,
        "sis_class_id": CLASS,
        "title": "Essay",
        "category_id": "Test",
        "period_id": "",
        "assign_date": "2026-10-01",
        "due_date": "2026-10-19",
        "points_possible": 50.0,
    }
    assert held["passback_id"].tolist() == [OURS, ""]


async def test_of_several_gradebooks_all_assignments_are_the_classs(stub: StubAeries) -> None:
    stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1001)))
    for found in stub.gradebooks[2026]:
        stub.insert(found, row_body(row()))
    async with stub.client() as aeries:
        held, _ = await aeries.line_items([CLASS])
    assert held["sis_class_id"].tolist() == [CLASS, CLASS]


async def test_where_one_of_several_is_meant_teachers_own_work_in_the_others_is_none_of_this_classs(
    stub: StubAeries,
) -> None:
    stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1001)))
    theirs = {**row_body(row(title="Theirs")), "ExternalID": ""}
    for found in stub.gradebooks[2026]:
        stub.insert(found, theirs)
        stub.insert(found, row_body(row()))
    async with stub.client(gradebooks={CLASS: 2}) as aeries:
        held, _ = await aeries.line_items([CLASS])
    assert sorted(held["title"]) == ["Essay", "Essay", "Theirs"]


async def test_a_change_goes_by_the_categories_of_the_gradebook_in_which_the_assignment_stands(
    stub: StubAeries,
) -> None:
    other = [category("T", "Quiz"), category("X", "Test")]
    stub.holds(
        gradebook(1, (994, 1001)),
        gradebook(2, (994, 1001), AssignmentCategories=other),
        gradebook(3, (994, 1002)),
    )
    ours = stub.insert(stub.gradebooks[2026][1], {**row_body(row()), "AssignmentCategoryCode": "X"})
    elsewhere = stub.insert(stub.gradebooks[2026][2], row_body(row()))
    answers = await write(
        stub,
        row(sis_line_item_id=ours["UniqueID"], title="Essay 2"),
        row(sis_line_item_id=elsewhere["UniqueID"], title="Essay 2"),
        gradebooks={CLASS: 1},
    )
    assert [answer.decision for answer in answers] == [Decision.VERIFY, Decision.REFUSE_ROW]
    assert stub.assignments[ours["UniqueID"]]["AssignmentCategory"] == category("X", "Test")
    assert stub.assignments[ours["UniqueID"]]["Description"] == "Essay 2"
    assert stub.assignments[elsewhere["UniqueID"]]["Description"] == "Essay"


async def test_one_gradebook_that_cannot_be_read_is_named(stub: StubAeries) -> None:
    stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1002)))
    stub.script = lambda request: message(403, "No.") if "/gradebooks/2/" in request.path else None
    async with stub.client() as aeries:
        held, unreadable = await aeries.line_items([CLASS, "994_1002"])
    assert held.empty
    assert unreadable == {"994_1002"}


async def test_nothing_is_withdrawn_and_no_category_made(aeries: StubAeries) -> None:
    async with aeries.client() as client:
        for answer in (await client.withdraw_line_item(row()), await client.write_category("id", "Test")):
            assert (answer.decision, answer.status) == (Decision.REFUSE_ROW, 0)
            assert answer.words.startswith("not sent: ")
    assert not aeries.calls


def row_body(item: LineItemRow) -> dict[str, Any]:
    """What a line item looks like to Aeries, without asking the code under test."""
    return {
        "Description": item.title,
        "AssignmentCategoryCode": "T",
        "DateAssigned": item.assign_date,
        "DateDue": item.due_date,
        "NumberCorrectPossible": item.points_possible,
        "PointsPossible": item.points_possible,
        "ExternalID": item.line_item_id,
    }
