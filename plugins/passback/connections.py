"""Addresses and credentials, from Airflow's connections and nowhere else.

Looked up in Airflow's own order: inside a task through the task's supervisor; elsewhere (`passback run` on
a laptop, `passback check --connect`) a custom secrets backend, then `AIRFLOW_CONN_<ID>`, then Airflow's
database.

`HttpAsyncHook` is not used for the requests themselves: it sends every key of `extra` it does not know as a
header, and login and password as Basic credentials with every request. A token URL, a scope or a client
secret would so reach places where they have no business.
"""

from __future__ import annotations

import ipaddress
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from passback.errors import ConfigurationError, PermissionRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WEB: Final = ("http", "https")
_POSTGRES: Final = ("postgres", "postgresql")
_LIBPQ_SETTINGS: Final = (  # of the keys that a Postgres connection's extra may hold, those that libpq reads
    "connect_timeout",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
)
# Airflow's SDK looks into Airflow's database only where this says so (airflow.sdk.execution_time.supervisor).
_PROCESS_CONTEXT: Final = "_AIRFLOW_PROCESS_CONTEXT"


@dataclass(frozen=True)
class Endpoint:
    """Where a system is reached and as whom. Its repr shows neither secret nor extra.

    Attributes:
        connection: Id of the Airflow connection it comes from.
        base_url: `scheme://host:port` and the path in the connection's host, without a slash at the end;
            a folder's URI for a source of files.
        login: Client id; empty if there is none.
        secret: Client secret or bearer token; empty if there is none.
        extra: What else the connection holds, such as `base_path`, `token_url` or `scope`.
    """

    connection: str
    base_url: str
    login: str
    secret: str = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)


def endpoint(connection_id: str) -> Endpoint:
    """The endpoint that a connection of type http describes.

    The scheme is the one in `host`, else `schema`, else https (http on loopback).

    Raises:
        ConfigurationError: the connection is missing, not of type http, has no host, or would send a
            credential over plain http to another machine.
        PermissionRefusedError: Airflow does not let this task see the connection.
    """
    where = f"connection {connection_id}"
    found = _look_up(connection_id, kind="http", mend=_how_to_add_http(connection_id))
    if (found.conn_type or "") not in _WEB:
        raise ConfigurationError(
            f"its type is {found.conn_type!r}, it must be 'http'.",
            where=where,
            mend=_how_to_add_http(connection_id),
        )
    host = (found.host or "").strip()
    if not host:
        raise ConfigurationError("it has no host.", where=where, mend=_how_to_add_http(connection_id))
    return Endpoint(
        connection=connection_id,
        base_url=_base_url(found, host, where=where),
        login=found.login or "",
        secret=found.password or "",
        extra=_extra(found, where=where),
    )


def ledger_url(connection_id: str = "passback_ledger") -> str:
    """The ledger's address as libpq and SQLAlchemy read it: `postgresql://…`.

    Raises:
        ConfigurationError: the connection is missing, not of type postgres, or names no database.
        PermissionRefusedError: Airflow does not let this task see the connection.
    """
    where = f"connection {connection_id}"
    mend = (
        f"Add it: `airflow connections add {connection_id} --conn-type postgres --conn-host HOST --conn-login"
        f" USER --conn-password PASSWORD --conn-schema DATABASE`, or set"
        f" {_variable(connection_id)}=postgres://USER:PASSWORD@HOST:5432/DATABASE."
    )
    found = _look_up(connection_id, kind="postgres", mend=mend)
    if (found.conn_type or "") not in _POSTGRES:
        raise ConfigurationError(
            f"its type is {found.conn_type!r}, it must be 'postgres'.", where=where, mend=mend
        )
    if not found.schema:
        raise ConfigurationError("it names no database in its schema.", where=where, mend=mend)
    extra = _extra(found, where=where)
    settings = {name: str(extra[name]) for name in _LIBPQ_SETTINGS if name in extra}
    host = found.host or ""
    if host.startswith("/"):  # a folder of sockets does not fit where a URL has its host
        settings = {"host": host, **({"port": str(found.port)} if found.port else {}), **settings}
        address = ""
    else:
        address = (f"[{host}]" if ":" in host else host) + (f":{found.port}" if found.port else "")
    user = quote(found.login or "", safe="")
    password = ":" + quote(found.password, safe="") if found.password else ""
    credential = f"{user}{password}@" if user or password else ""
    query = "?" + urlencode(settings, quote_via=quote) if settings else ""
    return f"postgresql://{credential}{address}/{quote(found.schema, safe='')}{query}"


def signing_key(connection_id: str = "passback_signing") -> str:
    """The private key with which exports of the trail are signed: the password of a connection.

    Raises:
        ConfigurationError: the connection is missing, or has no password.
        PermissionRefusedError: Airflow does not let this task see the connection.
    """
    mend = f"Make a key with `passback audit key` and keep it as the password of {connection_id}."
    found = _look_up(connection_id, kind="generic", mend=mend)
    if not found.password:
        raise ConfigurationError("it has no password.", where=f"connection {connection_id}", mend=mend)
    return str(found.password)


def refuse_plain_http(url: str, *, where: str) -> None:
    """Let a credential travel unencrypted only within this machine.

    Raises:
        ConfigurationError: `url` is plain http to another host than loopback.
    """
    parts = urlsplit(url)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ConfigurationError(
            "plain http would send its credential and students' scores unencrypted.",
            where=where,
            mend="Use https; plain http is allowed to this machine only.",
        )


def _base_url(found: Any, host: str, *, where: str) -> str:
    scheme, _, rest = host.rpartition("://")
    if scheme not in ("", *_WEB):
        return host.rstrip("/")  # a folder of files
    name = urlsplit(f"//{rest}").hostname or ""
    if not scheme:
        local = "http" if _is_loopback(name) and found.conn_type != "https" else "https"
        scheme = (found.schema or local).lower()
    if scheme not in _WEB:
        raise ConfigurationError(
            "its schema is neither 'http' nor 'https'.",
            where=where,
            mend="Set the schema to https; a path belongs into the extra as base_path.",
        )
    authority, slash, path = rest.partition("/")
    if found.port and urlsplit(f"//{authority}").port is None:
        authority = f"{authority}:{found.port}"
    url = f"{scheme}://{authority}{slash}{path}".rstrip("/")
    refuse_plain_http(url, where=where)
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _look_up(connection_id: str, *, kind: str, mend: str) -> Any:
    from airflow.sdk import BaseHook  # noqa: PLC0415 - slow to import, and not needed to show --help
    from airflow.sdk.exceptions import (  # noqa: PLC0415 - the same
        AirflowException,
        AirflowSecretsBackendAccessDenied,
    )

    where = f"connection {connection_id}"
    try:
        with _airflow_database_included():
            return BaseHook.get_connection(connection_id)
    except AirflowSecretsBackendAccessDenied:
        raise PermissionRefusedError(
            "Airflow does not let this task see it.",
            where=where,
            mend="Ask Airflow's administrator to allow it for this DAG's team.",
        ) from None
    except AirflowException:
        variable = _variable(connection_id)
        what = (
            f"{variable} is set, but it is neither a URI nor JSON that Airflow can read."
            if os.environ.get(variable)
            else f"there is no such connection (of type {kind}) in the secrets backend, in {variable} or in"
            " Airflow's database."
        )
        raise ConfigurationError(what, where=where, mend=mend) from None


@contextmanager
def _airflow_database_included() -> Iterator[None]:
    """Outside a task, look into Airflow's database too, as Airflow's own commands do.

    Within a task this changes nothing: there the supervisor is asked first, whatever this says.
    """
    if _PROCESS_CONTEXT in os.environ:
        yield
        return
    os.environ[_PROCESS_CONTEXT] = "server"
    try:
        yield
    finally:
        os.environ.pop(_PROCESS_CONTEXT, None)


def _extra(found: Any, *, where: str) -> Mapping[str, Any]:
    extra = found.extra_dejson
    if not isinstance(extra, dict) or (found.extra and found.extra.strip() not in ("", "{}") and not extra):
        raise ConfigurationError(
            "its extra is not a JSON object.", where=where, mend='Write it as {"base_path": "/…"}.'
        )
    return extra


def _variable(connection_id: str) -> str:
    return f"AIRFLOW_CONN_{connection_id.upper()}"


def _how_to_add_http(connection_id: str) -> str:
    return (
        f"Add it: `airflow connections add {connection_id} --conn-type http --conn-schema https --conn-host"
        f" HOST --conn-login CLIENT_ID --conn-password SECRET`, or set {_variable(connection_id)}="
        '\'{"conn_type": "http", "schema": "https", "host": "HOST", "login": "CLIENT_ID", "password":'
        ' "SECRET"}\'.'
    )
