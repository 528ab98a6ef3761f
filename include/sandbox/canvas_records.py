"""The records of the sandbox's Canvas: which fields each kind has, and what they hold where nobody says."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sandbox.canvas_store import Record

ACCOUNT_ID: Final = 1
CALLER_ID: Final = 1  # the account's administrator, whose token it is
TERM_ID: Final = 1

_EMPTY: Final[dict[str, Record]] = {
    "account": {
        "id": None,
        "name": "",
        "workflow_state": "active",
        "parent_account_id": None,
        "root_account_id": None,
        "uuid": "",
        "default_time_zone": "America/Los_Angeles",
        "sis_account_id": None,
        "integration_id": None,
    },
    "term": {
        "id": None,
        "name": "",
        "start_at": None,
        "end_at": None,
        "created_at": None,
        "workflow_state": "active",
        "sis_term_id": None,
    },
    "grading_period": {
        "id": None,
        "title": "",
        "start_date": None,
        "end_date": None,
        "close_date": None,
        "is_closed": False,
    },
    "user": {
        "id": None,
        "name": "",
        "sortable_name": "",
        "short_name": "",
        "created_at": None,
        "sis_user_id": None,
        "integration_id": None,
        "login_id": None,
    },
    "course": {
        "id": None,
        "name": "",
        "course_code": "",
        "account_id": ACCOUNT_ID,
        "root_account_id": ACCOUNT_ID,
        "enrollment_term_id": TERM_ID,
        "workflow_state": "available",
        "sis_course_id": None,
        "integration_id": None,
        "start_at": None,
        "end_at": None,
        "created_at": None,
        "time_zone": "America/Los_Angeles",
        "default_view": "assignments",
        "apply_assignment_group_weights": False,
        "is_public": False,
        "blueprint": False,
    },
    "section": {
        "id": None,
        "course_id": None,
        "name": "",
        "start_at": None,
        "end_at": None,
        "created_at": None,
        "sis_section_id": None,
        "integration_id": None,
        "nonxlist_course_id": None,
        "restrict_enrollments_to_section_dates": None,
    },
    "enrollment": {
        "id": None,
        "course_id": None,
        "course_section_id": None,
        "user_id": None,
        "root_account_id": ACCOUNT_ID,
        "type": "StudentEnrollment",
        "role": "StudentEnrollment",
        "enrollment_state": "active",
        "sis_import_id": None,
        "created_at": None,
        "updated_at": None,
        "start_at": None,
        "end_at": None,
        "associated_user_id": None,
        "limit_privileges_to_course_section": False,
    },
    "assignment_group": {
        "id": None,
        "course_id": None,
        "name": "",
        "position": 1,
        "group_weight": 0.0,
        "sis_source_id": None,
        "integration_data": {},
        "rules": {},
    },
    "assignment": {
        "id": None,
        "course_id": None,
        "name": "",
        "description": "",
        "position": 1,
        "assignment_group_id": None,
        "points_possible": 100.0,
        "grading_type": "points",
        "submission_types": ["online_upload"],
        "published": True,
        "workflow_state": "published",
        "post_to_sis": True,
        "omit_from_final_grade": False,
        "only_visible_to_overrides": False,
        "created_at": None,
        "updated_at": None,
        "due_at": None,
        "unlock_at": None,
        "lock_at": None,
        "sis_assignment_id": None,
        "integration_id": None,
        "integration_data": {},
        "grading_standard_id": None,
        "group_category_id": None,
        "peer_reviews": False,
        "moderated_grading": False,
        "muted": False,
        "overrides": [],
        "in_closed_grading_period": None,
    },
    "submission": {
        "id": None,
        "course_id": None,
        "assignment_id": None,
        "user_id": None,
        "score": None,
        "grade": None,
        "workflow_state": "unsubmitted",
        "submitted_at": None,
        "graded_at": None,
        "posted_at": None,
        "grader_id": None,
        "grade_matches_current_submission": True,
        "excused": False,
        "late": None,
        "missing": None,
        "late_policy_status": None,
        "points_deducted": None,
        "attempt": None,
        "submission_type": None,
        "body": None,
        "url": None,
        "redo_request": False,
        "extra_attempts": None,
    },
}

FIELDS: Final = {kind: frozenset(record) for kind, record in _EMPTY.items()}


def new(kind: str, **values: Any) -> Record:
    """A record of a kind with the given values; the rest as Canvas has it where nobody says otherwise.

    Raises:
        ValueError: there is no such field.
    """
    if unknown := set(values) - FIELDS[kind]:
        message = f"a Canvas {kind} has no {', '.join(sorted(unknown))}"
        raise ValueError(message)
    return copy.deepcopy(_EMPTY[kind]) | values
