"""What Google's conformance suite for OneRoster integrations asks of a SIS, with its short bodies.

A record that Google sends has bare references and neither status nor dateLastModified; a result's scoreDate
is a dateTime and its comment empty. The generic SIS takes that by itself, the others when they are set to.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from sandbox_process import request, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_process import Reply, SandboxProcess

TEACHER = "teacher.80000001@lakeview.example"
EVERYTHING = "limit=10000"
LONG_TITLE = "[Amended] " + "very " * 18 + "long title"
SCOPES = ("roster.readonly", "gradebook.readonly", "gradebook.createput", "gradebook.delete")


@dataclass
class Google:
    """Google's side: a token, and what it found on the way."""

    sandbox: SandboxProcess
    token: str = ""
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        return "1.2" if self.sandbox.info()["sis"]["system"] == "generic" else "1.1"

    def ask(self, method: str, base: str, path: str, body: Any = None) -> Reply:
        url = self.sandbox.info()["sis"][base] + path
        return request(method, url, body, {"Authorization": f"Bearer {self.token}"})

    def roster(self, path: str) -> Any:
        reply = self.ask("GET", "base_url", path)
        assert reply.status == 200, reply.text
        return reply.json

    def gradebook(self, path: str) -> Any:
        reply = self.ask("GET", "gradebook_url", path)
        assert reply.status == 200, reply.text
        return reply.json

    def put(self, path: str, body: dict[str, Any]) -> int:
        return self.ask("PUT", "gradebook_url", path, body).status

    def line_items(self) -> dict[str, dict[str, Any]]:
        found = self.gradebook(f"/classes/{self.ids['class']}/lineItems?{EVERYTHING}")["lineItems"]
        return {record["sourcedId"]: record for record in found}

    def results(self, line_item: str) -> dict[str, dict[str, Any]]:
        path = f"/classes/{self.ids['class']}/lineItems/{line_item}/results?{EVERYTHING}"
        return {record["sourcedId"]: record for record in self.gradebook(path)["results"]}


def instant(**later: float) -> str:
    return (datetime.now(UTC) + timedelta(**later)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def with_token(sandbox: SandboxProcess) -> Google:
    sis = sandbox.info()["sis"]
    prefix = sis["scopes"][0].rsplit("/", 1)[0] if sis["scopes"] else ""
    form = "grant_type=client_credentials&scope=" + "%20".join(f"{prefix}/{name}" for name in SCOPES)
    pair = f"{sis['client_id']}:{sis['client_secret']}"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
    }
    reply = request("POST", sis["token_url"], form, headers)
    assert reply.status == 200, reply.text
    return Google(sandbox, reply.json["access_token"])


def linked(sandbox: SandboxProcess) -> Google:
    """A token, and the class that the teacher links, found by the teacher's address."""
    google = with_token(sandbox)
    assert len(google.roster("/teachers?limit=1")["users"]) == 1
    (teacher,) = google.roster(f"/teachers?filter=email='{TEACHER}'&{EVERYTHING}")["users"]
    assert teacher["email"] == TEACHER
    path = f"/teachers/{teacher['sourcedId']}/classes?{EVERYTHING}&filter=status='active'"
    first = google.roster(path)["classes"][0]
    students = google.roster(f"/classes/{first['sourcedId']}/students?{EVERYTHING}")["users"]
    assert all(student["email"] and student["sourcedId"] for student in students)
    google.ids = {
        "class": first["sourcedId"],
        "school": first["school"]["sourcedId"],
        "term": first["terms"][0]["sourcedId"],
        "student": students[0]["sourcedId"],
    }
    return google


def line_item(google: Google, sourced_id: str, title: str, **more: Any) -> dict[str, Any]:
    record = {
        "sourcedId": sourced_id,
        "title": title,
        "description": "From Classroom",
        "resultValueMin": 0,
        "resultValueMax": 100,
        "assignDate": instant(),
        "dueDate": instant(minutes=1),
        "class": {"sourcedId": google.ids["class"]},
    }
    if google.version == "1.2":
        record["school"] = {"sourcedId": google.ids["school"]}
    return {"lineItem": record | more}


def result(google: Google, sourced_id: str, line_item_id: str, **changes: Any) -> dict[str, Any]:
    record = {
        "sourcedId": sourced_id,
        "score": 80,
        "comment": "",
        "scoreStatus": "fully graded",
        "scoreDate": instant(),
        "lineItem": {"sourcedId": line_item_id},
        "student": {"sourcedId": google.ids["student"]},
    }
    return {"result": record | changes}


@pytest.fixture(scope="module", params=["generic", "skyward", "aeries", "aspen", "aspire"])
def process(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SandboxProcess]:
    folder = tmp_path_factory.mktemp(request.param)
    with start_sandbox(folder, strict=False, sis=request.param, modules="AAA") as sandbox:
        if request.param != "generic":
            sandbox.control("PATCH", "/settings", {"lenient": True})
        sandbox.control("POST", "/snapshot")
        yield sandbox


@pytest.fixture
def google(process: SandboxProcess) -> Google:
    process.control("POST", "/restore")
    return linked(process)


# What the rules of a SIS do not let pass of it, each as the README has it.
TITLES_UP_TO = {"skyward": 49, "aeries": 49, "aspen": 255, "aspire": 50}
KEEPS_SCORES_ABOVE_THE_TOTAL = {"generic", "skyward", "aeries", "aspire"}
DELETES = {"generic", "skyward"}


def system(google: Google) -> str:
    name: str = google.sandbox.info()["sis"]["system"]
    return name


def a_line_item(google: Google) -> str:
    """A new line item in the first category that the class has; its id."""
    sourced_id = str(uuid.uuid4())
    category = categories(google)[0]["sourcedId"]
    body = line_item(google, sourced_id, "A new one", category={"sourcedId": category})
    assert google.put(f"/lineItems/{sourced_id}", body) == 201
    return sourced_id


def categories(google: Google) -> list[dict[str, Any]]:
    """Those that a line item of the class may have."""
    found = google.gradebook(f"/classes/{google.ids['class']}/categories?{EVERYTHING}")
    listed: list[dict[str, Any]] = found["categories"]
    return listed


def test_a_teacher_is_found_by_address_and_students_have_one(google: Google) -> None:
    assert set(google.ids) == {"class", "school", "term", "student"}
    nobody = google.roster(f"/teachers?filter=email='nobody@lakeview.example'&{EVERYTHING}")
    assert nobody == {"users": []}


def test_all_students_of_a_class_come_at_once(google: Google) -> None:
    reply = google.ask("GET", "base_url", f"/classes/{google.ids['class']}/students?{EVERYTHING}")
    assert len(reply.json["users"]) == int(reply.headers["x-total-count"])


def test_a_class_is_found_by_its_id_and_has_terms(google: Google) -> None:
    path = f"/classes?filter=sourcedId='{google.ids['class']}'&{EVERYTHING}"
    (found,) = google.roster(path)["classes"]
    assert found["terms"][0]["sourcedId"] == google.ids["term"]


def test_grading_periods_of_a_term_are_nothing_else(google: Google) -> None:
    periods = google.roster(f"/terms/{google.ids['term']}/gradingPeriods?{EVERYTHING}")["academicSessions"]
    assert {period["type"] for period in periods} == {"gradingPeriod"}
    for period in periods:
        assert {"sourcedId", "title", "startDate", "endDate", "schoolYear"} <= set(period)


def test_a_line_item_is_created_and_listed(google: Google) -> None:
    sourced_id = a_line_item(google)
    assert google.line_items()[sourced_id]["title"] == "A new one"


def test_a_line_item_keeps_its_category_whichever_the_class_lists(google: Google) -> None:
    for number, category in enumerate(categories(google)):
        sourced_id = str(uuid.uuid4())
        chosen = {"sourcedId": category["sourcedId"]}
        body = line_item(google, sourced_id, f"With category {number}", category=chosen)
        assert google.put(f"/lineItems/{sourced_id}", body) == 201
        assert google.line_items()[sourced_id]["category"]["sourcedId"] == category["sourcedId"]


def test_in_1_1_only_a_lenient_sis_lists_the_categories_of_a_class(google: Google) -> None:
    google.sandbox.control("PATCH", "/settings", {"lenient": False})
    reply = google.ask("GET", "gradebook_url", f"/classes/{google.ids['class']}/categories")
    assert reply.status == (404 if google.version == "1.1" else 200)


def test_a_class_that_is_unknown_has_no_categories(google: Google) -> None:
    assert google.ask("GET", "gradebook_url", "/classes/nowhere/categories").status == 404


def test_in_1_1_a_line_item_may_come_without_a_category(google: Google) -> None:
    sourced_id = str(uuid.uuid4())
    status = google.put(f"/lineItems/{sourced_id}", line_item(google, sourced_id, "Without"))
    assert status == (201 if google.version == "1.1" else 422)


def test_a_long_title_is_kept_unless_the_sis_has_a_limit(google: Google) -> None:
    sourced_id = a_line_item(google)
    category = google.line_items()[sourced_id]["category"]["sourcedId"]
    edited = line_item(google, sourced_id, LONG_TITLE, category={"sourcedId": category})
    status = google.put(f"/lineItems/{sourced_id}", edited)
    if len(LONG_TITLE) <= TITLES_UP_TO.get(system(google), 1000):
        assert status in {200, 201}
        assert google.line_items()[sourced_id]["title"] == LONG_TITLE
    else:
        assert status == 422
        assert google.line_items()[sourced_id]["title"] == "A new one"


def test_a_result_is_created_edited_and_exempted(google: Google) -> None:
    item, sourced_id = a_line_item(google), str(uuid.uuid4())
    body = partial(result, google, sourced_id, item)
    assert google.put(f"/results/{sourced_id}", body()) in {200, 201}
    assert google.results(item)[sourced_id]["score"] == 80
    assert google.put(f"/results/{sourced_id}", body(score=81)) in {200, 201}
    assert google.results(item)[sourced_id]["score"] == 81
    assert google.put(f"/results/{sourced_id}", body(scoreStatus="exempt")) in {200, 201}
    assert google.results(item)[sourced_id]["scoreStatus"] == "exempt"


def test_three_hundred_of_a_hundred_are_kept_unless_the_sis_has_a_limit(google: Google) -> None:
    item, sourced_id = a_line_item(google), str(uuid.uuid4())
    status = google.put(f"/results/{sourced_id}", result(google, sourced_id, item, score=300))
    if system(google) in KEEPS_SCORES_ABOVE_THE_TOTAL:
        assert status in {200, 201}
        assert google.results(item)[sourced_id]["score"] == 300
    else:
        assert (status, google.results(item)) == (422, {})


def test_results_and_line_items_are_deleted_where_the_sis_deletes(google: Google) -> None:
    item, sourced_id = a_line_item(google), str(uuid.uuid4())
    google.put(f"/results/{sourced_id}", result(google, sourced_id, item))
    status = google.ask("DELETE", "gradebook_url", f"/results/{sourced_id}").status
    if system(google) not in DELETES:
        assert status in {403, 405}
        assert set(google.results(item)) == {sourced_id}
        return
    assert status in {200, 204}
    assert google.results(item) == {}
    assert google.ask("DELETE", "gradebook_url", f"/lineItems/{item}").status in {200, 204}
    assert item not in google.line_items()
