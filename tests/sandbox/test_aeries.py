"""Aeries: what it serves, and what it refuses with which words."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox_process import start_sandbox
from sandbox_records import STUDENT, code_minor, line_item, noon, reference, refusal, result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_process import SandboxProcess

CLASS = "994_100101"
WITHOUT_PROJECT = "994_100102"
ELEMENTARY = "990_TN_421"
ELEMENTARY_WITH_SCHEDULE = "991_2101"
LINKED = "994_300101"
NO_GRADEBOOK = "994_300201"
AREAS = ("Gradebook Data", "Gradebook Scores", "Gradebook Category", "Gradebook Assignment")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("aeries"), sis="aeries", modules="AAA") as sandbox:
        yield sandbox


@pytest.fixture
def aeries(process: SandboxProcess) -> SandboxProcess:
    process.reset()
    return process


def item(sandbox: SandboxProcess, class_id: str = CLASS, category: str = "AS", **changes: Any) -> Any:
    given = {"class": reference("class", class_id), "category": reference("category", category)}
    return line_item(sandbox, **{"gradingPeriod": ..., **given, **changes})


def test_a_token_lasts_six_hours_and_needs_a_scope(process: SandboxProcess) -> None:
    assert process.info()["sis"]["token_url"].endswith("/aeries/token")
    token = process.new_token().json
    assert (token["expires_in"], token["token_type"]) == (21_600, "bearer")
    refused = process.new_token(scope="")
    assert (refused.status, refused.json["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize("path", ["/resources", "/classes/994_100101/categories"])
def test_there_are_no_resources_and_no_categories_below_a_class(process: SandboxProcess, path: str) -> None:
    assert process.sis("GET", path).status == 404


@pytest.mark.parametrize("path", ["/lineItems/li-1", "/results/r-1", "/categories/AS"])
def test_there_is_no_delete(aeries: SandboxProcess, path: str) -> None:
    assert aeries.sis("PUT", "/lineItems/li-1", item(aeries)).status == 201
    reply = aeries.sis("DELETE", path)
    assert (reply.status, code_minor(reply)) == (405, "unsupportedoperation")
    assert len(aeries.dump()["lineItems"]) == 1


def test_every_gradebook_lists_its_categories_beside_those_of_the_district(process: SandboxProcess) -> None:
    found: dict[str | None, set[str]] = {}
    for category in process.sis("GET", "/categories?limit=1000").json["categories"]:
        found.setdefault(category["metadata"].get("classId"), set()).add(category["metadata"]["code"])
        if "classId" not in category["metadata"]:
            assert category["sourcedId"] == category["metadata"]["code"]
    everything = {"AS", "CW", "HW", "PR", "LB", "OB", "QZ", "TS"}
    assert found == {
        None: everything,
        CLASS: everything,
        WITHOUT_PROJECT: everything - {"PR"},
        ELEMENTARY_WITH_SCHEDULE: everything,
        LINKED: everything,
    }


def test_classes_and_schools_say_what_the_rules_are_about(process: SandboxProcess) -> None:
    classes = process.sis("GET", "/classes").json["classes"]
    assert {found["sourcedId"]: found["metadata"]["gradebook"] for found in classes} == {
        CLASS: "unlinked",
        WITHOUT_PROJECT: "unlinked",
        ELEMENTARY: "unlinked",
        ELEMENTARY_WITH_SCHEDULE: "unlinked",
        LINKED: "linked",
        NO_GRADEBOOK: "none",
    }
    schools = process.sis("GET", "/schools").json["orgs"]
    assert {school["sourcedId"]: school["metadata"]["masterSchedule"] for school in schools} == {
        "990": "false",
        "991": "true",
        "994": "true",
    }


AVAILABLE = "Assignment, Classwork, Homework, Lab, Observation, Quiz, Test"
REFUSED = {
    "no_gradebook": ({"class_id": NO_GRADEBOOK}, "Gradebook Section Not Found"),
    "linked_gradebooks": ({"class_id": LINKED}, "Gradebook number does not match."),
    "an_elementary_school_without_a_master_schedule": (
        {"class_id": ELEMENTARY},
        "class: grade passback is not supported for elementary schools without a master schedule.",
    ),
    "a_category_that_is_not_in_the_gradebook": (
        {"class_id": WITHOUT_PROJECT, "category": "PR"},
        (
            f"Grading category [Project] not found in OneRoster for [{WITHOUT_PROJECT}]."
            f" Available grading categories are: [{AVAILABLE}]"
        ),
    ),
    "a_category_of_another_class": (
        {"class_id": WITHOUT_PROJECT, "category": f"{CLASS}_AS"},
        (
            f"Grading category [Assignment] not found in OneRoster for [{WITHOUT_PROJECT}]."
            f" Available grading categories are: [{AVAILABLE}]"
        ),
    ),
    "a_category_that_nobody_has": (
        {"class_id": WITHOUT_PROJECT, "category": "XX"},
        (
            f"Grading category [XX] not found in OneRoster for [{WITHOUT_PROJECT}]."
            f" Available grading categories are: [{AVAILABLE}]"
        ),
    ),
    "a_title_of_50_characters": ({"title": "x" * 50}, "title: must have 1 to 49 characters."),
    "a_total_with_a_fraction": (
        {"resultValueMax": 10.5},
        "resultValueMax: the total points must be a whole number above 0.",
    ),
    "an_unknown_class": ({"class_id": "994_1"}, "class: does not exist."),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_a_line_item_is_refused_with_the_words_of_aeries(
    process: SandboxProcess, changes: dict[str, Any], words: str
) -> None:
    assert refusal(process.sis("PUT", "/lineItems/li-1", item(process, **changes))) == words


ACCEPTED = {
    "a_title_of_49_characters": {"title": "x" * 49},
    "a_category_of_its_own_class": {"category": f"{CLASS}_AS"},
    "an_elementary_school_with_a_master_schedule": {"class_id": ELEMENTARY_WITH_SCHEDULE},
    "a_grading_period": {"gradingPeriod": reference("academicSession", "9203")},
}


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED)
def test_a_line_item_is_accepted(aeries: SandboxProcess, changes: dict[str, Any]) -> None:
    assert aeries.sis("PUT", "/lineItems/li-1", item(aeries, **changes)).status == 201


@pytest.mark.parametrize(("assigned", "due"), [(0, 66), (60, 70), (-60, -40), (166, 145), (190, 310)])
def test_no_grading_period_is_a_reason_to_refuse(aeries: SandboxProcess, assigned: int, due: int) -> None:
    record = item(aeries, assignDate=noon(aeries, assigned), dueDate=noon(aeries, due))
    assert aeries.sis("PUT", "/lineItems/li-1", record).status == 201


def test_a_retired_category_is_not_in_the_gradebook_any_more(aeries: SandboxProcess) -> None:
    aeries.control("PUT", f"/sis/categories/{CLASS}_AS", {"status": "tobedeleted"})
    assert "Grading category [Assignment]" in refusal(aeries.sis("PUT", "/lineItems/li-1", item(aeries)))


def test_scores_are_whole_numbers_while_the_setting_says_so(aeries: SandboxProcess) -> None:
    aeries.sis("PUT", "/lineItems/li-1", item(aeries))
    fraction = result(score=8.5)
    assert refusal(aeries.sis("PUT", "/results/r-1", fraction)) == "score: is not a whole number."
    assert aeries.sis("PUT", "/results/r-1", result(score=8.0)).status == 201
    aeries.control("PATCH", "/settings", {"whole_scores": False})
    assert aeries.sis("PUT", "/results/r-1", fraction).status == 200
    aeries.reset()
    assert aeries.info()["sis"]["settings"]["whole_scores"] is True


def test_a_result_without_a_line_item_or_a_member_is_refused(aeries: SandboxProcess) -> None:
    reply = aeries.sis("PUT", "/results/r-1", result())
    assert refusal(reply) == "Invalid assignment ID (lineItem sourcedId is invalid)."
    aeries.sis("PUT", "/lineItems/li-1", item(aeries, WITHOUT_PROJECT))
    assert refusal(aeries.sis("PUT", "/results/r-1", result())) == "Student Does Not Belong"


@pytest.mark.parametrize(
    "dates", [{"begin_date": 201}, {"end_date": 200}, {"begin_date": 0, "end_date": 100}]
)
def test_a_student_without_a_current_enrollment_is_not_there(
    aeries: SandboxProcess, dates: dict[str, int]
) -> None:
    aeries.sis("PUT", "/lineItems/li-1", item(aeries))
    for class_id in (CLASS, ELEMENTARY, ELEMENTARY_WITH_SCHEDULE, LINKED, NO_GRADEBOOK):
        enrolled = aeries.sis("GET", f"/classes/{class_id}/students?filter=sourcedId%3D'{STUDENT}'")
        if enrolled.headers["x-total-count"] == "0":
            continue
        change = {name: noon(aeries, day)[:10] for name, day in dates.items()}
        aeries.control("PATCH", "/roster", {"class_id": class_id, "student_id": STUDENT, **change})
        assert aeries.sis("GET", f"/enrollments/{class_id}-{STUDENT}").status == 404
    assert aeries.sis("GET", f"/students/{STUDENT}").status == 404
    assert aeries.sis("GET", "/students").headers["x-total-count"] == "711"
    members = aeries.sis("GET", f"/classes/{CLASS}/students?limit=1000").json["users"]
    assert STUDENT not in {user["sourcedId"] for user in members}
    assert refusal(aeries.sis("PUT", "/results/r-1", result())) == "Student Does Not Belong"


def test_a_student_is_there_from_the_first_day_to_the_last(aeries: SandboxProcess) -> None:
    today = aeries.info()["seeding_date"]
    tomorrow = (date.fromisoformat(today) + timedelta(days=1)).isoformat()
    where = {"class_id": CLASS, "student_id": STUDENT}
    aeries.control("PATCH", "/roster", where | {"begin_date": today, "end_date": tomorrow})
    assert aeries.sis("GET", f"/enrollments/{CLASS}-{STUDENT}").status == 200


OPERATIONS = {
    "read categories": ("GET", "/categories", {"Gradebook Data", "Gradebook Category"}),
    "read line items": ("GET", f"/classes/{CLASS}/lineItems", {"Gradebook Data", "Gradebook Assignment"}),
    "read results": ("GET", "/results", {"Gradebook Data", "Gradebook Scores"}),
    "update line items": (
        "PUT",
        "/lineItems/li-1",
        {"Gradebook Data", "Gradebook Category", "Gradebook Assignment"},
    ),
    "update results": ("PUT", "/results/r-1", {"Gradebook Data", "Gradebook Scores"}),
    "read students": ("GET", "/students", set()),
}


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("access", ["read", "update"])
def test_a_missing_permission_is_named(aeries: SandboxProcess, area: str, access: str) -> None:
    kept = ["update"] if access == "read" else ["read"]
    aeries.control("PATCH", "/settings", {"permissions": {area: kept}})
    for operation, (method, path, areas) in OPERATIONS.items():
        reply = aeries.sis(method, path, {"nothing": {}} if method == "PUT" else None)
        if area in areas and operation.startswith(access):
            assert (reply.status, code_minor(reply)) == (403, "forbidden")
            assert reply.json["imsx_description"] == f"Permission missing: {access} on {area}."
        else:
            assert reply.status in {200, 422}


def test_a_permission_that_does_not_exist_cannot_be_set(aeries: SandboxProcess) -> None:
    with pytest.raises(AssertionError, match="422"):
        aeries.control("PATCH", "/settings", {"permissions": {"Gradebook": ["read"]}})
