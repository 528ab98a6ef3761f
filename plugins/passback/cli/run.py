"""`passback run`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

import getpass
import time
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from rich.text import Text

from passback.cli.console import output, print_error, progress
from passback.cli.report import print_report
from passback.errors import PassbackError
from passback.mapping.file import file_hash, mapping_path, read_mapping
from passback.night import TASKS, Night

INTERRUPTED = 130


def run(
    context: typer.Context,
    district: Annotated[
        str, typer.Argument(metavar="DISTRICT", help="The district's name in its mapping file.")
    ],
    *,
    mode: Annotated[
        Literal["changes", "full", "preview"],
        typer.Option(help="Send what changed, compare and send everything, or write nothing but the report."),
    ] = "changes",
    classes: Annotated[
        list[str] | None, typer.Option("--class", metavar="ID", help="Only this class; repeat for more.")
    ] = None,
    assessments: Annotated[
        list[str] | None,
        typer.Option("--assessment", metavar="ID", help="Only this assessment; repeat for more."),
    ] = None,
) -> None:
    """Carry a district's scores now, without Airflow: the same five steps as its DAG."""
    file = mapping_path(district, context.obj)
    night = Night(
        district=read_mapping(file),
        mapping_hash=file_hash(file),
        run_key=f"cli__{datetime.now(UTC).isoformat()}",
        mode=mode,
        classes=tuple(classes or ()),
        assessments=tuple(assessments or ()),
        ordered_by=_who(),
    )
    for task_id in TASKS:
        _take(task_id, night)
    output().print()
    print_report(output(), f"{night.folder}/report")


def _take(task_id: str, night: Night) -> None:
    """Take one step, with its progress; a failure is told in one line and ends the command."""
    from passback import steps

    console = progress()
    began = time.monotonic()
    try:
        if console.is_terminal:
            with console.status(task_id) as status:
                counts = steps.run(task_id, night, say=lambda line: status.update(Text(f"{task_id}: {line}")))
        else:
            counts = steps.run(
                task_id, night, say=lambda line: console.print(f"{task_id}: {line}", markup=False)
            )
    except KeyboardInterrupt:
        print_error(f"stopped in {task_id}. Run again: what was sent is known, nothing is sent twice.")
        raise typer.Exit(INTERRUPTED) from None
    except PassbackError as error:
        print_error(f"{task_id}: {error}")
        raise typer.Exit(1) from None
    told = ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if isinstance(count, int)
    )
    console.print(f"{task_id:<24}{time.monotonic() - began:>7.1f} s  {told}", markup=False)


def _who() -> str:
    """On whose order: the trail names the operating system's user."""
    try:
        return f"{getpass.getuser()} (passback run)"
    except (KeyError, OSError):
        return "passback run"
