"""The JSON Schema of a mapping file, with which an editor completes and checks it while it is written.

`python -m passback.mapping.schema` writes it beside the mapping files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from passback import paths
from passback.mapping.model import District
from passback.rules.suites import read_suites
from passback.sis import PROFILES, SisProfile
from passback.sources import SOURCES

if TYPE_CHECKING:
    from pathlib import Path

    from passback.rules.settings import Setting


def json_schema() -> dict[str, Any]:
    """The schema: the model's, with the systems and what each of them brings along.

    Raises:
        ConfigurationError: a suite is missing or not what it must be.
    """
    model = District.model_json_schema()
    model["definitions"] = model.pop("$defs")
    schema: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **_with_references(model),
        "title": "Passback mapping file",
        "description": "A district: where its scores come from, where they go, and by which rules.",
    }
    schema["definitions"]["Source"]["properties"]["system"]["enum"] = sorted(SOURCES)
    schema["definitions"]["Sis"]["properties"]["system"]["enum"] = sorted(PROFILES)
    schema["allOf"] = [
        *(
            _when(
                "source",
                name,
                {"required": ["categories"], "properties": {"categories": _types(source.types)}},
            )
            for name, source in SOURCES.items()
            if source.types
        ),
        *(_when("sis", name, _of_sis(profile)) for name, profile in PROFILES.items()),
    ]
    return schema


def write_schema(path: Path | None = None) -> Path:
    """Write the schema to `path`, `schema.json` beside the project's mapping files by default."""
    path = path or paths.root() / "include" / "mappings" / "schema.json"
    path.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _with_references(schema: Any) -> Any:
    """The same schema in the words of draft 7, which editors know best."""
    if isinstance(schema, dict):
        return {
            key: value.replace("#/$defs/", "#/definitions/") if key == "$ref" else _with_references(value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str))  # the fields' names once more
        }
    return [_with_references(item) for item in schema] if isinstance(schema, list) else schema


def _when(part: str, system: str, then: dict[str, Any]) -> dict[str, Any]:
    chosen = {"properties": {part: {"properties": {"system": {"const": system}}}}, "required": [part]}
    return {"if": chosen, "then": then}


def _types(types: tuple[str, ...]) -> dict[str, Any]:
    category = {"type": "string", "minLength": 1, "description": "A category of the SIS, at district level."}
    return {
        "properties": dict.fromkeys(types, category),
        "required": list(types),
        "additionalProperties": False,
    }


def _of_sis(profile: SisProfile) -> dict[str, Any]:
    confirmations = [{"const": key, "description": said} for key, said in profile.confirmations.items()]
    settings = read_suites(paths.expectations(), profile.system).settings
    return {
        "properties": {
            "sis": {"properties": _what_it_can(profile)},
            "confirmed": {
                "items": {"oneOf": confirmations} if confirmations else False,
                "minItems": len(confirmations),
                "uniqueItems": True,
            },
            "rules": {
                "properties": {name: _setting(setting) for name, setting in sorted(settings.items())},
                "additionalProperties": False,
            },
        },
        "required": ["confirmed"] if confirmations else [],
    }


def _what_it_can(profile: SisProfile) -> dict[str, Any]:
    """The values left of fields that ask for more than some systems can do."""
    can = {
        "transport": {} if profile.has_native_interface else {"const": "oneroster"},
        "gradebooks": {} if profile.has_native_interface else {"maxProperties": 0},
        "create_categories": {} if profile.creates_categories else {"const": False},
        "removed_scores": {} if profile.clears_scores else {"const": "report"},
    }
    return {field: values for field, values in can.items() if values}


def _setting(setting: Setting) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": setting.type, "description": setting.says, "default": setting.default}
    if setting.type == "date":
        schema |= {"type": "string", "format": "date"}
    bounds = {"minimum": setting.minimum, "maximum": setting.maximum}
    return schema | {name: bound for name, bound in bounds.items() if bound is not None}


if __name__ == "__main__":
    write_schema()
