"""A feed over HTTP: its collections, page by page.

Each page is kept as it comes, so that an extraction that was killed or lost its connection goes on where it
stood. What was answered wrongly is not kept: the next try asks again.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import aiohttp
import pandas as pd
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

from passback.errors import (
    BusyError,
    ConfigurationError,
    ContractError,
    CredentialError,
    FatalError,
    PermissionRefusedError,
    RetriableError,
    UnavailableError,
)
from passback.frame_store import write_whole
from passback.records import ASSESSMENTS, SCORES, SOURCE_FRAMES
from passback.sources.canonical import canonical
from passback.sources.contract import Collection, Feed, Page, read_page
from passback.sources.pulled import Pull

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import ObjectStoragePath
    from tenacity import RetryCallState

    from passback.connections import Endpoint

PAGE_SIZE: Final = 2000
ATTEMPTS: Final = 5
FIRST_WAIT: Final = 1.0  # seconds, doubled from try to try
LONGEST_WAIT: Final = 60.0  # who asks for more is asked again by a later try of the task
TIMEOUT: Final = aiohttp.ClientTimeout(total=120, sock_connect=10)
PAGES_KEPT: Final = timedelta(hours=2)
# A record may be stamped before it can be seen: by a transaction still open, or another server's clock.
OVERLAP: Final = timedelta(minutes=10)

# Only these two grow with the district's work; the rest is small and always read whole.
INCREMENTAL: Final = (ASSESSMENTS, SCORES)


async def read_feed(
    feed: Feed,
    endpoint: Endpoint,
    pages: ObjectStoragePath,
    *,
    since: datetime | None,
    say: Callable[[str], None],
) -> Pull:
    """Read every collection of a feed.

    Args:
        feed: What the platform calls it all.
        endpoint: The feed's connection; its secret is the bearer token.
        pages: The folder in which pages are kept until the extraction is complete. After a fatal error it
            holds none: what a person has mended is asked for again.
        since: Read only what changed at or after this instant (UTC), and `OVERLAP` before it; None for
            everything.
        say: Told about progress, in counts.

    Raises:
        ConfigurationError: the connection's address or the certificate of its host is wrong.
        ContractError: a page is not what the contract says.
        CredentialError: the token is refused.
        PermissionRefusedError: the token may not read a collection.
        UnavailableError, BusyError: the feed does not answer, also after trying again; or it asks to come
            back later than an extraction waits.
    """
    folder = pages / (f"{since:%Y%m%dT%H%M%SZ}" if since else "all")
    listings = _Listings(feed, endpoint, folder, since, say)
    frames = {frame.name: frame.empty() for frame in SOURCE_FRAMES}
    deleted, totals = {}, {}
    try:
        read = await _read_all(listings)
        for collection, listing in read:
            name = collection.frame.name
            frames[name] = canonical(
                collection,
                pd.concat([page.items for page in listing], ignore_index=True),
                f"{endpoint.connection}: {collection.name}",
                statuses=feed.statuses,
                say=say,
            )
            totals[name] = listing[0].total
            if collection.frame in INCREMENTAL:
                deleted[name] = _deleted(collection, listing)
    except FatalError:
        for collection in feed.collections:
            listings.forget(collection)
        raise
    return Pull(
        frames=frames,
        deleted=deleted,
        totals=totals,
        as_of=min(listing[0].as_of for _, listing in read),
        requests=listings.requests,
        changes=frozenset(frame.name for frame in INCREMENTAL if since is not None),
    )


async def _read_all(listings: _Listings) -> list[tuple[Collection, list[Page]]]:
    """The pages of every collection; when one fails, the others are not read on."""
    collections = listings.feed.collections
    async with _session(listings.endpoint) as session:
        tasks = [asyncio.ensure_future(listings.read(session, collection)) for collection in collections]
        try:
            read = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return list(zip(collections, read, strict=True))


async def count_records(feed: Feed, endpoint: Endpoint) -> dict[str, int]:
    """Ask a feed how much each collection holds, to see that address and token are right.

    Raises:
        PassbackError: as `read_feed`.
    """
    async with _session(endpoint) as session:
        totals = {}
        for collection in feed.collections:
            url = f"{_address(feed, endpoint)}/{collection.name}?limit=1"
            where = f"{endpoint.connection}: {collection.name}"
            content = await _get(session, url, endpoint, where, attempts=2)  # a person waits
            totals[collection.name] = read_page(collection, content, where).total
    return totals


def _session(endpoint: Endpoint) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {endpoint.secret}", "Accept": "application/json"}
    return aiohttp.ClientSession(headers=headers, timeout=TIMEOUT)


def _address(feed: Feed, endpoint: Endpoint) -> str:
    base_path: str = endpoint.extra.get("base_path", feed.base_path)
    return endpoint.base_url + base_path


def _deleted(collection: Collection, pages: list[Page]) -> pd.DataFrame:
    keys = pd.concat([page.deleted for page in pages], ignore_index=True).astype("str")
    return keys.set_axis(list(collection.frame.key), axis="columns")


class _Listings:
    """The listings of one extraction: what they share, and how many requests they took."""

    def __init__(
        self,
        feed: Feed,
        endpoint: Endpoint,
        folder: ObjectStoragePath,
        since: datetime | None,
        say: Callable[[str], None],
    ) -> None:
        self.feed = feed
        self.endpoint = endpoint
        self.folder = folder
        self.since = since
        self.say = say
        self.requests = 0

    async def read(self, session: aiohttp.ClientSession, collection: Collection) -> list[Page]:
        """All pages of a collection; begun anew once if it cannot be gone on with, or ends too early."""
        try:
            return await self._read_on(session, collection, self._kept(collection))
        except (_CursorRefusedError, _ShortListingError):
            self.forget(collection)
            return await self._read_on(session, collection, [])

    def forget(self, collection: Collection) -> None:
        """Remove the kept pages of a collection, the last first: those still there always begin a listing."""
        for file in reversed(self._files(collection)):
            file.unlink(missing_ok=True)

    async def _read_on(
        self, session: aiohttp.ClientSession, collection: Collection, pages: list[Page]
    ) -> list[Page]:
        seen = {page.next for page in pages}
        while not pages or pages[-1].next is not None:
            cursor = pages[-1].next if pages else None
            where = f"{self.endpoint.connection}: {collection.name}, page {len(pages) + 1}"
            content = await _get(session, self._url(collection, cursor), self.endpoint, where)
            self.requests += 1
            page = read_page(collection, content, where)
            if page.next is not None and page.next in seen:
                raise ContractError(
                    "the feed's pages run in a circle",
                    where=where,
                    mend="Ask the vendor of the feed to mend its cursors; nothing was sent.",
                )
            write_whole(self._file(collection, len(pages) + 1), content)
            pages.append(page)
            seen.add(page.next)
            if collection.frame is SCORES:
                self.say(f"{sum(len(read.items) for read in pages):,} of {page.total:,} scores read")
        self._check_complete(collection, pages)
        return pages

    def _check_complete(self, collection: Collection, pages: list[Page]) -> None:
        received, total = sum(len(page.items) for page in pages), pages[0].total
        if received < total and not self._incremental(collection):
            self.forget(collection)
            raise _ShortListingError(
                f"the listing ended after {received:,} of {total:,} records",
                where=f"{self.endpoint.connection}: {collection.name}",
                mend="If it happens again, ask the vendor of the feed; nothing was sent.",
            )

    def _incremental(self, collection: Collection) -> bool:
        return self.since is not None and collection.frame in INCREMENTAL

    def _url(self, collection: Collection, cursor: str | None) -> str:
        query: dict[str, str] = {"limit": str(PAGE_SIZE)}
        if self.since is not None and self._incremental(collection):
            query["modified_since"] = f"{self.since - OVERLAP:%Y-%m-%dT%H:%M:%S.%fZ}"
        if cursor is not None:
            query["cursor"] = cursor
        return f"{_address(self.feed, self.endpoint)}/{collection.name}?{urlencode(query)}"

    def _file(self, collection: Collection, number: int) -> ObjectStoragePath:
        return self.folder / f"{collection.name}-{number:05}.json"

    def _files(self, collection: Collection) -> list[ObjectStoragePath]:
        files: list[ObjectStoragePath] = []
        while (file := self._file(collection, len(files) + 1)).exists():
            files.append(file)
        return files

    def _kept(self, collection: Collection) -> list[Page]:
        """The pages that an interrupted try of this extraction kept, if they are of one listing of today."""
        try:
            pages = [read_page(collection, file.read_bytes(), str(file)) for file in self._files(collection)]
        except ContractError:  # kept by another version
            pages = []
        if (
            pages
            and all(page.as_of == pages[0].as_of for page in pages)
            and datetime.now(UTC) - pages[0].as_of <= PAGES_KEPT
        ):
            return pages
        self.forget(collection)
        return []


class _ShortListingError(UnavailableError):
    """A listing of everything ended before its own total: records may have been deleted on the way."""


class _CursorRefusedError(ContractError):
    """The feed does not know, or no longer knows, a cursor that it gave out."""


async def _get(
    session: aiohttp.ClientSession, url: str, endpoint: Endpoint, where: str, *, attempts: int = ATTEMPTS
) -> bytes:
    """The body of an answer of 200, tried again on what may pass."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception(_may_pass_soon),
        stop=stop_after_attempt(attempts),
        wait=_wait,
        reraise=True,
    ):
        with attempt:
            try:
                async with session.get(url, allow_redirects=False) as response:
                    content = await response.read()
            except aiohttp.ClientConnectorCertificateError:
                raise ConfigurationError(
                    "the certificate of the feed's host is not valid for it, or not signed by a known"
                    " authority",
                    where=where,
                    mend=f"Check the host of the connection {endpoint.connection!r}; have the vendor of the"
                    " feed renew the certificate.",
                ) from None
            except aiohttp.InvalidURL:
                raise ConfigurationError(
                    "the feed's address is not a URL",
                    where=where,
                    mend=f"Check host, port and base_path of the connection {endpoint.connection!r}.",
                ) from None
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise UnavailableError(
                    f"the feed does not answer ({type(error).__name__})",
                    where=where,
                    mend="See whether the feed is up and its connection's address right; nothing was sent.",
                ) from None
            _check_status(response, endpoint, where)
            return content
    raise AssertionError  # the loop returns or raises


def _may_pass_soon(error: BaseException) -> bool:
    return isinstance(error, RetriableError) and (error.retry_after or 0) <= LONGEST_WAIT


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = getattr(error, "retry_after", None)
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (state.attempt_number - 1)) if asked is None else asked)


def _check_status(response: aiohttp.ClientResponse, endpoint: Endpoint, where: str) -> None:
    asked = retry_after(response.headers.get("Retry-After"))
    match response.status:
        case 200:
            return
        case 401:
            raise CredentialError(
                "the feed refused the token",
                where=where,
                mend=f"Renew the token: it is the password of the connection {endpoint.connection!r}.",
            )
        case 403:
            raise PermissionRefusedError(
                "the token may not read this collection",
                where=where,
                mend="Ask the vendor of the feed to allow the token to read it.",
            )
        case status if status == 429 or (status >= 500 and (asked or 0) > LONGEST_WAIT):  # noqa: PLR2004 - HTTP
            raise BusyError(
                "the feed asks to slow down"
                if asked is None
                else f"the feed asks to wait {asked:.0f} seconds",
                where=where,
                mend="Nothing to do: the task tries again.",
                retry_after=asked,
            )
        case status if status >= 500:  # noqa: PLR2004 - HTTP
            raise UnavailableError(
                f"the feed answered {status}",
                where=where,
                mend="If it lasts, ask the vendor of the feed; nothing was sent.",
                retry_after=asked,
            )
        case 400 | 404 | 410 as status if "cursor" in response.url.query:
            raise _CursorRefusedError(
                f"the feed answered {status} to a cursor that it gave out",
                where=where,
                mend="Ask the vendor of the feed to let cursors hold for two hours; nothing was sent.",
            )
        case status:
            raise ContractError(
                f"the feed answered {status}",
                where=where,
                mend="Look at the address and base_path in the connection; nothing was sent.",
            )


def retry_after(header: str | None) -> float | None:
    """Seconds to wait by a `Retry-After` header, which holds seconds or an HTTP date."""
    if header is None:
        return None
    if re.fullmatch(r"\d{1,6}", header.strip()):
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
