"""Skyward, SMS 2.0 and Qmlativ (seed 001).

Unverified, because Skyward publishes no pattern for them: the base path, the token path and the numeric
limits. A connection overrides both paths; a mapping file overrides the limits.
"""

from __future__ import annotations

from typing import Final

from passback.sis.profile import SisProfile
from passback.sis.scopes import SCOPES_1_1

SKYWARD: Final = SisProfile(
    system="skyward",
    title="Skyward",
    oneroster="1.1",
    base_path="/ims/oneroster/v1p1",
    token_path="/token",  # noqa: S106 - a path
    scopes=SCOPES_1_1,
    connections=8,
    requests_per_second=400.0,
    page_size=1000,
    zero_status="not submitted",
    confirmations={
        "oneroster_licence": "The district has bought the Skyward LMS/OneRoster API licence.",
        "use_grade_unchecked": (
            "“Use Grade When Posting Secondary Gradebook Assignment Scores” is unchecked under Skyward"
            " Contact Access > District Setup > Configuration > API Configuration."
        ),
    },
    credential_renewal=(
        "Skyward SMS: the district generates a new key and secret. Qmlativ: the vendor renews them in the"
        " Skyward Partner Portal."
    ),
)
