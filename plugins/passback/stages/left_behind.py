"""What the SIS still holds though the source does not (RULES section 4).

A deleted assessment is not deleted in the SIS (seed 004), it is listed for a person. A removed score is
listed as well, or cleared where the district asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from passback.records import SCORE_VERDICTS
from passback.stages.audit import IN_SIS

if TYPE_CHECKING:
    from collections.abc import Collection

_UNGRADED: Final = r"\bscore\.(?:not_graded|empty)\b"


def removed_results(known_results: pd.DataFrame, verdicts: pd.DataFrame, *, zero_status: str) -> pd.DataFrame:
    """The ledger's results in the SIS whose score was taken back in the source: its record says ungraded now.

    A record that is not there at all says less: its student may have moved to another class, where the score
    of before stays as it is. A 0 for missing work that has been handed in since waits for its grade.

    Args:
        known_results: The ledger's results.
        verdicts: `records.SCORE_VERDICTS`.
        zero_status: The status under which a 0 went out for missing work.

    Returns:
        Those rows of `known_results`.
    """
    state, status = known_results["state"], known_results["score_status"]
    held = status.ne("") & status.ne(zero_status) & state.isin([*IN_SIS, "intended"])
    not_yet_cleared = status.eq("") & ~state.isin(["confirmed", "gone"])
    ungraded = verdicts.loc[verdicts["codes"].str.contains(_UNGRADED), list(SCORE_VERDICTS.key)]
    return known_results[held | not_yet_cleared].merge(
        ungraded.drop_duplicates(), on=list(SCORE_VERDICTS.key)
    )


def left_behind(
    known_line_items: pd.DataFrame,
    known_results: pd.DataFrame,
    final: pd.DataFrame,
    *,
    alive: Collection[str],
    since: str,
    zero_status: str,
) -> pd.DataFrame:
    """What the SIS still holds though the source does not, to be listed for a person.

    A 0 for missing work that has been handed in since is neither: it waits for its grade.

    Args:
        known_line_items: The ledger's line items.
        known_results: The ledger's results.
        final: The outcome of every extracted score.
        alive: Ids of the line items that the source's assessments stand for.
        since: ISO date; what was due before it belongs to an earlier school year and is left alone.
        zero_status: The status under which a 0 went out for missing work.

    Returns:
        kind, class_id, title (the SIS's), scores. The kinds: deleted_in_source, removed_in_source; and
        gone_in_sis, the other way round: somebody removed there what the source still has.
    """
    items = known_line_items[known_line_items["state"].isin(IN_SIS) & known_line_items["due_date"].ge(since)]
    items = items[["line_item_id", "class_id", "title"]].assign(
        kind=items["line_item_id"]
        .isin(list(alive))
        .map({True: "removed_in_source", False: "deleted_in_source"})
    )
    held = known_results[known_results["state"].isin(IN_SIS) & known_results["score_status"].ne("")]
    rows = held[["line_item_id", "assessment_id", "class_id", "student_id", "score_status"]].merge(
        items[["line_item_id", "kind"]], on="line_item_id"
    )
    now = final[["assessment_id", "class_id", "student_id", "codes"]].drop_duplicates(
        subset=SCORE_VERDICTS.key
    )
    rows = rows.merge(now, on=list(SCORE_VERDICTS.key), how="left")
    ungraded = rows["codes"].isna() | rows["codes"].str.contains(_UNGRADED, na=False)
    deleted = rows["kind"].eq("deleted_in_source")
    listed = rows[deleted | (ungraded & rows["score_status"].ne(zero_status))]
    scores = listed.groupby("line_item_id").size().rename("scores")
    counted = items.merge(scores, on="line_item_id", how="left").fillna({"scores": 0})
    told = counted[counted["kind"].eq("deleted_in_source") | counted["scores"].gt(0)]
    both = pd.concat([told, _gone_in_sis(known_line_items, known_results, alive=alive, since=since)])
    return both[["kind", "class_id", "title", "scores"]].astype({"scores": "int64"}).reset_index(drop=True)


def _gone_in_sis(
    known_line_items: pd.DataFrame, known_results: pd.DataFrame, *, alive: Collection[str], since: str
) -> pd.DataFrame:
    """Line items whose link is broken, with the scores that went with them."""
    items = known_line_items[
        known_line_items["state"].eq("gone")
        & known_line_items["line_item_id"].isin(list(alive))
        & known_line_items["due_date"].ge(since)
    ]
    scores = known_results.loc[known_results["state"].eq("gone"), "line_item_id"].value_counts()
    return items.assign(
        kind="gone_in_sis", scores=scores.reindex(items["line_item_id"], fill_value=0).to_numpy()
    )
