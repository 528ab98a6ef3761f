"""Categories that a mapping file names, that the SIS lacks, and that the district has us create."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from passback.oneroster.ids import category_id
from passback.records import NEW_CATEGORIES, SIS_CATEGORIES

if TYPE_CHECKING:
    from passback.mapping.model import District


def missing_categories(held: pd.DataFrame, district: District) -> pd.DataFrame:
    """The categories to create, `records.NEW_CATEGORIES`: none unless the district has us create them.

    Args:
        held: `records.SIS_CATEGORIES`, what the SIS holds.
        district: Its mapping file.
    """
    if not district.sis.create_categories or not district.categories:
        return NEW_CATEGORIES.empty()
    of_district = held[held["sis_class_id"].eq("")]
    title, code = of_district["title"].str.strip(), of_district["code"].str.strip()
    # A mapping file may name a category by each of these (`rules.categories`).
    there = {*title, *code, *(title + " (" + code + ")")}
    titles = sorted(set(district.categories.values()) - there)
    rows = [(category_id(district.district, title), title) for title in titles]
    return NEW_CATEGORIES.conform(pd.DataFrame(rows, columns=list(NEW_CATEGORIES.columns)))


def with_categories(held: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """`held` and the categories to create, as if the SIS held them already."""
    if new.empty:
        return held
    rows = new.assign(code="", sis_class_id="", term_id="", term_start="", term_end="")
    return SIS_CATEGORIES.conform(pd.concat([held, rows], ignore_index=True))
