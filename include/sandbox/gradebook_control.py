"""What a teacher or the SIS itself does to the gradebook, behind the back of those who write into it."""

from __future__ import annotations

import uuid
from datetime import date
from typing import TYPE_CHECKING, Any

from sandbox import service
from sandbox.exchange import answer, object_of, refused
from sandbox.gradebook_rules import find, today
from sandbox.lenience import first_category
from sandbox.oneroster import exists
from sandbox.seed_sis import reference
from sandbox.siss import SISS

if TYPE_CHECKING:
    from sandbox.exchange import Answer, Call


def forget(call: Call) -> Answer:
    """POST /control/sis/forget {"class_id" or "line_item_id"}: line items and their results are gone.

    Without either, all are. A gradebook that is replaced forgets those of its class.
    """
    body = object_of(call.body)
    if set(body) - {"class_id", "line_item_id"} or len(body) > 1:
        raise refused(422, "The body holds nothing, class_id or line_item_id.")
    connection = call.sandbox.connection
    condition = "kind = 'lineItem'"
    arguments: tuple[Any, ...] = ()
    if "class_id" in body:
        condition, arguments = condition + " AND class_id = ?", (body["class_id"],)
    elif "line_item_id" in body:
        condition, arguments = condition + " AND sourced_id = ?", (body["line_item_id"],)
    count = "SELECT count(*) FROM sis_records WHERE kind = 'result'"
    (results_before,) = connection.execute(count).fetchone()
    query = f"SELECT sourced_id FROM sis_records WHERE {condition}"  # noqa: S608 - made of constants
    gone = [sourced_id for (sourced_id,) in connection.execute(query, arguments).fetchall()]
    for sourced_id in gone:
        service.remove(connection, "lineItem", sourced_id)
    if not body:
        connection.execute("DELETE FROM sis_records WHERE kind = 'result'")
    (results_after,) = connection.execute(count).fetchone()
    return answer({"lineItems": len(gone), "results": results_before - results_after})


def _day(body: dict[str, Any], name: str, default: str) -> str:
    try:
        return date.fromisoformat(body.get(name, default)).isoformat()
    except (TypeError, ValueError):
        raise refused(422, f"{name} is not a date such as 2026-11-22.") from None


def _result(call: Call, line_item_id: str, student_id: str, score: Any) -> dict[str, Any]:
    """A result of a teacher's own; a score of None is an exemption."""
    status = {"scoreStatus": "fully graded", "score": score}
    if score is None:  # 1.1 cannot do without a score
        exempt = SISS[call.sandbox.sis].version != "1.1"
        status = {"scoreStatus": "exempt"} if exempt else {"scoreStatus": "exempt", "score": 0}
    return {
        "sourcedId": str(uuid.uuid4()),
        "status": "active",
        "dateLastModified": service.now(call),
        "lineItem": reference("lineItem", "lineItems", line_item_id),
        "student": reference("user", "users", student_id),
        **status,
        "scoreDate": today(call.sandbox.connection),
    }


def add_assignment(call: Call) -> Answer:
    """POST /control/sis/assignments: a teacher's own line item, with scores, past all rules.

    `class_id` and `title` are needed; `category_id`, `assigned_date`, `due_date` (else today), `points`
    (else 100) and `scores` `{student_id: score, or null for exempt}` are not. Its ids are random.
    """
    body = object_of(call.body)
    known = ("class_id", "title", "category_id", "assigned_date", "due_date", "points", "scores")
    if unknown := set(body) - set(known):
        raise refused(422, f"There is no field {', '.join(sorted(unknown))}.", fields=known)
    connection, sis = call.sandbox.connection, SISS[call.sandbox.sis]
    class_id = body.get("class_id")
    if not isinstance(class_id, str) or not exists(connection, "class", class_id):
        raise refused(404, "The SIS has no such class.")
    if not isinstance(body.get("title"), str) or not isinstance(body.get("scores", {}), dict):
        raise refused(422, "title is a text, scores are {student_id: score}.")
    due = _day(body, "due_date", today(connection))
    assigned = _day(body, "assigned_date", due)
    school = (find(connection, "class", class_id) or {})["school"]
    category = body.get("category_id") or first_category(connection, class_id, due) or ""
    line_item = {
        "sourcedId": str(uuid.uuid4()),
        "status": "active",
        "dateLastModified": service.now(call),
        "title": body["title"],
        "assignDate": f"{assigned}T12:00:00.000Z",
        "dueDate": f"{due}T12:00:00.000Z",
        "class": reference("class", "classes", class_id),
        **({"school": school} if sis.version != "1.1" else {}),
        "category": reference("category", "categories", category),
        "resultValueMin": 0.0,
        "resultValueMax": body.get("points", 100),
    }
    service.write_line_item(connection, line_item)
    results = [
        _result(call, line_item["sourcedId"], student_id, score)
        for student_id, score in body.get("scores", {}).items()
    ]
    for result in results:
        service.write_result(connection, result)
    return answer({"lineItem": line_item, "results": results}, 201)
