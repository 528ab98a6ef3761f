"""Every error Passback raises, in one tree: what it is decides whether a task is retried.

An error says what happened, where, and what to do about it. No message ever holds a student's data:
name the kind of a value ("text", "a number below zero"), never the value.
"""

from __future__ import annotations

__all__ = [  # noqa: RUF022 - grouped by what a task does with them
    # Root
    "PassbackError",
    # Fatal: a person must act, trying again changes nothing
    "FatalError",
    "ConfigurationError",
    "MappingError",
    "CredentialError",
    "PermissionRefusedError",
    "ContractError",
    "SourceShrunkError",
    "LedgerOutdatedError",
    "SupersededError",
    "CountsError",
    # Retriable: the same task may succeed later
    "RetriableError",
    "UnavailableError",
    "BusyError",
    "UnforeseenError",
]


class PassbackError(Exception):
    """Root of all errors raised by Passback.

    Args:
        what: What happened, in a sentence.
        where: File, line, field, connection or address it happened at.
        mend: What to do about it, in a sentence.
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what = what
        self.where = where
        self.mend = mend
        super().__init__(what, where, mend)

    def __str__(self) -> str:
        """One line: where, what, and the mend."""
        line = f"{self.where}: {self.what}" if self.where else self.what
        if not self.mend:
            return line
        return f"{line.removesuffix('.')}. What to do: {self.mend}"


# --- Fatal: a person must act, trying again changes nothing ---


class FatalError(PassbackError):
    """Trying again changes nothing: the task fails at once."""


class ConfigurationError(FatalError):
    """A connection, a setting or a suite is missing or wrong."""


class MappingError(ConfigurationError):
    """A district's mapping file is not what it must be."""


class CredentialError(FatalError):
    """A system refused the credential of a connection; retrying would only lock the door."""


class PermissionRefusedError(FatalError):
    """A system knows the credential but does not let it do what passback needs."""


class ContractError(FatalError):
    """A system answered with something that its documented contract does not allow."""


class SourceShrunkError(FatalError):
    """A source answered with nothing, or with far fewer rows than last time (RULES section 5)."""


class LedgerOutdatedError(FatalError):
    """The ledger's schema is older or newer than this version of Passback."""


class SupersededError(FatalError):
    """A later run of the district has read the source since: what this one knows is out of date."""


class CountsError(FatalError):
    """Not every extracted score ended in exactly one outcome."""


# --- Retriable: the same task may succeed later ---


class RetriableError(PassbackError):
    """The same task may succeed later.

    Args:
        what: What happened, in a sentence.
        where: File, line, field, connection or address it happened at.
        mend: What to do about it if it does not pass by itself.
        retry_after: Seconds the other side asked us to wait, if it did.
    """

    def __init__(
        self, what: str, *, where: str = "", mend: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(what, where=where, mend=mend)
        self.retry_after = retry_after


class UnavailableError(RetriableError):
    """A system did not answer, or answered that it is broken."""


class BusyError(RetriableError):
    """A system or a lock asked us to come back later."""


class UnforeseenError(RetriableError):
    """An error that is not Passback's own stopped a step; its text, which may quote a score, is left out."""
