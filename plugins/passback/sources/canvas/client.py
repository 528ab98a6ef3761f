"""Requests to Canvas: its pages, its throttle, its refusals.

A token has a bucket that every request fills by what it costs, and that leaks all the time; a full one
refuses. `X-Rate-Limit-Remaining` says how much still goes in (Canvas' documentation on throttling).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

import aiohttp
import msgspec
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt
from yarl import URL

from passback.errors import (
    BusyError,
    ConfigurationError,
    ContractError,
    CredentialError,
    PermissionRefusedError,
    RetriableError,
    UnavailableError,
)
from passback.sources.canvas.pages import decode
from passback.sources.feed import retry_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from tenacity import RetryCallState

    from passback.connections import Endpoint

PAGE_SIZE: Final = 100  # Canvas gives no more
# Every running request reserves 50 of a bucket of 600, whatever it costs in the end: four leave it room.
PARALLEL: Final = 4
UP_FRONT: Final = 50
LEAKS: Final = 10  # a second
RESERVE: Final = PARALLEL * UP_FRONT  # kept free, or a third of a bucket that is smaller than usual

# 1 + 2 + 4 + … seconds: an overfull bucket of 800 is below 600 again after 20 seconds, empty after 80.
ATTEMPTS: Final = 7
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0  # who asks for more is asked again by a later try of the task
TIMEOUT: Final = aiohttp.ClientTimeout(total=120, sock_connect=10)
# A `Link` header repeats the whole query once for every page it names.
LONGEST_HEADER: Final = 65_536
_OK: Final = range(200, 300)


class Listing(NamedTuple):
    """A listing to be read over all its pages.

    Attributes:
        path: Below Canvas' address.
        query: Without the page and its size.
        record: The type of its records.
        what: What it lists, in words.
        permission: The permission in Canvas that shows it.
    """

    path: str
    query: Sequence[tuple[str, str]]
    record: type
    what: str
    permission: str


class MissingError(ContractError):
    """There is no such thing in Canvas, or the token's user may not know of it."""


class UnpublishedError(ContractError):
    """Canvas tells nothing of a course because it is not published."""


class ChangedError(UnavailableError):
    """What a request asked for was changed while the course was being read; the course must be read again."""


class Canvas:
    """A session with Canvas, to be entered.

    Attributes:
        endpoint: The connection.
        began: Canvas' clock (UTC) at its first answer; ours until then, and where ours is behind.
        requests: HTTP requests sent.
    """

    def __init__(self, endpoint: Endpoint, *, attempts: int = ATTEMPTS) -> None:
        self.endpoint = endpoint
        self.began = datetime.now(UTC)
        self.requests = 0
        self._attempts = attempts
        self._not_before = 0.0
        self._most_room = 0.0
        base_path: str = endpoint.extra.get("base_path", "")
        self._address = endpoint.base_url + base_path.rstrip("/")
        self._origin = _origin(self._address, endpoint)

    async def __aenter__(self) -> Self:
        """Open the session."""
        headers = {"Authorization": f"Bearer {self.endpoint.secret}", "Accept": "application/json"}
        self._session = aiohttp.ClientSession(
            headers=headers,
            timeout=TIMEOUT,
            connector=aiohttp.TCPConnector(limit=PARALLEL),
            max_field_size=LONGEST_HEADER,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the session."""
        await self._session.close()

    async def list(self, listing: Listing) -> list[Any]:
        """All records of a listing, over all its pages.

        Raises:
            PassbackError: as `passback.sources.canvas.pull`.
        """
        records: list[Any] = []
        url: URL | None = self._url(listing.path, [*listing.query, ("per_page", str(PAGE_SIZE))])
        seen: set[URL] = set()
        while url is not None:
            seen.add(url)
            where = f"{self.endpoint.connection}: {listing.what}, page {len(seen)}"
            content, following = await self._get(url, listing, where)
            records += decode(content, list[listing.record], where)  # type: ignore[name-defined]
            if following is not None:
                self._check_link(following, seen, where)
            url = following
        return records

    async def get(self, listing: Listing) -> Any:
        """A single record.

        Raises:
            PassbackError: as `list`.
        """
        where = f"{self.endpoint.connection}: {listing.what}"
        content, _ = await self._get(self._url(listing.path, listing.query), listing, where)
        return decode(content, listing.record, where)

    async def post(self, listing: Listing, body: object) -> Any:
        """Send a record to be made, once: whether to try again is for the caller, who knows if it was made.

        Returns:
            The record that Canvas answers with.

        Raises:
            PassbackError: as `list`.
        """
        where = f"{self.endpoint.connection}: {listing.what}"
        await self._wait_for_room()
        response, content = await self._ask("POST", self._url(listing.path, listing.query), where, body)
        if response.status not in _OK:
            raise self._refused(response, content, listing, where)
        return decode(content, listing.record, where)

    def _url(self, path: str, query: Iterable[tuple[str, str]]) -> URL:
        return URL(f"{self._address}{path}?{urlencode(list(query))}", encoded=True)

    def _check_link(self, following: URL, seen: set[URL], where: str) -> None:
        if following.origin() != self._origin:
            raise ContractError(
                "the link to the next page leads to another host, which must not see the token",
                where=where,
                mend=f"Enter the host that Canvas calls itself in the connection"
                f" {self.endpoint.connection!r}; nothing was sent.",
            )
        if following in seen:
            raise ContractError(
                "the pages of Canvas run in a circle",
                where=where,
                mend="Ask Instructure's support; nothing was sent.",
            )

    async def _get(self, url: URL, listing: Listing, where: str) -> tuple[bytes, URL | None]:
        """The body of an answer of 200 and the link to the next page, tried again on what may pass."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(_may_pass_soon),
            stop=stop_after_attempt(self._attempts),
            wait=wait,
            reraise=True,
        ):
            with attempt:
                await self._wait_for_room()
                response, content = await self._ask("GET", url, where)
                if response.status in _OK:
                    return content, _next(response)
                raise self._refused(response, content, listing, where)
        raise AssertionError  # the loop returns or raises

    async def _ask(
        self, method: str, url: URL, where: str, body: object = None
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        self.requests += 1
        try:
            async with self._session.request(method, url, json=body, allow_redirects=False) as response:
                content = await response.read()
        except aiohttp.ClientConnectorCertificateError:
            raise ConfigurationError(
                "the certificate of Canvas' host is not valid for it, or not signed by a known authority",
                where=where,
                mend=f"Check the host of the connection {self.endpoint.connection!r}.",
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(
                f"Canvas does not answer ({type(error).__name__})",
                where=where,
                mend="See whether Canvas is up (status.instructure.com) and the connection's host right;"
                " nothing was sent.",
            ) from None
        self._note(response)
        return response, content

    def _refused(
        self, response: aiohttp.ClientResponse, content: bytes, listing: Listing, where: str
    ) -> Exception:
        error = _refusal(response, content, listing, self.endpoint.connection, where)
        if isinstance(error, BusyError):  # the bucket is full for all requests, not for this one alone
            self._pause(error.retry_after or FIRST_WAIT)
        return error

    async def _wait_for_room(self) -> None:
        seconds = self._not_before - asyncio.get_running_loop().time()
        if seconds > 0:
            await asyncio.sleep(seconds)
            await self._wait_for_room()  # another answer may have asked for more

    def _pause(self, seconds: float) -> None:
        """Let no request start before that many seconds have passed."""
        until = asyncio.get_running_loop().time() + min(seconds, LONGEST_WAIT)
        self._not_before = max(self._not_before, until)

    def _note(self, response: aiohttp.ClientResponse) -> None:
        """Take in what an answer says of the bucket, and the first of the clock."""
        with suppress(KeyError, ValueError):
            remaining = float(response.headers["X-Rate-Limit-Remaining"])
            self._most_room = max(self._most_room, remaining)
            lacking = min(RESERVE, self._most_room / 3) - remaining
            if response.status in _OK and lacking > 0:  # else the refusal says how long
                self._pause(lacking / LEAKS)
        if self.requests == 1:
            with suppress(KeyError, ValueError, TypeError):
                self.began = min(self.began, parsedate_to_datetime(response.headers["Date"]))


def _origin(address: str, endpoint: Endpoint) -> URL:
    try:
        return URL(address).origin()
    except ValueError:
        raise ConfigurationError(
            "Canvas' address is not a URL",
            where=f"connection {endpoint.connection}",
            mend="Check its host, port and base_path.",
        ) from None


def _next(response: aiohttp.ClientResponse) -> URL | None:
    link = response.links.get("next")
    return URL(link["url"]) if link and "url" in link else None


def _may_pass_soon(error: BaseException) -> bool:
    return (
        isinstance(error, RetriableError)
        and not isinstance(error, ChangedError)
        and (error.retry_after or 0) <= LONGEST_WAIT
    )


def wait(state: RetryCallState) -> float:
    """Seconds before the next attempt: what the answer asked for, or else twice as many as before."""
    error = state.outcome.exception() if state.outcome else None
    asked = getattr(error, "retry_after", None)
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (state.attempt_number - 1)) if asked is None else asked)


# --- What a refusal means ---


def _refusal(  # noqa: PLR0911 - a return for each meaning reads best
    response: aiohttp.ClientResponse, content: bytes, listing: Listing, connection: str, where: str
) -> Exception:
    asked = retry_after(response.headers.get("Retry-After"))
    said = content[:2000].decode(errors="replace").lower()
    status = response.status
    if status == 429 or (status == 403 and "rate limit" in said):  # noqa: PLR2004 - HTTP; Canvas used either
        return BusyError(
            "Canvas asks to slow down",
            where=where,
            mend="Nothing to do: the task tries again. If it lasts, let nothing else use this token.",
            retry_after=asked,
        )
    if status >= 500:  # noqa: PLR2004 - HTTP
        return UnavailableError(
            f"Canvas answered {status}",
            where=where,
            mend="If it lasts, see status.instructure.com; nothing was sent.",
            retry_after=asked,
        )
    code = _code(content)
    if code == "not_enabled":
        return ConfigurationError(
            "Canvas exports no grades to a SIS in this account",
            where=where,
            mend="In Canvas, switch on the account's feature option 'SIS Grade Export' (bulk) or configure"
            " its SIS integration.",
        )
    if code == "unpublished_course":
        return UnpublishedError("the course is not published", where=where)
    if status == 403 and "invalid assignment ids" in said:  # noqa: PLR2004 - HTTP
        return ChangedError(
            "an assignment was unpublished or deleted while its course was being read",
            where=where,
            mend="Nothing to do: the task tries again.",
        )
    # Canvas has answered 401, too, to what a known user may not do; a bad token is told of in a header.
    known_user = "WWW-Authenticate" not in response.headers and '"unauthorized"' in said
    if status == 403 or (status == 401 and known_user):  # noqa: PLR2004 - HTTP
        return PermissionRefusedError(
            f"the token's user may not read {listing.what}",
            where=where,
            mend=f"In Canvas, give the role of the token's user the permission {listing.permission}.",
        )
    if status == 401:  # noqa: PLR2004 - HTTP
        return CredentialError(
            "Canvas refused the token",
            where=where,
            mend=f"Make a new access token in Canvas and enter it as the password of the connection"
            f" {connection!r}.",
        )
    if status == 404:  # noqa: PLR2004 - HTTP
        return MissingError(
            f"Canvas does not know {listing.what}, or does not let the token's user know",
            where=where,
            mend=f"Check account and courses in the extra of the connection {connection!r}.",
        )
    return ContractError(
        f"Canvas answered {status}",
        where=where,
        mend="Look at the host in the connection: it must be Canvas' own; nothing was sent.",
    )


class _Refused(msgspec.Struct):
    code: str


def _code(content: bytes) -> str:
    try:
        return msgspec.json.decode(content, type=_Refused).code
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
