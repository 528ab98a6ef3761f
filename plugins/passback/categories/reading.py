"""What a district's platform and SIS have now: the names and the categories that `matching` compares."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

import pandas as pd

from passback import connections, sources
from passback.categories.canvas import read_courses
from passback.categories.matching import NAMES
from passback.oneroster import Client, Limits
from passback.oneroster.facts import read_facts
from passback.records import ASSESSMENTS, CLASSES, SIS_CATEGORIES
from passback.sis import profile_of
from passback.steps.latest import latest_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.mapping.model import District


def read_categories(district: District) -> pd.DataFrame:
    """The SIS's categories as it lists them now, as `records.SIS_CATEGORIES`.

    Raises:
        PassbackError: the SIS cannot be asked.
    """
    profile = profile_of(district.sis.system)
    limits = Limits(
        connections=district.sis.connections or profile.connections,
        requests_per_second=district.sis.requests_per_second or profile.requests_per_second,
    )

    async def read() -> pd.DataFrame:
        async with Client(connections.endpoint(district.sis.connection), profile, limits=limits) as sis:
            facts = await read_facts(sis, today=datetime.now(district.zone).date())
        return facts[SIS_CATEGORIES.name]

    return asyncio.run(read())


def read_names(district: District, *, now: datetime, say: Callable[[str], None]) -> pd.DataFrame:
    """The platform's types, groups or categories, as `matching.NAMES`.

    Its types where it has fixed ones; assignment groups as they stand in the courses now; else those of the
    last extraction's assessments, or, before the first, of all its assessments now.

    Args:
        district: The district.
        now: The present instant, with a time zone.
        say: Told what is read.

    Raises:
        PassbackError: the platform cannot be asked.
    """
    source = sources.SOURCES[district.source.system]
    if source.types:
        return NAMES.conform(pd.DataFrame({"name": list(source.types), "sis_class_id": ""}))
    endpoint = connections.endpoint(district.source.connection)
    if source.groups:
        courses = asyncio.run(read_courses(endpoint, now=now, say=say))
        groups = courses.groups.merge(courses.classes, on="course_id")
        return NAMES.conform(groups.drop_duplicates(list(NAMES.key)))
    frames = latest_frames(district, say=say)
    of_class = frames[ASSESSMENTS.name].merge(
        frames[CLASSES.name][["class_id", "sis_class_id"]], on="class_id", how="left"
    )
    names = of_class.rename(columns={"type": "name"})
    return NAMES.conform(names[names["name"].str.strip().ne("")].drop_duplicates(list(NAMES.key)))
