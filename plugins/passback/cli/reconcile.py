"""`passback reconcile`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from passback.cli.console import output
from passback.cli.run import carry

if TYPE_CHECKING:
    from rich.table import Table


def reconcile(
    context: typer.Context,
    district: Annotated[
        str, typer.Argument(metavar="DISTRICT", help="The district's name in its mapping file.")
    ],
    *,
    classes: Annotated[
        list[str] | None, typer.Option("--class", metavar="ID", help="Only this class; repeat for more.")
    ] = None,
    approve: Annotated[
        bool, typer.Option("--approve", help="Overwrite, however much of what the SIS holds it would change.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Compare what was sent with what the SIS holds now, and do what `drift` in the mapping file says.

    Nothing new is sent. The whole list, entry by entry, lies in the run's report as drift.csv.
    """
    night, approved = carry(context.obj, district, mode="reconcile", classes=classes or (), approve=approve)
    from passback.frame_store import open_folder, read_json

    folder = open_folder(night.folder) / "report"
    report = read_json(folder, "report") or {}
    drift: dict[str, Any] = report["drift"]
    if as_json:
        output().print_json(json.dumps(drift))
    else:
        output().print(_table(drift))
        for name in drift["not_compared"]:
            output().print(f"could not be read: {name}", markup=False)
        path = str(folder / "drift.csv").removeprefix("file://")
        output().print(f"What differs, entry by entry: {path}", soft_wrap=True, markup=False)
    if not approved:
        raise typer.Exit(3)


def _table(drift: dict[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from passback.report.words import FINDINGS

    table = Table("Class", "Kind")
    for finding in FINDINGS.values():
        table.add_column(finding, justify="right")
    for row in drift["classes"]:
        counts = [f"{row[finding]:,}" for finding in FINDINGS]
        table.add_row(Text(row["title"] or row["class_id"]), row["kind"], *counts)
    return table
