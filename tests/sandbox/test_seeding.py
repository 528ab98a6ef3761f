"""The sandbox against its README: every count recomputed from the CSV files, without the sandbox's code."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from sandbox_process import INCLUDE

if TYPE_CHECKING:
    from sandbox_process import SandboxProcess

DATA = INCLUDE / "sandbox" / "data"
ZONE = ZoneInfo("America/Los_Angeles")
OPEN_PERIODS = ((134, 200), (201, 300))


@pytest.fixture(scope="module")
def expected() -> pd.DataFrame:
    """One row a registered student and assessment, with what the README says of it."""
    assessments = pd.read_csv(DATA / "assessments.csv")
    registrations = pd.read_csv(DATA / "studentRegistration.csv")
    given = pd.read_csv(DATA / "studentAssessment.csv")
    rows = registrations.merge(assessments, on=["code_module", "code_presentation"])
    rows = rows.merge(given, on=["id_assessment", "id_student"], how="left", indicator=True)
    rows["status"] = "graded"
    rows.loc[rows["is_banked"] == 1, "status"] = "excluded"
    rows.loc[rows["score"].isna(), "status"] = "turned_in"
    rows.loc[rows["_merge"] == "left_only", "status"] = "not_submitted"
    rows["assigned_day"] = (rows["date"] - 21).fillna(0)
    rows["in_open_period"] = False
    for first, last in OPEN_PERIODS:
        rows["in_open_period"] |= rows["assigned_day"].between(first, last) & rows["date"].between(
            first, last
        )
    return rows


def day_number(running: SandboxProcess, instants: pd.Series) -> pd.Series:
    """Local dates as days counted from day 0."""
    local = pd.to_datetime(instants).dt.tz_convert(ZONE).dt.tz_localize(None).dt.normalize()
    return (local - pd.Timestamp(running.info()["day_0"])).dt.days


def test_every_registered_student_has_one_score_of_every_assessment(
    seeded: SandboxProcess, expected: pd.DataFrame
) -> None:
    scores = pd.DataFrame(seeded.feed_items("scores"))
    assert len(scores) == len(expected) == 19_158
    assert scores["status"].value_counts().to_dict() == expected["status"].value_counts().to_dict()
    assert scores["status"].value_counts().to_dict() == {
        "graded": 10_950,
        "not_submitted": 8_116,
        "excluded": 82,
        "turned_in": 10,
    }


def test_every_score_equals_the_file(seeded: SandboxProcess, expected: pd.DataFrame) -> None:
    scores = pd.DataFrame(seeded.feed_items("scores"))
    scores["id_assessment"] = scores["assessment_id"].astype(int)
    scores["id_student"] = scores["student_id"].str.removeprefix("s").astype(int)
    both = expected.merge(scores, on=["id_assessment", "id_student"], suffixes=("", "_feed"))
    assert len(both) == len(expected)
    assert (both["status"] == both["status_feed"]).all()
    assert (both["score"].fillna(-1) == both["points"].fillna(-1)).all()
    submitted = both[both["status"] != "not_submitted"]
    days = day_number(seeded, submitted["submitted_at"])
    assert (days == submitted["date_submitted"].clip(upper=200)).all()
    graded = both["status"].isin(["graded", "excluded"])
    assert (both.loc[graded, "graded_at"] == both.loc[graded, "submitted_at"]).all()
    assert both.loc[~graded, "graded_at"].isna().all()


def test_assessments_follow_the_due_days(seeded: SandboxProcess) -> None:
    source = pd.read_csv(DATA / "assessments.csv")
    feed = pd.DataFrame(seeded.feed_items("assessments"))
    feed["id_assessment"] = feed["id"].astype(int)
    both = source.merge(feed, on="id_assessment")
    assert len(both) == len(source) == 27
    assert (day_number(seeded, both["due_at"]).fillna(-1) == both["date"].fillna(-1)).all()
    assert (day_number(seeded, both["assigned_at"]) == (both["date"] - 21).fillna(0)).all()
    due = pd.to_datetime(both["due_at"]).dt.tz_convert(ZONE).dropna()
    assert set(due.dt.strftime("%H:%M")) == {"23:59"}
    assert both["type"].tolist() == [
        {"TMA": "Assignment", "Exam": "Test"}[kind] for kind in both["assessment_type"]
    ]
    assert both["title"].is_unique
    assert both["title"].str.len().max() < 50
    assert both["assigned_by"].isin(item["id"] for item in seeded.feed_items("staff")).all()


def test_what_lies_in_an_open_period_is_as_the_readme_counts_it(
    seeded: SandboxProcess, expected: pd.DataFrame
) -> None:
    passing = expected[expected["in_open_period"]]
    counts = pd.crosstab(passing["id_assessment"], passing["status"])
    assert counts.to_dict("index") == {
        1755: {"excluded": 0, "graded": 303, "not_submitted": 80, "turned_in": 0},
        1761: {"excluded": 2, "graded": 278, "not_submitted": 85, "turned_in": 0},
        30712: {"excluded": 0, "graded": 627, "not_submitted": 423, "turned_in": 2},
        30713: {"excluded": 0, "graded": 0, "not_submitted": 1052, "turned_in": 0},
        30718: {"excluded": 0, "graded": 0, "not_submitted": 694, "turned_in": 0},
        30722: {"excluded": 3, "graded": 699, "not_submitted": 485, "turned_in": 1},
        30723: {"excluded": 0, "graded": 0, "not_submitted": 1188, "turned_in": 0},
    }
    past_due = passing[passing["date"] <= 200]["status"]
    assert past_due.value_counts().to_dict() == {
        "graded": 1_907,
        "not_submitted": 1_073,
        "excluded": 5,
        "turned_in": 3,
    }
    assert {period["title"]: period["status"] for period in seeded.info()["periods"]} == {
        "P1": "closed",
        "P2": "closed",
        "P3": "open",
        "P4": "open",
    }


def test_periods_cover_the_days_of_the_readme_without_a_gap(seeded: SandboxProcess) -> None:
    info = seeded.info()
    day_0 = date.fromisoformat(info["day_0"])
    assert date.fromisoformat(info["seeding_date"]) - day_0 == timedelta(days=200)
    spans = [
        tuple((date.fromisoformat(period[end]) - day_0).days for end in ("start_date", "end_date"))
        for period in info["periods"]
    ]
    assert spans == [(-30, 66), (67, 133), (134, 200), (201, 300)]


def test_the_roster_of_the_sis_is_the_registrations(seeded: SandboxProcess) -> None:
    registrations = pd.read_csv(DATA / "studentRegistration.csv")
    students = {item["id"]: item["sis_id"] for item in seeded.feed_items("students")}
    classes = {item["id"]: item["sis_id"] for item in seeded.feed_items("classes")}
    assert len(students) == registrations["id_student"].nunique() == 3_571
    wanted = {
        (classes[f"{row.code_module}-{row.code_presentation}"], f"9{row.id_student:07}")
        for row in registrations.itertuples()
    }
    enrolled = set()
    for offset in range(0, 4000, 1000):
        page = seeded.sis("GET", f"/enrollments?filter=role%3D'student'&limit=1000&offset={offset}").json
        enrolled |= {(item["class"]["sourcedId"], item["user"]["sourcedId"]) for item in page["enrollments"]}
    assert enrolled == wanted
    assert set(students.values()) == {student for _, student in wanted}


def test_every_teacher_is_synced_and_in_the_group_for_years(seeded: SandboxProcess) -> None:
    staff = {item["id"]: item["sis_id"] for item in seeded.feed_items("staff")}
    members = seeded.feed_items("group-members")
    teachers = {item["sourcedId"] for item in seeded.sis("GET", "/teachers").json["users"]}
    assert set(staff.values()) == teachers
    assert {member["staff_id"] for member in members} == set(staff)
    assert {(member["joined_at"], member["left_at"]) for member in members} == {
        ("2019-08-01T07:00:00Z", None)
    }


def test_the_same_seeding_date_gives_the_same_records(sandbox: SandboxProcess) -> None:
    def seeded() -> list[dict[str, object]]:
        sandbox.control("POST", "/reset", {"today": "2027-03-20"})  # across a change of the clocks
        items = sandbox.feed_items("assessments") + sandbox.feed_items("students")
        return [item | {"modified_at": ""} for item in items]

    assert seeded() == seeded()
    assert sandbox.info()["day_0"] == "2026-09-01"
