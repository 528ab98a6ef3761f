"""A change run brings the last extraction to where Canvas stands now."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passback.frame_store import open_folder
from passback.records import ASSESSMENTS
from passback.sources import canvas
from passback.sources.canvas.reading import OVERLAP
from passback.stages.extract import merge
from sandbox_process import request
from sources.canvas.stub_canvas import ASSIGNMENTS, SECTIONS, SUBMISSIONS, assignment, student, submission
from sources.canvas.test_workshop import endpoint, quiet

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from passback.sources.pulled import Pull
    from sandbox_process import SandboxProcess
    from sources.canvas.stub_canvas import Record, StubCanvas

LAST_NIGHT = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)
ASKED_SINCE = "2026-03-10T04:50:00Z"
KEY = ["assessment_id", "class_id"]


def known(*assessment_ids: str, class_ids: tuple[str, ...] = ("11", "12")) -> pd.DataFrame:
    pairs = [(assessment_id, class_id) for assessment_id in assessment_ids for class_id in class_ids]
    return pd.DataFrame(pairs, columns=KEY, dtype="str")


def asked(stub: StubCanvas) -> list[dict[str, list[str]]]:
    """What the listings of submissions were asked for beside what all are."""
    found = []
    for call in stub.calls:
        path, _, query = call.partition("?")
        if path == SUBMISSIONS:
            terms: dict[str, list[str]] = {}
            for term in query.replace("%5B%5D", "[]").replace("%3A", ":").split("&"):
                name, _, value = term.partition("=")
                if name in {"graded_since", "submitted_since", "assignment_ids[]"}:
                    terms.setdefault(name, []).append(value)
            found.append(terms)
    return found


CHANGES = [{"graded_since": [ASKED_SINCE]}, {"submitted_since": [ASKED_SINCE]}]


# --- What it asks for ---


async def test_only_what_was_graded_or_handed_in_since_is_asked_for(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    got = await stub.pull(pages, since=LAST_NIGHT, known=known("101", "102"))
    assert asked(stub) == CHANGES
    assert got.changes == {"scores"}
    assert "scores" not in got.totals
    assert len(got.frames["assessments"]) == got.totals["assessments"] == 4


async def test_microseconds_are_cut_off_the_instant_asked_for(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    await stub.pull(pages, since=LAST_NIGHT.replace(microsecond=999_999), known=known("101", "102"))
    assert asked(stub) == CHANGES


@pytest.mark.parametrize(
    ("changed", "class_ids"),
    [
        (
            {"updated_at": "2026-03-10T04:50:00Z"},
            ("11", "12"),
        ),  # a flag switched on, published, assigned anew
        ({"post_manually": True}, ("11", "12")),
        ({"overrides": [{"group_id": 5}]}, ("11", "12")),
        ({"overrides": [{"noop_id": 5}]}, ("11", "12")),
    ],
    ids=["changed since", "posted by hand", "for a group", "for a mastery path"],
)
async def test_what_the_changes_do_not_tell_is_read_whole(
    stub: StubCanvas, pages: ObjectStoragePath, changed: Record, class_ids: tuple[str, ...]
) -> None:
    stub.records[ASSIGNMENTS][1] |= changed
    got = await stub.pull(pages, since=LAST_NIGHT, known=known("101", "102", class_ids=class_ids))
    assert asked(stub) == [*CHANGES, {"assignment_ids[]": ["102"]}]
    assert got.deleted["scores"].to_dict("list") == {"assessment_id": ["102"]}


async def test_a_new_assignment_is_read_whole(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    await stub.pull(pages, since=LAST_NIGHT, known=known("101"))
    assert asked(stub) == [*CHANGES, {"assignment_ids[]": ["102"]}]


async def test_an_assignment_that_is_new_to_a_section_is_read_whole(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    stub.records[ASSIGNMENTS][1]["overrides"] = [{"course_section_id": 11}]
    stub.records[ASSIGNMENTS][1]["only_visible_to_overrides"] = True
    stub.records[SECTIONS].append({"id": 13, "name": "Algebra P3", "sis_section_id": "A-3"})
    await stub.pull(pages, since=LAST_NIGHT, known=known("101", "102"))
    assert asked(stub) == [*CHANGES, {"assignment_ids[]": ["101"]}]


async def test_a_course_that_is_new_is_read_in_one_go(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    await stub.pull(pages, since=LAST_NIGHT, known=known("999"))
    assert asked(stub) == [{}]


async def test_drafts_have_no_submissions_to_ask_for(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    stub.records[ASSIGNMENTS] = [assignment(101), assignment(102, published=False)]
    await stub.pull(pages, since=LAST_NIGHT, known=known("101"))
    assert asked(stub) == CHANGES
    stub.calls.clear()
    stub.records[ASSIGNMENTS] = [assignment(101, published=False)]
    await stub.pull(pages / "drafts", since=LAST_NIGHT, known=known("101"))
    assert asked(stub) == []


async def test_long_lists_of_assignments_are_asked_for_in_parts(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    stub.records[ASSIGNMENTS] = [assignment(number) for number in range(101, 232)]
    await stub.pull(pages, since=LAST_NIGHT, known=known("101"))
    parts = [terms["assignment_ids[]"] for terms in asked(stub) if "assignment_ids[]" in terms]
    assert [len(part) for part in parts] == [50, 50, 30]
    assert sorted(chain.from_iterable(parts)) == [str(number) for number in range(102, 232)]


async def test_of_two_listings_the_later_holds(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    scores = iter([5.0, 6.0, 7.0])

    def script(request: Any) -> None:
        if request.path == SUBMISSIONS:
            stub.records[SUBMISSIONS] = [student(1, 11, submission(102, score=next(scores)))]

    stub.script = script
    got = await stub.pull(pages, since=LAST_NIGHT, known=known("101"))
    assert got.frames["scores"]["points"].to_list() == [7.0]


# --- What comes of it ---


@pytest.fixture(scope="module")
def canvas_of_its_own(running_canvas: SandboxProcess) -> SandboxProcess:
    running_canvas.reset()
    return running_canvas


def workshop(
    sandbox: SandboxProcess, since: datetime | None = None, last: pd.DataFrame | None = None
) -> Pull:
    """The workshop alone, which is read quickly."""
    at = replace(endpoint(sandbox), extra={"courses": ["901"]})
    held = (ASSESSMENTS.empty() if last is None else last)[KEY]
    with TemporaryDirectory() as folder:
        pages = open_folder(Path(folder).as_uri())
        return asyncio.run(canvas.pull(at, pages, since=since, known=held, say=quiet))


STUDENTS = [10011391, 10028400, 10031604, 10045462, 10053025, 10059185, 99000017]
PUBLISHED = [900001, 900002, 900003, 900004, 900007, 900018]
SUBMITTED_AT = "2026-11-20T10:00:00Z"

grades = st.one_of(
    st.builds(lambda points: {"score": points}, st.integers(0, 12).map(float)),
    st.just({"excused": True}),
    st.just({"grade": "incomplete"}),
    st.builds(lambda points: {"score": points, "posted_at": None}, st.integers(0, 10).map(float)),
)
graded = st.tuples(
    st.just("PATCH"),
    st.builds("/canvas/submissions/{}/{}".format, st.sampled_from(PUBLISHED), st.sampled_from(STUDENTS)),
    grades,
)
changed = st.tuples(
    st.just("PATCH"),
    st.builds("/canvas/assignments/{}".format, st.sampled_from([*PUBLISHED, 900006])),
    st.sampled_from(
        [
            {"published": True},
            {"post_to_sis": True},
            {"post_to_sis": False},
            {"name": "Another title"},
            {
                "overrides": [
                    {"id": 1, "title": "x", "course_section_id": 9011, "due_at": "2026-12-01T08:00:00Z"}
                ]
            },
        ]
    ),
)
added = st.builds(
    lambda name: ("PUT", "/canvas/assignments", {"course_id": 901, "name": name, "points_possible": 10.0}),
    st.sampled_from(["New", "Newer"]),
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(graded, graded, changed, added), min_size=1, max_size=8))
def test_everything_is_the_last_extraction_and_what_changed_since(
    canvas_of_its_own: SandboxProcess, changes: list[tuple[str, str, Record]]
) -> None:
    before = workshop(canvas_of_its_own)
    for method, path, body in changes:
        order(canvas_of_its_own, method, path, body)
    now = workshop(canvas_of_its_own, since=before.as_of + OVERLAP, last=before.frames["assessments"])
    merged = merge(now, before.frames)
    whole = workshop(canvas_of_its_own).frames
    assert merged is not None
    for name, frame in whole.items():
        key = list(frame.columns[:3])
        pd.testing.assert_frame_equal(
            merged[name].sort_values(key, ignore_index=True), frame.sort_values(key, ignore_index=True)
        )


def order(sandbox: SandboxProcess, method: str, path: str, body: Record) -> None:
    """Change something, unless the student does not have that assignment."""
    assert request(method, f"{sandbox.url}/control{path}", body).status in {200, 201, 404}


def test_work_handed_in_since_counts_as_handed_in(canvas_of_its_own: SandboxProcess) -> None:
    before = workshop(canvas_of_its_own)
    rows = before.frames["scores"]
    waiting = rows[rows["status"].eq("not_submitted") & rows["assessment_id"].eq("900009")].iloc[0]
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    canvas_of_its_own.control(
        "PATCH",
        f"/canvas/submissions/900009/{waiting['student_id']}",
        {"submitted_at": moment, "workflow_state": "submitted"},
    )
    now = workshop(canvas_of_its_own, since=before.as_of, last=before.frames["assessments"])
    got = now.frames["scores"]
    mine = got[got["assessment_id"].eq("900009") & got["student_id"].eq(waiting["student_id"])]
    assert mine["status"].to_list() == ["turned_in"]
