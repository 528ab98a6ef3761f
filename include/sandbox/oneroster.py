"""What every OneRoster answer has in common: references, errors, listings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from sandbox.exchange import Answer, RefusedError, dumps

if TYPE_CHECKING:
    import sqlite3

    from sandbox.exchange import Call
    from sandbox.sis import Sis

_COMPARISON: Final = re.compile(
    r"\s*(?P<field>[A-Za-z][A-Za-z0-9_.]*)\s*(?P<operator>!=|>=|<=|=|>|<|~)\s*'(?P<value>[^']*)'\s*"
)
_LINK: Final = re.compile(r"\s+(AND|OR)\s+", re.IGNORECASE)

# What a record of each kind may hold: the fields that can be filtered, sorted and chosen.
_BASE_FIELDS: Final = ("sourcedId", "status", "dateLastModified", "metadata")
_FIELDS: Final = {
    "org": ("name", "type", "identifier", "parent", "children"),
    "academicSession": ("title", "startDate", "endDate", "type", "parent", "children", "schoolYear"),
    "course": ("title", "schoolYear", "courseCode", "grades", "subjects", "org"),
    "class": ("title", "classCode", "classType", "location", "course", "school", "terms", "periods"),
    "user": (
        "username",
        "enabledUser",
        "givenName",
        "familyName",
        "middleName",
        "role",
        "identifier",
        "email",
        "orgs",
    ),
    "enrollment": ("user", "class", "school", "role", "primary", "beginDate", "endDate"),
    "category": ("title",),
    "lineItem": (
        "title",
        "description",
        "assignDate",
        "dueDate",
        "class",
        "category",
        "gradingPeriod",
        "resultValueMin",
        "resultValueMax",
    ),
    "result": ("lineItem", "student", "score", "scoreStatus", "scoreDate", "comment"),
    "scoreScale": ("title", "type", "course", "class", "scoreScaleValue"),
}
_ONLY_1_2: Final = {
    "class": ("grades", "subjects", "subjectCodes"),
    "user": ("userMasterIdentifier", "roles", "primaryOrg", "grades"),
    "category": ("weight",),
    "lineItem": ("school", "academicSession", "scoreScale", "learningObjectiveSet"),
    "result": (
        "class",
        "scoreScale",
        "textScore",
        "learningObjectiveSet",
        "inProgress",
        "incomplete",
        "late",
        "missing",
    ),
}
_NOT_IN_1_2: Final = {"user": ("role", "orgs")}


def fields(version: str, kind: str) -> tuple[str, ...]:
    """The fields that a record of this kind may hold in a version of OneRoster."""
    if version == "1.1":
        return _BASE_FIELDS + _FIELDS[kind]
    gone = _NOT_IN_1_2.get(kind, ())
    kept = tuple(name for name in _FIELDS[kind] if name not in gone)
    return _BASE_FIELDS + kept + _ONLY_1_2.get(kind, ())


@dataclass(frozen=True)
class Collection:
    """A listing: its path's last part, the envelope's keys, and the records it holds."""

    name: str
    many: str
    one: str
    kind: str
    subtype: str = ""


COLLECTIONS: Final = {
    collection.name: collection
    for collection in (
        Collection("orgs", "orgs", "org", "org"),
        Collection("schools", "orgs", "org", "org", "school"),
        Collection("academicSessions", "academicSessions", "academicSession", "academicSession"),
        Collection("terms", "academicSessions", "academicSession", "academicSession", "term"),
        Collection(
            "gradingPeriods", "academicSessions", "academicSession", "academicSession", "gradingPeriod"
        ),
        Collection("courses", "courses", "course", "course"),
        Collection("classes", "classes", "class", "class"),
        Collection("users", "users", "user", "user"),
        Collection("students", "users", "user", "user", "student"),
        Collection("teachers", "users", "user", "user", "teacher"),
        Collection("enrollments", "enrollments", "enrollment", "enrollment"),
        Collection("categories", "categories", "category", "category"),
        Collection("lineItems", "lineItems", "lineItem", "lineItem"),
        Collection("results", "results", "result", "result"),
        Collection("scoreScales", "scoreScales", "scoreScale", "scoreScale"),
    )
}


def status_info(
    status: int, code_minor: str, description: str, headers: dict[str, str] | None = None
) -> Answer:
    """An `imsx_StatusInfo` body."""
    body = {
        "imsx_codeMajor": "failure",
        "imsx_severity": "error",
        "imsx_description": description,
        "imsx_CodeMinor": {
            "imsx_codeMinorField": [
                {
                    "imsx_codeMinorFieldName": "TargetEndSystem",
                    "imsx_codeMinorFieldValue": code_minor,
                }
            ]
        },
    }
    return Answer(status, dumps(body), headers or {})


def failure(status: int, code_minor: str, description: str) -> RefusedError:
    """The refusal of a call to the SIS."""
    return RefusedError(status_info(status, code_minor, description))


def not_found(what: str) -> RefusedError:
    """404: there is no such record."""
    return failure(404, "unknownobject", f"{what} does not exist.")


def with_hrefs(call: Call, base: str, text: str) -> str:
    """Records as they are answered: the hrefs of seeded references made absolute, below `base`."""
    return text.replace('"href":"/', f'"href":"{call.sandbox.base_url}{base}/')


# --- Listings ---


@dataclass(frozen=True)
class Selection:
    """Part of an SQL condition over sis_records, with its arguments."""

    condition: str
    arguments: tuple[Any, ...] = ()

    def both(self, other: Selection) -> Selection:
        """This and the other."""
        return Selection(f"({self.condition}) AND ({other.condition})", self.arguments + other.arguments)


def whole(collection: Collection) -> Selection:
    """All records of a collection."""
    selection = Selection("kind = ?", (collection.kind,))
    if collection.subtype:
        selection = selection.both(Selection("subtype = ?", (collection.subtype,)))
    return selection


def _known(known: tuple[str, ...], name: str) -> bool:
    return name.split(".", maxsplit=1)[0] in known


def _comparison(known: tuple[str, ...], text: str) -> Selection:
    parts = _COMPARISON.fullmatch(text)
    if parts is None:
        raise failure(400, "invalid_filter_field", "filter: expected field, operator and a value in quotes.")
    if not _known(known, parts["field"]):
        raise failure(400, "invalid_filter_field", f"filter: there is no field {parts['field']}.")
    path, value = f"$.{parts['field']}", parts["value"]
    if parts["operator"] == "~":
        return Selection("instr(lower(json_extract(record, ?)), lower(?)) > 0", (path, value))
    if parts["field"] == "sourcedId":
        return Selection(f"sourced_id {parts['operator']} ?", (value,))
    compared = f"json_extract(record, ?) {parts['operator']}"
    return Selection(
        "CASE json_type(record, ?)"
        f" WHEN 'integer' THEN {compared} CAST(? AS REAL) WHEN 'real' THEN {compared} CAST(? AS REAL)"
        f" WHEN 'true' THEN 'true' {parts['operator']} ? WHEN 'false' THEN 'false' {parts['operator']} ?"
        f" ELSE {compared} ? END",
        (path, path, value, path, value, value, value, path, value),
    )


def _filtered(known: tuple[str, ...], text: str) -> Selection:
    """The `filter` parameter: one comparison, or two joined by one AND or OR."""
    parts = _LINK.split(text)
    if len(parts) == 1:
        return _comparison(known, parts[0])
    if len(parts) != 3:  # noqa: PLR2004 - left, link, right
        raise failure(400, "invalid_filter_field", "filter: at most one AND or OR.")
    left, right = _comparison(known, parts[0]), _comparison(known, parts[2])
    condition = f"({left.condition}) {parts[1].upper()} ({right.condition})"
    return Selection(condition, left.arguments + right.arguments)


def _number(call: Call, name: str, default: int, least: int) -> int:
    text = call.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise failure(400, "invaliddata", f"{name} is not a whole number from {least}.")
    return int(text)


def _order(call: Call, known: tuple[str, ...]) -> Selection:
    """ORDER BY; a sort field that does not exist is passed over, as 1.1 has it."""
    sort = call.query.get("sort", "")
    if not re.fullmatch(r"[A-Za-z0-9_.]+", sort) or not _known(known, sort):
        return Selection(" ORDER BY sourced_id")
    direction = "DESC" if call.query.get("orderBy", "asc").lower() == "desc" else "ASC"
    return Selection(f" ORDER BY json_extract(record, ?) {direction}, sourced_id", (f"$.{sort}",))


def _projection(call: Call, known: tuple[str, ...]) -> Selection:
    """What is selected: the record, or of it the fields asked for."""
    chosen = [name.strip() for name in call.query.get("fields", "").split(",") if name.strip()]
    if not chosen:
        return Selection("record")
    for name in chosen:
        if name not in known:
            raise failure(400, "invalid_selection_field", f"fields: there is no field {name}.")
    pairs = ", ".join("?, json_extract(record, ?)" for _ in chosen)
    paths = tuple(text for name in chosen for text in (name, f"$.{name}"))
    return Selection(f"json_object({pairs})", paths)


def _links(call: Call, limit: int, offset: int, total: int) -> str:
    """The Link header: first, prev, next and last page."""
    offsets = {"first": 0, "last": max(0, (total - 1) // limit * limit)}
    if offset > 0:
        offsets["prev"] = max(0, offset - limit)
    if offset + limit < total:
        offsets["next"] = offset + limit
    address = f"{call.sandbox.base_url}{call.path}"
    rest = {name: value for name, value in call.query.items() if name not in {"limit", "offset"}}
    return ", ".join(
        f'<{address}?{urlencode(rest | {"limit": limit, "offset": start})}>; rel="{name}"'
        for name, start in offsets.items()
    )


def listing(call: Call, sis: Sis, collection: Collection, selection: Selection) -> Answer:
    """One page of a collection, with X-Total-Count and Link; no more than the SIS lists at once."""
    limit = min(_number(call, "limit", 100, 1), sis.most_items)
    offset = _number(call, "offset", 0, 0)
    known = fields(sis.version, collection.kind)
    if call.query.get("filter"):
        selection = selection.both(_filtered(known, call.query["filter"]))
    projection, order = _projection(call, known), _order(call, known)
    where = " FROM sis_records WHERE " + selection.condition
    connection = call.sandbox.connection
    (total,) = connection.execute("SELECT count(*)" + where, selection.arguments).fetchone()
    found = connection.execute(
        "SELECT " + projection.condition + where + order.condition + " LIMIT ? OFFSET ?",
        (*projection.arguments, *selection.arguments, *order.arguments, limit, offset),
    )
    body = f'{{"{collection.many}":[{",".join(text for (text,) in found)}]}}'
    headers = {"X-Total-Count": str(total), "Link": _links(call, limit, offset, total)}
    return Answer(200, with_hrefs(call, sis.rostering, body), headers)


def one(call: Call, sis: Sis, collection: Collection, selection: Selection) -> Answer:
    """The one record of a collection that is selected.

    Raises:
        RefusedError: there is none (404).
    """
    projection = _projection(call, fields(sis.version, collection.kind))
    where = " FROM sis_records WHERE " + selection.condition
    row = call.sandbox.connection.execute(
        "SELECT " + projection.condition + where,
        projection.arguments + selection.arguments,
    ).fetchone()
    if row is None:
        raise not_found(f"This {collection.one}")
    return Answer(200, with_hrefs(call, sis.rostering, f'{{"{collection.one}":{row[0]}}}'))


def exists(connection: sqlite3.Connection, kind: str, sourced_id: str) -> bool:
    """Whether the SIS holds such a record."""
    found = connection.execute(
        "SELECT 1 FROM sis_records WHERE kind = ? AND sourced_id = ?", (kind, sourced_id)
    ).fetchone()
    return found is not None
