"""Every route over two nights, recomputed from the CSV files by someone who knows only the documents."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from district import SampleDistrict, environment
from passback.cli.connect import try_connections
from passback.mapping.file import read_district
from passback.mapping.template import new_mapping
from passback.sis import PROFILES
from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA = Path(__file__).parents[2] / "include" / "sandbox" / "data"
MODULE = "AAA"
NOT_IMPORTED = "AAA-2014J"  # into this Canvas course nobody imported Aspire's categories
TODAY = 200
DAYS_A_CHANGE_COUNTS = 30

Score = tuple[str, str]  # what becomes of it: an outcome, and what is sent or why not


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row.get("code_module", MODULE) == MODULE]


def graded(given: dict[str, str] | None) -> bool:
    return given is not None and given["score"] != ""


def from_otus_to_aeries(_class: str, _due: int | None, given: dict[str, str] | None) -> Score:
    if given is not None and given["is_banked"] == "1":
        return "rejected", "score.excluded"
    return (
        ("sent", f"{given['score']} fully graded")
        if given and graded(given)
        else ("held", "score.not_graded")
    )


def with_excused(_class: str, _due: int | None, given: dict[str, str] | None) -> Score:
    if given is not None and given["is_banked"] == "1":
        return "sent", "0 exempt"
    return (
        ("sent", f"{given['score']} fully graded")
        if given and graded(given)
        else ("held", "score.not_graded")
    )


def from_canvas_to_aspire(class_id: str, due: int | None, given: dict[str, str] | None) -> Score:
    if due is None:
        return "rejected", "due.missing"
    if class_id == NOT_IMPORTED:
        return "rejected", "group.not_imported"
    outcome, what = with_excused(class_id, due, given)
    if (
        given is not None
        and outcome == "sent"
        and int(given["date_submitted"]) < TODAY - DAYS_A_CHANGE_COUNTS
    ):
        return "held", "change.too_old"
    return outcome, what


ROUTES = {
    "brookfield": ("otus", "aeries", from_otus_to_aeries),
    "eastmoor": ("ekadence", "aeries", with_excused),
    "canyonridge": ("canvas", "aspire", from_canvas_to_aspire),
    "harborview": ("canvas", "aspen", with_excused),
}


def expected(
    judge: Callable[[str, int | None, dict[str, str] | None], Score],
) -> dict[tuple[str, str, str], Score]:
    """What becomes of every score, by class, assessment and student."""
    given = {(row["id_assessment"], row["id_student"]): row for row in rows("studentAssessment")}
    found = {}
    for assessment in rows("assessments"):
        class_id = f"{assessment['code_module']}-{assessment['code_presentation']}"
        due = int(assessment["date"]) if assessment["date"] else None
        for student in rows("studentRegistration"):
            if f"{student['code_module']}-{student['code_presentation']}" == class_id:
                name, id_student = assessment["id_assessment"], student["id_student"]
                found[class_id, name, id_student] = judge(class_id, due, given.get((name, id_student)))
    return found


@pytest.fixture(params=sorted(ROUTES))
def district(
    request: pytest.FixtureRequest, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SampleDistrict]:
    """A sample district with a sandbox and a ledger of its own."""
    lms, sis, _ = ROUTES[request.param]
    with start_sandbox(tmp_path / "sandbox", lms=lms, sis=sis, modules=MODULE) as sandbox:
        for name, value in environment(sandbox, ledger_url, tmp_path / "stage", request.param).items():
            monkeypatch.setenv(name, value)
        yield SampleDistrict(sandbox, ledger_url, tmp_path / "stage", name=request.param)


def of_the_module(district: SampleDistrict) -> dict[str, str]:
    """The classes of the data, by their title; a sandbox holds a few more that are made up."""
    presentations = sorted({row["code_presentation"] for row in rows("assessments")})
    return {f"{MODULE} {name}": f"{MODULE}-{name}" for name in presentations} if district else {}


def test_each_score_of_a_route_ends_as_the_documents_say_and_the_next_night_sends_nothing(
    district: SampleDistrict,
) -> None:
    findings = try_connections(read_district(district.name), say=lambda _: None)
    assert [finding for finding in findings if not finding.good] == []

    report = district.run()
    assert report["extracted"] == sum(report["outcomes"].values())
    assert report["outcomes"]["failed"] == report["outcomes"]["cancelled"] == 0

    titles = of_the_module(district)
    should = expected(ROUTES[district.name][2])
    for row in report["classes"]:
        if row["title"] in titles:
            class_id = titles[row["title"]]
            counts = Counter(outcome for (of, _, _), (outcome, _) in should.items() if of == class_id)
            assert {name: row[name] for name in report["outcomes"] if row[name]} == dict(counts)
    assert {row["title"] for row in report["classes"]} >= set(titles)

    assert sent_by_data(district) == Counter(what for outcome, what in should.values() if outcome == "sent")
    assert district.run()["outcomes"] == report["outcomes"] | {
        "sent": 0,
        "unchanged": report["outcomes"]["sent"],
    }


def sent_by_data(district: SampleDistrict) -> Counter[str]:
    """What the SIS holds of the assessments of the data: score and status, and how often."""
    dump = district.sandbox.dump()
    ours = {item["sourcedId"] for item in dump["lineItems"] if f"({MODULE} " in item["title"]}
    held = [row for row in dump["results"] if row["lineItem"]["sourcedId"] in ours]
    assert len({(row["lineItem"]["sourcedId"], row["student"]["sourcedId"]) for row in held}) == len(held)
    return Counter(f"{row['score']:g} {row['scoreStatus']}" for row in held)


# --- Any source goes with any SIS ---


@pytest.mark.parametrize(
    ("source", "lms", "sis"),
    [
        pytest.param("csv", "otus", "generic", marks=pytest.mark.slow),
        ("oneroster", "oneroster", "aspen"),
        pytest.param("canvas", "canvas", "skyward", marks=pytest.mark.slow),
        pytest.param("ekadence", "ekadence", "generic", marks=pytest.mark.slow),
        pytest.param("otus", "otus", "aspire", marks=pytest.mark.slow),
    ],
)
def test_a_district_that_was_just_written_runs_on_any_route(
    source: str, lms: str, sis: str, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = new_mapping(
        "plainfield",
        source,
        sis,
        name="Plainfield",
        timezone="America/Los_Angeles",
        effective_date=read_district("lakeview").effective_date,
    )
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    (mappings / "plainfield.yaml").write_text(text.replace("  # - ", "  - "), encoding="utf-8")
    monkeypatch.setenv("PASSBACK_MAPPINGS", str(mappings))
    with start_sandbox(tmp_path / "sandbox", lms=lms, sis=sis, modules=MODULE) as sandbox:
        for name, value in environment(sandbox, ledger_url, tmp_path / "stage", "plainfield").items():
            monkeypatch.setenv(name, value)
        if source == "csv":
            sandbox.control("POST", "/export-csv", {"folder": str(tmp_path / "export")})
            folder = {"conn_type": "http", "host": (tmp_path / "export").as_uri()}
            monkeypatch.setenv("AIRFLOW_CONN_PLAINFIELD_CSV", json.dumps(folder))
        district = SampleDistrict(sandbox, ledger_url, tmp_path / "stage", name="plainfield")
        one_class = {"classes": (next(iter(_class_ids(district))),)}
        report = district.run(**one_class)
        assert report["outcomes"]["sent"] > 0, report["reasons"]
        assert report["outcomes"]["failed"] == 0
        assert len(sandbox.dump()["results"]) == report["outcomes"]["sent"]
        assert district.run(**one_class)["outcomes"]["sent"] == 0
    assert PROFILES[sis].system == sis


def _class_ids(district: SampleDistrict) -> list[str]:
    """The class with most scores, by the source's id, as a preview tells."""
    report = district.run(mode="preview")
    return [row["class_id"] for row in sorted(report["classes"], key=lambda row: -row["cancelled"])]
