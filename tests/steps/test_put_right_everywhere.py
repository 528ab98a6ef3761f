"""Hand edits, reconcile and undo where the SIS allots ids, and over Aeries' own interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from steps.afterwards import drift_of, last, policy, score_by_hand, trail_holds, undo
from steps.generic import TITLE, SmallDistrict, sis_id, small_district, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox_process import SandboxProcess

BY_NAME = {
    "Assignment": "Assignment",
    "Checklist": "Classwork",
    "Homework": "Homework",
    "Journal": "Project",
    "Lab": "Lab",
    "Observation": "Observation",
    "Paper": "Project",
    "Presentation": "Project",
    "Project": "Project",
    "Quiz": "Quiz",
    "Test": "Test",
    "Worksheet": "Classwork",
}
BY_HAND = 12


@pytest.fixture(scope="module")
def generic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start(tmp_path_factory.mktemp("generic"), sis="generic") as process:
        process.control("POST", "/snapshot")
        yield process


@pytest.fixture(scope="module")
def aeries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start(tmp_path_factory.mktemp("aeries"), sis="aeries") as process:
        process.control("POST", "/snapshot")
        yield process


@pytest.fixture
def allotting(
    generic: SandboxProcess,
    ledger_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> SmallDistrict:
    generic.control("POST", "/restore")
    generic.control(
        "PATCH", "/settings", {"writes": request.param, "drops_metadata": request.param == "post"}
    )
    return small_district(generic, ledger_url, tmp_path, monkeypatch)


@pytest.fixture
def native(
    aeries: SandboxProcess, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SmallDistrict:
    aeries.control("POST", "/restore")
    return small_district(
        aeries, ledger_url, tmp_path, monkeypatch, system="aeries", categories=BY_NAME, transport="native"
    )


def put_right(district: SmallDistrict) -> None:
    """A teacher's score is kept, then overwritten; what runs did is undone beside it, and that as well."""
    district.one_class()
    before = district.scores()
    district.grade("3", 71)
    district.one_class()
    changed = last(district)
    score_by_hand(district, "4", BY_HAND)
    policy(district, scores="keep")
    report = district.one_class(mode="reconcile")
    assert drift_of(district, report) == [("result", "changed_in_sis", "s4", "kept")]
    undone = undo(district, changed)
    assert undone.fates() == {"put_back": 1}
    theirs = {(TITLE, sis_id("4")): BY_HAND}
    assert district.scores() == before | theirs

    report = district.one_class(mode="full")
    assert [report["reasons"][code]["scores"] for code in ("sis.kept_theirs", "run.undone")] == [1, 1]
    assert report["outcomes"]["failed"] == 0
    assert district.scores() == before | theirs

    policy(district, scores="overwrite")
    report = district.one_class(mode="reconcile")
    assert drift_of(district, report) == [("result", "changed_in_sis", "s4", "sent again")]
    overwritten = last(district)
    assert district.scores() == before
    assert undo(district, overwritten).fates() == {"put_back": 1}
    assert district.scores() == before | theirs
    assert undo(district, undone.key).fates() == {"put_back": 1}
    assert district.scores() == before | theirs | {(TITLE, sis_id("3")): 71}
    assert trail_holds(district)


@pytest.mark.parametrize(
    "allotting", ["post", pytest.param("put_without_id", marks=pytest.mark.slow)], indirect=True
)
def test_under_allotted_ids_scores_are_kept_overwritten_and_put_back(allotting: SmallDistrict) -> None:
    put_right(allotting)


@pytest.mark.slow
def test_in_aeries_scores_are_kept_overwritten_and_put_back(native: SmallDistrict) -> None:
    put_right(native)


def test_what_aeries_does_not_let_go_of_is_listed_and_stays_ours(native: SmallDistrict) -> None:
    native.one_class()
    all_of_it, titles = native.scores(), {title for title, _ in native.scores()}
    undone = undo(native, last(native))
    assert undone.fates() == {"not_possible": len(all_of_it)}
    assert undone.why("not_possible") == {"the SIS lets nobody take a score out"}
    assert undone.fates("line_items") == {"left": len(titles)}
    assert native.scores() == all_of_it
    report = native.one_class()
    assert report["outcomes"]["failed"] == report["outcomes"]["cancelled"] == 0
    assert native.scores() == all_of_it
    assert native.one_class(mode="reconcile")["drift"]["entries"] == 0
    assert trail_holds(native)


@pytest.mark.slow
def test_in_aeries_a_teachers_title_and_category_are_kept_or_overwritten_and_ours_goes_back(
    native: SmallDistrict,
) -> None:
    native.one_class()
    native.rename("Renamed")
    native.one_class()
    assert undo(native, last(native)).fates("line_items") == {"put_back": 1}
    edit_in_aeries(native, Description="Essay, second try", AssignmentCategoryCode="Q")
    report = native.one_class(mode="reconcile")
    assert drift_of(native, report) == [("line item", "changed_in_sis", "", "kept")]
    native.sandbox.control("PATCH", "/assessments/101/AAA-2013J", {"points_possible": 90})
    assert native.one_class()["outcomes"]["failed"] == 0
    found = in_aeries(native, "Essay, second try")
    assert (found["AssignmentCategory"]["Code"], found["PointsPossible"]) == ("Q", 90)

    policy(native, assignments="overwrite")
    report = native.one_class(mode="reconcile")
    assert drift_of(native, report) == [("line item", "changed_in_sis", "", "sent again")]
    assert report["outcomes"]["failed"] == 0
    assert in_aeries(native, "Renamed")["AssignmentCategory"]["Description"] == "Assignment"


def in_aeries(native: SmallDistrict, title: str) -> dict[str, Any]:
    years = native.sandbox.control("GET", "/native")["years"]
    (found,) = [each for each in years[max(years)]["assignments"] if each["Description"] == title]
    return dict(found)


def edit_in_aeries(native: SmallDistrict, **fields: Any) -> None:
    unique_id = in_aeries(native, TITLE)["UniqueID"]
    native.sandbox.control("PATCH", f"/native/assignments/{unique_id}", fields)


@pytest.mark.slow
@pytest.mark.parametrize("allotting", ["post"], indirect=True)
def test_under_allotted_ids_what_somebody_made_or_removed_is_told(allotting: SmallDistrict) -> None:
    allotting.one_class()
    results: list[dict[str, Any]] = allotting.sandbox.dump()["results"]
    item = allotting.line_item()["sourcedId"]
    removed = next(row for row in results if row["lineItem"]["sourcedId"] == item)["sourcedId"]
    allotting.sandbox.control("DELETE", f"/sis/results/{removed}")
    own = {"class_id": "1001-01", "title": "Class participation", "scores": {sis_id("3"): 5}}
    allotting.sandbox.control("POST", "/sis/assignments", own)
    report = allotting.one_class(mode="reconcile")
    told = {(kind, finding, action) for kind, finding, _, action in drift_of(allotting, report)}
    assert told == {
        ("result", "missing_in_sis", "listed"),
        ("line item", "foreign_in_sis", "listed"),
    }
    policy(allotting, scores="overwrite")
    report = allotting.one_class(mode="reconcile")
    assert report["outcomes"]["failed"] == 0
    assert report["outcomes"]["sent"] == 1
    assert len(allotting.sandbox.dump()["results"]) == len(results) + 1
    assert undo(allotting, last(allotting)).fates() == {"cleared": 1}
    assert trail_holds(allotting)
