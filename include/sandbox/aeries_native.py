"""Aeries' native gradebook interface (API v5, AERIES-CERT), beside OneRoster and over the same state.

As far as Aeries' article on gradebook end points describes it, with what it does silently: a wrong category
is the gradebook's first, a missing date the other one or today, an update a full replacement, a school
year that does not exist the default one.
"""

from __future__ import annotations

import hmac
import json
import uuid
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from sandbox import aeries_native_assignments as kept
from sandbox import aeries_native_gradebooks as books
from sandbox.aeries_native_assignments import refuse
from sandbox.exchange import Action, Answer, Call, Route, answer, connection_to, dumps
from sandbox.service import now
from sandbox.store import setting

if TYPE_CHECKING:
    import sqlite3

    from sandbox.aeries_native_assignments import Assignment
    from sandbox.aeries_native_gradebooks import Gradebook

BASE: Final = "/aeries/api/v5"
DATA: Final = "Gradebook Data"
SCORES: Final = "Gradebook Scores"
SETTINGS: Final[dict[str, Any]] = {
    "certificate": "",  # one made of the client secret
    "database_year": 0,  # this school year
    "null_dates_as_year_one": False,
}


def certificate(connection: sqlite3.Connection) -> str:
    """The certificate that every request must carry: 32 hexadecimal digits."""
    made = uuid.uuid5(uuid.NAMESPACE_OID, str(setting(connection, "client_secret", ""))).hex
    return str(setting(connection, "certificate", "") or made)


def connections(call: Call) -> dict[str, Any]:
    """The Airflow connection to the native interface, for `GET /control/info`."""
    year = str(books.current_year(call.sandbox.connection))
    secret = certificate(call.sandbox.connection)
    return {"native": connection_to(call.sandbox.base_url + BASE, password=secret, database_year=year)}


# --- What every request goes through ---


def error_body(message: str) -> str:
    """The body of an error."""
    return dumps({"Message": message})


def _admit(call: Call, access: str, area: str) -> None:
    """Refuse another certificate (its letters' case counts), and what the district has not permitted it.

    Raises:
        RefusedError: 401, 403.
    """
    connection = call.sandbox.connection
    given = call.headers.get("aeries-cert", "")
    if not hmac.compare_digest(given.encode(), certificate(connection).encode()):
        raise refuse("Authorization has been denied for this request.", 401)
    if area and access not in setting(connection, "permissions", {}).get(area, ()):
        raise refuse(f"Permission missing: {access} on {area}.", 403)
    books.make_missing(connection)


def _year(call: Call) -> int:
    """The school year of a request; an unknown one is silently the default."""
    asked = next((value for name, value in call.query.items() if name.lower() == "databaseyear"), "")
    return books.year_asked_for(call.sandbox.connection, asked)


def _gradebook(call: Call) -> Gradebook:
    found = books.gradebook(call.sandbox.connection, int(call.parameters["gradebook"]))
    if found is None or found.year != _year(call):
        raise refuse("Invalid Gradebook Number", 404)
    return found


def _assignment(call: Call) -> Assignment:
    connection = call.sandbox.connection
    if "unique_id" in call.parameters:
        return kept.by_unique_id(connection, _year(call), str(call.parameters["unique_id"]))
    return kept.by_number(connection, _gradebook(call), int(call.parameters["assignment"]))


def _json(call: Call) -> Any:
    try:
        return json.loads(call.body)
    except ValueError:
        raise refuse("The body is not JSON.") from None


def _object(call: Call) -> dict[str, Any]:
    body = _json(call)
    if not isinstance(body, dict):
        raise refuse("The body is not an object.")
    return body


# --- Gradebooks ---


def _gradebooks_of_teacher(call: Call) -> Answer:
    _admit(call, "read", DATA)
    connection = call.sandbox.connection
    found = books.of_teacher(connection, _year(call), int(call.parameters["staff"]))
    return answer([books.shown(connection, one) for one in found])


def _gradebooks_of_section(call: Call) -> Answer:
    _admit(call, "read", DATA)
    connection = call.sandbox.connection
    school, section = int(call.parameters["school"]), int(call.parameters["section"])
    found = books.of_section(connection, _year(call), school, section)
    return answer([books.shown(connection, one) for one in found])


def _one_gradebook(call: Call) -> Answer:
    _admit(call, "read", DATA)
    return answer(books.shown(call.sandbox.connection, _gradebook(call)))


def _final_marks(call: Call) -> Answer:
    _admit(call, "read", DATA)
    _gradebook(call)
    return answer(books.FINAL_MARKS)


def _students(call: Call) -> Answer:
    _admit(call, "read", DATA)
    found = _gradebook(call)
    terms = {term["Code"]: term for term in found.record["Terms"]}
    term = terms.get(call.parameters["term"])
    if term is None:
        raise refuse("Invalid Gradebook Term", 404)
    everybody = books.students(call.sandbox.connection, found, term)
    if "student" not in call.parameters:
        return answer(everybody)
    return _one_of(everybody, int(call.parameters["student"]))


def _one_of(rows: list[dict[str, Any]], student: int) -> Answer:
    """The row of one student."""
    for row in rows:
        if row["StudentID"] == student:
            return answer(row)
    raise refuse("Invalid Student ID", 404)


# --- Assignments ---


def _list_assignments(call: Call) -> Answer:
    _admit(call, "read", DATA)
    connection = call.sandbox.connection
    return answer(kept.shown(connection, kept.assignments(connection, _gradebook(call))))


def _one_assignment(call: Call) -> Answer:
    _admit(call, "read", DATA)
    return answer(kept.shown(call.sandbox.connection, [_assignment(call)])[0])


def _written(call: Call, changed: list[Assignment], status: int) -> Answer:
    names = tuple(one.gradebook.logged(one.line_item["sourcedId"]) for one in changed)
    return Answer(status, dumps(kept.shown(call.sandbox.connection, changed)), written=names)


def _insert_assignment(call: Call) -> Answer:
    _admit(call, "update", DATA)
    found = _gradebook(call)
    return _written(call, kept.insert(call.sandbox.connection, found, _object(call), now(call)), 201)


def _update_assignment(call: Call) -> Answer:
    _admit(call, "update", DATA)
    found = _assignment(call)
    return _written(call, kept.update(call.sandbox.connection, found, _object(call), now(call)), 200)


# --- Scores ---


def _scores(call: Call) -> Answer:
    _admit(call, "read", SCORES)
    rows = kept.scores(call.sandbox.connection, _assignment(call))
    return _one_of(rows, int(call.parameters["student"])) if "student" in call.parameters else answer(rows)


def _write_scores(call: Call) -> Answer:
    _admit(call, "update", SCORES)
    connection, found = call.sandbox.connection, _assignment(call)
    written = kept.write_scores(connection, found, _json(call), now(call), call.fault)
    return Answer(200, dumps(kept.scores(connection, found)), written=written)


def unstored(route: Route, call: Call, accepted: Answer) -> Answer:
    """The answer of a write that was accepted and not stored: that to a batch of scores shows it."""
    if route.action is not _write_scores or accepted.status != 200:  # noqa: PLR2004
        return accepted
    return answer(kept.scores(call.sandbox.connection, _assignment(call)))


# --- Paths ---


def _nothing_here(call: Call) -> Answer:
    _admit(call, "", "")
    if call.method in {"DELETE", "PATCH"}:
        raise refuse(f"The resource does not support the method {call.method}.", 405)
    raise refuse("There is no resource at this address.", 404)


_NUMBER: Final = "/gradebooks/{gradebook:int}"
_BY_NUMBER: Final = _NUMBER + "/assignments/{assignment:int}"
_BY_UNIQUE_ID: Final = "/gradebooks/assignments/{unique_id:uuid}"
_BOTH_CASES: Final = {"assignments": "Assignments", "scores": "Scores", "FinalMarks": "finalmarks"}

_OPERATIONS: Final[tuple[tuple[str, str, Action, str], ...]] = (
    ("POST", _BY_NUMBER + "/scores", _write_scores, "result"),
    ("POST", _BY_UNIQUE_ID + "/scores", _write_scores, "result"),
    ("GET", _BY_NUMBER + "/scores", _scores, ""),
    ("GET", _BY_UNIQUE_ID + "/scores", _scores, ""),
    ("GET", _BY_NUMBER + "/scores/{student:int}", _scores, ""),
    ("GET", _BY_UNIQUE_ID + "/scores/{student:int}", _scores, ""),
    ("POST", _NUMBER + "/assignments", _insert_assignment, "lineItem"),
    ("PUT", _BY_NUMBER, _update_assignment, "lineItem"),
    ("PUT", _BY_UNIQUE_ID, _update_assignment, "lineItem"),
    ("GET", _NUMBER + "/assignments", _list_assignments, ""),
    ("GET", _BY_NUMBER, _one_assignment, ""),
    ("GET", _BY_UNIQUE_ID, _one_assignment, ""),
    ("GET", "/staff/{staff:int}/gradebooks", _gradebooks_of_teacher, ""),
    ("GET", "/schools/{school:int}/sections/{section:int}/gradebooks", _gradebooks_of_section, ""),
    ("GET", _NUMBER, _one_gradebook, ""),
    ("GET", _NUMBER + "/FinalMarks", _final_marks, ""),
    ("GET", _NUMBER + "/{term}/students", _students, ""),
    ("GET", _NUMBER + "/{term}/students/{student:int}", _students, ""),
)


def _spellings(path: str) -> list[str]:
    """A path with the segments that the article writes in two ways, in both."""
    parts = [(part, _BOTH_CASES[part]) if part in _BOTH_CASES else (part,) for part in path.split("/")]
    return ["/".join(spelled) for spelled in product(*parts)]


ROUTES: Final = (
    *(
        Route(method, BASE + spelled, action, "sis", kind)
        for method, path, action, kind in _OPERATIONS
        for spelled in _spellings(path)
    ),
    *(
        Route(method, BASE + "/{rest:path}", _nothing_here, "sis")
        for method in ("GET", "PUT", "POST", "DELETE", "PATCH")
    ),
)
