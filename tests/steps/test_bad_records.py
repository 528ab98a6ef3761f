"""Records that contradict each other, through all steps: refused by name, and the others go on."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from passback.mapping.file import read_district

if TYPE_CHECKING:
    from pathlib import Path

    from district import SampleDistrict

CLASS, ASSESSMENT = "AAA-2013J", "1755"


@pytest.fixture
def files(lakeview: SampleDistrict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The district's source as CSV files."""
    folder = tmp_path / "export"
    lakeview.sandbox.control("POST", "/export-csv", {"folder": str(folder)})
    connection = read_district("lakeview").source.connection
    said = json.dumps({"conn_type": "http", "host": folder.as_uri()})
    monkeypatch.setenv(f"AIRFLOW_CONN_{connection.upper()}", said)
    return folder


def add_copy(file: Path, sought: dict[str, str], **changes: str) -> dict[str, str]:
    """The first record that is as sought, once more and changed; it as it was."""
    with file.open(newline="") as lines:
        reader = csv.DictReader(lines)
        record = next(row for row in reader if sought.items() <= row.items())
    with file.open("a", newline="") as lines:
        csv.DictWriter(lines, list(reader.fieldnames or ())).writerow(record | changes)
    return record


def test_two_scores_of_one_student_that_differ_are_refused_and_the_others_sent(
    lakeview: SampleDistrict, files: Path
) -> None:
    sought = {"assessment_id": ASSESSMENT, "class_id": CLASS, "status": "graded"}
    before = lakeview.run(assessments=(ASSESSMENT,))
    record = add_copy(files / "scores.csv", sought, points="1")
    report = lakeview.run(assessments=(ASSESSMENT,))
    assert report["extracted"] == before["extracted"] + 1 == sum(report["outcomes"].values())
    assert report["reasons"]["duplicate.record"]["scores"] == 2
    assert report["outcomes"]["unchanged"] == before["outcomes"]["sent"] - 1
    assert report["outcomes"]["sent"] == 0
    scores = {row["score"] for row in lakeview.sandbox.dump()["results"]}
    assert float(record["points"]) in scores


def test_a_student_whom_the_source_gives_two_sis_ids_gets_no_score_under_either(
    lakeview: SampleDistrict, files: Path
) -> None:
    sought = {"assessment_id": ASSESSMENT, "class_id": CLASS, "status": "graded"}
    student = add_copy(files / "scores.csv", sought)["student_id"]
    with (files / "students.csv").open(newline="") as lines:
        others = [row["sis_id"] for row in csv.DictReader(lines) if row["id"] != student]
    real = add_copy(files / "students.csv", {"id": student}, sis_id=others[0])["sis_id"]
    report = lakeview.run(assessments=(ASSESSMENT,))
    assert report["reasons"]["student.not_enrolled"]["scores"] >= 1
    held = [row["student"]["sourcedId"] for row in lakeview.sandbox.dump()["results"]]
    assert real not in held
    assert len(held) == len(set(held)) == report["outcomes"]["sent"]
