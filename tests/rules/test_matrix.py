"""The suites of every SIS hold what RULES section 2 says of it, and a table of RULES itself agrees."""

from __future__ import annotations

import re

import pytest

from passback import paths
from passback.rules.suites import settings
from passback.sis import PROFILES
from rules import matrix
from rules.scene import suites

RULES = paths.root().parent / "shared" / "RULES.md"
PARAMETERS = {"effective_date": "2026-08-17"}


def test_every_sis_with_a_profile_is_in_the_table() -> None:
    assert set(matrix.SISS) == set(PROFILES)


@pytest.mark.parametrize("sis", matrix.SISS)
def test_a_suite_holds_the_rows_of_its_sis_in_the_tables_order(sis: str) -> None:
    assert list(suites(sis).assessments.codes) == matrix.codes(sis, "A")
    assert list(suites(sis).scores.codes) == matrix.codes(sis, "S")


@pytest.mark.parametrize("sis", matrix.SISS)
def test_a_rule_that_is_off_unless_set_has_a_switch_that_is_off(sis: str) -> None:
    read = suites(sis)
    defaults = settings(read, {})
    for level, suite in (("A", read.assessments), ("S", read.scores)):
        for rule in suite.rules:
            code = rule.reason.code
            switch = matrix.SWITCHES.get(sis, {}).get(code)
            if matrix.state(code, sis, level) == "○":
                assert rule.when == code
                assert defaults[code] is False
            else:
                assert rule.when == switch
                assert switch is None or defaults[switch] is True


@pytest.mark.parametrize("sis", matrix.SISS)
def test_a_reason_has_the_outcome_and_the_seed_of_its_row_and_no_placeholder_is_left(sis: str) -> None:
    read = suites(sis)
    reasons = {reason.code: reason for reason in read.reasons(PARAMETERS | settings(read, {}))}
    for code, _, outcome, seeds, *_ in matrix.ROWS:
        if code in reasons:
            assert reasons[code].outcome == outcome
            assert reasons[code].seed == matrix.seed(seeds, sis)
    for reason in reasons.values():
        assert not re.search(r"[{}]", reason.sentence + reason.mend)
        assert reason.sentence.endswith(".")
        assert reason.mend.endswith(".")


@pytest.mark.parametrize("sis", matrix.SISS)
def test_words_name_the_sis_and_no_other(sis: str) -> None:
    said = " ".join(
        rule.reason.sentence + " " + rule.reason.mend
        for suite in (suites(sis).assessments, suites(sis).scores)
        for rule in suite.rules
    )
    named = {other for other in matrix.SISS if PROFILES[other].title in said}
    assert named == ({sis} if sis != "generic" else set())


DEFAULTS: list[tuple[str, dict[str, object]]] = [
    ("aeries", {"whole_scores": True, "past_due_zero": False}),
    ("skyward", {"past_due_zero": True}),
    ("aspire", {"title_max_length": 50, "change_window_days": 30, "past_due_zero": False}),
    ("aspen", {"title_max_length": 255, "past_due_zero": False}),
    ("generic", {"title_max_length": 255, "past_due_zero": False}),
    ("infinite_campus", {"title_max_length": 30, "past_due_zero": False}),
    ("powerschool", {"title_max_length": 30, "past_due_zero": False}),
    ("synergy", {"title_max_length": 255, "past_due_zero": False}),
]


@pytest.mark.parametrize(("sis", "expected"), DEFAULTS, ids=[sis for sis, _ in DEFAULTS])
def test_a_sis_has_its_own_settings_beside_the_switches(sis: str, expected: dict[str, object]) -> None:
    read = suites(sis)
    switches = {rule.when for rule in read.assessments.rules + read.scores.rules} - {None, "whole_scores"}
    assert {name: value for name, value in settings(read, {}).items() if name not in switches} == expected


@pytest.mark.skipif(not RULES.exists(), reason="RULES.md is not beside the project")
def test_the_table_is_that_of_the_rules() -> None:
    marks = {"●": "●", "○": "○", "\N{EN DASH}": matrix.ABSENT, "<": "●", "≤": "●"}
    found = {}
    for line in RULES.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"`[a-z_]+\.[a-z_]+`", cells[0]) and len(cells) == 8:
            code, level, must_hold, aeries, skyward, aspire, aspen, seeds = cells
            found[code.strip("`")] = (
                set(level.split()),
                "held" if "*held*" in must_hold or "else *held*" in aspire + must_hold else "rejected",
                [marks[cell[0]] for cell in (aeries, skyward, aspire, aspen)],
                seeds,
            )
    ours = {row[0] for row in matrix.ROWS} - matrix.OURS
    assert set(found) == ours
    for code, level, outcome, seeds, seeded, _ in matrix.ROWS:
        if code in matrix.OURS:
            continue
        levels, becomes, states, documents = found[code]
        assert level in levels
        assert (outcome, seeds) == (becomes, documents)
        for mine, theirs in zip(seeded.split(), states, strict=True):
            assert mine == theirs or (theirs == matrix.ABSENT and code in matrix.SAID_BY_SOURCE), code
    in_order = [row[0] for row in matrix.ROWS if row[0] not in matrix.OURS]
    for level in ("A", "S"):
        mine = [row[0] for row in matrix.ROWS if row[1] == level and row[0] in in_order]
        assert mine == [code for code in found if level in found[code][0]]
