"""What a person changes in the sandbox's Canvas, over the control interface: records, grades, switches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sandbox import canvas_dates, canvas_records, canvas_store
from sandbox.canvas_exchange import SETTINGS, canvas_settings
from sandbox.exchange import Answer, Call, Route, answer, object_of, refused
from sandbox.store import keep_settings

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from sandbox.canvas_store import Record
    from sandbox.exchange import Action

# What a path calls them → the kind of record
_COLLECTIONS: Final = {
    "accounts": "account",
    "assignment-groups": "assignment_group",
    "assignments": "assignment",
    "courses": "course",
    "enrollments": "enrollment",
    "grading-periods": "grading_period",
    "sections": "section",
    "users": "user",
}
_GRADE: Final = frozenset({"score", "grade", "excused"})


def _only(body: Record, known: Iterable[str]) -> None:
    """Refuse fields that do not exist: a slip of the pen must not pass for a change."""
    if unknown := set(body) - set(known):
        raise refused(422, f"There is no field {', '.join(sorted(unknown))}.", fields=sorted(known))


def _now() -> str:
    """Now, as precisely as Canvas keeps it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _kind(call: Call) -> str:
    collection = call.parameters["collection"]
    if collection not in _COLLECTIONS:
        raise refused(404, f"There is no such collection; there are {', '.join(_COLLECTIONS)}, submissions.")
    return _COLLECTIONS[collection]


def _found(call: Call) -> tuple[str, Record]:
    kind, text = _kind(call), call.parameters["id"]
    connection = call.sandbox.connection
    by_number = text.isascii() and text.isdigit()
    found = canvas_store.find(connection, kind, int(text)) if by_number else None
    if found is None:
        found = canvas_store.find_by_sis_id(connection, kind, text)
    if found is None:
        raise refused(404, "Canvas has no such record; the id is Canvas' own or the one the SIS knows it by.")
    return kind, found


def _stamped(kind: str, record: Record) -> Record:
    """The record as changed now."""
    if kind == "assignment" and "published" in record:
        record["workflow_state"] = "published" if record["published"] else "unpublished"
    for number, override in enumerate(record.get("overrides", ()), record["id"] * 10 + 1):
        override.setdefault("id", number)
        override.setdefault("title", "Override")
    return record | ({"updated_at": _now()[:19] + "Z"} if "updated_at" in record else {})


def change_settings(call: Call) -> Answer:
    """PATCH /control/canvas/settings: the throttle (some numbers of it; null: Canvas' own) and switches."""
    body = object_of(call.body)
    _only(body, SETTINGS)
    for name, value in body.items():
        throttle = name == "canvas_throttle"
        if throttle and not isinstance(value, dict | None):
            raise refused(422, "canvas_throttle is an object, or null.")
        if not throttle and not isinstance(value, bool):
            raise refused(422, f"{name} is true or false.")
        if throttle:
            _only(value or {}, SETTINGS["canvas_throttle"])
            call.sandbox.connection.execute("DELETE FROM canvas_buckets")
    keep_settings(
        call.sandbox.connection, **{name: {} if value is None else value for name, value in body.items()}
    )
    return answer(canvas_settings(call))


def show_settings(call: Call) -> Answer:
    """GET /control/canvas/settings."""
    return answer(canvas_settings(call))


# --- Records ---


def show(call: Call) -> Answer:
    """GET /control/canvas/{collection}/{id}; of an assignment with all of its overrides."""
    return answer(_found(call)[1])


def change(call: Call) -> Answer:
    """PATCH /control/canvas/{collection}/{id}: any fields but the id, and any values."""
    kind, record = _found(call)
    body = object_of(call.body)
    _only(body, canvas_records.FIELDS[kind] - {"id"})
    connection = call.sandbox.connection
    changed = canvas_store.put(connection, kind, _stamped(kind, record | body))
    if kind in {"assignment", "enrollment"}:
        _hand_out(connection, changed["course_id"])
    return answer(changed)


def add(call: Call) -> Answer:
    """PUT /control/canvas/{collection}: adds or replaces a record; without an id it is given one.

    What is handed out by it is handed out: a new assignment to those it is assigned to, a new student all
    assignments of the course. An enrollment may name `sis_user_id` and `sis_section_id` instead.
    """
    kind, connection = _kind(call), call.sandbox.connection
    body = object_of(call.body)
    if kind == "enrollment":
        body = _enrollment(connection, body)
    _only(body, canvas_records.FIELDS[kind])
    record_id = body.setdefault("id", canvas_store.following_id(connection, kind))
    if not isinstance(record_id, int) or isinstance(record_id, bool) or record_id < 1:
        raise refused(422, "id is not a whole number above 0.")
    if "course_id" in canvas_records.FIELDS[kind]:
        course_id = body.get("course_id")
        if not isinstance(course_id, int) or canvas_store.find(connection, "course", course_id) is None:
            raise refused(422, "course_id is not the id of a course.")
    before = canvas_store.find(connection, kind, record_id)
    made = {} if "created_at" not in canvas_records.FIELDS[kind] else {"created_at": _now()[:19] + "Z"}
    record = canvas_records.new(kind, **(made | (before or {}) | body))
    if kind == "assignment" and record["assignment_group_id"] is None:
        groups = canvas_store.of_course(connection, "assignment_group", record["course_id"])
        record["assignment_group_id"] = groups[0]["id"] if groups else None
    canvas_store.put(connection, kind, _stamped(kind, record))
    if kind in {"assignment", "enrollment"}:
        _hand_out(connection, record["course_id"])
    return answer(canvas_store.find(connection, kind, record_id), 200 if before else 201)


def remove(call: Call) -> Answer:
    """DELETE /control/canvas/{collection}/{id}; of an enrollment, its submissions stay with Canvas unseen."""
    kind, record = _found(call)
    canvas_store.remove(call.sandbox.connection, kind, record["id"])
    return Answer(204)


def _enrollment(connection: sqlite3.Connection, body: Record) -> Record:
    """The enrollment an order means, its user made if there is none of that SIS id yet."""
    sis_user_id, sis_section_id = body.pop("sis_user_id", None), body.pop("sis_section_id", None)
    if sis_user_id is not None:
        user = canvas_store.find_by_sis_id(connection, "user", str(sis_user_id))
        if user is None:
            user_id = canvas_store.following_id(connection, "user")
            user = canvas_store.put(
                connection,
                "user",
                canvas_records.new(
                    "user", id=user_id, name=f"Student {user_id}", sis_user_id=str(sis_user_id)
                ),
            )
        body["user_id"] = user["id"]
    section = (
        canvas_store.find_by_sis_id(connection, "section", str(sis_section_id))
        if sis_section_id is not None
        else canvas_store.find(connection, "section", body.get("course_section_id") or 0)
    )
    if section is None or canvas_store.find(connection, "user", body.get("user_id") or 0) is None:
        raise refused(422, "An enrollment needs a section and a user, by Canvas' ids or as sis_… ids.")
    return (
        {"sis_import_id": 1} | body | {"course_section_id": section["id"], "course_id": section["course_id"]}
    )


def _hand_out(connection: sqlite3.Connection, course_id: int) -> None:
    """A submission for every student of a course and assignment they have to do, where there is none."""
    sections: dict[int, set[int]] = {}
    for each in canvas_store.enrollments(connection, course_id):
        if each["type"] == "StudentEnrollment":
            sections.setdefault(each["user_id"], set()).add(each["course_section_id"])
    following = canvas_store.following_submission_id(connection)
    found = connection.execute(
        "SELECT assignment_id, user_id FROM canvas_submissions WHERE course_id = ?", (course_id,)
    )
    present = set(found.fetchall())
    missing = [
        (assignment["id"], user_id)
        for assignment in canvas_store.of_course(connection, "assignment", course_id)
        for user_id in sorted(sections)
        if (assignment["id"], user_id) not in present
        and canvas_dates.is_assigned(assignment, user_id, sections[user_id])
    ]
    canvas_store.put_submissions(
        connection,
        (
            canvas_records.new(
                "submission", id=number, course_id=course_id, assignment_id=assignment_id, user_id=user_id
            )
            for number, (assignment_id, user_id) in enumerate(missing, following)
        ),
    )


# --- Submissions ---


def _submission(call: Call) -> Record:
    texts = (call.parameters["assignment_id"], call.parameters["user_id"])
    connection = call.sandbox.connection
    user = canvas_store.find_by_sis_id(connection, "user", texts[1])
    found = None
    if texts[0].isdigit() and (user or texts[1].isdigit()):
        user_id = user["id"] if user else int(texts[1])
        found = canvas_store.find_submission(connection, int(texts[0]), user_id)
    if found is None:
        raise refused(
            404, "There is no such submission; the path is …/{assignment_id}/{user_id or SIS user id}."
        )
    return found


def _consequences(record: Record, body: Record) -> Record:
    """What Canvas does by itself when a grade is given or taken, or work is handed in again."""
    follows: Record = {}
    if body.get("submitted_at") and record["graded_at"] and not _GRADE & set(body):
        follows |= {"workflow_state": "submitted", "grade_matches_current_submission": False}
    if _GRADE & set(body):
        given = {name: body.get(name) for name in _GRADE}
        graded = given["score"] is not None or given["grade"] is not None or bool(given["excused"])
        handed_in = "submitted" if record["submitted_at"] or body.get("submitted_at") else "unsubmitted"
        now = _now()
        follows |= {
            "score": given["score"],
            "grade": _grade_text(given["score"]),
            "excused": bool(given["excused"]),
            "graded_at": now if graded else None,
            "posted_at": now[:19] + "Z" if graded else None,
            "workflow_state": "graded" if graded else handed_in,
            "grade_matches_current_submission": True,
        }
    return follows | body


def _grade_text(score: Any) -> str | None:
    """A score as it is displayed where a grade is points: 78.0 → 78."""
    if score is None:
        return None
    return str(int(score)) if isinstance(score, float) and score.is_integer() else str(score)


def show_submission(call: Call) -> Answer:
    """GET /control/canvas/submissions/{assignment_id}/{user_id}."""
    return answer(_submission(call))


def change_submission(call: Call) -> Answer:
    """PATCH /control/canvas/submissions/{assignment_id}/{user_id}: any fields, any values.

    A score, grade or excuse comes with what Canvas does along with it (`graded_at`, `posted_at`, …), a grade
    taken away loses it, work handed in again no longer matches its grade: unless the order says otherwise.
    """
    record, body = _submission(call), object_of(call.body)
    _only(body, canvas_records.FIELDS["submission"] - {"id", "course_id", "assignment_id", "user_id"})
    changed = record | _consequences(record, body)
    canvas_store.put_submissions(call.sandbox.connection, [changed])
    return answer(changed)


def remove_submission(call: Call) -> Answer:
    """DELETE /control/canvas/submissions/{assignment_id}/{user_id}."""
    record = _submission(call)
    call.sandbox.connection.execute("DELETE FROM canvas_submissions WHERE id = ?", (record["id"],))
    return Answer(204)


def _route(method: str, path: str, action: Action) -> Route:
    return Route(method, "/control/canvas" + path, action, "control")


_SUBMISSION: Final = "/submissions/{assignment_id}/{user_id}"

ROUTES: Final = (
    _route("GET", "/settings", show_settings),
    _route("PATCH", "/settings", change_settings),
    _route("GET", _SUBMISSION, show_submission),
    _route("PATCH", _SUBMISSION, change_submission),
    _route("DELETE", _SUBMISSION, remove_submission),
    _route("PUT", "/{collection}", add),
    _route("GET", "/{collection}/{id}", show),
    _route("PATCH", "/{collection}/{id}", change),
    _route("DELETE", "/{collection}/{id}", remove),
)
