"""`passback run`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from passback.cli.console import output, print_error, progress
from passback.cli.report import print_report
from passback.cli.who import who
from passback.errors import PassbackError
from passback.mapping.file import file_hash, mapping_path, read_mapping
from passback.night import APPROVAL, TASKS, Night

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

INTERRUPTED = 130
CANCELLED = 3


def run(
    context: typer.Context,
    district: Annotated[
        str, typer.Argument(metavar="DISTRICT", help="The district's name in its mapping file.")
    ],
    *,
    mode: Annotated[
        Literal["changes", "full", "preview", "reconcile"],
        typer.Option(
            help="Send what changed, compare and send everything, write nothing but the report, or compare"
            " what was sent with what the SIS holds."
        ),
    ] = "changes",
    classes: Annotated[
        list[str] | None, typer.Option("--class", metavar="ID", help="Only this class; repeat for more.")
    ] = None,
    assessments: Annotated[
        list[str] | None,
        typer.Option("--assessment", metavar="ID", help="Only this assessment; repeat for more."),
    ] = None,
    approve: Annotated[
        bool,
        typer.Option(
            "--approve", help="Let the run go on, however much of what the SIS holds it would change."
        ),
    ] = False,
) -> None:
    """Carry a district's scores now, without Airflow: the same steps as its DAG.

    A run that would change too much asks first. Where there is no terminal to ask on, it writes nothing and
    exits with code 3, as after a no.
    """
    night, approved = carry(
        context.obj,
        district,
        mode=mode,
        classes=classes or (),
        assessments=assessments or (),
        approve=approve,
    )
    output().print()
    print_report(output(), f"{night.folder}/report")
    if not approved:
        raise typer.Exit(CANCELLED)


def carry(
    mappings: Path,
    district: str,
    *,
    mode: str,
    classes: Sequence[str],
    assessments: Sequence[str] = (),
    approve: bool,
) -> tuple[Night, bool]:
    """Take all steps of a run, with their progress; the run, and whether it was let go on.

    Args:
        mappings: The folder of mapping files.
        district: The district's name.
        mode: One of `night.MODES`.
        classes: Only these classes; empty for all.
        assessments: Only these assessments; empty for all.
        approve: Whether it may go on however much it would change.

    Raises:
        typer.Exit: a step failed, which has been told.
    """
    file = mapping_path(district, mappings)
    night = Night(
        district=read_mapping(file),
        mapping_hash=file_hash(file),
        run_key=f"cli__{datetime.now(UTC).isoformat()}",
        mode=mode,
        classes=tuple(classes),
        assessments=tuple(assessments),
        ordered_by=who("passback reconcile" if mode == "reconcile" else "passback run"),
    )
    cancelled = False
    for task_id in TASKS:
        counts = _take(task_id, night)
        if task_id == APPROVAL and counts["asks"]:
            cancelled = not _ask(night, str(counts["subject"]), approve=approve)
    return night, not cancelled


def _ask(night: Night, subject: str, *, approve: bool) -> bool:
    """Ask whether a run that would change too much may go on, and keep the answer."""
    from passback.steps.decision import decide

    by = night.ordered_by
    if approve:
        goes_on = True
    elif sys.stdin.isatty() and progress().is_terminal:
        progress().print()
        print_report(progress(), f"{night.folder}/report")
        goes_on = typer.confirm(f"\n{subject}. Let it go on?", default=False, err=True)
    else:
        print_error(f"{subject}. Nothing is written. If that is as it should be, run again with --approve.")
        goes_on, by = False, f"{by} without a terminal"
    try:
        decide(night, "go on" if goes_on else "cancel", by=by, at=datetime.now(UTC))
    except PassbackError as error:
        print_error(f"{APPROVAL}: {error}")
        raise typer.Exit(1) from None
    return goes_on


def _take(task_id: str, night: Night) -> dict[str, int | str]:
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
    return counts
