"""A new district's mapping file: the route's defaults, with a comment where a person must look."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from passback.sis import PROFILES
from passback.sources import SOURCES

if TYPE_CHECKING:
    from datetime import date

# The example map of the Skyward guide (seed 001): each Otus type with one category.
EXAMPLE_CATEGORIES: Final = {
    "Assignment": "Assignment",
    "Checklist": "Classwork",
    "Homework": "Homework",
    "Journal": "Project",
    "Lab": "Lab",
    "Observation": "Observation",
    "Paper": "Project",
    "Presentation": "Project",
    "Project": "Project",
    "Quiz": "Quiz",
    "Test": "Test",
    "Worksheet": "Classwork",
}
SCHEDULE: Final = "0 22 * * *"
_SIS_CONNECTION: Final = (
    "the host of the SIS's OneRoster interface, the client id as login and the secret as password; base_path"
    " and token_url in its extra where they differ from the usual"
)


def new_mapping(
    district: str, source: str, sis: str, *, name: str, timezone: str, effective_date: date
) -> str:
    """The text of a mapping file.

    Args:
        district: The district's name, its DAG's id.
        source: The learning platform, one of `SOURCES`.
        sis: The student information system, one of `PROFILES`.
        name: The name people use.
        timezone: The district's time zone.
        effective_date: The first day that counts.
    """
    profile, platform = PROFILES[sis], SOURCES[source]
    lines = [
        "# yaml-language-server: $schema=schema.json",
        f"district: {district}",
        f"name: {json.dumps(name, ensure_ascii=False)}",
        f"timezone: {timezone}",
        f'schedule: "{SCHEDULE}"  # every night at 22:00 there; null: only by hand',
        f"effective_date: {effective_date.isoformat()}  # the first day that counts",
        f"source: {{system: {source}, connection: {district}_{source}}}",
        f"sis: {{system: {sis}, connection: {district}_{sis}}}",
    ]
    if profile.confirmations:
        lines.append("confirmed:  # take the # away from each that the district has made sure of")
        lines += [f"  # - {key}" for key in profile.confirmations]
    if platform.types:
        lines.append(f"categories:  # each {platform.title} type goes to one {profile.title} category")
        lines += [f"  {kind}: {EXAMPLE_CATEGORIES.get(kind, kind)}" for kind in platform.types]
    elif profile.imports_categories and platform.groups:
        lines.append(
            f"# categories: {profile.title}'s own, imported by `passback categories import {district}`"
        )
    else:
        lines.append(
            f"# categories: by name. `passback categories match {district}` writes a list to paste here"
        )
    lines.append("rules: {}  # docs/rules.md lists what may be set")
    return "\n".join(lines) + "\n"


def left_to_do(district: str, source: str, sis: str, *, file: str) -> list[str]:
    """What a person does with a new mapping file before its first night, one sentence each."""
    profile, platform = PROFILES[sis], SOURCES[source]
    steps = [f"Look over name, timezone and effective_date in {file}."]
    steps += [f"Confirm {key}: {said}" for key, said in profile.confirmations.items()]
    if platform.types:
        steps.append(f"Write the {profile.title} category of each {platform.title} type.")
    steps += [
        f"Add the Airflow connection {district}_{source}: {platform.connection}.",
        f"Add the Airflow connection {district}_{sis}: {_SIS_CONNECTION}.",
    ]
    if profile.imports_categories and platform.groups:
        steps.append(f"Import the categories: passback categories import {district}")
    elif not platform.types:
        steps.append(f"See which {platform.types_are} have a category: passback categories match {district}")
    return [
        *steps,
        f"Try it: passback check {district} --connect",
        f"See what would be sent: passback run {district} --mode preview",
    ]
