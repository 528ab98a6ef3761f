"""A few lines of Aeries' native interface on loopback, silent traps and all; answers as a test tells it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aiohttp import web

from passback.aeries import AeriesGradebook
from passback.connections import Endpoint
from passback.oneroster import Limits, Retries
from passback.sis.aeries import AERIES_NATIVE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    Script = Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse | None] | None]

CERTIFICATE = "0123456789abcdefABCDEF0123456789"
TODAY = date(2026, 11, 22)
YEAR = 2026
BASE = "/aeries/api/v5"
QUICK = Retries(attempts=4, patience=20.0, first_wait=0.01)

DAYS = {"StartDate": "2026-08-17T00:00:00", "EndDate": "2027-06-04T00:00:00"}
FALL = {"Code": "F", "Name": "Fall", "StartDate": "2026-08-17T00:00:00", "EndDate": "2026-12-18T00:00:00"}
SPRING = {"Code": "S", "Name": "Spring", "StartDate": "2027-01-05T00:00:00", "EndDate": "2027-06-04T00:00:00"}


def category(code: str, description: str) -> dict[str, Any]:
    return {"Code": code, "Description": description, "Color": "6666ff", "PercentageOfGrade": 0}


def gradebook(number: int, *sections: tuple[int, int], **more: Any) -> dict[str, Any]:
    """A gradebook of both terms; the first of its categories is not the one that tests want."""
    return {
        "GradebookNumber": number,
        "LinkedGroup": 0,
        "Name": f"Gradebook {number}",
        **DAYS,
        "AssignmentCategories": [category("A", "Assignment"), category("T", "Test")],
        "Sections": [{"SchoolCode": school, "SectionNumber": section} for school, section in sections],
        "Terms": [FALL, SPRING],
        **more,
    }


def student(number: int, **more: Any) -> dict[str, Any]:
    return {"StudentID": number, "StartDate": DAYS["StartDate"], "EndDate": None, "InactiveTag": "", **more}


@dataclass
class Call:
    method: str
    path: str  # below the base
    query: dict[str, str]
    headers: Mapping[str, str]  # looked up without regard to case
    body: Any


@dataclass
class StubAeries:
    """Gradebooks, their students, assignments and scores.

    Attributes:
        gradebooks: By school year.
        default_year: The year that is taken for one it does not know.
        students: By gradebook number and term.
        assignments: By UniqueID, each with its GradebookNumber.
        scores: By UniqueID and student.
        script: Sees every call; what it returns is the answer, None is the usual one.
        stores: Whether it keeps what it is sent.
    """

    gradebooks: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    default_year: int = YEAR
    students: dict[tuple[int, str], list[dict[str, Any]]] = field(default_factory=dict)
    assignments: dict[str, dict[str, Any]] = field(default_factory=dict)
    scores: dict[str, dict[int, float]] = field(default_factory=dict)
    script: Script | None = None
    stores: bool = True
    url: str = ""
    calls: list[Call] = field(default_factory=list)

    def holds(self, *gradebooks: dict[str, Any], year: int = YEAR) -> None:
        self.gradebooks.setdefault(year, []).extend(gradebooks)

    def client(self, *, today: date = TODAY, **extra: Any) -> AeriesGradebook:
        certificate, timeout = extra.pop("certificate", CERTIFICATE), extra.pop("timeout", 20.0)
        gradebooks = extra.pop("gradebooks", None)
        endpoint = Endpoint("aeries", self.url, "", certificate, {"base_path": BASE, **extra})
        limits = Limits(connections=4, requests_per_second=10_000)
        return AeriesGradebook(
            endpoint,
            replace(AERIES_NATIVE),
            today=today,
            gradebooks=gradebooks,
            limits=limits,
            retries=QUICK,
            timeout=timeout,
        )

    def written(self, method: str = "") -> list[Call]:
        """The calls that were to store something."""
        return [call for call in self.calls if call.method != "GET" and method in ("", call.method)]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(BASE)
        text = await request.text()
        body = json.loads(text) if text else None
        self.calls.append(Call(request.method, path, dict(request.query), request.headers, body))
        if self.script is not None:
            answer = self.script(request)
            answer = await answer if asyncio.iscoroutine(answer) else answer
            if answer is not None:
                return answer  # type: ignore[return-value]
        if request.headers.get("AERIES-CERT") != CERTIFICATE:
            return message(401, "Authorization has been denied for this request.")
        asked = int(request.query.get("DatabaseYear", "0"))
        year = asked if asked in self.gradebooks else self.default_year
        return self.answer(request.method, path.strip("/").lower().split("/"), body, year)

    def answer(self, method: str, steps: list[str], body: Any, year: int) -> web.StreamResponse:
        held = self.gradebooks.get(year, [])
        found = self.read(steps, held) if method == "GET" else self.write(method, steps, body, held)
        return found or message(404, "No HTTP resource was found that matches the request URI.")

    def read(self, steps: list[str], held: list[dict[str, Any]]) -> web.StreamResponse | None:
        content: Any = None
        match steps:
            case ("schools", school, "sections", section, "gradebooks"):
                wanted = {"SchoolCode": int(school), "SectionNumber": int(section)}
                content = [found for found in held if wanted in found["Sections"]]
            case ("gradebooks", number, term, "students"):
                content = self.students.get((int(number), term.upper()), [])
            case ("gradebooks", "assignments", unique_id, *rest):
                if unique_id not in self.assignments:
                    return message(404, "Assignment not found.")
                content = self.all_scores(unique_id) if rest else self.assignments[unique_id]
            case ("gradebooks", number, "assignments"):
                every = self.assignments.values()
                content = [each for each in every if each["GradebookNumber"] == int(number)]
        return None if content is None else web.json_response(content)

    def write(
        self, method: str, steps: list[str], body: Any, held: list[dict[str, Any]]
    ) -> web.StreamResponse | None:
        match (method, *steps):
            case ("POST", "gradebooks", number, "assignments"):
                found = next(each for each in held if each["GradebookNumber"] == int(number))
                return web.json_response([self.insert(found, body)], status=201)
            case ("PUT", "gradebooks", "assignments", unique_id):
                if unique_id not in self.assignments:
                    return message(404, "Assignment not found.")
                return web.json_response([self.replace(unique_id, body, held)])
            case ("POST", "gradebooks", "assignments", unique_id, "scores"):
                return self.score(unique_id, body)
        return None

    def insert(self, found: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Store an assignment as Aeries does: with the first category for one that is none of its own."""
        assignment = {
            "UniqueID": str(uuid4()),
            "AssignmentNumber": len(self.assignments) + 1,
            "GradebookNumber": found["GradebookNumber"],
            "GradingCompleted": False,
            **self.fields(found, body),
        }
        if self.stores:
            self.assignments[assignment["UniqueID"]] = assignment
        return assignment

    def replace(self, unique_id: str, body: dict[str, Any], held: list[dict[str, Any]]) -> dict[str, Any]:
        before = self.assignments[unique_id]
        found = next(each for each in held if each["GradebookNumber"] == before["GradebookNumber"])
        completed = body.get("GradingCompleted", False)
        after = {**before, "GradingCompleted": completed, **self.fields(found, body)}
        if self.stores:
            self.assignments[unique_id] = after
        return after

    @staticmethod
    def fields(found: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        categories = found["AssignmentCategories"]
        code = body.get("AssignmentCategoryCode")
        chosen = next((each for each in categories if each["Code"] == code), categories[0])
        rubric = body.get("RubricAssignment", False)
        return {
            "Description": body["Description"],
            "AssignmentCategory": chosen,
            "DateAssigned": f"{body['DateAssigned']}T00:00:00",
            "DateDue": f"{body['DateDue']}T00:00:00",
            "NumberCorrectPossible": 0 if rubric else body["NumberCorrectPossible"],
            "PointsPossible": 0 if rubric else body["PointsPossible"],
            "Comment": body.get("Comment", ""),
            "FormativeSummativeIndicator": body.get("FormativeSummativeIndicator", "S"),
            "RubricAssignment": rubric,
            "ExternalID": body.get("ExternalID", ""),
        }

    def score(self, unique_id: str, body: list[dict[str, Any]]) -> web.StreamResponse:
        if unique_id not in self.assignments:
            return message(404, "Assignment not found.")
        number = self.assignments[unique_id]["GradebookNumber"]
        members = {each["StudentID"] for each in self.students.get((number, "F"), [])}
        if any(row["StudentID"] not in members for row in body):
            return message(400, "A student is not in this gradebook.")
        if self.stores:
            held = self.scores.setdefault(unique_id, {})
            held |= {row["StudentID"]: row["NumberCorrect"] for row in body}
        return web.json_response(self.all_scores(unique_id))

    def all_scores(self, unique_id: str) -> list[dict[str, Any]]:
        """A row for every student, also for those without a score."""
        number = self.assignments[unique_id]["GradebookNumber"]
        held = self.scores.get(unique_id, {})
        return [
            score(each["StudentID"], held.get(each["StudentID"]))
            for each in self.students.get((number, "F"), [])
        ]


def score(number: int, correct: float | None, **more: Any) -> dict[str, Any]:
    mark = "" if correct is None else f"{correct:.4f}"
    return {
        "StudentID": number,
        "Mark": mark,
        "NumberCorrect": correct,
        "DateCompleted": "0001-01-01T00:00:00" if correct is None else "2026-10-19T00:00:00",
        "IsMissing": False,
        **more,
    }


def message(status: int, words: str, **headers: str) -> web.Response:
    return web.json_response({"Message": words}, status=status, headers=headers)


def drop(request: web.Request) -> None:
    """Close the connection, and go on with what was asked: its answer is lost."""
    assert request.transport
    request.transport.abort()


def drop_unstored(request: web.Request) -> web.Response:
    """Close the connection before anything is done."""
    drop(request)
    return web.Response()


@asynccontextmanager
async def serving(stub: StubAeries) -> AsyncIterator[StubAeries]:
    """The stub, listening on a free port of loopback."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stub.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    stub.url = f"http://{host}:{port}"
    try:
        yield stub
    finally:
        await runner.cleanup()
