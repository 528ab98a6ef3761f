"""One night, made up: what a report is made of."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from passback.report.summary import CHANGE_COLUMNS, NOT_PASSED_COLUMNS, Report

NOT_GRADED = ("score.not_graded", "held", "The work is not graded yet.", "teacher", "Grade it in Otus.")
CLOSED = (
    "period.closed",
    "rejected",
    "The due date lies in a closed period.",
    "teacher",
    "Move the due date.",
)
NO_GROUP = ("assigner.not_in_group", "rejected", "The teacher is not in the group.", "district", "Add them.")


def _not_passed(student: str, reason: tuple[str, ...], title: str) -> dict[str, str]:
    code, outcome, sentence, who, mend = reason
    return {
        "class_id": "bio-1",
        "class_title": "Biology",
        "assessment_id": "a7",
        "assessment_title": title,
        "student_id": student,
        "outcome": outcome,
        "code": code,
        "sentence": sentence,
        "who": who,
        "mend": mend,
        "all_codes": code,
    }


def _reason(reason: tuple[str, ...], *, leading: int, scores: int) -> dict[str, Any]:
    _, outcome, sentence, who, mend = reason
    return {
        "assessments": 1,
        "scores": scores,
        "leading_scores": leading,
        "outcome": outcome,
        "sentence": sentence,
        "who": who,
        "mend": mend,
    }


@pytest.fixture
def night() -> Report:
    """Ten scores: two sent, four unchanged, one held, three rejected."""
    outcomes = {"sent": 2, "unchanged": 4, "held": 1, "rejected": 3, "failed": 0, "cancelled": 0}
    summary = {
        "district": "lakeview",
        "run": "scheduled__2026-11-22T06:00:00+00:00",
        "mode": "changes",
        "state": "good",
        "started_at": "2026-11-22T06:00:00Z",
        "ended_at": "2026-11-22T06:01:12Z",
        "extracted": 10,
        "outcomes": outcomes,
        "reasons": {
            "score.not_graded": _reason(NOT_GRADED, leading=1, scores=1),
            "period.closed": _reason(CLOSED, leading=2, scores=2),
            "assigner.not_in_group": _reason(NO_GROUP, leading=1, scores=3),
        },
        "requests": 12,
        "failed_task": "",
        "message": "",
        "name": "Lakeview Unified School District",
        "timezone": "America/Los_Angeles",
        "classes": [{"class_id": "bio-1", "title": "Biology", "extracted": 10, **outcomes}],
        "for_a_person": [
            {
                "kind": "deleted_in_source",
                "class_title": "Biology",
                "assessment_title": "Frogs",
                "scores": 3,
                "sentence": "It was deleted in Otus and still stands in the gradebook.",
            }
        ],
        "written": {"line_items": 0, "results": 2},
        "limit": {
            "known": 6,
            "changed": 2,
            "vanished": 0,
            "refused": 1,
            "asks": False,
            "share": 0.3,
            "at_least": 50,
            "classes": [
                {
                    "class_id": "bio-1",
                    "title": "Biology",
                    "known": 6,
                    "changed": 2,
                    "vanished": 0,
                    "refused": 1,
                }
            ],
        },
        "decision": {"decision": "", "by": "", "at": ""},
        "marks_left_out": {},
        "category_changes": None,
        "rule_set": "5f3a",
        "mapping_file": "9d31",
    }
    not_passed = pd.DataFrame(
        [
            _not_passed("S-1001", NOT_GRADED, "Cells"),
            _not_passed("S-1002", CLOSED, "<script>alert(1)</script>"),
            _not_passed("S-1003", CLOSED, "=HYPERLINK(1)"),
            _not_passed("S-1004", NO_GROUP, "Müller & søn"),
        ],
        columns=list(NOT_PASSED_COLUMNS),
    )
    changes = pd.DataFrame(
        [
            ("line item", "Biology", "Leaves", "", "change", "title Leafs → Leaves"),
            ("result", "Biology", "Leaves", "S-2001", "create", "score 80"),
            ("result", "Biology", "Leaves", "S-2002", "create", "score 85"),
        ],
        columns=list(CHANGE_COLUMNS),
    )
    return Report(summary, not_passed, changes)
