"""The JSON Schema that editors use says what the model says."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from mapping.conftest import GOOD
from passback import paths
from passback.mapping.schema import json_schema, write_schema

MAPPINGS = paths.root() / "include" / "mappings"


def as_json(content: str) -> Any:
    return json.loads(json.dumps(yaml.safe_load(content), default=str))


def test_the_exported_schema_is_up_to_date() -> None:
    exported = json.loads((MAPPINGS / "schema.json").read_text(encoding="utf-8"))
    assert exported == json_schema(), "run `python -m passback.mapping.schema`"


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(json_schema())


def test_the_schema_is_written_where_it_is_wanted(tmp_path: Any) -> None:
    assert json.loads(write_schema(tmp_path / "s.json").read_text(encoding="utf-8")) == json_schema()


@pytest.mark.parametrize("file", sorted(MAPPINGS.glob("*.yaml")), ids=lambda file: file.name)
def test_every_sample_keeps_the_schema_and_names_it(file: Any) -> None:
    content = file.read_text(encoding="utf-8")
    assert content.startswith("# yaml-language-server: $schema=schema.json\n")
    jsonschema.validate(as_json(content), json_schema())


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("name: Lakeview", "nam: Lakeview"),
        ("system: otus", "system: otis"),
        ("system: skyward", "system: skywards"),
        ("[oneroster_licence, use_grade_unchecked]", "[oneroster_licence]"),
        ("[oneroster_licence, use_grade_unchecked]", "[oneroster_licence, other]"),
        ("confirmed: [oneroster_licence, use_grade_unchecked]\n", ""),
        ("  Quiz: Quiz\n", ""),
        ("  Quiz: Quiz\n", "  Quiz: Quiz\n  Essay: Project\n"),
        ("rules: {}", "rules: {unknown: 1}"),
        ("rules: {}", "rules: {score.above_total: 1}"),
        ("2026-08-17", "[2026]"),
        ("system: skyward", "system: skyward\n  adopt: sometimes"),
        ("system: skyward", "system: skyward\n  transport: native"),
        ("system: skyward", "system: skyward\n  create_categories: true"),
        ("system: skyward", "system: skyward\n  removed_scores: clear"),
    ],
)
def test_the_schema_refuses_what_the_model_refuses(good: str, bad: str) -> None:
    jsonschema.validate(as_json(GOOD), json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(as_json(GOOD.replace(good, bad)), json_schema())


def test_the_schema_lets_a_district_ask_for_what_its_sis_can_do() -> None:
    sis = (
        "system: generic\n  adopt: true\n  recreate: true\n  create_categories: true\n  removed_scores: clear"
    )
    generic = GOOD.replace("system: skyward", sis).replace(
        "confirmed: [oneroster_licence, use_grade_unchecked]\n", ""
    )
    jsonschema.validate(as_json(generic), json_schema())
