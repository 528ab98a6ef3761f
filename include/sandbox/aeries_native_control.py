"""What a teacher changes in Aeries' gradebooks by hand, and what they hold, for the control interface."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sandbox import aeries_native_assignments as kept
from sandbox import aeries_native_gradebooks as books
from sandbox.exchange import Action, Answer, Call, Route, answer, object_of, refused
from sandbox.seed_sis import reference
from sandbox.service import now

if TYPE_CHECKING:
    from sandbox.aeries_native_assignments import Assignment
    from sandbox.aeries_native_gradebooks import Gradebook

_GRADEBOOK_FIELDS: Final = ("LinkedGroup", "Name", "Comment", "Period", "TeacherNumber", "Terms", "Settings")
_OWN_FIELDS: Final = (
    "AssignmentNumber",
    "ExternalID",
    "FormativeSummativeIndicator",
    "GradingCompleted",
    "NumberCorrectPossible",
    "RubricAssignment",
    "DueTime",
    "ScoresVisibleToParents",
    "VisibleToParents",
)
_LINE_ITEM_FIELDS: Final = {
    "Description": "title",
    "Comment": "description",
    "DateAssigned": "assignDate",
    "DateDue": "dueDate",
    "PointsPossible": "resultValueMax",
    "AssignmentCategoryCode": "category",
}


def _only(body: dict[str, Any], known: tuple[str, ...]) -> None:
    if unknown := set(body) - set(known):
        raise refused(422, f"There is no field {', '.join(sorted(unknown))}.", fields=sorted(known))


def dump(call: Call) -> Answer:
    """GET /control/native: gradebooks, assignments and scores by school year."""
    connection = call.sandbox.connection
    books.make_missing(connection)
    this_year = books.current_year(connection)
    years = {}
    for year in (this_year, this_year - 1):
        found = books.gradebooks(connection, year)
        assignments = [one for book in found for one in kept.assignments(connection, book)]
        years[str(year)] = {
            "gradebooks": [books.shown(connection, book) for book in found],
            "assignments": kept.shown(connection, assignments),
            "scores": [
                score for one in assignments for score in kept.scores(connection, one) if score["Mark"]
            ],
        }
    return answer({"years": years})


def _gradebook(call: Call) -> Gradebook:
    books.make_missing(call.sandbox.connection)
    found = books.gradebook(call.sandbox.connection, int(call.parameters["gradebook"]))
    if found is None:
        raise refused(404, "There is no such gradebook.")
    return found


def _assignment(call: Call) -> Assignment:
    connection, unique_id = call.sandbox.connection, str(call.parameters["unique_id"])
    this_year = books.current_year(connection)
    row = connection.execute(
        "SELECT 1 FROM sis_records g JOIN sis_records n ON g.sourced_id = n.subtype"
        " WHERE g.kind = ? AND n.kind = ? AND n.sourced_id = ? AND g.subtype = ?",
        (books.KIND, kept.KIND, unique_id, str(this_year)),
    ).fetchone()
    return kept.by_unique_id(connection, this_year if row else this_year - 1, unique_id)


def _term(term: dict[str, Any]) -> dict[str, str]:
    fields = ("Code", "Name", "StartDate", "EndDate")
    if set(term) != set(fields) or not all(isinstance(value, str) for value in term.values()):
        raise refused(422, "A term has these fields, all of them texts.", fields=fields)
    return term | {name: term[name][:10] for name in ("StartDate", "EndDate")}


def change_gradebook(call: Call) -> Answer:
    """PATCH /control/native/gradebooks/{number}: its own fields; settings are added to what is there."""
    found, body = _gradebook(call), object_of(call.body)
    _only(body, _GRADEBOOK_FIELDS)
    if "Settings" in body:
        _only(body["Settings"], tuple(found.record["Settings"]))
        body["Settings"] = found.record["Settings"] | body["Settings"]
    if "Terms" in body:
        body["Terms"] = [_term(term) for term in body["Terms"]]
    changed = replace(found, record=found.record | body)
    books.keep(call.sandbox.connection, changed)
    return answer(books.shown(call.sandbox.connection, changed))


def remove_gradebook(call: Call) -> Answer:
    """DELETE /control/native/gradebooks/{number}: with its assignments and scores."""
    found = _gradebook(call)
    for one in kept.assignments(call.sandbox.connection, found):
        kept.remove(call.sandbox.connection, one)
    books.keep(call.sandbox.connection, replace(found, record=found.record | {"removed": True}))
    return Answer(204)


def add_gradebook(call: Call) -> Answer:
    """POST /control/native/gradebooks {"class_id", "Name", "LinkedGroup"}: one more for a class."""
    connection, body = call.sandbox.connection, object_of(call.body)
    _only(body, ("class_id", "Name", "LinkedGroup"))
    books.make_missing(connection)
    class_id, name, group = body.get("class_id"), body.get("Name", "Gradebook"), body.get("LinkedGroup", 0)
    if not isinstance(class_id, str) or not isinstance(name, str) or not isinstance(group, int):
        raise refused(422, "class_id and Name are texts, LinkedGroup a number.")
    made = books.make(connection, class_id, name, linked_group=group)
    if made is None:
        raise refused(422, "class_id is not a school and a section, such as 994_100101.")
    return answer(books.shown(connection, made), 201)


def change_assignment(call: Call) -> Answer:
    """PATCH /control/native/assignments/{unique_id}: a teacher's edit; what is not given stays."""
    connection, found, body = call.sandbox.connection, _assignment(call), object_of(call.body)
    _only(body, (*_OWN_FIELDS, *_LINE_ITEM_FIELDS))
    number = body.get("AssignmentNumber", found.own["AssignmentNumber"])
    if number != found.own["AssignmentNumber"] and any(
        one.own["AssignmentNumber"] == number for one in kept.assignments(connection, found.gradebook)
    ):
        raise refused(422, "Another assignment has this number.")
    item = {_LINE_ITEM_FIELDS[name]: value for name, value in body.items() if name in _LINE_ITEM_FIELDS}
    for field in ("assignDate", "dueDate"):
        if field in item:
            item[field] = f"{str(item[field])[:10]}T12:00:00.000Z"
    if "category" in item:
        known = {one.code: one for one in books.categories(connection, found.gradebook)}
        if item["category"] not in known:
            raise refused(422, "The gradebook has no such category.", codes=sorted(known))
        item["category"] = reference("category", "categories", known[item["category"]].sourced_id)
    own = {name: value for name, value in body.items() if name in _OWN_FIELDS}
    kept.edit(connection, found, own, item | {"dateLastModified": now(call)})
    return answer(
        kept.shown(connection, [kept.by_unique_id(connection, found.gradebook.year, found.unique_id)])[0]
    )


def remove_assignment(call: Call) -> Answer:
    """DELETE /control/native/assignments/{unique_id}: with its scores."""
    kept.remove(call.sandbox.connection, _assignment(call))
    return Answer(204)


def _route(method: str, path: str, action: Action) -> Route:
    return Route(method, "/control/native" + path, action, "control")


ROUTES: Final = (
    _route("GET", "", dump),
    _route("POST", "/gradebooks", add_gradebook),
    _route("PATCH", "/gradebooks/{gradebook:int}", change_gradebook),
    _route("DELETE", "/gradebooks/{gradebook:int}", remove_gradebook),
    _route("PATCH", "/assignments/{unique_id:uuid}", change_assignment),
    _route("DELETE", "/assignments/{unique_id:uuid}", remove_assignment),
)
