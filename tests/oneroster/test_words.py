"""What to do about a refusal, found by the SIS's own words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from passback.sis import PROFILES
from passback.sis.words import mend_of

PROFILE = replace(
    PROFILES["skyward"],
    words={r"category .*not found": "Add the category.", r"found": "Look for it.", r"^locked": "Unlock it."},
)


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        ("Grading Category [Lab] NOT FOUND in the gradebook.", "Add the category."),
        ("Nothing found", "Look for it."),
        ("locked", "Unlock it."),
        ("The gradebook is locked", ""),
        ("", ""),
    ],
)
def test_the_first_pattern_that_is_found_in_the_words_tells_what_to_do(words: str, mend: str) -> None:
    assert mend_of(words, PROFILE) == mend


def test_a_sis_without_known_words_tells_nothing() -> None:
    assert mend_of("category not found", replace(PROFILE, words={})) == ""
