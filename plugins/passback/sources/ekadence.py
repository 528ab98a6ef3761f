"""eKadence. It publishes no API: a district's scores come by the feed contract under eKadence's own names.

It has no passback group and no mark for the final grade: what is there counts (seed 002).
"""

from __future__ import annotations

from functools import partial
from typing import Final

from passback.records import ASSESSMENTS, CLASSES, SCORES, STAFF, STUDENTS
from passback.sources import handover
from passback.sources.contract import (
    Assessment,
    Class,
    Collection,
    Feed,
    Score,
    Staff,
    Student,
    under_own_names,
)

_ACTIVITY: Final = under_own_names(
    Assessment,
    {
        "id": "activity_id",
        "title": "name",
        "type": "category",
        "grading_type": "scoring",
        "points_possible": "points",
        "assigned_at": "assigned",
        "due_at": "due",
        "modified_at": "saved_at",
    },
    absent={"include_in_final_grade": True, "assigned_by": None},
)
_SCORE: Final = under_own_names(
    Score,
    {
        "assessment_id": "activity_id",
        "status": "state",
        "submitted_at": "handed_in_at",
        "graded_at": "scored_at",
        "modified_at": "saved_at",
    },
)
_CLASS: Final = under_own_names(Class, {"id": "class_id", "sis_id": "sis_class_id", "title": "name"})
_STUDENT: Final = under_own_names(Student, {"id": "student_id", "sis_id": "sis_student_id"})
_TEACHER: Final = under_own_names(Staff, {"id": "teacher_id", "sis_id": "sis_teacher_id"})

FEED: Final = Feed(
    base_path="/ekadence/v1",
    collections=(
        Collection("activities", ASSESSMENTS, _ACTIVITY, ("id", "class_id")),
        Collection("scores", SCORES, _SCORE, ("assessment_id", "class_id", "student_id")),
        Collection("classes", CLASSES, _CLASS, ("id",)),
        Collection("students", STUDENTS, _STUDENT, ("id",)),
        Collection("teachers", STAFF, _TEACHER, ("id",)),
    ),
    statuses={"scored": "graded", "handed_in": "turned_in", "assigned": "not_submitted"},
)

pull = partial(handover.pull, FEED)
count = partial(handover.count, FEED)
