"""The way to the ledger's database: connections, transactions, the schema's version, a district's lock."""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import psycopg2
from psycopg2 import errorcodes, extensions

from passback.errors import (
    BusyError,
    ConfigurationError,
    CountsError,
    CredentialError,
    FatalError,
    LedgerOutdatedError,
    PassbackError,
    PermissionRefusedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alembic.config import Config

Connection: TypeAlias = extensions.connection
Cursor: TypeAlias = extensions.cursor

HEAD: Final = "0006"  # the schema this version works with; spares the commands an import of alembic

# A statement over a million rows may take minutes; who waits over a minute for a lock waits in vain.
# When the other machine or the network is lost, the server notices in two minutes, not in hours, that nobody
# is there, and gives the district's lock back.
SESSION: Final = """
    SET TIME ZONE 'UTC';
    SET DateStyle = 'ISO';
    SET statement_timeout = '10min';
    SET lock_timeout = '60s';
    SET idle_in_transaction_session_timeout = '10min';
    SET client_min_messages = 'warning';
    SET tcp_keepalives_idle = 60;
    SET tcp_keepalives_interval = 10;
    SET tcp_keepalives_count = 6;
"""

CHECK_CONNECTION: Final = "Check the host, port and database of the connection passback_ledger."


def connect(url: str) -> Connection:
    """A connection to the ledger, set to UTC.

    Args:
        url: A libpq URL or connection string.

    Raises:
        ConfigurationError: the URL cannot be read, or the database does not exist.
        CredentialError: the server refused the user or the password.
        UnavailableError: the server cannot be reached, or takes no connections now.
    """
    where = _address(url)
    try:
        # Between two batches of a slow SIS the connection is idle for long: firewalls forget such ones.
        connection = psycopg2.connect(
            url, application_name="passback", connect_timeout=10, keepalives_idle=60
        )
    except psycopg2.OperationalError as error:
        raise _refusal(str(error), where) from None
    try:
        connection.set_client_encoding("UTF8")
        with transaction(connection) as cursor:
            cursor.execute(SESSION)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: Connection) -> Iterator[Cursor]:
    """A cursor in one transaction: committed at the end of the block, rolled back by an exception.

    PostgreSQL's messages quote rows, that is, students: what is raised here names tables, columns and
    constraints only.

    Raises:
        UnavailableError: the connection broke, or the server is out of a resource.
        BusyError: a lock or a statement took too long.
        LedgerOutdatedError: a table or column is missing.
        PermissionRefusedError: the role lacks a privilege.
        CountsError: a run's outcomes do not add up.
        FatalError: the database refused something else.
    """
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    except psycopg2.Error as error:
        raise _database_error(error, connection) from None


def ensure_schema(url: str) -> None:
    """An empty database gets the schema; one that holds another version of it is refused.

    Raises:
        LedgerOutdatedError: the schema is older or newer than this version of Passback.
        PassbackError: as `connect` and `transaction`.
    """
    revision = _revision(url)
    if revision is None:
        upgrade(url)
    elif revision < HEAD:
        raise LedgerOutdatedError(
            f"The ledger's schema is at version {revision}; this Passback needs {HEAD}.",
            where=_address(url),
            mend="Run `passback ledger upgrade`.",
        )
    elif revision > HEAD:
        raise LedgerOutdatedError(
            f"The ledger's schema is at version {revision}; this Passback knows {HEAD} at most.",
            where=_address(url),
            mend="Install the version of Passback that last ran `passback ledger upgrade`.",
        )


def is_empty(url: str) -> bool:
    """Whether the database holds no ledger yet; creates nothing.

    Raises:
        PassbackError: as `connect` and `transaction`.
    """
    return _revision(url) is None


def upgrade(url: str) -> None:
    """Bring the schema to this version; two processes at once do it once.

    Raises:
        PassbackError: as `connect` and `transaction`.
    """
    from alembic import command  # noqa: PLC0415 - slow to import, and needed once in a schema's life

    _migrate(url, lambda config: command.upgrade(config, "head"))


@contextmanager
def district_lock(connection: Connection, district: str) -> Iterator[None]:
    """Hold the district's lock for the block; it goes with the connection if the process dies.

    The lock is the session's: it does not pass through a pooler in transaction mode.

    Raises:
        BusyError: another run of the district holds it.
    """
    busy = BusyError(
        "Another run of this district is under way.",
        where=district,
        mend="The task tries again by itself for a few minutes. If the other run takes longer, see with"
        " `passback status` which it is, and clear this task when it has ended.",
        retry_after=60,
    )
    with _lock(connection, f"passback district {district}", busy):
        yield


@contextmanager
def categories_lock(connection: Connection, district: str) -> Iterator[None]:
    """Hold the lock under which a district's categories are imported, as `district_lock` does.

    Raises:
        BusyError: another import of the district holds it.
    """
    busy = BusyError(
        "Another import of this district's categories is under way.",
        where=district,
        mend="Try again when it has ended; what it has imported is not imported twice.",
        retry_after=60,
    )
    with _lock(connection, f"passback categories {district}", busy):
        yield


@contextmanager
def _lock(connection: Connection, name: str, busy: BusyError) -> Iterator[None]:
    with transaction(connection) as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (name,))
        (held,) = cursor.fetchone() or (False,)
    if not held:
        raise busy
    try:
        yield
    finally:
        # A broken connection has given the lock back by itself; its own error is the one to show.
        with suppress(psycopg2.Error, PassbackError):
            connection.rollback()
            with transaction(connection) as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (name,))


# --- The schema's version ---


def _revision(url: str) -> str | None:
    """The version the schema is at; None in an empty database."""
    connection = connect(url)
    try:
        with transaction(connection) as cursor:
            cursor.execute("SELECT to_regclass('passback.alembic_version') IS NOT NULL")
            if cursor.fetchone() == (False,):
                return None
            cursor.execute("SELECT version_num FROM passback.alembic_version")
            row = cursor.fetchone()
            return row[0] if row else None
    finally:
        connection.close()


def _migrate(url: str, step: Callable[[Config], None]) -> None:
    """Run an alembic command in one transaction, one process at a time."""
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine, text  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    engine = create_engine("postgresql+psycopg2://", creator=lambda: connect(url), poolclass=NullPool)
    try:
        with _quiet("alembic"), engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('passback schema', 0))"))
            # CREATE SCHEMA IF NOT EXISTS asks for the privilege even when there is nothing to create.
            if connection.scalar(text("SELECT to_regnamespace('passback') IS NULL")):
                connection.execute(text("CREATE SCHEMA passback"))
            config.attributes["connection"] = connection
            step(config)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg2.Error):
            raise _database_error(error.orig, None, where=_address(url)) from None
        raise
    finally:
        engine.dispose()


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """A library's logger says warnings only while the block runs."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


# --- What an error means ---


def _address(url: str) -> str:
    """Host, port and database of a URL, without user and password."""
    try:
        parts = extensions.parse_dsn(url)
    except psycopg2.ProgrammingError:
        # libpq quotes the piece that it cannot read, which may be the password.
        raise ConfigurationError(
            "The ledger's URL cannot be read.",
            where="connection passback_ledger",
            mend="Write it as postgresql://user:password@host:5432/database, its parts percent-encoded.",
        ) from None
    host = parts.get("host") or parts.get("hostaddr") or "localhost"
    return f"{host}:{parts.get('port', '5432')}/{parts.get('dbname', '')}"


def _refusal(words: str, where: str) -> PassbackError:
    """What a failed connection means; libpq gives no code for it, only words."""
    if "authentication" in words or "no password supplied" in words or "no pg_hba.conf entry" in words:
        return CredentialError(
            "The ledger's database refused the user or the password.",
            where=where,
            mend="Correct the login and password of the connection passback_ledger.",
        )
    if "role" in words and "does not exist" in words:
        return CredentialError(
            "The ledger's database does not know this user.",
            where=where,
            mend="Correct the login of the connection passback_ledger, or create the role.",
        )
    if "database" in words and "does not exist" in words:
        return ConfigurationError(
            "The ledger's database does not exist.", where=where, mend=f"Create it, or: {CHECK_CONNECTION}"
        )
    return UnavailableError(
        "The ledger's database cannot be reached.",
        where=where,
        mend=f"Start PostgreSQL if it is down. {CHECK_CONNECTION}",
    )


def _database_error(
    error: psycopg2.Error, connection: Connection | None, *, where: str = ""
) -> PassbackError:
    """A database's error without the rows it quotes."""
    code = error.pgcode or ""
    named = [
        error.diag.schema_name,
        error.diag.table_name,
        error.diag.column_name,
        error.diag.constraint_name,
    ]
    place = ".".join(name for name in named if name) or where
    if not place and connection is not None and not connection.closed:
        info = connection.info
        place = f"{info.host}:{info.port}/{info.dbname}"
    if code == errorcodes.CHECK_VIOLATION and error.diag.constraint_name == "runs_good_adds_up":
        return CountsError(
            "The run's outcomes do not add up to the scores it extracted.",
            where=place,
            mend="Clear the audit task; if it fails again, report it with the run's counts.",
        )
    if code in {errorcodes.LOCK_NOT_AVAILABLE, errorcodes.QUERY_CANCELED, errorcodes.DEADLOCK_DETECTED}:
        return BusyError(
            "The ledger's database was too busy to answer in time.",
            where=place,
            mend="Nothing to do if it passes; else look for long transactions in pg_stat_activity.",
        )
    if code in {errorcodes.UNDEFINED_TABLE, errorcodes.UNDEFINED_COLUMN, errorcodes.INVALID_SCHEMA_NAME}:
        return LedgerOutdatedError(
            "The ledger lacks a table or column.", where=place, mend="Run `passback ledger upgrade`."
        )
    if code == errorcodes.INSUFFICIENT_PRIVILEGE:
        return PermissionRefusedError(
            "The ledger's user lacks a privilege in the database.",
            where=place,
            mend="Grant the user of the connection passback_ledger what docs/ledger.md lists.",
        )
    # 08 connection, 53 out of a resource, 57P0x the server stops; no code: the connection broke.
    if code[:2] in {"08", "53"} or code[:4] == "57P0" or not code:
        return UnavailableError(
            "The connection to the ledger's database broke.",
            where=place,
            mend="Start PostgreSQL if it is down; the next attempt carries on.",
        )
    return FatalError(
        f"The ledger's database refused a statement (SQLSTATE {code}).",
        where=place,
        mend="Look up the SQLSTATE, and the statement in the database's own log.",
    )
