"""Which failed tasks Airflow tries again, and after how long."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import RetryDecision, RetryPolicy

from passback.errors import FatalError, RetriableError

if TYPE_CHECKING:
    from airflow.sdk import Context

RETRIES: Final = 3
FIRST_WAIT: Final = timedelta(seconds=20)
WAIT_FACTOR: Final = 3


class RetryByKindOfError(RetryPolicy):
    """Retry what may pass, with growing waits or the wait that the other side asked for; nothing else."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,  # noqa: ARG002 - Airflow's signature
        context: Context | None = None,  # noqa: ARG002 - Airflow's signature
    ) -> RetryDecision:
        """Decide by the error's place in the tree of `passback.errors`."""
        if isinstance(exception, FatalError):
            return RetryDecision.fail(reason=str(exception))
        if isinstance(exception, RetriableError):
            backoff = FIRST_WAIT * WAIT_FACTOR ** max(0, try_number - 1)
            asked = timedelta(seconds=exception.retry_after or 0)
            return RetryDecision.retry(delay=max(backoff, asked), reason=str(exception))
        return RetryDecision.default()


def by_kind_of_error() -> dict[str, Any]:
    """The default arguments of a DAG whose tasks are retried so."""
    return {
        "retries": RETRIES,
        "retry_delay": FIRST_WAIT,
        "retry_exponential_backoff": float(WAIT_FACTOR),
        "retry_policy": RetryByKindOfError(),
    }
