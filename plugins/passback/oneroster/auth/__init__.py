"""How a SIS knows passback: OAuth 2 client credentials, OAuth 1.0a, or a token that does not change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from passback.errors import ConfigurationError
from passback.oneroster.auth.bearer import StaticToken
from passback.oneroster.auth.client_credentials import ClientCredentials
from passback.oneroster.auth.oauth1 import Signatures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from passback.connections import Endpoint
    from passback.oneroster.auth.client_credentials import Post
    from passback.oneroster.services import Version
    from passback.sis import SisProfile

    # Method and URL → the Authorization header of one attempt.
    Credential = Callable[[str, str], str]

__all__ = ["Authentication", "authentication_of"]

_WAYS: Final = ("oauth2", "oauth1", "bearer")


class Authentication(Protocol):
    """What gives every request its Authorization header.

    Attributes:
        granted: The scopes that the SIS has granted; those asked for where it does not say.
    """

    granted: frozenset[str]

    async def credential(self) -> Credential:
        """What writes the header, to be called at the moment a request goes out.

        Raises:
            PassbackError: as `ClientCredentials.credential` does.
        """

    async def renewed(self, refused: Credential, headers: Mapping[str, str]) -> Credential:
        """Another one, after the SIS answered 401.

        Args:
            refused: The credential that it answered 401 to.
            headers: Those of its answer, looked up without regard to case.

        Raises:
            CredentialError: there is no other.
            PassbackError: as `credential` does.
        """


def authentication_of(
    endpoint: Endpoint, profile: SisProfile, version: Version, post: Post
) -> Authentication:
    """The way that `auth` in the connection's extra names: "oauth2" if it is left out, "oauth1", "bearer".

    Args:
        endpoint: The SIS's connection.
        profile: The SIS's profile.
        version: The OneRoster it speaks.
        post: Sends a request for a token.

    Raises:
        ConfigurationError: a setting is wrong or missing, or does not go with the version.
    """
    way = endpoint.extra.get("auth", "oauth2")
    if way == "oauth2":
        return ClientCredentials(endpoint, profile, post)
    if way == "bearer":
        return StaticToken(endpoint, profile)
    if way != "oauth1":
        raise ConfigurationError(
            f"auth in its extra is none of {', '.join(map(repr, _WAYS))}.",
            where=f"connection {endpoint.connection}",
            mend="Leave it out for OAuth 2 client credentials.",
        )
    if version != "1.1":
        raise ConfigurationError(
            f"auth in its extra is 'oauth1', which OneRoster {version} has no more.",
            where=f"connection {endpoint.connection}",
            mend="Leave auth out and enter the id and secret of an OAuth 2 client, or set version to '1.1'"
            " if that is what the SIS speaks.",
        )
    return Signatures(endpoint, profile)
