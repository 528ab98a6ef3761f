"""What a SIS's own words for a refusal mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passback.sis.profile import SisProfile


def mend_of(words: str, profile: SisProfile) -> str:
    """What to do about a refusal, found by the SIS's own words in its profile; empty if they are not known.

    Args:
        words: What the SIS said, as the ledger keeps it.
        profile: The SIS; of several of its patterns that are found, the first counts.
    """
    for pattern, mend in profile.words.items():
        if re.search(pattern, words, flags=re.IGNORECASE):
            return mend
    return ""
