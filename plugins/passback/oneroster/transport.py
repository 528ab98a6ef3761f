"""How requests travel to a SIS: the pool of connections, and what a vendor or a district asks of each.

The library is pyreqwest, whose work is done outside Python's lock: a request costs a third of what it costs
with aiohttp, and none is sent a second time behind our back, as aiohttp does when a connection breaks.
"""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import DecodeError, RequestError

from passback.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyreqwest.client import Client as Connections

    from passback.connections import Endpoint
    from passback.oneroster.services import Services

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")  # no line break ends a header early
# What passback and HTTP itself set.
_OURS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_PORTS: Final = {"http": 80, "https": 443}
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


def vendor_headers(endpoint: Endpoint) -> Mapping[str, str]:
    """`headers` in a connection's extra: what a vendor wants with every request, such as a partner's key.

    Raises:
        ConfigurationError: one is no header, or one that passback or HTTP itself sets. No value is told, and
            no name of another: they may be secret.
    """
    where = f"connection {endpoint.connection}, headers in its extra"
    headers = endpoint.extra.get("headers", {})
    if not isinstance(headers, dict):
        raise ConfigurationError(
            "they are no JSON object.", where=where, mend='Write {"headers": {"X-Name": "value"}}.'
        )
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                "a name is no name of a header.", where=where, mend="Use letters, digits and hyphens."
            )
        if name.lower() in _OURS:
            raise ConfigurationError(
                f"{name.lower()!r} is set by passback itself.", where=where, mend="Take it out."
            )
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise ConfigurationError(
                "a value is no text, or holds a line break or a letter beyond ASCII, or a space at an end.",
                where=where,
                mend="Write every value as the SIS's vendor gives it, on one line.",
            )
    return dict(headers)


def is_one_of(url: str, services: Services) -> bool:
    """Whether an address is on the host of one of a SIS's services: same scheme, name and port."""
    return _origin(url) in {_origin(services.rostering), _origin(services.gradebook)}


def authorities(endpoint: Endpoint) -> list[bytes]:
    """The authorities in `ca_bundle` of a connection's extra, in DER, believed besides this machine's own.

    Returns:
        None at all if it is left out. Certificate and name are always checked.

    Raises:
        ConfigurationError: `ca_bundle` is no readable file of certificates in PEM.
    """
    if "ca_bundle" not in endpoint.extra:
        return []
    path = endpoint.extra["ca_bundle"]
    what = "it is no path"
    if isinstance(path, str) and path:
        try:
            content = Path(path).read_bytes()
            what = "it is no file of certificates in PEM"
            certificates = x509.load_pem_x509_certificates(content)
            return [certificate.public_bytes(Encoding.DER) for certificate in certificates]
        except OSError as failure:
            what = f"it cannot be read: {failure.strerror}"
        except ValueError:
            pass
    raise ConfigurationError(
        f"{what}.",
        where=f"connection {endpoint.connection}, ca_bundle in its extra",
        mend="Set it to the path of a PEM file with the certificate of the authority that signed the SIS's;"
        " it must be there on every machine that runs tasks.",
    )


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


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
