"""Otus. It publishes no API: a district's scores come by the feed contract, over HTTP or as CSV files."""

from __future__ import annotations

from functools import partial
from typing import Final

from passback.records import ASSESSMENTS, CLASSES, MEMBERSHIPS, SCORES, STAFF, STUDENTS
from passback.sources import handover
from passback.sources.contract import (
    Assessment,
    Class,
    Collection,
    Feed,
    GroupMember,
    Score,
    Staff,
    Student,
)

FEED: Final = Feed(
    base_path="/feed/v1",
    collections=(
        Collection("assessments", ASSESSMENTS, Assessment, ("id", "class_id")),
        Collection("scores", SCORES, Score, ("assessment_id", "class_id", "student_id")),
        Collection("classes", CLASSES, Class, ("id",)),
        Collection("students", STUDENTS, Student, ("id",)),
        Collection("staff", STAFF, Staff, ("id",)),
        Collection("group-members", MEMBERSHIPS, GroupMember, ("staff_id", "joined_at")),
    ),
)

pull = partial(handover.pull, FEED)
count = partial(handover.count, FEED)
