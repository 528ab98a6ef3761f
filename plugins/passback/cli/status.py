"""`passback status`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from passback.cli.console import output, print_json
from passback.cli.ledger import open_ledger
from passback.reasons import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STATE_STYLES = {"good": "green", "failed": "red"}


def status(
    district: Annotated[
        str | None, typer.Argument(metavar="DISTRICT", help="Only this district's runs.")
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many runs, newest first.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/command.md).")] = False,
) -> None:
    """Show the last runs: when, how they ended, and how many scores ended in each outcome."""
    from passback import ledger as database

    with open_ledger() as connection:
        runs = database.latest_runs(connection, district, limit)
    if json:
        print_json({"runs": runs})
    elif runs:
        for run in runs:
            for line in run_lines(run):
                output().print(line, soft_wrap=True)
    else:
        whose = f"of {district} " if district else ""
        output().print(
            f"No run {whose}is in the ledger yet. Start one: passback run {district or 'DISTRICT'}"
        )


def run_lines(run: Mapping[str, Any]) -> Iterator[Text]:
    """One run as the ledger has it, line by line; soft-wrapped, so that its name can be copied."""
    state = Text(run["state"], style=_STATE_STYLES.get(run["state"], "yellow"))
    yield Text("  ").join(
        [Text(run["district"], style="bold"), Text(_began(run["started_at"])), Text(run["mode"]), state]
    )
    outcomes = ", ".join(
        f"{run['outcomes'][outcome]:,} {outcome}" for outcome in Outcome if run["outcomes"][outcome]
    )
    yield Text(f"    {run['extracted']:,} extracted" + (f": {outcomes}" if outcomes else ""))
    if run["state"] == "failed":
        yield Text(f"    failed in {run['failed_task']}: {run['message']}", style="red")
    yield Text(f"    run {run['run']}, {run['requests']:,} requests", style="dim")


def _began(started_at: str) -> str:
    """In this machine's own time zone: the list may show districts of several."""
    return datetime.fromisoformat(started_at).astimezone().strftime("%Y-%m-%d %H:%M")
