"""Assignments and scores of Aeries' native interface, kept as OneRoster's line items and results.

What OneRoster has no field for is kept beside the line item. An assignment that came over OneRoster gets its
number and its unique id when its gradebook is first looked at.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sandbox.aeries_native_gradebooks import (
    Gradebook,
    GradebookCategory,
    categories,
    current_students,
    gradebook,
    keep,
    linked_with,
    of_class,
    shown_category,
)
from sandbox.exchange import RefusedError, answer, dumps
from sandbox.faults import stored_and_answered
from sandbox.gradebook_rules import is_number, local_date, today
from sandbox.seed_sis import reference
from sandbox.store import setting

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from sandbox.faults import Fault

KIND: Final = "nativeAssignment"
YEAR_ONE: Final = "0001-01-01T00:00:00"
_NAMESPACE: Final = uuid.UUID("6f1c3e0a-5d0b-5c3e-9f4e-0a1b2c3d4e5f")
_LONGEST_DESCRIPTION: Final = 255
_PLACES: Final = Decimal("0.0001")
_INSERTED: Final[dict[str, Any]] = {
    "ExternalID": "",
    "FormativeSummativeIndicator": "S",
    "GradingCompleted": False,
    "NumberCorrectPossible": None,  # as many as the points
    "RubricAssignment": False,
    "DueTime": None,
    "ScoresVisibleToParents": True,
    "VisibleToParents": True,
}


@dataclass(frozen=True)
class Assignment:
    """An assignment: the fields that only Aeries has (`own`) and the line item that it is in OneRoster."""

    unique_id: str
    gradebook: Gradebook
    own: dict[str, Any]
    line_item: dict[str, Any]

    @cached_property
    def points(self) -> Decimal:
        """The points possible."""
        total = self.line_item.get("resultValueMax")
        return Decimal(str(total)) if is_number(total) else Decimal(0)

    @cached_property
    def number_possible(self) -> Decimal:
        """The number that can be correct: the points, unless it was given otherwise."""
        given = self.own["NumberCorrectPossible"]
        return self.points if given is None else Decimal(str(given))


def refuse(message: str, status: int = 400) -> RefusedError:
    """A refusal in Aeries' form; it names the field and never the person."""
    return RefusedError(answer({"Message": message}, status))


# --- Keeping them ---


def _keep(connection: sqlite3.Connection, found: Assignment) -> None:
    book, line_item = found.gradebook, found.line_item
    insert = "INSERT OR REPLACE INTO sis_records VALUES (?, ?, ?, ?, NULL, ?, ?)"
    sourced_id = line_item["sourcedId"]
    connection.execute(insert, (book.line_item_kind, sourced_id, None, book.class_id, None, dumps(line_item)))
    connection.execute(insert, (KIND, found.unique_id, str(book.number), None, sourced_id, dumps(found.own)))


def _next_number(connection: sqlite3.Connection, book: Gradebook) -> int:
    (highest,) = connection.execute(
        "SELECT max(json_extract(record, '$.AssignmentNumber')) FROM sis_records"
        " WHERE kind = ? AND subtype = ?",
        (KIND, str(book.number)),
    ).fetchone()
    return int(highest or 0) + 1


def _take_over(connection: sqlite3.Connection, book: Gradebook) -> None:
    """Give numbers to what came over OneRoster, and forget what it took away."""
    connection.execute(
        "DELETE FROM sis_records WHERE kind = ? AND subtype = ? AND NOT EXISTS (SELECT 1 FROM sis_records l"
        " WHERE l.kind = ? AND l.sourced_id = sis_records.line_item_id)",
        (KIND, str(book.number), book.line_item_kind),
    )
    of_this_class = of_class(connection, book.year, book.class_id)
    if not of_this_class or of_this_class[0].number != book.number:
        return
    rows = connection.execute(
        "SELECT sourced_id FROM sis_records l WHERE kind = ? AND class_id = ? AND NOT EXISTS"
        " (SELECT 1 FROM sis_records n WHERE n.line_item_id = l.sourced_id AND n.kind = ?)"
        " ORDER BY json_extract(record, '$.dateLastModified'), 1",
        (book.line_item_kind, book.class_id, KIND),
    ).fetchall()
    for (sourced_id,) in rows:
        unique_id = str(uuid.uuid5(_NAMESPACE, sourced_id))
        own = _INSERTED | {"AssignmentNumber": _next_number(connection, book), "linked": unique_id}
        connection.execute(
            "INSERT OR REPLACE INTO sis_records VALUES (?, ?, ?, NULL, NULL, ?, ?)",
            (KIND, unique_id, str(book.number), sourced_id, dumps(own)),
        )


# --- Finding them ---

_SELECT: Final = (
    "SELECT n.sourced_id, n.record, l.record FROM sis_records n JOIN sis_records l"
    " ON l.kind = ? AND l.sourced_id = n.line_item_id"
    " WHERE n.kind = ? AND coalesce(json_extract(l.record, '$.status'), 'active') = 'active'"
)


def _found(
    connection: sqlite3.Connection, book: Gradebook, condition: str, *arguments: Any
) -> list[Assignment]:
    rows = connection.execute(
        f"{_SELECT} AND n.subtype = ?{condition} ORDER BY json_extract(n.record, '$.AssignmentNumber')",
        (book.line_item_kind, KIND, str(book.number), *arguments),
    ).fetchall()
    return [Assignment(unique_id, book, json.loads(own), json.loads(item)) for unique_id, own, item in rows]


def assignments(connection: sqlite3.Connection, book: Gradebook) -> list[Assignment]:
    """All assignments of a gradebook, by number."""
    _take_over(connection, book)
    return _found(connection, book, "")


def by_number(connection: sqlite3.Connection, book: Gradebook, number: int) -> Assignment:
    """The assignment of a number, which the teacher may change.

    Raises:
        RefusedError: there is none (404).
    """
    _take_over(connection, book)
    found = _found(connection, book, " AND json_extract(n.record, '$.AssignmentNumber') = ?", number)
    if not found:
        raise refuse("Invalid Assignment Number", 404)
    return found[0]


def by_unique_id(connection: sqlite3.Connection, year: int, unique_id: str) -> Assignment:
    """The assignment of a unique id, which never changes, in a school year.

    Raises:
        RefusedError: there is none (404).
    """
    row = connection.execute(
        "SELECT subtype FROM sis_records WHERE kind = ? AND sourced_id = ?", (KIND, unique_id.lower())
    ).fetchone()
    book = gradebook(connection, int(row[0])) if row else None
    found = _found(connection, book, " AND n.sourced_id = ?", unique_id.lower()) if book else []
    if not found or found[0].gradebook.year != year:
        raise refuse("Invalid Assignment Unique ID", 404)
    return found[0]


# --- Showing them ---


def plain(value: Decimal) -> int | float:
    """A number as JSON has it, with at most four decimal places."""
    rounded = value.quantize(_PLACES, ROUND_HALF_UP)
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def _null_date(connection: sqlite3.Connection) -> str | None:
    return YEAR_ONE if setting(connection, "null_dates_as_year_one", default=False) else None


def _day(found: Assignment, field: str) -> str | None:
    """The date of a line item's dateTime, or None if a hand edit left it without one."""
    try:
        return local_date(field, found.line_item.get(field))
    except RefusedError:
        return None


def _category(found: Assignment, known: list[GradebookCategory]) -> dict[str, Any] | None:
    named = (found.line_item.get("category") or {}).get("sourcedId")
    for place, category in enumerate(known):
        if named in {category.sourced_id, category.district_code}:
            return shown_category(found.gradebook, category, place)
    return None


def shown(connection: sqlite3.Connection, found: Iterable[Assignment]) -> list[dict[str, Any]]:
    """Assignments as they are answered."""
    null, answered = _null_date(connection), []
    known: dict[int, list[GradebookCategory]] = {}
    for one in found:
        book = one.gradebook
        if book.number not in known:
            known[book.number] = categories(connection, book)
        assigned, due = _day(one, "assignDate"), _day(one, "dueDate")
        answered.append(
            {
                "GradebookNumber": book.number,
                "AssignmentNumber": one.own["AssignmentNumber"],
                "UniqueID": one.unique_id,
                "Description": one.line_item.get("title") or "",
                "Comment": one.line_item.get("description") or "",
                "DateAssigned": f"{assigned}T00:00:00" if assigned else null,
                "DateDue": f"{due}T00:00:00" if due else null,
                "DueTime": one.own["DueTime"] or null,
                "ExternalID": one.own["ExternalID"],
                "FormativeSummativeIndicator": one.own["FormativeSummativeIndicator"],
                "GradingCompleted": one.own["GradingCompleted"],
                "InputScoresByStandard": False,
                "NarrativeGradeSetID": 0,
                "NarrativeGrades": [],
                "NumberCorrectPossible": plain(one.number_possible),
                "PointsPossible": plain(one.points),
                "RubricAssignment": one.own["RubricAssignment"],
                "ScoresVisibleToParents": one.own["ScoresVisibleToParents"],
                "VisibleToParents": one.own["VisibleToParents"],
                "Standards": [],
                "AssignmentCategory": _category(one, known[book.number]),
            }
        )
    return answered


# --- What a body says ---


def _number(body: dict[str, Any], name: str) -> Decimal | None:
    value = body.get(name)
    if value is None:
        return None
    try:
        found = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise refuse(f"{name} is not a number.")
    return found


def _date(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is None or value == "":
        return None
    try:
        return datetime.fromisoformat(value.replace("/", "-")).date().isoformat()
    except (AttributeError, ValueError):
        raise refuse(f"{name} is not a date.") from None


def _flag(body: dict[str, Any], name: str, *, default: bool = False) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise refuse(f"{name} is not true or false.")
    return value


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise refuse(f"{name} is not text.")
    return value or ""


def _points(body: dict[str, Any], *, required: bool) -> tuple[Decimal, Decimal | None]:
    """The points possible, and the number that can be correct where it differs."""
    points, correct = _number(body, "PointsPossible"), _number(body, "NumberCorrectPossible")
    if points is None and required:
        raise refuse("PointsPossible is required.")
    for name, value in (("PointsPossible", points), ("NumberCorrectPossible", correct)):
        if value is not None and value < 0:
            raise refuse(f"{name} is below 0.")
    if _flag(body, "RubricAssignment"):
        return Decimal(0), None
    return points or Decimal(0), correct or None


def _noon(day: str) -> str:
    return f"{day}T12:00:00.000Z"


def _own_fields(body: dict[str, Any], correct: Decimal | None) -> dict[str, Any]:
    """What only Aeries has; whatever the body leaves out is what it is in a new assignment."""
    indicator = body.get("FormativeSummativeIndicator")
    return {
        "ExternalID": _text(body, "ExternalID"),
        "FormativeSummativeIndicator": indicator if indicator in {"F", "S"} else "S",
        "RubricAssignment": _flag(body, "RubricAssignment"),
        "NumberCorrectPossible": None if correct is None else plain(correct),
    }


def _line_item_fields(
    connection: sqlite3.Connection, book: Gradebook, body: dict[str, Any], points: Decimal
) -> dict[str, Any]:
    """What OneRoster shows of it. A wrong category is the first one, a missing date the other or today."""
    description = body.get("Description")
    if not isinstance(description, str):
        raise refuse("Description is required.")
    if len(description) > _LONGEST_DESCRIPTION:
        raise refuse(f"Description has more than {_LONGEST_DESCRIPTION} characters.")
    known = categories(connection, book)
    if not known:
        raise refuse("The gradebook has no assignment category.")
    wanted = body.get("AssignmentCategoryCode")
    category = next((one for one in known if one.code == wanted), known[0])
    assigned, due = _date(body, "DateAssigned"), _date(body, "DateDue")
    assigned, due = assigned or due or today(connection), due or assigned or today(connection)
    fields = {
        "title": description,
        "assignDate": _noon(assigned),
        "dueDate": _noon(due),
        "category": reference("category", "categories", category.sourced_id),
        "resultValueMin": 0,
        "resultValueMax": plain(points),
    }
    comment = _text(body, "Comment")
    return fields | ({"description": comment} if comment else {})


# --- Writing assignments ---


def _insert(
    connection: sqlite3.Connection, book: Gradebook, body: dict[str, Any], now: str, linked: str
) -> Assignment:
    points, correct = _points(body, required=False)
    fields = _line_item_fields(connection, book, body, points)
    _take_over(connection, book)
    serial = book.record["serial"] + 1
    keep(connection, replace(book, record=book.record | {"serial": serial}))
    unique_id = str(uuid.uuid5(_NAMESPACE, f"{book.year}/{book.number}/{serial}"))
    line_item = {
        "sourcedId": unique_id,
        "status": "active",
        "dateLastModified": now,
        "class": reference("class", "classes", book.class_id),
        **fields,
    }
    own = _INSERTED | _own_fields(body, correct)
    own |= {"AssignmentNumber": _next_number(connection, book), "linked": linked or unique_id}
    made = Assignment(unique_id, book, own, line_item)
    _keep(connection, made)
    return made


def insert(
    connection: sqlite3.Connection, book: Gradebook, body: dict[str, Any], now: str
) -> list[Assignment]:
    """A new assignment, and unless the body says otherwise one in every linked gradebook.

    Args:
        connection: The state.
        book: The gradebook.
        body: AssignmentInsert; fields it does not know are passed over.
        now: The instant of the change.

    Raises:
        RefusedError: a field is wrong (400).
    """
    first = _insert(connection, book, body, now, "")
    others = linked_with(connection, book) if _flag(body, "CreateInLinkedGradebooksToo", default=True) else []
    return [first, *(_insert(connection, other, body, now, first.own["linked"]) for other in others)]


def _update(connection: sqlite3.Connection, found: Assignment, body: dict[str, Any], now: str) -> Assignment:
    points, correct = _points(body, required=True)
    kept = {name: value for name, value in found.line_item.items() if name != "description"}
    fields = _line_item_fields(connection, found.gradebook, body, points)
    own = found.own | _own_fields(body, correct) | {"GradingCompleted": _flag(body, "GradingCompleted")}
    changed = replace(found, own=own, line_item=kept | {"dateLastModified": now} | fields)
    _keep(connection, changed)
    return changed


def update(
    connection: sqlite3.Connection, found: Assignment, body: dict[str, Any], now: str
) -> list[Assignment]:
    """Replace an assignment as a whole, and unless the body says otherwise its likes in linked gradebooks.

    Raises:
        RefusedError: a field is wrong (400).
    """
    changed = [_update(connection, found, body, now)]
    if _flag(body, "UpdateLinkedGradebooksToo", default=True):
        for book in linked_with(connection, found.gradebook):
            likes = _found(
                connection, book, " AND json_extract(n.record, '$.linked') = ?", found.own["linked"]
            )
            changed += [_update(connection, like, body, now) for like in likes]
    return changed


def edit(
    connection: sqlite3.Connection, found: Assignment, own: dict[str, Any], item: dict[str, Any]
) -> None:
    """What a teacher changes by hand: fields of Aeries, fields of the line item."""
    _keep(connection, replace(found, own=found.own | own, line_item=found.line_item | item))


def remove(connection: sqlite3.Connection, found: Assignment) -> None:
    """Delete an assignment with its scores, as a teacher can and the interface cannot."""
    line_item = found.line_item["sourcedId"]
    for kind in (KIND, found.gradebook.result_kind):
        connection.execute("DELETE FROM sis_records WHERE kind = ? AND line_item_id = ?", (kind, line_item))
    connection.execute(
        "DELETE FROM sis_records WHERE kind = ? AND sourced_id = ?",
        (found.gradebook.line_item_kind, line_item),
    )


# --- Scores ---


def _results(connection: sqlite3.Connection, found: Assignment) -> dict[str, dict[str, Any]]:
    """The results of the line item, by student."""
    rows = connection.execute(
        "SELECT user_id, record FROM sis_records WHERE line_item_id = ? AND kind = ?",
        (found.line_item["sourcedId"], found.gradebook.result_kind),
    )
    results = {user_id: json.loads(record) for user_id, record in rows}
    return {
        user_id: result for user_id, result in results.items() if result.get("status", "active") == "active"
    }


def _earned(found: Assignment, correct: Decimal) -> Decimal:
    """The points for a number correct."""
    if not found.points or not found.number_possible:
        return correct
    return (correct * found.points / found.number_possible).quantize(Decimal("1e-8"))


def _correct(found: Assignment, earned: Decimal) -> Decimal:
    """The number correct that gave the points."""
    if not found.points or not found.number_possible:
        return earned
    return earned * found.number_possible / found.points


def _shown_score(
    found: Assignment, student: str, result: dict[str, Any] | None, null: str | None
) -> dict[str, Any]:
    """A score as it is answered; who has none is missing once grading is completed."""
    score = (result or {}).get("score")
    excused = (result or {}).get("scoreStatus") == "exempt"
    earned = Decimal(str(score)) if is_number(score) and not excused else None
    correct = None if earned is None else _correct(found, earned)
    mark = "NA" if excused else "" if correct is None else f"{correct.quantize(_PLACES, ROUND_HALF_UP)}"
    percent = Decimal(0) if earned is None or not found.points else 100 * earned / found.points
    day = (result or {}).get("scoreDate")
    return {
        "GradebookNumber": found.gradebook.number,
        "AssignmentNumber": found.own["AssignmentNumber"],
        "StudentID": int(student),
        "Mark": mark,
        "NumberCorrect": None if correct is None else plain(correct),
        "NumberCorrectPossible": plain(found.number_possible),
        "PercentCorrect": plain(percent),
        "PointsEarned": None if earned is None else plain(earned),
        "PointsPossible": plain(found.points),
        "DateCompleted": f"{day}T00:00:00" if day else null,
        "IsMissing": not mark and found.own["GradingCompleted"],
        "IsRuleReplacingScore": False,
        "RuleNumberApplied": 0,
        "RuleReplacedScore": 0,
        "StandardScores": [],
    }


def scores(connection: sqlite3.Connection, found: Assignment) -> list[dict[str, Any]]:
    """A row for every student who is in the gradebook today or has a score, by student."""
    results, null = _results(connection, found), _null_date(connection)
    everybody = current_students(connection, found.gradebook) | set(results)
    return [_shown_score(found, student, results.get(student), null) for student in sorted(everybody)]


def _student(item: Any, members: set[str]) -> str:
    """The student of an AssignmentScoreUpdate, who must be in the gradebook today."""
    if not isinstance(item, dict):
        raise refuse("The body is not an array of scores.")
    value = item.get("StudentID")
    if isinstance(value, bool) or not isinstance(value, int | str) or str(value) not in members:
        raise refuse("Invalid Student ID")
    return str(value)


def _score(item: dict[str, Any]) -> Decimal:
    if item.get("StandardScores"):
        raise refuse("StandardScores cannot be sent: the assignment is not scored by standard.")
    correct = _number(item, "NumberCorrect")
    if correct is None:
        raise refuse("NumberCorrect is required.")
    return correct.quantize(_PLACES, ROUND_HALF_UP)


def write_scores(
    connection: sqlite3.Connection, found: Assignment, body: Any, now: str, fault: Fault | None = None
) -> tuple[str, ...]:
    """Store a batch of scores, all of it or nothing.

    Args:
        connection: The state.
        found: The assignment.
        body: An array of AssignmentScoreUpdate.
        now: The instant of the change.
        fault: A fault that lets only a part of them be stored.

    Returns:
        The ids of the results, for the log of writes.

    Raises:
        RefusedError: one of them is wrong (400).
    """
    if not isinstance(body, list):
        raise refuse("The body is not an array of scores.")
    book, line_item = found.gradebook, found.line_item["sourcedId"]
    members, results = current_students(connection, book), _results(connection, found)
    due = _day(found, "dueDate") or today(connection)
    rows: dict[str, tuple[Any, ...]] = {}
    for item in body:
        student = _student(item, members)
        if student in rows:
            raise refuse("A student is named twice.")
        before = results.get(student) or {}
        sourced_id = before.get("sourcedId") or str(uuid.uuid5(_NAMESPACE, f"{line_item}/{student}"))
        earned = _earned(found, _score(item))
        record = before | {
            "sourcedId": sourced_id,
            "status": "active",
            "dateLastModified": now,
            "lineItem": reference("lineItem", "lineItems", line_item),
            "student": reference("user", "users", student),
            "score": int(earned) if earned == earned.to_integral_value() else float(earned),
            "scoreStatus": "fully graded",
            "scoreDate": _date(item, "DateCompleted") or due,
        }
        rows[student] = (book.result_kind, sourced_id, book.class_id, student, line_item, dumps(record))
    stored = list(rows.values())[: stored_and_answered(fault, len(rows))[0]]
    connection.executemany("INSERT OR REPLACE INTO sis_records VALUES (?, ?, NULL, ?, ?, ?, ?)", stored)
    return tuple(book.logged(row[1]) for row in stored)
