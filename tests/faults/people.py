"""What people do between nights: in the source, and in the SIS's gradebook by hand."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import psycopg2

from faults.held import student
from faults.transports import ZONE
from faults.world import CLASSES, day

if TYPE_CHECKING:
    from faults.under_way import Play

FOREIGN: Final = "foreign-"  # with which the ids of what teachers put there begin


# --- In the source ---


def change(play: Play, change: dict[str, Any]) -> None:
    """Change something in the source."""
    key = change["assessment"]
    before = play.source.assessments.get(key)
    if not play.source.change(change):
        return
    found = play.source.assessments.get(key) or before
    assert found is not None
    place = f"{key}/{found.class_id}"
    match change["do"]:
        case "assess":
            body = {
                "id": key,
                "class_id": found.class_id,
                "title": found.title,
                "type": found.kind,
                "assigned_at": _at(found.assigned_day, "08:00"),
                "due_at": _at(found.due_day, "23:59"),
                "students": [f"s{student}" for student in CLASSES[found.class_id]],
            }
            play.sandbox.control("PUT", "/assessments", body)
        case "score":
            score = play.source.scores[key, change["student"]]
            graded = _at(score.day, "12:00") if score.day is not None else None
            body = {
                "status": score.status,
                "points": score.points,
                "submitted_at": graded,
                "graded_at": graded,
            }
            play.sandbox.control("PATCH", f"/scores/{place}/s{change['student']}", body)
        case "remove-score":
            play.sandbox.control("DELETE", f"/scores/{place}/s{change['student']}")
        case "remove":
            play.sandbox.control("DELETE", f"/assessments/{place}")
        case "title" | "due" | "points":
            fields = {
                "title": {"title": found.title},
                "due": {"due_at": _at(found.due_day, "23:59")},
                "points": {"points_possible": found.points_possible},
            }
            play.sandbox.control("PATCH", f"/assessments/{place}", fields[change["do"]])


def _at(number: int, clock: str) -> str:
    hour, minute = map(int, clock.split(":"))
    moment = datetime(*day(number).timetuple()[:3], hour, minute, tzinfo=ZoneInfo(ZONE))
    return moment.astimezone(ZoneInfo("UTC")).isoformat().replace("+00:00", "Z")


# --- In the SIS ---


def edit(play: Play, edit: dict[str, Any]) -> None:
    """Edit the SIS's gradebook by hand; nothing where it does not hold what is edited."""
    if edit["do"] == "twin":
        _put_twin(play, edit)
        return
    dump = play.dump()
    for record, key in play.line_items(dump):
        if edit.get("assessment", key) != key:
            continue
        path = f"/sis/lineItems/{record['sourcedId']}"
        match edit["do"]:
            case "forget" | "delete":
                play.sandbox.control("DELETE", path)
                play.touched.add(key)
                play.categories.pop(key, None)
                play.lost |= {key} & _in_sis(play)
            case "category":
                category = {
                    "sourcedId": play.transport.categories[edit["category"]],
                    "type": "category",
                    "href": "",
                }
                play.sandbox.control("PUT", path, {"category": category})
                play.categories[key] = edit["category"]
            case "score":
                for result in dump["results"]:
                    of_it = result["lineItem"]["sourcedId"] == record["sourcedId"]
                    if of_it and student(result) == edit["student"]:
                        play.sandbox.control(
                            "PUT", f"/sis/results/{result['sourcedId']}", {"score": edit["points"]}
                        )
                        play.touched.add(key)


def _in_sis(play: Play) -> set[str]:
    """The assessments whose line item the SIS holds, by the ledger's account."""
    with closing(psycopg2.connect(play.ledger_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT assessment_id FROM passback.line_items WHERE in_sis IS NOT NULL")
        return {key for (key,) in cursor}


def _put_twin(play: Play, edit: dict[str, Any]) -> None:
    """A teacher's own assignment of the title and due date of one that was never sent, with a score."""
    key = edit["assessment"]
    item = play.expected().line_items.get(key)
    if not play.transport.adopts or item is None or f"{FOREIGN}{key}" in play.foreign:
        return
    with closing(psycopg2.connect(play.ledger_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM passback.line_items WHERE assessment_id = %s", (key,))
        ((sent,),) = cursor.fetchall()
    if sent:
        return
    put_foreign(
        play, f"{FOREIGN}{key}", item.class_id, item.title, edit["category"], item.due, edit["student"]
    )
    play.twins[f"{FOREIGN}{key}"] = key
    play.touched.add(key)


def put_foreign(
    play: Play, sourced_id: str, class_id: str, title: str, category: str, due: str, student: str
) -> None:
    """A teacher's own assignment in the SIS, with one student's result."""
    line_item = {
        "title": title,
        "class": {"sourcedId": play.transport.classes[class_id], "type": "class", "href": ""},
        "category": {"sourcedId": play.transport.categories[category], "type": "category", "href": ""},
        "assignDate": f"{day(150)}T12:00:00.000Z",
        "dueDate": f"{due}T12:00:00.000Z",
        "resultValueMin": 0.0,
        "resultValueMax": 10.0,
    }
    result = {
        "lineItem": {"sourcedId": sourced_id, "type": "lineItem", "href": ""},
        "student": {"sourcedId": f"9{student:0>7}", "type": "user", "href": ""},
        "score": 7.0,
        "scoreStatus": "fully graded",
        "scoreDate": due,
    }
    play.sandbox.control("PUT", f"/sis/lineItems/{sourced_id}", line_item)
    play.sandbox.control("PUT", f"/sis/results/{sourced_id}-result", result)
    dump = play.sandbox.dump()
    put = (sourced_id, f"{sourced_id}-result")
    play.foreign |= {
        each["sourcedId"]: each for each in dump["lineItems"] + dump["results"] if each["sourcedId"] in put
    }
