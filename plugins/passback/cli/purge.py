"""`passback purge`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from passback.cli.console import output, print_error, print_warning, progress
from passback.cli.ledger import owner_url
from passback.cli.who import who
from passback.errors import BusyError
from passback.mapping.file import district_names, read_district

if TYPE_CHECKING:
    from pathlib import Path

    from passback.ledger import Connection

CANCELLED = 3


def purge(
    context: typer.Context,
    *,
    before: Annotated[
        datetime,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="DATE", help="The first day that is kept, in the district's zone."
        ),
    ],
    district: Annotated[
        str | None, typer.Option("--district", "-d", help="Only this district; else all of the ledger.")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only count what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove what is kept of students from before a day, in the ledger and on the stage, for good.

    Of the trail a stump is left: the rest still proves itself. Killed or repeated, the end is the same.
    """
    from passback import ledger as database

    url = owner_url()
    database.ensure_schema(url)
    with closing(database.connect(url)) as connection:
        names = [district] if district else database.districts(connection)
        days = {name: _begin(name, before.date(), context.obj) for name in names}
        if preview or not yes:
            counted = {name: _count(connection, name, days[name], before.date()) for name in names}
            for name, counts in counted.items():
                _tell(name, "would go", counts)
            if preview or not any(any(counts.values()) for counts in counted.values()):
                return
            if not _ask():
                raise typer.Exit(CANCELLED)
        busy = False
        for name in names:
            try:
                _tell(name, "went", _purge(connection, name, days[name], before.date()))
            except BusyError as error:  # the other districts need not wait for this one
                print_error(str(error))
                busy = True
    if busy:
        raise typer.Exit(1)


def _begin(district: str, day: date, folder: Path) -> datetime:
    """The day's begin in the district's zone; in UTC for a district that is no longer mapped."""
    known = district in district_names(folder)
    if not known:
        print_warning(f"{district} has no mapping file: its day begins at midnight UTC.")
    zone = read_district(district, folder).zone if known else UTC
    begin = datetime.combine(day, time(), zone)
    if begin > datetime.now(UTC):
        raise typer.BadParameter("it lies in the future", param_hint="--before")
    return begin


def _ask() -> bool:
    if sys.stdin.isatty() and progress().is_terminal:
        return typer.confirm("\nRemove it for good?", default=False, err=True)
    print_error("Nothing is removed. If that is as it should be, run again with --yes.")
    return False


def _count(connection: Connection, district: str, begin: datetime, day: date) -> dict[str, int]:
    from passback import ledger as database
    from passback.steps.purge import old_folders

    counted = database.count_purgeable(connection, district, before=begin, due_before=day)
    return {**asdict(counted), "folders": len(old_folders(connection, district, begin))}


def _purge(connection: Connection, district: str, begin: datetime, day: date) -> dict[str, int]:
    from passback import ledger as database
    from passback.steps.purge import old_folders, remove_folders

    gone = database.purge(connection, district, before=begin, due_before=day, purged_by=who("passback purge"))
    folders = old_folders(connection, district, begin)
    remove_folders(folders)
    return {**asdict(gone), "folders": len(folders)}


def _tell(district: str, what: str, counts: dict[str, Any]) -> None:
    words = {
        "line_items": "line items",
        "results": "results",
        "outcomes": "outcomes",
        "history": "rows of their history",
        "trail": "rows of the trail",
        "folders": "runs' folders",
    }
    told = ", ".join(f"{count:,} {words[name]}" for name, count in counts.items() if count)
    output().print(Text(f"{district}: {told or 'nothing'} {what}."), soft_wrap=True)
