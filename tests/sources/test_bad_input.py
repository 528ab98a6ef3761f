"""What a feed should not send: a clear failure or a named outcome, never a crash, a loss or a wrong write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from passback.connections import Endpoint
from passback.errors import ContractError
from passback.records import ASSESSMENTS
from passback.rules.columns import local_dates
from passback.sources import SOURCES, pull
from passback.sources.contract import LONGEST_TEXT
from passback.stages.extract import merge_copies

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from passback.sources.pulled import Pull

NOON = "2026-11-01T20:00:00Z"
ASSESSMENT = {
    "id": "a1",
    "class_id": "biology",
    "title": "Essay",
    "type": "Paper",
    "grading_type": "points",
    "points_possible": 10,
    "include_in_final_grade": True,
    "assigned_by": "t1",
    "assigned_at": NOON,
    "due_at": NOON,
    "modified_at": NOON,
}
SCORE = {
    "assessment_id": "a1",
    "class_id": "biology",
    "student_id": "s1",
    "status": "graded",
    "points": 8.5,
    "submitted_at": NOON,
    "graded_at": NOON,
    "modified_at": NOON,
}
RECORDS: dict[str, list[dict[str, Any]]] = {
    "assessments": [ASSESSMENT],
    "scores": [SCORE],
    "classes": [{"id": "biology", "sis_id": "1001", "title": "Biology"}],
    "students": [{"id": "s1", "sis_id": "9001"}],
    "staff": [{"id": "t1", "sis_id": "50"}],
    "group-members": [{"staff_id": "t1", "joined_at": NOON, "left_at": None}],
}


def page(items: list[dict[str, Any]], **changes: Any) -> str:
    envelope = {"as_of": "2026-11-22T18:00:00Z", "total": len(items), "items": items, "next": None}
    return json.dumps(envelope | changes)


class Feed:
    """A feed that answers what a test puts there."""

    def __init__(self, pages: ObjectStoragePath) -> None:
        self.answers = {name: page(items) for name, items in RECORDS.items()}
        self.said: list[str] = []
        self._pages = pages

    def holds(self, collection: str, *items: dict[str, Any]) -> None:
        self.answers[collection] = page(list(items))

    async def read(self) -> Pull:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(text=self.answers[request.match_info["collection"]])

        application = web.Application()
        application.router.add_get("/feed/v1/{collection}", answer)
        async with TestServer(application) as server:
            endpoint = Endpoint("bad_feed", str(server.make_url("")).rstrip("/"), "", "token", {})
            return await pull(
                SOURCES["otus"],
                endpoint,
                self._pages,
                since=None,
                known=ASSESSMENTS.empty(),
                say=self.said.append,
            )

    async def refused(self) -> str:
        """What is said of a feed that cannot be read."""
        with pytest.raises(ContractError) as refused:
            await self.read()
        assert refused.value.mend
        return str(refused.value)


@pytest.fixture
def feed(pages: ObjectStoragePath) -> Feed:
    return Feed(pages)


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("1e999", "1e999"),
        ("1" + "0" * 400, "1" + "0" * 400),
        ('"8.5"', "8.5"),
        ('"8,5"', "8,5"),
        ('"Late"', "Late"),
        ('" "', "blank"),
        ("true", "neither a number nor text"),
        ("[8.5]", "neither a number nor text"),
        ("{}", "neither a number nor text"),
    ],
)
async def test_points_that_are_no_number_refuse_their_score_alone(
    feed: Feed, literal: str, text: str
) -> None:
    feed.holds("scores", SCORE | {"points": -77}, SCORE | {"student_id": "s2"})
    feed.answers["scores"] = feed.answers["scores"].replace("-77", literal)
    scores = (await feed.read()).frames["scores"]
    assert scores["points"].isna().tolist() == [True, False]
    assert scores["points_text"].tolist() in ([text, ""], ["neither a number nor text", ""])


@pytest.mark.parametrize("literal", ["NaN", "1e999", '"10"', "true", "null", "[]"])
async def test_points_possible_that_are_no_number_are_missing(feed: Feed, literal: str) -> None:
    feed.holds("assessments", ASSESSMENT | {"points_possible": -77})
    feed.answers["assessments"] = feed.answers["assessments"].replace("-77", literal)
    assert (await feed.read()).frames["assessments"]["points_possible"].isna().all()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"status": "lost"}, "status"),
        ({"status": None}, "status"),
        ({"status": 1}, "status"),
        ({"graded_at": "2026-02-30T10:00:00Z"}, "graded_at"),
        ({"submitted_at": "2026-11-03T25:00:00Z"}, "submitted_at"),
        ({"modified_at": "2026-13-01T10:00:00Z"}, "modified_at"),
    ],
)
async def test_a_score_that_cannot_be_is_refused_alone_and_said(
    feed: Feed, change: dict[str, Any], field: str
) -> None:
    feed.holds("scores", SCORE | {"student_id": "s2"}, SCORE | {"student_id": "s-secret"} | change)
    scores = (await feed.read()).frames["scores"]
    assert scores["points"].tolist()[0] == 8.5
    assert scores["points"].isna().tolist() == [False, True]
    assert scores["status"].tolist() == ["graded", "graded"]
    assert scores["points_text"].ne("").tolist() == [False, True]
    (said,) = [line for line in feed.said if "refused" in line]
    assert f"bad_feed: scores, field {field}: 1 records" in said
    assert "(the first is record 2)" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"title": 5}, "title"),
        ({"title": None}, "title"),
        ({"type": ["Paper"]}, "type"),
        ({"grading_type": False}, "grading_type"),
        ({"assigned_by": 50}, "assigner_id"),
    ],
)
async def test_a_word_of_an_assessment_that_is_none_is_missing(
    feed: Feed, change: dict[str, Any], column: str
) -> None:
    feed.holds("assessments", ASSESSMENT | change, ASSESSMENT | {"id": "a2"})
    words = (await feed.read()).frames["assessments"][column]
    assert words.ne("").tolist() == [False, True]


@pytest.mark.parametrize(
    ("collection", "change", "told"),
    [
        ("assessments", {"due_at": "2026-02-30T10:00:00Z"}, "field due_at: 1 records have an instant that"),
        ("assessments", {"due_at": "2026-11-01T20:00:00"}, r"$[0].due_at"),
        ("assessments", {"due_at": "tomorrow"}, r"$[0].due_at"),
        ("assessments", {"assigned_at": None}, r"$[0].assigned_at"),
        ("assessments", {"include_in_final_grade": "yes"}, r"$[0].include_in_final_grade"),
        ("assessments", {"published": 1}, r"$[0].published"),
        ("assessments", {"class_id": None}, r"$[0].class_id"),
        ("assessments", {"id": "a" * 201}, r"$[0].id"),
        ("scores", {"graded_at": "2026-11-01T20:00:00"}, r"$[0].graded_at"),
        ("scores", {"student_id": 1}, r"$[0].student_id"),
        ("scores", {"student_id": "s\n1"}, r"$[0].student_id"),
        ("classes", {"sis_id": 1001}, r"$[0].sis_id"),
        ("students", {"sis_id": 9001}, r"$[0].sis_id"),
        ("staff", {"id": ""}, r"$[0].id"),
        (
            "group-members",
            {"joined_at": "2026-11-31T20:00:00Z"},
            "field joined_at: 1 records have an instant",
        ),
        ("group-members", {"left_at": "never"}, r"$[0].left_at"),
    ],
)
async def test_what_no_reason_can_tell_of_stops_the_district_with_its_field(
    feed: Feed, collection: str, change: dict[str, Any], told: str
) -> None:
    feed.holds(collection, RECORDS[collection][0] | change)
    words = await feed.refused()
    assert f"bad_feed: {collection}" in words
    assert told in words


@pytest.mark.parametrize(
    ("collection", "field"),
    [(collection, field) for collection, (record, *_) in RECORDS.items() for field in record],
)
async def test_a_missing_field_is_named(feed: Feed, collection: str, field: str) -> None:
    whole = RECORDS[collection][0]
    feed.holds(collection, {name: value for name, value in whole.items() if name != field})
    assert f"missing required field `{field}`" in await feed.refused()


@pytest.mark.parametrize(
    ("title", "read"),
    [
        ("Essay 🦉", "Essay 🦉"),
        ("חיבור على الطبيعة", "חיבור على الطبيعة"),
        ("\u202eEssay", "\u202eEssay"),
        ("E\x00s\x1bs\r\na\x7fy\x85", "E s s a y"),
        ("half \ud83e a pair", "half &#55358; a pair"),
        ("   ", ""),
    ],
)
async def test_a_title_stays_as_it_is_but_for_control_characters(feed: Feed, title: str, read: str) -> None:
    feed.holds("assessments", ASSESSMENT | {"title": title})
    assert (await feed.read()).frames["assessments"]["title"].tolist() == [read]


async def test_a_title_of_ten_megabytes_is_cut_and_never_told(feed: Feed) -> None:
    feed.holds("assessments", *(ASSESSMENT | {"id": f"a{n}", "title": "E" * 10_000_000} for n in range(3)))
    titles = (await feed.read()).frames["assessments"]["title"]
    assert titles.str.len().tolist() == [LONGEST_TEXT + 1] * 3
    assert sum(map(len, feed.said)) < 1000


async def test_a_date_of_ten_megabytes_is_never_told(feed: Feed) -> None:
    feed.holds("assessments", ASSESSMENT | {"due_at": "E" * 10_000_000})
    assert len(await feed.refused()) < 1000


async def test_equal_copies_are_one_record_and_contradicting_ones_stay_two(feed: Feed) -> None:
    other = SCORE | {"student_id": "s2"}
    feed.holds("scores", SCORE, SCORE, other, other | {"points": 9})
    scores = merge_copies((await feed.read()).frames)["scores"]
    assert scores["student_id"].tolist() == ["s1", "s2", "s2"]


async def test_ids_that_differ_only_in_case_or_leading_zeros_are_different(feed: Feed) -> None:
    ids = ["s1", "S1", "01", "1", "001", "1.0", " 1", "NaN", "None", "1e3"]
    feed.holds("scores", *(SCORE | {"student_id": name} for name in ids))
    feed.holds("students", *({"id": name, "sis_id": name} for name in ids))
    frames = merge_copies((await feed.read()).frames)
    assert frames["scores"]["student_id"].tolist() == ids
    assert frames["students"]["sis_student_id"].tolist() == ids


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-11-01T01:30:00-07:00", "2026-11-01"),  # the same hour twice: summer time …
        ("2026-11-01T01:30:00-08:00", "2026-11-01"),  # … and winter time
        ("2026-11-02T07:59:59Z", "2026-11-01"),
        ("2026-11-02T08:00:00Z", "2026-11-02"),
        ("2026-03-08T07:59:59Z", "2026-03-07"),  # in winter time
        ("2026-03-09T06:59:59Z", "2026-03-08"),  # in summer time
        ("2026-03-09T07:00:00Z", "2026-03-09"),
        ("0001-01-02T00:00:00Z", "0001-01-01"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01"),
        ("9999-12-31T23:59:59Z", "9999-12-31"),
        ("9999-12-31T23:59:59-12:00", "9999-12-31"),
        ("0000-12-31T00:00:00Z", "0001-01-01"),
    ],
)
async def test_a_due_date_is_that_of_the_districts_zone_in_any_year(
    feed: Feed, instant: str, day: str
) -> None:
    feed.holds("assessments", ASSESSMENT | {"due_at": instant})
    due = (await feed.read()).frames["assessments"]["due_at"]
    assert local_dates(due, "America/Los_Angeles").tolist() == [day]


async def test_the_hour_that_comes_twice_is_two_hours(feed: Feed) -> None:
    summer, winter = "2026-11-01T01:30:00-07:00", "2026-11-01T01:30:00-08:00"
    feed.holds("assessments", ASSESSMENT | {"assigned_at": summer, "due_at": winter})
    (row,) = (await feed.read()).frames["assessments"].itertuples()
    assert row.due_at - row.assigned_at == pd.Timedelta(hours=1)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("<!DOCTYPE html><title>Log in</title>", "a web page, not JSON"),
        (page([SCORE])[:-20], "not JSON"),
        ("", "not JSON"),
        ("null", "not what the feed contract says"),
        ('{"error": {"message": "no"}}', "missing required field `as_of`"),
        (page([]).replace("[]", "{}"), "Expected `array`, got `object`"),
        (page([SCORE], as_of="2026-11-22T18:00:00"), "$.as_of"),
        (page([SCORE], total=1.5), "$.total"),
        (page([SCORE], next="again"), "the feed's pages run in a circle"),
    ],
    ids=["login page", "cut off", "nothing", "null", "error", "no list", "no zone", "no count", "circle"],
)
async def test_an_answer_that_is_no_page_is_refused(feed: Feed, answer: str, told: str) -> None:
    feed.answers["scores"] = answer
    assert told in await feed.refused()


@pytest.mark.parametrize(
    ("collection", "column"),
    [("classes", "sis_class_id"), ("students", "sis_student_id"), ("staff", "sis_staff_id")],
)
async def test_whoever_has_two_sis_ids_has_none_that_can_be_believed(
    feed: Feed, collection: str, column: str
) -> None:
    record = RECORDS[collection][0]
    feed.holds(collection, record, record | {"sis_id": "secret"}, record | {"id": "another", "sis_id": "77"})
    ids = merge_copies((await feed.read()).frames)[collection][column]
    assert ids.tolist() == ["", "77"]
    assert [said for said in feed.said if "several SIS ids" in said]
    assert "secret" not in "".join(feed.said)
