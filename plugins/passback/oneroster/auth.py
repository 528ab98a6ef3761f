"""OAuth 2 client credentials (RFC 6749, 4.4) as the SISs in the field want them."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_plus, urlencode

from passback.connections import refuse_plain_http
from passback.errors import (
    BusyError,
    ConfigurationError,
    ContractError,
    CredentialError,
    PermissionRefusedError,
    UnavailableError,
)
from passback.oneroster.answers import Answer, Decision, words_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from passback.connections import Endpoint
    from passback.sis import SisProfile

    # url, headers, form → what the answer means, and its body; refused credentials come back like any answer.
    Post = Callable[[str, Mapping[str, str], bytes], Awaitable[tuple[Answer, bytes]]]

log = logging.getLogger(__name__)

_LIFETIME: Final = 3600.0  # seconds a token is taken to live when the server does not say
_MARGIN: Final = 60.0  # seconds before its end in which a token is no longer used …
_MARGIN_SHARE: Final = 0.1  # … or this share of its life, if that is less
_NOT_FOUND: Final = (404, 405)
_NOT_PERMITTED: Final = ("invalid_scope", "unauthorized_client", "access_denied")


@dataclass
class ClientCredentials:
    """A bearer token that is fetched when needed, once for all who wait for it, and renewed before it ends.

    Attributes:
        endpoint: The SIS's connection. Its extra may hold `token_url` (a URL, or a path below the host),
            `scope` (empty for none), and `token_auth`: "basic", or "body" for a server that wants id and
            secret in the form.
        profile: The SIS's profile: token path, scopes, where the token endpoint reads id and secret, and who
            renews a credential.
        post: Sends the request.
        granted: The scopes of the token; those asked for where the server does not say.
    """

    endpoint: Endpoint
    profile: SisProfile
    post: Post
    granted: frozenset[str] = frozenset()
    _token: str = field(default="", repr=False)
    _expires: float = 0.0
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def token(self, *, refused: str = "") -> str:
        """A token to use now.

        Args:
            refused: A token that the SIS has just answered 401 to; it is not handed out again.

        Raises:
            CredentialError: the SIS does not accept the connection's id and secret.
            PermissionRefusedError: it knows them but does not grant the scopes.
            ConfigurationError: there is no token endpoint at that address, or a setting is wrong.
            ContractError: what it answered is no token.
            UnavailableError: it did not answer.
            BusyError: it asked to come back later.
        """
        if self._usable(refused):
            return self._token
        async with self._fetching:
            if not self._usable(refused):  # nobody renewed it while we waited
                await self._fetch()
            return self._token

    def _usable(self, refused: str) -> bool:
        now = asyncio.get_running_loop().time()
        return bool(self._token) and self._token != refused and now < self._expires

    async def _fetch(self) -> None:
        url, headers, form, scope = self._request()
        asked_at = asyncio.get_running_loop().time()
        answer, body = await self.post(url, headers, form)
        where = f"connection {self.endpoint.connection}"
        if answer.decision is not Decision.VERIFY:
            raise self._refusal(answer, body, where=where)
        granted = _json_object(body)
        token = granted.get("access_token")
        if not isinstance(token, str) or not token:
            raise ContractError(
                "the token endpoint's answer holds no access_token.",
                where=where,
                mend="Check the token_url in the connection's extra.",
            )
        if str(granted.get("token_type", "bearer")).lower() != "bearer":
            raise ContractError(
                "the token endpoint grants another type of token than bearer.",
                where=where,
                mend=f"Have the administrator of {self.profile.title} give this API client bearer tokens.",
            )
        self.granted = frozenset(str(granted.get("scope") or scope).split())
        if missing := set(scope.split()) - self.granted:
            log.warning("%s: the SIS did not grant %s", where, ", ".join(sorted(missing)))
        lifetime = _seconds(granted.get("expires_in"))
        self._token = token
        self._expires = asked_at + lifetime - min(_MARGIN, lifetime * _MARGIN_SHARE)

    def _request(self) -> tuple[str, dict[str, str], bytes, str]:
        extra = self.endpoint.extra
        where = f"connection {self.endpoint.connection}"
        url = str(extra.get("token_url") or self.profile.token_path)
        if "://" not in url:
            url = f"{self.endpoint.base_url}/{url.lstrip('/')}"
        refuse_plain_http(url, where=f"{where}, token_url")
        scope = str(extra.get("scope", self.profile.scopes))
        form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        way = extra.get("token_auth", self.profile.token_auth)
        if way == "basic":
            # RFC 6749, 2.3.1: each part is form-encoded before the two are joined.
            pair = f"{quote_plus(self.endpoint.login)}:{quote_plus(self.endpoint.secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        elif way == "body":
            form |= {"client_id": self.endpoint.login, "client_secret": self.endpoint.secret}
        else:
            raise ConfigurationError(
                "token_auth in its extra is neither 'basic' nor 'body'.",
                where=where,
                mend=f"Leave it out: {self.profile.title} is known to want {self.profile.token_auth!r}.",
            )
        return url, headers, urlencode(form).encode(), scope

    def _refusal(self, answer: Answer, body: bytes, *, where: str) -> Exception:
        code = str(_json_object(body).get("error", ""))
        said = f"{answer.status} {answer.words}".strip()
        title = self.profile.title
        if answer.decision is Decision.RETRY_LATER and answer.retry_after is not None:
            return BusyError(
                f"{title}'s token endpoint asked to come back later: {said}.",
                where=where,
                mend="Nothing: the next try or the next run sends all that waited.",
                retry_after=answer.retry_after,
            )
        if answer.decision is Decision.RETRY_LATER:
            return unavailable(self.profile, self.endpoint, answer)
        if code in _NOT_PERMITTED:
            return PermissionRefusedError(
                f"{title} does not grant what passback needs: {said}.",
                where=where,
                mend="Have its administrator grant this API client the rostering and gradebook scopes, or"
                " set those it has as scope in the connection's extra.",
            )
        if answer.status in _NOT_FOUND or 300 <= answer.status < 400:  # noqa: PLR2004 - a redirect
            return ConfigurationError(
                f"there is no token endpoint at its address: {said}.",
                where=where,
                mend="Set token_url in the connection's extra as the SIS gives it.",
            )
        return refused_credential(self.profile, self.endpoint, words_of(body))


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


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return _LIFETIME
    return seconds if seconds > 0 else _LIFETIME
