"""`passback check`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from passback.cli.console import output, print_json, progress
from passback.mapping.file import MappingFileError, read_district, read_mappings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.status import Status

    from passback.cli.connect import Finding
    from passback.mapping.file import FileProblem
    from passback.mapping.model import District


def check(
    context: typer.Context,
    district: Annotated[str | None, typer.Argument(metavar="DISTRICT", help="Only this district.")] = None,
    *,
    connect: Annotated[
        bool,
        typer.Option(
            "--connect", help="Also try the connections: credentials, categories, periods, classes."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/command.md).")] = False,
) -> None:
    """Check mapping files, and with --connect the systems they name. Exit code 1 if anything is wrong."""
    good, broken = _read(district, context.obj)
    findings: dict[str, list[Finding]] = {}
    if connect:
        from passback.cli.connect import try_connections

        for name, mapped in good.items():
            trying = f"{name}: trying its connections"
            with progress().status(trying) as status:

                def say(line: str, status: Status = status, trying: str = trying) -> None:
                    status.update(Text(f"{trying}: {line}"))

                findings[name] = try_connections(mapped, say=say)
    if json:
        print_json(_as_json(good, broken, findings))
    else:
        _print(context.obj, good, broken, findings)
    if broken or any(not finding.good for found in findings.values() for finding in found):
        raise typer.Exit(1)


def _read(
    district: str | None, folder: Path
) -> tuple[Mapping[str, District], Mapping[str, Sequence[FileProblem]]]:
    """Good districts by name, and problems by the name of a bad file without its suffix."""
    if district is None:
        mappings = read_mappings(folder)
        return mappings.districts, {
            name.rpartition(".")[0]: error.problems for name, error in mappings.broken.items()
        }
    try:
        return {district: read_district(district, folder)}, {}
    except MappingFileError as error:
        return {}, {district: error.problems}


def _as_json(
    good: Mapping[str, District],
    broken: Mapping[str, Sequence[FileProblem]],
    findings: Mapping[str, Sequence[Finding]],
) -> dict[str, Any]:
    rows = [
        {
            "district": name,
            "problems": [],
            "connections": [
                {"check": found.check, "good": found.good, "found": found.found, "mend": found.mend}
                for found in findings.get(name, ())
            ],
        }
        for name in good
    ]
    rows += [
        {
            "district": name,
            "problems": [
                {
                    "file": problem.file,
                    "line": problem.line,
                    "field": problem.field,
                    "what": problem.what,
                    "mend": problem.mend,
                }
                for problem in problems
            ],
            "connections": [],
        }
        for name, problems in broken.items()
    ]
    return {"districts": sorted(rows, key=lambda row: str(row["district"]))}


def _print(
    folder: Path,
    good: Mapping[str, District],
    broken: Mapping[str, Sequence[FileProblem]],
    findings: Mapping[str, Sequence[Finding]],
) -> None:
    console = output()
    if not good and not broken:
        console.print(f"There is no mapping file in {folder}.", soft_wrap=True, markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("district", "name", "route", "schedule", "mapping file"):
        table.add_column(name, overflow="fold")
    for name in sorted({*good, *broken}):
        if name in broken:
            problems = len(broken[name])
            told = Text(f"{problems} problem{'s' if problems > 1 else ''}", style="red")
            table.add_row(Text(name), "", "", "", told)
        else:
            mapped = good[name]
            when = f"{mapped.schedule} {mapped.timezone}" if mapped.schedule else "by hand"
            route = f"{mapped.source.system} → {mapped.sis.system}"
            table.add_row(Text(name), Text(mapped.name), route, Text(when), Text("good", style="green"))
    console.print(table)
    for problems_of_file in broken.values():
        console.print()
        for problem in problems_of_file:
            _print_problem(problem.where, problem.what, problem.mend)
    for name, found in findings.items():
        console.print()
        console.print(Text(f"{name}: connections", style="bold"))
        console.print(_findings(found))


def _findings(found: Sequence[Finding]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("", "check", "found", "what to do"):
        table.add_column(name, overflow="fold")
    for finding in found:
        style, word = ("red", "wrong")
        if finding.good:
            style, word = ("yellow", "look") if finding.mend else ("green", "good")
        table.add_row(Text(word, style=style), Text(finding.check), Text(finding.found), Text(finding.mend))
    return table


def _print_problem(where: str, what: str, mend: str) -> None:
    console = output()
    console.print(Text.assemble((where, "bold"), f": {what}"), soft_wrap=True)
    console.print(Text(f"    What to do: {mend}"), soft_wrap=True)
