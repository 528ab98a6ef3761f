"""A OneRoster SIS over HTTP: reads pages, writes records by id, and keeps to the SIS's limits.

Nothing of a student stands in an address: rosters and results are read by collection, class or line item.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import quote, urlencode

import msgspec

from passback.errors import (
    ConfigurationError,
    ContractError,
    PassbackError,
    PermissionRefusedError,
)
from passback.oneroster.answers import Answer, Decision, answer_of, deleted, lost
from passback.oneroster.auth import authentication_of
from passback.oneroster.auth.refusals import refused_credential, unavailable
from passback.oneroster.envelopes import COLLECTIONS, Kind, allotted_id, allotted_ids, records_in
from passback.oneroster.exchange import Connections, WrongAddressError, wrong_address
from passback.oneroster.filters import narrowing
from passback.oneroster.limits import Limits
from passback.oneroster.patience import Patience, Retries
from passback.oneroster.services import services_of, version_of
from passback.oneroster.transport import is_one_of, tls_of, vendor_headers
from passback.oneroster.wire import NoAnswerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from types import TracebackType

    from passback.connections import Endpoint
    from passback.oneroster.auth import Credential
    from passback.oneroster.filters import Filter
    from passback.sis import SisProfile

log = logging.getLogger(__name__)

_NO_CONTENT: Final = 204  # some servers' empty listing
_UNAUTHORISED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_MOST_PAGES: Final = 10_000


class _Request(NamedTuple):
    method: str
    url: str
    path: str  # for messages
    headers: Mapping[str, str]
    body: bytes | None = None
    writes: bool = False
    repeatable: bool = True  # doing it twice is doing it once


class Response(NamedTuple):
    """What the SIS answered to one request.

    Attributes:
        answer: What it means.
        headers: Looked up without regard to case.
        body: As it came.
    """

    answer: Answer
    headers: Mapping[str, str]
    body: bytes


class Client:
    """A SIS that speaks OneRoster 1.1 or 1.2. Used as `async with Client(endpoint, profile) as sis:`.

    Attributes:
        profile: What is known of this SIS.
        version: The OneRoster it speaks here.
        services: Its addresses.
        limits: What it may be asked.
        requests: How many requests it has been sent, tokens and repeated ones included.

    Args:
        endpoint: The SIS's connection. Its extra may hold `version`, `base_path`, `rostering_path`,
            `gradebook_path` (`services_of`), `auth` and what that way reads (`authentication_of`), `headers`
            that a vendor wants with every request, and `ca_bundle`, a file of further authorities to believe.
        profile: What is known of this SIS.
        limits: What it may be asked at once and in a second; from the profile if left out.
        retries: How long a request is tried again.
        timeout: Seconds a single answer may take.

    Raises:
        ConfigurationError: a setting in the connection's extra is wrong.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        profile: SisProfile,
        *,
        limits: Limits | None = None,
        retries: Retries = Retries(),
        timeout: float = 60.0,
    ) -> None:
        self.version = version_of(endpoint, profile)
        self.services = services_of(endpoint, profile)
        self.requests = 0
        self.profile = profile
        self.limits = limits or Limits(
            connections=profile.connections, requests_per_second=profile.requests_per_second
        )
        self._endpoint = endpoint
        self._timeout = timeout
        self._patience = Patience(endpoint, profile, self.limits, retries)
        self._auth = authentication_of(endpoint, profile, self.version, self._post_form)
        self._reads = vendor_headers(endpoint)
        self._writes = {**self._reads, "Content-Type": "application/json"}
        self._tls = tls_of(endpoint)

    async def __aenter__(self) -> Self:
        """Open the connections' pool; the first request makes the first connection."""
        self._connections = Connections(
            self._tls, headers={"Accept": "application/json"}, timeout=self._timeout
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        await self._connections.close()

    async def put(self, kind: Kind, sourced_id: str, body: Mapping[str, Any]) -> Answer:
        """Create or replace one record under a known id; doing it twice is doing it once.

        Where a SIS has no DELETE, a record is taken out so too: by the status `tobedeleted` in its body.

        Args:
            kind: What the record is; also the key it is wrapped in.
            sourced_id: Its id in the SIS: ours, or one that the SIS allotted. It goes into the body too.
            body: The record as `v1p1` or `v1p2` makes it.

        Returns:
            An answer whose decision is VERIFY (accepted), REFUSE_ROW, or RETRY_LATER (given up: the write
            may or may not have reached the SIS).

        Raises:
            CredentialError: the SIS does not accept the credential; no record will pass.
            ConfigurationError: the address is not the SIS's.
            UnavailableError: the SIS is down, for all records.
            BusyError: the SIS asked everybody to come back later than we can wait.
        """
        record = body if body.get("sourcedId") == sourced_id else {**body, "sourcedId": sourced_id}
        path = f"/{COLLECTIONS[kind]}/{quote(sourced_id, safe='')}"
        return (await self._write("PUT", path, f"/{COLLECTIONS[kind]}/…", {kind: record})).answer

    async def put_without_id(self, kind: Kind, body: Mapping[str, Any]) -> Answer:
        """Create one record under an id that the SIS allots ("modified grade passback"); twice makes two.

        It is repeated only where the SIS has surely not done it. After an `uncertain` answer, read back.

        Args:
            kind: What the record is.
            body: The record as `v1p1` or `v1p2` makes it. Its id stays here: the key of `Answer.allotted`.

        Returns:
            As `put`, with `allotted` where the SIS told the id.

        Raises:
            PassbackError: as `put` does; then too it is open whether the record was created.
        """
        record = {name: value for name, value in body.items() if name != "sourcedId"}
        path = f"/{COLLECTIONS[kind]}"
        response = await self._write("PUT", path, path, {kind: record}, repeatable=False)
        if response.answer.decision is not Decision.VERIFY:
            return response.answer
        sis_id = allotted_id(kind, response.body)
        return replace(response.answer, allotted={body["sourcedId"]: sis_id} if sis_id else {})

    async def post_line_items(self, sis_class_id: str, bodies: Sequence[Mapping[str, Any]]) -> Answer:
        """Create line items of a class under ids that the SIS allots (1.2 only); twice makes two of each.

        Args:
            sis_class_id: The class, by the SIS's id.
            bodies: The line items as `v1p2` makes them, each with an id of ours.

        Returns:
            As `put_without_id`, for all together. What is missing in `allotted` was not told: read back.

        Raises:
            PassbackError: as `put_without_id` does.
            ConfigurationError: this is OneRoster 1.1, which has no such write.
        """
        return await self._post(f"/classes/{quote(sis_class_id, safe='')}/lineItems", "lineItem", bodies)

    async def post_results(self, line_item_id: str, bodies: Sequence[Mapping[str, Any]]) -> Answer:
        """Create results of a line item under ids that the SIS allots (1.2 only); twice makes two of each.

        Args:
            line_item_id: The line item, by the id under which the SIS holds it.
            bodies: The results as `v1p2` makes them, each with an id of ours.

        Returns:
            As `post_line_items`.

        Raises:
            PassbackError: as `post_line_items` does.
        """
        return await self._post(f"/lineItems/{quote(line_item_id, safe='')}/results", "result", bodies)

    async def delete(self, kind: Kind, sourced_id: str) -> Answer:
        """Take one record out of the SIS; what it does not know is taken out already.

        Args:
            kind: What the record is.
            sourced_id: The id under which the SIS holds it.

        Returns:
            DONE, REFUSE_ROW (405 and 501: the SIS takes no DELETE) or RETRY_LATER. A SIS without DELETE may
            answer 404 as well, which is DONE too: only reading back tells the one from the other.

        Raises:
            PassbackError: as `put` does.
        """
        path = f"/{COLLECTIONS[kind]}/{quote(sourced_id, safe='')}"
        return deleted((await self._write("DELETE", path, f"/{COLLECTIONS[kind]}/…")).answer)

    async def collection(
        self,
        path: str,
        key: str,
        *,
        parameters: Mapping[str, str] | None = None,
        filters: Sequence[Filter] = (),
        fields: Sequence[str] = (),
    ) -> AsyncIterator[dict[str, Any]]:
        """Every record of a collection, page by page.

        A record comes once, and again only where it is listed again with another content.

        Goes on by the number of records received, since a SIS may cap a page without saying so; ends on an
        empty page, on one that brings nothing new, or where the SIS's own count and links say so. A count
        that is too low does no harm to full pages, and one that is too high is only noted, for some count
        what they do not list. The same page again, before the count is reached, is a list cut short.

        Args:
            path: Below the address of its service, such as `/enrollments`.
            key: The envelope's key, such as `enrollments`.
            parameters: Further query parameters; never a student's id.
            filters: Conditions that all must hold, for a SIS that honours them. Records that do not meet them
                are left out here, and a SIS that refuses them is asked again without.
            fields: The only fields that are wanted, for a SIS that honours this; it may send others too.

        Raises:
            ContractError: an answer is not what OneRoster says, or the list is cut short.
            PermissionRefusedError: the credential may not read this.
            ConfigurationError: there is no such collection at this address.
            CredentialError: the SIS does not accept the credential.
            UnavailableError: the SIS did not answer.
            BusyError: it asked to come back later.
        """
        narrow = narrowing(filters, fields)
        begun = False
        try:
            async for record in self._listing(path, key, {**(parameters or {}), **narrow}):
                begun = True
                if all(one.holds(record) for one in filters):
                    yield record
        except _RefusedReadError:
            if not narrow or begun:
                raise
            log.info("GET %s: the SIS refuses filter or fields, so that all of it is read", path)
            async for record in self._listing(path, key, parameters or {}):
                if all(one.holds(record) for one in filters):
                    yield record

    async def line_items_of_class(self, sis_class_id: str) -> list[dict[str, Any]]:
        """Every line item of a class as the SIS holds it; none if the SIS does not know the class.

        Raises:
            PassbackError: as `collection` does.
        """
        return await self._known(f"/classes/{quote(sis_class_id, safe='')}/lineItems", "lineItems")

    async def results_of_line_item(self, sis_class_id: str, line_item_id: str) -> list[dict[str, Any]]:
        """Every result of a line item as the SIS holds it; none if the SIS does not know the line item.

        Raises:
            PassbackError: as `collection` does.
        """
        class_path = f"/classes/{quote(sis_class_id, safe='')}"
        return await self._known(f"{class_path}/lineItems/{quote(line_item_id, safe='')}/results", "results")

    async def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Response:
        """One GET and its answer, whether the SIS lets passback read this or not.

        Args:
            path: Below the address of its service, such as `/enrollments`.
            parameters: Query parameters; never a student's id.

        Raises:
            ConfigurationError: the address is not the SIS's.
            CredentialError: the SIS does not accept the credential.
            UnavailableError: the SIS did not answer.
            BusyError: it asked to come back later.
        """
        # A space as %20 and a quote as %27: what every server decodes alike.
        query = f"?{urlencode(parameters, quote_via=quote)}" if parameters else ""
        response = await self._ask(_Request("GET", self.services.address(path) + query, path, self._reads))
        if response.answer.decision is Decision.RETRY_LATER:
            raise unavailable(self.profile, self._endpoint, response.answer)
        return response

    async def granted_scopes(self) -> frozenset[str]:
        """The scopes of the token in use; those asked for where the SIS does not say what it granted.

        Raises:
            PassbackError: as `ClientCredentials.credential` does.
        """
        await self._auth.credential()
        return self._auth.granted

    async def _write(
        self, method: str, path: str, shown: str, content: Any = None, *, repeatable: bool = True
    ) -> Response:
        """A write of a record, or of several; `shown` is its path for messages."""
        body = None if content is None else msgspec.json.encode(content)
        headers = self._reads if content is None else self._writes
        url = self.services.address(path)
        return await self._ask(
            _Request(method, url, shown, headers, body, writes=True, repeatable=repeatable)
        )

    async def _post(self, path: str, kind: Kind, bodies: Sequence[Mapping[str, Any]]) -> Answer:
        shown = f"/…/{COLLECTIONS[kind]}"
        if self.version == "1.1":
            raise ConfigurationError(
                "OneRoster 1.1 has no POST, and so none of many records at once.",
                where=self._where("POST", shown),
                mend="Leave writes out of the connection's extra, or set it to what the SIS takes.",
            )
        response = await self._write("POST", path, shown, {COLLECTIONS[kind]: bodies}, repeatable=False)
        if response.answer.decision is not Decision.VERIFY:
            return response.answer
        allotted = allotted_ids(response.body, [body["sourcedId"] for body in bodies])
        if len(allotted) < len(bodies):
            log.warning(
                "%s: the SIS told the ids of %d of %d", self._where("POST", shown), len(allotted), len(bodies)
            )
        return replace(response.answer, allotted=allotted)

    async def _listing(self, path: str, key: str, query: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        """The records of all pages of one query."""
        seen = dict[str, int]()  # id and content
        received = total = 0
        page_before: list[str] = []
        for _ in range(_MOST_PAGES):
            page_asked = {"limit": str(self.profile.page_size), "offset": str(received)}
            response, records = await self._page(path, key, {**query, **page_asked})
            page = self._ids(path, key, records, received)
            new = len(set(page) - seen.keys())
            for sourced_id, record in zip(page, records, strict=True):
                if seen.get(sourced_id) != (content := hash(repr(record))):
                    seen[sourced_id] = content
                    yield record
            if page != page_before:  # the same page again is a SIS that ignores the offset
                received += len(page)
            # Rows may come and go meanwhile, and a page beyond the end may count nothing.
            if page or not received:
                total = _total(response.headers) or total
            if not new or _is_last(response.headers, len(page), received, self.profile.page_size):
                told = f"the SIS counts {total:,} records and sent {received:,}"
                if received < total and page:
                    raise self._contract(path, told)
                if received < total:
                    log.warning("GET %s: %s", path, told)
                return
            page_before = page
        raise self._contract(path, f"it does not end after {_MOST_PAGES:,} pages")

    async def _known(self, path: str, key: str) -> list[dict[str, Any]]:
        try:
            return [record async for record in self.collection(path, key)]
        except NotFoundError:
            return []

    async def _page(self, path: str, key: str, query: Mapping[str, str]) -> tuple[Response, list[Any]]:
        for last_try in (False, True):
            response = await self.get(path, query)
            if response.answer.decision is Decision.REFUSE_ROW:
                raise self._refused_read(path, response.answer)
            if response.answer.status == _NO_CONTENT:
                return response, []
            try:
                content = json.loads(response.body)
                break
            except (ValueError, RecursionError):  # a proxy's page may be gone the next time
                if last_try:
                    raise self._contract(path, "the answer is not JSON") from None
        records = records_in(content, key)
        if records is None:
            raise self._contract(path, f"the answer holds no list under {key!r}")
        return response, records

    def _ids(self, path: str, key: str, records: list[Any], before: int) -> list[str]:
        """The sourcedId of every record of a page, of which so many came before."""
        ids: list[str] = []
        for index, record in enumerate(records, before):
            sourced_id = record.get("sourcedId") if isinstance(record, dict) else None
            if not isinstance(sourced_id, str) or not sourced_id:
                raise self._contract(path, f"{key}[{index}].sourcedId is missing or no text")
            ids.append(sourced_id)
        return ids

    def _refused_read(self, path: str, answer: Answer) -> PassbackError:
        where = self._where("GET", path)
        said = f"{answer.status} {answer.words.removesuffix('.')}".strip()
        collection = path.rsplit("/", 1)[-1]
        if answer.status == _FORBIDDEN:
            return PermissionRefusedError(
                f"{self.profile.title} does not let passback read {collection}: {said}.",
                where=where,
                mend=f"Have its administrator give this API client the permission to read {collection}.",
            )
        if answer.status == _NOT_FOUND:
            return NotFoundError(
                f"{self.profile.title} has nothing at this address: {said}.",
                where=where,
                mend="Check the host of the connection and the paths in its extra.",
            )
        return self._contract(path, f"the SIS refuses a plain read: {said}", _RefusedReadError)

    def _contract(self, path: str, what: str, kind: type[ContractError] = ContractError) -> ContractError:
        return kind(
            f"{what}.",
            where=self._where("GET", path),
            mend=f"Report it to {self.profile.title}: its answer is not what OneRoster {self.version} says.",
        )

    def _where(self, method: str, path: str) -> str:
        return f"connection {self._endpoint.connection}, {method} {path}"

    async def _ask(self, request: _Request) -> Response:
        """Send a request with a token until it is answered, or given up."""
        response = await self._patience.persistently(
            lambda: self._authorised(request), _try_again if request.repeatable else _surely_not_done
        )
        if response.answer.decision is Decision.STOP_RUN:
            raise ConfigurationError(
                f"{self.profile.title} answered with a redirect ({response.answer.status}), which passback"
                " does not follow with a credential.",
                where=self._where(request.method, request.path),
                mend="Set the host of the connection and the paths in its extra to the final address.",
            )
        if response.answer.decision is Decision.RETRY_LATER:
            self._patience.give_up(response.answer)
        else:
            self._patience.answered()
        return response

    async def _authorised(self, request: _Request) -> Response:
        """One attempt; a token that the SIS no longer takes is renewed once."""
        credential = await self._auth.credential()
        response = await self._exchange(request, credential)
        if response.answer.status == _UNAUTHORISED:
            credential = await self._auth.renewed(credential, response.headers)
            response = await self._exchange(request, credential)
            if response.answer.status == _UNAUTHORISED:
                raise refused_credential(self.profile, self._endpoint, "401 to a token it has just granted")
        return response

    async def _post_form(self, url: str, headers: Mapping[str, str], form: bytes) -> tuple[Answer, bytes]:
        """Ask for a token: a POST that may safely be repeated.

        A vendor's headers are a credential too: they go along where the token endpoint is on the host of one
        of the SIS's services, and nowhere else.
        """
        if is_one_of(url, self.services):
            headers = {**self._reads, **headers}
        request = _Request("POST", url, "token", headers, form, writes=True)
        response = await self._patience.persistently(lambda: self._exchange(request), _try_again)
        return response.answer, response.body

    async def _exchange(self, request: _Request, credential: Credential | None = None) -> Response:
        """One request and its answer, in its turn."""
        await self.limits.begin()
        try:
            self.requests += 1
            headers = request.headers
            if credential:  # signed now: a signature ages while it waits for its turn
                headers = {**headers, "Authorization": credential(request.method, request.url)}
            reply = await self._connections.exchange(request.method, request.url, headers, request.body)
        except WrongAddressError as failure:
            where = self._where(request.method, request.path)
            raise wrong_address(failure, where=where, title=self.profile.title) from None
        except NoAnswerError as failure:
            self._patience.not_reached(failure)
            return Response(lost(str(failure), sent=failure.sent, timed_out=failure.timed_out), {}, b"")
        finally:
            self.limits.end()
        self._patience.reached()
        answer = answer_of(reply.status, reply.headers, reply.body, writes=request.writes)
        if answer.decision is Decision.RETRY_LATER:
            self._patience.slow_down(answer)
        return Response(answer, reply.headers, reply.body)


class _RefusedReadError(ContractError):
    """A read was answered 400, or another refusal that is no matter of permission or address."""


class NotFoundError(ConfigurationError):
    """A read was answered 404."""


def _try_again(response: Response) -> bool:
    return response.answer.decision is Decision.RETRY_LATER


def _surely_not_done(response: Response) -> bool:
    return _try_again(response) and not response.answer.uncertain


def _is_last(headers: Mapping[str, str], on_page: int, received: int, asked: int) -> bool:
    """Whether a page with records is the last one, as far as the SIS lets us know.

    Its count may be wrong, so that a full page is never the last; without count and links only an empty
    page is.
    """
    links = headers.get("Link", "")
    if 'rel="next"' in links or "rel=next" in links:
        return False
    total = _total(headers)
    if total is not None:
        return received >= total and on_page < asked
    return bool(links)


def _total(headers: Mapping[str, str]) -> int | None:
    """How many records the SIS says the collection has, if it does."""
    total = headers.get("X-Total-Count", "").strip()
    return int(total) if total.isdecimal() else None
