"""A preview on the page, as CSV and as JSON: every entry, and nothing that a title or an id could run."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from passback.report.page import page
from passback.report.summary import write_report
from passback.report.tables import preview_json
from passback.stages.preview import PREVIEW, count_by_class

if TYPE_CHECKING:
    from pathlib import Path

    from passback.report.summary import Report

LEAVES, SCRIPT, FORMULA = "Leaves", "<script>alert(1)</script>", '=HYPERLINK("x")'


def entry(
    class_id: str, title: str, student: str, effect: str, changes: str = "", code: str = ""
) -> list[str]:
    kind = "result" if student else "line item"
    return [
        class_id,
        f"Class {class_id}",
        f"id of {title}",
        title,
        kind,
        student,
        effect,
        changes,
        code,
        code,
    ]


@pytest.fixture
def previewed(night: Report) -> Report:
    """Two classes: something of every effect."""
    listed = PREVIEW.conform(
        pd.DataFrame(
            [
                entry("bio-1", LEAVES, "", "changed", "title Leafs → Leaves"),
                entry("bio-1", LEAVES, "S-3001", "changed", "score 80 → 85"),
                entry("bio-1", LEAVES, "S-3002", "left"),
                entry("bio-1", SCRIPT, "", "refused", code="title.too_long"),
                entry("bio-1", SCRIPT, "S-3003", "refused", code="title.too_long"),
                entry("bio-2", FORMULA, "", "created", "title " + FORMULA),
                entry("bio-2", FORMULA, "S-3004", "created", "score 7"),
            ],
            columns=list(PREVIEW.columns),
        )
    )
    summary = {**night.summary, "mode": "preview", "preview": count_by_class(listed)}
    return replace(night, summary=summary, preview=listed)


def test_a_preview_writes_two_files_more(previewed: Report, tmp_path: Path) -> None:
    assert {"preview.csv", "preview.json"} < set(write_report(tmp_path.as_uri(), previewed))


def test_the_csv_has_every_entry_and_no_formula(previewed: Report, tmp_path: Path) -> None:
    write_report(tmp_path.as_uri(), previewed)
    with (tmp_path / "preview.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7
    assert rows[1]["field_changes"] == "score 80 → 85"
    assert rows[5]["assessment_title"] == "'" + FORMULA


def test_the_json_has_counts_and_every_entry_by_class(previewed: Report, tmp_path: Path) -> None:
    write_report(tmp_path.as_uri(), previewed)
    told = json.loads((tmp_path / "preview.json").read_text())
    assert [row["class_id"] for row in told["classes"]] == ["bio-1", "bio-2"]
    first: dict[str, Any] = told["classes"][0]
    assert {effect: count for effect, count in first["results"].items() if count} == {
        "changed": 1,
        "left": 1,
        "refused": 1,
    }
    assert first["entries"][1] == {
        "assessment_id": "id of Leaves",
        "assessment_title": LEAVES,
        "kind": "result",
        "student_id": "S-3001",
        "effect": "changed",
        "field_changes": "score 80 → 85",
        "code": "",
        "all_codes": "",
    }
    assert told["reasons"] == previewed.summary["reasons"]


def test_the_json_of_no_class_is_json(previewed: Report) -> None:
    empty = previewed.summary | {"preview": []}
    assert json.loads(preview_json(empty, PREVIEW.empty()))["classes"] == []


def test_the_page_shows_from_and_to_and_nothing_runs(previewed: Report) -> None:
    html = page(previewed.summary, previewed.not_passed, previewed.changes, previewed.preview)
    assert "score 80 → 85" in html
    assert "S-3002" not in html  # left: in the CSV and the JSON alone
    assert '<a href="preview.csv">' in html
    assert "<script" not in html
    assert html.index("title Leafs → Leaves") < html.index("score 7<")


def test_a_real_run_has_no_such_section(night: Report) -> None:
    assert "What a run would do" not in page(night.summary, night.not_passed, night.changes)
