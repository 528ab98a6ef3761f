"""The way into a district's gradebooks that its mapping file chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passback.aeries import AeriesGradebook
from passback.oneroster import Limits, Retries
from passback.oneroster.gradebook import OneRosterGradebook
from passback.sis import profile_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from passback.connections import Endpoint
    from passback.gradebook import Gradebook
    from passback.mapping.model import District


def gradebook_of(
    district: District,
    endpoint: Endpoint,
    *,
    now: datetime,
    clock: Callable[[], datetime],
    retries: Retries = Retries(),
    timeout: float = 60.0,
) -> Gradebook:
    """The gradebooks of a district's SIS, not yet open, within the SIS's limits.

    Args:
        district: Its mapping file.
        endpoint: Its SIS's connection.
        now: The instant that the run judges by, with its zone.
        clock: The time now, with its zone.
        retries: How long a request is tried again.
        timeout: Seconds a single answer may take.

    Raises:
        ConfigurationError: a setting of the connection is wrong.
    """
    profile = profile_of(district.sis.system, district.sis.transport)
    limits = Limits(
        connections=district.sis.connections or profile.connections,
        requests_per_second=district.sis.requests_per_second or profile.requests_per_second,
    )
    if district.sis.transport == "native":
        today = now.astimezone(district.zone).date()
        return AeriesGradebook(
            endpoint,
            profile,
            today=today,
            gradebooks=district.sis.gradebooks,
            limits=limits,
            retries=retries,
            timeout=timeout,
        )
    return OneRosterGradebook(
        endpoint,
        profile,
        clock=clock,
        late_and_missing=district.sis.late_and_missing,
        limits=limits,
        retries=retries,
        timeout=timeout,
    )
