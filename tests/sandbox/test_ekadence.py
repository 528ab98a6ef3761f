from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from sandbox_process import Reply, SandboxProcess, request, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

SCORE = "/scores/1755/AAA-2013J/s11391"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(
        tmp_path_factory.mktemp("ekadence"), lms="ekadence", sis="aeries", modules="AAA"
    ) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: SandboxProcess) -> Iterator[SandboxProcess]:
    """A platform to change; afterwards it is as before."""
    yield running
    running.reset()


def ask(sandbox: SandboxProcess, path: str, query: str = "") -> Reply:
    lms = sandbox.info()["lms"]
    return request(
        "GET", f"{lms['base_url']}{path}{query}", headers={"Authorization": f"Bearer {lms['token']}"}
    )


def everything(sandbox: SandboxProcess, collection: str, query: str = "") -> list[dict[str, Any]]:
    page = ask(sandbox, f"/{collection}", f"?limit=700{query}").json
    items: list[dict[str, Any]] = page["items"]
    while page["next"]:
        page = ask(sandbox, f"/{collection}", f"?limit=700&cursor={page['next']}").json
        items += page["items"]
    return items


def test_the_connection_of_info_reaches_it(running: SandboxProcess) -> None:
    info = running.info()
    source = info["connections"]["source"]
    assert info["lms"]["system"] == "ekadence"
    assert (source["password"], source["extra"]["base_path"]) == (info["lms"]["token"], "/ekadence/v1")
    assert request("GET", f"{info['lms']['base_url']}/activities").status == 401
    assert ask(running, "/group-members").status == 404
    assert ask(running, "/assessments").status == 404


@pytest.mark.parametrize(
    ("collection", "total", "fields"),
    [
        (
            "activities",
            12 + 4,
            "activity_id class_id name category scoring points assigned_by assigned due published saved_at",
        ),
        (
            "scores",
            383 * 6 + 365 * 6 + 4 * 5,
            "activity_id class_id student_id state points handed_in_at scored_at saved_at",
        ),
        ("classes", 2 + 4, "class_id sis_class_id name saved_at"),
        ("students", 712, "student_id sis_student_id saved_at"),
        ("teachers", 2 + 4, "teacher_id sis_teacher_id role saved_at"),
        ("class-categories", (2 + 4) * 4, "class_id name saved_at"),
    ],
)
def test_a_collection_has_its_own_names(
    running: SandboxProcess, collection: str, total: int, fields: str
) -> None:
    items = everything(running, collection)
    assert {tuple(item) for item in items} == {tuple(fields.split())}
    assert ask(running, f"/{collection}").json["total"] == len(items) == total


def test_it_shows_the_records_of_the_feed(running: SandboxProcess) -> None:
    activities = {item["activity_id"]: item for item in everything(running, "activities")}
    stored = running.control("GET", "/assessments/1755/AAA-2013J")
    assert activities["1755"] == {
        "activity_id": "1755",
        "class_id": "AAA-2013J",
        "name": stored["title"],
        "category": "Homework",
        "scoring": "points",
        "points": 100,
        "assigned_by": "t1",
        "assigned": stored["assigned_at"],
        "due": stored["due_at"],
        "published": True,
        "saved_at": stored["modified_at"],
    }
    states = Counter(item["state"] for item in everything(running, "scores") if item["activity_id"] == "1761")
    assert states == {"scored": 278, "assigned": 85, "excused": 2}


def test_categories_are_names_near_those_of_the_sis(running: SandboxProcess) -> None:
    by_class: dict[str, set[str]] = {}
    for item in everything(running, "class-categories"):
        by_class.setdefault(item["class_id"], set()).add(item["name"])
    assert len(by_class) == 6
    assert all(names == {"Homework", "Quizzes", "Tests", "Projects"} for names in by_class.values())
    used = {item["category"] for item in everything(running, "activities")}
    assert used == {"Homework", "Tests"}


def test_the_classes_that_aeries_cannot_take_have_one_activity_each(running: SandboxProcess) -> None:
    classes = {item["class_id"]: item["sis_class_id"] for item in everything(running, "classes")}
    special = {class_id: sis_id for class_id, sis_id in classes.items() if not class_id.startswith("AAA")}
    assert set(special.values()) == {"990_TN_421", "991_2101", "994_300101", "994_300201"}
    activities = [item for item in everything(running, "activities") if item["class_id"] in special]
    assert {item["class_id"] for item in activities} == set(special)
    assert {(item["category"], item["points"]) for item in activities} == {("Homework", 10)}
    scores = [item for item in everything(running, "scores") if item["class_id"] in special]
    assert (len(scores), {(item["state"], item["points"]) for item in scores}) == (20, {("scored", 8)})


def test_a_change_of_the_feed_shows_under_its_own_names(sandbox: SandboxProcess) -> None:
    as_of = ask(sandbox, "/scores", "?limit=1").json["as_of"]
    changed = sandbox.control("PATCH", SCORE, {"points": 12.5, "status": "turned_in"})
    sandbox.control("DELETE", "/scores/1754/AAA-2013J/s11391")
    removed, item = everything(sandbox, "scores", f"&modified_since={as_of}")
    assert (item["points"], item["state"], item["saved_at"]) == (12.5, "handed_in", changed["modified_at"])
    assert removed.keys() == {"activity_id", "class_id", "student_id", "saved_at", "deleted"}
    assert (removed["activity_id"], removed["deleted"]) == ("1754", True)


def test_an_activity_stays_unpublished_while_other_things_of_it_change(sandbox: SandboxProcess) -> None:
    path = "/ekadence/activities/1755/AAA-2013J"
    sandbox.control("PATCH", path, {"published": False})
    sandbox.control("PATCH", "/assessments/1755/AAA-2013J", {"title": "Renamed"})
    found = [item for item in everything(sandbox, "activities") if item["activity_id"] == "1755"]
    assert [(item["published"], item["name"]) for item in found] == [(False, "Renamed")]
    wrong = request("PATCH", f"{sandbox.url}/control{path}", {"published": "no"})
    assert wrong.status == 422
    assert (
        request("PATCH", f"{sandbox.url}/control/ekadence/activities/1/x", {"published": True}).status == 404
    )


def test_a_category_comes_and_goes(sandbox: SandboxProcess) -> None:
    path = "/ekadence/class-categories/AAA-2013J/Labs"
    as_of = ask(sandbox, "/class-categories").json["as_of"]
    sandbox.control("PUT", path)
    assert {"AAA-2013J"} == {
        item["class_id"] for item in everything(sandbox, "class-categories") if item["name"] == "Labs"
    }
    sandbox.control("DELETE", path)
    (gone,) = everything(sandbox, "class-categories", f"&modified_since={as_of}")
    assert (gone["name"], gone["deleted"]) == ("Labs", True)
    assert request("DELETE", f"{sandbox.url}/control{path}").status == 404
