"""What each student information system can hold: one module a SIS, data before code."""

from __future__ import annotations

from typing import Final

from passback.errors import ConfigurationError
from passback.sis.aeries import AERIES
from passback.sis.aspen import ASPEN
from passback.sis.aspire import ASPIRE
from passback.sis.generic import GENERIC
from passback.sis.infinite_campus import INFINITE_CAMPUS
from passback.sis.powerschool import POWERSCHOOL
from passback.sis.profile import SisProfile
from passback.sis.skyward import SKYWARD
from passback.sis.synergy import SYNERGY

PROFILES: Final = {
    profile.system: profile
    for profile in (AERIES, ASPEN, ASPIRE, GENERIC, INFINITE_CAMPUS, POWERSCHOOL, SKYWARD, SYNERGY)
}

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
