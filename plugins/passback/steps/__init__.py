"""The steps of a run, each with its reading and writing; Airflow's tasks and `passback run` share them.

Every step may be killed anywhere and run again, alone, any number of times, with the same end state.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Final

from passback.errors import PassbackError, SupersededError, UnforeseenError
from passback.steps.failure import record_failure
from passback.steps.work import open_work

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.night import Night
    from passback.steps.work import Work

_PACKAGE: Final = Path(__file__).parents[1]
_MODULES: Final = {
    "extract-scores": "extract",
    "validate": "validate",
    "transform-to-oneroster": "transform",
    "approve-changes": "approve",
    "load-to-sis": "load",
    "audit": "audit",
}


def utc_now() -> datetime:
    """The clock that runs go by, unless a test chooses the day."""
    return datetime.now(UTC)


def run(
    task_id: str, night: Night, *, say: Callable[[str], None], clock: Callable[[], datetime] = utc_now
) -> dict[str, int | str]:
    """Do one step of a run.

    Args:
        task_id: One of `night.TASKS`.
        night: The run.
        say: Told about progress, in counts.
        clock: The present instant, UTC.

    Returns:
        Counts, and the URI of the folder where the step's files lie. Nothing of a student.

    Raises:
        PassbackError: the step failed; the run is recorded as failed before it is raised.
    """
    step: Callable[[Work], dict[str, int | str]] = import_module(f"passback.steps.{_MODULES[task_id]}").step
    try:
        with open_work(task_id, night, say=say, clock=clock) as work:
            return step(work)
    except SupersededError:
        raise  # what the ledger knows of this run stays as it was
    except PassbackError as error:
        record_failure(task_id, night, error, clock=clock)
        raise
    except Exception as error:  # noqa: BLE001 - Airflow would log its text, and pandas quotes values
        told = unforeseen(error, task_id)
        record_failure(task_id, night, told, clock=clock)
        raise told from None


def unforeseen(error: Exception, task_id: str) -> UnforeseenError:
    """What may be said of an error that is not ours: its kind, and where in Passback it came up."""
    frames = [
        frame for frame in extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    place = (
        f"{Path(frames[-1].filename).relative_to(_PACKAGE)}, line {frames[-1].lineno}"
        if frames
        else "its start"
    )
    return UnforeseenError(
        f"{type(error).__name__} at {place}, a fault in Passback itself or in the machine",
        where=task_id,
        mend="If it comes again, report it with this line; then clear the task. Nothing is sent twice.",
    )
