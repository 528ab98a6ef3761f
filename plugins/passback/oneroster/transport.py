"""What a vendor or a district asks of every connection to a SIS: headers and authorities of its own."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from passback.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    # The only one that a vendor may set in place of ours.
    return {
        ("User-Agent" if name.lower() == "user-agent" else name): value for name, value in headers.items()
    }


def is_one_of(url: str, services: Services) -> bool:
    """Whether an address is on the host of one of a SIS's services: same scheme, name and port."""
    return _origin(url) in {_origin(services.rostering), _origin(services.gradebook)}


def tls_of(endpoint: Endpoint) -> ssl.SSLContext | None:
    """Whose certificates are believed: this machine's authorities and those in `ca_bundle` of the extra.

    Returns:
        None, for this machine's alone, if it is left out. Certificate and name are always checked.

    Raises:
        ConfigurationError: `ca_bundle` is no readable file of certificates in PEM.
    """
    if "ca_bundle" not in endpoint.extra:
        return None
    path = endpoint.extra["ca_bundle"]
    what = "it is no path"
    if isinstance(path, str) and path:
        tls = ssl.create_default_context()
        try:
            tls.load_verify_locations(path)
        except ssl.SSLError:
            what = "it is no file of certificates in PEM"
        except OSError as failure:
            what = f"it cannot be read: {failure.strerror}"
        except ValueError:
            pass
        else:
            return tls
    raise ConfigurationError(
        f"{what}.",
        where=f"connection {endpoint.connection}, ca_bundle in its extra",
        mend="Set it to the path of a PEM file with the certificate of the authority that signed the SIS's;"
        " it must be there on every machine that runs tasks.",
    )


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
