"""Canvas' pages are followed, its throttle is minded, and every refusal says what it means."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from passback.errors import (
    BusyError,
    ConfigurationError,
    ContractError,
    CredentialError,
    PassbackError,
    PermissionRefusedError,
    UnavailableError,
)
from passback.sources import canvas
from passback.sources.canvas.client import ATTEMPTS, PARALLEL, RESERVE
from sources.canvas.stub_canvas import ASSIGNMENTS, COURSES, SECTIONS, SUBMISSIONS, TO_SYNC, submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import ObjectStoragePath

    from sources.canvas.stub_canvas import StubCanvas

THROTTLED = "403 Forbidden (Rate Limit Exceeded)\n"


def answering(
    path: str, *answers: Callable[[], web.StreamResponse]
) -> Callable[[web.Request], web.StreamResponse | None]:
    """Give these answers to the first requests for a path; the last one for ever if it is given alone."""
    waiting = list(answers)

    def script(request: web.Request) -> web.StreamResponse | None:
        if request.path != path or not waiting:
            return None
        return waiting.pop(0)() if len(answers) > 1 else waiting[0]()

    return script


def drop(request: web.Request) -> web.StreamResponse | None:
    assert request.transport
    request.transport.abort()
    return None


def calls(stub: StubCanvas) -> Counter[str]:
    return Counter(call.partition("?")[0] for call in stub.calls)


# --- Pages ---


@pytest.mark.parametrize("header", ["Link", "link", "LINK"])
async def test_links_are_followed_whatever_the_case_of_their_header(
    stub: StubCanvas, pages: ObjectStoragePath, header: str
) -> None:
    stub.link, stub.per_page = header, 1
    got = await stub.pull(pages)
    assert {name: len(got.frames[name]) for name in ("assessments", "scores", "classes", "students")} == {
        "assessments": 4,
        "scores": 5,
        "classes": 2,
        "students": 3,
    }
    assert calls(stub)[SUBMISSIONS] == 3
    assert got.requests == len(stub.calls)


async def test_a_hundred_records_are_asked_for_at_a_time(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    await stub.pull(pages)
    assert all("per_page=100" in call for call in stub.calls)


async def test_courses_that_ended_long_ago_are_not_asked_for(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    await stub.pull(pages)
    asked = {call.partition("?")[0]: call for call in stub.calls}
    year_ago = f"{datetime.now(UTC) - timedelta(days=365):%Y-%m-%d}"
    assert all(f"ends_after={year_ago}" in asked[path] for path in (COURSES, TO_SYNC))


async def test_the_links_of_long_queries_fit_into_a_header(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    stub.headers = {"Link": f'<{stub.url}/?{"x" * 30_000}>; rel="last"'}
    assert (await stub.pull(pages)).totals["scores"] == 5


async def test_pages_in_a_circle_are_refused(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    stub.script = lambda request: (
        web.json_response([], headers={"Link": f'<{request.url.with_query(page="1")}>; rel="next"'})
        if request.path == SECTIONS
        else None
    )
    with pytest.raises(ContractError, match="run in a circle"):
        await stub.pull(pages)


@pytest.mark.parametrize(
    "elsewhere", ["http://127.0.0.2:{port}/", "https://127.0.0.1:{port}/", "http://127.0.0.1:1/"]
)
async def test_the_token_goes_to_no_other_host(
    stub: StubCanvas, pages: ObjectStoragePath, elsewhere: str
) -> None:
    target = elsewhere.format(port=stub.url.rpartition(":")[2])
    stub.script = answering(
        SECTIONS, lambda: web.json_response([], headers={"Link": f'<{target}>; rel="next"'})
    )
    with pytest.raises(ContractError, match="leads to another host"):
        await stub.pull(pages)
    assert calls(stub)[SECTIONS] == 1


async def test_a_redirect_is_not_followed(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    stub.script = answering(COURSES, lambda: web.Response(status=302, headers={"Location": "/login"}))
    with pytest.raises(ContractError, match="Canvas answered 302"):
        await stub.pull(pages)
    assert calls(stub)["/login"] == 0


# --- The throttle ---


@pytest.mark.parametrize("status", [403, 429])
async def test_a_throttled_request_is_tried_again_after_growing_waits(
    stub: StubCanvas, pages: ObjectStoragePath, status: int
) -> None:
    stub.script = answering(
        SECTIONS,
        *[lambda: web.Response(status=status, text=THROTTLED, headers={"X-Rate-Limit-Remaining": "0.0"})] * 3,
    )
    assert (await stub.pull(pages)).totals["scores"] == 5
    times = [at for at, call in zip(stub.at, stub.calls, strict=True) if call.startswith(SECTIONS)]
    waits = [later - sooner for sooner, later in pairwise(times)]
    assert all(wait >= least for wait, least in zip(waits, (0.01, 0.02, 0.04), strict=True))


async def test_a_throttle_that_lasts_is_left_to_a_later_try(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    stub.script = answering(COURSES, lambda: web.Response(status=429, text="Rate Limit Exceeded"))
    with pytest.raises(BusyError, match="slow down"):
        await stub.pull(pages)
    assert calls(stub)[COURSES] == ATTEMPTS


async def test_who_is_asked_to_wait_long_comes_back_later(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    stub.script = answering(
        COURSES, lambda: web.Response(status=429, text=THROTTLED, headers={"Retry-After": "3600"})
    )
    with pytest.raises(BusyError) as busy:
        await stub.pull(pages)
    assert (busy.value.retry_after, calls(stub)[COURSES]) == (3600, 1)


@pytest.mark.parametrize(("bucket", "reserve"), [(600, RESERVE), (60, 20)])
async def test_requests_slow_down_before_the_bucket_is_full(
    stub: StubCanvas, pages: ObjectStoragePath, bucket: int, reserve: int
) -> None:
    def script(_: web.Request) -> None:
        stub.headers = {"X-Rate-Limit-Remaining": str(bucket if len(stub.calls) == 1 else reserve - 1)}

    stub.script = script
    await stub.pull(pages)
    waits = [later - sooner for sooner, later in pairwise(stub.at)]
    assert waits[0] < 0.1
    assert min(waits[1:]) >= 0.1  # in a tenth of a second, one leaks


async def test_few_requests_run_at_once(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    stub.add_courses(*range(2, 12))
    running, most, enough = 0, 0, asyncio.Event()

    async def script(request: web.Request) -> None:
        nonlocal running, most
        if not request.path.endswith("/sections"):
            return
        running += 1
        most = max(most, running)
        if running == PARALLEL:
            enough.set()
        await enough.wait()
        running -= 1

    stub.script = script
    await stub.pull(pages)
    assert most == PARALLEL


# --- Refusals ---


@pytest.mark.parametrize(
    ("path", "answer", "error", "told"),
    [
        (
            COURSES,
            {"status": 403, "body": {"status": "unauthorized"}},
            PermissionRefusedError,
            "may not read the courses of the account.*'Courses - view list'",
        ),
        (
            TO_SYNC,
            {"status": 401, "body": {"status": "unauthorized", "errors": [{"message": "no"}]}},
            PermissionRefusedError,
            "may not read the assignments for the SIS.*'Grades - view all grades'",
        ),
        (
            SUBMISSIONS,
            {"status": 403, "body": {"status": "unauthorized"}},
            PermissionRefusedError,
            "may not read the grades of course 1.*'Grades - view all grades'",
        ),
        (
            COURSES,
            {"status": 401, "body": {"errors": []}, "headers": {"WWW-Authenticate": "Bearer"}},
            CredentialError,
            "refused the token.*password of the connection 'canyonridge_canvas'",
        ),
        (
            TO_SYNC,
            {"status": 400, "body": {"code": "not_enabled", "error": "no"}},
            ConfigurationError,
            "exports no grades.*switch on",
        ),
        (COURSES, {"status": 404, "body": {}}, ContractError, "does not know the courses of the account"),
        (ASSIGNMENTS, {"status": 400, "body": {}}, ContractError, "Canvas answered 400"),
        (
            SUBMISSIONS,
            {"status": 403, "body": {"error": "invalid assignment ids requested"}},
            UnavailableError,
            "unpublished or deleted while",
        ),
    ],
)
async def test_a_refusal_says_what_it_means_and_is_not_repeated(
    stub: StubCanvas,
    pages: ObjectStoragePath,
    path: str,
    answer: dict[str, object],
    error: type[PassbackError],
    told: str,
) -> None:
    stub.script = answering(
        path,
        lambda: web.json_response(answer["body"], status=answer["status"], headers=answer.get("headers")),  # type: ignore[arg-type]
    )
    with pytest.raises(error, match=told):
        await stub.pull(pages)
    assert calls(stub)[path] == 1


async def test_sis_ids_that_may_not_be_seen_are_a_missing_permission(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    for section in stub.records[SECTIONS]:
        del section["sis_section_id"]
    with pytest.raises(PermissionRefusedError, match="'SIS Data - read'"):
        await stub.pull(pages)


@pytest.mark.parametrize("trouble", [lambda _: web.Response(status=502), drop], ids=["502", "lost"])
async def test_what_may_pass_is_tried_again(
    stub: StubCanvas, pages: ObjectStoragePath, trouble: Callable[[web.Request], web.StreamResponse | None]
) -> None:
    left = {SECTIONS: 2, SUBMISSIONS: 1, COURSES: 1}

    def script(request: web.Request) -> web.StreamResponse | None:
        if left.get(request.path, 0) == 0:
            return None
        left[request.path] -= 1
        return trouble(request)

    stub.script = script
    assert (await stub.pull(pages)).totals["scores"] == 5
    assert calls(stub)[SECTIONS] == 3


@pytest.mark.parametrize("trouble", [lambda _: web.Response(status=503), drop], ids=["503", "lost"])
async def test_a_canvas_that_stays_down_is_told(
    stub: StubCanvas, pages: ObjectStoragePath, trouble: Callable[[web.Request], web.StreamResponse | None]
) -> None:
    stub.script = trouble
    with pytest.raises(UnavailableError, match=r"Canvas (answered 503|does not answer)"):
        await stub.pull(pages)


@pytest.mark.parametrize(
    "extra", [{}, {"account": "1", "courses": ["1"]}, {"courses": "1"}, {"courses": []}], ids=repr
)
async def test_the_connection_names_an_account_or_courses(
    stub: StubCanvas, pages: ObjectStoragePath, extra: dict[str, object]
) -> None:
    stub.extra = extra
    with pytest.raises(ConfigurationError, match="either the account or a list of courses"):
        await stub.pull(pages)


async def test_courses_may_be_named_one_by_one(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    whole = await stub.pull(pages)
    course = stub.records.pop(COURSES)[0]
    stub.records["/api/sis/courses/1/assignments"] = stub.records.pop(TO_SYNC)
    stub.script = lambda request: web.json_response(course) if request.path == "/api/v1/courses/1" else None
    stub.extra = {"courses": [1]}
    got = await stub.pull(pages / "again")
    assert got.frames["scores"].equals(whole.frames["scores"])
    stub.script = lambda request: (
        web.json_response(course | {"workflow_state": "unpublished"})
        if request.path == "/api/v1/courses/1"
        else web.json_response({"code": "unpublished_course", "error": "no"}, status=400)
        if request.path == "/api/sis/courses/1/assignments"
        else None
    )
    got = await stub.pull(pages / "unpublished")
    assert set(got.frames["assessments"]["course_published"]) == {False}
    assert len(got.frames["scores"]) == 5


async def test_a_course_that_is_gone_since_the_courses_were_listed_is_left_out(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    said: list[str] = []
    stub.add_courses(2)
    del stub.records["/api/v1/courses/2/sections"]
    got = await stub.pull(pages, say=said.append)
    assert set(got.frames["classes"]["class_id"]) == {"11", "12"}
    assert "course 2 is gone since the courses were listed" in said


BAD_COURSE = "/api/v1/courses/2/students/submissions"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda: web.json_response({"status": "unauthorized"}, status=403), "may not read the grades"),
        (lambda: web.json_response({"status": "unauthorized"}, status=401), "may not read the grades"),
        (lambda: web.json_response({}, status=404), "does not know the grades"),
        (lambda: web.json_response({}, status=400), "Canvas answered 400"),
        (lambda: web.Response(text="<html>Log in</html>", content_type="text/html"), "a web page, not JSON"),
        (lambda: web.Response(text='[{"user_id": 1'), "not JSON"),
        (lambda: web.json_response([{"user_id": "s-secret"}]), "not what Canvas documents"),
    ],
)
async def test_a_course_that_cannot_be_read_stops_no_other_and_is_told_of(
    stub: StubCanvas, pages: ObjectStoragePath, answer: Callable[[], web.StreamResponse], told: str
) -> None:
    stub.add_courses(2, 3)
    stub.script = answering(BAD_COURSE, answer)
    got = await stub.pull(pages)
    assert set(got.frames["classes"]["class_id"]) == {"11", "12", "31"}
    assert len(got.frames["scores"]) == 5
    (unread,) = got.unread
    assert unread.title == "Course 2 (course 2)"
    assert told in str(unread.error)
    assert "secret" not in str(unread.error)


@pytest.mark.parametrize("when", ["2026-02-30T10:00:00Z", "2026-13-01T10:00:00Z"])
async def test_a_course_with_a_day_that_does_not_exist_stops_no_other(
    stub: StubCanvas, pages: ObjectStoragePath, when: str
) -> None:
    stub.add_courses(2, 3)
    stub.records["/api/v1/courses/2/assignments"][0]["due_at"] = when
    got = await stub.pull(pages)
    assert set(got.frames["classes"]["class_id"]) == {"11", "12", "31"}
    assert [unread.title for unread in got.unread] == ["Course 2 (course 2)"]


async def test_a_course_that_does_not_answer_is_tried_again_later_and_then_left_out(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    stub.add_courses(2, 3)
    stub.script = answering(BAD_COURSE, lambda: web.Response(status=500))
    with pytest.raises(UnavailableError):
        await stub.pull(pages)
    stub.calls = []
    got = await stub.pull(pages)
    assert SUBMISSIONS not in calls(stub)
    assert set(got.frames["classes"]["class_id"]) == {"11", "12", "31"}
    assert ["Canvas answered 500" in str(unread.error) for unread in got.unread] == [True]


async def test_what_keeps_most_courses_from_being_read_is_no_matter_of_single_ones(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    stub.add_courses(2, 3)
    stub.script = lambda request: (
        web.json_response({"status": "unauthorized"}, status=403)
        if request.path in {BAD_COURSE, SUBMISSIONS}
        else None
    )
    with pytest.raises(PermissionRefusedError, match="may not read the grades of course"):
        await stub.pull(pages)


async def test_many_courses_that_do_not_answer_are_an_outage(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    stub.add_courses(*range(2, 9))
    stub.script = lambda request: (
        web.Response(status=500) if request.path.endswith("/sections") and request.path != SECTIONS else None
    )
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await stub.pull(pages)


# --- The clock ---


@pytest.mark.parametrize("ahead", [timedelta(hours=-1), timedelta(hours=1)])
async def test_the_earlier_of_both_clocks_says_when_reading_began(
    stub: StubCanvas, pages: ObjectStoragePath, ahead: timedelta
) -> None:
    before = datetime.now(UTC)
    stub.headers = {"Date": format_datetime(before + ahead, usegmt=True)}
    as_of = (await stub.pull(pages)).as_of
    assert abs(as_of - min(before, before + ahead)) < timedelta(seconds=5)


# --- An extraction that was interrupted ---


async def test_an_interrupted_extraction_goes_on_with_the_next_course(
    stub: StubCanvas, pages: ObjectStoragePath
) -> None:
    stub.add_courses(*range(2, 9))
    stub.script = answering("/api/v1/courses/8/sections", lambda: web.Response(status=503))
    with pytest.raises(UnavailableError):
        await stub.pull(pages)
    stub.script, stub.calls = None, []
    got = await stub.pull(pages)
    assert len(got.frames["classes"]) == 9
    assert COURSES not in calls(stub)
    assert SUBMISSIONS not in calls(stub)
    assert got.as_of <= datetime.now(UTC)


async def test_what_was_kept_hours_ago_is_read_again(
    stub: StubCanvas, pages: ObjectStoragePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stub.pull(pages)
    monkeypatch.setattr("passback.sources.canvas.reading.PAGES_KEPT", timedelta(0))
    stub.calls = []
    await stub.pull(pages)
    assert calls(stub)[COURSES] == calls(stub)[SUBMISSIONS] == 1


async def test_what_a_student_wrote_is_never_kept(stub: StubCanvas, pages: ObjectStoragePath) -> None:
    stub.records[SUBMISSIONS][0]["submissions"] = [submission(101, body="My summer holidays")]
    await stub.pull(pages)
    kept = [path.read_bytes() for path in (pages / "all").iterdir()]
    assert len(kept) == 2
    assert not any(b"holidays" in content for content in kept)


# --- The connection check ---


async def test_the_check_counts_and_tries_to_read_grades(stub: StubCanvas) -> None:
    assert await canvas.count(stub.endpoint) == {
        "courses": 1,
        "published_courses": 1,
        "assignments_to_sync": 2,
        "sections_of_a_course": 2,
        "sections_with_sis_id": 2,
        "students_of_a_course": 3,
        "students_with_sis_id": 3,
    }
    stub.script = answering(SUBMISSIONS, lambda: web.json_response({"status": "unauthorized"}, status=403))
    with pytest.raises(PermissionRefusedError, match="may not read the grades"):
        await canvas.count(stub.endpoint)


async def test_the_check_does_not_let_a_person_wait(stub: StubCanvas) -> None:
    stub.script = lambda _: web.Response(status=503)
    with pytest.raises(UnavailableError):
        await canvas.count(stub.endpoint)
    assert len(stub.calls) == 2
