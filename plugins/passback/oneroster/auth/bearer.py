"""A bearer token that somebody made in the SIS and that stays as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from passback.errors import ConfigurationError
from passback.oneroster.auth.refusals import refused_credential

if TYPE_CHECKING:
    from collections.abc import Mapping

    from passback.connections import Endpoint
    from passback.oneroster.auth import Credential
    from passback.sis import SisProfile

TOKEN: Final = re.compile(r"[\x21-\x7e]+")  # what may stand in a header as one word


class StaticToken:
    """The connection's password, sent as a bearer token (RFC 6750, 2.1).

    Attributes:
        granted: The scopes of the profile: a token does not tell its own.

    Args:
        endpoint: The SIS's connection.
        profile: The SIS's profile.

    Raises:
        ConfigurationError: the connection has no password, or one that is no token.
    """

    def __init__(self, endpoint: Endpoint, profile: SisProfile) -> None:
        if not TOKEN.fullmatch(endpoint.secret):
            raise ConfigurationError(
                "its password is no bearer token: it is empty, or holds a space or a letter beyond ASCII."
                if endpoint.secret
                else "it has no password, which is the bearer token where auth in its extra is 'bearer'.",
                where=f"connection {endpoint.connection}",
                mend=f"Put the token of {profile.title} into its password, without the word Bearer.",
            )
        self.granted = frozenset(profile.scopes.split())
        self._endpoint = endpoint
        self._profile = profile
        self._header = f"Bearer {endpoint.secret}"

    async def credential(self) -> Credential:
        """What writes the header; always the same one."""
        return self._authorization

    async def renewed(self, refused: Credential, headers: Mapping[str, str]) -> Credential:  # noqa: ARG002 - the same for every way
        """There is no other token.

        Raises:
            CredentialError: always.
        """
        raise refused_credential(self._profile, self._endpoint, "401 to the token in its password")

    def _authorization(self, _method: str, _url: str) -> str:
        return self._header
