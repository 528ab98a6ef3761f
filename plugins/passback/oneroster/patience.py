"""How long a SIS is waited for: one request alone, and all of a client together.

What a client asks may be answered later (429, 5xx, a lost connection). Each request is then tried again
after a wait of its own; when the SIS says how long to stay away, all wait; and when nothing is answered any
more, the run is given back instead of every record being given up one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
)

from passback.errors import BusyError
from passback.oneroster.auth.refusals import unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from passback.connections import Endpoint
    from passback.oneroster.answers import Answer
    from passback.oneroster.limits import Limits
    from passback.oneroster.wire import NoAnswerError
    from passback.sis import SisProfile

_TOO_MANY: Final = (403, 429)  # of those that are tried again: 403 is some SISs' "rate limit"
_TOLD_TO_WAIT: Final = (*_TOO_MANY, 503)
_PAUSE: Final = 1.0  # seconds everybody waits after a 429 that does not say how long


@dataclass(frozen=True)
class Retries:
    """How long a request that the SIS may yet answer is tried again.

    Attributes:
        attempts: Times it is sent at most.
        patience: Seconds after which it is not sent again, waiting included.
        first_wait: Seconds before the second attempt; they double from one to the next.
    """

    attempts: int = 6
    patience: float = 120.0
    first_wait: float = 0.5


class Answered(Protocol):
    """What a client makes of one response, or of the lack of one."""

    @property
    def answer(self) -> Answer:
        """What it means."""


Reply = TypeVar("Reply", bound=Answered)


class Patience:
    """The patience of one client with its SIS.

    Args:
        endpoint: The SIS's connection, for messages.
        profile: What is known of this SIS, for messages.
        limits: What it may be asked; all wait there when it says so.
        retries: How long a request is tried again.
    """

    def __init__(self, endpoint: Endpoint, profile: SisProfile, limits: Limits, retries: Retries) -> None:
        self._endpoint = endpoint
        self._profile = profile
        self._limits = limits
        self._patience = retries.patience
        self._backoff = wait_exponential_jitter(
            multiplier=retries.first_wait, max=30, jitter=retries.first_wait
        )
        self._stop = stop_after_attempt(retries.attempts) | stop_after_delay(retries.patience)
        self._unreachable = False  # nobody has had an answer since a connection could not be made
        self._given_up = 0  # requests in a row

    async def persistently(
        self, attempt: Callable[[], Awaitable[Reply]], again: Callable[[Reply], bool]
    ) -> Reply:
        """The first reply that is not to be had again, or the last when patience ends."""
        reply = await attempt()
        if not again(reply):  # nearly always: the machinery of retries costs as much as half a request
            return reply
        first: Reply | None = reply

        async def next_attempt() -> Reply:
            nonlocal first
            if first is None:
                return await attempt()
            brought, first = first, None
            return brought

        retrying = AsyncRetrying(
            retry=retry_if_result(again), stop=self._stop, wait=self._wait, retry_error_callback=_last
        )
        return await retrying(next_attempt)

    def answered(self) -> None:
        """Note that a request was answered for good."""
        self._given_up = 0

    def give_up(self, answer: Answer) -> None:
        """Note that a request is given up.

        Raises:
            BusyError: the SIS keeps asking to come back later.
            UnavailableError: not only this request but every one would be given up.
        """
        self._given_up += 1
        if answer.status in _TOO_MANY:
            raise BusyError(
                f"{self._profile.title} keeps answering {answer.status}, too many requests.",
                where=f"connection {self._endpoint.connection}",
                mend="Lower requests_per_second for this SIS if it happens again.",
                retry_after=answer.retry_after,
            )
        if self._unreachable or self._given_up >= 2 * self._limits.connections:
            raise unavailable(self._profile, self._endpoint, answer)

    def reached(self) -> None:
        """Note that the SIS answered, whatever it said."""
        self._unreachable = False

    def not_reached(self, failure: NoAnswerError) -> None:
        """Note why no answer came: a host to which no connection can be made will answer nobody."""
        self._unreachable = self._unreachable or not failure.sent

    def slow_down(self, answer: Answer) -> None:
        """Let everybody wait if the SIS says so.

        Raises:
            BusyError: it wants a pause that is longer than anyone waits here.
        """
        if answer.status not in _TOLD_TO_WAIT or (
            answer.status not in _TOO_MANY and answer.retry_after is None
        ):
            return
        seconds = answer.retry_after or _PAUSE
        if seconds > self._patience:
            raise BusyError(
                f"{self._profile.title} answered {answer.status} and asked to come back in"
                f" {seconds:.0f} seconds.",
                where=f"connection {self._endpoint.connection}",
                mend="Nothing: the next try or the next run sends all that waited.",
                retry_after=seconds,
            )
        self._limits.pause(seconds)

    def _wait(self, state: RetryCallState) -> float:
        """Back off alone, unless everybody has been told to wait: then the limits hold the request."""
        answer = _last(state).answer
        told = answer.status in _TOO_MANY or answer.retry_after is not None
        return 0.0 if told and answer.status in _TOLD_TO_WAIT else self._backoff(state)


def _last(state: RetryCallState) -> Answered:
    """What the last attempt brought, for a request that is given up."""
    assert state.outcome is not None  # noqa: S101 - tenacity sets it before it calls this
    reply: Answered = state.outcome.result()
    return reply
