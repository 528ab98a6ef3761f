"""What each student information system can hold: one module a SIS, data before code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from passback.errors import ConfigurationError
from passback.sis.aeries import AERIES, AERIES_NATIVE
from passback.sis.aspen import ASPEN
from passback.sis.aspire import ASPIRE
from passback.sis.generic import GENERIC
from passback.sis.infinite_campus import INFINITE_CAMPUS
from passback.sis.powerschool import POWERSCHOOL
from passback.sis.profile import SisProfile
from passback.sis.skyward import SKYWARD
from passback.sis.synergy import SYNERGY

if TYPE_CHECKING:
    from passback.sis.profile import Transport

PROFILES: Final = {
    profile.system: profile
    for profile in (AERIES, ASPEN, ASPIRE, GENERIC, INFINITE_CAMPUS, POWERSCHOOL, SKYWARD, SYNERGY)
}

_NATIVE: Final = {profile.system: profile for profile in (AERIES_NATIVE,)}

__all__ = ["PROFILES", "SisProfile", "profile_of"]


def profile_of(system: str, transport: Transport = "oneroster") -> SisProfile:
    """The profile of a SIS by the name a mapping file gives it, and by the way into its gradebooks.

    Raises:
        ConfigurationError: there is no such profile, or the SIS has no interface of its own here.
    """
    profiles = _NATIVE if transport == "native" else PROFILES
    try:
        return profiles[system]
    except KeyError:
        raise ConfigurationError(
            f"there is no SIS named {system!r} with the transport {transport}",
            where="sis.system",
            mend=f"Use one of: {', '.join(sorted(profiles))}.",
        ) from None
