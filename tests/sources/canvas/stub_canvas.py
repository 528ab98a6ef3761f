"""A Canvas of a few lines on loopback that answers as a test tells it, also as no Canvas should."""

from __future__ import annotations

import asyncio
import copy
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from passback.connections import Endpoint
from passback.records import ASSESSMENTS
from passback.sources import canvas

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import datetime

    import pandas as pd
    from airflow.sdk import ObjectStoragePath

    from passback.sources.pulled import Pull

    Script = Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse | None] | None]

Record = dict[str, Any]
TOKEN = "secret-token"
COURSES = "/api/v1/accounts/1/courses"
TO_SYNC = "/api/sis/accounts/1/assignments"
SECTIONS = "/api/v1/courses/1/sections"
GROUPS = "/api/v1/courses/1/assignment_groups"
ASSIGNMENTS = "/api/v1/courses/1/assignments"
SUBMISSIONS = "/api/v1/courses/1/students/submissions"


def submission(assignment_id: int, **fields: Any) -> Record:
    """A graded one, unless said otherwise; with what the student wrote, which nobody may keep."""
    return {
        "assignment_id": assignment_id,
        "score": 8.0,
        "grade": "8",
        "workflow_state": "graded",
        "submitted_at": "2026-03-01T10:00:00Z",
        "graded_at": "2026-03-02T10:00:00Z",
        "posted_at": "2026-03-02T10:00:00Z",
        "excused": False,
        "late": False,
        "missing": False,
        "assignment_visible": True,
        "body": "My summer holidays",
    } | fields


def student(user_id: int, section_id: int, *submissions: Record) -> Record:
    return {
        "user_id": user_id,
        "section_id": section_id,
        "sis_user_id": f"9{user_id:04}",
        "submissions": list(submissions),
    }


def assignment(assignment_id: int, **fields: Any) -> Record:
    return {
        "id": assignment_id,
        "name": f"Essay {assignment_id}",
        "assignment_group_id": 7,
        "points_possible": 10.0,
        "grading_type": "points",
        "published": True,
        "post_to_sis": True,
        "omit_from_final_grade": False,
        "in_closed_grading_period": False,
        "only_visible_to_overrides": False,
        "due_at": "2026-03-05T07:59:00Z",
        "unlock_at": None,
        "created_at": "2026-02-20T10:00:00Z",
        "updated_at": "2026-02-21T10:00:00Z",
        "overrides": [],
    } | fields


def to_sync(assignment_id: int, course_id: int = 1) -> Record:
    return {
        "id": assignment_id,
        "course_id": course_id,
        "include_in_final_grade": True,
        "sections": [{"id": 11, "origin_course": {"name": "Algebra"}}],
    }


@dataclass
class StubCanvas:
    """A course with two sections, three students and two assignments; `records` may be changed at will.

    Attributes:
        records: Lists by path.
        raw: Bodies by path, in place of a list.
        script: Sees every request first; what it returns is the answer, None is the usual one.
        link: The name of the header with the links.
        calls: Path and query of every request.
        per_page: Records a page at most.
    """

    records: dict[str, list[Record]] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
    script: Script | None = None
    link: str = "link"
    per_page: int = 100
    calls: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    extra: dict[str, Any] = field(default_factory=lambda: {"account": "1"})

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("canyonridge_canvas", self.url, "", TOKEN, self.extra)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(request.path_qs)
        self.at.append(asyncio.get_running_loop().time())
        if self.script:
            said = self.script(request)
            answer = await said if asyncio.iscoroutine(said) else said
            if answer is not None:
                return answer  # type: ignore[return-value]
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            return web.json_response({}, status=401, headers={"WWW-Authenticate": "Bearer"})
        if request.path in self.raw:
            return web.Response(body=self.raw[request.path], content_type="application/json")
        if request.path not in self.records:
            return web.json_response({"errors": [{"message": "not found"}]}, status=404)
        return self._page(request, self.records[request.path])

    def _page(self, request: web.Request, records: list[Record]) -> web.Response:
        start = int(request.query.get("page", "first").removeprefix("opaque~").replace("first", "0"))
        size = min(self.per_page, int(request.query.get("per_page", "10")))
        headers = dict(self.headers)
        if start + size < len(records):
            following = request.url.update_query(page=f"opaque~{start + size}")
            headers[self.link] = f'<{request.url}>; rel="current",<{following}>; rel="next"'
        return web.Response(
            text=json.dumps(records[start : start + size]), content_type="application/json", headers=headers
        )

    async def pull(
        self,
        pages: ObjectStoragePath,
        *,
        since: datetime | None = None,
        known: pd.DataFrame | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> Pull:
        known = ASSESSMENTS.empty() if known is None else known
        return await canvas.pull(self.endpoint, pages, since=since, known=known, say=say)

    def add_courses(self, *numbers: int) -> None:
        """Further courses with a section and an assignment each, and nobody in them."""
        for number in numbers:
            path = f"/api/v1/courses/{number}"
            self.records[COURSES].append(
                {"id": number, "name": f"Course {number}", "workflow_state": "available"}
            )
            self.records |= {
                f"{path}/sections": [
                    {"id": number * 10 + 1, "name": "A", "sis_section_id": f"S{number}"},
                ],
                f"{path}/assignment_groups": [{"id": 7, "name": "Homework"}],
                f"{path}/assignments": [assignment(number * 100)],
                f"{path}/students/submissions": [],
            }


def world() -> dict[str, list[Record]]:
    return copy.deepcopy(
        {
            COURSES: [{"id": 1, "name": "Algebra", "workflow_state": "available"}],
            TO_SYNC: [to_sync(101), to_sync(102)],
            SECTIONS: [
                {"id": 11, "name": "Algebra P1", "sis_section_id": "A-1", "nonxlist_course_id": None},
                {"id": 12, "name": "Algebra P2", "sis_section_id": "A-2", "nonxlist_course_id": None},
            ],
            GROUPS: [{"id": 7, "name": "Homework", "sis_source_id": None, "integration_data": {}}],
            ASSIGNMENTS: [assignment(101), assignment(102)],
            SUBMISSIONS: [
                student(1, 11, submission(101), submission(102)),
                student(2, 11, submission(101, score=7.5, grade="7.5")),
                student(3, 12, submission(101), submission(102)),
            ],
        }
    )


@asynccontextmanager
async def serving() -> AsyncIterator[StubCanvas]:
    stub = StubCanvas(world())
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stub.serve)
    async with TestServer(app, host="127.0.0.1") as server:
        stub.url = str(server.make_url("")).rstrip("/")
        yield stub
