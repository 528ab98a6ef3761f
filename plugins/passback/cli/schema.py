"""`passback schema`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

from passback.cli.console import print_json


def schema() -> None:
    """Print the JSON Schema of a mapping file, for editors to complete and check it."""
    from passback.mapping.schema import json_schema

    print_json(json_schema())
