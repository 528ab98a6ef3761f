"""What the gradebook refuses: 422, naming the field, and nothing stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox_records import OTHER_CLASS, STUDENT, line_item, noon, reference, result

if TYPE_CHECKING:
    from sandbox_process import Reply, SandboxProcess

DATES = {  # name → days of assignment and due date, period, field that is refused
    "both_in_a_closed_period": (70, 90, "9202", "assignDate"),
    "assigned_in_a_closed_period": (131, 152, "9203", "assignDate"),
    "straddling_two_open_periods": (194, 215, "9203", "dueDate"),
    "due_after_all_periods": (290, 301, "9204", "dueDate"),
    "assigned_before_all_periods": (-31, 150, "9203", "assignDate"),
    "due_before_assigned": (166, 165, "9203", "dueDate"),
    "in_another_period_than_the_one_named": (145, 166, "9204", "gradingPeriod"),
}

LINE_ITEM: dict[str, tuple[str, Any]] = {  # name → field, value (... leaves it out)
    "an_unknown_category": ("category", reference("category", "none")),
    "an_unknown_class": ("class", reference("class", "none")),
    "an_unknown_period": ("gradingPeriod", reference("academicSession", "none")),
    "an_empty_title": ("title", "  "),
    "a_title_of_50_characters": ("title", "x" * 50),
    "a_title_that_is_no_text": ("title", 7),
    "a_total_that_is_not_whole": ("resultValueMax", 10.5),
    "a_total_of_zero": ("resultValueMax", 0),
    "a_total_that_is_text": ("resultValueMax", "100"),
    "no_total": ("resultValueMax", ...),
    "no_due_date": ("dueDate", ...),
    "a_due_date_without_time": ("dueDate", "2026-11-22"),
    "a_due_date_without_zone": ("dueDate", "2026-11-22T12:00:00"),
    "no_status": ("status", ...),
    "an_unknown_status": ("status", "deleted"),
    "no_time_of_change": ("dateLastModified", ...),
    "another_id_than_the_path": ("sourcedId", "li-2"),
    "a_bare_reference": ("class", {"sourcedId": "1001.0.01"}),
    "a_reference_of_the_wrong_type": ("category", reference("class", "301")),
    "a_field_of_1_2": ("scoreScale", reference("scoreScale", "1")),
    "metadata_that_is_no_object": ("metadata", "x"),
}

RESULT: dict[str, tuple[str, Any]] = {
    "an_unknown_line_item": ("lineItem", reference("lineItem", "none")),
    "an_unknown_student": ("student", reference("user", "none")),
    "a_teacher_as_student": ("student", reference("user", "80000001")),
    "a_score_that_is_text": ("score", "Late"),
    "a_score_that_is_not_finite": ("score", float("nan")),
    "a_score_that_is_a_flag": ("score", True),
    "no_score": ("score", ...),
    "an_unknown_score_status": ("scoreStatus", "late"),
    "a_score_date_with_time": ("scoreDate", "2026-11-22T12:00:00Z"),
    "a_score_date_in_another_form": ("scoreDate", "20261122"),
    "a_late_flag_of_1_2": ("late", "true"),
}


@pytest.fixture(scope="module")
def gradebook(seeded: SandboxProcess) -> SandboxProcess:
    """A SIS with the line item `li-1` and no result."""
    assert seeded.sis("PUT", "/lineItems/li-1", line_item(seeded)).status == 201
    return seeded


def assert_refused(reply: Reply, field: str) -> None:
    assert reply.status == 422
    (minor,) = reply.json["imsx_CodeMinor"]["imsx_codeMinorField"]
    assert minor["imsx_codeMinorFieldValue"] == "invaliddata"
    assert reply.json["imsx_description"].startswith(f"{field}: ")


@pytest.mark.parametrize(("assigned", "due", "period", "field"), DATES.values(), ids=DATES)
def test_dates_are_refused(
    gradebook: SandboxProcess, assigned: int, due: int, period: str, field: str
) -> None:
    record = line_item(
        gradebook,
        "li-0",
        assignDate=noon(gradebook, assigned),
        dueDate=noon(gradebook, due),
        gradingPeriod=reference("academicSession", period),
    )
    assert_refused(gradebook.sis("PUT", "/lineItems/li-0", record), field)
    assert gradebook.sis("GET", "/lineItems/li-0").status == 404


@pytest.mark.parametrize(("field", "value"), LINE_ITEM.values(), ids=LINE_ITEM)
def test_a_line_item_is_refused(gradebook: SandboxProcess, field: str, value: Any) -> None:
    record = line_item(gradebook, "li-0", **{field: value})
    assert_refused(gradebook.sis("PUT", "/lineItems/li-0", record), field)
    assert gradebook.sis("GET", "/lineItems/li-0").status == 404


@pytest.mark.parametrize(("field", "value"), RESULT.values(), ids=RESULT)
def test_a_result_is_refused(gradebook: SandboxProcess, field: str, value: Any) -> None:
    reply = gradebook.sis("PUT", "/results/r-1", result(**{field: value}))
    assert_refused(reply, field)
    assert STUDENT not in reply.text
    assert gradebook.dump()["results"] == []


@pytest.mark.parametrize(
    ("body", "status"), [("{", 400), ("[]", 422), ({"result": {}}, 422), ({"lineItem": []}, 422)]
)
def test_a_body_of_another_form_is_refused(gradebook: SandboxProcess, body: Any, status: int) -> None:
    assert gradebook.sis("PUT", "/lineItems/li-0", body).status == status


def test_a_student_of_another_class_is_refused(sandbox: SandboxProcess) -> None:
    record = line_item(sandbox, **{"class": reference("class", OTHER_CLASS)})
    assert sandbox.sis("PUT", "/lineItems/li-1", record).status == 201
    assert_refused(sandbox.sis("PUT", "/results/r-1", result()), "student")


def test_a_refused_write_is_on_the_log_as_not_stored(sandbox: SandboxProcess) -> None:
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox, title=""))
    (write,) = sandbox.writes()
    assert (write["method"], write["kind"], write["sourced_id"]) == ("PUT", "lineItem", "li-1")
    assert (write["status"], write["stored"], write["fault"]) == (422, False, None)
