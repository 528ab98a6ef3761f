"""The control interface: what a person changes in the LMS or the SIS, what the SIS holds, faults on order."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sandbox import faults, feed, seed, seed_sis, service, sis_settings
from sandbox.exchange import Action, Answer, Call, Route, answer, object_of, refused
from sandbox.gradebook_control import add_assignment, forget
from sandbox.oneroster import exists
from sandbox.platforms import PLATFORMS
from sandbox.seeding import first_settings
from sandbox.seeding import seed as seed_afresh
from sandbox.siss import SISS
from sandbox.snapshots import restore, snapshot
from sandbox.store import keep_settings, settings

if TYPE_CHECKING:
    from collections.abc import Iterable

_WRITES_AT_ONCE: Final = 10_000


def _only(body: dict[str, Any], known: Iterable[str]) -> None:
    """Refuse fields that do not exist: a slip of the pen must not pass for a change."""
    if unknown := set(body) - set(known):
        raise refused(422, f"There is no field {', '.join(sorted(unknown))}.", fields=sorted(known))


# --- The sandbox itself ---


def health(_: Call) -> Answer:
    """GET /control/health."""
    return answer({"status": "ok"})


def _moved(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def info(call: Call) -> Answer:
    """GET /control/info: dates, periods, addresses and the demo's credentials."""
    kept = settings(call.sandbox.connection)
    base_url = call.sandbox.base_url
    sis, platform = SISS[call.sandbox.sis], PLATFORMS[call.sandbox.lms]
    address = {"system": call.sandbox.lms, **platform.address(call)}
    periods = [
        {
            "id": period["sourcedId"],
            "title": period["title"],
            "start_date": period["startDate"],
            "end_date": _moved(period["endDate"], -sis.ends_after_days),
            "status": period["metadata"]["gradebookStatus"],
        }
        for period in _sis_records(call, "academicSession")
        if period["type"] == "gradingPeriod"
    ]
    return answer(
        {
            "url": base_url,
            "zone": seed.ZONE,
            "seeding_date": kept["seeding_date"],
            "day_0": kept["day_0"],
            "seeded_at": kept["seeded_at"],
            "periods": periods,
            "modules": kept["modules"],
            "lms": address,
            "feed": address,
            "sis": {
                "system": sis.name,
                "base_url": f"{base_url}{sis.rostering}",
                "gradebook_url": f"{base_url}{sis.gradebook}",
                "token_url": f"{base_url}{sis.token_path}",
                "client_id": kept["client_id"],
                "client_secret": kept["client_secret"],
                "token_seconds": kept["token_seconds"],
                "scopes": list(sis.scopes),
                "settings": {name: kept[name] for name in first_settings(sis)},
            },
            "connections": {
                "source": platform.connection(call),
                "sis": sis_settings.connection(sis, base_url, kept),
                **sis.connections(call),
            },
        }
    )


def _check_permissions(value: Any, known: dict[str, list[str]]) -> None:
    """Refuse permissions of areas or kinds that do not exist."""
    for area, granted in value.items() if isinstance(value, dict) else [("permissions", None)]:
        if area not in known or not isinstance(granted, list) or set(granted) - {"read", "update"}:
            raise refused(422, 'permissions is {area: ["read", "update"]}.', areas=sorted(known))


def change_settings(call: Call) -> Answer:
    """PATCH /control/settings: credentials, how long a token lasts, the SIS's clock and its own settings."""
    body = object_of(call.body)
    types = {"client_id": str, "client_secret": str, "feed_token": str, "token_seconds": int}
    sis = SISS[call.sandbox.sis]
    types |= {name: type(value) for name, value in first_settings(sis).items()}
    _only(body, types)
    for name, value in body.items():
        wanted = types[name]
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise refused(422, f"{name} is of the wrong type.")
        if not value and wanted is not bool and name not in {"clock_skew_seconds", "vendor_header"}:
            raise refused(422, f"{name} is empty.")
    sis_settings.check(sis, body)
    if "permissions" in body:
        known = sis.settings["permissions"]
        _check_permissions(body["permissions"], known)
        body["permissions"] = settings(call.sandbox.connection)["permissions"] | body["permissions"]
    keep_settings(call.sandbox.connection, **body)
    return answer(body)


def reset(call: Call) -> Answer:
    """POST /control/reset {"today": "YYYY-MM-DD"}: data afresh, no faults; credentials and tokens stay."""
    body = object_of(call.body)
    _only(body, ("today",))
    today = body.get("today") or call.sandbox.today
    try:
        date.fromisoformat(today or "2026-01-01")
    except (TypeError, ValueError):
        raise refused(422, "today is not a date such as 2026-11-22.") from None
    call.sandbox.faults.clear()
    call.sandbox.epoch += 1
    seed_afresh(call.sandbox.connection, today, call.sandbox.clock.tick())
    return info(call)


# --- The feed ---


def _feed_key(call: Call) -> tuple[str, str]:
    """The collection and key of a path; of a group member, the staff id alone means the latest stay."""
    collection, key = call.parameters["collection"], call.parameters["key"]
    if collection not in feed.FIELDS:
        raise refused(404, f"There is no such collection; there are {', '.join(feed.FIELDS)}.")
    if collection == "group-members" and "/" not in key:
        row = call.sandbox.connection.execute(
            "SELECT max(key) FROM feed_records WHERE collection = ? AND deleted = 0 AND key > ? AND key < ?",
            (collection, f"{key}/", f"{key}0"),  # "0" follows "/"
        ).fetchone()
        key = row[0] or key
    return collection, key


def _feed_record(call: Call) -> tuple[str, str, dict[str, Any]]:
    collection, key = _feed_key(call)
    record = feed.find(call.sandbox.connection, collection, key)
    if record is None:
        path = "/".join(f"{{{name}}}" for name in feed.key_fields(collection))
        raise refused(404, f"There is no such record; the path is /control/{collection}/{path}.")
    return collection, key, record


def get_record(call: Call) -> Answer:
    """GET /control/{collection}/{key…}."""
    return answer(_feed_record(call)[2])


def change_record(call: Call) -> Answer:
    """PATCH /control/{collection}/{key…}: any fields but the key, and any values."""
    collection, _, record = _feed_record(call)
    body = object_of(call.body)
    _only(body, set(feed.FIELDS[collection]) - set(feed.key_fields(collection)) - {"modified_at"})
    return answer(feed.store(call.sandbox.connection, collection, record | body, call.sandbox.clock.tick()))


def _defaults(call: Call, collection: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a new record holds where its order is silent."""
    if collection == "assessments":
        row = call.sandbox.connection.execute(
            "SELECT json_extract(record, '$.assigned_by') FROM feed_records"
            " WHERE collection = 'assessments' AND deleted = 0 AND key LIKE '%/' || ?",
            (str(body["class_id"]),),
        ).fetchone()
        return {
            "title": "New assessment",
            "type": "Assignment",
            "grading_type": "points",
            "points_possible": 100,
            "include_in_final_grade": True,
            "assigned_by": row[0] if row else None,
        }
    return {"scores": {"status": "not_submitted"}, "staff": {"role": "teacher"}}.get(collection, {})


def _give_to_class(call: Call, assessment: dict[str, Any], students: Any) -> int:
    """A score record, not submitted, for everybody the assessment is assigned to; how many."""
    connection, class_id = call.sandbox.connection, assessment["class_id"]
    if students == "all":
        found = connection.execute(
            "SELECT DISTINCT json_extract(record, '$.student_id') FROM feed_records"
            " WHERE collection = 'scores' AND deleted = 0 AND json_extract(record, '$.class_id') = ?"
            " ORDER BY 1",
            (class_id,),
        )
        students = [student for (student,) in found]
    if not isinstance(students, list):
        raise refused(422, 'students is "all" or a list of student ids.')
    added = 0
    for student in students:
        record = {"assessment_id": assessment["id"], "class_id": class_id, "student_id": student}
        if feed.find(connection, "scores", feed.key_of("scores", record)) is None:
            feed.store(connection, "scores", record | {"status": "not_submitted"}, call.sandbox.clock.tick())
            added += 1
    return added


def put_record(call: Call) -> Answer:
    """PUT /control/{collection}: add or replace a record; an assessment comes with scores for its class."""
    collection = call.parameters["collection"]
    if collection not in feed.FIELDS:
        raise refused(404, f"There is no such collection; there are {', '.join(feed.FIELDS)}.")
    body = object_of(call.body)
    students = body.pop("students", "all") if collection == "assessments" else []
    _only(body, set(feed.FIELDS[collection]) - {"modified_at"})
    for name in feed.key_fields(collection):
        if not isinstance(body.get(name), str) or not body[name] or "/" in body[name]:
            raise refused(422, f"{name} is missing, or not a text without a slash.")
    new = feed.find(call.sandbox.connection, collection, feed.key_of(collection, body)) is None
    record = feed.store(
        call.sandbox.connection,
        collection,
        _defaults(call, collection, body) | body,
        call.sandbox.clock.tick(),
    )
    if collection == "assessments":
        return answer(record | {"scores_added": _give_to_class(call, record, students)}, 201 if new else 200)
    return answer(record, 201 if new else 200)


def delete_record(call: Call) -> Answer:
    """DELETE /control/{collection}/{key…}; with an assessment its scores go too."""
    collection, key, _ = _feed_record(call)
    connection, clock = call.sandbox.connection, call.sandbox.clock
    feed.delete(connection, collection, key, clock.tick())
    if collection == "assessments":
        scores = connection.execute(
            "SELECT key FROM feed_records"
            " WHERE collection = 'scores' AND deleted = 0 AND key > ? AND key < ?",
            (f"{key}/", f"{key}0"),  # "0" follows "/"
        ).fetchall()
        for (score,) in scores:
            feed.delete(connection, "scores", score, clock.tick())
    return Answer(204)


def export_csv(call: Call) -> Answer:
    """POST /control/export-csv {"folder": …}: the feed as CSV files."""
    folder = object_of(call.body).get("folder")
    if not isinstance(folder, str) or not Path(folder).is_absolute():
        raise refused(422, "folder is not the absolute path of a folder.")
    return answer({"folder": folder, "records": feed.export_csv(call.sandbox.connection, Path(folder))})


# --- The SIS ---


def _sis_records(call: Call, kind: str) -> list[dict[str, Any]]:
    found = call.sandbox.connection.execute(
        "SELECT record FROM sis_records WHERE kind = ? ORDER BY sourced_id", (kind,)
    )
    return [json.loads(text) for (text,) in found]


def _sis_record(call: Call, kind: str, sourced_id: str) -> dict[str, Any] | None:
    row = call.sandbox.connection.execute(
        "SELECT record FROM sis_records WHERE kind = ? AND sourced_id = ?", (kind, sourced_id)
    ).fetchone()
    return json.loads(row[0]) if row else None


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise refused(422, f"{name} is missing.")
    return value


def _remove_class(call: Call, class_id: str) -> None:
    service.remove(call.sandbox.connection, "class", class_id)
    call.sandbox.connection.execute(
        "DELETE FROM sis_records WHERE kind = 'enrollment' AND class_id = ?", (class_id,)
    )


def _dates(body: dict[str, Any]) -> dict[str, str]:
    """The first day of an enrollment and the first day after it, as far as they are given."""
    given = {}
    for name, field in (("begin_date", "beginDate"), ("end_date", "endDate")):
        if body.get(name) is not None:
            try:
                given[field] = date.fromisoformat(body[name]).isoformat()
            except (TypeError, ValueError):
                raise refused(422, f"{name} is not a date such as 2026-11-22.") from None
    return given


def _school_of(call: Call, class_id: str) -> str:
    record = _sis_record(call, "class", class_id)
    return str(record["school"]["sourcedId"]) if record else ""


def change_roster(call: Call) -> Answer:
    """POST /control/roster {"action", "class_id", …}: enroll, drop, add-class or remove-class, by SIS ids."""
    body = object_of(call.body)
    _only(body, ("action", "class_id", "student_id", "title", "begin_date", "end_date"))
    connection, sis = call.sandbox.connection, SISS[call.sandbox.sis]
    class_id, action = _text(body, "class_id"), body.get("action")
    stamp = {"status": "active", "dateLastModified": service.now(call)}
    if action == "add-class":
        seed_sis.put_sis_record(
            connection, seed_sis.class_record(sis, class_id, body.get("title") or class_id, "1001", stamp)
        )
    elif action in {"remove-class", "enroll", "drop"} and not exists(connection, "class", class_id):
        raise refused(404, "The SIS has no such class.")
    elif action == "remove-class":
        _remove_class(call, class_id)
    elif action in {"enroll", "drop"}:
        student_id, school = _text(body, "student_id"), _school_of(call, class_id)
        enrolled = seed_sis.enrollment(sis, class_id, student_id, "student", stamp, school)
        enrolled.record.update(_dates(body))
        if action == "drop":
            service.remove(connection, "enrollment", enrolled.record["sourcedId"])
        else:
            if not exists(connection, "user", student_id):
                user = seed_sis.user_record(sis, student_id, "student", stamp, school)
                seed_sis.put_sis_record(connection, user)
            seed_sis.put_sis_record(connection, enrolled)
    else:
        raise refused(422, "action is one of enroll, drop, add-class, remove-class.")
    return answer({"done": action})


def change_enrollment(call: Call) -> Answer:
    """PATCH /control/roster {"class_id", "student_id", …}: begin_date, end_date, status of an enrollment."""
    body = object_of(call.body)
    _only(body, ("class_id", "student_id", "begin_date", "end_date", "status"))
    class_id, student_id = _text(body, "class_id"), _text(body, "student_id")
    record = _sis_record(call, "enrollment", f"{class_id}-{student_id}")
    if record is None:
        raise refused(404, "The SIS has no such enrollment.")
    if body.get("status", "active") not in {"active", "tobedeleted"}:
        raise refused(422, "status is active or tobedeleted.")
    fields = {"begin_date": "beginDate", "end_date": "endDate"}
    for name, field in fields.items():
        if name in body:
            record.pop(field, None)
    record |= _dates(body) | {"status": body.get("status", record["status"])}
    record["dateLastModified"] = service.now(call)
    seed_sis.put_sis_record(
        call.sandbox.connection,
        seed_sis.SisRecord("enrollment", record, record["role"], class_id, student_id),
    )
    return answer(record)


def put_category(call: Call) -> Answer:
    """PUT /control/sis/categories/{id} {"title", "metadata", "status"}: adds, renames or retires one."""
    body, sourced_id = object_of(call.body), call.parameters["sourced_id"]
    _only(body, ("title", "metadata", "status"))
    before = _sis_record(call, "category", sourced_id) or {}
    title = _text({"title": before.get("title")} | body, "title")
    status, metadata = body.get("status", "active"), body.get("metadata", before.get("metadata"))
    if status not in {"active", "tobedeleted"}:
        raise refused(422, "status is active or tobedeleted.")
    if metadata is not None and not isinstance(metadata, dict):
        raise refused(422, "metadata is not an object.")
    stamp = {"status": status, "dateLastModified": service.now(call)}
    found = seed_sis.category_record(sourced_id, title, stamp, metadata)
    seed_sis.put_sis_record(call.sandbox.connection, found)
    return answer(found.record)


def change_period(call: Call) -> Answer:
    """PATCH /control/sis/periods/{id}: status (closed or open), start_date, end_date, title."""
    body = object_of(call.body)
    names = {"start_date": "startDate", "end_date": "endDate", "title": "title"}
    _only(body, (*names, "status"))
    period = _sis_record(call, "academicSession", call.parameters["sourced_id"])
    if period is None or period["type"] != "gradingPeriod":
        raise refused(404, "The SIS has no such grading period.")
    if body.get("status", "open") not in {"open", "closed"}:
        raise refused(422, "status is open or closed.")
    ends_after = SISS[call.sandbox.sis].ends_after_days
    if ends_after and "end_date" in body:
        try:
            body["end_date"] = _moved(body["end_date"], ends_after)
        except (TypeError, ValueError):
            raise refused(422, "end_date is not a date such as 2026-11-22.") from None
    period |= {names[name]: value for name, value in body.items() if name in names}
    period["dateLastModified"] = service.now(call)
    if "status" in body:
        period["metadata"] = {"gradebookStatus": body["status"]}
    seed_sis.put_sis_record(
        call.sandbox.connection, seed_sis.SisRecord("academicSession", period, "gradingPeriod")
    )
    return answer(period)


def edit_gradebook(kind: str) -> Action:
    """PUT /control/sis/lineItems/{id} or results/{id}: a hand edit that replaces the given fields."""

    def action(call: Call) -> Answer:
        connection, sourced_id = call.sandbox.connection, call.parameters["sourced_id"]
        before = _sis_record(call, kind, sourced_id) or {"sourcedId": sourced_id, "status": "active"}
        body = object_of(call.body)
        record = (
            before | body.get(kind, body) | {"sourcedId": sourced_id, "dateLastModified": service.now(call)}
        )
        needed = ("class",) if kind == "lineItem" else ("lineItem", "student")
        for name in needed:
            if not isinstance(record.get(name), dict) or not record[name].get("sourcedId"):
                raise refused(422, f"{name} is missing: a reference with a sourcedId.")
        (service.write_line_item if kind == "lineItem" else service.write_result)(connection, record)
        return answer(record)

    return action


def remove_sis(kind: str) -> Action:
    """DELETE of a category, line item (with its results) or result, by hand."""

    def action(call: Call) -> Answer:
        if not exists(call.sandbox.connection, kind, call.parameters["sourced_id"]):
            raise refused(404, f"The SIS has no such {kind}.")
        service.remove(call.sandbox.connection, kind, call.parameters["sourced_id"])
        return Answer(204)

    return action


def dump(call: Call) -> Answer:
    """GET /control/sis/dump: every line item and result the SIS holds."""
    return answer({"lineItems": _sis_records(call, "lineItem"), "results": _sis_records(call, "result")})


# --- What was asked of the sandbox ---


def requests(call: Call) -> Answer:
    """GET /control/requests: requests since the last reset, and the writes among them."""
    connection = call.sandbox.connection
    counted = connection.execute("SELECT method, path, count FROM requests ORDER BY path, method")
    since = settings(connection).get("writes_since", 0)
    grouped = connection.execute(
        "SELECT method, kind, status, fault, stored, count(*) FROM writes WHERE sequence > ?"
        " GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
        (since,),
    )
    names = ("method", "kind", "status", "fault", "stored", "count")
    writes = [dict(zip(names, row, strict=True)) | {"stored": bool(row[4])} for row in grouped]
    (repeated,) = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM writes WHERE sequence > ? AND stored"
        " GROUP BY method, kind, sourced_id HAVING count(*) > 1)",
        (since,),
    ).fetchone()
    return answer(
        {
            "requests": [{"method": method, "path": path, "count": count} for method, path, count in counted],
            "writes": writes,
            "written_more_than_once": repeated,
        }
    )


def writes_log(call: Call) -> Answer:
    """GET /control/writes?after=SEQUENCE: the log of writes, at most 10,000 at once."""
    after = call.query.get("after", "0")
    if not after.isascii() or not after.isdigit():
        raise refused(422, "after is not a sequence number.")
    found = call.sandbox.connection.execute(
        "SELECT sequence, method, kind, sourced_id, status, fault, stored, at FROM writes WHERE sequence > ?"
        " ORDER BY sequence LIMIT ?",
        (int(after), _WRITES_AT_ONCE),
    )
    names = ("sequence", "method", "kind", "sourced_id", "status", "fault", "stored", "at")
    return answer(
        {"writes": [dict(zip(names, row, strict=True)) | {"stored": bool(row[6])} for row in found]}
    )


def reset_requests(call: Call) -> Answer:
    """POST /control/requests/reset: count from 0 again; the log of writes stays."""
    connection = call.sandbox.connection
    connection.execute("DELETE FROM requests")
    (last,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM writes").fetchone()
    keep_settings(connection, writes_since=last)
    return answer({"writes_since": last})


# --- Faults ---


def order_fault(call: Call) -> Answer:
    """POST /control/faults."""
    call.sandbox.faults.append(faults.ordered(object_of(call.body)))
    return list_faults(call, 201)


def list_faults(call: Call, status: int = 200) -> Answer:
    """GET /control/faults."""
    waiting = {"faults": faults.waiting(call.sandbox), "late": call.sandbox.late, "kinds": faults.KINDS}
    return answer(waiting, status)


def lift_faults(call: Call) -> Answer:
    """DELETE /control/faults."""
    call.sandbox.faults.clear()
    return Answer(204)


def _route(method: str, path: str, action: Action) -> Route:
    return Route(method, "/control" + path, action, "control")


ROUTES: Final = (
    _route("GET", "/health", health),
    _route("GET", "/info", info),
    _route("PATCH", "/settings", change_settings),
    _route("POST", "/reset", reset),
    Route("POST", "/control/snapshot", snapshot, "control", alone=True),
    Route("POST", "/control/restore", restore, "control", alone=True),
    _route("POST", "/export-csv", export_csv),
    _route("POST", "/roster", change_roster),
    _route("PATCH", "/roster", change_enrollment),
    _route("PUT", "/sis/categories/{sourced_id}", put_category),
    _route("DELETE", "/sis/categories/{sourced_id}", remove_sis("category")),
    _route("PATCH", "/sis/periods/{sourced_id}", change_period),
    _route("PUT", "/sis/lineItems/{sourced_id}", edit_gradebook("lineItem")),
    _route("DELETE", "/sis/lineItems/{sourced_id}", remove_sis("lineItem")),
    _route("PUT", "/sis/results/{sourced_id}", edit_gradebook("result")),
    _route("DELETE", "/sis/results/{sourced_id}", remove_sis("result")),
    _route("POST", "/sis/forget", forget),
    _route("POST", "/sis/assignments", add_assignment),
    _route("GET", "/sis/dump", dump),
    _route("GET", "/requests", requests),
    _route("POST", "/requests/reset", reset_requests),
    _route("GET", "/writes", writes_log),
    _route("POST", "/faults", order_fault),
    _route("GET", "/faults", list_faults),
    _route("DELETE", "/faults", lift_faults),
    _route("PUT", "/{collection}", put_record),
    _route("GET", "/{collection}/{key:path}", get_record),
    _route("PATCH", "/{collection}/{key:path}", change_record),
    _route("DELETE", "/{collection}/{key:path}", delete_record),
)
