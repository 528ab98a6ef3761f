"""OAuth 1.0a with a consumer alone (RFC 5849; OneRoster 1.1, legacy): every request is signed by itself."""

from __future__ import annotations

import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from passback.errors import ConfigurationError, CredentialError
from passback.oneroster.auth.refusals import refused_credential

if TYPE_CHECKING:
    from collections.abc import Mapping

    from passback.connections import Endpoint
    from passback.oneroster.auth import Credential
    from passback.sis import SisProfile

_METHODS: Final = ("HMAC-SHA256", "HMAC-SHA1")
_WINDOW: Final = 300.0  # seconds: servers take a timestamp that is 5 to 45 minutes off


class Signatures:
    """Signs with the connection's login as consumer key and its password as secret.

    Method, URL and query are signed, a body of JSON is not; the signature stands in the header.

    Attributes:
        granted: The scopes of the profile: OAuth 1 has none.

    Args:
        endpoint: The SIS's connection. Its extra may hold `signature`: "HMAC-SHA256" (left out), "HMAC-SHA1".
        profile: The SIS's profile.

    Raises:
        ConfigurationError: key or secret is missing, or the signature is none of these.
    """

    def __init__(self, endpoint: Endpoint, profile: SisProfile) -> None:
        where = f"connection {endpoint.connection}"
        method = endpoint.extra.get("signature", _METHODS[0])
        if method not in _METHODS:
            raise ConfigurationError(
                f"signature in its extra is none of {', '.join(map(repr, _METHODS))}.",
                where=where,
                mend="Leave it out, or set 'HMAC-SHA1' where the SIS knows no other.",
            )
        if not endpoint.login or not endpoint.secret:
            raise ConfigurationError(
                "it has no login or no password, which are key and secret where auth is 'oauth1'.",
                where=where,
                mend=f"Enter both as {profile.title} shows them.",
            )
        from oauthlib import oauth1  # type: ignore[import-untyped]  # noqa: PLC0415 - no other way needs it

        self.granted = frozenset(profile.scopes.split())
        self._endpoint = endpoint
        self._profile = profile
        self._signer = oauth1.Client(endpoint.login, client_secret=endpoint.secret, signature_method=method)

    async def credential(self) -> Credential:
        """What signs a request: with a nonce and a timestamp of its own, each time it is called."""
        return self._authorization

    async def renewed(self, refused: Credential, headers: Mapping[str, str]) -> Credential:  # noqa: ARG002 - the same for every way
        """There is no other key.

        Raises:
            CredentialError: always; it says so if the two clocks are too far apart for any signature.
        """
        if apart := _clocks_apart(headers.get("Date", "")):
            raise CredentialError(
                f"{self._profile.title} refused a signature: its clock is {apart} this machine's.",
                where=f"connection {self._endpoint.connection}",
                mend="Set the clock that is wrong; a signature holds for a few minutes only.",
            )
        raise refused_credential(self._profile, self._endpoint, "401 to a signed request")

    def _authorization(self, method: str, url: str) -> str:
        _, headers, _ = self._signer.sign(url, http_method=method)
        return str(headers["Authorization"])


def _clocks_apart(date: str) -> str:
    """How far the SIS's clock is from ours, if that alone makes it refuse every signature; else empty."""
    try:
        moment = parsedate_to_datetime(date)
        ahead = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time()
    except (ValueError, OverflowError):
        return ""
    if abs(ahead) < _WINDOW:
        return ""
    return f"{abs(ahead) / 60:,.0f} minutes {'ahead of' if ahead > 0 else 'behind'}"
