"""An assignment on its way into a gradebook, and as it stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from passback.oneroster.held import HELD_LINE_ITEMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from passback.aeries.records import Assignment, Category, Gradebook
    from passback.gradebook import LineItemRow

_SUMMATIVE: Final = "S"  # what Aeries itself takes where nothing is said


def category_name(category: Category) -> str:
    """What a category goes by: its description, for another gradebook may have given its code to another."""
    return category.description.strip()


def category_code(gradebook: Gradebook, name: str) -> str:
    """The code of the one category of a gradebook that has this name; empty if there is none, or several.

    Aeries puts an assignment whose category it does not know into the first one, and says nothing.
    """
    codes = {found.code for found in gradebook.assignment_categories if category_name(found) == name.strip()}
    return codes.pop() if name.strip() and len(codes) == 1 else ""


def inserted(row: LineItemRow, code: str) -> dict[str, Any]:
    """The body that makes an assignment; our id is its ExternalID, by which it is found again.

    Args:
        row: The line item.
        code: The code of its category in the gradebook.
    """
    return {
        **_ours(row, code),
        "Comment": "",
        "FormativeSummativeIndicator": _SUMMATIVE,
        "RubricAssignment": False,
        "ExternalID": row.line_item_id,
        "CreateInLinkedGradebooksToo": False,
    }


def updated(row: LineItemRow, code: str, held: Assignment) -> dict[str, Any]:
    """The body that changes an assignment and keeps what its teacher wrote: what is left out is reset.

    Args:
        row: The line item.
        code: The code of its category in the gradebook.
        held: The assignment as it stands.
    """
    return {
        **_ours(row, code),
        "Comment": held.comment,
        "FormativeSummativeIndicator": held.formative_summative_indicator or _SUMMATIVE,
        "RubricAssignment": held.rubric_assignment,
        # The key of another system, in an assignment that was taken over, is that system's.
        "ExternalID": held.external_id or row.line_item_id,
        "GradingCompleted": held.grading_completed,
        "UpdateLinkedGradebooksToo": False,
    }


def _ours(row: LineItemRow, code: str) -> dict[str, Any]:
    return {
        "Description": row.title,
        "AssignmentCategoryCode": code,
        "DateAssigned": row.assign_date,
        "DateDue": row.due_date,
        "NumberCorrectPossible": row.points_possible,
        "PointsPossible": row.points_possible,
    }


def not_as_sent(held: Assignment, code: str, points_possible: float) -> str:
    """What of an assignment makes its scores wrong, in words; empty if nothing does.

    Its title, dates and points are not looked at: they are compared when the gradebook is read back.
    """
    if held.assignment_category is None or held.assignment_category.code != code:
        return "stored in another category than it was sent for; correct it in the gradebook"
    if held.rubric_assignment:
        return "it is scored by a rubric in the gradebook, so that it takes no points"
    if held.number_correct_possible != points_possible:
        return "stored with another number of correct answers than points; correct it in the gradebook"
    return ""


def held_assignments(assignments: Iterable[tuple[str, Assignment]]) -> pd.DataFrame:
    """What stands in some gradebooks, as `HELD_LINE_ITEMS`; the category by its name.

    Args:
        assignments: Each with its class.
    """
    rows = [
        {
            "line_item_id": found.unique_id,
            "passback_id": found.external_id,
            "sis_class_id": sis_class_id,
            "title": found.description,
            "category_id": category_name(found.assignment_category) if found.assignment_category else "",
            "period_id": "",
            "assign_date": found.date_assigned,
            "due_date": found.date_due,
            "points_possible": found.points_possible,
        }
        for sis_class_id, found in assignments
    ]
    held = HELD_LINE_ITEMS.conform(pd.DataFrame(rows, columns=list(HELD_LINE_ITEMS.columns)))
    return held.drop_duplicates("line_item_id", ignore_index=True)
