from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pytest

from sandbox_process import request

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_process import SandboxProcess

COLLECTIONS = {
    "assessments": 27,
    "scores": 19_158,
    "classes": 5,
    "students": 3_571,
    "staff": 5,
    "group-members": 5,
}
SCORE = "/scores/1755/AAA-2013J/s11391"


@pytest.mark.parametrize(("collection", "total"), COLLECTIONS.items())
def test_a_collection_says_its_total_and_answers_all_of_it(
    seeded: SandboxProcess, collection: str, total: int
) -> None:
    assert seeded.feed(f"/{collection}").json["total"] == total
    assert len(seeded.feed_items(collection)) == total


def test_a_page_holds_500_unless_asked_otherwise(seeded: SandboxProcess) -> None:
    assert len(seeded.feed("/scores").json["items"]) == 500
    assert len(seeded.feed("/scores", limit=7).json["items"]) == 7
    assert len(seeded.feed("/scores", limit=99_999).json["items"]) == 5_000
    assert seeded.feed("/classes", limit=5).json["next"] is None


def test_as_of_stays_that_of_the_first_page(whole_sandbox: SandboxProcess) -> None:
    first = whole_sandbox.feed("/classes", limit=2).json
    whole_sandbox.control("PATCH", SCORE, {"points": 1})
    assert whole_sandbox.feed("/classes", limit=2, cursor=first["next"]).json["as_of"] == first["as_of"]


def test_paging_neither_skips_nor_repeats_while_records_change(whole_sandbox: SandboxProcess) -> None:
    first = whole_sandbox.feed("/classes", limit=2).json
    whole_sandbox.control("DELETE", "/classes/AAA-2013J")
    whole_sandbox.control("PUT", "/classes", {"id": "AAA-0000X", "sis_id": None, "title": "Before the page"})
    whole_sandbox.control("PATCH", "/classes/EEE-2014J", {"title": "Changed"})
    rest = whole_sandbox.feed("/classes", limit=9, cursor=first["next"]).json
    assert [item["id"] for item in first["items"] + rest["items"]] == [
        "AAA-2013J",
        "AAA-2014J",
        "EEE-2013J",
        "EEE-2014B",
        "EEE-2014J",
    ]
    missed = whole_sandbox.feed("/classes", modified_since=first["as_of"]).json["items"]
    assert {item["id"]: item.get("deleted", False) for item in missed} == {
        "AAA-0000X": False,
        "AAA-2013J": True,
        "EEE-2014J": False,
    }


def test_modified_since_is_inclusive_and_tells_of_deleted_records(whole_sandbox: SandboxProcess) -> None:
    before = whole_sandbox.feed("/scores", limit=1).json["as_of"]
    changed = whole_sandbox.control("PATCH", SCORE, {"points": 12.5})
    since = whole_sandbox.feed("/scores", modified_since=changed["modified_at"]).json
    assert since["items"] == [changed]
    assert since["total"] == 19_158
    whole_sandbox.control("DELETE", SCORE)
    (left,) = whole_sandbox.feed("/scores", modified_since=before).json["items"]
    assert left.keys() == {"assessment_id", "class_id", "student_id", "deleted", "modified_at"}
    assert left["modified_at"] > changed["modified_at"]
    page = whole_sandbox.feed("/scores", limit=1).json
    assert page["total"] == 19_157


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/nothing", {}, 404),
        ("/scores", {"limit": 0}, 400),
        ("/scores", {"limit": "many"}, 400),
        ("/scores", {"cursor": "made-up"}, 400),
        ("/scores", {"modified_since": "yesterday"}, 400),
        ("/scores", {"modified_since": "2026-11-22T18:00:00"}, 400),
    ],
)
def test_a_request_the_contract_does_not_know_is_refused(
    seeded: SandboxProcess, path: str, query: dict[str, Any], status: int
) -> None:
    reply = seeded.feed(path, **query)
    assert reply.status == status
    assert reply.json["error"]["message"]


def test_a_cursor_of_another_collection_is_refused(seeded: SandboxProcess) -> None:
    cursor = seeded.feed("/classes", limit=1).json["next"]
    assert seeded.feed("/staff", cursor=cursor).status == 400


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}])
def test_without_its_token_the_feed_says_nothing(seeded: SandboxProcess, header: dict[str, str]) -> None:
    reply = request("GET", f"{seeded.url}/feed/v1/scores", headers=header)
    assert reply.status == 401
    assert "items" not in reply.json


def test_the_csv_form_holds_the_same_lists(whole_sandbox: SandboxProcess, tmp_path: Path) -> None:
    whole_sandbox.control("PATCH", SCORE, {"points": "Late"})
    counts = whole_sandbox.control("POST", "/export-csv", {"folder": str(tmp_path)})["records"]
    assert counts == COLLECTIONS
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(f"{name}.csv" for name in COLLECTIONS)
    for collection in COLLECTIONS:
        with (tmp_path / f"{collection}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        items = whole_sandbox.feed_items(collection)
        texts = [{name: text_of(value) for name, value in item.items()} for item in items]
        assert rows == texts


def text_of(value: Any) -> str:
    if value is None:
        return ""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
