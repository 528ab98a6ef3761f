"""Which record of a SIS is which of ours: under our id, under one the SIS allotted, or not there any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Collection

# Of a write that never was known to arrive it is no news that the SIS does not hold it.
_WAS_HELD: Final = ("accepted", "confirmed", "gone")
_PLACE: Final = ["sis_class_id", "title", "due_date"]


def held_under(known_line_items: pd.DataFrame) -> pd.Series:
    """The id under which the SIS holds each of the ledger's line items."""
    sis_ids = known_line_items["sis_line_item_id"]
    return sis_ids.mask(sis_ids.eq(""), known_line_items["line_item_id"])


def under_our_ids(held: pd.DataFrame, known_line_items: pd.DataFrame) -> pd.DataFrame:
    """What the SIS says it holds, with our line item ids in place of its own; foreign ones are left out.

    Args:
        held: `oneroster.held.HELD_LINE_ITEMS`, as the SIS answered.
        known_line_items: The ledger's line items.
    """
    ours = known_line_items[["line_item_id"]].assign(held_id=held_under(known_line_items))
    found = held.rename(columns={"line_item_id": "held_id"}).merge(ours, on="held_id")
    return found[list(held.columns)]


def gone(known_line_items: pd.DataFrame, held: pd.DataFrame, unreadable: Collection[str]) -> pd.DataFrame:
    """The line items that the SIS is known to have held and holds no more: the link to them is broken.

    Args:
        known_line_items: The ledger's line items that were looked for.
        held: `oneroster.held.HELD_LINE_ITEMS` of their classes.
        unreadable: Classes that could not be looked into: nothing is known of theirs.

    Returns:
        The rows of `known_line_items` that are gone.
    """
    # Of a change that was refused, or whose answer was lost, what was accepted before it may be gone as well.
    was_held = known_line_items["state"].isin(_WAS_HELD) | known_line_items["accepted_category_id"].ne("")
    looked_for = known_line_items[was_held & ~known_line_items["sis_class_id"].isin(list(unreadable))]
    there = held_under(looked_for).isin(held["line_item_id"])
    # A copy that carries our id, under another id than ours is known to be held under, is no place to write
    # to before the ledger has forgotten that one.
    unlinked = looked_for["sis_line_item_id"].eq("")
    there |= unlinked & looked_for["line_item_id"].isin(held["passback_id"])
    return looked_for[~there]


def recognised(wanted: pd.DataFrame, held: pd.DataFrame, linked: Collection[str]) -> dict[str, str]:
    """Line items of ours that the SIS holds under an id that it never told us.

    A record is ours if it carries our id; where the SIS keeps none, if it stands in the class under the same
    title and due date, and nobody else is linked to it: a foreign one was ruled out before ours was sent.

    Args:
        wanted: line_item_id, sis_class_id, title, due_date.
        held: `oneroster.held.HELD_LINE_ITEMS` of their classes.
        linked: The SIS's ids of line items that are known to be others.

    Returns:
        The SIS's id by ours. Of several copies, the first; of several of ours in one place, one each.
    """
    free = held[~held["line_item_id"].isin(list(linked))].assign(title=held["title"].str.strip())
    signed = free[free["passback_id"].ne("")].rename(columns={"line_item_id": "sis_line_item_id"})
    by_id = wanted[["line_item_id"]].merge(
        signed[["passback_id", "sis_line_item_id"]], left_on="line_item_id", right_on="passback_id"
    )
    rest = wanted[~wanted["line_item_id"].isin(by_id["line_item_id"])]
    unsigned = free[free["passback_id"].eq("")].rename(columns={"line_item_id": "sis_line_item_id"})
    by_place = _in_turn(rest[["line_item_id", *_PLACE]]).merge(
        _in_turn(unsigned[["sis_line_item_id", *_PLACE]]), on=[*_PLACE, "turn"]
    )
    both = pd.concat([by_id, by_place])[["line_item_id", "sis_line_item_id"]]
    first = both.drop_duplicates("line_item_id").drop_duplicates("sis_line_item_id")
    return dict(zip(first["line_item_id"], first["sis_line_item_id"], strict=True))


def _in_turn(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(turn=rows.groupby(_PLACE).cumcount())


def twins(planned: pd.DataFrame, known: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """The rows of `planned` beside which a foreign assignment of the same title and due date stands.

    Args:
        planned: `records.LINE_ITEM_PLAN`.
        known: The ledger's line items.
        held: `oneroster.held.HELD_LINE_ITEMS` of their classes, as the SIS answered.
    """
    ours = held["line_item_id"].isin([*known["line_item_id"], *known["sis_line_item_id"]])
    ours |= held["passback_id"].isin(known["line_item_id"])
    foreign = held[~ours].assign(title=held["title"].str.strip())
    return planned.merge(foreign[_PLACE].drop_duplicates(), on=_PLACE)


def kept_categories(planned: pd.DataFrame, known: pd.DataFrame, held: pd.DataFrame) -> dict[str, str]:
    """The categories that teachers gave line items in the SIS: they stay as they are set (RULES section 4).

    Args:
        planned: `records.LINE_ITEM_PLAN`.
        known: The ledger's line items.
        held: `oneroster.held.HELD_LINE_ITEMS` of their classes, as the SIS answered.

    Returns:
        By our line item id: of what was sent before, a category in the SIS that is none that we sent; of what
        is taken over, the one it has.
    """
    ours = known[["line_item_id", "category_id", "accepted_category_id"]]
    rewritten = planned.loc[planned["action"].isin(["change", "resend"]), ["line_item_id"]]
    both = rewritten.merge(ours, on="line_item_id").merge(
        under_our_ids(held, known)[["line_item_id", "category_id"]],
        on="line_item_id",
        suffixes=("", "_held"),
    )
    # Of a write whose answer was lost, the SIS may hold the category before it or after it: both are ours.
    teachers = both["category_id_held"].ne(both["category_id"])
    teachers &= both["category_id_held"].ne(both["accepted_category_id"]) & both["category_id_held"].ne("")
    adopted = planned.loc[planned["adopts"].ne(""), ["line_item_id", "adopts"]].merge(
        held[["line_item_id", "category_id"]].rename(columns={"line_item_id": "adopts"}), on="adopts"
    )
    kept = pd.concat(
        [
            both.loc[teachers, ["line_item_id", "category_id_held"]].rename(
                columns={"category_id_held": "category_id"}
            ),
            adopted.loc[adopted["category_id"].ne(""), ["line_item_id", "category_id"]],
        ]
    )
    return dict(zip(kept["line_item_id"], kept["category_id"], strict=True))


def kept_fields(
    planned: pd.DataFrame,
    known: pd.DataFrame,
    in_sis: pd.DataFrame,
    held: pd.DataFrame,
    held_back: pd.DataFrame,
) -> pd.DataFrame:
    """What persons set in the SIS of line items that are about to be sent, and that stays as it is set.

    That is a title that is none of ours, and the fields that a reconcile run found and was to keep.

    Args:
        planned: `records.LINE_ITEM_PLAN`.
        known: The ledger's line items.
        in_sis: `ledger.line_items_in_sis`.
        held: `oneroster.held.HELD_LINE_ITEMS` of their classes, as the SIS answered.
        held_back: `ledger.held_back_line_items`.

    Returns:
        line_item_id, fields (one space between; empty: none is kept any more) and the content as the SIS
        holds it; of the line items that the SIS holds.
    """
    rewritten = planned.loc[planned["action"].isin(["change", "resend"]), ["line_item_id"]]
    theirs = held_back.loc[held_back["held_back"].eq("theirs"), ["line_item_id", "fields"]]
    both = (
        rewritten.merge(under_our_ids(held, known).drop_duplicates("line_item_id"), on="line_item_id")
        .merge(known[["line_item_id", "title"]], on="line_item_id", suffixes=("", "_known"))
        .merge(in_sis[["line_item_id", "title"]], on="line_item_id", suffixes=("", "_accepted"))
        .merge(theirs, on="line_item_id", how="left")
    )
    # Of a write whose answer was lost, the SIS may hold the title before it or after it: both are ours.
    own = both["title"].ne(both["title_known"]) & both["title"].ne(both["title_accepted"])
    own &= both["title"].str.strip().ne("")
    others = both["fields"].astype("str").fillna("").str.replace(r"\btitle\b", "", regex=True)
    fields = others.where(~own, "title " + others).str.split().str.join(" ")
    return both.assign(fields=fields.astype("str"))


def as_persons_set(line_items: pd.DataFrame, held_back: pd.DataFrame) -> pd.DataFrame:
    """`line_items` with what persons set in the SIS in place of what is ours.

    Args:
        line_items: line_item_id and the content of `records.LINE_ITEM_PLAN`.
        held_back: `ledger.held_back_line_items`.
    """
    theirs = held_back[held_back["held_back"].eq("theirs")].set_index("line_item_id")
    if theirs.empty:
        return line_items
    fields = line_items["line_item_id"].map(theirs["fields"]).astype("str").fillna("")
    changed = {}
    for name in ("title", "category_id", "period_id", "assign_date", "due_date", "points_possible"):
        kept = fields.str.contains(rf"\b{name}\b", regex=True)
        changed[name] = line_items[name].mask(kept, line_items["line_item_id"].map(theirs[name]))
    return line_items.assign(**changed)
