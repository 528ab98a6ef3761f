"""What became of writes of earlier runs whose answer was lost, and which no later run has planned again.

Such as those of a load that was killed, of scores that the rules have rejected since: nobody would ask for
them any more, and the ledger would not know what stands in the SIS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from passback import ledger
from passback.errors import ContractError
from passback.oneroster import result_id
from passback.oneroster.facts import each_or_all
from passback.oneroster.held import HELD_RESULTS
from passback.records import INSTANT, TEXT
from passback.stages.audit import LINE_ITEM_KEY, LINE_ITEM_VALUES, RESULT_KEY, compare
from passback.stages.links import gone, held_under, recognised, under_our_ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.gradebook import Gradebook
    from passback.ledger import Connection
    from passback.stages.transform import Plan
    from passback.steps.work import Work

    Answer = Callable[[Connection, str, int, pd.DataFrame], None]


async def settle_unanswered(work: Work, sis: Gradebook, plan: Plan) -> None:
    """Look for what earlier runs may have written, and note what is there: a class or line item at a time.

    Raises:
        PassbackError: the SIS or the ledger cannot be asked.
    """
    known = work.known_line_items()
    line_items = _unanswered(known, plan.line_items, LINE_ITEM_KEY, work.run_id)
    if len(line_items):
        await _settle_line_items(work, sis, line_items, known)
    results = _unanswered(work.known_results(), plan.results, RESULT_KEY, work.run_id)
    if len(results):
        await _settle_results(work, sis, results)


def _unanswered(known: pd.DataFrame, planned: pd.DataFrame, key: list[str], run_id: int) -> pd.DataFrame:
    earlier = known[known["state"].eq("intended") & known["run_id"].ne(run_id)]
    place = earlier[key].merge(planned[key].drop_duplicates(), on=key, how="left", indicator=True)
    return earlier[place["_merge"].eq("left_only").to_numpy()]


async def _settle_line_items(
    work: Work, sis: Gradebook, line_items: pd.DataFrame, known: pd.DataFrame
) -> None:
    district = work.night.district.district
    held, unreadable = await sis.line_items(set(line_items["sis_class_id"]))
    rows = line_items[~line_items["sis_class_id"].isin(unreadable)]
    if rows.empty:
        return
    lost = gone(rows, held, ())
    if len(lost):
        ledger.lose_line_items(work.writable, district, work.run_id, lost[["line_item_id"]])
    rows = rows[~rows["line_item_id"].isin(lost["line_item_id"])]
    if not sis.repeatable:
        elsewhere = rows[~held_under(rows).isin(held["line_item_id"])]
        linked = [*known["line_item_id"], *known["sis_line_item_id"]]
        found = recognised(elsewhere, held, linked)
        there = rows[rows["line_item_id"].isin(list(found))]
        sis_ids = there["line_item_id"].map(found)
        _accept(work, there.assign(sis_id=sis_ids), LINE_ITEM_KEY, ledger.answer_line_items)
        rows = rows.assign(
            sis_line_item_id=rows["line_item_id"].map(found).fillna(rows["sis_line_item_id"]).astype(TEXT)
        )
    states = compare(rows, under_our_ids(held, rows), LINE_ITEM_KEY, LINE_ITEM_VALUES)
    ledger.settle_line_items(work.writable, district, work.run_id, states)


async def _settle_results(work: Work, sis: Gradebook, results: pd.DataFrame) -> None:
    district = work.night.district.district
    known = work.known_line_items()
    held_ids = known[["line_item_id"]].assign(held_id=held_under(known))
    # What is not known to stand there has no results to look for.
    places = results.merge(held_ids[known["state"].ne("gone")], on="line_item_id")
    pairs = places[["sis_class_id", "line_item_id", "held_id"]].drop_duplicates(ignore_index=True)
    try:
        listings = await each_or_all(
            sis.results(sis_class, held_id)
            for sis_class, _, held_id in pairs.itertuples(index=False, name=None)
        )
    except ContractError:  # it shows none: nobody will ever know
        return
    read = [
        listing.assign(line_item_id=line_item)
        for line_item, listing in zip(pairs["line_item_id"], listings, strict=True)
        if listing is not None
    ]
    if not read:
        return
    held = pd.concat([HELD_RESULTS.empty(), *read], ignore_index=True)
    looked_at = pairs.loc[[listing is not None for listing in listings], "line_item_id"]
    rows = results[results["line_item_id"].isin(looked_at)]
    if not sis.results_by_student:
        there = rows.merge(held[[*RESULT_KEY, "result_id"]].drop_duplicates(RESULT_KEY), on=RESULT_KEY)
        ours = [result_id(*key) for key in there[RESULT_KEY].itertuples(index=False, name=None)]
        elsewhere = there["result_id"].ne(pd.Series(ours, index=there.index, dtype=TEXT))
        unlinked = there[elsewhere & there["sis_result_id"].eq("")]
        _accept(work, unlinked.assign(sis_id=unlinked["result_id"]), RESULT_KEY, ledger.answer_results)
    states = compare(rows, held, RESULT_KEY, sis.result_values)
    ledger.settle_results(work.writable, district, work.run_id, states)


def _accept(work: Work, there: pd.DataFrame, key: list[str], answer: Answer) -> None:
    """Note the SIS's ids of what was found; an answer belongs to the run that meant it."""
    for run_id in there["run_id"].unique().tolist():
        rows = there[there["run_id"].eq(run_id)]
        answers = rows[[*key, "sis_id"]].assign(
            state=pd.Series("accepted", index=rows.index, dtype=TEXT),
            status=pd.Series(pd.NA, index=rows.index, dtype="Int64"),
            words=pd.Series("", index=rows.index, dtype=TEXT),
            answered_at=pd.Series(work.clock(), index=rows.index, dtype=INSTANT),
        )
        answer(work.writable, work.night.district.district, run_id, answers)
