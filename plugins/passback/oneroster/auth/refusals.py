"""The errors for a SIS that does not let passback in, whichever way it asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passback.errors import CredentialError, UnavailableError

if TYPE_CHECKING:
    from passback.connections import Endpoint
    from passback.oneroster.answers import Answer
    from passback.sis import SisProfile


def refused_credential(profile: SisProfile, endpoint: Endpoint, words: str) -> CredentialError:
    """The error for a credential that the SIS no longer accepts: which one, and who renews it."""
    said = f": {words.removesuffix('.')}" if words else ""
    return CredentialError(
        f"{profile.title} refused the credential{said}.",
        where=f"connection {endpoint.connection}",
        mend=f"{profile.credential_renewal} Then put the new id and secret into this connection; the next"
        " good run sends all that waited.",
    )


def unavailable(profile: SisProfile, endpoint: Endpoint, answer: Answer) -> UnavailableError:
    """The error for a SIS that does not answer, or answers that it is broken."""
    # Words under a status are the SIS's own and may name a student: they go to the ledger, not into a log.
    said = f"it answered {answer.status}" if answer.status else answer.words
    return UnavailableError(
        f"{profile.title} is not available: {said}.",
        where=f"connection {endpoint.connection}",
        mend="Nothing if it was a passing fault: the next run sends all that waited. Otherwise check that"
        f" {endpoint.base_url} can be reached from here and ask the SIS's administrator.",
        retry_after=answer.retry_after,
    )
