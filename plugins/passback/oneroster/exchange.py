"""One request to a SIS and its answer, over a pool of connections.

The library is pyreqwest, whose work is done outside Python's lock: a request costs a third of what it costs
with aiohttp, and none is sent a second time behind our back, as aiohttp does when a connection breaks.
"""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import DecodeError, RequestError

from passback.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyreqwest.client import Client as Connections

_TO_CONNECT: Final = 10.0  # seconds
_IDLE: Final = timedelta(seconds=15)  # shorter than servers keep a connection: few are met as they close one
# What pyreqwest tells of a failure, in the words of the libraries below it.
_CONNECTING: Final = "client error (Connect)"
_NOT_BELIEVED: Final = "invalid peer certificate"


class Reply(NamedTuple):
    """What came back.

    Attributes:
        status: The HTTP status.
        headers: Looked up without regard to case.
        body: As it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


_DOTS: Final = re.compile(r"/\.\.?(?:[/?#]|$)")
_NOWHERE: Final = Reply(404, {}, b"not sent: an id of dots cannot stand in an address")


class NoAnswerError(Exception):
    """Nothing came back, or nothing whole.

    Attributes:
        sent: Whether the SIS may have got the request.
        timed_out: Whether it was sent, and may yet be done.
    """

    def __init__(self, what: str, *, sent: bool, timed_out: bool = False) -> None:
        super().__init__(what)
        self.sent = sent
        self.timed_out = timed_out


class WrongAddressError(Exception):
    """No request can get there.

    Attributes:
        certificate: Whether it is for the certificate of the host; else what is asked for is no URL.
    """

    def __init__(self, *, certificate: bool) -> None:
        super().__init__()
        self.certificate = certificate


def connections_to(
    sis_authorities: Sequence[bytes], *, headers: Mapping[str, str], timeout: float
) -> Connections:
    """The pool of connections to a SIS, used as `async with`; a process that has made one does not fork.

    Args:
        sis_authorities: As `authorities` gives them.
        headers: What goes out with every request.
        timeout: Seconds a single answer may take.
    """
    builder = ClientBuilder().user_agent("passback").default_headers(headers)
    for authority in sis_authorities:
        builder = builder.add_root_certificate_der(authority)
    return (
        builder.timeout(timedelta(seconds=timeout))
        .connect_timeout(timedelta(seconds=min(_TO_CONNECT, timeout)))
        .pool_idle_timeout(_IDLE)
        .follow_redirects(enable=False)  # never with a credential
        .no_proxy()
        .build()
    )


async def exchange(
    connections: Connections, method: str, url: str, headers: Mapping[str, str], body: bytes | None
) -> Reply:
    """Send one request, once, and read the whole of its answer.

    An id of one or two dots cannot stand in an address (RFC 3986, 5.2.4: it would name another one), so that
    nothing is there; it is not asked for.

    Raises:
        NoAnswerError: the answer did not come.
        WrongAddressError: what is asked for is no URL, or the certificate of its host is not to be believed.
    """
    if _DOTS.search(url):
        return _NOWHERE
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this is a coroutine
    cancelled = task.cancelling()
    try:
        request = connections.request(method, url).headers(headers)
        if body is not None:
            request = request.body_bytes(body)
        response = await request.build().send()
        content = await response.bytes()
    except ValueError:  # its words may hold a header's value
        raise WrongAddressError(certificate=False) from None
    except RequestError as failure:  # its words hold the address
        raise _failed(failure) from None
    finally:
        if task.cancelling() > cancelled:  # pyreqwest forgets it when the answer comes at the same moment
            raise asyncio.CancelledError
    return Reply(response.status, response.headers, content.to_bytes())


def wrong_address(failure: WrongAddressError, *, where: str, title: str) -> ConfigurationError:
    """The error for an address that no request can reach: no URL, or a certificate not to be believed.

    Args:
        failure: What is wrong with it.
        where: Connection and request.
        title: The SIS's name.
    """
    if failure.certificate:
        what = "the certificate of its host is not valid for it, or not signed by a known authority."
        mend = (
            f"Check the host name; have the administrator of {title} renew the host's certificate, signed by"
            " an authority and not by itself. An authority of the district's own goes into ca_bundle."
        )
    else:
        what, mend = "its address is not a URL.", "Check its host, port and extra."
    return ConfigurationError(what, where=where, mend=mend)


def _failed(failure: RequestError) -> NoAnswerError | WrongAddressError:
    """What the failure of a request says of it: the one place that knows pyreqwest's."""
    causes = [cause["message"] for cause in failure.details["causes"] or ()]
    if any(cause.startswith(_NOT_BELIEVED) for cause in causes):
        return WrongAddressError(certificate=True)
    if _CONNECTING in causes:
        return NoAnswerError(f"no connection: {causes[-1]}", sent=False)
    if isinstance(failure, TimeoutError):
        return NoAnswerError("not in time", sent=True, timed_out=True)
    half = isinstance(failure, DecodeError)
    return NoAnswerError("not whole, or not HTTP" if half else "the connection broke", sent=True)
