"""`passback check --connect`: do the systems of a mapping file answer, and hold what it counts on?

Reads only, and finds out by day what a run would find out at midnight (RULES section 2, "Checked when the
mapping file is read, or by the connection check"). What the source cannot say, the SIS is asked; what the SIS
cannot say, the district has confirmed in its mapping file.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pandas as pd

from passback import sources
from passback.categories.matching import NAMES, advice, match
from passback.connections import endpoint
from passback.errors import PassbackError
from passback.gradebooks import gradebook_of
from passback.oneroster import Client, Limits, Retries
from passback.oneroster.facts import read_facts
from passback.oneroster.probe import clock_skew, permissions
from passback.records import (
    ASSESSMENTS,
    CLASSES,
    SIS_CATEGORIES,
    SIS_CLASSES,
    SIS_ENROLLMENTS,
    SIS_PERIODS,
    STUDENTS,
)
from passback.sis import profile_of
from passback.sources import SOURCES
from passback.steps.latest import latest_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from passback.categories.matching import Match
    from passback.mapping.model import District
    from passback.oneroster.probe import Permission
    from passback.sis import SisProfile

# A person waits: what does not answer at once is told, not waited for.
_RETRIES: Final = Retries(attempts=2, patience=10.0)
_TIMEOUT: Final = 20.0  # seconds
_LEAST_MATCH: Final = 0.5  # below this share a roster is another district's, or another year's
_MOST_SKEW: Final = 60.0  # seconds; a token's life and the night's date are reckoned by both clocks
_NAMED: Final = 10  # of what does not match
# How a gradebook can stand to its class so that no scores pass.
_NO_SCORES: Final = {
    "none": "No gradebook yet, so no scores",
    "linked": "Linked gradebooks, so no scores",
    "several": "Several gradebooks, so no scores before sis.gradebooks names one",
    "unreadable": "Not readable, so no scores",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was tried.

    Attributes:
        check: What was tried, such as `categories`.
        good: Whether a run may rely on it.
        found: What was found, in a sentence.
        mend: What to do about it; also given where it is good, but a person had better look.
    """

    check: str
    good: bool
    found: str
    mend: str = ""


@dataclass(frozen=True)
class _OfSis:
    """What the SIS said of itself."""

    permissions: list[Permission]
    scopes_missing: list[str]
    clock_skew: float | None
    facts: Mapping[str, pd.DataFrame] | None
    database_year: int | None = None  # of Aeries' own interface


def try_connections(district: District, *, say: Callable[[str], None]) -> list[Finding]:
    """Try both connections of a district, and whether they fit together.

    A failure is a finding, not an exception. `say` is told about progress where all of the platform is read,
    which is so before the first extraction.
    """
    profile, frames, untold = _profile(district), None, None
    if profile.lists_classes_asked:  # so that there are classes to ask it for
        frames, untold = _platform_holds(district, say)
    classes = set(frames[CLASSES.name]["sis_class_id"]) - {""} if frames else set()
    findings, facts = asyncio.run(_try_both(district, classes))
    if facts is not None and not profile.lists_classes_asked:
        frames, untold = _platform_holds(district, say)
    if untold is not None and findings[0].good:  # else it was told already
        findings.append(untold)
    if facts is None:
        return findings
    findings += _categories(district, facts[SIS_CATEGORIES.name], _names(district, frames))
    return findings if frames is None else [*findings, *_matches(district, frames, facts)]


def _platform_holds(
    district: District, say: Callable[[str], None]
) -> tuple[Mapping[str, pd.DataFrame] | None, Finding | None]:
    """What the platform holds, or why that could not be read."""
    try:
        return latest_frames(district, say=say), None
    except PassbackError as error:
        return None, _failed("what the platform holds", error)


async def _try_both(
    district: District, classes: Collection[str]
) -> tuple[list[Finding], Mapping[str, pd.DataFrame] | None]:
    of_source, (of_sis, facts) = await asyncio.gather(_try_source(district), _try_sis(district, classes))
    return [*of_source, *of_sis, *_confirmed(district)], facts


def _profile(district: District) -> SisProfile:
    return profile_of(district.sis.system, district.sis.transport)


# --- The learning platform ---


async def _try_source(district: District) -> list[Finding]:
    check, source = f"source {district.source.system}", SOURCES[district.source.system]
    try:
        counts = await sources.probe(source, endpoint(district.source.connection))
    except PassbackError as error:
        return [_failed(check, error)]
    told = ", ".join(
        f"{count:,} {name.replace('-', ' ').replace('_', ' ')}" for name, count in counts.items()
    )
    empty = [name for name in (*source.must_hold, "courses") if counts.get(name) == 0]
    mend = f"Have it looked into why {source.title} shows no {', no '.join(empty)}." if empty else ""
    return [Finding(check, good=not empty, found=told, mend=mend)]


# --- The SIS ---


async def _try_sis(
    district: District, classes: Collection[str]
) -> tuple[list[Finding], Mapping[str, pd.DataFrame] | None]:
    profile = _profile(district)
    check = f"SIS {district.sis.system}"
    native = district.sis.transport == "native"
    try:
        said = await (_ask_aeries(district, classes) if native else _ask_sis(district))
    except PassbackError as error:
        return [_failed(check, error)], None
    findings = [
        Finding(check, good=True, found="the credential is accepted"),
        *_permissions(said, profile),
        _clock(said.clock_skew, profile),
    ]
    if said.database_year is not None and said.facts is not None:
        findings.append(_school_year(said.database_year, said.facts[SIS_PERIODS.name]))
    if said.facts is not None:
        findings += [
            _roster(said.facts, profile),
            _periods(said.facts[SIS_PERIODS.name], profile.title),
            *_gradebooks(said.facts[SIS_CLASSES.name], district, profile),
        ]
    return findings, said.facts


async def _ask_aeries(district: District, classes: Collection[str]) -> _OfSis:
    """What Aeries' own interface says of itself and of some classes."""
    from passback.aeries import AeriesGradebook, probe  # noqa: PLC0415 - of this one SIS

    now = datetime.now(UTC)
    sis = gradebook_of(
        district,
        endpoint(district.sis.connection),
        now=now,
        clock=lambda: datetime.now(UTC),
        retries=_RETRIES,
        timeout=_TIMEOUT,
    )
    assert isinstance(sis, AeriesGradebook)  # noqa: S101 - the only one with an interface of its own
    async with sis:
        readable = await probe.permissions(sis.client)
        skew = await probe.clock_skew(sis.client)
        facts = None
        if all(permission.readable for permission in readable):
            facts = await sis.facts(classes, today=now.astimezone(district.zone).date())
        return _OfSis(readable, [], skew, facts, sis.year)


async def _ask_sis(district: District) -> _OfSis:
    profile = _profile(district)
    limits = Limits(
        connections=district.sis.connections or profile.connections,
        requests_per_second=district.sis.requests_per_second or profile.requests_per_second,
    )
    async with Client(
        endpoint(district.sis.connection), profile, limits=limits, retries=_RETRIES, timeout=_TIMEOUT
    ) as sis:
        asked = profile.scopes.split()
        granted = await sis.granted_scopes()
        readable = await permissions(sis)
        skew = await clock_skew(sis)
        facts = None
        if all(permission.readable for permission in readable):
            facts = await read_facts(sis, today=datetime.now(district.zone).date())
        return _OfSis(readable, [scope for scope in asked if scope not in granted], skew, facts)


def _permissions(said: _OfSis, profile: SisProfile) -> Iterator[Finding]:
    """One finding for all that may be read, one for each that may not."""
    readable = [permission.collection for permission in said.permissions if permission.readable]
    if readable:
        yield Finding("permissions", good=True, found=f"may read {', '.join(readable)}")
    for permission in said.permissions:
        if not permission.readable:
            words = f": {permission.words}" if permission.words else ""
            yield Finding(
                "permissions",
                good=False,
                found=f"may not read {permission.collection} ({permission.status}{words})",
                mend=f"Have the administrator of {profile.title} let this API client read it.",
            )
    for scope in said.scopes_missing:
        yield Finding(
            "permissions",
            good=False,
            found=f"the scope {scope.rpartition('/')[2]} was asked for and not granted",
            mend=f"Have the administrator of {profile.title} grant it, or set the scopes that this district"
            " has as scope in the connection's extra.",
        )


def _clock(skew: float | None, profile: SisProfile) -> Finding:
    if skew is None:
        return Finding("clock", good=True, found=f"{profile.title} does not tell the time")
    if abs(skew) <= _MOST_SKEW:
        return Finding("clock", good=True, found=f"{abs(skew):.0f} s from this machine's")
    told = f"{abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    return Finding("clock", good=False, found=told, mend="Set the clock of whichever is wrong by NTP.")


def _school_year(database_year: int, periods: pd.DataFrame) -> Finding:
    """Which year's gradebooks came back: another year than was asked for is an error of its own."""
    told = f"DatabaseYear {database_year}"
    if len(periods):
        told += f": gradebooks from {periods['start_date'].min()} to {periods['end_date'].max()}"
    return Finding("school year", good=True, found=told)


def _roster(facts: Mapping[str, pd.DataFrame], profile: SisProfile) -> Finding:
    classes, enrollments = len(facts[SIS_CLASSES.name]), len(facts[SIS_ENROLLMENTS.name])
    good = classes > 0 and enrollments > 0
    mend = "" if good else f"Give {profile.title}'s API client access to the district's schools."
    return Finding("roster", good=good, found=f"{classes:,} classes, {enrollments:,} enrolments", mend=mend)


def _periods(held: pd.DataFrame, sis_title: str) -> Finding:
    periods = held.drop_duplicates("period_id").sort_values("start_date")
    if periods.empty:
        return Finding(
            "grading periods",
            good=False,
            found="the SIS lists none",
            mend=f"Have the SIS administrator set up this year's grading periods in {sis_title}.",
        )
    if periods["closed"].all():
        return Finding(
            "grading periods",
            good=False,
            found=f"all are closed: {', '.join(periods['title'])}",
            mend=f"Open the current period in {sis_title}, or wait for the next one to begin.",
        )
    status = periods["closed"].map({True: "closed", False: "open"})
    told = periods["title"] + " " + periods["start_date"] + " to " + periods["end_date"] + " " + status
    return Finding("grading periods", good=True, found="; ".join(told))


def _gradebooks(classes: pd.DataFrame, district: District, profile: SisProfile) -> Iterator[Finding]:
    """What the SIS says of its classes' gradebooks and schools, where it says anything."""
    told = classes[classes["gradebook"].ne("")]
    if len(told):
        counts = told["gradebook"].value_counts()
        found = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        mends = [
            f"{words}: {_some(of)}."
            for standing, words in _NO_SCORES.items()
            if len(of := told.loc[told["gradebook"].eq(standing), "sis_class_id"])
        ]
        yield Finding("gradebooks", good=True, found=found, mend=" ".join(mends))
    elif district.sis.linked_gradebooks:
        found = f"{len(district.sis.linked_gradebooks):,} linked, by the mapping file"
        yield Finding("gradebooks", good=True, found=found)
    held = classes.loc[~classes["gradebook"].isin(["none", "several"]), "sis_class_id"]
    if misnamed := set(district.sis.gradebooks) - set(held):
        yield Finding(
            "gradebooks",
            good=False,
            found=f"the gradebook that is named for it is not this class's alone: {_some(sorted(misnamed))}",
            mend="Correct sis.gradebooks in the mapping file.",
        )
    unknown = set(district.sis.linked_gradebooks) - set(classes["sis_class_id"])
    if unknown:
        yield Finding(
            "gradebooks",
            good=False,
            found=f"{profile.title} has no such class: {_some(sorted(unknown))}",
            mend="Correct sis.linked_gradebooks in the mapping file.",
        )
    elementary = classes[classes["master_schedule"].eq(other=False).fillna(value=False)]
    if len(elementary):
        found = f"{len(elementary):,} classes belong to elementary schools without a master schedule"
        yield Finding("schools", good=True, found=found, mend="Their scores are rejected with that reason.")


# --- What must fit together ---


def _confirmed(district: District) -> Iterator[Finding]:
    for key, said in _profile(district).confirmations.items():
        yield Finding("confirmed", good=key in district.confirmed, found=f"{key}: {said}")


def _categories(district: District, held: pd.DataFrame, names: pd.DataFrame) -> Iterator[Finding]:
    """One finding for all names that have a category, one for each that has none."""
    source, profile = SOURCES[district.source.system], _profile(district)
    if held.empty:
        mend = "Have the SIS administrator set up the district's categories."
        yield Finding("categories", good=False, found=f"{profile.title} shows none", mend=mend)
        return
    if source.groups and profile.imports_categories:
        titles = ", ".join(sorted(set(held["title"])))
        found = f"{profile.title} has {titles}; they count once they are imported into {source.title}"
        mend = f"See what is imported: passback categories import {district.district}"
        yield Finding("categories", good=True, found=found, mend=mend)
        return
    matches = match(names, held, mapped=district.categories, source=source, sis=profile)
    if there := [each for each in matches if each.good]:
        found = ", ".join(dict.fromkeys(each.category for each in there))
        yield Finding("categories", good=True, found=f"there: {found}")
    for each in matches:
        if not each.good:
            yield _no_category(each, district, held, profile)
    for told in advice(matches, held, source=source, sis=profile):
        yield Finding("categories", good=True, found=told)


def _no_category(each: Match, district: District, held: pd.DataFrame, profile: SisProfile) -> Finding:
    """A name without its category. Where teachers name their own, that is theirs to mend, not the file's."""
    wanted = (district.categories or {}).get(each.name)
    if each.category and each.missing_in:
        found = (
            f"{each.category!r} is not in the gradebook of {each.missing_in} of {len(each.class_ids)} classes"
        )
        mend = f"Add the category to those gradebooks in {profile.title}."
        return Finding("categories", good=True, found=found, mend=mend)
    near = each.nearest or tuple(sorted(set(held["title"])))[:_NAMED]
    if each.state == "several":
        found = f"{profile.title} has several categories named {each.category!r} for the whole district"
    elif wanted:
        found = f"{profile.title} has no category {wanted!r}, to which {each.name} is mapped"
    else:
        found = f"{each.name!r} has no category of its name in {profile.title}"
    mend = (
        "Correct the name in the mapping file, or have the SIS administrator add the category."
        if wanted
        else "Its scores are rejected until one of the two is renamed, or the mapping file maps it."
    )
    return Finding(
        "categories", good=not wanted, found=f"{found}. Nearest there: {', '.join(near)}.", mend=mend
    )


def _names(district: District, frames: Mapping[str, pd.DataFrame] | None) -> pd.DataFrame:
    """What has to have a category, as `NAMES`: what is mapped, or else what the platform holds."""
    if district.categories is not None:
        return NAMES.conform(pd.DataFrame({"name": list(district.categories), "sis_class_id": ""}))
    if frames is None:
        return NAMES.empty()
    classes = frames[CLASSES.name][["class_id", "sis_class_id"]]
    borne = frames[ASSESSMENTS.name][["class_id", "type"]].merge(classes, on="class_id")
    borne = borne.rename(columns={"type": "name"})
    return NAMES.conform(borne[borne["name"].str.strip().ne("")].drop_duplicates(list(NAMES.key)))


def _matches(
    district: District, rosters: Mapping[str, pd.DataFrame], facts: Mapping[str, pd.DataFrame]
) -> Iterator[Finding]:
    """How many of the platform's classes and students the SIS knows. Classes are named, students are not."""
    platform, sis = SOURCES[district.source.system].title, _profile(district).title
    classes = rosters[CLASSES.name]["sis_class_id"]
    known = classes.isin(facts[SIS_CLASSES.name]["sis_class_id"]) & classes.ne("")
    yield _match("class match", known, f"of {platform}'s classes are in {sis}", _some(classes[~known]))
    students = rosters[STUDENTS.name]["sis_student_id"]
    enrolled = students.isin(facts[SIS_ENROLLMENTS.name]["sis_student_id"]) & students.ne("")
    yield _match("student match", enrolled, f"of {platform}'s students are enrolled in {sis}", "")


def _match(check: str, known: pd.Series, what: str, missing: str) -> Finding:
    total, matched = len(known), int(known.sum())
    share = matched / total if total else 0.0
    found = f"{matched:,} of {total:,} ({share:.0%}) {what}"
    if missing and matched < total:
        found += f"; not there: {missing}"
    good = share >= _LEAST_MATCH
    mend = "" if good else "See that both systems are rostered from the same SIS and the same school year."
    return Finding(check, good=good, found=found, mend=mend)


def _some(names: pd.Series | list[str]) -> str:
    """The first few names, and how many more there are."""
    shown = [str(name) or "one without a SIS id" for name in list(names)[:_NAMED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _failed(check: str, error: PassbackError) -> Finding:
    return Finding(check, good=False, found=f"{error.where}: {error.what}", mend=error.mend)
