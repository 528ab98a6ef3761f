"""What a district is: the model of its mapping file.

Nothing here reads a file: `file` does, and adds the lines. The rules are those of RULES.md
("Checked when the mapping file is read").
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic reads the annotations
from collections.abc import Iterable, Mapping  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from passback.errors import ConfigurationError
from passback.mapping.checks import (
    Problem,
    WrongError,
    connection_id,
    cron,
    date,
    district_name,
    gradebook_numbers,
    nearest,
    one_of,
    text,
    text_list,
    time_zone,
)
from passback.rules.settings import Setting, SettingValue, kind_of, read_setting
from passback.sis import PROFILES
from passback.sources import SOURCES

if TYPE_CHECKING:
    from passback.sis import SisProfile
    from passback.sis.profile import Transport

Text = Annotated[str, BeforeValidator(text)]
ConnectionId = Annotated[str, BeforeValidator(connection_id)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class Source(_Part):
    """Where scores come from."""

    system: Annotated[str, BeforeValidator(one_of(SOURCES))]
    """The learning platform."""
    connection: ConnectionId
    """Id of the Airflow connection that holds its address and credential."""


class Sis(_Part):
    """Where scores go; the limits override those of the SIS's profile."""

    system: Annotated[str, BeforeValidator(one_of(PROFILES))]
    """The student information system."""
    connection: ConnectionId
    """Id of the Airflow connection that holds its address and credential."""
    connections: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Requests it may have under way at once."""
    requests_per_second: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] | None = None
    """Requests it may be sent in a second."""
    transport: Literal["oneroster", "native"] = "oneroster"
    """The way into its gradebooks: OneRoster, or an interface of its own (Aeries)."""
    gradebooks: Annotated[Mapping[str, int], BeforeValidator(gradebook_numbers)] = Field(default_factory=dict)
    """Over its own interface: of classes with several gradebooks, by the SIS's ids, the number of the one."""
    late_and_missing: Literal["flags", "comment", "none"] | None = None
    """How late and missing go out: as the fields of OneRoster 1.2, as a comment, or not at all."""
    schools_without_master_schedule: Annotated[tuple[Text, ...], BeforeValidator(text_list)] = ()
    """Elementary schools without a master schedule, by the SIS's ids, if the SIS does not say so itself."""
    linked_gradebooks: Annotated[tuple[Text, ...], BeforeValidator(text_list)] = ()
    """Classes whose gradebook is linked to others, by the SIS's ids, if the SIS does not say so itself."""
    adopt: bool = False
    """Whether one assignment of the same title and due date that stands in a class already is taken over."""
    recreate: bool = False
    """Whether an assignment that somebody removed in the SIS is written anew, with all its scores."""
    create_categories: bool = False
    """Whether a category of `categories` that the SIS lacks is created there."""
    removed_scores: Literal["report", "clear"] = "report"
    """What becomes of a score that is removed in the source: listed for a person, or cleared in the SIS."""

    @field_validator("transport", "gradebooks", "late_and_missing", "create_categories", "removed_scores")
    @classmethod
    def _sis_can(cls, value: Any, info: ValidationInfo) -> Any:
        profile = PROFILES.get(info.data.get("system", ""))
        transport = info.data.get("transport", "")  # empty: another than there is, which is told already
        if profile is not None and (cannot := _beyond(profile, transport, info.field_name or "", value)):
            raise WrongError.of(f"{profile.title} {cannot}.", "Leave it out.")
        return value


class Limits(_Part):
    """How much a run may change before it stops and asks (RULES section 5)."""

    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.3
    """The share of the scores that the SIS is known to hold."""
    at_least: Annotated[int, Field(ge=1, le=1_000_000_000)] = 50
    """The number of scores below which it never asks."""


class Drift(_Part):
    """What a reconcile run does about what a person changed in the SIS after it was sent."""

    scores: Literal["report", "keep", "overwrite"] = "report"
    """Scores: listed for a person, kept as they are and sent no more, or sent again."""
    assignments: Literal["report", "keep", "overwrite"] = "report"
    """Assignments: listed, with a teacher's own title and category left alone; all that was changed kept; or
    sent again."""


class District(_Part):
    """A district: what its mapping file says.

    Validate with a context to have more checked: `settings`, by name, are what `rules` may hold; `source`
    and `sis` are the systems' names, so that what depends on them is checked though another of their
    fields is wrong.
    """

    district: Annotated[str, BeforeValidator(district_name)]
    """The DAG's id and the file's name: letters, digits, - and _."""
    name: Text
    """The name people use."""
    timezone: Annotated[str, BeforeValidator(time_zone)]
    """Its time zone, such as America/Los_Angeles: the schedule and all dates are read in it."""
    schedule: Annotated[str | None, BeforeValidator(cron)]
    """Cron expression of five fields in that time zone; null: only by hand."""
    effective_date: Annotated[dt.date, BeforeValidator(date)]
    """The first day that counts; past, present or future."""
    source: Source
    sis: Sis
    confirmed: tuple[Text, ...] = Field(default=(), validate_default=True)
    """What the SIS's interface cannot reveal and the district confirms."""
    categories: Mapping[str, str] | None = Field(default=None, validate_default=True)
    """The source's types, groups or categories, each with one category of the SIS. May be left out for a
    source whose teachers name their own: each then goes to the SIS's category of the same name."""
    rules: Mapping[str, Any] = Field(default_factory=dict)
    """Settings that differ from the SIS's defaults."""
    limits: Limits = Field(default_factory=Limits)
    """How much a run may change before it stops and asks."""
    drift: Drift = Field(default_factory=Drift)
    """What becomes of what a person changed in the SIS."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone, to compute with."""
        return ZoneInfo(self.timezone)

    @field_validator("confirmed", mode="before")
    @classmethod
    def _confirmed_is_a_list(cls, value: Any) -> Any:
        return text_list([] if value is None else value)

    @field_validator("confirmed")
    @classmethod
    def _confirmed_is_complete(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if system := _system("sis", PROFILES, info):
            WrongError.raise_any(_confirmation_problems(value, system))
        return value

    @field_validator("categories", mode="before")
    @classmethod
    def _one_category_a_type(cls, value: Any, info: ValidationInfo) -> Any:
        system = _system("source", SOURCES, info)
        if value is None and not (system and SOURCES[system].types):
            return None
        if not isinstance(value, dict):
            what = f"expected types with their categories, found {kind_of(value)}."
            raise WrongError.of(what, "Write a line `Type: Category` for each.")
        problems = _category_problems(value)
        if system:
            problems += _type_problems(value, system)
        if sis := _system("sis", PROFILES, info):
            problems += _name_problems(value, sis)
        WrongError.raise_any(problems)
        return value

    @field_validator("rules", mode="before")
    @classmethod
    def _rules_are_declared(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None:
            return {}
        if not isinstance(value, dict):
            what = f"expected settings with their values, found {kind_of(value)}."
            raise WrongError.of(what, "Write {} if there are none.")
        declared: Mapping[str, Setting] | None = (info.context or {}).get("settings")
        if declared is None or not _system("sis", PROFILES, info):
            return value
        return _read_settings(value, declared)


# --- What hangs together ---


def _system(part: str, known: Mapping[str, object], info: ValidationInfo) -> str | None:
    system: str | None = info.data[part].system if part in info.data else (info.context or {}).get(part)
    return system if system in known else None


def _beyond(profile: SisProfile, transport: Transport | Literal[""], field: str, value: object) -> str:
    """What of a setting the SIS cannot do, in words; empty if it can."""
    if field == "transport" and value == "native" and not profile.has_native_interface:
        return "has no other interface than OneRoster here"
    if field == "gradebooks" and value and transport == "oneroster":
        return "is told a class alone over OneRoster, not which of its gradebooks"
    if transport == "native" and field == "late_and_missing" and value not in (None, "none"):
        return "holds no marks over its own interface"
    if field == "create_categories" and value and not profile.creates_categories:
        return "lets nobody create a category from outside"
    if field == "removed_scores" and value == "clear" and not profile.clears_scores:
        return "has no way to clear a score from outside"
    return ""


def _confirmation_problems(confirmed: tuple[str, ...], system: str) -> list[Problem]:
    profile = PROFILES[system]
    keys = profile.confirmations
    problems = []
    for place, key in enumerate(confirmed):
        if key not in keys:
            mend = nearest(key, keys) or f"Known ones: {', '.join(keys) or 'none'}."
            problems.append(Problem((place,), f"{profile.title} asks for no such confirmation.", mend))
        elif key in confirmed[:place]:
            problems.append(Problem((place,), "this is confirmed twice.", "Remove one of the two."))
    for key, sentence in keys.items():
        if key not in confirmed:
            mend = f"Make sure of it in {profile.title}, then add {key} to `confirmed`."
            problems.append(Problem((), f"`{key}` is not confirmed: {sentence}", mend))
    return problems


def _category_problems(categories: Mapping[Any, Any]) -> list[Problem]:
    problems = []
    for key, category in categories.items():
        try:
            text(key)
            text(category)
        except WrongError as wrong:
            problem = wrong.problems[0]
            several = isinstance(category, list | dict)
            mend = "One type goes to one category; several types may share one." if several else problem.mend
            problems.append(Problem((key,), problem.what, mend))
    return problems


def _type_problems(categories: Mapping[Any, Any], system: str) -> list[Problem]:
    types = SOURCES[system].types
    problems: list[Problem] = []
    if not types:
        return problems
    for key in categories:
        if key not in types:
            mend = nearest(key, types) or f"Types: {', '.join(types)}."
            problems.append(Problem((key,), f"{system} has no such assessment type.", mend))
    missing = [name for name in types if name not in categories]
    if missing:
        what = f"every {system} type must be mapped; missing: {', '.join(missing)}."
        problems.append(Problem((), what, "Add a line `Type: Category` for each."))
    return problems


def _name_problems(categories: Mapping[Any, Any], system: str) -> list[Problem]:
    profile = PROFILES[system]
    limit = profile.category_name_limit
    if not limit:
        return []
    what = f"a category of {profile.title} has at most {limit} characters."
    return [
        Problem((key,), what, f"Write the name as it stands in {profile.title}.")
        for key, category in categories.items()
        if isinstance(category, str) and len(category) > limit
    ]


def _read_settings(rules: Mapping[Any, Any], declared: Mapping[str, Setting]) -> dict[str, SettingValue]:
    read: dict[str, SettingValue] = {}
    problems = []
    for key, value in rules.items():
        try:
            read[key] = read_setting(declared, key, value)
        except ConfigurationError as error:
            mend = error.mend if key in declared else nearest(key, declared) or error.mend
            problems.append(Problem((key,), error.what, mend))
    WrongError.raise_any(problems)
    return read


# --- Problems in words ---


def problems_of(error: ValidationError) -> list[Problem]:
    """What pydantic found, in the words and fields of a mapping file; no value is repeated."""
    problems: list[Problem] = []
    for found in error.errors(include_url=False):
        field = tuple(found["loc"])
        cause = found.get("ctx", {}).get("error")
        if isinstance(cause, WrongError):
            problems += [Problem(field + inner.field, inner.what, inner.mend) for inner in cause.problems]
        else:
            what, mend = _in_words(field, found["type"], found["msg"], found["input"])
            problems.append(Problem(field, what, mend))
    return problems


def _in_words(field: tuple[str | int, ...], error_type: str, message: str, value: Any) -> tuple[str, str]:
    if error_type == "missing":
        return "this field is missing.", f"Add `{field[-1]}: …`."
    if error_type == "extra_forbidden":
        known = _fields_at(field[:-1])
        return "there is no such field.", nearest(field[-1], known) or f"Fields here: {', '.join(known)}."
    if error_type in {"model_type", "model_attributes_type"}:
        what = f"expected fields with their values, found {kind_of(value)}."
        return what, f"Fields here: {', '.join(_fields_at(field))}."
    should_be = message.removeprefix("Input ")  # pydantic's own words
    return f"the value {should_be}, found {kind_of(value)}.", "Write such a value, without quotes."


def _fields_at(field: Iterable[str | int]) -> list[str]:
    parts: dict[tuple[str | int, ...], type[_Part]] = {
        ("source",): Source,
        ("sis",): Sis,
        ("limits",): Limits,
        ("drift",): Drift,
    }
    return list(parts.get(tuple(field), District).model_fields)
