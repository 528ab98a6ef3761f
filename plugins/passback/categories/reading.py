"""What a district's platform and SIS have now: the names and the categories that `matching` compares."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd

from passback import connections, sources
from passback.categories.canvas import read_courses
from passback.categories.matching import NAMES
from passback.gradebooks import gradebook_of
from passback.records import ASSESSMENTS, CLASSES, SIS_CATEGORIES
from passback.sis import profile_of
from passback.steps.latest import latest_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.mapping.model import District


def read_categories(district: District, *, say: Callable[[str], None]) -> pd.DataFrame:
    """The SIS's categories as it lists them now, as `records.SIS_CATEGORIES`.

    Args:
        district: The district.
        say: Told about progress where the SIS is asked by class, and the platform has to say which there are.

    Raises:
        PassbackError: the SIS cannot be asked.
    """
    endpoint, now = connections.endpoint(district.sis.connection), datetime.now(UTC)
    classes = classes_to_ask(district, say=say)

    async def read() -> pd.DataFrame:
        sis = gradebook_of(district, endpoint, now=now, clock=lambda: datetime.now(UTC))
        async with sis:
            facts = await sis.facts(classes, today=now.astimezone(district.zone).date())
        return facts[SIS_CATEGORIES.name]

    return asyncio.run(read())


def classes_to_ask(district: District, *, say: Callable[[str], None]) -> set[str]:
    """The platform's classes by the SIS's ids, where the SIS tells of none but those it is asked for.

    Raises:
        PassbackError: the platform cannot be asked.
    """
    if not profile_of(district.sis.system, district.sis.transport).lists_classes_asked:
        return set()
    return set(latest_frames(district, say=say)[CLASSES.name]["sis_class_id"]) - {""}


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
