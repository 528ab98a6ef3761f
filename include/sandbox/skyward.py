"""The Skyward SIS: OneRoster 1.1, roster read-only, gradebook by PUT and DELETE."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sandbox import tokens
from sandbox.exchange import Action, Answer, Call, Route, dumps
from sandbox.gradebook_rules import check_line_item, check_result, check_shape
from sandbox.oneroster import BASE, COLLECTIONS, Selection, exists, failure, listing, not_found, one, whole
from sandbox.store import instant

if TYPE_CHECKING:
    import sqlite3

_GRADEBOOK: Final = ("categories", "lineItems", "results")


# --- Reads ---


def _read_scopes(name: str) -> tuple[str, ...]:
    return (tokens.GRADEBOOK,) if name in _GRADEBOOK else (tokens.ROSTER_CORE, tokens.ROSTER)


def _list(name: str) -> Action:
    def action(call: Call) -> Answer:
        tokens.require(call, _read_scopes(name))
        return listing(call, COLLECTIONS[name], whole(COLLECTIONS[name]))

    return action


def _get(name: str) -> Action:
    def action(call: Call) -> Answer:
        tokens.require(call, _read_scopes(name))
        return one(call, COLLECTIONS[name], call.parameters["sourced_id"])

    return action


def _of_class(name: str, *conditions: tuple[str, str, str]) -> Action:
    """A listing below `/classes/{class_id}`.

    Args:
        name: The collection that is listed.
        *conditions: For every parameter of the path: its name, the condition it fills, and the kind of record
            that must exist under it.
    """
    scopes = (tokens.GRADEBOOK,) if name in _GRADEBOOK else (tokens.ROSTER,)

    def action(call: Call) -> Answer:
        tokens.require(call, scopes)
        selection = whole(COLLECTIONS[name])
        for parameter, condition, kind in conditions:
            sourced_id = call.parameters[parameter]
            if not exists(call.sandbox.connection, kind, sourced_id):
                raise not_found(f"This {kind}")
            selection = selection.both(Selection(condition, (sourced_id,)))
        return listing(call, COLLECTIONS[name], selection)

    return action


_MEMBERS: Final = "sourced_id IN (SELECT user_id FROM sis_records WHERE kind = 'enrollment' AND class_id = ?)"
_PARENT: Final = "json_extract(record, '$.parent.sourcedId') = ?"
_CLASS: Final = ("class_id", "class_id = ?", "class")


# --- Writes ---


def _envelope(call: Call, kind: str) -> dict[str, Any]:
    """The record in a body `{kind: record}`."""
    try:
        body = json.loads(call.body)
    except ValueError:
        raise failure(400, "invaliddata", "The body is not JSON.") from None
    if not isinstance(body, dict) or set(body) != {kind}:
        raise failure(422, "invaliddata", f"{kind}: the body must hold exactly this.")
    if not isinstance(body[kind], dict):
        raise failure(422, "invaliddata", f"{kind}: is not an object.")
    return body[kind]


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


def now(call: Call) -> str:
    """The instant of a change, as the SIS writes it."""
    return instant(call.sandbox.clock.tick())[:23] + "Z"


def _put_line_item(call: Call) -> Answer:
    tokens.require(call, (tokens.GRADEBOOK_PUT,))
    record = _envelope(call, "lineItem")
    check_shape("lineItem", call.parameters["sourced_id"], record)
    check_line_item(call.sandbox.connection, record)
    stored = record | {"dateLastModified": now(call)}
    created = write_line_item(call.sandbox.connection, stored)
    return Answer(201 if created else 200, dumps({"lineItem": stored}))


def _put_result(call: Call) -> Answer:
    tokens.require(call, (tokens.GRADEBOOK_PUT,))
    record = _envelope(call, "result")
    check_shape("result", call.parameters["sourced_id"], record)
    check_result(call.sandbox.connection, record)
    stored = record | {"dateLastModified": now(call)}
    created = write_result(call.sandbox.connection, stored)
    return Answer(201 if created else 200, dumps({"result": stored}))


def remove(connection: sqlite3.Connection, kind: str, sourced_id: str) -> None:
    """Delete a record; with a line item its results go too."""
    connection.execute("DELETE FROM sis_records WHERE kind = ? AND sourced_id = ?", (kind, sourced_id))
    if kind == "lineItem":
        connection.execute(
            "DELETE FROM sis_records WHERE kind = 'result' AND line_item_id = ?", (sourced_id,)
        )


def _delete(kind: str) -> Action:
    def action(call: Call) -> Answer:
        tokens.require(call, (tokens.GRADEBOOK_DELETE,))
        if not exists(call.sandbox.connection, kind, call.parameters["sourced_id"]):
            raise not_found(f"This {kind}")
        remove(call.sandbox.connection, kind, call.parameters["sourced_id"])
        return Answer(204)

    return action


def _read_only(call: Call) -> Answer:
    tokens.require(call, (tokens.GRADEBOOK_PUT, tokens.GRADEBOOK_DELETE))
    raise failure(403, "forbidden", "Categories are kept by the district and cannot be written here.")


def _nothing_here(call: Call) -> Answer:
    if call.method in {"POST", "PATCH"}:
        raise failure(405, "unsupportedoperation", f"OneRoster 1.1 has no {call.method}.")
    raise failure(404, "unknownobject", "There is no such operation.")


def _route(method: str, path: str, action: Action, kind: str = "") -> Route:
    return Route(method, BASE + path, action, "sis", kind)


# The busiest come first: a request is matched against them in this order.
ROUTES: Final = (
    _route("PUT", "/results/{sourced_id}", _put_result, "result"),
    _route("PUT", "/lineItems/{sourced_id}", _put_line_item, "lineItem"),
    _route("DELETE", "/results/{sourced_id}", _delete("result"), "result"),
    _route("DELETE", "/lineItems/{sourced_id}", _delete("lineItem"), "lineItem"),
    _route("PUT", "/categories/{sourced_id}", _read_only, "category"),
    _route("DELETE", "/categories/{sourced_id}", _read_only, "category"),
    _route(
        "GET",
        "/classes/{class_id}/lineItems/{line_item_id}/results",
        _of_class("results", _CLASS, ("line_item_id", "line_item_id = ?", "lineItem")),
    ),
    _route(
        "GET",
        "/classes/{class_id}/students/{student_id}/results",
        _of_class("results", _CLASS, ("student_id", "user_id = ?", "user")),
    ),
    _route("GET", "/classes/{class_id}/results", _of_class("results", _CLASS)),
    _route("GET", "/classes/{class_id}/lineItems", _of_class("lineItems", _CLASS)),
    _route("GET", "/classes/{class_id}/students", _of_class("students", ("class_id", _MEMBERS, "class"))),
    _route("GET", "/classes/{class_id}/teachers", _of_class("teachers", ("class_id", _MEMBERS, "class"))),
    _route(
        "GET",
        "/terms/{term_id}/gradingPeriods",
        _of_class("gradingPeriods", ("term_id", _PARENT, "academicSession")),
    ),
    *(_route("GET", f"/{name}", _list(name)) for name in COLLECTIONS),
    *(_route("GET", f"/{name}/{{sourced_id}}", _get(name)) for name in COLLECTIONS),
    *(_route(method, "/{rest:path}", _nothing_here) for method in ("GET", "PUT", "DELETE", "POST", "PATCH")),
)
