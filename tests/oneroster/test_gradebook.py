"""A result of an assignment that was taken over keeps what its teacher wrote beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from oneroster.stub_sis import QUICK, SKYWARD
from passback.gradebook import ResultRow
from passback.oneroster import Decision, Limits
from passback.oneroster.gradebook import OneRosterGradebook

if TYPE_CHECKING:
    from oneroster.stub_sis import StubSis
    from passback.sis.profile import LateAndMissing

LISTING = "/classes/c1/lineItems/theirs/results"
ROW = ResultRow("ours", "P1", "theirs", "77", "c1", 8.5, "fully graded", "2026-11-20", "")


def held(**said: Any) -> dict[str, Any]:
    """What the SIS holds of the student."""
    return {
        "sourcedId": "77",
        "lineItem": {"sourcedId": "theirs"},
        "student": {"sourcedId": "P1"},
        "score": 5,
    } | said


def gradebook(stub: StubSis, marks: LateAndMissing = "none") -> OneRosterGradebook:
    return OneRosterGradebook(
        stub.endpoint,
        SKYWARD,
        clock=lambda: datetime(2026, 11, 22, tzinfo=UTC),
        late_and_missing=marks,
        limits=Limits(connections=4, requests_per_second=10_000),
        retries=QUICK,
    )


def puts(stub: StubSis) -> list[dict[str, Any]]:
    return [call.body["result"] for call in stub.calls if call.method == "PUT"]


@pytest.mark.parametrize(
    ("comment", "marks", "mark", "goes_out"),
    [
        ("Well argued.", "none", "", "Well argued."),
        ("  ", "none", "", None),
        (None, "none", "", None),
        ("Late", "none", "", "Late"),  # a teacher's own: marks do not go out as comments
        ("Late", "comment", "", None),  # ours, of a mark that is no more
        ("Well argued.", "comment", "", "Well argued."),
        ("Well argued.", "comment", "late", "Late"),  # the mark needs its place
    ],
)
async def test_a_comment_goes_out_again_with_the_score(
    stub: StubSis, comment: str | None, marks: LateAndMissing, mark: str, goes_out: str | None
) -> None:
    stub.collections[LISTING] = [held(comment=comment)]
    async with gradebook(stub, marks) as sis:
        await sis.write_results([ROW._replace(mark=mark)])
    (body,) = puts(stub)
    assert body.get("comment") == goes_out
    assert body["score"] == 8.5


async def test_the_comments_of_an_assignment_are_read_once_and_those_of_ours_never(stub: StubSis) -> None:
    stub.collections[LISTING] = [held(comment="Well argued."), held(sourcedId="78", comment="See me.")]
    async with gradebook(stub) as sis:
        await sis.write_results([ROW, ROW._replace(sis_student_id="P2", sis_result_id="78")])
        await sis.write_results([ROW._replace(sis_line_item_id="", sis_result_id="")])
    assert [call.path for call in stub.calls if call.method == "GET"] == [LISTING]
    assert [body.get("comment") for body in puts(stub)] == ["Well argued.", "See me.", None]


async def test_nothing_is_overwritten_while_it_is_not_known_what_stands_beside_it(stub: StubSis) -> None:
    stub.script = lambda request: web.json_response({}, status=403) if request.method == "GET" else None
    async with gradebook(stub) as sis:
        (answer,) = await sis.write_results([ROW])
    assert answer.decision is Decision.RETRY_LATER
    assert puts(stub) == []
