"""How Great Expectations is run: rules come from JSON alone, and a broken one is never taken for bad data."""

from __future__ import annotations

import json
import logging
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from passback import paths
from passback.errors import ConfigurationError
from passback.rules.suites import read_suites
from rules.scene import ASSESSMENT, SCORE, judged

if TYPE_CHECKING:
    from pathlib import Path

    from passback.rules.suites import Suites

META = {
    "code": "title.shouts",
    "outcome": "held",
    "sentence": "The title is written in capitals.",
    "who": "teacher",
    "mend": "Write it in small letters.",
    "seed": "",
}


def with_rule(
    folder: Path,
    kind: str,
    kwargs: dict[str, Any],
    *,
    name: str = "assessments",
    meta: dict[str, Any] | None = None,
) -> Suites:
    """Skyward's suites with one more expectation at the end, written as JSON."""
    shutil.copytree(paths.expectations() / "skyward", folder / "skyward")
    path = folder / "skyward" / f"{name}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["meta"]["settings"]["longest"] = {"default": 8, "type": "integer", "says": "The longest title."}
    document["expectations"].append({"type": kind, "kwargs": kwargs, "meta": META | (meta or {})})
    path.write_text(json.dumps(document), encoding="utf-8")
    return read_suites(folder, "skyward")


def test_a_rule_is_added_by_json_alone(tmp_path: Path) -> None:
    rules = with_rule(
        tmp_path, "expect_column_values_to_not_match_regex", {"column": "title", "regex": "^[A-Z ]+$"}
    )
    verdicts = judged(
        assessments=[ASSESSMENT | {"title": "UNIT ONE"}, ASSESSMENT | {"assessment_id": "a2"}], rules=rules
    )
    assert verdicts.assessments["codes"].tolist() == ["title.shouts", ""]
    assert verdicts.assessments["outcome"].tolist() == ["held", "passed"]
    assert verdicts.scores["codes"].tolist() == ["title.shouts"]
    assert (
        rules.reasons({"effective_date": ""})[len(rules.assessments.codes) - 1].sentence == META["sentence"]
    )


def test_a_new_rule_of_scores_looks_at_their_columns_by_a_condition(tmp_path: Path) -> None:
    big_only = {
        "type": "comparison",
        "column": {"name": "points_possible"},
        "operator": ">",
        "parameter": 5,
    }
    rules = with_rule(
        tmp_path,
        "expect_column_values_to_be_between",
        {"column": "points", "max_value": 5, "row_condition": big_only},
        name="scores",
    )
    verdicts = judged(scores=[SCORE, SCORE | {"student_id": "s2", "points": 4.0}], rules=rules)
    assert verdicts.scores["codes"].tolist() == ["title.shouts", ""]


@pytest.mark.parametrize(("longest", "expected"), [({}, ""), ({"longest": 5}, "title.shouts")])
def test_a_districts_setting_enters_a_rule_as_a_parameter(
    tmp_path: Path, longest: dict[str, int], expected: str
) -> None:
    rules = with_rule(
        tmp_path,
        "expect_column_value_lengths_to_be_between",
        {"column": "title", "max_value": {"$PARAMETER": "longest"}},
    )
    verdicts = judged(rules=rules, said={"rules": longest})
    assert verdicts.assessments["codes"].tolist() == [expected]


def test_rejected_outweighs_held_and_the_first_code_leads(tmp_path: Path) -> None:
    rules = with_rule(
        tmp_path, "expect_column_values_to_not_match_regex", {"column": "title", "regex": "^[A-Z ]+$"}
    )
    verdicts = judged(assessment={"title": "UNIT ONE", "include_in_final_grade": False}, rules=rules)
    assert verdicts.assessments["codes"].tolist() == ["final_grade.not_included title.shouts"]
    assert verdicts.assessments["outcome"].tolist() == ["rejected"]


def test_a_row_that_a_rule_tolerates_for_most_is_still_named(tmp_path: Path) -> None:
    rules = with_rule(
        tmp_path,
        "expect_column_values_to_not_match_regex",
        {"column": "title", "regex": "^[A-Z ]+$", "mostly": 0.1},
    )
    verdicts = judged(
        assessments=[ASSESSMENT | {"title": "UNIT ONE"}, ASSESSMENT | {"assessment_id": "a2"}], rules=rules
    )
    assert verdicts.assessments["codes"].tolist() == ["title.shouts", ""]


@pytest.mark.parametrize(
    ("kind", "kwargs", "words"),
    [
        ("expect_column_values_to_not_be_null", {"column": "titel"}, "there is no column 'titel'"),
        (
            "expect_compound_columns_to_be_unique",
            {"column_list": ["title", "titel"]},
            "there is no column 'titel'",
        ),
        (
            "expect_column_values_to_not_be_null",
            {
                "column": "title",
                "row_condition": {"type": "nullity", "column": {"name": "titel"}, "is_null": False},
            },
            "there is no column 'titel'",
        ),
        ("expect_column_values_to_be_nice", {"column": "title"}, "cannot be run"),
        ("expect_column_values_to_be_in_set", {"column": "title", "colour": "red"}, "cannot be run"),
        ("expect_column_values_to_be_between", {"column": "title", "min_value": 5}, "cannot be run"),
        ("expect_table_row_count_to_equal", {"value": 5}, "cannot be run"),
    ],
)
def test_a_broken_expectation_is_a_fault_of_the_suite_and_not_of_the_data(
    tmp_path: Path, kind: str, kwargs: dict[str, Any], words: str
) -> None:
    rules = with_rule(tmp_path, kind, kwargs)
    with pytest.raises(ConfigurationError, match=words) as raised:
        judged(assessment={"title": "Secret title"}, rules=rules)
    assert (
        f"assessments.json: expectation {len(rules.assessments.rules)} (title.shouts)" in raised.value.where
    )
    assert "Secret" not in str(raised.value)


def test_nothing_of_a_student_is_printed_or_logged(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        judged(
            assessment={"title": "Hidden title"},
            scores=[
                SCORE | {"points": -77.125, "student_id": "hidden-student"},
                SCORE | {"points": None, "points_text": "hidden words"},
            ],
        )
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err == ""
    assert not [secret for secret in ("idden", "77.125") if secret in caplog.text]
