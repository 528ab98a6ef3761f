"""What a person answered when a run would have changed too much, and what the runs before it went on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from passback import ledger
from passback.errors import ContractError
from passback.frame_store import read_frame, read_json, write_frame, write_json
from passback.night import APPROVAL
from passback.stages.limit import KNOWN_EFFECTS, LOST, lost_after
from passback.steps.work import open_work

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from passback.night import Night
    from passback.steps.work import Work

Decision = Literal["go on", "cancel"]


def decide(night: Night, decision: Decision, *, by: str, at: datetime) -> None:
    """Keep what was answered, so that load-to-sis and audit go by it.

    Args:
        night: The run.
        decision: The answer.
        by: Who gave it.
        at: When, with a time zone.

    Raises:
        SupersededError: a later run has read the source since: the answer comes too late.
        PassbackError: the ledger cannot be used.
    """
    with open_work(APPROVAL, night, say=lambda _: None, clock=lambda: at) as work:
        _keep_answer(work, decision, by=by, at=at)


def forget_answer(work: Work) -> None:
    """Begin to ask: an answer from before is none."""
    _keep_answer(work, "", by="", at=None)


def kept_answer(work: Work) -> dict[str, str]:
    """What was answered: decision, by and at (ISO); empty texts where nobody was asked or has answered."""
    return read_json(work.folder / "transform", "decision") or {"decision": "", "by": "", "at": ""}


def is_cancelled(work: Work) -> bool:
    """Whether the run may write nothing, because a person said so.

    Raises:
        ContractError: the run must be let go on, and nobody has answered.
    """
    decision = kept_answer(work)["decision"]
    if noted_limit(work)["asks"] and not decision and not work.night.preview:
        raise ContractError(
            "this run would change too much of what the SIS holds, and nobody has let it go on",
            where=f"{work.night.district.district}, run {work.night.run_key}",
            mend="Clear approve-changes and answer its question, or run `passback run` with --approve.",
        )
    return decision == "cancel"


def noted_limit(work: Work) -> dict[str, Any]:
    """What transform-to-oneroster counted: asks, known and the effects, the limit, and rows by class.

    Raises:
        ContractError: that step has not run.
    """
    limit = read_json(work.folder / "transform", "limit")
    if limit is None:
        raise ContractError(
            "the transform-to-oneroster step of this run has left nothing",
            where=str(work.folder),
            mend="Clear the run from extract-scores on.",
        )
    return limit


def lost_before(work: Work) -> pd.DataFrame:
    """What the district's runs before this one went on with (`stages.limit.LOST`)."""
    try:
        return read_frame(work.folder.parent, LOST)
    except ContractError:  # there was no run before, or its files are gone: then it is asked once more
        return LOST.empty()


def keep_lost(work: Work) -> None:
    """Keep what this run went on with, so that the next does not ask about it again."""
    known = read_frame(work.folder / "transform", KNOWN_EFFECTS)
    write_frame(work.folder.parent, LOST.name, lost_after(known, lost_before(work)))


def _keep_answer(work: Work, decision: Decision | Literal[""], *, by: str, at: datetime | None) -> None:
    # The ledger first: what the next steps go by is what stands in the ledger already.
    ledger.record_decision(work.writable, work.run_id, decision=decision, decided_by=by, decided_at=at)
    kept = {"decision": decision, "by": by, "at": at.isoformat(timespec="seconds") if at else ""}
    write_json(work.folder / "transform", "decision", kept)
