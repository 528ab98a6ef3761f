"""The settings that a district may change under `rules`, kept as long as the suites stay as they are."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from passback import paths
from passback.rules.suites import read_suites, suite_paths
from passback.sis import PROFILES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from passback.rules.settings import Setting

SuiteState = tuple[str, str, int, int]
"""SIS, file, and the time and size that tell one version of a suite from the next."""


def suites_state() -> tuple[SuiteState, ...]:
    """Every suite there is, with what tells one version of it from the next."""
    states = []
    for system in PROFILES:
        for file in suite_paths(paths.expectations(), system):
            try:
                state = file.stat()
            except OSError:
                continue
            states.append((system, str(file), state.st_mtime_ns, state.st_size))
    return tuple(states)


@lru_cache(maxsize=64)
def settings_in(system: str, suites: tuple[SuiteState, ...]) -> Mapping[str, Setting]:
    """The settings of a SIS in suites as `suites_state` found them; none if it has no suites.

    Raises:
        ConfigurationError: a suite is missing or not what it must be.
    """
    if not any(owner == system for owner, *_ in suites):
        return {}
    return read_suites(paths.expectations(), system).settings
