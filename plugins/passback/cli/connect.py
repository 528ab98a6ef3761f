"""`passback check --connect`: do the systems of a mapping file answer, and hold what it counts on?

Reads only, and finds out by day what a run would find out at midnight (RULES section 2, "Checked when the
mapping file is read, or by the connection check").
"""

from __future__ import annotations

import asyncio
import difflib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from passback import sources
from passback.connections import endpoint
from passback.errors import PassbackError
from passback.oneroster import Client, Limits, Retries
from passback.oneroster.facts import read_facts
from passback.records import SIS_CATEGORIES, SIS_CLASSES, SIS_ENROLLMENTS, SIS_PERIODS
from passback.sis import profile_of

if TYPE_CHECKING:
    import pandas as pd

    from passback.mapping.model import District

# A person waits: what does not answer at once is told, not waited for.
_RETRIES: Final = Retries(attempts=2, patience=10.0)


@dataclass(frozen=True)
class Finding:
    """One thing that was tried.

    Attributes:
        check: What was tried, such as `categories`.
        good: Whether a run may rely on it.
        found: What was found, in a sentence.
        mend: What to do about it; empty if it is good.
    """

    check: str
    good: bool
    found: str
    mend: str = ""


def try_connections(district: District) -> list[Finding]:
    """Try both connections of a district; a failure is a finding, not an exception."""
    return asyncio.run(_try_both(district))


async def _try_both(district: District) -> list[Finding]:
    of_source, of_sis = await asyncio.gather(_try_source(district), _try_sis(district))
    return [*of_source, *of_sis]


async def _try_source(district: District) -> list[Finding]:
    check = f"source {district.source.system}"
    try:
        counts = await sources.probe(district.source.system, endpoint(district.source.connection))
    except PassbackError as error:
        return [_failed(check, error)]
    told = ", ".join(f"{count:,} {name.replace('-', ' ')}" for name, count in counts.items())
    if not counts.get("scores"):
        return [Finding(check, good=False, found=told, mend="Have the vendor look why the feed is empty.")]
    return [Finding(check, good=True, found=told)]


async def _try_sis(district: District) -> list[Finding]:
    profile = profile_of(district.sis.system)
    check = f"SIS {district.sis.system}"
    try:
        facts = await _read_sis(district)
    except PassbackError as error:
        return [_failed(check, error)]
    classes, enrollments = len(facts[SIS_CLASSES.name]), len(facts[SIS_ENROLLMENTS.name])
    return [
        Finding(
            check,
            good=classes > 0,
            found=f"the credential is accepted; {classes:,} classes, {enrollments:,} enrolments",
            mend="" if classes else f"Give {profile.title}'s API client access to the district's schools.",
        ),
        *_categories(district, facts[SIS_CATEGORIES.name]),
        _periods(facts[SIS_PERIODS.name], profile.title),
    ]


async def _read_sis(district: District) -> dict[str, pd.DataFrame]:
    profile = profile_of(district.sis.system)
    limits = Limits(
        connections=district.sis.connections or profile.connections,
        requests_per_second=district.sis.requests_per_second or profile.requests_per_second,
    )
    async with Client(
        endpoint(district.sis.connection), profile, limits=limits, retries=_RETRIES, timeout=20.0
    ) as sis:
        return await read_facts(sis, today=datetime.now(district.zone).date())


def _categories(district: District, held: pd.DataFrame) -> list[Finding]:
    """One finding for all mapped categories that are there, one for each that is not."""
    in_district = sorted(set(held.loc[held["sis_class_id"].eq(""), "title"].str.strip()))
    wanted = sorted({title.strip() for title in district.categories.values()})
    there = [title for title in wanted if title in in_district]
    findings = [Finding("categories", good=True, found=f"there: {', '.join(there)}")] if there else []
    for title in wanted:
        if title in there:
            continue
        near = difflib.get_close_matches(title, in_district, n=3) or in_district[:10]
        types = ", ".join(name for name, mapped in district.categories.items() if mapped.strip() == title)
        nearest = f"Nearest there: {', '.join(near)}." if near else "It has none at district level."
        findings.append(
            Finding(
                "categories",
                good=False,
                found=f"the SIS has no district category {title!r}, to which {types} is mapped. {nearest}",
                mend="Correct the name in the mapping file, or have the SIS administrator add the category.",
            )
        )
    return findings


def _periods(held: pd.DataFrame, sis_title: str) -> Finding:
    periods = held.drop_duplicates("period_id").sort_values("start_date")
    told = [
        f"{title or period_id} {start_date} to {end_date} {'closed' if closed else 'open'}"
        for title, period_id, start_date, end_date, closed in zip(
            *(periods[name] for name in ("title", "period_id", "start_date", "end_date", "closed")),
            strict=True,
        )
    ]
    if periods.empty:
        return Finding(
            "grading periods",
            good=False,
            found="the SIS lists none",
            mend=f"Have the {sis_title} administrator set up grading periods that the API client may read.",
        )
    if periods["closed"].all():
        return Finding(
            "grading periods",
            good=False,
            found=f"all are closed: {'; '.join(told)}",
            mend=f"Have the {sis_title} administrator open the current one; until then nothing passes.",
        )
    return Finding("grading periods", good=True, found="; ".join(told))


def _failed(check: str, error: PassbackError) -> Finding:
    where = f"{error.where}: " if error.where else ""
    return Finding(check, good=False, found=f"{where}{error.what}", mend=error.mend)
