"""Back and forth in time, whole sequences in one request, and what happens behind a client's back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from sandbox_process import request
from sandbox_records import CLASS, OTHER_CLASS, STUDENT, line_item, result

if TYPE_CHECKING:
    from sandbox_process import Reply, SandboxProcess


def ids(sandbox: SandboxProcess, kind: str) -> set[str]:
    return {record["sourcedId"] for record in sandbox.dump()[kind]}


def control(sandbox: SandboxProcess, path: str, body: Any = None) -> Reply:
    return request("POST", f"{sandbox.url}/control{path}", body)


# --- Snapshots ---


def test_a_restored_state_is_the_one_of_the_snapshot(sandbox: SandboxProcess) -> None:
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    sandbox.control("PATCH", "/settings", {"drops_metadata": True})
    before = (sandbox.dump(), sandbox.writes(), sandbox.feed_items("scores"))
    asked = sandbox.requests()
    sandbox.control("POST", "/snapshot")
    sandbox.sis("PUT", "/lineItems/li-2", line_item(sandbox, "li-2"))
    sandbox.control("PATCH", "/scores/1755/AAA-2013J/s11391", {"points": 60})
    sandbox.control("PATCH", "/settings", {"drops_metadata": False})
    sandbox.fault("sis", "drop")
    sandbox.control("POST", "/restore")
    assert sandbox.requests() == asked
    assert (sandbox.dump(), sandbox.writes(), sandbox.feed_items("scores")) == before
    assert sandbox.info()["sis"]["settings"]["drops_metadata"] is True
    assert sandbox.control("GET", "/faults")["faults"] == []


def test_a_token_given_since_the_snapshot_goes_on_working(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "/snapshot")
    token = sandbox.new_token().json["access_token"]
    sandbox.control("POST", "/restore")
    assert sandbox.sis("GET", "/categories", token=token).status == 200


def test_what_changes_after_a_restore_is_later_than_what_was_undone(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "/snapshot")
    undone = sandbox.control("PATCH", "/scores/1755/AAA-2013J/s11391", {"points": 60})
    sandbox.control("POST", "/restore")
    again = sandbox.control("PATCH", "/scores/1755/AAA-2013J/s11391", {"points": 61})
    assert again["modified_at"] > undone["modified_at"]


def test_snapshots_have_names_and_can_be_restored_again_and_again(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "/snapshot", {"name": "empty"})
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    sandbox.control("POST", "/snapshot", {"name": "one"})
    for _ in range(2):
        sandbox.control("POST", "/restore", {"name": "empty"})
        assert ids(sandbox, "lineItems") == set()
        sandbox.control("POST", "/restore", {"name": "one"})
        assert ids(sandbox, "lineItems") == {"li-1"}
    assert control(sandbox, "/restore", {"name": "two"}).status == 404


def test_a_restored_state_survives_a_kill(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "/snapshot")
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    sandbox.control("POST", "/restore")
    sandbox.kill()
    sandbox.restart()
    assert ids(sandbox, "lineItems") == set()
    assert len(sandbox.feed_items("classes")) == 2


def test_a_restore_is_quick(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "/snapshot")
    took = []
    for _ in range(5):
        began = time.perf_counter()
        sandbox.control("POST", "/restore")
        took.append(time.perf_counter() - began)
    assert min(took) < 0.05


# --- Sequences ---


def test_a_batch_is_done_in_order(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "/snapshot", {"name": "seeded"})
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    calls = [
        {"method": "POST", "path": "/restore", "body": {"name": "seeded"}},
        {"method": "PATCH", "path": "/scores/1755/AAA-2013J/s11391", "body": {"points": 12}},
        {"method": "PUT", "path": "/sis/categories/309", "body": {"title": "Essay"}},
        {"method": "POST", "path": "/faults", "body": {"side": "sis", "kind": "drop", "times": 1}},
        {"method": "GET", "path": "/writes?after=0"},
    ]
    answers = sandbox.control("POST", "/batch", {"calls": calls})["answers"]
    assert [answer["status"] for answer in answers] == [200, 200, 200, 201, 200]
    assert answers[1]["body"]["points"] == 12
    assert answers[4]["body"] == {"writes": []}
    assert ids(sandbox, "lineItems") == set()


def test_a_batch_ends_at_the_first_refusal(sandbox: SandboxProcess) -> None:
    calls = [
        {"method": "PUT", "path": "/sis/categories/309", "body": {"title": "Essay"}},
        {"method": "DELETE", "path": "/sis/lineItems/none"},
        {"method": "PUT", "path": "/sis/categories/310", "body": {"title": "Never"}},
    ]
    reply = control(sandbox, "/batch", {"calls": calls})
    assert reply.status == 404
    assert [answer["status"] for answer in reply.json["answers"]] == [200, 404]
    assert sandbox.sis("GET", "/categories/309").status == 200
    assert sandbox.sis("GET", "/categories/310").status == 404


@pytest.mark.parametrize("calls", [None, [1], [{"method": "GET"}], [{"path": "/health", "header": "x"}]])
def test_a_batch_that_is_none_is_refused_before_anything_is_done(sandbox: SandboxProcess, calls: Any) -> None:
    assert control(sandbox, "/batch", {"calls": calls}).status == 422


# --- What a SIS forgets, and what a teacher adds ---


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ({}, set()),
        ({"class_id": CLASS}, {"other"}),
        ({"line_item_id": "li-1"}, {"li-2", "other"}),
        ({"line_item_id": "none"}, {"li-1", "li-2", "other"}),
    ],
    ids=["all", "one_class", "one_line_item", "none"],
)
def test_a_sis_forgets_line_items_with_their_results(
    sandbox: SandboxProcess, body: dict[str, str], kept: set[str]
) -> None:
    other = {"class": {"href": "/c", "sourcedId": OTHER_CLASS, "type": "class"}}
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox, "li-1"))
    sandbox.sis("PUT", "/lineItems/li-2", line_item(sandbox, "li-2"))
    sandbox.sis("PUT", "/lineItems/other", line_item(sandbox, "other", **other))
    sandbox.sis("PUT", "/results/r-1", result())
    forgotten = sandbox.control("POST", "/sis/forget", body)
    assert ids(sandbox, "lineItems") == kept
    assert ids(sandbox, "results") == ({"r-1"} if "li-1" in kept else set())
    assert forgotten == {"lineItems": 3 - len(kept), "results": 0 if "li-1" in kept else 1}


def test_a_teacher_adds_an_assignment_with_scores(sandbox: SandboxProcess) -> None:
    order = {
        "class_id": CLASS,
        "title": "Mine",
        "due_date": "2026-03-02",
        "points": 20,
        "category_id": "307",
        "scores": {STUDENT: 17.5, "90028400": None},
    }
    added = sandbox.control("POST", "/sis/assignments", order)
    (item,) = sandbox.sis("GET", f"/classes/{CLASS}/lineItems").json["lineItems"]
    assert item["sourcedId"] == added["lineItem"]["sourcedId"]
    assert (item["title"], item["dueDate"], item["resultValueMax"]) == (
        "Mine",
        "2026-03-02T12:00:00.000Z",
        20,
    )
    found = sandbox.sis("GET", f"/classes/{CLASS}/lineItems/{item['sourcedId']}/results").json["results"]
    assert {each["student"]["sourcedId"]: (each["scoreStatus"], each["score"]) for each in found} == {
        STUDENT: ("fully graded", 17.5),
        "90028400": ("exempt", 0),
    }


@pytest.mark.parametrize(
    ("change", "status"),
    [({"class_id": "none"}, 404), ({"due_date": "soon"}, 422), ({"titel": "x"}, 422), ({"scores": []}, 422)],
)
def test_an_assignment_that_cannot_be_is_refused(
    sandbox: SandboxProcess, change: dict[str, Any], status: int
) -> None:
    body = {"class_id": CLASS, "title": "Mine"} | change
    assert control(sandbox, "/sis/assignments", body).status == status
    assert ids(sandbox, "lineItems") == set()
