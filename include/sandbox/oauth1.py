"""OAuth 1.0a without a user (RFC 5849): whether a request is signed with the SIS's key and secret.

Only the header form is read. A JSON body is not signed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, unquote

from sandbox.oneroster import failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sandbox.exchange import Call, RefusedError

WINDOW_SECONDS: Final = 300
_DIGESTS: Final = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}
_PARAMETER: Final = re.compile(r'\s*([^\s=",]+)="([^"]*)"\s*')
_REQUIRED: Final = (
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_timestamp",
)
_REMEMBERED: Final = 10_000


def _refused(status: int, words: str) -> RefusedError:
    """A refusal: 400 for what cannot be understood, 401 for what is understood and wrong (RFC 5849 §3.2)."""
    refusal = failure(status, "unauthorisedrequest" if status == 401 else "invaliddata", words)  # noqa: PLR2004
    refusal.answer.headers["WWW-Authenticate"] = 'OAuth realm="sandbox"'
    return refusal


def escaped(text: str) -> str:
    """RFC 5849 §3.6: everything but letters, digits, `-`, `.`, `_` and `~` as %XX of its UTF-8."""
    return quote(text, safe="")


def base_string(method: str, uri: str, parameters: Iterable[tuple[str, str]]) -> str:
    """RFC 5849 §3.4.1: what is signed.

    Args:
        method: The HTTP method.
        uri: The address without its query, in the form of §3.4.1.2.
        parameters: Those of query and Authorization header, decoded, without `realm` and `oauth_signature`.
    """
    pairs = sorted((escaped(name), escaped(value)) for name, value in parameters)
    normalized = "&".join(f"{name}={value}" for name, value in pairs)
    return "&".join((method.upper(), escaped(uri), escaped(normalized)))


def signature(method: str, text: str, secret: str) -> str:
    """RFC 5849 §3.4.2, and the same with SHA-256; without a token nothing follows the `&` of the key."""
    digest = hmac.new(f"{escaped(secret)}&".encode(), text.encode(), _DIGESTS[method]).digest()
    return base64.b64encode(digest).decode()


def _header_parameters(header: str) -> list[tuple[str, str]]:
    """The parameters of `Authorization: OAuth …`, decoded, without the realm."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "oauth":
        raise _refused(401, "The request is not signed with OAuth 1.0a.")
    found = []
    for part in rest.split(","):
        pair = _PARAMETER.fullmatch(part)
        if pair is None:
            raise _refused(400, "The Authorization header cannot be read.")
        found.append((unquote(pair[1]), unquote(pair[2])))
    return [(name, value) for name, value in found if name != "realm"]


def _address(call: Call) -> str:
    """RFC 5849 §3.4.1.2: scheme and host in small letters, no usual port, the path as it was sent."""
    return f"http://{call.headers.get('host', '').lower().removesuffix(':80')}{call.raw_path or '/'}"


def check(call: Call, kept: Mapping[str, str], *, now: int) -> None:
    """Let a request pass that is signed rightly, in time, and for the first time.

    Args:
        call: The request.
        kept: The settings: `client_id`, `client_secret`, `oauth1_signature`.
        now: Seconds since 1970 by the SIS's clock.

    Raises:
        RefusedError: it is not (400 or 401).
    """
    parameters = _header_parameters(call.headers.get("authorization", ""))
    given = dict(parameters)
    if len(given) != len(parameters) or any(not given.get(name) for name in _REQUIRED):
        raise _refused(400, "A parameter of OAuth is missing, empty or there twice.")
    method, stamp = given["oauth_signature_method"], given["oauth_timestamp"]
    if method not in _DIGESTS or given.get("oauth_version", "1.0") != "1.0" or not stamp.isdecimal():
        raise _refused(400, "The signature method, version or timestamp is none that is known here.")
    if kept["oauth1_signature"] not in {method, "any"}:
        raise _refused(401, f"Requests are signed with {kept['oauth1_signature']} here.")
    signed = [(name, value) for name, value in parameters if name != "oauth_signature"]
    signed += parse_qsl(call.raw_query, keep_blank_values=True)
    expected = signature(method, base_string(call.method, _address(call), signed), kept["client_secret"])
    if given["oauth_consumer_key"] != kept["client_id"] or not hmac.compare_digest(
        given["oauth_signature"].encode(), expected.encode()
    ):
        raise _refused(401, "The consumer key or the signature is wrong.")
    if abs(int(stamp) - now) > WINDOW_SECONDS:
        raise _refused(401, f"The timestamp is more than {WINDOW_SECONDS} seconds off.")
    nonces, used = call.sandbox.nonces, f"{stamp} {given['oauth_nonce']}"
    if used in nonces:
        raise _refused(401, "The nonce was used before.")
    nonces[used] = int(stamp)
    if len(nonces) > _REMEMBERED:
        for old in [key for key, at in nonces.items() if at < now - WINDOW_SECONDS]:
            del nonces[old]
