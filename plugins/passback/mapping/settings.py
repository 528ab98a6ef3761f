"""The settings that a district may change under `rules`: the suites of its SIS declare them.

A suite declares them under `meta.settings` as `name: {default, type, says, minimum, maximum}`. It is read
as plain JSON: what a district may write must not need Great Expectations, which is slow to import.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from passback import paths
from passback.errors import ConfigurationError
from passback.mapping.checks import WrongError, date, kind_of, text
from passback.sis import PROFILES

if TYPE_CHECKING:
    from collections.abc import Mapping

SUITES: Final = ("assessments.json", "scores.json")

SettingValue = bool | int | float | str | dt.date

SuiteState = tuple[str, str, int, int]
"""SIS, file, and the time and size that tell one version of a suite from the next."""


class Setting(BaseModel):
    """A setting that a SIS's suites declare under `meta.settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    default: SettingValue | None
    type: Literal["boolean", "integer", "number", "string", "date"]
    says: str
    minimum: float | None = None
    maximum: float | None = None

    def read(self, value: Any) -> SettingValue:
        """`value` as this setting's type.

        Raises:
            WrongError: it is of another type or out of range.
        """
        if self.type == "date":
            return date(value)
        if self.type == "string":
            return text(value)
        mend = f"{self.says} Default: {json.dumps(self.default)}."
        if self.type == "boolean":
            fits = isinstance(value, bool)
        else:
            finite = not isinstance(value, float) or math.isfinite(value)
            number = isinstance(value, int if self.type == "integer" else int | float)
            fits = number and finite and not isinstance(value, bool)
        if not fits:
            raise WrongError.of(f"expected {self._expected()}, found {kind_of(value)}.", mend)
        too_small = self.minimum is not None and value < self.minimum
        if too_small or (self.maximum is not None and value > self.maximum):
            raise WrongError.of(f"expected {self._expected()}.", mend)
        return value  # type: ignore[no-any-return]

    def _expected(self) -> str:
        words = {"boolean": "true or false", "integer": "a whole number"}.get(self.type, f"a {self.type}")
        least = [] if self.minimum is None else [f"at least {self.minimum:g}"]
        most = [] if self.maximum is None else [f"at most {self.maximum:g}"]
        return ", ".join([words, *least, *most])


def read_settings(system: str) -> Mapping[str, Setting]:
    """The settings that the suites of a SIS declare, by name.

    Raises:
        ConfigurationError: a suite is not JSON, or declares a setting wrongly or twice.
    """
    return settings_in(system, suites_state())


def suites_state() -> tuple[SuiteState, ...]:
    """Every suite that may declare settings, with what tells one version of it from the next."""
    folder = paths.expectations()
    states = []
    for system in PROFILES:
        for name in SUITES:
            file = folder / system / name
            try:
                state = file.stat()
            except OSError:
                continue
            states.append((system, str(file), state.st_mtime_ns, state.st_size))
    return tuple(states)


@lru_cache(maxsize=64)
def settings_in(system: str, suites: tuple[SuiteState, ...]) -> Mapping[str, Setting]:
    """The settings of a SIS in suites as `suites_state` found them.

    Raises:
        ConfigurationError: a suite is not JSON, or declares a setting wrongly or twice.
    """
    settings: dict[str, Setting] = {}
    for owner, file, *_ in suites:
        if owner != system:
            continue
        for name, setting in _declared(file).items():
            if settings.setdefault(name, setting) != setting:
                raise ConfigurationError(
                    f"the setting {name} is declared differently in another suite of {system}.",
                    where=file,
                    mend="Declare it in one suite only.",
                )
    return settings


def _declared(file: str) -> dict[str, Setting]:
    try:
        suite = json.loads(Path(file).read_text(encoding="utf-8"))
        declared = suite.get("meta", {}).get("settings", {})
        settings = {name: Setting.model_validate(setting) for name, setting in declared.items()}
        for setting in settings.values():
            if setting.default is not None:
                setting.read(setting.default)
    except (OSError, ValueError, AttributeError) as error:
        declares = isinstance(error, ValidationError | WrongError | AttributeError)
        raise ConfigurationError(
            "this suite declares a setting wrongly." if declares else "this suite cannot be read as JSON.",
            where=file,
            mend="Each setting needs default, type (boolean, integer, number, string or date) and says.",
        ) from error
    return settings
