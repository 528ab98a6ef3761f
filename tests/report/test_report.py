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
from passback.report.page import page
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


def asked(night: Report, **changed: object) -> Report:
    """The night, had its three scores been too many."""
    limit = {**night.summary["limit"], "asks": True}
    return replace(night, summary={**night.summary, "limit": limit, **changed})


ANN = {"by": "Ann", "at": "2026-11-22T16:30:00+00:00"}
HAPPENS = "of 6 scores in the SIS, 2 would change, 1 is refused by a rule now"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"state": "running", "mode": "preview"}, f"It waits for a person: {HAPPENS}."),
        ({"mode": "preview"}, f"A real run would ask a person first: {HAPPENS}."),
        (
            {"decision": {"decision": "go on", **ANN}},
            f"Ann let it go on, 22 Nov 2026, 08:30 PST: {HAPPENS}.",
        ),
        (
            {"decision": {"decision": "cancel", **ANN}},
            f"Ann cancelled it, 22 Nov 2026, 08:30 PST: {HAPPENS}.",
        ),
    ],
)
def test_a_report_names_what_was_decided_and_by_whom(
    night: Report, changed: dict[str, object], sentence: str
) -> None:
    report = asked(night, **changed)
    assert sentence in words.account(report.summary)
    assert sentence in " ".join(printed(report, 300).split())
    assert "Gone from the platform" in page(report.summary, report.not_passed, report.changes)


def test_a_run_that_had_nothing_to_ask_says_nothing_of_it(night: Report) -> None:
    assert not [sentence for sentence in words.account(night.summary) if "a person first" in sentence]
    assert "Gone from the platform" not in page(night.summary, night.not_passed, night.changes)


@pytest.mark.parametrize(
    ("sent", "headline"), [(0, "Cancelled: nothing was sent."), (2, "Cancelled: 2 scores had been sent.")]
)
def test_the_headline_of_a_cancelled_run_says_so(night: Report, sent: int, headline: str) -> None:
    outcomes = {**night.summary["outcomes"], "sent": sent}
    report = asked(night, decision={"decision": "cancel", **ANN}, outcomes=outcomes)
    assert words.headline(report.summary) == headline


def test_the_headline_of_a_run_that_waits_says_what_for(night: Report) -> None:
    report = asked(night, state="running", mode="preview")
    assert words.headline(report.summary) == f"Waits for a person: {HAPPENS}."


def test_marks_that_the_sis_cannot_hold_are_told(night: Report) -> None:
    summary = {**night.summary, "marks_left_out": {"late": 1200, "missing": 1}}
    told = (
        "The learning platform marks 1,200 scores as late and 1 score as missing; the SIS holds no such mark."
    )
    assert told in words.account(summary)


def test_changes_of_the_siss_categories_are_told(night: Report) -> None:
    changes = {"new": ["Lab"], "renamed": [["Quiz", "Quizzes"]], "retired": [], "returned": ["Paper"]}
    told = "The SIS's categories have changed: new Lab; renamed Quiz → Quizzes; back again Paper."
    assert told in words.account({**night.summary, "category_changes": changes})
    unlisted = words.account({**night.summary, "category_changes": {**changes, "unlisted": 9}})
    assert "The SIS lists no category, though 9 are known: they are kept as they were." in unlisted
    nothing = {"new": [], "renamed": [], "retired": []}
    assert words.account({**night.summary, "category_changes": nothing}) == words.account(night.summary)


def test_a_report_of_an_older_version_is_still_shown(night: Report) -> None:
    newer = ("limit", "decision", "marks_left_out", "category_changes")
    older = {name: value for name, value in night.summary.items() if name not in newer}
    assert "2 scores sent." in printed(replace(night, summary=older))


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
