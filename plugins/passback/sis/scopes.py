"""The OAuth scopes that passback asks for, by version of OneRoster."""

from __future__ import annotations

from typing import Final

_ASKED: Final = {
    "v1p1": ("roster-core.readonly", "roster.readonly", "gradebook.readonly", "gradebook.createput"),
    # Servers differ on whether gradebook.readonly or its core alone lets one read: both are asked for.
    "v1p2": (
        "roster-core.readonly",
        "roster.readonly",
        "gradebook-core.readonly",
        "gradebook.readonly",
        "gradebook.createput",
    ),
}

SCOPES_1_1: Final = " ".join(
    f"https://purl.imsglobal.org/spec/or/v1p1/scope/{name}" for name in _ASKED["v1p1"]
)
SCOPES_1_2: Final = " ".join(
    f"https://purl.imsglobal.org/spec/or/v1p2/scope/{name}" for name in _ASKED["v1p2"]
)
