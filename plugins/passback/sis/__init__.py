"""What each student information system can hold: one module a SIS, data before code."""

from __future__ import annotations

from typing import Final

from passback.errors import ConfigurationError
from passback.sis.profile import SisProfile
from passback.sis.skyward import SKYWARD

PROFILES: Final = {profile.system: profile for profile in (SKYWARD,)}

__all__ = ["PROFILES", "SisProfile", "profile_of"]


def profile_of(system: str) -> SisProfile:
    """The profile of a SIS by the name a mapping file gives it.

    Raises:
        ConfigurationError: there is no such profile.
    """
    try:
        return PROFILES[system]
    except KeyError:
        raise ConfigurationError(
            f"there is no SIS named {system!r}",
            where="sis.system",
            mend=f"Use one of: {', '.join(sorted(PROFILES))}.",
        ) from None
