"""The categories a SIS was ever seen to hold: when each was verified, renamed, retired (seeds 002 to 004)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from psycopg2 import sql

from passback.ledger.bulk import copy_in, copy_out, names
from passback.ledger.database import Connection, transaction
from passback.records import INSTANT, SIS_CATEGORIES, TEXT, Frame

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    import pandas as pd

KNOWN_CATEGORIES: Final = Frame(
    "known_categories",  # retired_at null: the SIS holds it
    {
        **SIS_CATEGORIES.columns,
        "title_before": TEXT,  # before it was last renamed; empty: never
        "first_seen": INSTANT,
        "verified_at": INSTANT,
        "renamed_at": INSTANT,
        "retired_at": INSTANT,
        "returned_at": INSTANT,
    },
    SIS_CATEGORIES.key,
)

CATEGORY_CHANGES: Final = Frame(
    "category_changes",  # change: new, renamed, retired or returned; one row each
    {
        **dict.fromkeys(("category_id", "sis_class_id", "term_id", "title", "code"), TEXT),
        "title_before": TEXT,
        "change": TEXT,
    },
    (*SIS_CATEGORIES.key, "change"),
)

_LISTED: Final = Frame("listed", SIS_CATEGORIES.columns, SIS_CATEGORIES.key)

# Locked in one order, so that two who keep the same list do not wait for each other.
KEEP: Final = sql.SQL("""
    INSERT INTO passback.sis_categories AS held (district, {columns}, first_seen, verified_at)
    SELECT %(district)s, {columns}, %(at)s, %(at)s FROM pg_temp.listed ORDER BY category_id, sis_class_id
    ON CONFLICT (district, category_id, sis_class_id) DO UPDATE SET
        title = excluded.title, code = excluded.code, term_id = excluded.term_id,
        term_start = excluded.term_start, term_end = excluded.term_end,
        title_before = CASE held.title WHEN excluded.title THEN held.title_before ELSE held.title END,
        renamed_at = CASE held.title WHEN excluded.title THEN held.renamed_at ELSE %(at)s END,
        returned_at = CASE WHEN held.retired_at IS NULL THEN held.returned_at ELSE %(at)s END,
        retired_at = NULL,
        verified_at = greatest(held.verified_at, excluded.verified_at)
""").format(columns=names(_LISTED.columns))

RETIRE: Final = """
    UPDATE passback.sis_categories AS held SET retired_at = %(at)s
    WHERE district = %(district)s AND retired_at IS NULL
      AND (%(asked)s::text[] IS NULL OR held.sis_class_id = ANY (%(asked)s)) AND NOT EXISTS (
        SELECT FROM pg_temp.listed
        WHERE listed.category_id = held.category_id AND listed.sis_class_id = held.sis_class_id
    )
"""

COUNT_HELD: Final = (
    "SELECT count(*) FROM passback.sis_categories WHERE district = %(district)s AND retired_at IS NULL"
)

NOTICED: Final = sql.SQL("""
    SELECT category_id, sis_class_id, term_id, title, code,
           CASE change WHEN 'renamed' THEN title_before ELSE '' END AS title_before, change
    FROM passback.sis_categories CROSS JOIN LATERAL (
        VALUES ('new', first_seen), ('renamed', renamed_at), ('retired', retired_at),
               ('returned', returned_at)
    ) AS noticed (change, noticed_at)
    WHERE district = {district} AND noticed_at >= {since}
    ORDER BY change, title, term_id, sis_class_id, category_id
""")

KNOWN: Final = sql.SQL("""
    SELECT {columns} FROM passback.sis_categories WHERE district = {district}
    ORDER BY retired_at IS NOT NULL, term_start, term_id, sis_class_id, title, category_id
""")


@dataclass(frozen=True)
class CategoryChanges:
    """What a look at the SIS's categories showed.

    Attributes:
        verified: How many it holds.
        unlisted: How many are known, though it suddenly lists none: nothing is believed of that list.
        changes: `CATEGORY_CHANGES`.
    """

    verified: int
    unlisted: int
    changes: pd.DataFrame


def keep_categories(
    connection: Connection,
    district: str,
    categories: pd.DataFrame,
    *,
    at: datetime,
    since: datetime | None = None,
    asked: Collection[str] | None = None,
) -> CategoryChanges:
    """Keep what the SIS holds now; what it no longer lists is retired, and kept as such.

    A list without a single category, where some are known, retires none: it is told, and none is verified.

    Args:
        connection: The ledger.
        district: The district's name.
        categories: All that the SIS lists, as `records.SIS_CATEGORIES`.
        at: When it was asked, with a time zone.
        since: Changes noticed since then are returned; a step that runs again tells what its first try
            noticed. `at` if left out.
        asked: The classes that the list speaks for, by the SIS's ids, with the empty one for the district's
            own categories: those of others are kept as they are. All if left out.
    """
    when = {"district": district, "at": at, "asked": None if asked is None else sorted(asked)}
    noticed = NOTICED.format(district=sql.Literal(district), since=sql.Literal(since or at))
    unlisted = 0
    with transaction(connection) as cursor:
        copy_in(cursor, categories, _LISTED)
        if categories.empty:
            cursor.execute(COUNT_HELD, when)
            (unlisted,) = cursor.fetchone() or (0,)
        else:
            cursor.execute(KEEP, when)
            cursor.execute(RETIRE, when)
        changes = copy_out(cursor, noticed, CATEGORY_CHANGES)
    return CategoryChanges(verified=len(categories), unlisted=unlisted, changes=changes)


def known_categories(connection: Connection, district: str) -> pd.DataFrame:
    """Every category the SIS was ever seen to hold, as `KNOWN_CATEGORIES`; retired ones last."""
    query = KNOWN.format(columns=names(KNOWN_CATEGORIES.columns), district=sql.Literal(district))
    with transaction(connection) as cursor:
        return copy_out(cursor, query, KNOWN_CATEGORIES)


def no_categories() -> pd.DataFrame:
    """What a ledger knows that does not exist yet: `known_categories` without a row."""
    return KNOWN_CATEGORIES.empty()
