"""What docs/rules.md shows is so: its examples stand or can be added, and its table is that of the suites."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

from passback import paths
from passback.rules.suites import read_suites
from passback.sis import PROFILES
from rules.scene import ASSESSMENT, judged, suites

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (paths.root() / "docs" / "rules.md").read_text(encoding="utf-8")
READ, ADDED = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))


def test_the_rule_that_is_read_stands_in_a_suite() -> None:
    assert READ in [rule.expectation for rule in suites("skyward").assessments.rules]


def test_the_rule_that_is_added_is_judged_with_no_more_than_the_json(tmp_path: Path) -> None:
    shutil.copytree(paths.expectations() / "aeries", tmp_path / "aeries")
    path = tmp_path / "aeries" / "assessments.json"
    suite = json.loads(path.read_text(encoding="utf-8"))
    after = [rule["meta"]["code"] for rule in suite["expectations"]].index("title.too_long")
    suite["expectations"].insert(after, ADDED)
    path.write_text(json.dumps(suite), encoding="utf-8")

    loud = ASSESSMENT | {"assessment_id": "a2", "title": "UNIT ONE", "include_in_final_grade": False}
    found = judged(sis="aeries", assessments=[ASSESSMENT, loud], rules=read_suites(tmp_path, "aeries"))
    assert found.assessments["codes"].tolist() == ["", "title.shouts final_grade.not_included"]


def test_the_table_of_settings_is_that_of_the_suites() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if line.startswith("| ")
    ]
    (head, *lines) = rows
    systems = {profile.title: name for name, profile in PROFILES.items()} | {"generic": "generic"}
    told: dict[str, dict[str, Any]] = {systems[title]: {} for title in head[1:]}
    for name, *defaults in lines:
        for system, default in zip(told, defaults, strict=True):
            if default:
                told[system][name.strip("`")] = json.loads(default)
    assert told == {
        name: {key: setting.default for key, setting in suites(name).settings.items()} for name in PROFILES
    }
