"""The shape of a source profile: what a learning platform says of its scores, and what it leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass(frozen=True)
class SourceProfile:
    """What a learning platform tells, so that a rule is judged only where it can be.

    Attributes:
        system: The name a mapping file gives it.
        title: The name people use.
        module: The module below `passback.sources` that reads it.
        types: The assessment types that a district maps one by one; empty where every class or teacher names
            its own.
        types_are: What it calls them: types, groups or categories.
        groups: Whether they are assignment groups of a course, which may be imported from the SIS.
        tells_assigner: Whether it says who assigned an assessment.
        tells_group: Whether it has a passback teacher group.
        must_hold: The frames that are never empty in a district that uses it.
        compare_every: How often everything is read again, because what changed does not show everything;
            None where it does.
        connection: What its Airflow connection holds, in a sentence for a person who makes one.
    """

    system: str
    title: str
    module: str
    types: tuple[str, ...]
    types_are: str
    groups: bool
    tells_assigner: bool
    tells_group: bool
    must_hold: tuple[str, ...]
    compare_every: timedelta | None
    connection: str
