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
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from passback.errors import ConfigurationError
from passback.reasons import Actor, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PARAMETERS: Final = ("effective_date",)
"""What a district says outside of `rules:` and a suite may use, as `$PARAMETER` or in a sentence."""

_CODE: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_OUTCOMES: Final = (Outcome.REJECTED, Outcome.HELD)
_SAID: Final = ("code", "outcome", "sentence", "who", "mend", "seed")
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "string": str,
    "date": (str, date),
}


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
        settings: What a district may set under `rules:`: default, type, says, minimum, maximum, by name.
    """

    path: Path
    name: str
    rules: tuple[Rule, ...]
    settings: Mapping[str, Mapping[str, Any]]

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
    def settings(self) -> dict[str, Mapping[str, Any]]:
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


def read_suites(folder: Path, sis: str) -> Suites:
    """Read and check the suites of a SIS.

    Args:
        folder: The folder of all suites, one folder a SIS.
        sis: The name of the SIS.

    Raises:
        ConfigurationError: a file is missing or not what a suite must be; names file and expectation.
    """
    paths = (folder / sis / "assessments.json", folder / sis / "scores.json")
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


def settings(suites: Suites, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting of a SIS with its value for a district.

    Args:
        suites: The suites that declare them.
        overrides: What the district's mapping file has under `rules:`.

    Raises:
        ConfigurationError: a setting is unknown, of another type, or out of range.
    """
    declared = suites.settings
    for name, value in overrides.items():
        if name not in declared:
            raise ConfigurationError(
                "there is no such setting for this SIS.",
                where=f"rules.{name}",
                mend=f"Use one of: {', '.join(sorted(declared))}.",
            )
        if not _fits(declared[name], value):
            raise ConfigurationError(
                f"expected {_expected(declared[name])}.",
                where=f"rules.{name}",
                mend=f"{declared[name]['says']} Default: {json.dumps(declared[name]['default'])}.",
            )
    return {name: overrides.get(name, setting["default"]) for name, setting in declared.items()}


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
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}"
        raise _wrong(
            f"this is not JSON: {error.msg}.", where, "Correct the file there or in the line above."
        ) from None
    except UnicodeDecodeError:
        raise _wrong("the file is not UTF-8.", path, "Save it as UTF-8.") from None
    name, meta, expectations = _parts(path, document)
    for key, expected in (("level", level), ("sis", sis)):
        if meta.get(key) != expected:
            raise _wrong(f"`meta.{key}` must be {expected!r}.", path, "Correct it, or move the file.")
    declared = _settings(path, meta)
    rules = tuple(
        _rule(f"{path}: expectation {position}", expectation, declared)
        for position, expectation in enumerate(expectations, start=1)
    )
    return Suite(path, name, rules, declared)


def _parts(path: Path, document: Any) -> tuple[str, dict[str, Any], list[Any]]:
    form = "Give the suite a `name`, a `meta` and a list of `expectations`; see docs/rules.md."
    if not isinstance(document, dict):
        raise _wrong("a suite must be a JSON object.", path, form)
    name, meta, expectations = (document.get(key) for key in ("name", "meta", "expectations"))
    if (
        not isinstance(name, str)
        or not name
        or not isinstance(meta, dict)
        or not isinstance(expectations, list)
    ):
        raise _wrong("`name`, `meta` or `expectations` is missing or not what it must be.", path, form)
    return name, meta, expectations


def _settings(path: Path, meta: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    declared = meta.get("settings")
    if not isinstance(declared, dict):
        raise _wrong("`meta.settings` must be an object.", path, "Write {} if there are none.")
    for name, setting in declared.items():
        where = f"{path}: setting {name!r}"
        if not isinstance(setting, dict) or setting.keys() - {
            "default",
            "type",
            "says",
            "minimum",
            "maximum",
        }:
            raise _wrong(
                "a setting has `default`, `type`, `says` and, for a number, `minimum` and `maximum`.",
                where,
                "Take out what else there is.",
            )
        if setting.get("type") not in _TYPES:
            raise _wrong("its `type` is missing or unknown.", where, f"Use one of: {', '.join(_TYPES)}.")
        if not isinstance(setting.get("says"), str) or not setting["says"]:
            raise _wrong("`says` is missing.", where, "Say in a sentence what the setting does.")
        if not _fits(setting, setting.get("default")):
            raise _wrong(f"its `default` must be {_expected(setting)}.", where, "Correct the default.")
    return declared


def _rule(where: str, expectation: Any, declared: Mapping[str, Mapping[str, Any]]) -> Rule:
    if (
        not isinstance(expectation, dict)
        or not str(expectation.get("type")).startswith("expect_")
        or not isinstance(expectation.get("kwargs"), dict)
        or not isinstance(expectation.get("meta"), dict)
    ):
        raise _wrong(
            "an expectation has a `type`, `kwargs` and a `meta`.",
            where,
            "Write all three; see docs/rules.md.",
        )
    meta = expectation["meta"]
    missing = [key for key in _SAID if not isinstance(meta.get(key), str)]
    unknown = meta.keys() - {*_SAID, "when"}
    if missing or unknown:
        raise _wrong(
            f"in its `meta`, missing: {', '.join(missing) or 'nothing'};"
            f" unknown: {', '.join(sorted(unknown)) or 'nothing'}.",
            where,
            f"Give it exactly {', '.join(_SAID)} as text and, if a setting switches it, `when`.",
        )
    where = f"{where} ({meta['code']})"
    _check_meta(where, meta, declared)
    known = {*PARAMETERS, *(name for name in declared if name.isidentifier())}
    asked = _parameters(expectation["kwargs"]) | _placeholders(where, meta["sentence"] + meta["mend"])
    if asked - known:
        raise _wrong(
            f"there is no parameter or setting for {', '.join(sorted(asked - known))}.",
            where,
            f"Use one of: {', '.join(sorted(known))}.",
        )
    reason = Reason(
        meta["code"],
        Outcome(meta["outcome"]),
        meta["sentence"],
        Actor(meta["who"]),
        meta["mend"],
        meta["seed"],
    )
    return Rule(reason, meta.get("when"), expectation)


def _check_meta(where: str, meta: Mapping[str, Any], declared: Mapping[str, Mapping[str, Any]]) -> None:
    if not _CODE.fullmatch(meta["code"]):
        raise _wrong(
            "its `code` is not of the known form.", where, "Write it as what.fault, such as title.too_long."
        )
    if meta["outcome"] not in _OUTCOMES:
        raise _wrong("its `outcome` is unknown.", where, f"Use one of: {', '.join(_OUTCOMES)}.")
    if meta["who"] not in tuple(Actor):
        raise _wrong("its `who` is unknown.", where, f"Use one of: {', '.join(Actor)}.")
    if not meta["sentence"].strip() or not meta["mend"].strip():
        raise _wrong("`sentence` or `mend` is empty.", where, "Say what happened and what to do about it.")
    if "when" in meta and declared.get(meta["when"], {}).get("type") != "boolean":
        raise _wrong(
            "`when` names no boolean setting of this suite.", where, "Declare it under `meta.settings`."
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


def _fits(setting: Mapping[str, Any], value: Any) -> bool:
    kinds = _TYPES[setting["type"]]
    if not isinstance(value, kinds) or (isinstance(value, bool) and setting["type"] != "boolean"):
        return False
    if setting["type"] not in {"integer", "number"}:
        return True
    # Written so that not-a-number fits nowhere.
    return bool(setting.get("minimum", value) <= value <= setting.get("maximum", value))


def _expected(setting: Mapping[str, Any]) -> str:
    words = {"boolean": "true or false", "integer": "a whole number", "number": "a number", "string": "text"}
    bounds: Iterable[str] = (
        f"{word} {setting[bound]}"
        for bound, word in (("minimum", "at least"), ("maximum", "at most"))
        if bound in setting
    )
    return ", ".join([words.get(setting["type"], "a date as text"), *bounds])


def _wrong(what: str, where: object, mend: str) -> ConfigurationError:
    return ConfigurationError(what, where=str(where), mend=mend)
