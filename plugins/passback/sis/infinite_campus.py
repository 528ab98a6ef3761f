"""Infinite Campus over OneRoster 1.2.

Public: rostering lies below `/api/ims/oneroster/rostering/v1p2`; Campus Learning must be bought and the
OneRoster connection have Grade Book Sync enabled; a due date is required and refused outside of an open
grading period; Canvas allows titles of 30 characters, Otus of 49.

Unverified: the path of the gradebook (the standard's is taken), the token's address, which Campus shows as
the Authentication URL and a connection must name, the numeric limits, and how the 1.2 fields late and
missing are shown. Of the two limits of a title the stricter is the default, because both vendors' scores
arrive within it: the setting `title_max_length`. A second key that Campus asks of partners
(X-Vendor-Authorization) is not supported.
"""

from __future__ import annotations

from typing import Final

from passback.sis.profile import SisProfile
from passback.sis.scopes import SCOPES_1_2

INFINITE_CAMPUS: Final = SisProfile(
    system="infinite_campus",
    title="Infinite Campus",
    oneroster="1.2",
    base_path="/api/ims/oneroster/rostering/v1p2",
    gradebook_path="/api/ims/oneroster/gradebook/v1p2",
    token_path="/token",  # noqa: S106 - a path
    scopes=SCOPES_1_2,
    connections=4,
    requests_per_second=20.0,
    page_size=1000,
    zero_status="not submitted",
    confirmations={
        "campus_learning": "The district has bought Campus Learning.",
        "grade_book_sync": "The OneRoster connection in Infinite Campus has Grade Book Sync enabled.",
    },
    credential_renewal=(
        "The Campus administrator renews key and secret of this OneRoster connection; they expire every year."
    ),
    late_and_missing="flags",
    words={
        r"assignment dates? error": "Set a due date inside a grading period that is open in Infinite Campus.",
        r"determine class or grading period": (
            "Set a due date inside a grading period of this section in Infinite Campus."
        ),
        r"timed out|exchange error": "Nothing if it was a passing fault: the next run tries again.",
        r"unable to process score": (
            "Look whether the student is enrolled in this section in Infinite Campus and the assignment"
            " takes points."
        ),
    },
)
