"""eKadence hands over the feed contract under its own names."""

from __future__ import annotations

import asyncio
import csv
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from passback.connections import Endpoint
from passback.errors import ContractError
from passback.records import ASSESSMENTS
from passback.sources import SOURCES, probe, pull
from passback.sources.ekadence import FEED
from passback.sources.feed import OVERLAP
from sandbox_process import request, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

    from passback.sources.pulled import Pull
    from sandbox_process import SandboxProcess

EKADENCE = SOURCES["ekadence"]


@pytest.fixture(scope="module")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("ekadence"), lms="ekadence", modules="AAA") as process:
        yield process


@pytest.fixture
def endpoint(sandbox: SandboxProcess) -> Endpoint:
    made = sandbox.info()["connections"]["source"]
    return Endpoint("eastmoor_ekadence", sandbox.url, "", made["password"], made["extra"])


def read(endpoint: Endpoint, pages: ObjectStoragePath, since: datetime | None = None) -> Pull:
    return asyncio.run(
        pull(EKADENCE, endpoint, pages, since=since, known=ASSESSMENTS.empty(), say=lambda _: None)
    )


def test_everything_is_read_under_the_contracts_names(endpoint: Endpoint, pages: ObjectStoragePath) -> None:
    got = read(endpoint, pages)
    assert {name: len(data) for name, data in got.frames.items()} == {**got.totals, "memberships": 0}
    assert got.totals["scores"] == 4488
    assessments, scores = got.frames["assessments"], got.frames["scores"]
    assert set(assessments["type"]) == {"Homework", "Tests"}
    assert assessments["include_in_final_grade"].all()
    assert assessments["published"].all()
    assert set(scores["status"]) == {"graded", "turned_in", "not_submitted", "excused"}
    assert scores["points_text"].eq("").all()


def test_only_what_changed_since_is_read_again(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath
) -> None:
    first = read(endpoint, pages)
    sandbox.control("PATCH", "/scores/1755/AAA-2013J/s11391", {"points": 42})
    sandbox.control("DELETE", "/assessments/1752/AAA-2013J")
    got = read(endpoint, pages, since=first.as_of + OVERLAP)
    assert got.frames["scores"][["student_id", "points"]].to_numpy().tolist() == [["s11391", 42.0]]
    assert got.deleted["assessments"].to_numpy().tolist() == [["1752", "AAA-2013J"]]
    assert got.changes == {"assessments", "scores"}


def test_a_wrong_field_is_told_by_its_own_name(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath
) -> None:
    sandbox.control("PATCH", "/assessments/1755/AAA-2013J", {"due_at": "2026-02-30T10:00:00Z"})
    with pytest.raises(ContractError, match="activities, field due: 1 records"):
        read(endpoint, pages)


def test_a_probe_counts_its_own_collections(endpoint: Endpoint) -> None:
    assert asyncio.run(probe(EKADENCE, endpoint)) == {
        "activities": 12,
        "scores": 4488,
        "classes": 2,
        "students": 712,
        "teachers": 2,
    }


def test_files_hold_the_same_as_the_feed(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath, tmp_path: Path
) -> None:
    over_http = read(endpoint, pages)
    folder = tmp_path / "files"
    folder.mkdir()
    for collection in FEED.collections:
        items = listed(sandbox, endpoint, collection.name)
        with (folder / f"{collection.name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(items[0]))
            writer.writeheader()
            writer.writerows(
                {
                    name: str(value).lower() if isinstance(value, bool) else value
                    for name, value in row.items()
                }
                for row in items
            )
    from_files = read(Endpoint("files", folder.as_uri(), "", "", {}), pages)
    for name, data in over_http.frames.items():
        keys = list(data.columns)
        pd.testing.assert_frame_equal(
            data.sort_values(keys, ignore_index=True),
            from_files.frames[name].sort_values(keys, ignore_index=True),
        )


def listed(sandbox: SandboxProcess, endpoint: Endpoint, collection: str) -> list[dict[str, object]]:
    """The records of a collection as the sandbox answers them."""
    items: list[dict[str, object]] = []
    cursor = ""
    while True:
        query = f"?limit=5000&cursor={cursor}" if cursor else "?limit=5000"
        address = f"{sandbox.url}/ekadence/v1/{collection}{query}"
        answer = request("GET", address, headers={"Authorization": f"Bearer {endpoint.secret}"}).json
        items += answer["items"]
        cursor = answer["next"]
        if not cursor:
            return items
