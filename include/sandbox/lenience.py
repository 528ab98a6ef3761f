"""What a lenient SIS adds to a record that says less than OneRoster's documents ask for.

Google Classroom sends bare references, neither status nor dateLastModified, and in 1.1 no category; real SISs
take that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox.gradebook_rules import local_date
from sandbox.oneroster import Selection
from sandbox.store import instant, setting

if TYPE_CHECKING:
    import sqlite3

    from sandbox.exchange import Call
    from sandbox.sis import Sis

_REFERENCES: Final = {  # field: collection, type
    "class": ("classes", "class"),
    "school": ("orgs", "org"),
    "category": ("categories", "category"),
    "gradingPeriod": ("academicSessions", "academicSession"),
    "academicSession": ("academicSessions", "academicSession"),
    "scoreScale": ("scoreScales", "scoreScale"),
    "lineItem": ("lineItems", "lineItem"),
    "student": ("users", "user"),
}


def is_lenient(call: Call, sis: Sis) -> bool:
    """Whether a SIS takes short records just now."""
    return bool(setting(call.sandbox.connection, "lenient", default=sis.lenient))


def _session_of(connection: sqlite3.Connection, kind: str, day: str) -> str | None:
    """The term or grading period that a day lies in."""
    row = connection.execute(
        "SELECT sourced_id FROM sis_records WHERE kind = 'academicSession' AND subtype = ?"
        " AND ? BETWEEN record ->> '$.startDate' AND record ->> '$.endDate'",
        (kind, day),
    ).fetchone()
    return row[0] if row else None


def categories_of_class(connection: sqlite3.Connection, class_id: str, day: str) -> Selection:
    """The categories that a line item of a class and a day may have: the class's own and the district's."""
    return Selection(
        "kind = 'category' AND record ->> '$.status' = 'active'"
        " AND coalesce(record ->> '$.metadata.classId', '') IN ('', ?)"
        " AND coalesce(record ->> '$.metadata.termId', '') IN ('', ?)",
        (class_id, _session_of(connection, "term", day)),
    )


def first_category(connection: sqlite3.Connection, class_id: str, day: str) -> str | None:
    """The first category of a class on a day: one of the class's own, or else of the district."""
    usable = categories_of_class(connection, class_id, day)
    row = connection.execute(
        f"SELECT sourced_id FROM sis_records WHERE {usable.condition}"  # noqa: S608 - made of constants
        " ORDER BY record ->> '$.metadata.classId' IS NULL, sourced_id",
        usable.arguments,
    ).fetchone()
    return row[0] if row else None


def _completed_1_1(connection: sqlite3.Connection, sis: Sis, record: dict[str, Any]) -> dict[str, Any]:
    """The category and grading period of a line item that names neither, as its due date tells them."""
    if "dueDate" not in record:
        return {}
    due, added = local_date("dueDate", record["dueDate"]), {}
    class_id = record["class"].get("sourcedId") if isinstance(record.get("class"), dict) else None
    if "category" not in record and (category := first_category(connection, class_id or "", due)):
        added["category"] = {"sourcedId": category}
    if "gradingPeriod" not in {*record, *sis.optional} and (
        period := _session_of(connection, "gradingPeriod", due)
    ):
        added["gradingPeriod"] = {"sourcedId": period}
    return added


def completed(call: Call, sis: Sis, kind: str, record: dict[str, Any]) -> dict[str, Any]:
    """A record with what can be known without its sender.

    That is href and type of a reference, status, dateLastModified, the date of a scoreDate that has a time;
    in 1.1 a line item's category and grading period too. All else is left as it is, right or wrong.
    """
    connection = call.sandbox.connection
    given = {name: value for name, value in record.items() if value is not None}
    modified = instant(call.sandbox.clock.tick())[:23] + "Z"
    whole = {"status": "active", "dateLastModified": modified} | given
    if kind == "lineItem" and sis.version == "1.1":
        whole |= _completed_1_1(connection, sis, given)
    for field, (collection, kind_of) in _REFERENCES.items():
        reference = whole.get(field)
        if isinstance(reference, dict) and isinstance(reference.get("sourcedId"), str):
            href = f"{call.sandbox.base_url}{sis.rostering}/{collection}/{reference['sourcedId']}"
            whole[field] = {"href": href, "type": kind_of} | reference
    if isinstance(whole.get("scoreDate"), str) and "T" in whole["scoreDate"]:
        whole["scoreDate"] = local_date("scoreDate", whole["scoreDate"])
    return whole
