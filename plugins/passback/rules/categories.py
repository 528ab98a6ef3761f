"""Which category of the SIS an assessment belongs to: by mapping file, imported group, or its own name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from passback.records import TEXT
from passback.rules.lookup import mapped as looked_up
from passback.rules.lookup import positions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from passback.sis import SisProfile

# What a category may be called by, in this order. Where two have one title, its code stands behind it, as
# Canvas has it for Skyward: `Assignments (AST)`.
_CALLED: Final = ("title", "code", "title_and_code")


def add_category(
    frame: pd.DataFrame,
    groups: pd.DataFrame | None,
    held: pd.DataFrame,
    mapped: Mapping[str, str] | None,
    profile: SisProfile,
) -> None:
    """Add the SIS's category of each assessment, by its mapping, its imported group or its own name.

    A district that maps nothing leaves every type, group or category to the SIS's of exactly the same name.
    Only where a SIS ties groups to categories by name, a name that differs in case or spaces alone is found
    as well, so that `group.name_mismatch` can tell which category was meant; it never passes.

    Args:
        frame: type, sis_class_id, class_on_roster, class_has_gradebook, gradebook_readable, assign_date,
            due_date; gets category_title, category_id, category_in_sis, category_in_gradebook, group_imported
            and group_named_as_category.
        groups: type, group_sis_id and group_term_id of each as the source has them; None where the source has
            no assignment groups.
        held: The SIS's categories, as `records.SIS_CATEGORIES`.
        mapped: Title or code of the SIS's category by the source's type; None: the one of the same name.
        profile: Whether a category belongs to the district or to a class, whether it is imported, and
            whether a group is tied to it by name.
    """
    if mapped is None:
        frame["category_title"] = frame["type"].mask(frame["type"].eq(""))
    else:
        titles = {name.strip(): title.strip() for name, title in mapped.items()}
        frame["category_title"] = frame["type"].map(titles).astype(TEXT)

    found = _named_categories(frame, held, profile, _exactly)
    if mapped is None and groups is not None and profile.groups_named_as_categories:
        found = found.fillna(_named_categories(frame, held, profile, _folded))
    imported = _imported_categories(frame, groups, held) if profile.imports_categories else None
    if imported is not None:
        found = found.mask(imported.notna(), imported)
    in_sis = found.notna().astype("boolean").where(frame["category_title"].notna())
    if groups is not None and imported is not None and mapped is None:
        in_sis = in_sis.mask(imported.isna() & groups["group_sis_id"].eq(""))  # the import speaks for itself
    frame["category_id"] = found
    frame["category_in_sis"] = in_sis
    unsaid = pd.Series(pd.NA, index=frame.index, dtype="boolean")
    frame["group_imported"] = unsaid if imported is None else imported.notna().astype("boolean")
    named = unsaid
    if groups is not None:
        title = looked_up(found, held, "category_id", "title")
        named = groups["type"].eq(title).astype("boolean").where(found.notna())
    frame["group_named_as_category"] = named
    frame["category_in_gradebook"] = _in_gradebook(frame, held, profile)


def _in_gradebook(frame: pd.DataFrame, held: pd.DataFrame, profile: SisProfile) -> pd.Series:
    """Whether the gradebook of each class has the category; null where the SIS does not say.

    It may say so of no class at all, or not of one whose gradebook it does not show. A category of a class
    is the district's when id, code or title is the same: a teacher may have changed the title alone. Where
    classes add categories of their own to the district's, those of the district are in every gradebook. A
    class that has no gradebook has no category in it either.
    """
    of_class = held[held["sis_class_id"].ne("")]
    there = np.zeros(len(frame), dtype=bool)
    if profile.category_scope == "class":
        there |= frame["category_id"].isin(held.loc[held["sis_class_id"].eq(""), "category_id"])
    for name in ("category_id", "code", "title"):
        wanted = looked_up(frame["category_id"], held, "category_id", name).fillna("")
        pairs = of_class.loc[of_class[name].ne(""), ["sis_class_id", name]]
        there |= positions(frame[["sis_class_id"]].assign(**{name: wanted}), pairs) >= 0
    without = frame["class_has_gradebook"].eq(False).fillna(False)  # noqa: FBT003 - values
    told = frame["class_on_roster"] & frame["category_id"].notna() & frame["gradebook_readable"]
    told &= without | (len(of_class) > 0)
    return pd.Series(there & ~without, index=frame.index).astype("boolean").where(told)


def _named_categories(
    frame: pd.DataFrame, held: pd.DataFrame, profile: SisProfile, key_of: Callable[[pd.Series], pd.Series]
) -> pd.Series:
    """The id of the category that each row's `category_title` names, by title or code; null for none.

    Of the whole district there must be one of a name in a term: nothing is chosen for a district that has not
    said which it means. Where categories are the class's, its own come first, then the first of the
    district's.
    """
    wanted = pd.DataFrame(
        {
            "key": key_of(frame["category_title"]),
            "sis_class_id": frame["sis_class_id"],
            "day": _sent_for(frame),
        }
    )
    asked = wanted.dropna(subset=["key"]).drop_duplicates(ignore_index=True)
    asked["row"] = np.arange(len(asked))
    held = held.assign(title_and_code=_with_code(held), order=np.arange(len(held)))
    of_district = held["sis_class_id"].eq("")
    among = [(held[of_district].drop(columns="sis_class_id"), ["key"])]
    if profile.category_scope == "class":
        among.insert(0, (held[~of_district], ["key", "sis_class_id"]))
    found = pd.Series(index=asked.index, dtype=TEXT)
    for name in _CALLED:
        for categories, on in among:
            keyed = categories.assign(key=key_of(categories[name]))
            rows = asked.merge(keyed[keyed["key"].ne("")], on=on)
            rows = rows[_holds_on(rows, rows["day"])].sort_values(["row", "order"])
            rows = rows.drop_duplicates(["row", "category_id"])
            if profile.category_scope == "district":
                rows = rows.drop_duplicates("row", keep=False)
            first = rows.drop_duplicates("row").set_index("row")["category_id"]
            found = found.fillna(first.reindex(found.index).astype(TEXT))
    place = positions(wanted, asked[["key", "sis_class_id", "day"]])
    ids = pd.concat([found, pd.Series([None], dtype=TEXT)], ignore_index=True)
    return ids.take(np.where(place >= 0, place, len(found))).set_axis(frame.index)


def _with_code(held: pd.DataFrame) -> pd.Series:
    """`Title (CODE)`; empty where there is no code."""
    return (held["title"].str.strip() + " (" + held["code"].str.strip() + ")").where(held["code"].ne(""), "")


def _exactly(names: pd.Series) -> pd.Series:
    return names.str.strip()


def _folded(names: pd.Series) -> pd.Series:
    return names.fillna("").str.split().str.join(" ").str.casefold()


def _sent_for(frame: pd.DataFrame) -> pd.Series:
    """The day that decides on the term: the due date or, where there is none, what goes out for it."""
    return frame["due_date"].fillna(frame["assign_date"]).fillna("")


def _holds_on(terms: pd.DataFrame, days: pd.Series) -> pd.Series:
    """Whether the term of each category has its day; also where it has none, or the SIS gives it no days."""
    open_ended = terms["term_id"].eq("") | terms["term_start"].eq("") | days.eq("")
    return open_ended | (terms["term_start"].le(days) & terms["term_end"].ge(days))


def _imported_categories(
    frame: pd.DataFrame, groups: pd.DataFrame | None, held: pd.DataFrame
) -> pd.Series | None:
    """The id of the category that each row's group was imported as, for the term of its due date; else null.

    None where the source has no groups to import into. A category of another class is none of this one's.
    """
    if groups is None:
        return None
    terms = held.drop_duplicates("category_id").set_index("category_id")
    of_group = terms[["sis_class_id", "term_id", "term_start", "term_end"]].reindex(groups["group_sis_id"])
    of_group = of_group.set_axis(frame.index)
    same_term = groups["group_term_id"].eq("") | groups["group_term_id"].eq(of_group["term_id"])
    of_class = of_group["sis_class_id"]
    here = of_class.eq("") | of_class.eq(frame["sis_class_id"])
    counts = of_group["term_id"].notna() & here & same_term & _holds_on(of_group, _sent_for(frame))
    return groups["group_sis_id"].where(counts)
