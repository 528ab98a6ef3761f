"""Aeries' native interface over HTTP: the certificate, the school year, patience, and what an answer means.

Nothing of a student stands in an address.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

from passback.connections import refuse_plain_http
from passback.errors import (
    ConfigurationError,
    ContractError,
    CredentialError,
    PermissionRefusedError,
    UnavailableError,
)
from passback.oneroster.answers import Answer, Decision, answer_of, lost
from passback.oneroster.auth.refusals import unavailable
from passback.oneroster.exchange import Connections, WrongAddressError, wrong_address
from passback.oneroster.patience import Patience
from passback.oneroster.transport import tls_of
from passback.oneroster.wire import NoAnswerError

if TYPE_CHECKING:
    from types import TracebackType

    from passback.connections import Endpoint
    from passback.oneroster import Limits, Retries
    from passback.sis import SisProfile

log = logging.getLogger(__name__)

BASE_PATH: Final = "/api/v5"

# The security areas of Aeries' table of end points.
GRADEBOOK_DATA: Final = "Gradebook Data"
GRADEBOOK_SCORES: Final = "Gradebook Scores"

_UNAUTHORISED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_NO_SUCH_ADDRESS: Final = "No HTTP resource was found"  # ASP.NET's, where Aeries itself names what is missing
_WEB: Final = ("http", "https")
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_ACCEPT: Final = "application/json, text/html, application/xhtml+xml, */*"  # as Aeries documents it


class Reply(NamedTuple):
    """What Aeries answered to a write.

    Attributes:
        answer: What it means.
        content: Its JSON; None where it holds none.
    """

    answer: Answer
    content: Any


class _Request(NamedTuple):
    method: str
    path: str
    area: str
    body: bytes | None
    repeatable: bool  # also when it is open whether Aeries has done it

    @property
    def writes(self) -> bool:
        return self.method != "GET"


class LostReadError(UnavailableError):
    """One read was given up; others may be answered."""


class Client:
    """Aeries' native interface. Used as `async with Client(…) as aeries:`.

    Attributes:
        limits: What Aeries may be asked.
        requests: How many requests it has been sent, repeated ones included.
        date: What its last answer says of the time, in the words of HTTP; empty if it does not.

    Args:
        endpoint: Aeries' connection: its password is the certificate; its extra may hold `base_path`
            and `ca_bundle`.
        profile: What is known of Aeries.
        year: The year in which the school year begins; goes out with every request.
        limits: What Aeries may be asked at once and in a second.
        retries: How long a request is tried again.
        timeout: Seconds a single answer may take.

    Raises:
        ConfigurationError: the connection holds no certificate or no web address, or its `ca_bundle` is none.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        profile: SisProfile,
        *,
        year: int,
        limits: Limits,
        retries: Retries,
        timeout: float,
    ) -> None:
        self.limits = limits
        self.requests = 0
        self.date = ""
        self._endpoint = endpoint
        self._profile = profile
        self._address = _address(endpoint)
        self._headers = {"Accept": _ACCEPT, "AERIES-CERT": _certificate(endpoint)}
        self._tls = tls_of(endpoint)
        self._year = year
        self._timeout = timeout
        self._patience = Patience(endpoint, profile, limits, retries)

    async def __aenter__(self) -> Self:
        """Open the connections' pool; the first request makes the first connection."""
        self._connections = Connections(self._tls, headers=self._headers, timeout=self._timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        await self._connections.close()

    def where(self, method: str, path: str) -> str:
        """Connection and address, for a message; no id but a gradebook's or a section's stands in it."""
        return f"connection {self._endpoint.connection}, {method} {path}"

    async def read(self, path: str, *, area: str) -> Any:
        """The JSON at an address; None where there is no such object (404).

        Args:
            path: Below the base path, such as `/gradebooks/4721/assignments`; never with a student's id.
            area: The security area that reading it takes.

        Raises:
            CredentialError: Aeries does not accept the certificate.
            PermissionRefusedError: the certificate may not read this.
            ConfigurationError: the interface is not at this address.
            ContractError: the answer is not JSON, or Aeries refuses a plain read.
            LostReadError: Aeries did not answer this.
            UnavailableError: Aeries does not answer anything.
            BusyError: it asked to come back later.
        """
        answer, content = await self._ask(_Request("GET", path, area, None, repeatable=True))
        if answer.decision is Decision.RETRY_LATER:
            lost_read = unavailable(self._profile, self._endpoint, answer)
            raise LostReadError(
                lost_read.what,
                where=self.where("GET", path),
                mend=lost_read.mend,
                retry_after=lost_read.retry_after,
            )
        if answer.status == _NOT_FOUND:
            return None
        if answer.decision is Decision.REFUSE_ROW:
            raise self._contract("GET", path, f"it refuses a plain read with {answer.status}")
        if content is None:
            raise self._contract("GET", path, "the answer is not JSON")
        return content

    async def write(self, method: str, path: str, body: Any, *, area: str, repeatable: bool) -> Reply:
        """Store something.

        Args:
            method: POST or PUT.
            path: Below the base path; never with a student's id.
            body: What is sent, as JSON.
            area: The security area that updating it takes.
            repeatable: Whether doing it twice is doing it once.

        Returns:
            VERIFY (accepted), REFUSE_ROW, or RETRY_LATER (given up; `uncertain` where it may have arrived).

        Raises:
            PassbackError: as `read` does, but for ContractError and LostReadError.
        """
        return await self._ask(_Request(method, path, area, _JSON.encode(body).encode(), repeatable))

    async def _ask(self, request: _Request) -> Reply:
        """Send a request until it is answered, or given up."""

        def again(reply: Reply) -> bool:
            answer = reply.answer
            return answer.decision is Decision.RETRY_LATER and (request.repeatable or not answer.uncertain)

        reply = await self._patience.persistently(lambda: self._exchange(request), again)
        if reply.answer.decision is Decision.RETRY_LATER:
            self._patience.give_up(reply.answer)
        else:
            self._patience.answered()
            self._refuse_all(request, reply)
        return reply

    async def _exchange(self, request: _Request) -> Reply:
        """One request and its answer, in its turn."""
        async with self.limits.turn():
            self.requests += 1
            try:
                response = await self._connections.exchange(
                    request.method,
                    f"{self._address}{request.path}?DatabaseYear={self._year}",
                    {} if request.body is None else {"Content-Type": "application/json"},
                    request.body,
                )
            except WrongAddressError as failure:
                where = self.where(request.method, request.path)
                raise wrong_address(failure, where=where, title=self._profile.title) from None
            except NoAnswerError as failure:
                self._patience.not_reached(failure)
                return Reply(lost(str(failure), sent=failure.sent, timed_out=failure.timed_out), None)
        self.date = response.headers.get("Date", "")
        self._patience.reached()
        answer = answer_of(response.status, response.headers, response.body, writes=request.writes)
        if answer.decision is Decision.RETRY_LATER:
            self._patience.slow_down(answer)
            return Reply(answer, None)
        content = _json(response.body)
        # Half an answer to a read may be a whole one the next time.
        if content is None and not request.writes and answer.decision is Decision.DONE:
            answer = replace(answer, decision=Decision.RETRY_LATER, words="the answer is not JSON")
        return Reply(answer, content)

    def _refuse_all(self, request: _Request, reply: Reply) -> None:
        """Raise what no other request would fare better with."""
        answer, where = reply.answer, self.where(request.method, request.path)
        if answer.status == _UNAUTHORISED:
            raise CredentialError(
                f"{self._profile.title} refused the certificate.",
                where=f"connection {self._endpoint.connection}",
                mend="Have its administrator look at the certificate's record under Security > API Security,"
                " and put the certificate, in its own upper and lower case, into this connection's password.",
            )
        if answer.status == _FORBIDDEN:
            access = "update" if request.writes else "read"
            raise PermissionRefusedError(
                f"{self._profile.title} does not let passback {access} {request.area}.",
                where=where,
                mend=f"Under Security > API Security give the certificate {access} on {request.area}.",
            )
        # An object that is missing is told in JSON, an address that is none by the web server.
        strange = (reply.content is None and answer.words) or _NO_SUCH_ADDRESS in answer.words
        if answer.status == _NOT_FOUND and strange:
            raise ConfigurationError(
                f"{self._profile.title} has no native interface at this address.",
                where=where,
                mend="Check the host of the connection and base_path in its extra, which ends in /api/v5.",
            )
        if answer.decision is Decision.STOP_RUN:
            raise ConfigurationError(
                f"{self._profile.title} answered with a redirect ({answer.status}), which passback does not"
                " follow with a certificate.",
                where=where,
                mend="Set the host of the connection and base_path in its extra to the final address.",
            )

    def _contract(self, method: str, path: str, what: str) -> ContractError:
        return ContractError(
            f"{what}.",
            where=self.where(method, path),
            mend="Report it to Aeries: its answer is not what it documents.",
        )


def _address(endpoint: Endpoint) -> str:
    """The interface's address, without a slash at the end."""
    where = f"connection {endpoint.connection}, base_path in its extra"
    path = endpoint.extra.get("base_path") or BASE_PATH
    if not isinstance(path, str) or urlsplit(path).query or urlsplit(path).fragment:
        raise ConfigurationError("it is no path.", where=where, mend=f"Write it as {BASE_PATH}.")
    if urlsplit(path).scheme:
        refuse_plain_http(path, where=where)
        address = path.rstrip("/")
    else:
        address = f"{endpoint.base_url}/{path.strip('/')}"
    if urlsplit(address).scheme not in _WEB:
        raise ConfigurationError("it is no web address.", where=where, mend="Begin it with https://.")
    return address


def _certificate(endpoint: Endpoint) -> str:
    """The certificate; checked because what is no header's value would be quoted in an error."""
    certificate = endpoint.secret
    if not certificate or not certificate.isascii() or not certificate.isalnum():
        raise ConfigurationError(
            "its password is empty." if not certificate else "its password is no Aeries certificate.",
            where=f"connection {endpoint.connection}",
            mend="Put the 32 letters and digits of the certificate of Security > API Security there.",
        )
    return certificate


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
