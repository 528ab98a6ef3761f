"""What line items hold in the SIS, read line item by line item."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from passback.oneroster.facts import each_or_all
from passback.oneroster.held import HELD_RESULTS

if TYPE_CHECKING:
    from passback.gradebook import Gradebook


async def held_results(sis: Gradebook, line_items: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """What some line items hold.

    Args:
        sis: The SIS's gradebooks, open.
        line_items: line_item_id, sis_class_id, and sis_line_item_id: under which the SIS holds it.

    Returns:
        `oneroster.held.HELD_RESULTS` under our line item ids, and the line items that could not be read.
    """
    pairs = line_items[["sis_class_id", "line_item_id", "sis_line_item_id"]].drop_duplicates("line_item_id")
    listings = await each_or_all(
        _results_of(sis, ours, sis_class, held_id)
        for sis_class, ours, held_id in pairs.itertuples(index=False, name=None)
    )
    unread = pairs.loc[[listing is None for listing in listings], "line_item_id"]
    held = [HELD_RESULTS.empty(), *(listing for listing in listings if listing is not None)]
    return pd.concat(held, ignore_index=True), list(unread)


async def _results_of(sis: Gradebook, line_item_id: str, sis_class_id: str, held_id: str) -> pd.DataFrame:
    # Made a frame at once: the records of one line item at a time, not of all, stand in memory as JSON.
    return (await sis.results(sis_class_id, held_id)).assign(line_item_id=line_item_id)
