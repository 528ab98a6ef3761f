"""The platform's types, groups or categories beside the SIS's categories: equal, near, or missing.

For eKadence the same number of categories under the same names is recommended (seed 002); in Aspen a category
bears its group's very name (seed 004). Several of Otus' types may share a category.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import yaml  # type: ignore[import-untyped]

from passback.records import TEXT, Frame

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd

    from passback.sis import SisProfile
    from passback.sources.profile import SourceProfile

NAMES: Final = Frame(
    "names",  # one row a name and class that uses it; sis_class_id is empty where the class is not known
    {"name": TEXT, "sis_class_id": TEXT},
    ("name", "sis_class_id"),
)

CODES: Final = {"aspen": re.compile(r"[A-Za-z0-9-]{1,20}")}  # seed 004: letters, digits, dashes
_CODE_LENGTH: Final = 20
_NEAREST: Final = 3
_PLAIN: Final = re.compile(r"[^\W\d_][\w ()/&.-]*")


@dataclass(frozen=True)
class Match:
    """A name of the platform, and what the SIS has for it.

    Attributes:
        name: A type, group or category of the platform.
        class_ids: The classes that use it, by the SIS's ids; empty where that is not known.
        category: The SIS's category that it goes to, or should: by the mapping file, by its name, or as
            proposed; empty for none.
        state: exact (the category is there), mapped (there, by the mapping file), several (more than one of
            that name), near (proposed) or none.
        missing_in: In how many of the classes there is no such category.
        nearest: The nearest names that exist, the nearest first.
    """

    name: str
    class_ids: frozenset[str]
    category: str
    state: str
    missing_in: int
    nearest: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether assessments under this name have their category."""
        return self.state in ("exact", "mapped") and not self.missing_in

    @property
    def classes(self) -> int:
        """How many classes use the name; 0 where that is not known."""
        return len(self.class_ids)

    def meets(self, other: Match) -> bool:
        """Whether a class may use both."""
        return not (self.class_ids and other.class_ids) or not self.class_ids.isdisjoint(other.class_ids)


def match(
    names: pd.DataFrame,
    categories: pd.DataFrame,
    *,
    mapped: Mapping[str, str] | None,
    source: SourceProfile,
    sis: SisProfile,
) -> list[Match]:
    """Compare names with categories.

    Args:
        names: What the platform has, as `NAMES`.
        categories: What the SIS has, as `records.SIS_CATEGORIES`.
        mapped: The mapping file's categories; None: each name goes to the category of the same name.
        source: The platform. Where it has no fixed types, no two names of a class are proposed the same
            category.
        sis: The SIS: whether its categories belong to the district or to a class.

    Returns:
        One each, by name.
    """
    of_district = categories[categories["sis_class_id"].eq("")]
    among = categories if sis.category_scope == "class" else of_district
    titles = sorted(set(among["title"].str.strip()) - {""})
    targets = {name.strip(): title.strip() for name, title in (mapped or {}).items()}
    found = []
    for name, rows in names.assign(name=names["name"].str.strip()).groupby("name", sort=True):
        classes = frozenset(rows["sis_class_id"]) - {""}
        wanted = targets.get(str(name)) if mapped is not None else str(name)
        there = _called(among, wanted or "")
        missing = [each for each in classes if not _holds(there, each)]
        count = _most_in_one_place(there)
        if there.empty or not wanted:
            found.append(Match(str(name), classes, "", "none", len(classes), ()))
            continue
        state = "mapped" if mapped is not None else "exact"
        if count > 1 and sis.category_scope == "district":
            state = "several"
        found.append(Match(str(name), classes, there["title"].iloc[0].strip(), state, len(missing), ()))
    return _with_proposals(found, titles, one_to_one=not source.types)


def advice(
    matches: Sequence[Match],
    categories: pd.DataFrame,
    *,
    source: SourceProfile,
    sis: SisProfile,
) -> list[str]:
    """What a person should do or know besides the matches themselves, a sentence each."""
    told = _limits(categories, sis)
    if source.groups and sis.imports_categories:
        told.append(
            f"{sis.title}'s categories are imported into {source.title} with their ids: see `passback"
            " categories import`. A group that is only called the same does not count."
        )
        return told
    lacking = [each for each in matches if not each.good]
    if source.groups and sis.groups_named_as_categories:
        told += [_equal_names(each, source, sis) for each in lacking]
    if not source.types and not source.groups:
        in_sis = {title.strip() for title in categories["title"]}
        if len(in_sis) != len(matches):
            told.append(
                f"{source.title} has {len(matches)} {source.types_are}, {sis.title} {len(in_sis)} categories:"
                " the same number under the same names is recommended."
            )
        shared = _shared(matches)
        told += [
            f"{' and '.join(names)} go to one category, {title}: one each is recommended."
            for title, names in shared.items()
        ]
    return told


def yaml_rows(matches: Sequence[Match]) -> list[str]:
    """The rows to paste under `categories:`; what is proposed and not equal says so."""
    rows = []
    for each in matches:
        if not each.category:
            rows.append(f"  # {_scalar(each.name)}: the SIS has no category near this name")
            continue
        row = f"  {_scalar(each.name)}: {_scalar(each.category)}"
        if each.state == "near":
            others = [_scalar(title) for title in each.nearest if title != each.category]
            row += f"  # near; look at it{': or ' + ', '.join(others) if others else ''}"
        rows.append(row)
    return rows


def nearest_titles(name: str, titles: Collection[str]) -> tuple[str, ...]:
    """At most three titles that are near a name, the nearest first; case and spaces do not count."""
    folded = {_folded(title): title for title in titles}
    return tuple(folded[key] for key in difflib.get_close_matches(_folded(name), folded, n=_NEAREST))


def code_for(name: str) -> str:
    """A code for a new category in Aspen: letters, digits and dashes, at most 20 (seed 004)."""
    return "-".join(re.findall(r"[A-Z0-9]+", name.upper()))[:_CODE_LENGTH].strip("-")


# --- Parts ---


def _called(among: pd.DataFrame, wanted: str) -> pd.DataFrame:
    """The categories of that name, else of that code."""
    by_title = among[among["title"].str.strip().eq(wanted)]
    return by_title if len(by_title) else among[among["code"].eq(wanted) & among["code"].ne("")]


def _holds(there: pd.DataFrame, sis_class_id: str) -> bool:
    return bool(there["sis_class_id"].isin(["", sis_class_id]).any())


def _most_in_one_place(there: pd.DataFrame) -> int:
    """How many of these stand side by side in one class and term."""
    return int(there.groupby(["sis_class_id", "term_id"])["category_id"].nunique().max()) if len(there) else 0


def _with_proposals(found: Sequence[Match], titles: Sequence[str], *, one_to_one: bool) -> list[Match]:
    """The matches, those without a category with the nearest names and the nearest free one as proposal."""
    settled = {each.name: each for each in found if each.category}
    open_ones = [
        replace(each, nearest=nearest_titles(each.name, titles)) for each in found if not each.category
    ]
    taken: dict[str, list[Match]] = {}
    for each in settled.values():
        taken.setdefault(each.category, []).append(each)
    pairs = sorted(
        ((each, title) for each in open_ones for title in each.nearest),
        key=lambda pair: (-_likeness(pair[0].name, pair[1]), pair[0].name, pair[1]),
    )
    for each, title in pairs:
        free = not one_to_one or not any(each.meets(other) for other in taken.get(title, []))
        if each.name not in settled and free:
            settled[each.name] = replace(each, category=title, state="near")
            taken.setdefault(title, []).append(settled[each.name])
    unsettled = {each.name: each for each in open_ones}
    return [settled.get(each.name) or unsettled[each.name] for each in found]


def _likeness(name: str, title: str) -> float:
    return difflib.SequenceMatcher(None, _folded(name), _folded(title)).ratio()


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _shared(matches: Sequence[Match]) -> dict[str, list[str]]:
    """The names that go to one category in one class, by the category's title."""
    of_title: dict[str, list[Match]] = {}
    for each in matches:
        if each.category:
            of_title.setdefault(each.category, []).append(each)
    shared = {
        title: [each.name for each in group if any(each.meets(other) for other in group if other != each)]
        for title, group in of_title.items()
    }
    return {title: names for title, names in shared.items() if names}


def _limits(categories: pd.DataFrame, sis: SisProfile) -> list[str]:
    """Categories that break the SIS's own limits, by which it would not hold together."""
    told = []
    limit = sis.category_name_limit
    if limit and (long := _distinct(categories.loc[categories["title"].str.len().gt(limit), "title"])):
        told.append(f"Longer than the {limit} characters {sis.title} allows: {', '.join(long)}.")
    if pattern := CODES.get(sis.system):
        coded = categories[categories["code"].ne("")]
        if odd := _distinct(coded.loc[~coded["code"].str.fullmatch(pattern), "code"]):
            told.append(
                f"A code in {sis.title} has letters, digits and dashes, {_CODE_LENGTH} at most:"
                f" {', '.join(odd)}."
            )
    return told


def _distinct(values: Collection[str]) -> list[str]:
    return sorted(set(values))


def _equal_names(each: Match, source: SourceProfile, sis: SisProfile) -> str:
    """What to do about a group whose name is not a category's, where the two must be equal."""
    limit = sis.category_name_limit
    if each.state == "near":
        return (
            f"{each.name}: call the group in {source.title} exactly {each.category}, or the category in"
            f" {sis.title} exactly {each.name}."
        )
    if limit and len(each.name) > limit:
        return f"{each.name}: shorten the group's name to {limit} characters; no category can be called so."
    where = f"in the {each.missing_in} classes that lack it" if each.category else f"in {sis.title}"
    code = code_for(each.name)
    with_code = f" with a code such as {code}" if sis.system in CODES and code else ""
    near = f" (near: {', '.join(each.nearest)})" if each.nearest else ""
    return f"{each.name}: add a category of this name {where}{with_code}, or rename the group{near}."


def _scalar(text: str) -> str:
    """A text as YAML reads it back."""
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    quoted: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=float("inf"))
    return quoted.strip()
