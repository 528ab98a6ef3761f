"""A run to write by, and the short forms of plans and answers that the tests speak in."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest

from passback.ledger import open_run
from passback.reasons import DELIVERY_REASONS, Actor, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.ledger import Connection

REASONS = (
    Reason("due.missing", Outcome.REJECTED, "No due date.", Actor.TEACHER, "Set one.", "001"),
    Reason("score.not_graded", Outcome.HELD, "Not graded yet.", Actor.TEACHER, "Grade it.", "001"),
    *DELIVERY_REASONS,
)


@pytest.fixture
def open_night(ledger: Connection) -> Callable[..., int]:
    """Opens a run of Lakeview by its key."""
    return partial(
        _open, ledger, district="lakeview", mode="changes", ordered_by="schedule", mapping_hash="m1"
    )


@pytest.fixture
def run(open_night: Callable[..., int]) -> int:
    """An open run."""
    return open_night("night-1")


def _open(ledger: Connection, run_key: str, **arguments: str) -> int:
    return open_run(
        ledger,
        run_key=run_key,
        rule_set="r1",
        reasons=REASONS,
        started_at=datetime.now(UTC),
        **arguments,
    )
