"""The canonical frames: what every source yields and every stage reads, whatever the systems' own names.

A frame is a pandas DataFrame with exactly the columns of its `Frame`, in that order. Text is never null
(missing is the empty string); numbers and instants may be. Instants are UTC; a date in the district's
zone is ISO text (`2026-11-22`), so that any year compares rightly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT: Final = "str"
NUMBER: Final = "float64"
FLAG: Final = "bool"
MAYBE: Final = "boolean"  # null: the system it comes from does not say
INSTANT: Final = "datetime64[us, UTC]"

# A spreadsheet runs a cell that begins so (OWASP, CSV injection); with an apostrophe before it, it is text.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Frame:
    """A canonical frame's name, columns with their pandas types, and the columns that identify a row."""

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]

    def empty(self) -> pd.DataFrame:
        """A frame of this shape without rows."""
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in self.columns.items()})

    def conform(self, data: pd.DataFrame) -> pd.DataFrame:
        """`data` with exactly this frame's columns and types.

        Raises:
            KeyError: a column is missing.
            ValueError: a column cannot be cast to its type.
        """
        # Nearly all is in order already, and pandas takes its time also for that.
        conformed = data if data.columns.tolist() == [*self.columns] else data[[*self.columns]]
        held = zip(self.columns.items(), conformed.dtypes, strict=True)
        others = {name: dtype for (name, dtype), found in held if found != dtype}
        conformed = conformed.astype(others) if others else conformed
        nulls = [name for name, dtype in self.columns.items() if dtype == TEXT and conformed[name].hasnans]
        conformed = conformed.fillna(dict.fromkeys(nulls, "")) if nulls else conformed
        return conformed.reset_index(drop=True)


# --- What a source yields ---

# unposted: graded, but hidden from the student as yet; excluded: does not count, in the source's own words.
SCORE_STATUSES: Final = ("graded", "turned_in", "not_submitted", "excluded", "excused", "unposted")
MARKS: Final = ("late", "missing")

ASSESSMENTS: Final = Frame(
    "assessments",  # one row an assessment and class
    {
        "assessment_id": TEXT,
        "class_id": TEXT,
        "title": TEXT,  # trimmed
        "type": TEXT,
        "grading_type": TEXT,  # "points", or what else the source calls it
        "points_possible": NUMBER,  # null: missing or not a finite number
        "include_in_final_grade": FLAG,
        "assigner_id": TEXT,
        "assigned_at": INSTANT,
        "due_at": INSTANT,
        "modified_at": INSTANT,
        "sync_on": MAYBE,  # marked for sync to the SIS
        "course_published": MAYBE,
        "published": MAYBE,
        "whole_section": MAYBE,  # assigned to the whole class, not to named students
        "due_uniform": MAYBE,  # one due date for all students of the class
        "period_closed": MAYBE,  # the source itself counts it to a closed grading period
        "group_sis_id": TEXT,  # the SIS's id of an assignment group that was imported from it
        "group_term_id": TEXT,  # the SIS's term that the group was imported for
    },
    ("assessment_id", "class_id"),
)

SCORES: Final = Frame(
    "scores",  # one row an assessment, class and student it was assigned to
    {
        "assessment_id": TEXT,
        "class_id": TEXT,
        "student_id": TEXT,
        "status": TEXT,  # one of SCORE_STATUSES
        "points": NUMBER,  # null: none, or not a finite number
        "points_text": TEXT,  # what stood there when it was not a finite number
        "mark": TEXT,  # late, missing or empty: what is said of it beside its score
        "scored_at": INSTANT,
        "modified_at": INSTANT,
    },
    ("assessment_id", "class_id", "student_id"),
)

CLASSES: Final = Frame("classes", {"class_id": TEXT, "sis_class_id": TEXT, "title": TEXT}, ("class_id",))

STUDENTS: Final = Frame("students", {"student_id": TEXT, "sis_student_id": TEXT}, ("student_id",))

STAFF: Final = Frame(
    "staff",  # everybody who may assign; sis_staff_id is empty for a user who is not synced from the SIS
    {"staff_id": TEXT, "sis_staff_id": TEXT},
    ("staff_id",),
)

MEMBERSHIPS: Final = Frame(
    "memberships",  # one row a stay in the passback teacher group; left_at null: still in it
    {"staff_id": TEXT, "joined_at": INSTANT, "left_at": INSTANT},
    ("staff_id", "joined_at"),
)

SOURCE_FRAMES: Final = (ASSESSMENTS, SCORES, CLASSES, STUDENTS, STAFF, MEMBERSHIPS)

# --- What the SIS says of itself ---

SIS_CATEGORIES: Final = Frame(
    "sis_categories",  # sis_class_id is empty for a category of the whole district
    {
        "category_id": TEXT,
        "title": TEXT,
        "code": TEXT,
        "sis_class_id": TEXT,
        "term_id": TEXT,  # empty: for all terms; else the days of that term, both belonging to it
        "term_start": TEXT,
        "term_end": TEXT,
    },
    ("category_id", "sis_class_id"),
)

SIS_PERIODS: Final = Frame(
    "sis_periods",  # one row a class and grading period that holds for it; both dates belong to the period
    {
        "sis_class_id": TEXT,
        "period_id": TEXT,
        "title": TEXT,
        "start_date": TEXT,
        "end_date": TEXT,
        "closed": FLAG,
        "year_start": TEXT,  # the first day of its school year; empty if the SIS does not say
    },
    ("sis_class_id", "period_id"),
)

UNREADABLE: Final = "unreadable"  # the SIS did not let us see what stands in it

SIS_CLASSES: Final = Frame(
    "sis_classes",
    {
        "sis_class_id": TEXT,
        "title": TEXT,
        "school_id": TEXT,
        "gradebook": TEXT,  # none, unlinked, linked, several or UNREADABLE; empty: the SIS does not say
        "master_schedule": MAYBE,  # whether its school has one
    },
    ("sis_class_id",),
)

SIS_ENROLLMENTS: Final = Frame(
    "sis_enrollments",
    {"sis_class_id": TEXT, "sis_student_id": TEXT},
    ("sis_class_id", "sis_student_id"),
)

SIS_LINE_ITEMS: Final = Frame(
    "sis_line_items",  # of the classes in which something may be created; passback_id: ours, if it keeps it
    {
        "line_item_id": TEXT,
        "passback_id": TEXT,
        "sis_class_id": TEXT,
        "title": TEXT,
        "due_date": TEXT,
    },
    ("line_item_id",),
)

NEW_CATEGORIES: Final = Frame(
    "new_categories",  # of `categories` in the mapping file, those that the SIS lacks and we may create
    {"category_id": TEXT, "title": TEXT},
    ("category_id",),
)

SIS_FRAMES: Final = (SIS_CATEGORIES, SIS_PERIODS, SIS_CLASSES, SIS_ENROLLMENTS, SIS_LINE_ITEMS)

# --- What a person says ---

SUPPRESSIONS: Final = Frame(
    "suppressions",  # what is taken out of passback; kind: assessment, class or student; id: the source's
    {"kind": TEXT, "id": TEXT},
    ("kind", "id"),
)

# --- What the rules say ---

ASSESSMENT_VERDICTS: Final = Frame(
    "assessment_verdicts",  # outcome: passed, held or rejected; codes in the rules' order, one space between
    {"assessment_id": TEXT, "class_id": TEXT, "outcome": TEXT, "codes": TEXT},
    ("assessment_id", "class_id"),
)

SCORE_VERDICTS: Final = Frame(
    "score_verdicts",
    {"assessment_id": TEXT, "class_id": TEXT, "student_id": TEXT, "outcome": TEXT, "codes": TEXT},
    ("assessment_id", "class_id", "student_id"),
)

PASSING_LINE_ITEMS: Final = Frame(
    "passing_line_items",  # what the SIS should hold of every assessment that passed
    {
        "assessment_id": TEXT,
        "class_id": TEXT,
        "sis_class_id": TEXT,
        "title": TEXT,
        "category_id": TEXT,
        "period_id": TEXT,
        "assign_date": TEXT,
        "due_date": TEXT,
        "points_possible": NUMBER,
        "adopts": TEXT,  # the SIS's id of the foreign assignment that it takes over; empty for none
    },
    ("assessment_id", "class_id"),
)

PASSING_RESULTS: Final = Frame(
    "passing_results",  # what the SIS should hold of every score that passed
    {
        "assessment_id": TEXT,
        "class_id": TEXT,
        "student_id": TEXT,
        "sis_class_id": TEXT,
        "sis_student_id": TEXT,
        "score": NUMBER,
        "score_status": TEXT,
        "score_date": TEXT,
        "mark": TEXT,  # late or missing, where the SIS can hold it
    },
    ("assessment_id", "class_id", "student_id"),
)

# --- What is to be written ---

LINE_ITEM_PLAN: Final = Frame(
    "line_item_plan",  # action: create, adopt, change, or resend (the same values once more)
    {"line_item_id": TEXT, **PASSING_LINE_ITEMS.columns, "action": TEXT},
    ("line_item_id",),
)

RESULT_PLAN: Final = Frame(
    "result_plan",  # action: create, change, resend, or clear (removed in the source)
    {"line_item_id": TEXT, **PASSING_RESULTS.columns, "action": TEXT},
    ("line_item_id", "sis_student_id"),
)

CHANGES: Final = Frame(
    "changes",  # the same as a person reads it: kind is "line item" or "result"
    {
        "kind": TEXT,
        "class_id": TEXT,
        "class_title": TEXT,
        "assessment_id": TEXT,
        "assessment_title": TEXT,
        "student_id": TEXT,
        "action": TEXT,
        "field_changes": TEXT,
    },
    (),
)
