"""Every refusal of a mapping file, with its line, its field, what was expected and the mend."""

# ruff: noqa: E501 - a table reads better with one case a line

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mapping.conftest import GOOD, LINES
from passback.errors import ConfigurationError, FatalError, MappingError
from passback.mapping import file, yaml
from passback.rules.suites import read_suites
from passback.sources.profiles import OTUS_TYPES

if TYPE_CHECKING:
    from pathlib import Path

    from mapping.conftest import Refuse


def with_line(number: int, *lines: str) -> str:
    """The good file with one line replaced by others."""
    return "\n".join([*LINES[: number - 1], *lines, *LINES[number:]]) + "\n"


REFUSED = [
    # (case, content, line, field, words of what, words of the mend)
    ("a missing field", with_line(2), 1, "name", "missing", "Add `name: …`"),
    ("a missing schedule", with_line(4), 1, "schedule", "missing", "Add `schedule"),
    ("an unknown field", with_line(2, LINES[1], "timezon: x"), 3, "timezon", "no such field", "timezone"),
    ("an unknown field of the SIS", with_line(9, LINES[8], "  conections: 3"), 10, "sis.conections", "no such field", "connections"),
    ("a name in capitals and spaces", with_line(1, "district: Lake view"), 1, "district", "letters, digits", "lakeview"),
    ("a district that is not the file's name", with_line(1, "district: lakewiev"), 1, "district", "the file's name, lakeview", "`district: lakeview`"),
    ("a number as a name", with_line(2, "name: 49"), 2, "name", "expected text, found a whole number", "quotes"),
    ("an empty name", with_line(2, "name:"), 2, "name", "found nothing", "quotes"),
    ("a yes as a name", with_line(2, "name: yes"), 2, "name", "found true or false", "quotes"),
    ("a name on two lines", with_line(2, 'name: "Lake\\nview"'), 2, "name", "on one line", "as it is shown"),
    ("an unknown time zone", with_line(3, "timezone: America/Los_Angles"), 3, "timezone", "time zone", "America/Los_Angeles"),
    ("an abbreviated time zone", with_line(3, "timezone: PDT"), 3, "timezone", "time zone", ""),
    ("an offset as a time zone", with_line(3, "timezone: -08:00"), 3, "timezone", "", ""),
    ("four cron fields", with_line(4, 'schedule: "0 22 * *"'), 4, "schedule", "five fields", "0 22 * * *"),
    ("six cron fields", with_line(4, 'schedule: "0 0 22 * * *"'), 4, "schedule", "five fields", "0 22 * * *"),
    ("an hour of 25", with_line(4, 'schedule: "0 25 * * *"'), 4, "schedule", "five fields", "0 22 * * *"),
    ("a cron preset", with_line(4, 'schedule: "@daily"'), 4, "schedule", "five fields", "0 22 * * *"),
    ("a random time", with_line(4, 'schedule: "R R * * *"'), 4, "schedule", "five fields", "0 22 * * *"),
    ("words as a schedule", with_line(4, "schedule: every night"), 4, "schedule", "five fields", "0 22 * * *"),
    ("31 February", with_line(4, 'schedule: "0 22 31 2 *"'), 4, "schedule", "never comes round", "day"),
    ("cron without quotes", with_line(4, "schedule: * 22 * * *"), 4, "", "not YAML", "quotes"),
    ("a day that does not exist", with_line(5, "effective_date: 2026-02-30"), 5, "effective_date", "no such date", "Correct"),
    ("such a day in quotes", with_line(5, 'effective_date: "2026-02-30"'), 5, "effective_date", "no such day", "existing day"),
    ("a date with a time", with_line(5, "effective_date: 2026-08-17 10:00:00"), 5, "effective_date", "a date without a time", "2026-08-17"),
    ("a date in American order", with_line(5, "effective_date: 08/17/2026"), 5, "effective_date", "a date without a time, found text", "2026-08-17"),
    ("a date as a number", with_line(5, "effective_date: 20260817"), 5, "effective_date", "found a whole number", "2026-08-17"),
    ("an unknown source", with_line(6, "source: {system: otis, connection: a}"), 6, "source.system", "one of: canvas, csv, ekadence, oneroster, otus", "otus"),
    ("a source in one word", with_line(6, "source: otus"), 6, "source", "fields with their values, found text", "system, connection"),
    ("an unknown SIS", with_line(8, "  system: skywards"), 8, "sis.system", "one of: aeries, aspen", "skyward"),
    ("an address as a connection", with_line(9, "  connection: https://sis.example.org/api"), 9, "sis.connection", "found an address", "into an Airflow connection"),
    ("a connection with a space", with_line(9, "  connection: lake view"), 9, "sis.connection", "id of an Airflow connection", "lakeview_skyward"),
    ("no connections at all", with_line(9, LINES[8], "  connections: 0"), 10, "sis.connections", "greater than or equal to 1", "Write such a value"),
    ("connections in quotes", with_line(9, LINES[8], '  connections: "4"'), 10, "sis.connections", "should be a valid integer, found text", "without quotes"),
    ("endless requests", with_line(9, LINES[8], "  requests_per_second: .inf"), 10, "sis.requests_per_second", "finite", "Write such a value"),
    ("no requests", with_line(9, LINES[8], "  requests_per_second: 0"), 10, "sis.requests_per_second", "greater than 0", "Write such a value"),
    ("a number beyond all", with_line(9, LINES[8], "  connections: " + "9" * 5000), 10, "sis.connections", "no such number", "Correct"),
    ("a way into a SIS that there is none of", with_line(9, LINES[8], "  transport: api"), 10, "sis.transport", "'oneroster' or 'native'", "Write such a value"),
    ("an interface that the SIS has not", with_line(9, LINES[8], "  transport: native"), 10, "sis.transport", "Skyward has no other interface than OneRoster", "Leave it out"),
    ("adopting in words", with_line(9, LINES[8], "  adopt: one"), 10, "sis.adopt", "should be a valid boolean, found text", "without quotes"),
    ("recreating as a number", with_line(9, LINES[8], "  recreate: 1"), 10, "sis.recreate", "should be a valid boolean, found a whole number", "without quotes"),
    ("creating categories in words", with_line(9, LINES[8], "  create_categories: some"), 10, "sis.create_categories", "should be a valid boolean", "without quotes"),
    ("categories that the SIS takes from nobody", with_line(9, LINES[8], "  adopt: true", "  create_categories: true"), 11, "sis.create_categories", "Skyward lets nobody create a category", "Leave it out"),
    ("removed scores to be hidden", with_line(9, LINES[8], "  removed_scores: hide"), 10, "sis.removed_scores", "'report' or 'clear'", "Write such a value"),
    ("removed scores as yes", with_line(9, LINES[8], "  removed_scores: yes"), 10, "sis.removed_scores", "found true or false", "Write such a value"),
    ("a missing confirmation", with_line(10, "confirmed: [oneroster_licence]"), 10, "confirmed", "“Use Grade When Posting", "add use_grade_unchecked"),
    ("no confirmations", with_line(10), 1, "confirmed", "licence", "add oneroster_licence"),
    ("an unknown confirmation", with_line(10, "confirmed: [oneroster_licence, use_grade_unchecked, use_grade]"), 10, "confirmed", "no such confirmation", "use_grade_unchecked"),
    ("a confirmation given twice", with_line(10, "confirmed: [oneroster_licence, use_grade_unchecked, oneroster_licence]"), 10, "confirmed", "twice", "Remove"),
    ("a confirmation that is no list", with_line(10, "confirmed: oneroster_licence"), 10, "confirmed", "expected a list, found text", "[first, second]"),
    ("an unmapped type", with_line(21), 11, "categories", "missing: Quiz", "Type: Category"),
    ("an unknown type", with_line(21, LINES[20], "  Quizz: Quiz"), 22, "categories.Quizz", "no such assessment type", "Quiz"),
    ("a type in small letters", with_line(21, LINES[20], "  quiz: Quiz"), 22, "categories.quiz", "no such assessment type", "Quiz"),
    ("a type mapped twice", with_line(22, LINES[21], "  Quiz: Test"), 23, "categories.Quiz", "first in line 21", "Keep one"),
    ("a type with two categories", with_line(21, "  Quiz: [Quiz, Test]"), 21, "categories.Quiz", "found a list", "One type goes to one category"),
    ("a category that is no text", with_line(21, "  Quiz: No"), 21, "categories.Quiz", "found true or false", "quotes"),
    ("an empty category", with_line(21, "  Quiz:"), 21, "categories.Quiz", "found nothing", ""),
    ("categories as a list", with_line(11, "categories: []", "more:"), 11, "categories", "found a list", "Type: Category"),
    ("an unknown setting", with_line(24, "rules:", "  score.above_totl: true"), 25, "rules.score.above_totl", "no such setting", "score.above_total"),
    ("a setting of the wrong type", with_line(24, "rules: {score.above_total: 1}"), 24, "rules.score.above_total", "true or false, found a whole number", "Default: false"),
    ("a number under what is allowed", with_line(24, "rules: {days: 0}"), 24, "rules.days", "a whole number, at least 1, at most 60", "Default: 30"),
    ("a fraction for a whole number", with_line(24, "rules: {days: 1.5}"), 24, "rules.days", "found a number", "Default: 30"),
    ("a number with 400 digits", with_line(24, f"rules: {{days: {'9' * 400}}}"), 24, "rules.days", "at most 60", "Default: 30"),
    ("not a number", with_line(24, "rules: {share: .nan}"), 24, "rules.share", "a number, at least 0", "How much"),
    ("requests with 400 digits", with_line(9, LINES[8], "  requests_per_second: " + "9" * 400), 10, "sis.requests_per_second", "should be", ""),
    ("yes for a number", with_line(24, "rules: {share: true}"), 24, "rules.share", "a number, at least 0", "How much"),
    ("a number for a date", with_line(24, "rules: {until: 1}"), 24, "rules.until", "expected a date", "year-month-day"),
    ("a number for a text", with_line(24, "rules: {word: 1}"), 24, "rules.word", "expected text", "quotes"),
    ("rules as a list", with_line(24, "rules: [a]"), 24, "rules", "found a list", "{}"),
    # YAML
    ("a field given twice", with_line(24, LINES[23], "name: B"), 25, "name", "first in line 2", "Keep one"),
    ("a part given twice", with_line(24, LINES[23], "sis: {system: x}"), 25, "sis", "first in line 7", "Keep one"),
    ("the same key in quotes", with_line(24, LINES[23], '"name": B'), 25, "name", "first in line 2", "Keep one"),
    ("nothing", "", 1, "", "empty", "example"),
    ("only a comment", "# nothing yet\n", 1, "", "empty", "example"),
    ("a list", "- district: lakeview\n", 1, "", "found a list", "example"),
    ("a word", "lakeview\n", 1, "", "found text", "example"),
    ("a tab before a field", with_line(8, "\tsystem: skyward"), 8, "", "a tab", "spaces"),
    ("a tab inside the spaces", with_line(8, "  \tsystem: skyward"), 8, "", "", "spaces"),
    ("an open quote", with_line(2, 'name: "Lakeview'), 0, "", "not YAML", "quotes"),
    ("an open bracket", with_line(10, "confirmed: [oneroster_licence"), 11, "", "not YAML", "the one above"),
    ("a second document", GOOD + "---\ndistrict: b\n", 25, "", "second document", "---"),
    ("an anchor", with_line(2, "name: &n Lakeview"), 2, "name", "anchors", "quotes"),
    ("a reference", with_line(2, "name: *n"), 2, "name", "another place", "quotes"),
    ("a merge key", with_line(2, LINES[1], "<<: {name: a}"), 3, "", "merge keys", "fields themselves"),
    ("a Python object", with_line(2, "name: !!python/object/apply:os.system [id]"), 2, "name", "tags", "quotes"),
    ("a tag of one's own", with_line(2, "name: !env NAME"), 2, "name", "tags", "quotes"),
    ("a standard tag", with_line(2, "name: !!str Lakeview"), 2, "name", "tags", "quotes"),
    ("a number as a key", with_line(21, LINES[20], "  1: Quiz"), 22, "categories.1", "text as the key", "quotes"),
    ("a list as a key", with_line(21, LINES[20], "  ? [a]", "  : Quiz"), 22, "categories", "cannot be a key", "example"),
    ("endless nesting", "a: " + "[" * 50_000, 1, "a", "nested too deeply", "example"),
    ("a control character", with_line(2, "name: Lake\x07view"), 2, "", "control character", "Delete"),
    ("Latin-1", with_line(2, "name: José").encode("latin-1"), 2, "", "not UTF-8", "UTF-8"),
    ("UTF-16", GOOD.encode("utf-16"), 1, "", "not UTF-8", "UTF-8"),
    ("a huge file", GOOD + "#" * yaml.MAX_BYTES, 1, "", "larger than 64 KiB", "right file"),
]  # fmt: skip

SETTINGS = {
    "days": {"default": 30, "type": "integer", "says": "How many days.", "minimum": 1, "maximum": 60},
    "share": {"default": 0.3, "type": "number", "says": "How much.", "minimum": 0},
    "until": {"default": None, "type": "date", "says": "Until when."},
    "word": {"default": "a", "type": "string", "says": "Which word."},
    "score.above_total": {"default": False, "type": "boolean", "says": "Whether."},
}


def write_suites(folder: Path, **suites: object) -> None:
    """Suites of Skyward with the given `meta.settings`."""
    (folder / "expectations" / "skyward").mkdir(parents=True, exist_ok=True)
    for name, settings in suites.items():
        meta = {"level": name.removesuffix("s"), "sis": "skyward", "settings": settings}
        suite = {"name": name, "expectations": [], "meta": meta}
        (folder / "expectations" / "skyward" / f"{name}.json").write_text(json.dumps(suite))


@pytest.fixture(autouse=True)
def suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose Skyward suites declare a setting of every type."""
    home = tmp_path / "project"
    write_suites(home, assessments={}, scores=SETTINGS)
    monkeypatch.setenv("PASSBACK_HOME", str(home))
    return home


@pytest.mark.parametrize(
    ("content", "line", "field", "what", "mend"),
    [pytest.param(*case[1:], id=case[0]) for case in REFUSED],
)
def test_refused_with_line_field_and_mend(
    content: str | bytes, line: int, field: str, what: str, mend: str, refuse: Refuse, tmp_path: Path
) -> None:
    error = refuse(content)
    at_place = [p for p in error.problems if p.field == field and (p.line == line or not line)]
    assert at_place, f"nothing at {line} {field}:\n{error}"
    assert any(what in p.what and mend in p.mend for p in at_place), str(error)
    file = tmp_path / "lakeview.yaml"
    assert all(p.file == str(file) and p.what.endswith(".") and p.mend for p in error.problems)
    place = f"{file}:{at_place[0].line}: {field}: " if field else f"{file}:{at_place[0].line}: "
    assert place in str(error)


@pytest.mark.parametrize(
    "content",
    [pytest.param(case[1], id=case[0]) for case in REFUSED if case[0] not in {
        "categories as a list", "cron without quotes", "no confirmations", "a part given twice", "a merge key",
    }],
)  # fmt: skip
def test_one_mistake_gives_one_problem(content: str | bytes, refuse: Refuse) -> None:
    error = refuse(content)
    assert len(error.problems) == 1, str(error)


def test_all_problems_are_told_in_the_order_of_the_file(refuse: Refuse) -> None:
    content = with_line(3, "timezone: Mars").replace("2026-08-17", "soon").replace("Lab: Lab", "Lob: Lab")
    error = refuse(content + "colour: red\n")
    assert [(p.line, p.field) for p in error.problems] == [
        (3, "timezone"),
        (5, "effective_date"),
        (11, "categories"),
        (16, "categories.Lob"),
        (25, "colour"),
    ]
    assert len(str(error).splitlines()) == 5
    assert all("What to do:" in line for line in str(error).splitlines())


def test_a_wrong_connection_hides_nothing_else(refuse: Refuse) -> None:
    content = (
        with_line(9, "  connection: a b").replace("lakeview_otus", "a b").replace("  Quiz: Quiz", "  A: B")
    )
    error = refuse(content.replace(", use_grade_unchecked", "").replace("rules: {}", "rules: {c: 1}"))
    assert [(p.line, p.field) for p in error.problems] == [
        (6, "source.connection"),
        (9, "sis.connection"),
        (10, "confirmed"),
        (11, "categories"),
        (21, "categories.A"),
        (24, "rules.c"),
    ]


def test_a_flood_of_problems_is_cut(refuse: Refuse) -> None:
    error = refuse(GOOD + "".join(f"field{n}: x\n" for n in range(50)))
    assert len(error.problems) == 50
    assert str(error).splitlines()[-1].endswith("and 30 more.")


def test_a_mapping_error_is_fatal(refuse: Refuse) -> None:
    error = refuse("")
    assert isinstance(error, MappingError)
    assert isinstance(error, FatalError)
    assert error.where.endswith("lakeview.yaml:1")
    assert error.mend


def test_every_otus_type_is_named_when_none_is_mapped(refuse: Refuse) -> None:
    error = refuse(GOOD[: GOOD.index("categories:")] + "categories: {}\n")
    assert [p.field for p in error.problems] == ["categories"]
    assert all(name in error.problems[0].what for name in OTUS_TYPES)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"nowhere\.yaml: the file cannot be read \(No such file"):
        file.read_mapping(tmp_path / "nowhere.yaml")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="not a file"):
        file.read_mapping(tmp_path)


# --- Settings ---


def test_settings_of_every_type_are_read(tmp_path: Path) -> None:
    path = tmp_path / "lakeview.yaml"
    rules = "rules: {days: 10, share: 1, until: 2026-08-17, word: b, score.above_total: true}"
    path.write_text(with_line(24, rules))
    written = file.read_mapping(path).rules
    assert {name: str(value) for name, value in written.items()} == {
        "days": "10",
        "share": "1",
        "until": "2026-08-17",
        "word": "b",
        "score.above_total": "True",
    }


def test_a_changed_suite_is_noticed(tmp_path: Path, suites: Path, refuse: Refuse) -> None:
    path = tmp_path / "lakeview.yaml"
    path.write_text(with_line(24, "rules: {days: 10}"))
    file.read_mapping(path)
    write_suites(suites, scores={})
    assert [p.field for p in refuse(path.read_text()).problems] == ["rules.days"]


def test_a_sis_without_suites_knows_no_settings(suites: Path, refuse: Refuse) -> None:
    for suite in (suites / "expectations" / "skyward").iterdir():
        suite.unlink()
    assert "none" in refuse(with_line(24, "rules: {days: 10}")).problems[0].mend


@pytest.mark.parametrize(
    "broken",
    [
        {"days": {"default": 30}},
        {"days": {"default": 30, "type": "weeks", "says": "x"}},
        {"days": {"default": "thirty", "type": "integer", "says": "x"}},
        {"days": {"default": 31, "type": "integer", "says": "How many days."}},
        ["days"],
    ],
    ids=["no type", "an unknown type", "a wrong default", "declared otherwise in the other suite", "a list"],
)
def test_a_wrong_declaration_is_told_with_the_suite(broken: object, suites: Path, refuse: Refuse) -> None:
    write_suites(suites, assessments=broken)
    problem = refuse(GOOD).problems[0]
    assert problem.field == "sis.system"
    assert ".json" in problem.what
    with pytest.raises(ConfigurationError):
        read_suites(suites / "expectations", "skyward")


def test_a_suite_that_is_not_json_is_told(suites: Path, refuse: Refuse) -> None:
    (suites / "expectations" / "skyward" / "scores.json").write_text("{")
    assert "this is not JSON" in refuse(GOOD).problems[0].what
