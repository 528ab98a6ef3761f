"""A feed over HTTP: the contract's collections, page by page.

Each page is kept as it comes, so that a killed extraction goes on where it stood.
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
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

from passback.errors import (
    BusyError,
    ContractError,
    CredentialError,
    PermissionRefusedError,
    UnavailableError,
)
from passback.frame_store import write_whole
from passback.sources.contract import (
    ASSESSMENT_COLLECTION,
    COLLECTIONS,
    SCORE_COLLECTION,
    Collection,
    Page,
    canonical,
    read_page,
)
from passback.sources.pulled import Pull

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import ObjectStoragePath
    from tenacity import RetryCallState

    from passback.connections import Endpoint

PAGE_SIZE: Final = 2000
ATTEMPTS: Final = 5
FIRST_WAIT: Final = 1.0  # seconds, doubled from try to try
LONGEST_WAIT: Final = 60.0
TIMEOUT: Final = aiohttp.ClientTimeout(total=120, sock_connect=10)
PAGES_KEPT: Final = timedelta(hours=2)
BASE_PATH: Final = "/feed/v1"

# Only these two grow with the district's work; the rest is small and always read whole.
INCREMENTAL: Final = (ASSESSMENT_COLLECTION, SCORE_COLLECTION)


async def read_feed(
    endpoint: Endpoint, pages: ObjectStoragePath, *, since: datetime | None, say: Callable[[str], None]
) -> Pull:
    """Read every collection of a feed.

    Args:
        endpoint: The feed's connection; its secret is the bearer token.
        pages: The folder in which pages are kept until the extraction is complete.
        since: Read only what changed at or after this instant (UTC); None for everything.
        say: Told about progress, in counts.

    Raises:
        ContractError: a page is not what the contract says.
        CredentialError: the token is refused.
        PermissionRefusedError: the token may not read a collection.
        UnavailableError, BusyError: the feed does not answer, also after trying again.
    """
    listings = _Listings(endpoint, pages / (f"{since:%Y%m%dT%H%M%SZ}" if since else "all"), since, say)
    headers = {"Authorization": f"Bearer {endpoint.secret}", "Accept": "application/json"}
    async with aiohttp.ClientSession(headers=headers, timeout=TIMEOUT) as session:
        tasks = [asyncio.ensure_future(listings.read(session, collection)) for collection in COLLECTIONS]
        try:
            read = dict(
                zip(
                    (collection.name for collection in COLLECTIONS), await asyncio.gather(*tasks), strict=True
                )
            )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    where = endpoint.connection
    frames = {
        frame: canonical(
            name, pd.concat([page.items for page in read[name]], ignore_index=True), f"{where}: {name}"
        )
        for name, frame in FRAME_OF.items()
    }
    return Pull(
        frames=frames,
        deleted={
            "assessments": _keys(read["assessments"], {"id": "assessment_id"}),
            "scores": _keys(read["scores"], {}),
        },
        totals={frame: read[name][0].total for name, frame in FRAME_OF.items()},
        as_of=min(datetime.fromisoformat(listing[0].as_of) for listing in read.values()).astimezone(UTC),
        since=since,
        requests=listings.requests,
    )


FRAME_OF: Final = {
    "assessments": "assessments",
    "scores": "scores",
    "classes": "classes",
    "students": "students",
    "staff": "staff",
    "group-members": "memberships",
}


async def count_records(endpoint: Endpoint) -> dict[str, int]:
    """Ask a feed how much each collection holds, to see that address and token are right.

    Raises:
        ContractError, CredentialError, PermissionRefusedError, UnavailableError, BusyError: as `read_feed`.
    """
    headers = {"Authorization": f"Bearer {endpoint.secret}", "Accept": "application/json"}
    async with aiohttp.ClientSession(headers=headers, timeout=TIMEOUT) as session:
        totals = {}
        for collection in COLLECTIONS:
            url = f"{_address(endpoint)}/{collection.name}?limit=1"
            content = await _get(session, url, endpoint, f"{endpoint.connection}: {collection.name}")
            totals[collection.name] = read_page(
                collection, content, f"{endpoint.connection}: {collection.name}"
            ).total
    return totals


def _address(endpoint: Endpoint) -> str:
    base_path: str = endpoint.extra.get("base_path", BASE_PATH)
    return endpoint.base_url + base_path


def _keys(pages: list[Page], names: dict[str, str]) -> pd.DataFrame:
    return pd.concat([page.deleted for page in pages], ignore_index=True).rename(columns=names).astype("str")


class _Listings:
    """The listings of one extraction: what they share, and how many requests they took."""

    def __init__(
        self,
        endpoint: Endpoint,
        folder: ObjectStoragePath,
        since: datetime | None,
        say: Callable[[str], None],
    ) -> None:
        self.endpoint = endpoint
        self.folder = folder
        self.since = since
        self.say = say
        self.requests = 0

    async def read(self, session: aiohttp.ClientSession, collection: Collection) -> list[Page]:
        pages = self._kept(collection)
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
            if collection is SCORE_COLLECTION:
                self.say(f"{sum(len(read.items) for read in pages):,} of {page.total:,} scores read")
        self._check_complete(collection, pages)
        return pages

    def _check_complete(self, collection: Collection, pages: list[Page]) -> None:
        received, total = sum(len(page.items) for page in pages), pages[0].total
        if received < total and not self._incremental(collection):
            raise UnavailableError(
                f"the listing ended after {received:,} of {total:,} records",
                where=f"{self.endpoint.connection}: {collection.name}",
                mend="If it happens again, ask the vendor of the feed; nothing was sent.",
            )

    def _incremental(self, collection: Collection) -> bool:
        return self.since is not None and collection in INCREMENTAL

    def _url(self, collection: Collection, cursor: str | None) -> str:
        query: dict[str, str] = {"limit": str(PAGE_SIZE)}
        if self.since is not None and self._incremental(collection):
            query["modified_since"] = f"{self.since:%Y-%m-%dT%H:%M:%S.%fZ}"
        if cursor is not None:
            query["cursor"] = cursor
        return f"{_address(self.endpoint)}/{collection.name}?{urlencode(query)}"

    def _file(self, collection: Collection, number: int) -> ObjectStoragePath:
        return self.folder / f"{collection.name}-{number:05}.json"

    def _kept(self, collection: Collection) -> list[Page]:
        """The pages that an earlier, killed try of this extraction kept, unless they are of another day."""
        pages: list[Page] = []
        while (file := self._file(collection, len(pages) + 1)).exists():
            pages.append(read_page(collection, file.read_bytes(), str(file)))
        stale = pages and datetime.now(UTC) - datetime.fromisoformat(pages[0].as_of) > PAGES_KEPT
        return [] if stale else pages


async def _get(session: aiohttp.ClientSession, url: str, endpoint: Endpoint, where: str) -> bytes:
    """The body of an answer of 200, tried again on what may pass."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type((UnavailableError, BusyError)),
        stop=stop_after_attempt(ATTEMPTS),
        wait=_wait,
        reraise=True,
    ):
        with attempt:
            try:
                async with session.get(url, allow_redirects=False) as response:
                    content = await response.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise UnavailableError(
                    f"the feed does not answer ({type(error).__name__})",
                    where=where,
                    mend="See whether the feed is up and its connection's address right; nothing was sent.",
                ) from None
            _check_status(response, endpoint, where)
            return content
    raise AssertionError  # pragma: no cover - the loop returns or raises


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = getattr(error, "retry_after", None)
    return float(
        min(LONGEST_WAIT, asked if asked is not None else FIRST_WAIT * 2 ** (state.attempt_number - 1))
    )


def _check_status(response: aiohttp.ClientResponse, endpoint: Endpoint, where: str) -> None:
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
        case 429:
            raise BusyError(
                "the feed asks to slow down",
                where=where,
                mend="Nothing to do: the task tries again.",
                retry_after=retry_after(response.headers.get("Retry-After")),
            )
        case status if status >= 500:  # noqa: PLR2004 - HTTP
            raise UnavailableError(
                f"the feed answered {status}",
                where=where,
                mend="If it lasts, ask the vendor of the feed; nothing was sent.",
                retry_after=retry_after(response.headers.get("Retry-After")),
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
