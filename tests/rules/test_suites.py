"""The suites' files: what must stand in them, and that a wrong one is named."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from passback import paths
from passback.errors import ConfigurationError
from passback.rules.suites import read_suites, settings
from passback.sis import PROFILES
from rules.scene import suites

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARAMETERS = {"effective_date": "2026-08-17"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the suites, to be spoilt."""
    shutil.copytree(paths.expectations() / "skyward", tmp_path / "skyward")
    return tmp_path


def rewrite(folder: Path, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "skyward" / f"{name}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def test_sentences_name_the_districts_own_dates() -> None:
    reasons = {reason.code: reason.sentence for reason in suites().reasons(PARAMETERS)}
    assert "2026-08-17" in reasons["effective.before"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["assessments", "scores"])
@pytest.mark.parametrize("sis", sorted(PROFILES))
def test_great_expectations_reads_a_suite_and_gives_it_back(sis: str, name: str) -> None:
    import great_expectations as gx  # noqa: PLC0415 - warns when imported

    document = json.loads((paths.expectations() / sis / f"{name}.json").read_text(encoding="utf-8"))
    read = gx.ExpectationSuite(**json.loads(json.dumps(document)))
    back = read.to_json_dict()
    assert len(back["expectations"]) == len(document["expectations"])
    for written, found in zip(document["expectations"], back["expectations"], strict=True):
        assert found["type"] == written["type"]
        assert found["meta"] == written["meta"]
        assert written["kwargs"].items() <= found["kwargs"].items()


def test_the_rule_set_changes_with_any_letter_of_either_file(folder: Path) -> None:
    seen = {read_suites(folder, "skyward").rule_set}
    assert seen == {suites().rule_set}
    for name in ("assessments", "scores"):
        path = folder / "skyward" / f"{name}.json"
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        seen.add(read_suites(folder, "skyward").rule_set)
    assert len(seen) == 3


def test_settings_are_the_defaults_with_what_the_district_says() -> None:
    assert settings(suites(), {}) == {
        "due.not_uniform": False,
        "past_due_zero": True,
        "points.score_not_whole": False,
        "score.above_total": False,
    }
    assert settings(suites(), {"past_due_zero": False})["past_due_zero"] is False


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"past_due": True}, "no such setting"),
        ({"past_due_zero": 1}, "true or false"),
        ({"past_due_zero": None}, "true"),
    ],
)
def test_a_setting_that_is_not_declared_or_of_another_type_is_refused(
    overrides: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        settings(suites(), overrides)


@pytest.mark.parametrize(
    ("value", "fits"),
    [(30, True), (1, True), (50, True), (0, False), (51, False), (30.5, False), (True, False)],
)
def test_a_number_is_kept_between_its_bounds(folder: Path, value: object, fits: bool) -> None:  # noqa: FBT001 - a column of the table
    bounds = {"default": 50, "type": "integer", "says": "The longest title.", "minimum": 1, "maximum": 50}
    rewrite(folder, "assessments", lambda document: document["meta"]["settings"].update(title_length=bounds))
    read = read_suites(folder, "skyward")
    if fits:
        assert settings(read, {"title_length": value})["title_length"] == value
    else:
        with pytest.raises(ConfigurationError, match="a whole number, at least 1, at most 50"):
            settings(read, {"title_length": value})


@pytest.mark.parametrize("written", ["2026-09-01", dt.date(2026, 9, 1)], ids=["in quotes", "a day"])
def test_a_date_reaches_the_rules_as_text_like_the_columns(folder: Path, written: object) -> None:
    since = {"default": None, "type": "date", "says": "Since when."}
    rewrite(folder, "assessments", lambda document: document["meta"]["settings"].update(since=since))
    assert settings(read_suites(folder, "skyward"), {"since": written})["since"] == "2026-09-01"


def _meta(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        if value is None:
            del document["expectations"][2]["meta"][key]
        else:
            document["expectations"][2]["meta"][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_meta("code", "Points"), "known form"),
        (_meta("outcome", "sent"), "outcome"),
        (_meta("who", "parent"), "who"),
        (_meta("sentence", " "), "empty"),
        (_meta("sentence", "Since {effective_day}."), "effective_day"),
        (_meta("sentence", "Since {effective_date:%d}."), "parameter"),
        (_meta("sentence", "A lone { brace"), "brace"),
        (_meta("mend", None), "missing: mend"),
        (_meta("seed", None), "missing: seed"),
        (_meta("colour", "red"), "unknown: colour"),
        (_meta("when", "no_such_setting"), "no boolean setting"),
        (_meta("code", "grading.not_points"), "says something else"),
        (lambda document: document["expectations"][2].pop("kwargs"), "kwargs"),
        (
            lambda document: document["expectations"][2]["kwargs"].update(min_value={"$PARAMETER": "low"}),
            "for low",
        ),
    ],
)
def test_a_wrong_expectation_is_named_with_its_file(
    folder: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    rewrite(folder, "assessments", change)
    with pytest.raises(ConfigurationError, match=words) as raised:
        read_suites(folder, "skyward")
    assert "assessments.json: expectation 3" in raised.value.where
    assert raised.value.mend


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda document: document.pop("name"), "name"),
        (lambda document: document["meta"].update(level="score"), "level"),
        (lambda document: document["meta"].update(sis="aeries"), "sis"),
        (lambda document: document["meta"].pop("settings"), "settings"),
        (
            lambda document: document["meta"]["settings"].update(
                x={"default": 1, "type": "boolean", "says": "?"}
            ),
            "default",
        ),
        (
            lambda document: document["meta"]["settings"].update(
                x={"default": 1, "type": "int", "says": "?"}
            ),
            "type",
        ),
        (lambda document: document["meta"]["settings"].update(x={"default": 1, "type": "integer"}), "says"),
        (
            lambda document: document["meta"]["settings"].update(x={"default": 1, "kind": "integer"}),
            "a setting has",
        ),
    ],
)
def test_a_wrong_suite_is_named(folder: Path, change: Callable[[dict[str, Any]], None], words: str) -> None:
    rewrite(folder, "assessments", change)
    with pytest.raises(ConfigurationError, match=words) as raised:
        read_suites(folder, "skyward")
    assert "assessments.json" in raised.value.where


def test_a_file_that_is_not_json_is_named_with_its_line(folder: Path) -> None:
    path = folder / "skyward" / "scores.json"
    path.write_text('{\n "name": }', encoding="utf-8")
    with pytest.raises(ConfigurationError, match="not JSON") as raised:
        read_suites(folder, "skyward")
    assert raised.value.where == f"{path}:2"


def test_a_sis_without_suites_is_named(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_suites(folder, "powerschool")
