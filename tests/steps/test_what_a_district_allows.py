"""What is done in the SIS only where the mapping file allows it: taking over, clearing, new categories."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from faults.world import day
from passback import ledger
from passback.sis import profile_of
from steps.generic import SIS_CLASS, TITLE, SmallDistrict, sis_id, small_district, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox_process import SandboxProcess

SIS_CLASSES = {"generic": SIS_CLASS, "skyward": "1001.0.01"}


@pytest.fixture(scope="module", params=["generic", pytest.param("skyward", marks=pytest.mark.slow)])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, SandboxProcess]]:
    with start(tmp_path_factory.mktemp(request.param), sis=request.param) as process:
        process.control("POST", "/snapshot")
        yield request.param, process


@pytest.fixture
def district(
    running: tuple[str, SandboxProcess], ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SmallDistrict:
    system, sandbox = running
    sandbox.control("POST", "/restore")
    return small_district(sandbox, ledger_url, tmp_path, monkeypatch, system=system)


def system_of(district: SmallDistrict) -> str:
    system: str = district.mapping["sis"]["system"]
    return system


def trail(district: SmallDistrict, kind: str) -> list[tuple[Any, Any]]:
    """From which value to which, in order."""
    with closing(ledger.connect(district.ledger_url)) as connection, connection.cursor() as cursor:
        assert ledger.verify_trail(connection, "lakeview") is None
        cursor.execute(
            "SELECT from_value, to_value FROM passback.trail WHERE kind = %s ORDER BY seq", (kind,)
        )
        return cursor.fetchall()


# --- Taking over ---


def put_theirs(district: SmallDistrict) -> dict[str, Any]:
    """A teacher's own assignment where ours belongs, with another category and two scores."""
    found: dict[str, Any] = district.sandbox.control(
        "POST",
        "/sis/assignments",
        {
            "class_id": SIS_CLASSES[system_of(district)],
            "title": TITLE,
            "category_id": "305",
            "due_date": day(160).isoformat(),
            "scores": {sis_id("3"): 11, sis_id("1"): 12},
        },
    )["lineItem"]
    return found


def test_a_foreign_assignment_is_a_duplicate_unless_it_may_be_taken_over(district: SmallDistrict) -> None:
    theirs = put_theirs(district)
    report = district.one_class()
    assert report["reasons"]["sis.duplicate"]["scores"] > 0
    assert district.scores()[TITLE, sis_id("3")] == 11
    district.says(adopt=True)
    report = district.one_class()
    assert "sis.duplicate" not in report["reasons"]
    assert report["outcomes"]["failed"] == 0
    scores = district.scores()
    assert scores[TITLE, sis_id("3")] != 11
    item = district.line_item()
    assert (item["sourcedId"], item["category"]["sourcedId"]) == (theirs["sourcedId"], "305")
    assert [row["kind"] for row in report["for_a_person"]] == ["taken_over_in_sis"]
    assert district.one_class()["written"] == {"line_items": 0, "results": 0}
    district.rename("Renamed")
    assert district.one_class()["outcomes"]["failed"] == 0
    assert district.line_item("Renamed")["category"]["sourcedId"] == "305"


def test_of_two_foreign_ones_none_is_taken_over(district: SmallDistrict) -> None:
    district.says(adopt=True)
    put_theirs(district)
    put_theirs(district)
    before = len(district.sandbox.dump()["lineItems"])
    report = district.one_class()
    assert report["reasons"]["sis.duplicate"]["scores"] > 0
    titles = [item["title"] for item in district.sandbox.dump()["lineItems"]]
    assert titles.count(TITLE) == 2 == before


# --- Clearing ---


@pytest.mark.parametrize(
    "deletes", ["delete", *(pytest.param(way, marks=pytest.mark.slow) for way in ("tobedeleted", "no"))]
)
def test_a_score_that_is_taken_back_is_cleared_where_the_district_wants_it_and_comes_again(
    district: SmallDistrict, monkeypatch: pytest.MonkeyPatch, deletes: str
) -> None:
    if not profile_of(system_of(district)).clears_scores:
        pytest.skip("its profile says that it clears none")
    district.sandbox.control("PATCH", "/settings", {"deletes": deletes})
    offered = district.sandbox.info()["connections"]["sis"]
    monkeypatch.setenv("AIRFLOW_CONN_SMALL_SIS", json.dumps(offered))
    district.one_class()
    assert district.scores()[TITLE, sis_id("3")] == 56
    district.grade("3", None)
    assert district.one_class()["written"]["results"] == 0
    assert district.scores()[TITLE, sis_id("3")] == 56

    district.says(removed_scores="clear")
    report = district.one_class()
    assert report["outcomes"]["failed"] == 0
    assert [(row["kind"], row["scores"]) for row in report["for_a_person"]] == [("cleared_in_sis", 1)]
    assert district.scores().get((TITLE, sis_id("3"))) is None
    assert [(row[0]["score"], row[1]) for row in trail(district, "result") if row[0]] == [(56, None)]
    assert district.one_class()["written"] == {"line_items": 0, "results": 0}

    district.grade("3", 71)
    assert district.one_class()["outcomes"]["sent"] == 1
    assert district.scores()[TITLE, sis_id("3")] == 71


# --- New categories ---


@pytest.mark.parametrize("taken", [True, False])
def test_a_category_that_the_sis_lacks_is_created_before_what_needs_it(
    district: SmallDistrict, *, taken: bool
) -> None:
    if system_of(district) == "skyward":
        pytest.skip("its profile says that it takes none")
    district.sandbox.control("PATCH", "/settings", {"takes_categories": taken})
    district.mapping["categories"] |= {"Assignment": "Homework 2026"}
    district.says(create_categories=True)
    report = district.one_class()
    writes = [(row["method"], row["kind"], row["status"] < 300) for row in district.sandbox.writes()]
    assert writes[0] == ("PUT", "category", taken)
    if not taken:
        assert report["reasons"]["sis.line_item_refused"]["scores"] > 0
        assert not trail(district, "category")
        return
    assert report["outcomes"]["failed"] == 0
    assert trail(district, "category") == [(None, {"title": "Homework 2026"})]
    told = [(row["kind"], row["assessment_title"]) for row in report["for_a_person"]]
    assert told == [("category_created", "Homework 2026")]
    district.rename("Renamed")
    assert district.one_class()["outcomes"]["failed"] == 0
    kinds = [row["kind"] for row in district.sandbox.writes()]
    assert kinds.count("category") == 1
