"""Aspire, the SIS of Utah's State Board of Education, over OneRoster 1.1 (seed 003).

Its categories belong to a term and are imported into Canvas as assignment groups, each term anew, before an
assignment counts. Grades that changed more than 30 days ago pass in a full run only.

Unverified, because nothing technical is public: all paths, scopes and numeric limits, and whether a result
can hold late and missing, which are therefore left out and counted. Seed 003 limits a title to 50
characters, a newer page to 30: the setting `title_max_length`.
"""

from __future__ import annotations

from typing import Final

from passback.sis.profile import SisProfile
from passback.sis.scopes import SCOPES_1_1

ASPIRE: Final = SisProfile(
    system="aspire",
    title="Aspire",
    oneroster="1.1",
    base_path="/ims/oneroster/v1p1",
    token_path="/token",  # noqa: S106 - a path
    scopes=SCOPES_1_1,
    connections=8,
    requests_per_second=400.0,
    page_size=1000,
    zero_status="not submitted",
    confirmations={},
    credential_renewal="The district asks USBE's Aspire support for a new client key and secret.",
    imports_categories=True,
    words={
        r"categor": (
            "Import the assignment groups of this term from Aspire once more, and move the assignment into"
            " one of them."
        ),
        r"due ?date|outside all terms": "Set a due date inside a term of Aspire.",
    },
)
