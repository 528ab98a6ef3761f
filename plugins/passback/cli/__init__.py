"""The `passback` command: one module a command.

What is slow to import (Airflow, pandas, Great Expectations) is imported by the command that needs it, so that
`--help` and `check` answer at once.
"""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from functools import wraps
from importlib.metadata import version
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from passback import paths
from passback.cli.audit import audit
from passback.cli.categories import categories
from passback.cli.check import check
from passback.cli.console import print_error
from passback.cli.explain import explain
from passback.cli.ledger import ledger
from passback.cli.new import new
from passback.cli.purge import purge
from passback.cli.reconcile import reconcile
from passback.cli.report import report
from passback.cli.run import run
from passback.cli.sandbox import sandbox
from passback.cli.schema import schema
from passback.cli.status import status
from passback.cli.suppress import suppress, suppressions, unsuppress
from passback.cli.undo import undo
from passback.errors import PassbackError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["app", "main"]

app = typer.Typer(
    name="passback",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "First steps: [bold]passback new[/], [bold]passback check[/],"
        " then [bold]passback run lakeview --mode preview[/]."
    ),
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer passes the flag by position
    if wanted:
        typer.echo(f"passback {version('passback')}")
        raise typer.Exit


@app.callback()
def _passback(
    context: typer.Context,
    *,
    mappings: Annotated[
        Path | None,
        typer.Option(
            help="Folder of mapping files, instead of the project's include/mappings.",
            envvar="PASSBACK_MAPPINGS",
            metavar="DIR",
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Carry scores from learning platforms into student information systems, and tell what became of each."""
    context.obj = mappings.expanduser() if mappings else paths.mappings()


def _stdout_for_answers(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with stdout for its answer alone: Airflow logs to stdout, and JSON must stay JSON."""

    @wraps(command)
    def answer(*arguments: Any, **options: Any) -> None:
        with redirect_stdout(sys.stderr):
            command(*arguments, **options)

    return answer


def _examples(*lines: str) -> str:
    """An epilog with a line for each example; typer folds single line breaks."""
    return "\n\n".join(("Examples:", *(f"[bold]{line}[/]" for line in lines)))


app.command(
    epilog=_examples(
        "passback new fairview --source otus --sis skyward",
        "passback new fairview --source canvas --sis aspen --timezone America/New_York",
    )
)(_stdout_for_answers(new))
app.command(epilog=_examples("passback check", "passback check lakeview --connect"))(
    _stdout_for_answers(check)
)
app.command(
    epilog=_examples("passback run lakeview --mode preview", "passback run lakeview --class AAA-2013J")
)(_stdout_for_answers(run))
app.command(
    epilog=_examples("passback reconcile lakeview", "passback reconcile lakeview --class AAA-2013J --json")
)(_stdout_for_answers(reconcile))
app.command(epilog=_examples("passback status", "passback status lakeview --limit 1 --json"))(
    _stdout_for_answers(status)
)
app.command(
    epilog=_examples(
        "passback explain --district lakeview --assessment 1755 --student s11391",
        "passback explain -d lakeview -a 1755 -s s11391 --json",
        "passback explain -d lakeview --class AAA-2013J --limit 200",
    )
)(_stdout_for_answers(explain))
app.command(epilog=_examples("passback report lakeview", "passback report lakeview --path"))(
    _stdout_for_answers(report)
)
app.command(epilog=_examples("passback schema > include/mappings/schema.json"))(_stdout_for_answers(schema))
app.command(
    epilog=_examples("passback sandbox", "passback sandbox -- --help"),
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(sandbox)
app.command(
    epilog=_examples(
        'passback suppress -d lakeview --assessment 1755 --reason "Marked again by another teacher"',
        'passback suppress -d lakeview --class AAA-2013J --reason "Graded on paper this term"',
    )
)(_stdout_for_answers(suppress))
app.command(epilog=_examples("passback unsuppress -d lakeview --assessment 1755"))(
    _stdout_for_answers(unsuppress)
)
app.command(epilog=_examples("passback suppressions -d lakeview", "passback suppressions --lifted --json"))(
    _stdout_for_answers(suppressions)
)
app.command(
    epilog=_examples(
        "passback purge --before 2025-07-01 --district lakeview --preview",
        "passback purge --before 2025-07-01 --yes",
    )
)(_stdout_for_answers(purge))
app.add_typer(audit, name="audit")
app.command(
    epilog=_examples(
        "passback undo scheduled__2026-11-22T06:00:00+00:00 -d lakeview --preview",
        "passback undo cli__2026-11-22T18:00:00+00:00 -d lakeview",
    )
)(_stdout_for_answers(undo))
app.add_typer(categories, name="categories")
app.add_typer(ledger, name="ledger")


def main() -> None:
    """Run the command; an error that Passback knows is one line on stderr and exit code 1."""
    # Airflow reads this when it is imported; its notes on itself would bury the command's own progress.
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")
    try:
        app()
    except PassbackError as error:
        print_error(str(error))
        sys.exit(1)
