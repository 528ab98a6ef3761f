"""The first night, recomputed from the CSV files by someone who knows only the documents."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from district import SampleDistrict
    from sandbox_process import SandboxProcess

DATA = Path(__file__).parents[2] / "include" / "sandbox" / "data"
# By include/sandbox/README.md: four periods of which the first two are closed, and the day of the seeding.
PERIODS = ((-30, 66, "closed"), (67, 133, "closed"), (134, 200, "open"), (201, 300, "open"))
TODAY = 200
DAYS_FROM_ASSIGNED_TO_DUE = 21


@dataclass(frozen=True)
class Expected:
    outcomes: Counter[str]
    reasons: dict[str, tuple[int, int]]  # code → assessments, scores
    results: dict[
        tuple[str, str, str], tuple[float, str, int]
    ]  # class, assessment, student → score, status, day


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


def period(day: int) -> tuple[int, str]:
    return next((first, state) for first, last, state in PERIODS if first <= day <= last)


def assessment_reasons(due: int | None) -> list[str]:
    assigned = 0 if due is None else due - DAYS_FROM_ASSIGNED_TO_DUE
    days = [assigned] + ([] if due is None else [due])
    broken = ["due.missing"] if due is None else []
    if any(period(day)[1] == "closed" for day in days):
        broken.append("period.closed")
    if len({period(day)[0] for day in days}) > 1:
        broken.append("period.straddles")
    return broken


def expectation() -> Expected:
    students: dict[str, set[str]] = defaultdict(set)
    for row in rows("studentRegistration.csv"):
        students[f"{row['code_module']}-{row['code_presentation']}"].add(row["id_student"])
    given = {(row["id_assessment"], row["id_student"]): row for row in rows("studentAssessment.csv")}
    outcomes: Counter[str] = Counter()
    scores: Counter[str] = Counter()
    assessments: dict[str, set[str]] = defaultdict(set)
    results = {}
    for row in rows("assessments.csv"):
        name, class_name = row["id_assessment"], f"{row['code_module']}-{row['code_presentation']}"
        due = int(row["date"]) if row["date"] else None
        refused = assessment_reasons(due)
        for student in students[class_name]:
            score = given.get((name, student))
            reasons = refused
            if not refused and score is None:
                if due is not None and due < TODAY:
                    results[class_name, name, student] = (0.0, "not submitted", due)
                else:
                    reasons = ["score.not_graded"]
            elif not refused and score is not None:
                if score["is_banked"] == "1":
                    reasons = ["score.excluded"]
                elif score["score"] == "":
                    reasons = ["score.not_graded"]
                else:
                    day = min(int(score["date_submitted"]), TODAY)
                    results[class_name, name, student] = (float(score["score"]), "fully graded", day)
            outcomes[
                "sent" if not reasons else "held" if reasons == ["score.not_graded"] else "rejected"
            ] += 1
            for code in reasons:
                scores[code] += 1
                assessments[code].add(name)
    reasons_by_code = {code: (len(assessments[code]), count) for code, count in scores.items()}
    return Expected(outcomes, reasons_by_code, results)


@pytest.fixture(scope="module")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A sandbox that holds all modules."""
    with start_sandbox(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture(scope="module")
def expected() -> Expected:
    return expectation()


def test_the_counts_are_those_of_the_csv_files_by_class_too_and_the_sis_holds_what_should_have_passed(
    lakeview: SampleDistrict, expected: Expected
) -> None:
    report = lakeview.run()

    assert report["extracted"] == sum(expected.outcomes.values()) == 19_158
    assert {name: count for name, count in report["outcomes"].items() if count} == dict(expected.outcomes)
    counted = {code: (row["assessments"], row["scores"]) for code, row in report["reasons"].items()}
    assert counted == expected.reasons
    for row in report["classes"]:
        assert row["extracted"] == sum(row[outcome] for outcome in report["outcomes"])
    assert sum(row["extracted"] for row in report["classes"]) == report["extracted"]

    info = lakeview.sandbox.info()
    first_day = date.fromisoformat(info["day_0"])
    sis_student = {row["id"]: row["sis_id"] for row in lakeview.sandbox.feed_items("students")}
    titles = {
        (row["class_id"], row["id"]): row["title"] for row in lakeview.sandbox.feed_items("assessments")
    }
    should: dict[tuple[str, str], Any] = {
        (titles[class_name, name], sis_student[f"s{student}"]): (
            score,
            status,
            (first_day + timedelta(days=day)).isoformat(),
        )
        for (class_name, name, student), (score, status, day) in expected.results.items()
    }
    line_items, results = lakeview.held()
    assert results == should
    passing = {name for class_name, name, _ in expected.results}
    # A line item without a score yet is there as well: its assessment passed.
    assert passing <= {name for (_, name), title in titles.items() if title in line_items}
    assert all(item["resultValueMax"] == 100 for item in line_items.values())
