"""A report on disk, in words and in a terminal."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from passback.report import words
from passback.report.summary import write_report
from passback.report.terminal import terminal_report

if TYPE_CHECKING:
    from pathlib import Path

    from passback.report.summary import Report

FILES = ("not-passed.csv", "changes.csv", "report.html", "report.json")


def printed(report: Report, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(terminal_report(report.summary))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_report_is_four_files_for_their_owner_alone(night: Report, tmp_path: Path) -> None:
    folder = tmp_path / "lakeview" / "run" / "report"
    uris = write_report(folder.as_uri(), night)
    assert uris == {name: (folder / name).as_uri() for name in FILES}
    assert sorted(file.name for file in folder.iterdir()) == sorted(FILES)
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert json.loads((folder / "report.json").read_text()) == night.summary


def test_a_rerun_replaces_its_report(night: Report, tmp_path: Path) -> None:
    write_report(tmp_path.as_uri(), night)
    again = replace(night, summary={**night.summary, "requests": 13})
    write_report(tmp_path.as_uri(), again)
    assert json.loads((tmp_path / "report.json").read_text()) == again.summary
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(FILES)


def test_the_counts_and_the_summary_hold_no_student_id(night: Report, tmp_path: Path) -> None:
    write_report(tmp_path.as_uri(), night)
    assert "S-" not in (tmp_path / "report.json").read_text()
    assert "S-" not in printed(night)


@pytest.mark.parametrize(
    ("changed", "headline"),
    [
        ({}, "2 scores sent."),
        ({"outcomes": {"sent": 1}}, "1 score sent."),
        ({"outcomes": {"sent": 0}}, "Nothing had changed; nothing was sent."),
        (
            {"outcomes": {"sent": 0}, "written": {"line_items": 1, "results": 0}},
            "1 assignment sent; no score had changed.",
        ),
        ({"outcomes": {"sent": 0, "failed": 2}}, "No score could be sent."),
        (
            {"mode": "preview", "outcomes": {"sent": 0, "cancelled": 2}},
            "Preview: 2 scores and 0 assignments would be sent. Nothing was written.",
        ),
    ],
)
def test_the_headline_says_what_was_sent(night: Report, changed: dict, headline: str) -> None:
    outcomes = {**night.summary["outcomes"], **changed.get("outcomes", {})}
    assert words.headline({**night.summary, **changed, "outcomes": outcomes}) == headline


def test_times_are_the_districts(night: Report) -> None:
    zone = night.summary["timezone"]
    assert words.local_time("2026-11-22T06:00:00Z", zone) == "21 Nov 2026, 22:00 PST"
    assert words.duration("2026-11-22T06:00:00Z", "2026-11-22T06:01:12Z") == "1 min 12 s"


def test_the_terminal_tells_outcomes_reasons_and_what_to_do(night: Report) -> None:
    text = re.sub(r"\s+", " ", printed(night))
    for told in (
        "2 scores sent.",
        "rejected 3",
        "extracted 10",
        "2 period.closed rejected The due date lies in a closed period. the teacher: Move the due date.",
        "1 assigner.not_in_group rejected, and 2 that another reason leads",
        "Biology Frogs 3 It was deleted in Otus",
    ):
        assert told in text


def test_a_narrow_terminal_loses_no_word(night: Report) -> None:
    assert "".join(printed(night, 40).split()).count("Movetheduedate.") == 1
