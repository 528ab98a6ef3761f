"""Synergy (Edupoint) over OneRoster 1.1.

Public: an assignment group in Canvas belongs to the Assignment Type that is called exactly the same; scores
take decimals; an excused score is left out; what was sent is never deleted.

Unverified: the version of OneRoster, all paths and scopes, the limit of a title and the numeric limits.
"""

from __future__ import annotations

from typing import Final

from passback.sis.profile import SisProfile
from passback.sis.scopes import SCOPES_1_1

SYNERGY: Final = SisProfile(
    system="synergy",
    title="Synergy",
    oneroster="1.1",
    base_path="/ims/oneroster/v1p1",
    token_path="/token",  # noqa: S106 - a path
    scopes=SCOPES_1_1,
    connections=4,
    requests_per_second=20.0,
    page_size=1000,
    zero_status="not submitted",
    confirmations={},
    credential_renewal="The Synergy administrator gives a new client id and secret.",
    groups_named_as_categories=True,
)
