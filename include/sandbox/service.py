"""A SIS over OneRoster: its roster to read, its gradebook to read and write."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from sandbox import faults, tokens
from sandbox.exchange import Action, Answer, Call, Route, dumps
from sandbox.gradebook_rules import CURRENT, check_shape, today
from sandbox.lenience import categories_of_class, completed, is_lenient
from sandbox.oneroster import COLLECTIONS, Selection, exists, failure, listing, not_found, one, whole
from sandbox.store import instant, setting

if TYPE_CHECKING:
    import sqlite3

    from sandbox.oneroster import Collection
    from sandbox.sis import Sis

_GRADEBOOK: Final = ("categories", "lineItems", "results", "scoreScales")


# --- Reads ---


def _read_scopes(name: str) -> tuple[str, ...]:
    if name in _GRADEBOOK:
        return (tokens.GRADEBOOK, tokens.GRADEBOOK_CORE)
    return (tokens.ROSTER_CORE, tokens.ROSTER)


def _shown(call: Call, sis: Sis, collection: Collection) -> Selection:
    """The records of a collection that the SIS shows at all."""
    selection = whole(collection)
    if not sis.current_only or collection.kind not in {"user", "enrollment"}:
        return selection
    day = today(call.sandbox.connection)
    if collection.kind == "enrollment":
        return selection.both(Selection(CURRENT, (day, day)))
    return selection.both(Selection(_ENROLLED, (day, day)))


def _list(sis: Sis, name: str) -> Action:
    def action(call: Call) -> Answer:
        tokens.require(call, sis, _read_scopes(name))
        sis.permitted(call, "read", COLLECTIONS[name].kind)
        return listing(call, sis, COLLECTIONS[name], _shown(call, sis, COLLECTIONS[name]))

    return action


def _get(sis: Sis, name: str) -> Action:
    def action(call: Call) -> Answer:
        tokens.require(call, sis, _read_scopes(name))
        sis.permitted(call, "read", COLLECTIONS[name].kind)
        this = Selection("sourced_id = ?", (call.parameters["sourced_id"],))
        return one(call, sis, COLLECTIONS[name], _shown(call, sis, COLLECTIONS[name]).both(this))

    return action


def _below(sis: Sis, name: str, *conditions: tuple[str, str, str]) -> Action:
    """A listing below another record, such as `/classes/{class_id}/students`.

    Args:
        sis: The SIS.
        name: The collection that is listed.
        *conditions: For every parameter of the path: its name, the condition it fills, and the kind of record
            that must exist under it.
    """
    scopes = (tokens.GRADEBOOK,) if name in _GRADEBOOK else (tokens.ROSTER,)

    def action(call: Call) -> Answer:
        tokens.require(call, sis, scopes)
        sis.permitted(call, "read", COLLECTIONS[name].kind)
        selection = _shown(call, sis, COLLECTIONS[name])
        for parameter, condition, kind in conditions:
            sourced_id = call.parameters[parameter]
            if not exists(call.sandbox.connection, kind, sourced_id):
                raise not_found(f"This {kind}")
            selection = selection.both(Selection(condition, (sourced_id,)))
            if condition == _MEMBERS and sis.current_only:
                day = today(call.sandbox.connection)
                selection = selection.both(Selection(_CURRENT_MEMBERS, (sourced_id, day, day)))
        return listing(call, sis, COLLECTIONS[name], selection)

    return action


_MEMBERS: Final = "sourced_id IN (SELECT user_id FROM sis_records WHERE kind = 'enrollment' AND class_id = ?)"
_ENROLLED: Final = (
    "subtype <> 'student' OR sourced_id IN"  # noqa: S608 - made of constants
    f" (SELECT user_id FROM sis_records WHERE kind = 'enrollment' AND {CURRENT})"
)
_CURRENT_MEMBERS: Final = _MEMBERS[:-1] + f" AND {CURRENT})"
_PARENT: Final = "json_extract(record, '$.parent.sourcedId') = ?"
_CLASS: Final = ("class_id", "class_id = ?", "class")
_SCHOOL: Final = ("school_id", "json_extract(record, '$.school.sourcedId') = ?", "org")
_SCHOOL_EXISTS: Final = ("school_id", "? <> ''", "org")
_SCHOOL_OF_USER: Final = ("school_id", "json_extract(record, '$.primaryOrg.sourcedId') = ?", "org")
_TAKEN: Final = "sourced_id IN (SELECT class_id FROM sis_records WHERE kind = 'enrollment' AND user_id = ?)"
_IN_TERM: Final = "EXISTS (SELECT 1 FROM json_each(record, '$.terms') WHERE value ->> 'sourcedId' = ?)"
_OF_CLASS_OR_ALL: Final = "coalesce(json_extract(record, '$.metadata.classId'), '') IN ('', ?)"


# --- Writes ---


def _object(call: Call) -> dict[str, Any]:
    try:
        body = json.loads(call.body)
    except ValueError:
        raise failure(400, "invaliddata", "The body is not JSON.") from None
    return body if isinstance(body, dict) else {}


def _envelope(call: Call, kind: str) -> dict[str, Any]:
    """The record in a body `{kind: record}`."""
    body = _object(call)
    if set(body) != {kind}:
        raise failure(422, "invaliddata", f"{kind}: the body must hold exactly this.")
    if not isinstance(body[kind], dict):
        raise failure(422, "invaliddata", f"{kind}: is not an object.")
    record: dict[str, Any] = body[kind]
    return record


def write_line_item(connection: sqlite3.Connection, record: dict[str, Any]) -> bool:
    """Create or replace a line item; whether it was created."""
    created = not exists(connection, "lineItem", record["sourcedId"])
    class_id = (record.get("class") or {}).get("sourcedId")
    connection.execute(
        "INSERT OR REPLACE INTO sis_records VALUES ('lineItem', ?, NULL, ?, NULL, NULL, ?)",
        (record["sourcedId"], class_id, dumps(record)),
    )
    return created


def write_result(connection: sqlite3.Connection, record: dict[str, Any]) -> bool:
    """Create or replace a result; whether it was created."""
    created = not exists(connection, "result", record["sourcedId"])
    line_item_id = record["lineItem"]["sourcedId"]
    row = connection.execute(
        "SELECT class_id FROM sis_records WHERE kind = 'lineItem' AND sourced_id = ?", (line_item_id,)
    ).fetchone()
    connection.execute(
        "INSERT OR REPLACE INTO sis_records VALUES ('result', ?, NULL, ?, ?, ?, ?)",
        (
            record["sourcedId"],
            row[0] if row else None,
            record["student"]["sourcedId"],
            line_item_id,
            dumps(record),
        ),
    )
    return created


def write_category(connection: sqlite3.Connection, record: dict[str, Any]) -> bool:
    """Create or replace a category; whether it was created."""
    created = not exists(connection, "category", record["sourcedId"])
    connection.execute(
        "INSERT OR REPLACE INTO sis_records VALUES ('category', ?, NULL, NULL, NULL, NULL, ?)",
        (record["sourcedId"], dumps(record)),
    )
    return created


_WRITE: Final = {"lineItem": write_line_item, "result": write_result, "category": write_category}


def now(call: Call) -> str:
    """The instant of a change, as the SIS writes it."""
    return instant(call.sandbox.clock.tick())[:23] + "Z"


def _refuse(call: Call, sis: Sis, method: str, kind: str) -> None:
    """Refuse a write that the SIS does not take at all, in its own words if it has any."""
    refusal = None
    if kind == "category" and not setting(call.sandbox.connection, "takes_categories", default=True):
        refusal = 403, "Categories cannot be written here."
    elif method == "DELETE" and setting(call.sandbox.connection, "deletes", "delete") != "delete":
        refusal = 405, "Nothing is deleted here."
    if refusal is not None:
        status, words = sis.refused.get((method, kind), refusal)
        raise failure(status, "unsupportedoperation" if status == 405 else "forbidden", words)  # noqa: PLR2004


def _check(call: Call, sis: Sis, kind: str, sourced_id: str, record: dict[str, Any]) -> None:
    check_shape(sis, kind, sourced_id, record)
    if kind == "lineItem":
        sis.check_line_item(call, record)
    elif kind == "result":
        sis.check_result(call, record)


def _completed(call: Call, sis: Sis, kind: str, record: dict[str, Any]) -> dict[str, Any]:
    """A record as the SIS reads it: a lenient one adds what is missing."""
    return completed(call, sis, kind, record) if is_lenient(call, sis) else record


def _kept(call: Call, record: dict[str, Any]) -> dict[str, Any]:
    """A record as it is stored."""
    if setting(call.sandbox.connection, "drops_metadata", default=False):
        record = {name: value for name, value in record.items() if name != "metadata"}
    return record | {"dateLastModified": now(call)}


def _put(sis: Sis, kind: str) -> Action:
    def action(call: Call) -> Answer:
        writing: tuple[str, ...] = (tokens.GRADEBOOK_PUT,)
        if ("PUT", kind) in sis.refused:
            writing += (tokens.GRADEBOOK_DELETE,)
        tokens.require(call, sis, writing)
        sis.permitted(call, "update", kind)
        _refuse(call, sis, "PUT", kind)
        connection, sourced_id = call.sandbox.connection, call.parameters["sourced_id"]
        record = _completed(call, sis, kind, _envelope(call, kind))
        withdrawn = (
            record.get("status") == "tobedeleted"
            and setting(connection, "deletes", "delete") == "tobedeleted"
        )
        own_ids = kind == "category" or setting(connection, "writes", "put") == "put"
        if (withdrawn or not own_ids) and not exists(connection, kind, sourced_id):
            raise not_found(f"This {kind}")
        if withdrawn:
            check_shape(sis, kind, sourced_id, record)
            stored, created = record | {"dateLastModified": now(call)}, False
            _withdraw(call, kind, sourced_id)
        else:
            _check(call, sis, kind, sourced_id, record)
            stored = _kept(call, record)
            created = _WRITE[kind](connection, stored)
        if sis.version != "1.1":
            return Answer(201)
        return Answer(201 if created else 200, dumps({kind: stored}))

    return action


def _put_without_id(sis: Sis, kind: str) -> Action:
    """A new record under an id that the SIS allots and answers; a second time it is a second record."""

    def action(call: Call) -> Answer:
        tokens.require(call, sis, (tokens.GRADEBOOK_PUT,))
        sis.permitted(call, "update", kind)
        if setting(call.sandbox.connection, "writes", "put") != "put_without_id":
            raise failure(405, "unsupportedoperation", "A PUT needs the sourcedId in its path here.")
        _refuse(call, sis, "PUT", kind)
        allotted = str(uuid.uuid4())
        record = _completed(call, sis, kind, _envelope(call, kind)) | {"sourcedId": allotted}
        _check(call, sis, kind, allotted, record)
        stored = _kept(call, record)
        _WRITE[kind](call.sandbox.connection, stored)
        listed = setting(call.sandbox.connection, "allotted_as", "object") == "list"
        return Answer(201, dumps({kind: [stored] if listed else stored}), written=(allotted,))

    return action


def remove(connection: sqlite3.Connection, kind: str, sourced_id: str) -> None:
    """Delete a record; with a line item its results go too."""
    connection.execute("DELETE FROM sis_records WHERE kind = ? AND sourced_id = ?", (kind, sourced_id))
    if kind == "lineItem":
        connection.execute(
            "DELETE FROM sis_records WHERE kind = 'result' AND line_item_id = ?", (sourced_id,)
        )


def _withdraw(call: Call, kind: str, sourced_id: str) -> None:
    """Remove a record on request: it is gone, or goes on being answered as tobedeleted."""
    connection = call.sandbox.connection
    if not setting(connection, "keeps_removed", default=False):
        remove(connection, kind, sourced_id)
        return
    where = "kind = ? AND sourced_id = ? OR ? = 'lineItem' AND kind = 'result' AND line_item_id = ?"
    connection.execute(
        "UPDATE sis_records SET record = json_set(record, '$.status', 'tobedeleted',"  # noqa: S608 - constants
        f" '$.dateLastModified', ?) WHERE {where}",
        (now(call), kind, sourced_id, kind, sourced_id),
    )


def _delete(sis: Sis, kind: str) -> Action:
    def action(call: Call) -> Answer:
        deleting: tuple[str, ...] = (tokens.GRADEBOOK_DELETE,)
        if ("DELETE", kind) in sis.refused:
            deleting += (tokens.GRADEBOOK_PUT,)
        tokens.require(call, sis, deleting)
        _refuse(call, sis, "DELETE", kind)
        if not exists(call.sandbox.connection, kind, call.parameters["sourced_id"]):
            raise not_found(f"This {kind}")
        _withdraw(call, kind, call.parameters["sourced_id"])
        return Answer(204)

    return action


def _post(sis: Sis, kind: str, *fields: tuple[str, str]) -> Action:
    """New records below others; the SIS allots their ids, all of them or none.

    Args:
        sis: The SIS.
        kind: The kind of record.
        *fields: For every parameter of the path: its name and the kind of record that must exist under it,
            to which the new records must refer where they refer to that kind at all.
    """
    many = {"lineItem": "lineItems", "result": "results"}[kind]
    field_of = {"class_id": "class", "school_id": "school", "line_item_id": "lineItem"}

    def action(call: Call) -> Answer:
        tokens.require(call, sis, (tokens.GRADEBOOK_POST,))
        for parameter, below in fields:
            if not exists(call.sandbox.connection, below, call.parameters[parameter]):
                raise not_found(f"This {below}")
        body = _object(call)
        if set(body) != {many} or not isinstance(body[many], list):
            raise failure(422, "invaliddata", f"{many}: the body must hold exactly this, a list.")
        pairs = []
        storing, answering = faults.stored_and_answered(call.fault, len(body[many]))
        for number, given in enumerate(body[many]):
            if not isinstance(given, dict):
                raise failure(422, "invaliddata", f"{kind}: is not an object.")
            record = _completed(call, sis, kind, given)
            supplied = str(record.get("sourcedId") or "")
            _check(call, sis, kind, supplied, record)
            for parameter, _ in fields:
                field = field_of.get(parameter, "")
                if field in record and record[field]["sourcedId"] != call.parameters[parameter]:
                    raise failure(422, "invaliddata", f"{field}: differs from the one in the path.")
            allotted = str(uuid.uuid4())
            if number < storing:
                _WRITE[kind](call.sandbox.connection, _kept(call, record) | {"sourcedId": allotted})
            pairs.append({"suppliedSourcedId": supplied, "allocatedSourcedId": allotted})
        written = tuple(pair["allocatedSourcedId"] for pair in pairs[:storing])
        return Answer(201, dumps({"sourcedIdPairs": pairs[:answering]}), written=written)

    return action


def _categories_of_class_1_1(sis: Sis) -> Action:
    """The categories that a class can use: 1.1 has no such listing, some SISs serve it all the same."""

    def action(call: Call) -> Answer:
        if not is_lenient(call, sis):
            return _nothing_here(sis)(call)
        tokens.require(call, sis, (tokens.GRADEBOOK,))
        sis.permitted(call, "read", "category")
        class_id = call.parameters["class_id"]
        if not exists(call.sandbox.connection, "class", class_id):
            raise not_found("This class")
        usable = categories_of_class(call.sandbox.connection, class_id, today(call.sandbox.connection))
        return listing(call, sis, COLLECTIONS["categories"], usable)

    return action


def _nothing_here(sis: Sis) -> Action:
    def action(call: Call) -> Answer:
        if call.method in {"POST", "PATCH"}:
            minor = "unsupportedoperation" if sis.version == "1.1" else "forbidden"
            raise failure(405, minor, f"OneRoster {sis.version} has no {call.method}{_HERE[sis.version]}.")
        raise failure(404, "unknownobject", "There is no such operation.")

    return action


_HERE: Final = {"1.1": "", "1.2": " here"}


def _gradebook(sis: Sis) -> tuple[tuple[str, str, Action, str], ...]:
    """Method, path, action and the kind that is written; the busiest first."""
    return (
        ("PUT", "/results/{sourced_id}", _put(sis, "result"), "result"),
        ("PUT", "/lineItems/{sourced_id}", _put(sis, "lineItem"), "lineItem"),
        ("PUT", "/results", _put_without_id(sis, "result"), "result"),
        ("PUT", "/lineItems", _put_without_id(sis, "lineItem"), "lineItem"),
        ("PUT", "/categories", _put_without_id(sis, "category"), "category"),
        ("DELETE", "/results/{sourced_id}", _delete(sis, "result"), "result"),
        ("DELETE", "/lineItems/{sourced_id}", _delete(sis, "lineItem"), "lineItem"),
        ("PUT", "/categories/{sourced_id}", _put(sis, "category"), "category"),
        ("DELETE", "/categories/{sourced_id}", _delete(sis, "category"), "category"),
        (
            "GET",
            "/classes/{class_id}/lineItems/{line_item_id}/results",
            _below(sis, "results", _CLASS, ("line_item_id", "line_item_id = ?", "lineItem")),
            "",
        ),
        (
            "GET",
            "/classes/{class_id}/students/{student_id}/results",
            _below(sis, "results", _CLASS, ("student_id", "user_id = ?", "user")),
            "",
        ),
        ("GET", "/classes/{class_id}/results", _below(sis, "results", _CLASS), ""),
        ("GET", "/classes/{class_id}/lineItems", _below(sis, "lineItems", _CLASS), ""),
    )


def _gradebook_1_1(sis: Sis) -> tuple[tuple[str, str, Action, str], ...]:
    """What 1.1 does not have and is served beside it."""
    return (("GET", "/classes/{class_id}/categories", _categories_of_class_1_1(sis), ""),)


def _gradebook_1_2(sis: Sis) -> tuple[tuple[str, str, Action, str], ...]:
    """What 1.2 adds."""
    return (
        ("POST", "/classes/{class_id}/lineItems", _post(sis, "lineItem", ("class_id", "class")), "lineItem"),
        ("POST", "/schools/{school_id}/lineItems", _post(sis, "lineItem", ("school_id", "org")), "lineItem"),
        (
            "POST",
            "/lineItems/{line_item_id}/results",
            _post(sis, "result", ("line_item_id", "lineItem")),
            "result",
        ),
        (
            "POST",
            "/classes/{class_id}/academicSessions/{session_id}/results",
            _post(sis, "result", ("class_id", "class"), ("session_id", "academicSession")),
            "result",
        ),
        (
            "GET",
            "/classes/{class_id}/categories",
            _below(sis, "categories", ("class_id", _OF_CLASS_OR_ALL, "class")),
            "",
        ),
        ("GET", "/classes/{class_id}/scoreScales", _below(sis, "scoreScales", _CLASS), ""),
        ("GET", "/schools/{school_id}/scoreScales", _below(sis, "scoreScales", _SCHOOL), ""),
    )


_IN_CLASS: Final = ("class_id", _MEMBERS, "class")
_ROSTER_1_1: Final = (
    ("/classes/{class_id}/students", "students", _IN_CLASS),
    ("/classes/{class_id}/teachers", "teachers", _IN_CLASS),
    ("/students/{user_id}/classes", "classes", ("user_id", _TAKEN, "user")),
    ("/teachers/{user_id}/classes", "classes", ("user_id", _TAKEN, "user")),
    ("/terms/{term_id}/gradingPeriods", "gradingPeriods", ("term_id", _PARENT, "academicSession")),
)
_ROSTER_1_2: Final = (
    (
        "/courses/{course_id}/classes",
        "classes",
        ("course_id", "json_extract(record, '$.course.sourcedId') = ?", "course"),
    ),
    ("/terms/{term_id}/classes", "classes", ("term_id", _IN_TERM, "academicSession")),
    ("/users/{user_id}/classes", "classes", ("user_id", _TAKEN, "user")),
    ("/schools/{school_id}/classes/{class_id}/enrollments", "enrollments", _CLASS, _SCHOOL),
    ("/schools/{school_id}/classes/{class_id}/students", "students", _IN_CLASS, _SCHOOL_EXISTS),
    ("/schools/{school_id}/classes/{class_id}/teachers", "teachers", _IN_CLASS, _SCHOOL_EXISTS),
    ("/schools/{school_id}/classes", "classes", _SCHOOL),
    (
        "/schools/{school_id}/courses",
        "courses",
        ("school_id", "json_extract(record, '$.org.sourcedId') = ?", "org"),
    ),
    ("/schools/{school_id}/enrollments", "enrollments", _SCHOOL),
    ("/schools/{school_id}/students", "students", _SCHOOL_OF_USER),
    ("/schools/{school_id}/teachers", "teachers", _SCHOOL_OF_USER),
    ("/schools/{school_id}/terms", "terms", _SCHOOL_EXISTS),
)


def routes(sis: Sis) -> tuple[Route, ...]:
    """What a SIS serves; a request is matched in this order."""
    later = sis.version != "1.1"
    below = _ROSTER_1_1 + (_ROSTER_1_2 if later else ())
    names = [name for name in COLLECTIONS if later or name != "scoreScales"]
    bases = {name: sis.gradebook if name in _GRADEBOOK else sis.rostering for name in names}
    return (
        *(
            Route(method, sis.gradebook + path, action, "sis", kind)
            for method, path, action, kind in _gradebook(sis)
            + (_gradebook_1_2(sis) if later else _gradebook_1_1(sis))
        ),
        *(
            Route("GET", sis.rostering + path, _below(sis, name, *conditions), "sis")
            for path, name, *conditions in below
        ),
        *(Route("GET", f"{bases[name]}/{name}", _list(sis, name), "sis") for name in names),
        *(Route("GET", f"{bases[name]}/{name}/{{sourced_id}}", _get(sis, name), "sis") for name in names),
        *(
            Route(method, base + "/{rest:path}", _nothing_here(sis), "sis")
            for base in dict.fromkeys((sis.gradebook, sis.rostering))
            for method in ("GET", "PUT", "DELETE", "POST", "PATCH")
        ),
    )
