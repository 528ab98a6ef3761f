"""One request to a SIS and its answer, over a pool of connections."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import socket
import ssl
import zlib
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import aiohappyeyeballs

from passback.errors import ConfigurationError
from passback.oneroster.wire import Connection, NoAnswerError, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

_TO_CONNECT: Final = 10.0  # seconds
_OTHER_FAMILY: Final = 0.25  # seconds until a host's next address is tried beside the first (RFC 8305)
_IDLE: Final = 15.0  # seconds; shorter than servers keep a connection: few are met as they close one
_PORTS: Final = {"http": 80, "https": 443}
_URL: Final = re.compile(r"(?P<origin>(?i:https?)://[^/?#\s]+)(?:/(?P<path>[!\"$-~]*))?")
_DOTS: Final = re.compile(r"/\.\.?(?:[/?]|$)")
_NOWHERE: Final = Reply(404, {}, b"not sent: an id of dots cannot stand in an address")


class WrongAddressError(Exception):
    """No request can get there.

    Attributes:
        certificate: Whether it is for the certificate of the host; else what is asked for is no URL.
    """

    def __init__(self, *, certificate: bool) -> None:
        super().__init__()
        self.certificate = certificate


class _Origin(NamedTuple):
    host: str
    port: int
    encrypted: bool
    name: str  # as the Host header has it


class Connections:
    """The pool of connections to a SIS.

    Args:
        tls: Whose certificates are believed, as `tls_of` gives it; this machine's if it is None.
        headers: What goes out with every request that does not say otherwise.
        timeout: Seconds a single answer may take.
    """

    def __init__(self, tls: ssl.SSLContext | None, *, headers: Mapping[str, str], timeout: float) -> None:
        self._timeout = timeout
        self._headers = {"User-Agent": "passback", "Accept-Encoding": "gzip", **headers}
        self._tls = tls
        self._origins = dict[str, _Origin]()
        self._idle = defaultdict[_Origin, list[Connection]](list)
        self._open = set[Connection]()

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Reply:
        """Send one request, once, and read the whole of its answer.

        An id of one or two dots cannot stand in an address (RFC 3986, 5.2.4: it would name another one), so
        that nothing is there; it is not asked for.

        Raises:
            NoAnswerError: the answer did not come.
            WrongAddressError: what is asked for is no URL, or the certificate of its host is not to be
                believed.
        """
        if _DOTS.search(url):
            return _NOWHERE
        if (address := _URL.fullmatch(url)) is None:
            raise WrongAddressError(certificate=False)
        origin = self._origin(address["origin"])
        length = "" if body is None else f"Content-Length: {len(body)}\r\n"
        head = (
            f"{method} /{address['path'] or ''} HTTP/1.1\r\n"
            f"Host: {origin.name}\r\n{_lines({**self._headers, **headers})}{length}\r\n"
        )
        connection = await self._connection(origin)
        reply = await connection.ask(head.encode("ascii") + (body or b""), within=self._timeout)
        self._idle[origin].append(connection)
        return _unpacked(reply)

    async def close(self) -> None:
        """Close all connections."""
        ended = [connection.ended for connection in self._open]
        for connection in self._open:
            connection.abort()
        if ended:
            await asyncio.wait(ended)

    def _origin(self, url: str) -> _Origin:
        if (known := self._origins.get(url)) is None:
            known = self._origins[url] = _origin_of(url)
        return known

    async def _connection(self, origin: _Origin) -> Connection:
        """One that is free, for one request."""
        idle, now = self._idle[origin], asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.reusable and now - connection.idle_since < _IDLE:
                return connection
            connection.abort()
        connection = await self._connect(origin)
        self._open.add(connection)
        connection.ended.add_done_callback(lambda _: self._open.discard(connection))
        return connection

    async def _connect(self, origin: _Origin) -> Connection:
        loop = asyncio.get_running_loop()
        if origin.encrypted and self._tls is None:
            self._tls = ssl.create_default_context()
        try:
            async with asyncio.timeout(min(_TO_CONNECT, self._timeout)):
                addresses = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
                connected = await aiohappyeyeballs.start_connection(
                    addresses, happy_eyeballs_delay=_OTHER_FAMILY
                )
                _, connection = await loop.create_connection(
                    Connection,
                    sock=connected,
                    ssl=self._tls if origin.encrypted else None,
                    server_hostname=origin.host if origin.encrypted else None,
                )
        except ssl.SSLCertVerificationError:
            raise WrongAddressError(certificate=True) from None
        except OSError as failure:
            raise NoAnswerError(f"no connection: {_why(failure)}", sent=False) from None
        return connection


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
            f"Check the host name; have the administrator of {title} renew the host's certificate. An"
            " authority of the district's own, or a certificate signed by itself, goes into ca_bundle."
        )
    else:
        what, mend = "its address is not a URL.", "Check its host, port and extra."
    return ConfigurationError(what, where=where, mend=mend)


def _origin_of(url: str) -> _Origin:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:  # its words may hold what stands there
        raise WrongAddressError(certificate=False) from None
    if not host or "@" in url:
        raise WrongAddressError(certificate=False)
    name = f"[{host}]" if ":" in host else host
    encrypted = parts.scheme == "https"
    return _Origin(host, port, encrypted, name if port == _PORTS[parts.scheme] else f"{name}:{port}")


def _lines(headers: Mapping[str, str]) -> str:
    """Headers as they go out; all were looked at where they come from, and none may end a line early."""
    values = "".join(headers.values()).replace("\t", " ")
    if not (values.isascii() and values.isprintable()):
        raise ValueError("A header holds what none can hold.")
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


def _unpacked(reply: Reply) -> Reply:
    if reply.headers.get("Content-Encoding", "").strip().lower() != "gzip":
        return reply
    try:
        return reply._replace(body=gzip.decompress(reply.body))
    except (OSError, EOFError, zlib.error):
        raise NoAnswerError("not whole, or not HTTP", sent=True) from None


def _why(failure: OSError) -> str:
    """Why a connection could not be made; the failure's own words hold addresses."""
    if isinstance(failure, TimeoutError):
        return "not in time"
    if isinstance(failure, ssl.SSLError):
        return f"TLS: {(failure.reason or 'it failed').replace('_', ' ').lower()}"
    if isinstance(failure, socket.gaierror):
        return failure.strerror or "its name is not known"
    return os.strerror(failure.errno) if failure.errno else "it was closed again"
