"""Any SIS that speaks plain OneRoster 1.2 and has no rules of its own.

The paths are the standard's; a connection overrides them, and a mapping file the numeric limits.
"""

from __future__ import annotations

from typing import Final

from passback.sis.profile import SisProfile
from passback.sis.scopes import SCOPES_1_2

GENERIC: Final = SisProfile(
    system="generic",
    title="OneRoster SIS",
    oneroster="1.2",
    base_path="/ims/oneroster/rostering/v1p2",
    gradebook_path="/ims/oneroster/gradebook/v1p2",
    token_path="/token",  # noqa: S106 - a path
    scopes=SCOPES_1_2,
    connections=8,
    requests_per_second=400.0,
    page_size=1000,
    zero_status="not submitted",
    confirmations={},
    credential_renewal="The administrator of the SIS gives a new client secret.",
    late_and_missing="flags",
    deletes="delete",
    creates_categories=True,
)
