"""A district's import: planned from the ledger's verified categories, carried out in Canvas (seed 003)."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

from passback import connections, ledger
from passback.categories import imports_categories
from passback.categories.canvas import create_groups, read_courses
from passback.categories.imports import plan_import, terms_to_import, to_create
from passback.categories.reading import read_categories
from passback.errors import ConfigurationError
from passback.sis import profile_of
from passback.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    import pandas as pd

    from passback.mapping.model import District


def read_plan(
    district: District,
    *,
    courses: Collection[str] = (),
    term: str = "",
    now: datetime,
    say: Callable[[str], None],
) -> pd.DataFrame:
    """What an import would do now, as `imports.IMPORT_PLAN`; the platform is only read.

    Before a district's first night, when the ledger knows no category, the SIS is asked for them here.

    Args:
        district: The district.
        courses: Only these courses, by the platform's ids; empty for all.
        term: Only this term, by the SIS's id; empty for the one that holds today in the district's zone.
        now: The present instant, with a time zone.
        say: Told about progress.

    Raises:
        ConfigurationError: nothing is imported on this route, or there is no such course or term.
        PassbackError: the ledger, the platform or the SIS cannot be asked.
    """
    _refuse_other_routes(district)
    categories = _known(district, now=now, say=say)
    terms = terms_to_import(
        categories, today=now.astimezone(district.zone).date(), term=term, where=district.district
    )
    endpoint = connections.endpoint(district.source.connection)
    canvas = asyncio.run(read_courses(endpoint, now=now, only=courses, say=say))
    return plan_import(canvas, categories, terms, now=now)


def carry_out(district: District, plan: pd.DataFrame, *, say: Callable[[str], None]) -> int:
    """Create the groups that a plan would create and that are not there by now.

    It may be killed anywhere and begun again: what was created is found there.

    Args:
        district: The district.
        plan: `imports.IMPORT_PLAN`.
        say: Told what was created in each course.

    Returns:
        How many groups were created.

    Raises:
        BusyError: another import of the district is under way.
        PassbackError: the platform refuses, or cannot be reached.
    """
    _refuse_other_routes(district)
    wanted = to_create(plan)
    if not wanted:
        return 0
    endpoint = connections.endpoint(district.source.connection)
    url = connections.ledger_url()
    with closing(ledger.connect(url)) as connection, ledger.categories_lock(connection, district.district):
        return asyncio.run(create_groups(endpoint, wanted, say=say))


def _known(district: District, *, now: datetime, say: Callable[[str], None]) -> pd.DataFrame:
    url = connections.ledger_url()
    ledger.ensure_schema(url)
    with closing(ledger.connect(url)) as connection:
        known = ledger.known_categories(connection, district.district)
        if known.empty:
            say(f"asking {profile_of(district.sis.system).title} for its categories, the first time")
            held = read_categories(district, say=say)
            ledger.keep_categories(connection, district.district, held, at=now)
            known = ledger.known_categories(connection, district.district)
    if known.empty:
        title = profile_of(district.sis.system).title
        raise ConfigurationError(
            f"{title} lists no categories.",
            where=f"connection {district.sis.connection}",
            mend=f"Have the {title} administrator add categories, or let this API client read them.",
        )
    return known


def _refuse_other_routes(district: District) -> None:
    if not imports_categories(district):
        platform, sis = SOURCES[district.source.system].title, profile_of(district.sis.system).title
        raise ConfigurationError(
            f"{sis}'s categories are not imported into {platform}: they go by name or mapping file.",
            where=district.district,
            mend=f"See how they fit: passback categories match {district.district}.",
        )
