"""`passback ledger`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import typer

from passback.cli.console import output

if TYPE_CHECKING:
    from collections.abc import Iterator

ledger = typer.Typer(help="Look after the ledger, the database of what was sent.", no_args_is_help=True)


@ledger.callback()
def _ledger() -> None:
    """Look after the ledger, the database of what was sent."""


@ledger.command(epilog="Examples:\n\n[bold]passback ledger upgrade[/]")
def upgrade() -> None:
    """Bring the ledger's tables to this version of Passback. Safe to repeat, and while others do the same."""
    from passback import connections
    from passback import ledger as database

    database.upgrade(connections.ledger_url())
    output().print("The ledger is up to date.")


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
