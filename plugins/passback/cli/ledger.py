"""`passback ledger`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import typer

from passback.cli.console import output, print_warning

if TYPE_CHECKING:
    from collections.abc import Iterator

ledger = typer.Typer(help="Look after the ledger, the database of what was sent.", no_args_is_help=True)


@ledger.callback()
def _ledger() -> None:
    """Look after the ledger, the database of what was sent."""


@ledger.command(epilog="Examples:\n\n[bold]passback ledger upgrade[/]")
def upgrade() -> None:
    """Bring the ledger's tables to this version of Passback. Safe to repeat, and while others do the same."""
    from passback import ledger as database

    url = owner_url()
    database.upgrade(url)
    output().print("The ledger is up to date.")
    if not database.roles_are_granted(url):
        print_warning(
            "the roles passback_owner, passback_writer and passback_reader are missing, and this user may not"
            " make them: have the server's administrator run what `passback ledger roles` prints."
        )


@ledger.command(epilog="Examples:\n\n[bold]passback ledger roles | psql DATABASE[/]")
def roles() -> None:
    """Print the SQL that makes the roles for owner, writer and reader, and grants; safe to repeat."""
    from passback.ledger.roles import SCRIPT

    print(SCRIPT.strip(), file=sys.__stdout__)


def owner_url() -> str:
    """The ledger's address for who owns its tables: of `passback_ledger`, or else `passback_ledger_owner`.

    Raises:
        ConfigurationError: neither will do.
        PassbackError: the ledger cannot be asked.
    """
    from passback import connections
    from passback import ledger as database

    url = connections.ledger_url()
    return url if database.owns(url) else connections.ledger_url("passback_ledger_owner")


def newest_run(district: str) -> dict[str, Any] | None:
    """The district's newest run in the ledger, as `passback status --json` shows it; makes no tables.

    Raises:
        PassbackError: the ledger cannot be asked.
    """
    from passback import connections
    from passback import ledger as database

    url = connections.ledger_url()
    if database.is_empty(url):
        return None
    with closing(database.connect(url)) as connection:
        return next(iter(database.latest_runs(connection, district, 1)), None)


@contextmanager
def open_ledger() -> Iterator[Any]:
    """A connection to the ledger that `passback_ledger` names; its tables are made if it has none.

    Raises:
        ConfigurationError: there is no such connection.
        UnavailableError: its server does not answer.
        LedgerOutdatedError: its tables belong to another version of Passback.
    """
    from passback import connections
    from passback import ledger as database

    url = connections.ledger_url()
    database.ensure_schema(url)
    with closing(database.connect(url)) as connection:
        yield connection
