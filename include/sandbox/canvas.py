"""Canvas' REST API, as far as a reader of grades needs it: accounts, courses, sections, groups, assignments.

Submissions are in canvas_submissions.py, what a person changes in Canvas is in canvas_control.py.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sandbox import canvas_control, canvas_dates, canvas_records, canvas_store
from sandbox.canvas_exchange import (
    bookmarked_page,
    canvas_settings,
    error,
    form,
    found_by_id,
    listed,
    metered,
    not_found,
    require,
    switched_on,
    values,
)
from sandbox.canvas_submissions import for_course, for_section
from sandbox.exchange import Answer, Call, RefusedError, Route, answer, connection_to, dumps
from sandbox.instants import microseconds
from sandbox.store import settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.canvas_store import Record
    from sandbox.exchange import Action

_ENROLLMENTS: Final = """
    SELECT id, record FROM canvas_records
    WHERE kind = 'enrollment' AND (course_id = :course OR section_id = :section)
    AND (:types = '[]' OR json_extract(record, '$.type') IN (SELECT value FROM json_each(:types)))
    AND json_extract(record, '$.enrollment_state') IN (SELECT value FROM json_each(:states))
    AND (:user_id = '' OR user_id = CAST(:user_id AS INTEGER))
    AND id > :after ORDER BY id LIMIT :limit
"""
_PUBLISHED: Final = frozenset({"available", "completed"})
_MAX_NAME: Final = 255


# --- What each kind looks like ---


def _without_sis_ids(call: Call, record: Record, names: Iterable[str]) -> Record:
    """The record as a caller sees it who may not read SIS ids, if that is who asks."""
    if canvas_settings(call)["canvas_read_sis"]:
        return record
    return {name: value for name, value in record.items() if name not in names}


def _course(call: Call, course: Record) -> Record:
    includes = values(call, "include")
    shown = dict(course)
    if "term" in includes:
        shown["term"] = canvas_store.find(call.sandbox.connection, "term", course["enrollment_term_id"])
    if "sections" in includes:
        sections = canvas_store.of_course(call.sandbox.connection, "section", course["id"])
        shown["sections"] = [{"id": section["id"], "name": section["name"]} for section in sections]
    if "total_students" in includes:
        shown["total_students"] = _students(canvas_store.enrollments(call.sandbox.connection, course["id"]))
    return _without_sis_ids(call, shown, {"sis_course_id", "integration_id"})


def _section(call: Call, section: Record) -> Record:
    shown, connection = dict(section), call.sandbox.connection
    course = canvas_store.find(connection, "course", section["course_id"])
    shown["sis_course_id"] = course["sis_course_id"] if course else None
    if "total_students" in values(call, "include"):
        shown["total_students"] = _students(canvas_store.enrollments_of_section(connection, section["id"]))
    return _without_sis_ids(call, shown, {"sis_section_id", "sis_course_id", "integration_id"})


def _students(enrollments: Iterable[Record]) -> int:
    """How many students there are among them."""
    return len({each["user_id"] for each in enrollments if each["type"] == "StudentEnrollment"})


def _assignment(call: Call, assignment: Record, periods: list[Record]) -> Record:
    """An assignment as its caller sees it: its due date is the latest there is, unless asked otherwise."""
    includes = values(call, "include")
    shown = dict(assignment)
    overrides = shown.pop("overrides")
    if call.query.get("override_assignment_dates", "true").lower() != "false":
        shown["due_at"] = canvas_dates.due_for_caller(assignment)
    shown["in_closed_grading_period"] = canvas_dates.in_closed_period(assignment, periods)
    shown["has_overrides"] = bool(overrides)
    shown["due_date_required"] = False
    shown["max_name_length"] = _MAX_NAME
    shown["html_url"] = (
        f"{call.sandbox.base_url}/courses/{assignment['course_id']}/assignments/{assignment['id']}"
    )
    if "overrides" in includes:
        shown["overrides"] = [override | {"assignment_id": assignment["id"]} for override in overrides]
    if "all_dates" in includes:
        sections = canvas_store.of_course(call.sandbox.connection, "section", assignment["course_id"])
        shown["all_dates"] = canvas_dates.all_dates(assignment, {section["id"] for section in sections})
    return _without_sis_ids(call, shown, {"sis_assignment_id", "integration_id", "integration_data"})


def _assignments(call: Call, assignments: Iterable[Record]) -> list[Record]:
    periods = canvas_store.every(call.sandbox.connection, "grading_period")
    return [_assignment(call, assignment, periods) for assignment in assignments]


# --- Accounts, courses, sections, people ---


def show_caller(call: Call) -> Answer:
    """GET /api/v1/users/self."""
    return answer(canvas_store.find(call.sandbox.connection, "user", canvas_records.CALLER_ID))


def list_accounts(call: Call) -> Answer:
    """GET /api/v1/accounts."""
    return listed(call, canvas_store.every(call.sandbox.connection, "account"))


def show_account(call: Call) -> Answer:
    """GET /api/v1/accounts/:id."""
    return answer(found_by_id(call, "account", call.parameters["account_id"]))


def _in_state(course: Record, states: list[str]) -> bool:
    """Whether `state[]` asks for a course; unpublished ones are called created or claimed there."""
    if not states:
        return bool(course["workflow_state"] != "deleted")
    named = {"created", "claimed"} if course["workflow_state"] == "unpublished" else set()
    return "all" in states or bool({course["workflow_state"], *named} & set(states))


def list_courses(call: Call) -> Answer:
    """GET /api/v1/accounts/:id/courses: state[], published, ends_after, search_term, …."""
    account = found_by_id(call, "account", call.parameters["account_id"])
    courses = [
        course
        for course in canvas_store.every(call.sandbox.connection, "course")
        if course["account_id"] == account["id"]
        and _in_state(course, values(call, "state"))
        and _around(call, course)
    ]
    if "published" in call.query:
        wanted = switched_on(call, "published")
        courses = [course for course in courses if (course["workflow_state"] in _PUBLISHED) == wanted]
    if "with_enrollments" in call.query:
        wanted = switched_on(call, "with_enrollments")
        connection = call.sandbox.connection
        courses = [
            each for each in courses if bool(canvas_store.enrollments(connection, each["id"])) == wanted
        ]
    if term := call.query.get("enrollment_term_id", ""):
        courses = [course for course in courses if str(course["enrollment_term_id"]) == term]
    if text := call.query.get("search_term", "").lower():
        courses = [
            course
            for course in courses
            if text in f"{course['name']}\n{course['course_code']}\n{course['sis_course_id']}".lower()
        ]
    return listed(call, [_course(call, course) for course in courses])


def show_course(call: Call) -> Answer:
    """GET /api/v1/courses/:id."""
    return answer(_course(call, found_by_id(call, "course", call.parameters["course_id"])))


def list_sections(call: Call) -> Answer:
    """GET /api/v1/courses/:id/sections."""
    course = found_by_id(call, "course", call.parameters["course_id"])
    sections = canvas_store.of_course(call.sandbox.connection, "section", course["id"])
    return listed(call, [_section(call, section) for section in sections])


def show_section(call: Call) -> Answer:
    """GET /api/v1/sections/:id."""
    return answer(_section(call, found_by_id(call, "section", call.parameters["section_id"])))


def _enrollment(call: Call, enrollment: Record) -> Record:
    connection = call.sandbox.connection
    course = canvas_store.find(connection, "course", enrollment["course_id"]) or {}
    section = canvas_store.find(connection, "section", enrollment["course_section_id"]) or {}
    user = canvas_store.find(connection, "user", enrollment["user_id"]) or {}
    sis_ids = {
        "sis_course_id": course.get("sis_course_id"),
        "sis_section_id": section.get("sis_section_id"),
        "sis_user_id": user.get("sis_user_id"),
    }
    hidden = {*sis_ids, "sis_import_id"}
    shown_user = _without_sis_ids(call, user, {"sis_user_id", "integration_id"})
    return _without_sis_ids(call, enrollment | sis_ids, hidden) | {"user": shown_user}


def list_enrollments(call: Call) -> Answer:
    """GET /api/v1/courses/:id/enrollments and /sections/:id/enrollments with type[], state[], user_id."""
    kind = "course" if "course_id" in call.parameters else "section"
    context = found_by_id(call, kind, call.parameters[f"{kind}_id"])
    asked = {
        kind: context["id"],
        "types": dumps(values(call, "type")),
        "states": dumps(values(call, "state") or ["active", "invited"]),
        "user_id": call.query.get("user_id", ""),
    }

    def fetch(after: int, limit: int) -> list[tuple[int, Any]]:
        rows = call.sandbox.connection.execute(
            _ENROLLMENTS, {"course": None, "section": None, **asked, "after": after, "limit": limit}
        )
        return [(number, _enrollment(call, json.loads(text))) for number, text in rows]

    return bookmarked_page(call, fetch)


# --- Assignments and their groups ---


def list_assignments(call: Call) -> Answer:
    """GET /api/v1/courses/:id/assignments with assignment_ids[], search_term, post_to_sis, include[]."""
    course = found_by_id(call, "course", call.parameters["course_id"])
    found = canvas_store.of_course(call.sandbox.connection, "assignment", course["id"])
    if wanted := values(call, "assignment_ids"):
        found = [each for each in found if str(each["id"]) in wanted]
    if "post_to_sis" in call.query:
        found = [each for each in found if bool(each["post_to_sis"]) == switched_on(call, "post_to_sis")]
    if text := call.query.get("search_term", "").lower():
        found = [each for each in found if text in str(each["name"]).lower()]
    return listed(call, _assignments(call, found))


def show_assignment(call: Call) -> Answer:
    """GET /api/v1/courses/:id/assignments/:id."""
    course = found_by_id(call, "course", call.parameters["course_id"])
    found = found_by_id(call, "assignment", call.parameters["assignment_id"])
    if found["course_id"] != course["id"]:
        raise not_found()
    return answer(_assignments(call, [found])[0])


def _group(call: Call, group: Record, assignments: list[Record]) -> Record:
    shown = {name: value for name, value in group.items() if name != "course_id"}
    if "assignments" in values(call, "include"):
        own = [each for each in assignments if each["assignment_group_id"] == group["id"]]
        shown["assignments"] = _assignments(call, own)
    return _without_sis_ids(call, shown, {"sis_source_id", "integration_data"})


def list_groups(call: Call) -> Answer:
    """GET /api/v1/courses/:id/assignment_groups, by position."""
    course = found_by_id(call, "course", call.parameters["course_id"])
    groups = canvas_store.of_course(call.sandbox.connection, "assignment_group", course["id"])
    assignments = canvas_store.of_course(call.sandbox.connection, "assignment", course["id"])
    ordered = sorted(groups, key=lambda group: (group["position"], group["id"]))
    return listed(call, [_group(call, group, assignments) for group in ordered])


def _found_group(call: Call) -> Record:
    course = found_by_id(call, "course", call.parameters["course_id"])
    group = found_by_id(call, "assignment_group", call.parameters["group_id"])
    if group["course_id"] != course["id"]:
        raise not_found()
    return group


def show_group(call: Call) -> Answer:
    """GET /api/v1/courses/:id/assignment_groups/:id."""
    group = _found_group(call)
    assignments = canvas_store.of_course(call.sandbox.connection, "assignment", group["course_id"])
    return answer(_group(call, group, assignments))


def _group_changes(call: Call, group: Record) -> Record:
    """What a request asks of a group, in the types Canvas keeps; fields it does not know are passed over."""
    given = form(call)
    changes: Record = {name: given[name] for name in ("name", "sis_source_id", "rules") if name in given}
    for name, number in (("position", int), ("group_weight", float)):
        if given.get(name) not in {None, ""}:
            try:
                changes[name] = number(given[name])
            except (TypeError, ValueError):
                raise error(400, f"{name} is not a number") from None
    if not isinstance(given.get("integration_data") or {}, dict):
        raise error(400, "Invalid integration data")
    changes["integration_data"] = group["integration_data"] | (given.get("integration_data") or {})
    if len(str(changes.get("name", group["name"]))) > _MAX_NAME:
        message = {"attribute": "name", "type": "too_long", "message": "too_long"}
        raise RefusedError(answer({"errors": {"name": [message]}}, 400))
    return changes


def add_group(call: Call) -> Answer:
    """POST /api/v1/courses/:id/assignment_groups: name, position, sis_source_id, integration_data, …."""
    require(call, "canvas_manage_assignments")
    course = found_by_id(call, "course", call.parameters["course_id"])
    connection = call.sandbox.connection
    others = canvas_store.of_course(connection, "assignment_group", course["id"])
    group = canvas_records.new(
        "assignment_group",
        id=canvas_store.following_id(connection, "assignment_group"),
        course_id=course["id"],
        name="Assignments",
        position=max((other["position"] for other in others), default=0) + 1,
    )
    return answer(
        _group(
            call, canvas_store.put(connection, "assignment_group", group | _group_changes(call, group)), []
        )
    )


def change_group(call: Call) -> Answer:
    """PUT /api/v1/courses/:id/assignment_groups/:id; integration_data is added to what is there."""
    require(call, "canvas_manage_assignments")
    group = _found_group(call)
    changed = group | _group_changes(call, group)
    return answer(_group(call, canvas_store.put(call.sandbox.connection, "assignment_group", changed), []))


# --- The SIS integration API ---


def _sis_course(course: Record | None) -> Record | None:
    if course is None:
        return None
    return {
        "id": course["id"],
        "name": course["name"],
        "sis_id": course["sis_course_id"],
        "integration_id": course["integration_id"],
    }


def _sis_section(call: Call, section: Record, overrides: list[Record]) -> Record:
    connection = call.sandbox.connection
    holder = canvas_store.find(connection, "course", section["course_id"])
    origin = section["nonxlist_course_id"]
    shown: Record = {
        "id": section["id"],
        "name": section["name"],
        "sis_id": section["sis_section_id"],
        "integration_id": section["integration_id"],
        "origin_course": _sis_course(canvas_store.find(connection, "course", origin) if origin else holder),
    }
    if origin:
        shown["xlist_course"] = _sis_course(holder)
    for override in overrides:
        if override.get("course_section_id") == section["id"]:
            dates = {name: override[name] for name in ("due_at", "unlock_at", "lock_at") if name in override}
            shown["override"] = {"id": override["id"], "override_title": override["title"], **dates}
    return shown


def _user_override(call: Call, override: Record) -> Record:
    students = []
    for user_id in override["student_ids"]:
        user = canvas_store.find(call.sandbox.connection, "user", user_id) or {}
        students.append({"user_id": user_id, "sis_user_id": user.get("sis_user_id")})
    dates = {name: override.get(name) for name in ("due_at", "unlock_at", "lock_at")}
    return {"id": override["id"], "title": override["title"], **dates, "students": students}


def _sis_assignment(
    call: Call, assignment: Record, groups: dict[int, Record], sections: list[Record], *, students: bool
) -> Record:
    copied = (
        "id",
        "course_id",
        "name",
        "created_at",
        "due_at",
        "unlock_at",
        "lock_at",
        "points_possible",
        "submission_types",
        "integration_id",
        "integration_data",
    )
    shown = {name: assignment[name] for name in copied}
    shown["include_in_final_grade"] = not (
        assignment["omit_from_final_grade"] or assignment["grading_type"] == "not_graded"
    )
    if group := groups.get(assignment["assignment_group_id"]):
        named = ("id", "name", "group_weight", "sis_source_id", "integration_data")
        shown["assignment_group"] = {name: group[name] for name in named}
    overrides = assignment["overrides"]
    if assignment["only_visible_to_overrides"]:
        assigned = {override.get("course_section_id") for override in overrides}
        sections = [section for section in sections if section["id"] in assigned]
    shown["sections"] = [_sis_section(call, section, overrides) for section in sections]
    if students:
        named_students = [override for override in overrides if "student_ids" in override]
        shown["user_overrides"] = [_user_override(call, override) for override in named_students]
    return shown


def _around(call: Call, course: Record) -> bool:
    """Whether a course is within `starts_before` and `ends_after`, by its own dates or its term's."""
    term = canvas_store.find(call.sandbox.connection, "term", course["enrollment_term_id"]) or {}
    found = True
    if limit := microseconds(call.query.get("starts_before")):
        dates = [microseconds(each.get("start_at")) for each in (course, term)]
        found = not any(dates) or any(date is not None and date < limit for date in dates)
    if limit := microseconds(call.query.get("ends_after")):
        dates = [microseconds(each.get("end_at")) for each in (course, term)]
        found = found and (not any(dates) or any(date is not None and date > limit for date in dates))
    return found


def list_sis_assignments(call: Call) -> Answer:
    """GET /api/sis/accounts/:id/assignments and /api/sis/courses/:id/assignments: published, for the SIS."""
    require(call, "canvas_view_all_grades")
    connection = call.sandbox.connection
    kind = "course" if "course_id" in call.parameters else "account"
    context = found_by_id(call, kind, call.parameters[f"{kind}_id"])
    if not canvas_settings(call)["canvas_grade_export"]:
        message = "A SIS integration is not configured and the bulk SIS Grade Export feature is not enabled"
        raise RefusedError(answer({"code": "not_enabled", "error": message}, 400))
    courses = [context]
    if kind == "account":
        of_account = canvas_store.every(connection, "course")
        courses = [
            course
            for course in of_account
            if course["account_id"] == context["id"]
            and course["workflow_state"] in _PUBLISHED
            and _around(call, course)
        ]
    elif context["workflow_state"] not in _PUBLISHED:
        message = "Grade data is not available for non-published courses"
        raise RefusedError(answer({"code": "unpublished_course", "error": message}, 400))
    due = [
        assignment
        for course in courses
        for assignment in canvas_store.of_course(connection, "assignment", course["id"])
        if assignment["published"] and assignment["post_to_sis"]
    ]
    with_students = "student_overrides" in values(call, "include")
    page = listed(call, due, "link")
    shown = []
    for assignment in json.loads(page.body):
        groups = canvas_store.of_course(connection, "assignment_group", assignment["course_id"])
        sections = canvas_store.of_course(connection, "section", assignment["course_id"])
        by_id = {group["id"]: group for group in groups}
        shown.append(_sis_assignment(call, assignment, by_id, sections, students=with_students))
    return Answer(200, answer(shown).body, page.headers)


# --- What it is for the rest of the sandbox ---


def address(call: Call) -> dict[str, Any]:
    """What `GET /control/info` says of it."""
    return {
        "base_url": call.sandbox.base_url,
        "token": settings(call.sandbox.connection)["feed_token"],
        "account_id": canvas_records.ACCOUNT_ID,
    }


def connection(call: Call) -> dict[str, Any]:
    """The Airflow connection to it."""
    found = address(call)
    return connection_to(found["base_url"], password=found["token"], account=str(found["account_id"]))


def _route(method: str, path: str, action: Action) -> Route:
    return Route(method, path, metered(action), "feed")


_COURSE: Final = "/api/v1/courses/{course_id}"

ROUTES: Final = (
    _route("GET", "/api/v1/users/self", show_caller),
    _route("GET", "/api/v1/accounts", list_accounts),
    _route("GET", "/api/v1/accounts/{account_id}", show_account),
    _route("GET", "/api/v1/accounts/{account_id}/courses", list_courses),
    _route("GET", _COURSE, show_course),
    _route("GET", _COURSE + "/sections", list_sections),
    _route("GET", _COURSE + "/enrollments", list_enrollments),
    _route("GET", _COURSE + "/assignments", list_assignments),
    _route("GET", _COURSE + "/assignments/{assignment_id}", show_assignment),
    _route("GET", _COURSE + "/assignment_groups", list_groups),
    _route("POST", _COURSE + "/assignment_groups", add_group),
    _route("GET", _COURSE + "/assignment_groups/{group_id}", show_group),
    _route("PUT", _COURSE + "/assignment_groups/{group_id}", change_group),
    _route("GET", _COURSE + "/students/submissions", for_course),
    _route("GET", "/api/v1/sections/{section_id}", show_section),
    _route("GET", "/api/v1/sections/{section_id}/enrollments", list_enrollments),
    _route("GET", "/api/v1/sections/{section_id}/students/submissions", for_section),
    _route("GET", "/api/sis/accounts/{account_id}/assignments", list_sis_assignments),
    _route("GET", "/api/sis/courses/{course_id}/assignments", list_sis_assignments),
    *canvas_control.ROUTES,
)
