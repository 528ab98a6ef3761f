"""Which OneRoster a SIS speaks, and where: its version and the addresses of its two services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from passback.connections import refuse_plain_http
from passback.errors import ConfigurationError

if TYPE_CHECKING:
    from passback.connections import Endpoint
    from passback.sis import SisProfile

Version = Literal["1.1", "1.2"]

# What the gradebook service holds in 1.2; everything else is rostering.
_GRADEBOOK: Final = frozenset({"categories", "lineItems", "results"})
_WEB: Final = ("http", "https")


@dataclass(frozen=True)
class Services:
    """The addresses of a SIS's services, without a slash at the end; in OneRoster 1.1 both are the same.

    Attributes:
        rostering: Address of schools, sessions, classes, users and enrolments.
        gradebook: Address of categories, line items and results.
    """

    rostering: str
    gradebook: str

    def address(self, path: str) -> str:
        """The address of a path, such as `/classes/4/lineItems`, on the service that has it."""
        steps = path.split("/")
        return (
            self.gradebook if steps[1] in _GRADEBOOK or steps[-1] in _GRADEBOOK else self.rostering
        ) + path


def services_of(endpoint: Endpoint, profile: SisProfile) -> Services:
    """The services of a SIS, as its connection's extra says, else its profile.

    `rostering_path` and `gradebook_path` are those of one service each, `base_path` that of both; each is a
    path below the connection's address, or a URL of its own.

    Raises:
        ConfigurationError: one is no text or no web address, or would send a credential unencrypted.
    """
    both = text_setting(endpoint, "base_path")
    rostering = _first(text_setting(endpoint, "rostering_path"), both, profile.base_path)
    gradebook = _first(
        text_setting(endpoint, "gradebook_path"), both, profile.gradebook_path or None, rostering
    )
    return Services(
        _address(endpoint, rostering, "rostering_path"), _address(endpoint, gradebook, "gradebook_path")
    )


def version_of(endpoint: Endpoint, profile: SisProfile) -> Version:
    """The version of OneRoster a SIS speaks: `version` in the connection's extra, else its profile's.

    A connection that differs from the profile says the paths and the scope of that version as well.

    Raises:
        ConfigurationError: there is no such version.
    """
    said = str(endpoint.extra.get("version", profile.oneroster))
    for version in get_args(Version):
        if said == version:
            known: Version = version
            return known
    raise ConfigurationError(
        "version in its extra is neither '1.1' nor '1.2'.",
        where=f"connection {endpoint.connection}",
        mend=f"Leave it out, or set it to the version of OneRoster that {profile.title} speaks there.",
    )


def text_setting(endpoint: Endpoint, name: str) -> str | None:
    """A setting in a connection's extra that is a text; None if it is left out.

    Raises:
        ConfigurationError: it is something else.
    """
    value = endpoint.extra.get(name)
    if value is None or isinstance(value, str):
        return value
    raise ConfigurationError(
        f"{name} in its extra is no text.",
        where=f"connection {endpoint.connection}",
        mend="Write it in quotes, or leave it out.",
    )


def _first(*paths: str | None) -> str:
    return next(path for path in paths if path is not None)


def _address(endpoint: Endpoint, path: str, name: str) -> str:
    if "://" not in path:
        return f"{endpoint.base_url}/{path.strip('/')}".rstrip("/")
    where = f"connection {endpoint.connection}, {name}"
    if path.partition("://")[0].lower() not in _WEB:
        raise ConfigurationError(
            "it is neither a path nor a web address.", where=where, mend="Write https://… or a path."
        )
    refuse_plain_http(path, where=where)
    return path.rstrip("/")
