"""A setting of the rules: what a suite declares of it, and what a district may put in its place."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, SkipValidation, StringConstraints, model_validator

from passback.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

SettingValue = bool | int | float | str
"""A date is ISO text, like the columns that it is held against."""

# In the words of `kind_of`.
_WORDS: Final = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "date": "a date",
}
_FORMS: Final = {"string": "in quotes, on one line, without spaces around it", "date": "as year-month-day"}


class Setting(BaseModel):
    """A setting that a suite declares under `meta.settings`; its default is null or fits it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    default: SkipValidation[SettingValue | None]
    type: Literal["boolean", "integer", "number", "string", "date"]
    says: Annotated[str, StringConstraints(min_length=1)]
    minimum: float | None = None
    maximum: float | None = None

    @model_validator(mode="after")
    def _default_fits(self) -> Setting:
        if self.default is not None and not self._fits(self.default):
            raise ValueError(f"its `default` should be {self.expected}")
        return self

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        least = "" if self.minimum is None else f"at least {self.minimum:.15g}"
        most = "" if self.maximum is None else f"at most {self.maximum:.15g}"
        return ", ".join(filter(None, [_WORDS[self.type], _FORMS.get(self.type), least, most]))

    def read(self, value: Any, *, where: str = "") -> SettingValue:
        """A value that a district gives this setting, in the setting's type.

        Args:
            value: What the district says; a date is a day or ISO text.
            where: Where it says so, for the error.

        Raises:
            ConfigurationError: it is of another type or out of range; the value is not repeated.
        """
        read = value.isoformat() if self.type == "date" and isinstance(value, dt.date) else value
        if self._fits(read):
            return read
        kind = kind_of(value)
        found = "" if kind == _WORDS[self.type] else f", found {kind}"
        raise ConfigurationError(
            f"expected {self.expected}{found}.",
            where=where,
            mend=f"{self.says} Write {self.expected}. Default: {json.dumps(self.default)}.",
        )

    def _fits(self, value: Any) -> bool:
        if self.type == "boolean":
            return isinstance(value, bool)
        if self.type == "string":
            return isinstance(value, str) and value.isprintable() and value == value.strip() != ""
        if self.type == "date":
            return isinstance(value, str) and _is_day(value)
        if isinstance(value, bool) or not isinstance(value, int if self.type == "integer" else int | float):
            return False
        # Written so that not-a-number fits nowhere.
        least = -math.inf if self.minimum is None else self.minimum
        most = math.inf if self.maximum is None else self.maximum
        return abs(value) < math.inf and least <= value <= most


def read_setting(declared: Mapping[str, Setting], name: str, value: Any) -> SettingValue:
    """The value that a district gives a setting under `rules:`.

    Raises:
        ConfigurationError: the setting is unknown, or the value of another type or out of range.
    """
    if name not in declared:
        raise ConfigurationError(
            "there is no such setting for this SIS.",
            where=f"rules.{name}",
            mend=f"Settings: {', '.join(sorted(declared)) or 'none'}.",
        )
    return declared[name].read(value, where=f"rules.{name}")


def kind_of(value: Any) -> str:
    """What a value is, in words, without telling the value."""
    kinds: tuple[tuple[Any, str], ...] = (
        (bool, "true or false"),
        (str, "text" if value else "empty text"),
        (dt.datetime, "a date with a time"),
        (dt.date, "a date"),
        ((list, tuple), "a list"),
        (dict, "fields with values"),
        (int, "a whole number"),
        (float, "a number"),
    )
    if value is None:
        return "nothing"
    return next((words for kind, words in kinds if isinstance(value, kind)), "something else")


def _is_day(text: str) -> bool:
    try:
        # It also reads weeks, and days without dashes.
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
