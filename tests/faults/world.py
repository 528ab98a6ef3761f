"""The small district that every case plays in: its data, its dates, and what a case may do to it.

One module with two classes, eight students (two of them in both classes) and six assessments. Of these one
lies in a closed grading period and one is not due yet; some of the scores may not pass.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TODAY: Final = date(2026, 3, 2)
DAY_0: Final = TODAY - timedelta(days=200)

# day 0 + n: P3 is 134 … 200, P4 201 … 300, both open; all before is closed.
OPEN_PERIODS: Final = {"9203": (134, 200), "9204": (201, 300)}

CLASSES: Final = {"AAA-2013J": ("1", "2", "3", "4", "5"), "AAA-2014J": ("4", "5", "6", "7", "8")}
TYPES: Final = {"TMA": "Assignment", "CMA": "Quiz", "Exam": "Test"}
OTHER_CATEGORIES: Final = ("Classwork", "Homework", "Lab")  # that a teacher may choose

# id, class, type, due day
ASSESSMENTS: Final = (
    ("101", "AAA-2013J", "TMA", 160),
    ("102", "AAA-2013J", "CMA", 190),
    ("103", "AAA-2013J", "TMA", 90),  # in a closed period
    ("104", "AAA-2014J", "TMA", 165),
    ("105", "AAA-2014J", "CMA", 198),
    ("106", "AAA-2014J", "Exam", 230),  # not due yet
)
NEW_ASSESSMENTS: Final = ("201", "202", "203")  # that a case may add
ASSIGNED_DAYS_BEFORE: Final = 21


def day(number: int) -> date:
    return DAY_0 + timedelta(days=number)


@dataclass(frozen=True)
class Assessment:
    """An assessment as the source holds it; days are counted from day 0."""

    assessment_id: str
    class_id: str
    title: str
    kind: str  # Otus' type
    assigned_day: int
    due_day: int
    points_possible: float = 100


@dataclass(frozen=True)
class Score:
    """A score as the source holds it; the day is that on which it was graded."""

    status: str
    points: float | None = None
    day: int | None = None


@dataclass
class Source:
    """What the learning platform holds: assessments by id, scores by assessment and student."""

    assessments: dict[str, Assessment] = field(default_factory=dict)
    scores: dict[tuple[str, str], Score] = field(default_factory=dict)

    def change(self, change: dict[str, Any]) -> bool:
        """Apply a change of a case; False if it is about what is not there, or no longer."""
        key, do = change["assessment"], change["do"]
        if do == "assess":
            return self._assess(change)
        if key not in self.assessments:
            return False
        if do in {"score", "remove-score"}:
            return self._score(change)
        if do == "remove":
            del self.assessments[key]
            self.scores = {place: score for place, score in self.scores.items() if place[0] != key}
        else:
            name = {"title": "title", "due": "due_day", "points": "points_possible"}[do]
            self.assessments[key] = replace(self.assessments[key], **{name: change[do]})
        return True

    def _assess(self, change: dict[str, Any]) -> bool:
        key, due = change["assessment"], change["due"]
        if key in self.assessments:
            return False
        self.assessments[key] = Assessment(key, change["class"], f"Work {key}", "Quiz", due - 10, due)
        for student in CLASSES[change["class"]]:
            self.scores[key, student] = Score("not_submitted")
        return True

    def _score(self, change: dict[str, Any]) -> bool:
        place = change["assessment"], change["student"]
        if place not in self.scores:
            return False
        if change["do"] == "remove-score":
            del self.scores[place]
        elif change["status"] in {"graded", "excluded"}:
            self.scores[place] = Score(change["status"], change["points"], 195)
        else:
            self.scores[place] = Score(change["status"])
        return True


def first_source() -> Source:
    """What the source holds at first: the same as `write_data` makes the sandbox hold."""
    source = Source()
    numbers: dict[tuple[str, str], int] = {}
    for key, class_id, kind, due in sorted(ASSESSMENTS, key=lambda row: (row[1], row[2], row[3])):
        numbers[class_id, kind] = numbers.get((class_id, kind), 0) + 1
        title = f"{kind} {numbers[class_id, kind]} ({class_id.replace('-', ' ')})"
        source.assessments[key] = Assessment(
            key, class_id, title, TYPES[kind], due - ASSIGNED_DAYS_BEFORE, due
        )
    for key, student, submitted, banked, points in _given():
        status = "excluded" if banked else "graded" if points else "turned_in"
        graded = min(submitted, 200) if points else None
        source.scores[key, student] = Score(status, float(points) if points else None, graded)
    for key, class_id, *_ in ASSESSMENTS:
        for student in CLASSES[class_id]:
            source.scores.setdefault((key, student), Score("not_submitted"))
    return source


def _given() -> Iterable[tuple[str, str, int, int, str]]:
    """Rows of studentAssessment.csv: of every assessment one student has nothing, one each is special."""
    for index, (key, class_id, _, due) in enumerate(ASSESSMENTS):
        students = CLASSES[class_id]
        for place, student in enumerate(students):
            points = str(50 + 7 * index + 3 * place)
            match (place - index) % len(students):
                case 0:
                    continue  # not submitted
                case 1 if index % 2 == 0:
                    yield key, student, due - 2, 1, points  # excluded
                case 2 if index % 2:
                    yield key, student, due - 2, 0, ""  # turned in
                case _:
                    yield key, student, due - 3, 0, points


def write_data(folder: Path) -> Path:
    """The CSV files that the sandbox is seeded from."""
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
        "courses": (
            "code_module,code_presentation,module_presentation_length",
            [(*name.split("-"), 268) for name in CLASSES],
        ),
        "assessments": (
            "code_module,code_presentation,id_assessment,assessment_type,date,weight",
            [(*name.split("-"), key, kind, due, 10) for key, name, kind, due in ASSESSMENTS],
        ),
        "studentRegistration": (
            "code_module,code_presentation,id_student,date_registration",
            [(*name.split("-"), student, "-10.0") for name, known in CLASSES.items() for student in known],
        ),
        "studentAssessment": (
            "id_assessment,id_student,date_submitted,is_banked,score",
            list(_given()),
        ),
    }
    for name, (header, rows) in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header.split(","))
            writer.writerows(rows)
    return folder
