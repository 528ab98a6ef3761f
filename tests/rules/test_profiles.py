"""What a SIS's profile says holds together, and its words are found in the vendors' own errors."""

from __future__ import annotations

import re

import pytest

from passback.sis import PROFILES, profile_of

# As vendors' public pages give them, with made-up names in the brackets.
ERRORS: list[tuple[str, str, str]] = [
    ("aeries", "Grading category [Lab] not found in OneRoster for [994_1001].", "Add this category"),
    ("aeries", "Gradebook number does not match.", "unlink it"),
    ("aeries", "Invalid assignment ID (lineItem sourcedId is invalid).", "full run"),
    ("aeries", 'Multiple matches found for "[Unit 1]" due on [2026-10-27] in OneRoster.', "delete or rename"),
    ("aeries", "Student Does Not Belong", "Enroll"),
    ("aeries", "Gradebook Section Not Found", "create a gradebook"),
    ("aeries", "Permission missing: update on Gradebook Scores.", "API Security"),
    ("aspen", "Grading Category Not Found", "category in Aspen"),
    ("aspen", "Rest Easy: Could Not Find Resource", "no longer in Aspen"),
    ("aspen", "Validation Exception: a value", "cannot hold"),
    ("infinite_campus", "Assignment Dates Error", "grading period"),
    ("infinite_campus", "Could Not Determine Class or Grading Period", "due date"),
    ("infinite_campus", "Unable to Process Score", "enrolled"),
    ("powerschool", "403 Forbidden Rate Limit", "requests_per_second"),
    ("powerschool", "Assignment is Locked", "Unlock"),
    ("powerschool", "Teacher Category ID", "active"),
]


@pytest.mark.parametrize(
    ("sis", "error", "mend"), ERRORS, ids=[f"{sis}: {error}" for sis, error, _ in ERRORS]
)
def test_a_sis_has_words_for_its_own_errors(sis: str, error: str, mend: str) -> None:
    words = PROFILES[sis].words
    found = [said for pattern, said in words.items() if re.search(pattern, error, re.IGNORECASE)]
    assert found
    assert mend in found[0]


@pytest.mark.parametrize("sis", sorted(PROFILES))
def test_a_profile_holds_together(sis: str) -> None:
    profile = profile_of(sis)
    assert profile.system == sis
    assert (profile.late_and_missing == "flags") <= (profile.oneroster == "1.2")
    assert (profile.late_and_missing == "comment") == (profile.comment_limit > 0)
    assert profile.base_path.startswith("/")
    assert f"/v{profile.oneroster.replace('.', 'p')}/" in profile.scopes or not profile.scopes
    for said in (*profile.words.values(), *profile.confirmations.values(), profile.credential_renewal):
        assert said.endswith(".")
    for pattern in (*profile.words, profile.class_without_master_schedule):
        re.compile(pattern)


@pytest.mark.parametrize(
    ("class_id", "without"),
    [("990_TN_421", True), ("994_1001", False), ("991_2101", False), ("990", False), ("TN_421", False)],
)
def test_aeries_class_ids_tell_schools_without_a_master_schedule(class_id: str, without: bool) -> None:  # noqa: FBT001 - a column of the table
    pattern = profile_of("aeries").class_without_master_schedule
    assert (re.fullmatch(pattern, class_id) is not None) is without
