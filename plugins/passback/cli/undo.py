"""`passback undo`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

import json as jsons
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from passback.cli.console import output, print_error, print_json, progress
from passback.cli.ledger import open_ledger
from passback.cli.report import readable
from passback.cli.who import who
from passback.errors import ConfigurationError, PassbackError
from passback.mapping.file import district_names, file_hash, mapping_path, read_mapping
from passback.undo import Undo

if TYPE_CHECKING:
    from pathlib import Path

_INTERRUPTED: Final = 130
_MOST_ROWS: Final = 40


def undo(
    context: typer.Context,
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="The run to undo, by its name in `passback status`.")
    ],
    *,
    district: Annotated[
        str | None,
        typer.Option("--district", "-d", help="The district's name; may be left out if there is one."),
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would go back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/command.md).")] = False,
) -> None:
    """Put back in the SIS what a run changed and nobody has changed since; shows what, and asks.

    What was changed since is listed and left as it is. An undo is a run, and can itself be undone.
    """
    file = mapping_path(district or _only_district(context.obj), context.obj)
    mapping = read_mapping(file)
    begun = _unfinished(mapping.district, run)
    described = Undo(
        district=mapping,
        mapping_hash=file_hash(file),
        run_key=begun or f"undo__cli__{datetime.now(UTC).isoformat()}",
        undoes=run,
        ordered_by=who("passback undo"),
    )
    planned = _take("plan-undo", described)
    if preview or not (planned["writes"] or begun):
        _print(planned["folder"], json=json)
        return
    if not yes:
        _print_table(_told(planned["folder"]), planned["folder"], on_stderr=True)
        if not sys.stdin.isatty():
            print_error("nothing is written: run again with --yes to put it back.")
            raise typer.Exit(1)
        typer.confirm(f"\nPut back {planned['writes']:,} values?", abort=True, err=True)
    _take("put-back", described)
    _print(_take("audit-undo", described)["folder"], json=json)


def _only_district(folder: Path) -> str:
    names = district_names(folder)
    if len(names) != 1:
        raise ConfigurationError(
            "there are several districts, or none",
            where=str(folder),
            mend="Name the district whose run it is with --district.",
        )
    return next(iter(names))


def _unfinished(district: str, run: str) -> str:
    """The key of an undo of this run that was stopped: it is gone on with."""
    from passback.ledger.undo import unfinished_undo

    with open_ledger() as connection:
        return unfinished_undo(connection, district, run)


def _take(task_id: str, described: Undo) -> dict[str, Any]:
    """Take one step, with its progress; a failure is told in one line and ends the command."""
    from passback.steps import undo as steps

    console = progress()
    try:
        if console.is_terminal:
            with console.status(task_id) as status:
                return steps.run(
                    task_id, described, say=lambda line: status.update(Text(f"{task_id}: {line}"))
                )
        return steps.run(
            task_id, described, say=lambda line: console.print(f"{task_id}: {line}", markup=False)
        )
    except KeyboardInterrupt:
        print_error(f"stopped in {task_id}. Undo the run again: what went back already is known.")
        raise typer.Exit(_INTERRUPTED) from None
    except PassbackError as error:
        print_error(f"{task_id}: {error}")
        raise typer.Exit(1) from None


def _print(folder: str, *, json: bool) -> None:
    told = _told(folder)
    if json:
        print_json(told)
    else:
        _print_table(told, folder)


def _told(folder: str) -> dict[str, Any]:
    from passback.frame_store import open_folder

    told: dict[str, Any] = jsons.loads((open_folder(folder) / "undo.json").read_bytes())
    return told


def _print_table(told: dict[str, Any], folder: str, *, on_stderr: bool = False) -> None:
    from passback.report.undo import FATE_WORDS, undo_headline

    console = progress() if on_stderr else output()
    table = Table("class", "assessment", "student", "fate", "from → to", "why", box=None)
    for row in told["changes"][:_MOST_ROWS]:
        cells = (
            row["class_title"] or row["class_id"],
            row["assessment_title"],
            row["student_id"],
            FATE_WORDS[row["fate"]],
            row["field_changes"],
            row["why"],
        )
        table.add_row(*map(Text, cells))
    if told["changes"]:
        console.print(table)
    if (more := len(told["changes"]) - _MOST_ROWS) > 0:
        console.print(f"… and {more:,} more in the report.")
    console.print(Text(undo_headline(told), style="bold"), soft_wrap=True)
    if told["categories_kept"]:
        console.print(f"{told['categories_kept']:,} categories that the run created stay.")
    console.print(f"Report: {readable(folder)}/undo.html", soft_wrap=True, markup=False)
