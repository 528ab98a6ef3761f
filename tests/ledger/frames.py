"""Short forms of the frames that the ledger takes."""

from __future__ import annotations

import pandas as pd

ANSWERED = pd.Timestamp("2026-11-22T22:00:01Z")


def line_item_plan(*line_item_ids: str, **changed: object) -> pd.DataFrame:
    """A plan of line items that differ in their ids only."""
    line_item = {
        "line_item_id": list(line_item_ids),
        "assessment_id": "essay",
        "class_id": "7b",
        "sis_class_id": "sis-7b",
        "title": "Essay",
        "category_id": "homework",
        "period_id": "q3",
        "assign_date": "2026-11-02",
        "due_date": "2026-11-20",
        "points_possible": 100.0,
        "adopts": "",
        "action": "create",
        "sis_line_item_id": "",
    }
    return pd.DataFrame(line_item | changed)


def result_plan(*students: str, line_item_id: str = "item-1", **changed: object) -> pd.DataFrame:
    """A plan of results of one line item that differ in the student only."""
    result = {
        "line_item_id": line_item_id,
        "assessment_id": "essay",
        "class_id": "7b",
        "student_id": list(students),
        "sis_class_id": "sis-7b",
        "sis_student_id": [f"sis-{student}" for student in students],
        "score": 80.0,
        "score_status": "graded",
        "score_date": "2026-11-21",
        "mark": "",
        "action": "create",
        "sis_result_id": "",
    }
    return pd.DataFrame(result | changed)


def line_item_answers(
    *line_item_ids: str,
    state: str = "accepted",
    status: int | None = 201,
    words: str = "",
    sis_id: str = "",
) -> pd.DataFrame:
    """The same answer for some line items."""
    return pd.DataFrame(
        {
            "line_item_id": list(line_item_ids),
            "state": state,
            "status": status,
            "words": words,
            "answered_at": ANSWERED,
            "sis_id": sis_id,
        }
    )


def result_answers(
    *students: str,
    line_item_id: str = "item-1",
    state: str = "accepted",
    status: int | None = 201,
    words: str = "",
    sis_id: str = "",
) -> pd.DataFrame:
    """The same answer for some students' results."""
    return pd.DataFrame(
        {
            "line_item_id": line_item_id,
            "sis_student_id": [f"sis-{student}" for student in students],
            "state": state,
            "status": status,
            "words": words,
            "answered_at": ANSWERED,
            "sis_id": sis_id,
        }
    )


def read_back(*students: str, line_item_id: str = "item-1", state: str = "confirmed") -> pd.DataFrame:
    """What reading back showed of some students' results."""
    return pd.DataFrame(
        {
            "line_item_id": line_item_id,
            "sis_student_id": [f"sis-{student}" for student in students],
            "state": state,
        }
    )


def judged(outcome: str, *students: str, codes: str = "", class_id: str = "7b") -> pd.DataFrame:
    """The same outcome for some students' scores."""
    return pd.DataFrame(
        {
            "assessment_id": "essay",
            "class_id": class_id,
            "student_id": list(students),
            "outcome": outcome,
            "codes": codes,
        }
    )
