"""Nights of a district whose gradebooks are reached over Aeries' own interface."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from district import ZONE, SampleDistrict, environment
from passback import ledger
from passback.categories.reading import read_categories
from passback.cli.connect import try_connections
from passback.errors import PermissionRefusedError
from passback.mapping.file import read_district
from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
ONE_STEP = Path(__file__).parent / "one_step.py"
NAMES = {
    "AS": "Assignment",
    "HW": "Homework",
    "PR": "Project",
    "LB": "Lab",
    "QZ": "Quiz",
    "TS": "Test",
    "CW": "Classwork",
}
CLASS, PASSING = "AAA-2013J", "1752"
ELEMENTARY, LINKED, WITHOUT = "elementary-no-schedule", "linked-gradebook", "no-gradebook"
SPECIAL_STUDENTS = 5
WAITS_FOR_SECONDS = 120

Native = dict[str, Any]


class Natively:
    """A district, and what its Aeries holds natively."""

    def __init__(self, district: SampleDistrict, mapping: Path) -> None:
        self.district = district
        self.mapping = mapping
        self.sandbox = district.sandbox
        self.run = district.run

    def says(self, before: str, after: str) -> None:
        """Change the mapping file."""
        text = self.mapping.read_text("utf-8")
        assert before in text
        self.mapping.write_text(text.replace(before, after), "utf-8")

    def held(self) -> Native:
        """What Aeries holds of this school year."""
        years = self.sandbox.control("GET", "/native")["years"]
        this_year, last_year = sorted(years, reverse=True)
        assert not years[last_year]["assignments"], "something was written into last year"
        held: Native = years[this_year]
        return held

    def assignments(self) -> dict[str, Native]:
        """By title."""
        held = self.held()["assignments"]
        by_title = {each["Description"]: each for each in held}
        assert len(by_title) == len(held), "an assignment stands twice"
        return by_title

    def scores(self) -> dict[tuple[str, str], float]:
        """By title and student."""
        held = self.held()
        titles = {
            (each["GradebookNumber"], each["AssignmentNumber"]): each["Description"]
            for each in held["assignments"]
        }
        return {
            (titles[each["GradebookNumber"], each["AssignmentNumber"]], str(each["StudentID"])): each[
                "NumberCorrect"
            ]
            for each in held["scores"]
        }

    def feed(self) -> tuple[dict[tuple[str, str], Native], dict[tuple[str, str], float]]:
        """The platform's assessments by class and id, and the points it graded, by title and SIS student."""
        items = self.sandbox.feed_items
        assessments = {(row["class_id"], row["id"]): row for row in items("assessments")}
        students = {row["id"]: row["sis_id"] for row in items("students")}
        graded = {
            (assessments[row["class_id"], row["assessment_id"]]["title"], students[row["student_id"]]): float(
                row["points"]
            )
            for row in items("scores")
            if row["status"] == "graded"
        }
        return assessments, graded

    def writes_during(self, **changes: Any) -> Counter[str]:
        """What a night writes: kinds with their numbers, a score for each row of a batch."""
        before = len(self.sandbox.writes())
        self.run(**changes)
        return Counter(write["kind"] for write in self.sandbox.writes()[before:])


def mapping_of(name: str, **sis: Any) -> str:
    """A sample district's mapping file, with Aeries' own interface."""
    text = (ROOT / "include" / "mappings" / f"{name}.yaml").read_text("utf-8")
    lines = []
    for line in text.splitlines():
        key, _, value = line.partition(": ")
        if key == "sis":
            said = {"system": "aeries", "connection": f"{name}_aeries", "transport": "native", **sis}
            lines.append(f"sis: {json.dumps(said)}")
        else:
            lines.append(f"{key}: {NAMES.get(value, value)}" if line.startswith("  ") else line)
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with start_sandbox(tmp_path_factory.mktemp("sandbox"), sis="aeries", modules="AAA") as sandbox:
        yield sandbox


def district_of(
    name: str, sandbox: Any, ledger_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Natively:
    (folder / "mappings").mkdir()
    mapping = folder / "mappings" / f"{name}.yaml"
    mapping.write_text(mapping_of(name), "utf-8")
    monkeypatch.setenv("PASSBACK_MAPPINGS", str(mapping.parent))
    for variable, value in environment(sandbox, ledger_url, folder / "stage", name).items():
        monkeypatch.setenv(variable, value)
    native = json.dumps(sandbox.info()["connections"]["native"])
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}_AERIES", native)
    return Natively(SampleDistrict(sandbox, ledger_url, folder / "stage", name=name), mapping)


@pytest.fixture
def brookfield(started: Any, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Natively:
    """Otus to Aeries over its own interface, with a ledger of its own."""
    started.reset()
    return district_of("brookfield", started, ledger_url, tmp_path, monkeypatch)


# --- The nights ---


def test_the_first_night_writes_what_passes_value_by_value(brookfield: Natively) -> None:
    assessments, graded = brookfield.feed()
    passing = {
        row["title"]: row for (class_id, _), row in assessments.items() if class_id not in (LINKED, WITHOUT)
    }
    report = brookfield.run()

    assert report["extracted"] == sum(report["outcomes"].values())
    assert report["outcomes"]["failed"] == report["outcomes"]["cancelled"] == 0
    for row in report["classes"]:
        assert row["extracted"] == sum(row[outcome] for outcome in report["outcomes"])
    scores = {key: points for key, points in graded.items() if key[0] in passing}
    assert report["outcomes"]["sent"] == len(scores)
    assert brookfield.scores() == scores

    held = brookfield.assignments()
    assert set(held) == set(passing)
    for title, row in passing.items():
        found = held[title]
        assert found["PointsPossible"] == found["NumberCorrectPossible"] == row["points_possible"]
        assert found["AssignmentCategory"]["Description"] == row["type"].replace("Exam", "Test")
        assert found["DateAssigned"][:10] == local_day(row["assigned_at"])
        assert found["DateDue"][:10] == local_day(row["due_at"] or row["assigned_at"])
        assert (found["Comment"], found["GradingCompleted"], found["RubricAssignment"]) == ("", False, False)
    assert len({found["ExternalID"] for found in held.values()} - {""}) == len(held)

    # Classes without a gradebook of their own have their reasons.
    classes = {row["class_id"]: row for row in report["classes"]}
    assert classes[ELEMENTARY]["sent"] == SPECIAL_STUDENTS
    assert classes[LINKED]["rejected"] == classes[WITHOUT]["rejected"] == SPECIAL_STUDENTS
    assert report["reasons"]["gradebook.linked"]["scores"] == SPECIAL_STUDENTS
    assert report["reasons"]["category.not_in_gradebook"]["scores"] == SPECIAL_STUDENTS
    assert "school.no_master_schedule" not in report["reasons"]


def test_schools_without_a_master_schedule_are_told_in_vain(brookfield: Natively) -> None:
    brookfield.says('"native"', '"native", "schools_without_master_schedule": ["990"]')
    assert brookfield.run(classes=(ELEMENTARY,))["outcomes"]["sent"] == SPECIAL_STUDENTS


def test_the_second_night_sends_nothing_and_the_third_what_changed(brookfield: Natively) -> None:
    first = brookfield.run()
    assert brookfield.writes_during() == Counter()

    student = change_of_a_score(brookfield)
    brookfield.sandbox.control("PATCH", "/assessments/1753/AAA-2013J", {"title": "Renamed"})
    before = brookfield.scores()
    report = brookfield.run()
    assert report["written"] == {"line_items": 1, "results": 1}
    assert report["outcomes"]["sent"] >= 1
    assert report["extracted"] == first["extracted"] == sum(report["outcomes"].values())
    title = title_of(brookfield, PASSING)
    assert brookfield.scores()[title, student] == 12.0
    assert "Renamed" in brookfield.assignments()
    assert len(brookfield.scores()) == len(before)
    assert brookfield.writes_during() == Counter()


@pytest.mark.slow
def test_a_full_run_sends_everything_again_and_changes_nothing(brookfield: Natively) -> None:
    brookfield.run()
    before = brookfield.held()
    report = brookfield.run(mode="full")
    assert report["outcomes"]["sent"] == len(before["scores"])
    assert brookfield.held() == before


def test_a_preview_writes_nothing(brookfield: Natively) -> None:
    report = brookfield.run(mode="preview")
    assert report["outcomes"]["cancelled"] > 0
    assert not brookfield.sandbox.writes()


def test_no_request_is_sent_that_the_interface_does_not_ask_for(brookfield: Natively) -> None:
    brookfield.sandbox.control("POST", "/requests/reset")
    report = brookfield.run()
    told = [row for row in brookfield.sandbox.requests()["requests"] if "/api/v5/" in row["path"]]
    sent = Counter({(row["method"], row["path"].rpartition("/")[2]): row["count"] for row in told})
    held = brookfield.held()
    line_items, classes = report["written"]["line_items"], len(report["classes"])
    written = len({each["GradebookNumber"] for each in held["assignments"]})
    with_scores = len({(each["GradebookNumber"], each["AssignmentNumber"]) for each in held["scores"]})
    assert sent == {
        ("POST", "Assignments"): line_items,
        ("POST", "Scores"): with_scores,  # all of an assignment at once, read back in the answer
        # which gradebook: to judge by; just before a category is written; to read back
        ("GET", "gradebooks"): classes + written + written,
        ("GET", "students"): classes - 1,  # one has no gradebook
        ("GET", "assignments"): written + written,  # whether it stands there already; to read back
    }
    brookfield.sandbox.control("POST", "/requests/reset")
    brookfield.run()
    told = [row for row in brookfield.sandbox.requests()["requests"] if "/api/v5/" in row["path"]]
    assert sum(row["count"] for row in told) == classes + classes - 1


# --- What goes wrong ---


@pytest.mark.slow
@pytest.mark.parametrize("written", [1, 15, 1500])
def test_a_load_that_is_killed_and_cleared_loses_and_doubles_nothing(
    brookfield: Natively, written: int
) -> None:
    district = brookfield.district
    night = district.night("killed")
    for task_id in ("extract-scores", "validate", "transform-to-oneroster"):
        district.step(task_id, night)
    kill_when("load-to-sis", reached=lambda: len(brookfield.sandbox.writes()) >= written)
    for task_id in ("load-to-sis", "audit"):
        district.step(task_id, night)
    report = district.report(night)
    assert report["outcomes"]["failed"] == 0
    assert report["outcomes"]["sent"] == len(brookfield.scores())
    assert len(brookfield.assignments()) == report["written"]["line_items"]
    assert brookfield.writes_during() == Counter()


@pytest.mark.slow
def test_a_missing_permission_stops_the_run_and_the_next_good_one_makes_up_for_it(
    brookfield: Natively,
) -> None:
    areas = {"Gradebook Data": ["read", "update"], "Gradebook Scores": ["read"]}
    brookfield.sandbox.control("PATCH", "/settings", {"permissions": areas})
    with pytest.raises(PermissionRefusedError, match="update on Gradebook Scores"):
        brookfield.run()
    areas["Gradebook Scores"].append("update")
    brookfield.sandbox.control("PATCH", "/settings", {"permissions": areas})
    report = brookfield.run()
    assert report["outcomes"]["sent"] == len(brookfield.scores()) > 0
    brookfield.assignments()


def test_answers_that_are_lost_double_nothing(brookfield: Natively) -> None:
    for kind, path in (
        ("drop-after-commit", "Assignments$"),
        ("error-after-commit", "Assignments$"),
        ("drop-after-commit", "Scores$"),
        ("error-after-commit", "Scores$"),
    ):
        match = {"method": "POST", "path": f"/aeries/api/v5/.*/{path}"}
        brookfield.sandbox.fault("sis", kind, match=match, times=2)
    report = brookfield.run()
    assert report["outcomes"]["failed"] == 0
    assert report["outcomes"]["sent"] == len(brookfield.scores())
    brookfield.assignments()
    assert brookfield.writes_during() == Counter()


def test_scores_that_are_accepted_and_not_stored_are_told(brookfield: Natively) -> None:
    brookfield.sandbox.fault("sis", "store-nothing", match={"path": "/aeries/api/v5/.*/Scores$"})
    report = brookfield.run(classes=(ELEMENTARY,))
    assert report["outcomes"]["failed"] == SPECIAL_STUDENTS
    assert report["reasons"]["sis.not_stored"]["scores"] == SPECIAL_STUDENTS
    brookfield.sandbox.lift_faults()
    assert brookfield.run(classes=(ELEMENTARY,))["outcomes"]["sent"] == SPECIAL_STUDENTS


def test_a_student_whom_aeries_refuses_fails_no_other(brookfield: Natively) -> None:
    district = brookfield.district
    night = district.night(classes=(ELEMENTARY,))
    for task_id in ("extract-scores", "validate", "transform-to-oneroster"):
        district.step(task_id, night)
    student = next(key[1] for key in brookfield.feed()[1] if key[0] == "Homework (Grade 3 Room 421)")
    gone = {"class_id": "990_TN_421", "student_id": student, "end_date": "2026-01-01"}
    brookfield.sandbox.control("PATCH", "/roster", gone)
    for task_id in ("load-to-sis", "audit"):
        district.step(task_id, night)
    report = district.report(night)
    assert report["outcomes"] | {"held": 0} == {
        "sent": SPECIAL_STUDENTS - 1,
        "unchanged": 0,
        "held": 0,
        "rejected": 0,
        "failed": 1,
        "cancelled": 0,
    }
    assert report["reasons"]["sis.refused"]["scores"] == 1


# --- What teachers do in Aeries ---


def test_what_a_teacher_wrote_into_an_assignment_stays(brookfield: Natively) -> None:
    brookfield.run(classes=(CLASS,))
    held = brookfield.assignments()[title_of(brookfield, PASSING)]
    edit = {
        "Comment": "Bring a pen",
        "GradingCompleted": True,
        "FormativeSummativeIndicator": "F",
        "AssignmentNumber": 77,
        "AssignmentCategoryCode": "Q",
    }
    brookfield.sandbox.control("PATCH", f"/native/assignments/{held['UniqueID']}", edit)
    brookfield.sandbox.control("PATCH", f"/assessments/{PASSING}/{CLASS}", {"title": "Renamed"})
    assert brookfield.run(classes=(CLASS,))["outcomes"]["failed"] == 0
    found = brookfield.assignments()["Renamed"]
    assert found["AssignmentCategory"]["Code"] == "Q"
    assert {name: found[name] for name in edit if name in found} == {
        name: value for name, value in edit.items() if name in found
    }
    assert (found["UniqueID"], found["ExternalID"]) == (held["UniqueID"], held["ExternalID"])


@pytest.mark.parametrize("adopt", [pytest.param(False, marks=pytest.mark.slow), True])
def test_an_assignment_that_stands_there_already_is_a_duplicate_or_taken_over(
    brookfield: Natively,
    adopt: bool,  # noqa: FBT001 - a table
) -> None:
    assessment = brookfield.feed()[0][CLASS, PASSING]
    theirs = {
        "class_id": "994_100101",
        "title": assessment["title"],
        "due_date": local_day(assessment["due_at"]),
    }
    brookfield.sandbox.control("POST", "/sis/assignments", theirs)
    (before,) = brookfield.held()["assignments"]
    if adopt:
        brookfield.says('"native"', '"native", "adopt": true')
    report = brookfield.run(classes=(CLASS,))
    found = brookfield.assignments()[assessment["title"]]
    assert found["UniqueID"] == before["UniqueID"]
    assert ("sis.duplicate" in report["reasons"]) is not adopt
    assert bool(found["ExternalID"]) is adopt
    assert any(title == assessment["title"] for title, _ in brookfield.scores()) is adopt
    assert brookfield.writes_during(classes=(CLASS,)) == Counter()


def test_an_assignment_that_was_removed_is_a_broken_link_until_it_may_be_made_anew(
    brookfield: Natively,
) -> None:
    brookfield.run(classes=(CLASS,))
    title = title_of(brookfield, PASSING)
    lost = brookfield.assignments()[title]["UniqueID"]
    scores = sum(of == title for of, _ in brookfield.scores())
    brookfield.sandbox.control("POST", "/sis/forget", {"line_item_id": lost})
    change_of_a_score(brookfield)
    report = brookfield.run(classes=(CLASS,))
    assert report["reasons"]["sis.link_broken"]["scores"] == report["outcomes"]["failed"] == scores
    assert title not in brookfield.assignments()
    brookfield.says('"native"', '"native", "recreate": true')
    report = brookfield.run(classes=(CLASS,))
    assert report["outcomes"]["failed"] == 0
    assert sum(of == title for of, _ in brookfield.scores()) == scores
    assert brookfield.assignments()[title]["UniqueID"] != lost


# --- Several gradebooks ---


def test_of_several_gradebooks_the_one_that_the_district_names_takes_the_scores(brookfield: Natively) -> None:
    reading = {"class_id": "990_TN_421", "Name": "Reading"}
    brookfield.sandbox.control("POST", "/native/gradebooks", reading)
    number = next(each for each in brookfield.held()["gradebooks"] if each["Name"] == "Reading")[
        "GradebookNumber"
    ]
    report = brookfield.run(classes=(ELEMENTARY,))
    assert report["outcomes"]["rejected"] == SPECIAL_STUDENTS
    assert list(report["reasons"]) == ["gradebook.several"]
    assert not brookfield.sandbox.writes()

    brookfield.says('"native"', '"native", "gradebooks": {"990_TN_421": 12}')
    assert list(brookfield.run(classes=(ELEMENTARY,))["reasons"]) == ["gradebook.several"]

    brookfield.says('"990_TN_421": 12', f'"990_TN_421": {number}')
    report = brookfield.run(classes=(ELEMENTARY,))
    assert report["outcomes"]["sent"] == SPECIAL_STUDENTS
    assert {each["GradebookNumber"] for each in brookfield.held()["assignments"]} == {number}


# --- What is not asked for stays ---


def test_a_run_of_one_class_retires_no_category_of_another(brookfield: Natively) -> None:
    brookfield.run()
    known = known_categories(brookfield)
    brookfield.run(classes=(ELEMENTARY,))
    assert known_categories(brookfield) == known
    assert {where for _, where in known} >= {"", "990_TN_421", "994_100101"}


def known_categories(brookfield: Natively) -> set[tuple[str, str]]:
    """Titles and classes of those that are not retired."""
    with closing(ledger.connect(brookfield.district.ledger_url)) as connection:
        known = ledger.known_categories(connection, "brookfield")
    held = known[known["retired_at"].isna()]
    return set(zip(held["title"], held["sis_class_id"], strict=True))


# --- What the interface cannot hold ---


def test_who_is_excused_is_told_before_anything_is_written(
    ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_sandbox(tmp_path / "sandbox", lms="ekadence", sis="aeries", modules="AAA") as sandbox:
        eastmoor = district_of("eastmoor", sandbox, ledger_url, tmp_path, monkeypatch)
        report = eastmoor.run()
        reason = report["reasons"]["score.excused_unsupported"]
        assert (reason["outcome"], reason["who"]) == ("rejected", "teacher")
        assert reason["scores"] > 0
        assert report["outcomes"]["failed"] == 0
        assert report["outcomes"]["sent"] == len(eastmoor.scores())
        assert report["extracted"] == sum(report["outcomes"].values())


# --- The connection check ---


def test_the_connection_check_asks_aeries_for_the_platforms_classes(brookfield: Natively) -> None:
    brookfield.sandbox.control("POST", "/native/gradebooks", {"class_id": "990_TN_421", "Name": "Reading"})
    findings = try_connections(read_district("brookfield"), say=lambda _: None)
    assert [finding for finding in findings if not finding.good] == []
    found = {finding.check: finding for finding in findings}
    assert found["permissions"].found == "may read Gradebook Data, Gradebook Scores"
    assert found["school year"].found.startswith("DatabaseYear 20")
    assert found["clock"].found.endswith("from this machine's")
    assert found["class match"].found.startswith("6 of 6")
    gradebooks = found["gradebooks"]
    assert sorted(gradebooks.found.split(", ")) == ["1 linked", "1 none", "1 several", "3 unlinked"]
    for sis_class_id in ("994_300101", "994_300201", "990_TN_421"):
        assert sis_class_id in gradebooks.mend


@pytest.mark.parametrize(
    ("settings", "check", "words"),
    [
        ({"certificate": "F" * 32}, "SIS aeries", "refused the certificate"),
        ({"permissions": {"Gradebook Scores": ["update"]}}, "permissions", "Gradebook Scores (403"),
        ({"clock_skew_seconds": 3600}, "clock", "3,6"),
    ],
)
def test_the_connection_check_tells_what_is_wrong(
    brookfield: Natively, settings: dict[str, Any], check: str, words: str
) -> None:
    brookfield.sandbox.control("PATCH", "/settings", settings)
    findings = try_connections(read_district("brookfield"), say=lambda _: None)
    bad = [finding for finding in findings if not finding.good]
    assert [finding.check for finding in bad] == [check]
    assert words in bad[0].found


def test_the_connection_check_tells_a_gradebook_that_is_not_the_classs(brookfield: Natively) -> None:
    brookfield.says('"native"', '"native", "gradebooks": {"990_TN_421": 12}')
    findings = try_connections(read_district("brookfield"), say=lambda _: None)
    (bad,) = (finding for finding in findings if not finding.good)
    assert "990_TN_421" in bad.found


def test_the_connection_check_tells_a_school_year_that_aeries_does_not_know(
    brookfield: Natively, monkeypatch: pytest.MonkeyPatch
) -> None:
    native = brookfield.sandbox.info()["connections"]["native"]
    native["extra"]["database_year"] = "2030"
    monkeypatch.setenv("AIRFLOW_CONN_BROOKFIELD_AERIES", json.dumps(native))
    findings = try_connections(read_district("brookfield"), say=lambda _: None)
    (bad,) = (finding for finding in findings if not finding.good)
    assert "2030" in bad.found


def test_categories_are_those_of_the_platforms_classes(brookfield: Natively) -> None:
    held = read_categories(read_district(brookfield.district.name), say=lambda _: None)
    assert set(held.loc[held["sis_class_id"].eq(""), "title"]) >= {"Assignment", "Homework", "Test"}
    assert "990_TN_421" in set(held["sis_class_id"])


# --- Helpers ---


def local_day(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(ZONE).date().isoformat()


def title_of(brookfield: Natively, assessment: str) -> str:
    title: str = brookfield.feed()[0][CLASS, assessment]["title"]
    return title


def change_of_a_score(brookfield: Natively) -> str:
    """Give a student 12 points; the student by the SIS's id."""
    score = next(
        row
        for row in brookfield.sandbox.feed_items("scores")
        if (row["class_id"], row["assessment_id"], row["status"]) == (CLASS, PASSING, "graded")
        and row["points"] != 12
    )
    path = f"/scores/{PASSING}/{CLASS}/{score['student_id']}"
    brookfield.sandbox.control("PATCH", path, {"points": 12})
    students = brookfield.sandbox.feed_items("students")
    student: str = next(row["sis_id"] for row in students if row["id"] == score["student_id"])
    return student


def kill_when(task_id: str, *, reached: Callable[[], bool]) -> None:
    """Start a step in a process of its own and kill it as soon as a condition holds."""
    command = [sys.executable, str(ONE_STEP), task_id, "killed", "", "brookfield"]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL) as process:
        give_up = time.monotonic() + WAITS_FOR_SECONDS
        while process.poll() is None and not reached():
            assert time.monotonic() < give_up, f"{task_id} did not come to the point of its death"
        process.send_signal(signal.SIGKILL)
        assert process.wait() in (0, -signal.SIGKILL)
