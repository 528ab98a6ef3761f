from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from sandbox_process import request
from sandbox_records import CLASS, STUDENT, code_minor, line_item, noon, reference, result

if TYPE_CHECKING:
    from sandbox_process import SandboxProcess

SCOPE = "https://purl.imsglobal.org/spec/or/v1p1/scope/"


# --- Tokens ---


def test_a_token_is_given_for_basic_credentials_and_for_a_form(seeded: SandboxProcess) -> None:
    sis = seeded.info()["sis"]
    form = {name: sis[name] for name in ("client_id", "client_secret")}
    form |= {"grant_type": "client_credentials", "scope": SCOPE + "roster.readonly"}
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    by_form = request("POST", sis["token_url"], urlencode(form), urlencoded)
    for reply in (by_form, seeded.new_token(scope=SCOPE + "roster.readonly")):
        assert reply.status == 200
        assert reply.json["expires_in"] == 3600
        assert reply.json["scope"] == SCOPE + "roster.readonly"


def test_basic_credentials_are_form_urlencoded(seeded: SandboxProcess) -> None:
    kept = seeded.info()["sis"]["client_secret"]
    seeded.control("PATCH", "/settings", {"client_secret": "a+b:c%d é"})
    try:
        assert seeded.new_token().status == 200
        plain = base64.b64encode("passback-sandbox:a+b:c%d é".encode()).decode()
        form = "grant_type=client_credentials&scope=" + quote(SCOPE + "roster.readonly")
        headers = {
            "Authorization": f"Basic {plain}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        assert request("POST", f"{seeded.url}/token", form, headers).status == 401
    finally:
        seeded.control("PATCH", "/settings", {"client_secret": kept})


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"scope": ""}, 400, "invalid_scope"),
        ({"scope": "made-up"}, 400, "invalid_scope"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_token_is_refused_as_oauth_says(
    seeded: SandboxProcess, form: dict[str, str], status: int, error: str
) -> None:
    reply = seeded.new_token(**form)
    assert (reply.status, reply.json["error"]) == (status, error)


def test_a_wrong_secret_is_an_invalid_client(seeded: SandboxProcess) -> None:
    headers = {"Authorization": "Basic " + base64.b64encode(b"passback-sandbox:wrong").decode()}
    reply = request("POST", f"{seeded.url}/token", "grant_type=client_credentials", headers)
    assert (reply.status, reply.json["error"]) == (401, "invalid_client")


def test_an_expired_token_is_refused(seeded: SandboxProcess) -> None:
    seeded.control("PATCH", "/settings", {"token_seconds": 1})
    try:
        token = seeded.new_token().json["access_token"]
        while (reply := seeded.sis("GET", "/categories", token=token)).status == 200:
            pass
        assert (reply.status, code_minor(reply)) == (401, "unauthorisedrequest")
    finally:
        seeded.control("PATCH", "/settings", {"token_seconds": 3600})


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/classes", "gradebook.readonly"),
        ("GET", f"/classes/{CLASS}/students", "roster-core.readonly"),
        ("GET", "/results", "roster.readonly"),
        ("PUT", "/results/r-1", "gradebook.readonly"),
        ("DELETE", "/results/r-1", "gradebook.createput"),
    ],
)
def test_an_operation_needs_its_scope(seeded: SandboxProcess, method: str, path: str, scope: str) -> None:
    token = seeded.new_token(scope=SCOPE + scope).json["access_token"]
    reply = seeded.sis(method, path, token=token)
    assert (reply.status, code_minor(reply)) == (403, "forbidden")


# --- Reads ---


@pytest.mark.parametrize(
    ("path", "envelope", "total"),
    [
        ("/orgs", "orgs", 2),
        ("/schools", "orgs", 1),
        ("/academicSessions", "academicSessions", 7),
        ("/terms", "academicSessions", 2),
        ("/gradingPeriods", "academicSessions", 4),
        ("/terms/9102/gradingPeriods", "academicSessions", 2),
        ("/courses", "courses", 2),
        ("/classes", "classes", 5),
        ("/users", "users", 3_576),
        ("/students", "users", 3_571),
        ("/teachers", "users", 5),
        ("/enrollments", "enrollments", 3_687),
        (f"/classes/{CLASS}/students", "users", 383),
        (f"/classes/{CLASS}/teachers", "users", 1),
        ("/categories", "categories", 8),
        ("/lineItems", "lineItems", 0),
        ("/results", "results", 0),
    ],
)
def test_a_listing_has_its_envelope_and_total(
    seeded: SandboxProcess, path: str, envelope: str, total: int
) -> None:
    reply = seeded.sis("GET", path)
    assert reply.headers["x-total-count"] == str(total)
    assert len(reply.json[envelope]) == min(total, 100)


def test_a_limit_above_1000_is_taken_as_1000_without_a_word(seeded: SandboxProcess) -> None:
    reply = seeded.sis("GET", "/students?limit=5000&offset=1000")
    assert len(reply.json["users"]) == 1000
    assert 'limit=1000&offset=2000>; rel="next"' in reply.headers["link"]
    assert 'offset=0>; rel="prev"' in reply.headers["link"]


def test_pages_are_disjoint_and_complete(seeded: SandboxProcess) -> None:
    seen = []
    for offset in range(0, 4000, 1000):
        page = seeded.sis("GET", f"/students?limit=1000&offset={offset}&fields=sourcedId").json["users"]
        seen += [user["sourcedId"] for user in page]
    assert len(seen) == len(set(seen)) == 3_571


@pytest.mark.parametrize(
    ("path", "condition", "total"),
    [
        ("/classes", "sourcedId='1001.0.01'", 1),
        ("/classes", "title~'aaa'", 2),
        ("/classes", "status!='active'", 0),
        ("/categories", "title='Quiz' OR title='Test'", 2),
        ("/categories", "title>='Q' AND title<'R'", 1),
        ("/enrollments", "class.sourcedId='1001.0.01'", 384),
        ("/enrollments", "primary='true'", 5),
        ("/academicSessions", "metadata.gradebookStatus='closed'", 2),
        ("/users", "dateLastModified>'2099-01-01T00:00:00.000Z'", 0),
    ],
)
def test_a_filter_selects(seeded: SandboxProcess, path: str, condition: str, total: int) -> None:
    reply = seeded.sis("GET", f"{path}?filter={quote(condition)}")
    assert reply.headers["x-total-count"] == str(total)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("filter=colour%3D'red'", "invalid_filter_field"),
        ("filter=nonsense", "invalid_filter_field"),
        ("fields=colour", "invalid_selection_field"),
        ("limit=0", "invaliddata"),
        ("offset=-1", "invaliddata"),
    ],
)
def test_a_wrong_query_is_refused(seeded: SandboxProcess, query: str, code: str) -> None:
    reply = seeded.sis("GET", f"/classes?{query}")
    assert (reply.status, code_minor(reply)) == (400, code)


def test_fields_and_sort_are_honoured(seeded: SandboxProcess) -> None:
    reply = seeded.sis("GET", "/categories?fields=title&sort=title&orderBy=desc")
    titles = [category["title"] for category in reply.json["categories"]]
    assert titles == sorted(titles, reverse=True)
    assert reply.json["categories"][0].keys() == {"title"}


@pytest.mark.parametrize("path", ["/classes/none", "/classes/none/students", "/classes/1001.0.01/categories"])
def test_what_does_not_exist_is_an_unknown_object(seeded: SandboxProcess, path: str) -> None:
    reply = seeded.sis("GET", path)
    assert (reply.status, code_minor(reply)) == (404, "unknownobject")


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("PATCH", 405), ("PUT", 403), ("DELETE", 403)])
def test_categories_are_read_only(seeded: SandboxProcess, method: str, status: int) -> None:
    assert seeded.sis(method, "/categories/301", {"category": {}}).status == status


# --- Writes ---


def test_put_creates_then_replaces(sandbox: SandboxProcess) -> None:
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox)).status == 201
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox, title="Renamed")).status == 200
    assert sandbox.sis("GET", "/lineItems/li-1").json["lineItem"]["title"] == "Renamed"
    assert sandbox.sis("PUT", "/results/r-1", result()).status == 201
    assert sandbox.sis("PUT", "/results/r-1", result(score=8.5, comment="Well done")).status == 200
    (stored,) = sandbox.dump()["results"]
    assert (stored["score"], stored["comment"]) == (8.5, "Well done")
    assert sandbox.sis("PUT", "/results/r-1", result()).status == 200
    assert "comment" not in sandbox.dump()["results"][0]


def test_a_result_is_listed_under_its_class_line_item_and_student(sandbox: SandboxProcess) -> None:
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    sandbox.sis("PUT", "/results/r-1", result())
    for path in ("results", "lineItems/li-1/results", f"students/{STUDENT}/results"):
        (found,) = sandbox.sis("GET", f"/classes/{CLASS}/{path}").json["results"]
        assert found["sourcedId"] == "r-1"
    assert sandbox.sis("GET", "/classes/1001.0.02/results").json["results"] == []
    assert sandbox.sis("GET", "/results?filter=score%3E'77'").headers["x-total-count"] == "1"


def test_deleting_a_line_item_takes_its_results_along(sandbox: SandboxProcess) -> None:
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    sandbox.sis("PUT", "/results/r-1", result())
    assert sandbox.sis("DELETE", "/lineItems/li-1").status == 204
    assert sandbox.sis("DELETE", "/lineItems/li-1").status == 404
    assert sandbox.dump() == {"lineItems": [], "results": []}


def test_a_date_is_the_one_in_the_zone_of_the_sis(sandbox: SandboxProcess) -> None:
    # 07:00 UTC on the day after the period's last is still its last day in California
    late = noon(sandbox, 201).replace("T12", "T07")
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox, dueDate=late)).status == 201
    offset = noon(sandbox, 200).replace("T12:00:00.000Z", "T23:59:00-08:00")
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox, dueDate=offset)).status == 200


def test_a_score_above_the_total_is_extra_credit(sandbox: SandboxProcess) -> None:
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    assert sandbox.sis("PUT", "/results/r-1", result(score=110)).status == 201


def test_a_student_reference_may_be_of_type_student(sandbox: SandboxProcess) -> None:
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    assert sandbox.sis("PUT", "/results/r-1", result(student=reference("student", STUDENT))).status == 201
