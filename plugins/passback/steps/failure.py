"""What the ledger keeps of a run that failed: where, why, and what became of its scores until then."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from passback import ledger
from passback.errors import PassbackError
from passback.frame_store import read_frame
from passback.records import SCORE_VERDICTS, SCORES
from passback.stages.audit import count_outcomes, count_reasons, outcomes
from passback.steps.validate import source_frames
from passback.steps.work import FIRST_TASK, open_work

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import pandas as pd

    from passback.night import Night
    from passback.stages.transform import Plan
    from passback.steps.work import Work


def record_failure(
    task_id: str, night: Night, error: PassbackError, *, clock: Callable[[], datetime]
) -> None:
    """Close a run as failed, with an outcome for every score that was extracted.

    What was accepted but not read back counts as failed, what was not reached as cancelled. Does nothing
    where the ledger cannot be used either: the next run finds this one unfinished and makes up for it.

    Args:
        task_id: The task that failed.
        night: The run.
        error: Why.
        clock: The present instant, UTC.
    """
    if night.preview:
        return
    try:
        with open_work(FIRST_TASK, night, say=lambda _: None, clock=clock) as work:
            _close(work, task_id, str(error))
    except Exception:  # noqa: BLE001 - whatever it is, it must not hide the other
        # The failure that is being recorded is the one to tell of, not this.
        logging.getLogger(__name__).warning("the failed run could not be recorded in the ledger")


def _close(work: Work, task_id: str, message: str) -> None:
    try:
        final = _outcomes_so_far(work, task_id)
    except PassbackError:  # the steps before it have left nothing to count
        final = SCORE_VERDICTS.empty()
    ledger.close_run(
        work.writable,
        work.run_id,
        ended_at=work.clock(),
        state="failed",
        extracted=len(final),
        outcomes=count_outcomes(final),
        reasons=count_reasons(final),
        requests=work.requests(),
        failed_task=task_id,
        message=message,
        scores=final if len(final) else None,  # what was not looked at has not vanished
    )


def _outcomes_so_far(work: Work, task_id: str) -> pd.DataFrame:
    """What became of the scores until a task; the files of later tasks are of an earlier try."""
    if task_id == "extract-scores":
        return SCORE_VERDICTS.empty()
    if task_id == "validate":
        scores = source_frames(work)["scores"][list(SCORES.key)]
        verdicts = scores.assign(outcome="passed", codes="")
        plan: Plan | None = None
    else:
        verdicts = read_frame(work.folder / "validate", SCORE_VERDICTS)
        plan = None if task_id == "transform-to-oneroster" else work.plan()
    return outcomes(
        verdicts,
        plan,
        work.known_line_items(),
        work.known_results(),
        run_id=work.run_id,
        preview=False,
    )
