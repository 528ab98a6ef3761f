"""eKadence's feed: the records of the feed under eKadence's own names. README.md has its contract.

eKadence publishes no interface either. It has no passback group and no mark for the final grade; it has a
mark for being published, and a list of every class's categories.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sandbox import feed, seed_feed
from sandbox.exchange import Answer, Call, Route, answer, connection_to, dumps, object_of, refused
from sandbox.store import settings

if TYPE_CHECKING:
    import sqlite3

    from sandbox.seed import Course, SpecialClass, World

# collection → the feed's collection, and the fields by the feed's names
_COLLECTIONS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "activities": (
        "assessments",
        {
            "activity_id": "id",
            "class_id": "class_id",
            "name": "title",
            "category": "type",
            "scoring": "grading_type",
            "points": "points_possible",
            "assigned_by": "assigned_by",
            "assigned": "assigned_at",
            "due": "due_at",
            "published": "published",
            "saved_at": "modified_at",
        },
    ),
    "scores": (
        "scores",
        {
            "activity_id": "assessment_id",
            "class_id": "class_id",
            "student_id": "student_id",
            "state": "status",
            "points": "points",
            "handed_in_at": "submitted_at",
            "scored_at": "graded_at",
            "saved_at": "modified_at",
        },
    ),
    "classes": (
        "classes",
        {"class_id": "id", "sis_class_id": "sis_id", "name": "title", "saved_at": "modified_at"},
    ),
    "students": ("students", {"student_id": "id", "sis_student_id": "sis_id", "saved_at": "modified_at"}),
    "teachers": (
        "staff",
        {"teacher_id": "id", "sis_teacher_id": "sis_id", "role": "role", "saved_at": "modified_at"},
    ),
    "class-categories": (
        "class-categories",
        {"class_id": "class_id", "name": "name", "saved_at": "modified_at"},
    ),
}
# What a score's status is called here.
_STATES: Final = {
    "turned_in": "handed_in",
    "graded": "scored",
    "not_submitted": "assigned",
    "excluded": "excused",
}
_CATEGORIES: Final = ("Homework", "Quizzes", "Tests", "Projects")
_CATEGORY_OF_TYPE: Final = {"Assignment": "Homework", "Quiz": "Quizzes", "Test": "Tests"}


def _shown(names: dict[str, str], text: str) -> str:
    """A stored record under eKadence's names; what is left of a deleted one too."""
    record = json.loads(text)
    deleted = record.get("deleted")
    if "status" in record:
        record["status"] = _STATES.get(record["status"], record["status"])
    if not deleted:
        record.setdefault("published", True)
    found = {name: record[stored] for name, stored in names.items() if stored in record}
    return dumps(found | ({"deleted": True} if deleted else {}))


def list_collection(call: Call) -> Answer:
    """GET /ekadence/v1/{collection}."""
    feed.require_token(call)
    name = call.parameters["collection"]
    if name not in _COLLECTIONS:
        known = ", ".join(_COLLECTIONS)
        raise refused(404, f"There is no such collection; there are {known}.", code="not_found")
    stored, names = _COLLECTIONS[name]
    return feed.page(call, stored, lambda text: _shown(names, text))


# --- Changes, ordered over the control interface ---


def publish(call: Call) -> Answer:
    """PATCH /control/ekadence/activities/{activity_id}/{class_id} {"published": true or false}."""
    published = object_of(call.body).get("published")
    if not isinstance(published, bool):
        raise refused(422, "published is true or false.")
    connection = call.sandbox.connection
    key = f"{call.parameters['activity_id']}/{call.parameters['class_id']}"
    record = feed.find(connection, "assessments", key)
    if record is None:
        raise refused(404, "There is no such activity.")
    changed = feed.store(
        connection, "assessments", record | {"published": published}, call.sandbox.clock.tick()
    )
    return answer(changed)


def add_category(call: Call) -> Answer:
    """PUT /control/ekadence/class-categories/{class_id}/{name}."""
    record = {"class_id": call.parameters["class_id"], "name": call.parameters["name"]}
    return answer(
        feed.store(call.sandbox.connection, "class-categories", record, call.sandbox.clock.tick()), 201
    )


def remove_category(call: Call) -> Answer:
    """DELETE /control/ekadence/class-categories/{class_id}/{name}."""
    connection, key = call.sandbox.connection, f"{call.parameters['class_id']}/{call.parameters['name']}"
    if feed.find(connection, "class-categories", key) is None:
        raise refused(404, "This class has no such category.")
    feed.delete(connection, "class-categories", key, call.sandbox.clock.tick())
    return Answer(204)


# --- What it is for the rest of the sandbox ---


def seed(connection: sqlite3.Connection, world: World) -> None:
    """Fill the feed's empty tables, inside the caller's transaction."""
    records = (
        (collection, record | {"type": _CATEGORY_OF_TYPE.get(record["type"], record["type"])})
        if collection == "assessments"
        else (collection, record)
        for collection, record in seed_feed.feed_records(world)
        if collection != "group-members"
    )
    seed_feed.put(connection, world, records)
    classes: tuple[Course | SpecialClass, ...] = (*world.courses, *world.special_classes)
    categories = ({"class_id": each.class_id, "name": name} for each in classes for name in _CATEGORIES)
    seed_feed.put(connection, world, (("class-categories", record) for record in categories))


def address(call: Call) -> dict[str, Any]:
    """What `GET /control/info` says of it."""
    token = settings(call.sandbox.connection)["feed_token"]
    return {"base_url": f"{call.sandbox.base_url}/ekadence/v1", "token": token}


def connection(call: Call) -> dict[str, Any]:
    """The Airflow connection to it."""
    found = address(call)
    return connection_to(found["base_url"], password=found["token"])


_CATEGORY: Final = "/control/ekadence/class-categories/{class_id}/{name}"

ROUTES: Final = (
    Route("GET", "/ekadence/v1/{collection}", list_collection, "feed"),
    Route("PATCH", "/control/ekadence/activities/{activity_id}/{class_id}", publish, "control"),
    Route("PUT", _CATEGORY, add_category, "control"),
    Route("DELETE", _CATEGORY, remove_category, "control"),
)
