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
    PermissionRefusedError,
)
from passback.oneroster.answers import Answer, Decision, words_of
from passback.oneroster.auth.bearer import TOKEN
from passback.oneroster.auth.refusals import refused_credential, unavailable
from passback.oneroster.services import text_setting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from passback.connections import Endpoint
    from passback.oneroster.auth import Credential
    from passback.sis import SisProfile

    # url, headers, form → what the answer means, and its body; refused credentials come back like any answer.
    Post = Callable[[str, Mapping[str, str], bytes], Awaitable[tuple[Answer, bytes]]]

log = logging.getLogger(__name__)

_LIFETIME: Final = 3600.0  # seconds a token is taken to live when the server does not say
_MARGIN: Final = 60.0  # seconds before its end in which a token is no longer used …
_MARGIN_SHARE: Final = 0.1  # … or this share of its life, if that is less
_BAD_REQUEST: Final = 400
_UNAUTHORISED: Final = 401
_NOT_FOUND: Final = (404, 405)
_UNKNOWN_CLIENT: Final = "invalid_client"
_UNKNOWN_SCOPE: Final = "invalid_scope"
_NOT_PERMITTED: Final = (_UNKNOWN_SCOPE, "unauthorized_client", "access_denied")
# What a gradebook client cannot do without, by the last part of a scope's name; and what it needs besides
# where the SIS allots ids to many records at once, and where records are taken out by DELETE.
_NEEDED: Final = ("roster.readonly", "gradebook.readonly", "gradebook.createput")
_NEEDED_TO_POST: Final = "gradebook.createpost"
_NEEDED_TO_DELETE: Final = "gradebook.delete"


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
    _credential: Credential | None = field(default=None, repr=False)
    _scope: str | None = None  # what is asked for since the SIS refused more
    _encodes: bool = True  # id and secret for Basic, as RFC 6749 says and many a server does not expect
    _expires: float = 0.0
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def credential(self) -> Credential:
        """What writes the header, with a token to use now.

        Raises:
            CredentialError: the SIS does not accept the connection's id and secret.
            PermissionRefusedError: it knows them but does not grant the scopes.
            ConfigurationError: there is no token endpoint at that address, or a setting is wrong.
            ContractError: what it answered is no token.
            UnavailableError: it did not answer.
            BusyError: it asked to come back later.
        """
        return await self._usable(refused=None)

    async def renewed(self, refused: Credential, headers: Mapping[str, str]) -> Credential:  # noqa: ARG002 - the same for every way
        """What writes the header with another token than the refused one.

        Raises:
            CredentialError: the SIS refused a token that it had just granted.
            PassbackError: as `credential` does.
        """
        return await self._usable(refused=refused)

    async def _usable(self, *, refused: Credential | None) -> Credential:
        if (kept := self._kept(refused)) is not None:
            return kept
        async with self._fetching:  # somebody may have renewed it while we waited
            return self._kept(refused) or await self._fetch()

    def _kept(self, refused: Credential | None) -> Credential | None:
        if self._credential is refused or asyncio.get_running_loop().time() >= self._expires:
            return None
        return self._credential

    async def _fetch(self) -> Credential:
        asked_at = asyncio.get_running_loop().time()
        where = f"connection {self.endpoint.connection}"
        scope = self._scopes_asked() if self._scope is None else self._scope
        answer, body = await self._ask(scope)
        fewer = _fewest(scope, self._scopes_needed())
        if _refused_scope(answer, body) and fewer and fewer != scope:
            log.warning(
                "%s: the SIS refused the scopes; asked again without %s",
                where,
                ", ".join(sorted(set(scope.split()) - set(fewer.split()))),
            )
            scope = fewer
            answer, body = await self._ask(scope)
        if answer.decision is not Decision.VERIFY and not _is_page(answer):
            raise self._refusal(answer, body, where=where)
        granted = _json_object(body)
        token = granted.get("access_token")
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
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
        self._scope = scope
        self.granted = frozenset(str(granted.get("scope") or scope).split())
        if missing := set(scope.split()) - self.granted:
            log.warning("%s: the SIS did not grant %s", where, ", ".join(sorted(missing)))
        lifetime = _seconds(granted.get("expires_in"))
        header = f"Bearer {token}"
        self._credential = lambda _method, _url: header
        self._expires = asked_at + lifetime - min(_MARGIN, lifetime * _MARGIN_SHARE)
        return self._credential

    async def _ask(self, scope: str) -> tuple[Answer, bytes]:
        """Ask for a token; once more with id and secret as they are where their encoding may be at fault."""
        answer, body = await self.post(*self._request(scope))
        if not self._encodes or not self._looks_encoded() or not _refused_client(answer, body):
            return answer, body
        self._encodes = False
        again, body_again = await self.post(*self._request(scope))
        if _refused_client(again, body_again):
            self._encodes = True
            return answer, body
        return again, body_again

    def _looks_encoded(self) -> bool:
        """Whether id or secret look otherwise when they are form-encoded for Basic."""
        pair = self.endpoint.login + self.endpoint.secret
        return self._way() == "basic" and quote_plus(pair) != pair

    def _way(self) -> Any:
        return self.endpoint.extra.get("token_auth", self.profile.token_auth)

    def _scopes_asked(self) -> str:
        """The connection's scopes, else the profile's and what its way of writing needs besides."""
        if (said := text_setting(self.endpoint, "scope")) is not None:
            return said
        scopes = self.profile.scopes.split()
        home = next((s.removesuffix(_NEEDED[-1]) for s in scopes if s.endswith(f"/{_NEEDED[-1]}")), "")
        also = [home + name for name in self._scopes_needed() if home and home + name not in scopes]
        return " ".join([*scopes, *also])

    def _scopes_needed(self) -> tuple[str, ...]:
        extra, profile = self.endpoint.extra, self.profile
        to_post = (_NEEDED_TO_POST,) if extra.get("writes", profile.writes) == "post" else ()
        to_delete = (_NEEDED_TO_DELETE,) if extra.get("deletes", profile.deletes) == "delete" else ()
        return (*_NEEDED, *to_post, *to_delete)

    def _request(self, scope: str) -> tuple[str, dict[str, str], bytes]:
        where = f"connection {self.endpoint.connection}"
        url = text_setting(self.endpoint, "token_url") or self.profile.token_path
        if "://" not in url:
            url = f"{self.endpoint.base_url}/{url.lstrip('/')}"
        refuse_plain_http(url, where=f"{where}, token_url")
        form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        way = self._way()
        if way == "basic":
            # RFC 6749, 2.3.1: each part is form-encoded before the two are joined.
            encoded = quote_plus if self._encodes else str
            pair = f"{encoded(self.endpoint.login)}:{encoded(self.endpoint.secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        elif way == "body":
            form |= {"client_id": self.endpoint.login, "client_secret": self.endpoint.secret}
        else:
            raise ConfigurationError(
                "token_auth in its extra is neither 'basic' nor 'body'.",
                where=where,
                mend=f"Leave it out: {self.profile.title} is known to want {self.profile.token_auth!r}.",
            )
        return url, headers, urlencode(form).encode()

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


def _is_page(answer: Answer) -> bool:
    """Whether a page of HTML came under a status of success: this is hardly a token endpoint."""
    return answer.decision is Decision.RETRY_LATER and 200 <= answer.status < 300  # noqa: PLR2004 - success


def _refused_client(answer: Answer, body: bytes) -> bool:
    """Whether the server does not know this id and secret (RFC 6749, 5.2)."""
    code = _json_object(body).get("error")
    return answer.status == _UNAUTHORISED or (answer.status == _BAD_REQUEST and code == _UNKNOWN_CLIENT)


def _refused_scope(answer: Answer, body: bytes) -> bool:
    return answer.status == _BAD_REQUEST and _json_object(body).get("error") == _UNKNOWN_SCOPE


def _fewest(scope: str, needed: tuple[str, ...]) -> str:
    """Of the scopes those that are needed, by the last part of their names."""
    return " ".join(name for name in scope.split() if name.rpartition("/")[2] in needed)


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
