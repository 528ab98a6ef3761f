from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from sandbox_canvas import FRACTIONS, WORKSHOP, Canvas, links
from sandbox_process import SandboxProcess, request, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZONE = ZoneInfo("America/Los_Angeles")
SWITCHES = ("canvas_grade_export", "canvas_view_all_grades", "canvas_read_sis", "canvas_manage_assignments")
SUBMISSIONS = f"/api/v1/courses/{WORKSHOP}/students/submissions"


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canvas]:
    """A Canvas that nobody changes."""
    with start_sandbox(tmp_path_factory.mktemp("canvas"), lms="canvas", sis="aspire") as sandbox:
        yield Canvas.of(sandbox)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    folder = tmp_path_factory.mktemp("canvas-small")
    with start_sandbox(folder, lms="canvas", sis="aspire", modules="AAA") as sandbox:
        yield sandbox


@pytest.fixture
def canvas(small: SandboxProcess) -> Iterator[Canvas]:
    """A Canvas to change, with two classes and the workshop; afterwards it is as before."""
    yield Canvas.of(small)
    small.reset()
    small.control("PATCH", "/canvas/settings", {"canvas_throttle": None, **dict.fromkeys(SWITCHES, True)})


def day_of(canvas: Canvas, instant: str) -> int:
    """The day, counted from day 0, on which an instant falls in the zone."""
    local = datetime.fromisoformat(instant).astimezone(ZONE).date()
    return (local - date.fromisoformat(canvas.sandbox.info()["day_0"])).days


# --- Who asks ---


def test_the_connection_of_info_reaches_it(seeded: Canvas) -> None:
    info = seeded.sandbox.info()
    source = info["connections"]["source"]
    assert (source["conn_type"], source["password"], source["extra"]["account"]) == (
        "http",
        seeded.token,
        "1",
    )
    assert seeded.get("/api/v1/users/self").json["id"] == 1
    for account in ("1", "self", "sis_account_id:100"):
        assert seeded.get(f"/api/v1/accounts/{account}").json["id"] == 1
    assert [account["id"] for account in seeded.everything("/api/v1/accounts")] == [1]


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}])
def test_without_its_token_it_says_nothing(seeded: Canvas, header: dict[str, str]) -> None:
    for path in ("/api/v1/users/self", "/api/sis/accounts/1/assignments", SUBMISSIONS):
        reply = request("GET", seeded.sandbox.url + path, headers=header)
        assert reply.status == 401
        assert reply.json["errors"]
        assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/courses/1",
        "/api/v1/courses/sis_course_id:none",
        "/api/v1/courses/nothing/sections",
        "/api/v1/courses/11/assignments/900001",
        "/api/v1/courses/11/assignment_groups/90101",
        "/api/v1/accounts/2/courses",
        "/api/v1/sections/hex:sis_section_id:zz",
    ],
)
def test_what_does_not_exist_is_not_found(seeded: Canvas, path: str) -> None:
    reply = seeded.get(path)
    assert (reply.status, list(reply.json)) == (404, ["errors"])


# --- Courses, sections, people ---


def test_every_class_is_a_published_course_with_one_section_by_its_sis_id(seeded: Canvas) -> None:
    courses = seeded.everything("/api/v1/accounts/1/courses", state=["available"])
    by_id = {course["id"]: course for course in courses}
    assert list(by_id) == [11, 12, 13, 14, 15, 901, 902]
    sections = [seeded.everything(f"/api/v1/courses/{number}/sections") for number in range(11, 16)]
    assert [[section["sis_section_id"] for section in of_course] for of_course in sections] == [
        ["1001-01"],
        ["1001-02"],
        ["1002-01"],
        ["1002-02"],
        ["1002-03"],
    ]
    assert seeded.get("/api/v1/courses/sis_course_id:C-1001-01").json["id"] == 11
    hexadecimal = b"1001-01".hex()
    assert seeded.get(f"/api/v1/sections/hex:sis_section_id:{hexadecimal}").json["course_id"] == 11


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {901, 902, 903}),
        ({"state": ["all"]}, {901, 902, 903}),
        ({"state": ["available", "completed"]}, {901, 902}),
        ({"state": ["created", "claimed"]}, {903}),
        ({"published": "true"}, {901, 902}),
        ({"published": "false"}, {903}),
        ({"with_enrollments": "true"}, {901, 903}),
        ({"search_term": "unpub"}, {903}),
        ({"ends_after": "2020-01-01T00:00:00Z"}, {901, 902, 903}),
        ({"ends_after": "2099-01-01T00:00:00Z"}, set()),
        ({"starts_before": "2020-01-01T00:00:00Z"}, set()),
        ({"enrollment_term_id": 7}, set()),
    ],
)
def test_courses_are_listed_by_state(seeded: Canvas, query: dict[str, Any], found: set[int]) -> None:
    listed = seeded.everything("/api/v1/accounts/1/courses", **query)
    assert {course["id"] for course in listed} & {901, 902, 903} == found


def test_a_deleted_course_is_gone_but_for_those_who_ask_for_it(canvas: Canvas) -> None:
    canvas.change("courses/12", workflow_state="deleted")
    assert canvas.get("/api/v1/courses/12").status == 404
    ids = [course["id"] for course in canvas.everything("/api/v1/accounts/1/courses", state=["deleted"])]
    assert ids == [12]


def test_the_workshop_has_two_sections_and_a_cross_listed_one(seeded: Canvas) -> None:
    sections = seeded.everything(f"/api/v1/courses/{WORKSHOP}/sections", include=["total_students"])
    assert [
        (each["sis_section_id"], each["nonxlist_course_id"], each["total_students"]) for each in sections
    ] == [
        ("1999-01", None, 7),
        ("1999-02", None, 6),
        ("1998-01", 902, 4),
    ]
    assert seeded.everything("/api/v1/courses/902/sections") == []


def test_enrollments_carry_the_sis_ids_of_section_and_user(seeded: Canvas) -> None:
    path = f"/api/v1/courses/{WORKSHOP}/enrollments"
    students = seeded.everything(path, type=["StudentEnrollment"], per_page=7)
    assert len(students) == 17
    by_section = {each["course_section_id"]: each["sis_section_id"] for each in students}
    assert by_section == {9011: "1999-01", 9012: "1999-02", 9021: "1998-01"}
    without = [each for each in students if each["sis_user_id"] is None]
    assert [(each["sis_import_id"], each["user"]["sis_user_id"]) for each in without] == [(None, None)]
    teachers = seeded.everything(path, type=["TeacherEnrollment"])
    assert {each["sis_user_id"] for each in teachers} == {"80000090"}
    one = seeded.everything("/api/v1/sections/9021/enrollments", user_id=students[-2]["user_id"])
    assert [each["sis_section_id"] for each in one] == ["1998-01"]


def test_a_concluded_enrollment_is_listed_only_where_it_is_asked_for(canvas: Canvas) -> None:
    first = canvas.everything("/api/v1/sections/9011/enrollments", type=["StudentEnrollment"])[0]
    canvas.change(f"enrollments/{first['id']}", enrollment_state="completed")
    active = canvas.everything("/api/v1/sections/9011/enrollments")
    assert first["id"] not in [each["id"] for each in active]
    concluded = canvas.everything("/api/v1/sections/9011/enrollments", state=["completed"])
    assert [each["id"] for each in concluded] == [first["id"]]
    for state, students in (("active", 16), ("concluded", 1)):
        assert len(canvas.submissions(WORKSHOP, enrollment_state=state)) == students


# --- Pages ---


def test_a_page_holds_10_unless_asked_otherwise_and_never_more_than_100(seeded: Canvas) -> None:
    path = "/api/v1/courses/15/enrollments"
    assert [len(seeded.get(path, **query).json) for query in ({}, {"per_page": 3}, {"per_page": 1000})] == [
        10,
        3,
        100,
    ]


@pytest.mark.parametrize(
    ("path", "query", "last"),
    [
        ("/api/v1/accounts/1/courses", {"state": ["available"]}, True),
        ("/api/v1/courses/901/assignments", {"include": ["overrides"]}, True),
        ("/api/sis/accounts/1/assignments", {"include": ["student_overrides"]}, True),
        ("/api/v1/courses/11/students/submissions", {"student_ids": ["all"], "grouped": 1}, True),
        ("/api/v1/courses/901/enrollments", {"type": ["StudentEnrollment"]}, False),
        (SUBMISSIONS, {"student_ids": ["all"]}, False),
    ],
)
def test_links_lead_through_all_pages_and_keep_the_query(
    seeded: Canvas, path: str, query: dict[str, Any], *, last: bool
) -> None:
    first = seeded.get(path, per_page=3, **query)
    found = links(first)
    assert ("last" in found) == last
    assert {"current", "next", "first"} <= set(found)
    assert all(url.startswith(seeded.sandbox.url) for url in found.values())
    whole = seeded.everything(path, **query)
    assert seeded.everything(path, per_page=7, **query) == whole
    assert seeded.get(found["next"]).json == whole[3:6]
    assert seeded.get(found["first"]).json == whole[:3]


def test_a_link_does_not_carry_a_token_of_the_query(seeded: Canvas) -> None:
    reply = request("GET", f"{seeded.sandbox.url}/api/v1/accounts?access_token={seeded.token}")
    assert reply.status == 200
    assert seeded.token not in reply.headers["link"]


def test_who_makes_up_page_numbers_sees_the_first_page_of_a_bookmarked_listing_again(seeded: Canvas) -> None:
    path = f"/api/v1/courses/{WORKSHOP}/enrollments"
    assert seeded.get(path, page=2).json == seeded.get(path).json


def test_a_large_course_answers_a_page_in_well_under_a_second(seeded: Canvas) -> None:
    started = time.perf_counter()
    rows = seeded.submissions(15)
    seconds = time.perf_counter() - started
    assert (len(rows), sum(len(row["submissions"]) for row in rows)) == (1_188, 5_940)
    assert seconds / 12 < 0.5


# --- The rate limit ---


def throttle(canvas: Canvas, **limits: Any) -> None:
    canvas.sandbox.control("PATCH", "/canvas/settings", {"canvas_throttle": limits})


@pytest.mark.parametrize("status", [403, 429])
def test_a_full_bucket_refuses_in_plain_text(canvas: Canvas, status: int) -> None:
    throttle(canvas, hwm=50.2, outflow=0.001, status=status)
    replies = [canvas.get("/api/v1/users/self") for _ in range(8)]
    statuses = [reply.status for reply in replies]
    assert statuses == sorted(statuses)
    assert {statuses[0], statuses[-1]} == {200, status}
    refused = replies[-1]
    assert refused.headers["content-type"].startswith("text/plain")
    assert "(Rate Limit Exceeded)" in refused.text
    assert float(refused.headers["x-rate-limit-remaining"]) == 0
    assert "x-request-cost" not in refused.headers


def test_the_bucket_says_how_much_is_left_and_empties_with_time(canvas: Canvas) -> None:
    throttle(canvas, hwm=50.2, outflow=0.001)
    left = []
    while (reply := canvas.get("/api/v1/users/self")).status == 200:
        left.append(float(reply.headers["x-rate-limit-remaining"]))
        assert float(reply.headers["x-request-cost"]) > 0
    assert left == sorted(left, reverse=True)
    assert left[-1] < 50 <= left[0] + 0.2
    throttle(canvas, hwm=50.2, outflow=1000)
    assert canvas.get("/api/v1/users/self").status == 200
    assert canvas.get("/api/v1/users/self").status == 200


def test_a_listing_costs_more_than_a_glance(seeded: Canvas) -> None:
    glance, listing = (
        seeded.get("/api/v1/users/self"),
        seeded.get("/api/v1/courses/15/enrollments", per_page=100),
    )
    assert float(listing.headers["x-request-cost"]) > 2 * float(glance.headers["x-request-cost"])


@pytest.mark.parametrize("path", ["/api/sis/accounts/1/assignments", SUBMISSIONS + "?student_ids[]=all"])
def test_a_missing_permission_is_a_403_in_json_unlike_the_rate_limit(canvas: Canvas, path: str) -> None:
    canvas.sandbox.control("PATCH", "/canvas/settings", {"canvas_view_all_grades": False})
    reply = canvas.get(path)
    assert reply.status == 403
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.json["status"] == "unauthorized"
    assert float(reply.headers["x-rate-limit-remaining"]) > 0


def test_without_the_right_to_read_sis_ids_there_are_none(canvas: Canvas) -> None:
    canvas.sandbox.control("PATCH", "/canvas/settings", {"canvas_read_sis": False})
    rows = canvas.submissions(WORKSHOP)
    sections = canvas.everything(f"/api/v1/courses/{WORKSHOP}/sections")
    by_sis_id = canvas.get("/api/v1/courses/sis_course_id:C-901")
    assert not any("sis_user_id" in row for row in rows)
    assert not any("sis_section_id" in section for section in sections)
    assert by_sis_id.status == 404


# --- Assignments for the SIS ---


def of_sis(canvas: Canvas, **query: Any) -> dict[int, dict[str, Any]]:
    listed = canvas.everything("/api/sis/accounts/1/assignments", include=["student_overrides"], **query)
    return {assignment["id"]: assignment for assignment in listed}


def test_the_sis_hears_of_published_assignments_marked_for_it_in_published_courses(seeded: Canvas) -> None:
    listed = of_sis(seeded)
    workshop = {number for number in listed if number >= FRACTIONS}
    assert workshop == set(range(FRACTIONS, FRACTIONS + 24)) - {900_006, 900_007, 900_008}
    assert len(listed) == 27 + 21
    course = seeded.everything("/api/sis/courses/sis_course_id:C-901/assignments")
    assert {assignment["id"] for assignment in course} == workshop


def test_an_assignment_for_the_sis_carries_group_section_and_course(seeded: Canvas) -> None:
    tma = of_sis(seeded)[1755]
    assert tma["assignment_group"]["sis_source_id"] == "9102-301"
    assert tma["assignment_group"]["integration_data"] == {"sis_term_id": "9102"}
    assert (tma["points_possible"], tma["include_in_final_grade"], tma["user_overrides"]) == (100.0, True, [])
    (section,) = tma["sections"]
    assert (section["sis_id"], section["origin_course"]["sis_id"]) == ("1001-01", "C-1001-01")
    assert "xlist_course" not in section
    assert [day_of(seeded, tma[name]) for name in ("created_at", "due_at")] == [145, 166]


def test_a_cross_listed_section_names_its_origin(seeded: Canvas) -> None:
    section = of_sis(seeded)[FRACTIONS]["sections"][2]
    assert (section["sis_id"], section["origin_course"]["id"], section["xlist_course"]["id"]) == (
        "1998-01",
        902,
        901,
    )


def test_overrides_go_out_with_their_sections_and_students(seeded: Canvas) -> None:
    listed = of_sis(seeded)
    dates = [
        day_of(seeded, section["override"]["due_at"]) if "override" in section else None
        for section in listed[900_002]["sections"]
    ]
    assert dates == [188, 195, None]
    assert [section["id"] for section in listed[900_005]["sections"]] == [9011]
    assert listed[900_003]["sections"] == []
    (named,) = listed[900_003]["user_overrides"]
    assert len([student["sis_user_id"] for student in named["students"]]) == 2
    (later,) = listed[900_004]["user_overrides"]
    assert [day_of(seeded, later["due_at"]), day_of(seeded, listed[900_004]["due_at"])] == [198, 190]
    assert len(listed[900_004]["sections"]) == 3
    assert listed[900_009]["include_in_final_grade"] is False
    without = seeded.everything("/api/sis/courses/901/assignments")
    assert not any("user_overrides" in assignment for assignment in without)


def test_courses_are_left_out_that_start_too_late_or_ended_too_early(seeded: Canvas) -> None:
    day_0 = date.fromisoformat(seeded.sandbox.info()["day_0"])
    before, after = (f"{day_0 + timedelta(days=day)}T00:00:00Z" for day in (50, 299))
    # the workshop begins on day 100, but its term on day -30: one of the two is enough
    assert FRACTIONS in of_sis(seeded, starts_before=before)
    assert of_sis(seeded, starts_before=f"{day_0 - timedelta(days=90)}T00:00:00Z") == {}
    assert len(of_sis(seeded, ends_after=after)) == 48
    assert of_sis(seeded, ends_after=f"{day_0 + timedelta(days=400)}T00:00:00Z") == {}


def test_an_unpublished_course_and_a_missing_export_are_refused_by_code(canvas: Canvas) -> None:
    unpublished = canvas.get("/api/sis/courses/903/assignments")
    assert (unpublished.status, unpublished.json["code"]) == (400, "unpublished_course")
    canvas.sandbox.control("PATCH", "/canvas/settings", {"canvas_grade_export": False})
    refused = canvas.get("/api/sis/accounts/1/assignments")
    assert (refused.status, refused.json["code"]) == (400, "not_enabled")


# --- Assignments and groups ---


def test_an_assignment_says_the_latest_of_its_dates_unless_asked_for_its_own(seeded: Canvas) -> None:
    path = f"/api/v1/courses/{WORKSHOP}/assignments"
    listed = {each["id"]: each for each in seeded.everything(path, include=["all_dates", "overrides"])}
    own = {each["id"]: each for each in seeded.everything(path, override_assignment_dates="false")}
    assert day_of(seeded, listed[900_002]["due_at"]) == 195
    assert day_of(seeded, own[900_002]["due_at"]) == 190
    assert [dates.get("set_type", "base") for dates in listed[900_002]["all_dates"]] == [
        "CourseSection",
        "base",
        "CourseSection",
    ]
    assert listed[900_002]["has_overrides"] is True
    assert "overrides" not in own[900_002]
    assert listed[900_004]["overrides"][0]["assignment_id"] == 900_004
    assert listed[900_018]["due_at"] is None


@pytest.mark.parametrize(
    ("number", "facts"),
    [
        (900_003, {"only_visible_to_overrides": True}),
        (900_005, {"only_visible_to_overrides": True}),
        (900_006, {"published": False, "workflow_state": "unpublished", "post_to_sis": True}),
        (900_007, {"post_to_sis": False, "in_closed_grading_period": False}),
        (900_008, {"post_to_sis": False, "in_closed_grading_period": True, "published": True}),
        (900_009, {"omit_from_final_grade": True}),
        (900_010, {"grading_type": "pass_fail"}),
        (900_011, {"grading_type": "letter_grade"}),
        (900_012, {"points_possible": 10.5}),
        (900_018, {"due_at": None, "in_closed_grading_period": False}),
        (900_022, {"points_possible": 0.0}),
    ],
)
def test_the_workshop_has_an_assignment_for_a_rule(
    seeded: Canvas, number: int, facts: dict[str, Any]
) -> None:
    found = seeded.get(f"/api/v1/courses/{WORKSHOP}/assignments/{number}").json
    assert {name: found[name] for name in facts} == facts


def test_the_workshop_has_titles_around_every_limit(seeded: Canvas) -> None:
    listed = seeded.everything(f"/api/v1/courses/{WORKSHOP}/assignments")
    lengths = [len(each["name"]) for each in listed if 900_013 <= each["id"] <= 900_017]
    assert lengths == [30, 31, 49, 50, 51]


@pytest.mark.parametrize(
    ("number", "name", "source", "term"),
    [
        (FRACTIONS, "Assignment", "9102-301", "9102"),
        (900_019, "Participation", None, None),
        (900_020, "assignment", None, None),
        (900_021, "Assignment", "9101-301", "9101"),
        (900_024, "Quiz", "9102-307", "9102"),
    ],
)
def test_groups_of_the_workshop_are_imported_for_a_term_or_not_at_all(
    seeded: Canvas, number: int, name: str, source: str | None, term: str | None
) -> None:
    group = of_sis(seeded)[number]["assignment_group"]
    assert (group["name"], group["sis_source_id"], group["integration_data"].get("sis_term_id")) == (
        name,
        source,
        term,
    )


def test_groups_are_imported_term_by_term_but_not_into_the_second_class(seeded: Canvas) -> None:
    first, second = (seeded.everything(f"/api/v1/courses/{number}/assignment_groups") for number in (11, 12))
    assert [(group["name"], group["sis_source_id"]) for group in first] == [
        ("Assignment", "9101-301"),
        ("Quiz", "9101-307"),
        ("Test", "9101-308"),
        ("Assignment", "9102-301"),
        ("Quiz", "9102-307"),
        ("Test", "9102-308"),
    ]
    assert [(group["name"], group["sis_source_id"]) for group in second] == [
        ("Assignment", None),
        ("Quiz", None),
        ("Test", None),
    ]


@pytest.mark.parametrize("as_form", [False, True])
def test_a_group_can_be_added_and_changed(canvas: Canvas, *, as_form: bool) -> None:
    path = "/api/v1/courses/12/assignment_groups"

    def send(method: str, address: str, given: dict[str, Any]) -> Any:
        if not as_form:
            return canvas.send(method, address, given).json
        term = given.pop("integration_data", {}).get("sis_term_id")
        pairs = given | ({"integration_data[sis_term_id]": term} if term else {})
        body = "&".join(f"{name}={value}" for name, value in pairs.items())
        headers = {
            "Authorization": f"Bearer {canvas.token}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return request(method, canvas.sandbox.url + address, body, headers).json

    imported = {"name": "Lab", "sis_source_id": "9102-305", "integration_data": {"sis_term_id": "9102"}}
    added = send("POST", path, dict(imported))
    assert {name: added[name] for name in imported} == imported
    changed = send("PUT", f"{path}/{added['id']}", {"name": "Laboratory"})
    assert changed == added | {"name": "Laboratory"}
    assert changed in canvas.everything(path)
    assert canvas.get(f"{path}/{added['id']}").json == changed


def test_a_group_needs_the_right_to_manage_assignments_and_data_that_are_an_object(canvas: Canvas) -> None:
    path = "/api/v1/courses/12/assignment_groups"
    assert canvas.send("POST", path, {"name": "Lab", "integration_data": "9102"}).status == 400
    assert canvas.send("POST", path, {"name": "L" * 256}).status == 400
    canvas.sandbox.control("PATCH", "/canvas/settings", {"canvas_manage_assignments": False})
    refused = canvas.send("POST", path, {"name": "Lab"})
    assert (refused.status, refused.json["status"]) == (403, "unauthorized")
    assert len(canvas.everything(path)) == 3


# --- Submissions ---


def test_a_row_names_the_student_by_both_ids_and_the_section(seeded: Canvas) -> None:
    rows = seeded.submissions(WORKSHOP, assignment_ids=[FRACTIONS])
    assert [row["section_id"] for row in rows] == [9011] * 6 + [9012] * 6 + [9021] * 4 + [9011]
    assert all(row["sis_user_id"].startswith("9") for row in rows[:16])
    assert "sis_user_id" not in rows[16]


STATES = {
    1: {
        "score": 8.0,
        "grade": "8",
        "workflow_state": "graded",
        "excused": False,
        "late": False,
        "missing": False,
    },
    2: {"score": None, "excused": True, "workflow_state": "graded", "missing": False},
    3: {"score": 7.0, "late": True, "seconds_late": 129_660, "late_policy_status": None},
    4: {"score": None, "missing": True, "late_policy_status": "missing", "workflow_state": "unsubmitted"},
    5: {"score": 0.0, "missing": True, "late_policy_status": "missing", "workflow_state": "graded"},
    6: {"score": None, "grade": "incomplete", "workflow_state": "graded"},
    7: {"score": 9.0, "posted_at": None, "workflow_state": "graded"},
    8: {"score": 6.0, "grade_matches_current_submission": False, "workflow_state": "submitted", "late": True},
    9: {"score": None, "graded_at": None, "workflow_state": "submitted"},
    10: {"score": None, "submitted_at": None, "missing": True, "late_policy_status": None},
    11: {"score": 12.0},
    12: {"score": 5.0, "workflow_state": "pending_review", "graded_at": None},
    13: {"score": 4.0, "redo_request": True},
    14: {"score": 8.5, "grade": "8.5"},
    15: {"score": 0.0, "grade": "0", "missing": False},
    16: {"score": 10.0, "assignment_visible": True},
    17: {"score": 3.0},
}


@pytest.mark.parametrize(("student", "facts"), STATES.items())
def test_fractions_has_a_submission_for_every_state(
    seeded: Canvas, student: int, facts: dict[str, Any]
) -> None:
    found = seeded.of_workshop(FRACTIONS, include=["visibility"])[student]
    assert {name: found[name] for name in facts} == facts


def test_only_those_have_a_submission_who_have_the_assignment(seeded: Canvas) -> None:
    assert set(seeded.of_workshop(900_003)) == {1, 2}
    assert set(seeded.of_workshop(900_005)) == {1, 2, 3, 4, 5, 6, 17}
    assert {
        submission["score"] for number, submission in seeded.of_workshop(900_012).items() if number < 17
    } == {8.0}
    assert seeded.of_workshop(900_010)[1]["grade"] == "complete"


def test_the_date_of_a_student_is_that_of_their_section_or_their_own(seeded: Canvas) -> None:
    by_section = seeded.of_workshop(900_002)
    assert [day_of(seeded, by_section[number]["cached_due_date"]) for number in (1, 7, 13)] == [188, 195, 190]
    by_student = seeded.of_workshop(900_004)
    assert [day_of(seeded, by_student[number]["cached_due_date"]) for number in (3, 4)] == [198, 190]


def test_scores_of_the_data_are_as_the_readme_counts_them(seeded: Canvas) -> None:
    rows = seeded.submissions(15, assignment_ids=[30722])
    found = [row["submissions"][0] for row in rows]
    assert sum(each["workflow_state"] == "graded" and not each["excused"] for each in found) == 699
    assert sum(each["excused"] for each in found) == 3
    assert sum(each["workflow_state"] == "unsubmitted" and each["missing"] for each in found) == 485
    assert sum(each["workflow_state"] == "submitted" for each in found) == 1
    assert all(each["posted_at"] == each["graded_at"] for each in found)


def test_a_section_answers_for_its_own_students(seeded: Canvas) -> None:
    path = "/api/v1/sections/sis_section_id:1998-01/students/submissions"
    rows = seeded.everything(path, student_ids=["all"], grouped=1, assignment_ids=[FRACTIONS])
    assert [row["section_id"] for row in rows] == [9021] * 4


def test_ungrouped_it_is_submission_after_submission(seeded: Canvas) -> None:
    flat = seeded.everything(SUBMISSIONS, student_ids=["all"], include=["user", "assignment"])
    grouped = [each for row in seeded.submissions(WORKSHOP) for each in row["submissions"]]
    assert sorted(each["id"] for each in flat) == sorted(each["id"] for each in grouped)
    assert flat[0]["user"]["sis_user_id"]
    assert flat[0]["assignment"]["id"] == FRACTIONS
    assert 900_006 not in {each["assignment_id"] for each in flat}


def test_post_to_sis_leaves_out_other_assignments_and_who_was_enrolled_by_hand(seeded: Canvas) -> None:
    rows = seeded.submissions(WORKSHOP, post_to_sis="true")
    assert len(rows) == 16
    numbers = {each["assignment_id"] for row in rows for each in row["submissions"]}
    assert not {900_007, 900_008} & numbers


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"graded_since": "yesterday"}, 400),
        ({"graded_since": "2026-11-01"}, 400),
        ({"graded_since": "2026-11-01T00:00:00 01:00"}, 400),
        ({"submitted_since": "2026-13-01T00:00:00Z"}, 400),
        ({"enrollment_state": "asleep"}, 400),
        ({"student_ids": [str(number) for number in range(101)]}, 400),
        ({"student_ids": ["1"]}, 403),
        ({"assignment_ids": ["1755"]}, 403),
        ({"assignment_ids": ["900006"]}, 403),
    ],
)
def test_a_request_for_submissions_that_makes_no_sense_is_refused(
    seeded: Canvas, query: dict[str, Any], status: int
) -> None:
    reply = seeded.get(SUBMISSIONS, **{"student_ids": ["all"]} | query)
    assert reply.status == status
    assert reply.headers["content-type"].startswith("application/json")


def graded_since(canvas: Canvas, since: str) -> set[int]:
    """Numbers of the students of the workshop whose grade on Fractions is later."""
    return set(canvas.of_workshop(FRACTIONS, graded_since=since))


def test_graded_since_is_strict_and_leaves_out_what_is_not_graded(seeded: Canvas) -> None:
    graded_at = seeded.of_workshop(FRACTIONS)[1]["graded_at"]
    a_second_before = (datetime.fromisoformat(graded_at) - timedelta(seconds=1)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    assert graded_since(seeded, graded_at) == {3}
    assert graded_since(seeded, a_second_before) == set(range(1, 18)) - {4, 9, 10, 12}
    assert len(seeded.submissions(WORKSHOP, graded_since="2099-01-01T00:00:00Z")) == 17


def test_graded_since_goes_by_microseconds_that_no_answer_shows(canvas: Canvas) -> None:
    student = canvas.submissions(WORKSHOP)[0]["sis_user_id"]
    canvas.change(f"submissions/{FRACTIONS}/{student}", score=5, graded_at="2026-11-22T12:00:00.500000Z")
    shown = canvas.of_workshop(FRACTIONS)[1]["graded_at"]
    assert shown == "2026-11-22T12:00:00Z"
    assert 1 in graded_since(canvas, shown)
    assert 1 not in graded_since(canvas, "2026-11-22T12:00:00.500000Z")


def test_a_removed_grade_is_invisible_to_graded_since(canvas: Canvas) -> None:
    student = canvas.submissions(WORKSHOP)[0]["sis_user_id"]
    before = canvas.of_workshop(FRACTIONS)[1]
    changed = canvas.change(f"submissions/{FRACTIONS}/{student}", score=None)
    assert (changed["graded_at"], changed["posted_at"], changed["workflow_state"]) == (
        None,
        None,
        "submitted",
    )
    assert graded_since(canvas, before["graded_at"]) == {3}
    assert canvas.of_workshop(FRACTIONS)[1]["score"] is None


# --- Changes ---


def test_a_grade_given_is_stamped_and_work_handed_in_again_no_longer_matches(canvas: Canvas) -> None:
    student = canvas.submissions(WORKSHOP)[8]["sis_user_id"]
    path = f"submissions/{FRACTIONS}/{student}"
    graded = canvas.change(path, score=6.5)
    assert (graded["grade"], graded["workflow_state"]) == ("6.5", "graded")
    assert graded["posted_at"][:16] == graded["graded_at"][:16]
    again = canvas.change(path, submitted_at="2026-12-01T00:00:00Z")
    assert (again["workflow_state"], again["grade_matches_current_submission"]) == ("submitted", False)
    excused = canvas.change(path, excused=True)
    assert (excused["score"], excused["excused"], excused["workflow_state"]) == (None, True, "graded")
    raw = canvas.change(path, score="NaN", late="perhaps")
    assert (raw["score"], canvas.of_workshop(FRACTIONS)[9]["late"]) == ("NaN", "perhaps")


def test_a_new_assignment_is_handed_out_to_those_who_have_it_to_do(canvas: Canvas) -> None:
    control = canvas.sandbox.control
    override = {"course_section_id": 9012, "due_at": "2026-12-01T00:00:00Z"}
    order = {"course_id": WORKSHOP, "name": "New", "only_visible_to_overrides": True, "overrides": [override]}
    added = control("PUT", "/canvas/assignments", order)
    assert set(canvas.of_workshop(added["id"])) == set(range(7, 13))
    canvas.change(f"assignments/{added['id']}", only_visible_to_overrides=False, overrides=[])
    assert len(canvas.of_workshop(added["id"])) == 17
    canvas.change(f"assignments/{added['id']}", published=False)
    assert canvas.get(SUBMISSIONS, student_ids=["all"], assignment_ids=[added["id"]]).status == 403
    control("DELETE", f"/canvas/assignments/{added['id']}")
    assert canvas.get(f"/api/v1/courses/{WORKSHOP}/assignments/{added['id']}").status == 404


def test_taken_from_a_student_an_assignment_goes_unless_it_has_a_grade(canvas: Canvas) -> None:
    canvas.change(
        f"assignments/{FRACTIONS}", only_visible_to_overrides=True, overrides=[{"course_section_id": 9021}]
    )
    left = canvas.of_workshop(FRACTIONS, include=["visibility"])
    ungraded = {4, 9, 10, 12}
    assert set(left) == set(range(1, 18)) - ungraded
    assert {number for number, each in left.items() if each["assignment_visible"]} == {13, 14, 15, 16}


def test_a_new_student_gets_all_the_assignments_of_the_course(canvas: Canvas) -> None:
    order = {"sis_user_id": "90099999", "sis_section_id": "1999-02"}
    enrollment = canvas.sandbox.control("PUT", "/canvas/enrollments", order)
    assert (enrollment["course_id"], enrollment["course_section_id"]) == (WORKSHOP, 9012)
    (row,) = [row for row in canvas.submissions(WORKSHOP) if row.get("sis_user_id") == "90099999"]
    assert row["section_id"] == 9012
    assert {each["workflow_state"] for each in row["submissions"]} == {"unsubmitted"}
    canvas.change(f"enrollments/{enrollment['id']}", enrollment_state="deleted")
    assert len(canvas.submissions(WORKSHOP)) == 17


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PATCH", "/assignments/1755", {"nmae": "x"}, 422),
        ("PATCH", "/assignments/1", {"name": "x"}, 404),
        ("PATCH", "/nothing/1", {}, 404),
        ("PATCH", "/submissions/1755/1", {"score": 1}, 404),
        ("PATCH", "/submissions/1755/90011391", {"user_id": 1}, 422),
        ("PUT", "/assignments", {"course_id": 1}, 422),
        ("PUT", "/assignments", {"course_id": 901, "id": "x"}, 422),
        ("PUT", "/enrollments", {"sis_user_id": "1", "sis_section_id": "none"}, 422),
        ("PATCH", "/settings", {"canvas_throttle": {"hmw": 1}}, 422),
        ("PATCH", "/settings", {"canvas_read_sis": "no"}, 422),
    ],
)
def test_a_slip_of_the_pen_changes_nothing(
    seeded: Canvas, method: str, path: str, body: dict[str, Any], status: int
) -> None:
    reply = request(method, f"{seeded.sandbox.url}/control/canvas{path}", body)
    assert reply.status == status
    assert reply.json["error"]["message"]


def test_a_period_that_is_opened_again_is_no_longer_closed_for_its_assignments(canvas: Canvas) -> None:
    path = "/api/v1/courses/11/assignments/1752"
    assert canvas.get(path).json["in_closed_grading_period"] is True
    canvas.change("grading-periods/9201", is_closed=False)
    assert canvas.get(path).json["in_closed_grading_period"] is False


@pytest.mark.parametrize(("kind", "holds"), [("empty", 0), ("bad-item", 10)])
def test_faults_of_the_feed_strike_canvas_too(canvas: Canvas, kind: str, holds: int) -> None:
    canvas.sandbox.fault("feed", kind, times=1, match={"path": "/enrollments"})
    spoilt = canvas.get("/api/v1/courses/11/enrollments").json
    assert len(spoilt) == holds
    assert not any("id" in each for each in spoilt[:1])
    canvas.sandbox.fault("feed", "html", times=1)
    assert canvas.get("/api/v1/users/self").text.startswith("<!DOCTYPE html>")
    assert canvas.get("/api/v1/users/self").json["id"] == 1


@pytest.mark.parametrize(
    ("sis", "class_id"),
    [("skyward", "1001.0.01"), ("aeries", "994_100101"), ("aspen", "STX1001-01"), ("generic", "1001-01")],
)
def test_it_goes_with_every_sis_and_only_aspire_gives_it_groups(
    tmp_path: Path, sis: str, class_id: str
) -> None:
    with start_sandbox(tmp_path, lms="canvas", sis=sis, modules="AAA") as sandbox:
        canvas = Canvas.of(sandbox)
        assert canvas.get(f"/api/v1/sections/sis_section_id:{class_id}").json["course_id"] == 11
        groups = canvas.everything("/api/v1/courses/11/assignment_groups")
        assert [(group["name"], group["sis_source_id"]) for group in groups] == [
            ("Assignment", None),
            ("Quiz", None),
            ("Test", None),
        ]
        workshop = {
            each["sis_section_id"] for each in canvas.everything(f"/api/v1/courses/{WORKSHOP}/sections")
        }
        in_sis = {each["sourcedId"] for each in sandbox.sis("GET", "/classes?limit=1000").json["classes"]}
        assert workshop < in_sis


def test_canvas_survives_a_restart_with_what_was_changed(canvas: Canvas) -> None:
    canvas.change("assignments/1755", name="Renamed")
    canvas.sandbox.kill()
    canvas.sandbox.restart()
    assert canvas.get("/api/v1/courses/11/assignments/1755").json["name"] == "Renamed"
