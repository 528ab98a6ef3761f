"""A SIS's suites: which rules there are, what each says, and what a district may set.

A suite is a Great Expectations suite as JSON. Its expectations stand in the order of RULES section 2, and the
`meta` of each says what follows when it is not met; `docs/rules.md` tells how to read and extend one. This
module reads the JSON without Great Expectations, so that it is cheap to call; `verdicts` has it run.
"""

from __future__ import annotations

import hashlib
import json
import re
import string
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from passback.errors import ConfigurationError
from passback.reasons import Actor, Outcome, Reason
from passback.rules.settings import Setting, SettingValue, read_setting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PARAMETERS: Final = ("effective_date",)
"""What a district says outside of `rules:` and a suite may use, as `$PARAMETER` or in a sentence."""


@dataclass(frozen=True)
class Rule:
    """One expectation of a suite.

    Attributes:
        reason: What follows when it is not met; its texts may hold placeholders.
        when: The boolean setting that switches it on; None for a rule that is always on.
        expectation: The expectation as its file has it, for Great Expectations.
    """

    reason: Reason
    when: str | None
    expectation: Mapping[str, Any]


@dataclass(frozen=True)
class Suite:
    """The rules of one level, in the order of RULES.

    Attributes:
        path: Its file.
        name: Its name in the file.
        rules: Its expectations; several may share a code.
        settings: What a district may set under `rules:`, by name.
    """

    path: Path
    name: str
    rules: tuple[Rule, ...]
    settings: Mapping[str, Setting]

    @property
    def codes(self) -> tuple[str, ...]:
        """Its codes, each once, in order."""
        return tuple(dict.fromkeys(rule.reason.code for rule in self.rules))

    def active(self, parameters: Mapping[str, Any]) -> list[tuple[int, Rule]]:
        """The rules that the settings leave on, each with its position in the file."""
        return [
            (position, rule)
            for position, rule in enumerate(self.rules)
            if rule.when is None or parameters[rule.when]
        ]


@dataclass(frozen=True)
class Suites:
    """The suites of a SIS.

    Attributes:
        assessments: What must hold of an assessment in a class.
        scores: What must hold of a score whose assessment passes.
        rule_set: SHA-256 of both files: which rules a run went by.
    """

    assessments: Suite
    scores: Suite
    rule_set: str

    @property
    def settings(self) -> dict[str, Setting]:
        """What a district may set under `rules:`, by name."""
        return {**self.assessments.settings, **self.scores.settings}

    def reasons(self, parameters: Mapping[str, Any]) -> tuple[Reason, ...]:
        """Every reason once, assessments' before scores', with its placeholders filled.

        Args:
            parameters: The district's settings and what else it says: the names in `PARAMETERS`.
        """
        reasons: dict[str, Reason] = {}
        for rule in self.assessments.rules + self.scores.rules:
            reasons.setdefault(rule.reason.code, rule.reason)
        return tuple(
            replace(
                reason,
                sentence=reason.sentence.format_map(parameters),
                mend=reason.mend.format_map(parameters),
            )
            for reason in reasons.values()
        )


def suite_paths(folder: Path, sis: str) -> tuple[Path, Path]:
    """The files of a SIS's suites in the folder of all: its assessments', its scores'."""
    return folder / sis / "assessments.json", folder / sis / "scores.json"


def read_suites(folder: Path, sis: str) -> Suites:
    """Read and check the suites of a SIS.

    Args:
        folder: The folder of all suites, one folder a SIS.
        sis: The name of the SIS.

    Raises:
        ConfigurationError: a file is missing or not what a suite must be; names file and expectation.
    """
    paths = suite_paths(folder, sis)
    contents = [_read(path) for path in paths]
    assessments = _suite(paths[0], contents[0], "assessment", sis)
    scores = _suite(paths[1], contents[1], "score", sis)
    # A file's length goes in first, so that text moved from one file to the other is another rule set.
    digest = hashlib.sha256(b"".join(b"%d\n%s" % (len(content), content) for content in contents))
    suites = Suites(assessments, scores, digest.hexdigest())
    for name in assessments.settings.keys() & scores.settings.keys():
        if assessments.settings[name] != scores.settings[name]:
            raise _wrong(
                f"the setting {name!r} differs from that of {paths[0].name}.", paths[1], "Make them equal."
            )
    _check_that_codes_say_one_thing(suites)
    return suites


def settings(suites: Suites, overrides: Mapping[str, Any]) -> dict[str, SettingValue | None]:
    """Every setting of a SIS with its value for a district.

    Args:
        suites: The suites that declare them.
        overrides: What the district's mapping file has under `rules:`.

    Raises:
        ConfigurationError: a setting is unknown, of another type, or out of range.
    """
    declared = suites.settings
    defaults = {name: setting.default for name, setting in declared.items()}
    return defaults | {name: read_setting(declared, name, value) for name, value in overrides.items()}


# --- The form of a file ---

# pydantic's types of errors, where its own words are not a reader's.
_FAULTS: Final = {
    "missing": "missing",
    "extra_forbidden": "unknown",
    "string_too_short": "empty",
    "string_pattern_mismatch": "not of the known form",
    "model_type": "not an object",
    "dict_type": "not an object",
    "list_type": "not a list",
}
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Said(BaseModel):
    """The `meta` of an expectation."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")]
    outcome: Literal["rejected", "held"]
    sentence: _Text
    who: Actor
    mend: _Text
    seed: str
    when: str | None = None


class _Expectation(BaseModel):
    type: Annotated[str, StringConstraints(pattern="^expect_")]
    kwargs: dict[str, Any]
    meta: _Said


class _Meta(BaseModel):
    level: str
    sis: str
    settings: dict[str, Setting]


class _File(BaseModel):
    name: _Text
    meta: _Meta
    expectations: list[_Expectation]


# --- Reading a file ---


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _wrong(
            f"the suite cannot be read ({type(error).__name__}).", path, "Put the suite of this SIS there."
        ) from None


def _suite(path: Path, content: bytes, level: str, sis: str) -> Suite:
    try:
        document = json.loads(content)
        file = _File.model_validate(document)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}"
        raise _wrong(
            f"this is not JSON: {error.msg}.", where, "Correct the file there or in the line above."
        ) from None
    except UnicodeDecodeError:
        raise _wrong("the file is not UTF-8.", path, "Save it as UTF-8.") from None
    except ValidationError as error:
        raise _misshapen(path, error) from None
    if (file.meta.level, file.meta.sis) != (level, sis):
        raise _wrong(
            f"its `meta` must say level {level!r} and sis {sis!r}.", path, "Correct it, or move the file."
        )
    rules = []
    for position, expectation in enumerate(file.expectations, start=1):
        said = expectation.meta
        _check_names(f"{path}: expectation {position} ({said.code})", expectation, file.meta.settings)
        reason = Reason(said.code, Outcome(said.outcome), said.sentence, said.who, said.mend, said.seed)
        rules.append(Rule(reason, said.when, document["expectations"][position - 1]))
    return Suite(path, file.name, tuple(rules), file.meta.settings)


def _misshapen(path: Path, error: ValidationError) -> ConfigurationError:
    """All that is wrong in the first setting or expectation, or in the suite itself."""
    faults = error.errors(include_url=False, include_input=False)
    match first := faults[0]["loc"]:
        case ("meta", "settings", name, *_):
            depth, where, form = 3, f"{path}: setting {name!r}", f"a setting has {_fields(Setting)}"
        case ("expectations", int(index), *_):
            depth, where = 2, f"{path}: expectation {index + 1}"
            form = f"an expectation has {_fields(_Expectation)}, and its `meta` has {_fields(_Said)}"
        case _:
            depth, where = 0, str(path)
            form = f"a suite has {_fields(_File)}, and its `meta` has {_fields(_Meta)}"
    found = []
    for fault in faults:
        place = fault["loc"]
        if place[:depth] == first[:depth]:
            words = _FAULTS.get(fault["type"]) or re.sub("^(Input|Value error,) ", "", fault["msg"])
            found.append(f"{words}: {place[-1]}" if place[depth:] else words)
    return _wrong(f"{'; '.join(found)}.", where, f"Correct it: {form}. See docs/rules.md.")


def _fields(model: type[BaseModel]) -> str:
    return ", ".join(f"`{name}`" for name in model.model_fields)


def _check_names(where: str, expectation: _Expectation, declared: Mapping[str, Setting]) -> None:
    """That every setting and parameter that an expectation names is one."""
    said = expectation.meta
    if said.when is not None and (said.when not in declared or declared[said.when].type != "boolean"):
        raise _wrong(
            "`when` names no boolean setting of this suite.", where, "Declare it under `meta.settings`."
        )
    known = {*PARAMETERS, *(name for name in declared if name.isidentifier())}
    asked = _parameters(expectation.kwargs) | _placeholders(where, said.sentence + said.mend)
    if asked - known:
        raise _wrong(
            f"there is no parameter or setting for {', '.join(sorted(asked - known))}.",
            where,
            f"Use one of: {', '.join(sorted(known))}.",
        )


def _parameters(arguments: Any) -> set[str]:
    """What arguments ask for as `$PARAMETER`, however deep."""
    if isinstance(arguments, list):
        return {name for part in arguments for name in _parameters(part)}
    if not isinstance(arguments, dict):
        return set()
    own = {str(arguments["$PARAMETER"])} if "$PARAMETER" in arguments else set()
    return own.union(*(_parameters(part) for part in arguments.values()))


def _placeholders(where: str, text: str) -> set[str]:
    try:
        fields = [field[1:] for field in string.Formatter().parse(text) if field[1] is not None]
    except ValueError:
        raise _wrong("a brace stands alone in a text.", where, "Write {{ or }} for a brace itself.") from None
    # With a format or a conversion it is no name, and is refused as one.
    return {"".join(part for part in field if part) for field in fields}


def _check_that_codes_say_one_thing(suites: Suites) -> None:
    first: dict[str, Reason] = {}
    for suite in (suites.assessments, suites.scores):
        for position, rule in enumerate(suite.rules, start=1):
            if first.setdefault(rule.reason.code, rule.reason) != rule.reason:
                raise _wrong(
                    "the same code says something else further up.",
                    f"{suite.path}: expectation {position} ({rule.reason.code})",
                    "Give equal texts, outcome and actor to all expectations of one code.",
                )


def _wrong(what: str, where: object, mend: str) -> ConfigurationError:
    return ConfigurationError(what, where=str(where), mend=mend)
