"""The SIS of plain OneRoster 1.2, against 1EdTech's own OpenAPI documents where they are at hand."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from sandbox_process import start_sandbox
from sandbox_records import STAMP, STUDENT, code_minor, noon, reference, refusal, without_ellipsis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_process import SandboxProcess

CLASS = "1001-01"
OTHER_CLASS = "1001-02"
SCHOOL = "101"
SCOPE = "https://purl.imsglobal.org/spec/or/v1p2/scope/"
OPENAPI = Path(__file__).parents[3] / "shared" / "reference" / "openapi"


@cache
def components(service: str) -> dict[str, Any]:
    path = OPENAPI / f"onerosterv1p2{service}service_openapi3_v1p0.json"
    if not path.exists():
        pytest.skip("the OpenAPI documents of OneRoster 1.2 are not at hand")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["components"]
    return found


def assert_valid(service: str, schema: str, body: Any) -> None:
    document = {"$ref": f"#/components/schemas/{schema}", "components": components(service)}
    Draft202012Validator(document, format_checker=FormatChecker()).validate(body)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("generic"), sis="generic", modules="AAA") as sandbox:
        yield sandbox


@pytest.fixture
def generic(process: SandboxProcess) -> SandboxProcess:
    process.reset()
    return process


def item(sandbox: SandboxProcess, sourced_id: str = "li-1", **changes: Any) -> dict[str, Any]:
    record = {
        "sourcedId": sourced_id,
        **STAMP,
        "title": "TMA 4 (AAA 2013J)",
        "assignDate": noon(sandbox, 145),
        "dueDate": noon(sandbox, 166),
        "class": reference("class", CLASS),
        "school": reference("org", SCHOOL),
        "category": reference("category", "301"),
    }
    return without_ellipsis(record | changes)


def score(sourced_id: str = "r-1", **changes: Any) -> dict[str, Any]:
    record = {
        "sourcedId": sourced_id,
        **STAMP,
        "lineItem": reference("lineItem", "li-1"),
        "student": reference("user", STUDENT),
        "score": 78,
        "scoreStatus": "fully graded",
        "scoreDate": "2026-11-22",
    }
    return without_ellipsis(record | changes)


# --- Reads ---


LISTINGS = {
    "/orgs": ("rosters", "OrgSetDType", 2),
    "/schools": ("rosters", "OrgSetDType", 1),
    "/academicSessions": ("rosters", "AcademicSessionSetDType", 7),
    "/terms": ("rosters", "AcademicSessionSetDType", 2),
    "/gradingPeriods": ("rosters", "AcademicSessionSetDType", 4),
    "/terms/9102/gradingPeriods": ("rosters", "AcademicSessionSetDType", 2),
    "/terms/9102/classes": ("rosters", "ClassSetDType", 2),
    "/courses": ("rosters", "CourseSetDType", 1),
    "/courses/1001/classes": ("rosters", "ClassSetDType", 2),
    "/classes": ("rosters", "ClassSetDType", 2),
    "/users": ("rosters", "UserSetDType", 714),
    "/students": ("rosters", "UserSetDType", 712),
    "/teachers": ("rosters", "UserSetDType", 2),
    "/enrollments": ("rosters", "EnrollmentSetDType", 750),
    f"/classes/{CLASS}/students": ("rosters", "UserSetDType", 383),
    f"/classes/{CLASS}/teachers": ("rosters", "UserSetDType", 1),
    f"/students/{STUDENT}/classes": ("rosters", "ClassSetDType", 1),
    "/teachers/80000001/classes": ("rosters", "ClassSetDType", 1),
    f"/schools/{SCHOOL}/classes": ("rosters", "ClassSetDType", 2),
    f"/schools/{SCHOOL}/classes/{CLASS}/students": ("rosters", "UserSetDType", 383),
    f"/schools/{SCHOOL}/classes/{CLASS}/enrollments": ("rosters", "EnrollmentSetDType", 384),
    f"/schools/{SCHOOL}/courses": ("rosters", "CourseSetDType", 1),
    f"/schools/{SCHOOL}/students": ("rosters", "UserSetDType", 712),
    f"/schools/{SCHOOL}/terms": ("rosters", "AcademicSessionSetDType", 2),
    "/categories": ("gradebook", "CategoriesSetDType", 8),
    f"/classes/{CLASS}/categories": ("gradebook", "CategoriesSetDType", 8),
    "/lineItems": ("gradebook", "LineItemSetDType", 1),
    f"/classes/{CLASS}/lineItems": ("gradebook", "LineItemSetDType", 1),
    "/results": ("gradebook", "ResultSetDType", 1),
    f"/classes/{CLASS}/lineItems/li-1/results": ("gradebook", "ResultSetDType", 1),
    f"/classes/{CLASS}/students/{STUDENT}/results": ("gradebook", "ResultSetDType", 1),
    "/scoreScales": ("gradebook", "ScoreScaleSetDType", 0),
    f"/classes/{CLASS}/scoreScales": ("gradebook", "ScoreScaleSetDType", 0),
}


def test_every_listing_is_of_the_official_form(generic: SandboxProcess) -> None:
    generic.sis("PUT", "/lineItems/li-1", {"lineItem": item(generic)})
    generic.sis("PUT", "/results/r-1", {"result": score()})
    for path, (service, schema, total) in LISTINGS.items():
        reply = generic.sis("GET", f"{path}?limit=1000")
        assert (path, reply.status, reply.headers["x-total-count"]) == (path, 200, str(total))
        assert_valid(service, schema, reply.json)


@pytest.mark.parametrize(
    ("path", "service", "schema"),
    [
        (f"/orgs/{SCHOOL}", "rosters", "SingleOrgDType"),
        (f"/classes/{CLASS}", "rosters", "SingleClassDType"),
        (f"/users/{STUDENT}", "rosters", "SingleUserDType"),
        (f"/enrollments/{CLASS}-{STUDENT}", "rosters", "SingleEnrollmentDType"),
        ("/categories/301", "gradebook", "SingleCategoryDType"),
    ],
)
def test_every_record_is_of_the_official_form(
    process: SandboxProcess, path: str, service: str, schema: str
) -> None:
    assert_valid(service, schema, process.sis("GET", path).json)


def test_flags_are_text(process: SandboxProcess) -> None:
    assert process.sis("GET", f"/users/{STUDENT}").json["user"]["enabledUser"] == "true"
    assert process.sis("GET", f"/enrollments/{CLASS}-{STUDENT}").json["enrollment"]["primary"] == "false"


def test_the_end_of_a_session_is_the_day_after_its_last(process: SandboxProcess) -> None:
    sessions = process.sis("GET", "/gradingPeriods").json["academicSessions"]
    ends = {session["sourcedId"]: session["endDate"] for session in sessions}
    begins = {session["sourcedId"]: session["startDate"] for session in sessions}
    assert (ends["9201"], ends["9202"], ends["9203"]) == (begins["9202"], begins["9203"], begins["9204"])
    shown = {period["id"]: period["end_date"] for period in process.info()["periods"]}
    assert shown["9203"] == process.info()["seeding_date"]


# --- Writes ---


def test_put_answers_201_without_a_body_and_delete_204(generic: SandboxProcess) -> None:
    for _ in range(2):
        reply = generic.sis("PUT", "/lineItems/li-1", {"lineItem": item(generic)})
        assert (reply.status, reply.text) == (201, "")
    reply = generic.sis("PUT", "/results/r-1", {"result": score()})
    assert (reply.status, reply.text) == (201, "")
    assert generic.sis("DELETE", "/results/r-1").status == 204
    assert generic.sis("DELETE", "/lineItems/li-1").status == 204
    assert generic.dump() == {"lineItems": [], "results": []}


def test_categories_can_be_written(generic: SandboxProcess) -> None:
    category = {"sourcedId": "309", **STAMP, "title": "Essay", "weight": 0.2}
    assert generic.sis("PUT", "/categories/309", {"category": category}).status == 201
    assert_valid("gradebook", "SingleCategoryDType", generic.sis("GET", "/categories/309").json)
    assert generic.sis("DELETE", "/categories/309").status == 204


LINE_ITEM: dict[str, tuple[str, Any, bool]] = {
    "no_school": ("school", ..., False),
    "a_school_of_another_type": ("school", reference("school", SCHOOL), False),
    "no_grading_period": ("gradingPeriod", ..., True),
    "a_grading_period": ("gradingPeriod", reference("academicSession", "9201"), True),
    "a_grading_period_of_its_own_type": ("gradingPeriod", reference("gradingPeriod", "9203"), False),
    "a_reference_with_a_name": ("class", reference("class", CLASS) | {"name": "AAA"}, False),
    "a_reference_without_href": ("class", {"sourcedId": CLASS, "type": "class"}, False),
    "a_relative_href": ("class", reference("class", CLASS) | {"href": "classes/1"}, False),
    "a_field_of_its_own": ("colour", "red", False),
    "metadata": ("metadata", {"colour": "red"}, True),
    "a_title_of_300_characters": ("title", "x" * 300, True),
    "a_total_with_a_fraction": ("resultValueMax", 10.5, True),
    "a_total_that_is_text": ("resultValueMax", "10", False),
    "a_due_date_without_time": ("dueDate", "2026-11-22", False),
    "an_unknown_category": ("category", reference("category", "999"), False),
}
RESULT: dict[str, tuple[str, Any, bool]] = {
    "no_score": ("score", ..., True),
    "extra_credit": ("score", 300, True),
    "a_fraction": ("score", 8.25, True),
    "late": ("late", "true", True),
    "late_as_a_flag_of_json": ("late", True, False),
    "missing": ("missing", "false", True),
    "another_text_for_missing": ("missing", "yes", False),
    "a_text_score": ("textScore", "A", True),
    "an_extended_status": ("scoreStatus", "ext:in-review", True),
    "an_unknown_status": ("scoreStatus", "late", False),
    "a_student_of_another_type": ("student", reference("student", STUDENT), False),
    "its_class": ("class", reference("class", CLASS), True),
    "another_class": ("class", reference("class", OTHER_CLASS), False),
    "a_long_comment": ("comment", "x" * 1000, True),
}


@pytest.mark.parametrize(("field", "value", "accepted"), LINE_ITEM.values(), ids=LINE_ITEM)
def test_a_line_item_is_taken_as_1_2_has_it(
    generic: SandboxProcess, field: str, value: Any, *, accepted: bool
) -> None:
    body = {"lineItem": item(generic, **{field: value})}
    reply = generic.sis("PUT", "/lineItems/li-1", body)
    if not accepted:
        assert refusal(reply).startswith(f"{field}: ")
        assert_valid("gradebook", "imsx_StatusInfoDType", reply.json)
    else:
        assert reply.status == 201
        assert_valid("gradebook", "SingleLineItemDType", body)
        assert_valid("gradebook", "SingleLineItemDType", generic.sis("GET", "/lineItems/li-1").json)


@pytest.mark.parametrize(("field", "value", "accepted"), RESULT.values(), ids=RESULT)
def test_a_result_is_taken_as_1_2_has_it(
    generic: SandboxProcess, field: str, value: Any, *, accepted: bool
) -> None:
    generic.sis("PUT", "/lineItems/li-1", {"lineItem": item(generic, resultValueMax=100)})
    body = {"result": score(**{field: value})}
    reply = generic.sis("PUT", "/results/r-1", body)
    if not accepted:
        assert refusal(reply).startswith(f"{field}: ")
    else:
        assert reply.status == 201
        assert_valid("gradebook", "SingleResultDType", body)
        assert_valid("gradebook", "SingleResultDType", generic.sis("GET", "/results/r-1").json)


def test_the_sis_allots_ids_to_what_is_posted(generic: SandboxProcess) -> None:
    for path in (f"/classes/{CLASS}/lineItems", f"/schools/{SCHOOL}/lineItems"):
        reply = generic.sis("POST", path, {"lineItems": [item(generic, "a"), item(generic, "b")]})
        assert reply.status == 201
        assert_valid("gradebook", "GUIDPairSetDType", reply.json)
        pairs = {
            pair["suppliedSourcedId"]: pair["allocatedSourcedId"] for pair in reply.json["sourcedIdPairs"]
        }
        assert pairs.keys() == {"a", "b"}
        assert generic.sis("GET", f"/lineItems/{pairs['a']}").json["lineItem"]["sourcedId"] == pairs["a"]
        assert generic.sis("GET", "/lineItems/a").status == 404
    referred = reference("lineItem", pairs["a"])
    body = {"results": [score("x", lineItem=referred)]}
    for path in (f"/lineItems/{pairs['a']}/results", f"/classes/{CLASS}/academicSessions/9203/results"):
        assert generic.sis("POST", path, body).status == 201
    assert len(generic.dump()["results"]) == 2
    posted = [write for write in generic.writes() if write["method"] == "POST"]
    held = generic.dump()
    written = {record["sourcedId"] for record in held["lineItems"] + held["results"]}
    assert {write["sourced_id"] for write in posted} == written


def test_a_post_is_done_wholly_or_not_at_all(generic: SandboxProcess) -> None:
    other = item(generic, "b", **{"class": reference("class", OTHER_CLASS)})
    reply = generic.sis("POST", f"/classes/{CLASS}/lineItems", {"lineItems": [item(generic, "a"), other]})
    assert refusal(reply) == "class: differs from the one in the path."
    assert generic.dump()["lineItems"] == []


def test_scopes_are_those_of_1_2(process: SandboxProcess) -> None:
    for scope, method, path in [
        ("gradebook.createput", "POST", f"/classes/{CLASS}/lineItems"),
        ("gradebook.createpost", "PUT", "/lineItems/li-1"),
        ("gradebook-core.readonly", "GET", f"/classes/{CLASS}/lineItems"),
        ("roster-core.readonly", "GET", f"/classes/{CLASS}/students"),
    ]:
        token = process.new_token(scope=SCOPE + scope).json["access_token"]
        reply = process.sis(method, path, token=token)
        assert (reply.status, code_minor(reply)) == (403, "forbidden")
        assert_valid("gradebook", "imsx_StatusInfoDType", reply.json)
    first = process.new_token(scope="https://purl.imsglobal.org/spec/or/v1p1/scope/roster.readonly")
    assert (first.status, first.json["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("PATCH", "/lineItems/li-1")])
def test_what_is_not_there_is_refused_in_the_official_form(
    process: SandboxProcess, method: str, path: str
) -> None:
    reply = process.sis(method, path)
    assert reply.status in {404, 405}
    assert_valid("gradebook", "imsx_StatusInfoDType", reply.json)
