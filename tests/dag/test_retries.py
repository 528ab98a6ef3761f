"""Whether a failed task is tried again is decided by the kind of its error."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import RetryAction

from passback.errors import BusyError, ContractError, CredentialError, SourceShrunkError, UnavailableError
from passback.retries import RetryByKindOfError

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize("error", [CredentialError, ContractError, SourceShrunkError])
def test_a_fatal_error_is_not_tried_again_and_says_what_to_do(error: type[CredentialError]) -> None:
    decision = RetryByKindOfError().evaluate(error("refused", mend="Renew it."), 1, 3)
    assert decision.action is RetryAction.FAIL
    assert decision.reason == "refused. What to do: Renew it."


@pytest.mark.parametrize(
    ("try_number", "asked", "seconds"),
    [(1, None, 20), (2, None, 60), (3, None, 180), (1, 5, 20), (1, 90, 90)],
)
def test_a_retriable_error_waits_longer_each_time_and_at_least_as_long_as_was_asked(
    try_number: int, asked: float | None, seconds: int
) -> None:
    decision = RetryByKindOfError().evaluate(BusyError("busy", retry_after=asked), try_number, 3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == timedelta(seconds=seconds)


def test_an_error_that_is_not_ours_is_left_to_airflow() -> None:
    policy = RetryByKindOfError()
    assert policy.evaluate(MemoryError(), 1, 3).action is RetryAction.DEFAULT
    assert policy.evaluate(UnavailableError("down"), 1, 3).action is RetryAction.RETRY
