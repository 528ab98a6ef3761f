"""`passback suppress`, `passback unsuppress` and `passback suppressions`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from passback.cli.console import output, print_error, print_json, print_warning
from passback.cli.ledger import open_ledger
from passback.cli.who import who
from passback.mapping.file import mapping_path, read_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_District = Annotated[str, typer.Option("--district", "-d", help="The district's name.")]
_Assessment = Annotated[
    str, typer.Option("--assessment", "-a", metavar="ID", help="An assessment, by the source's id.")
]
_Class = Annotated[str, typer.Option("--class", "-c", metavar="ID", help="A class, by the source's id.")]
_Student = Annotated[
    str, typer.Option("--student", "-s", metavar="ID", help="A student, by the source's id.")
]


def suppress(
    context: typer.Context,
    *,
    district: _District,
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why. It is shown to those who ask the ledger alone.")
    ],
    assessment: _Assessment = "",
    class_id: _Class = "",
    student: _Student = "",
) -> None:
    """Take an assessment, a class or a student out of passback, from the next run on.

    Nothing new is sent of it; what was sent stays in the SIS as it is.
    """
    from passback import ledger as database

    kind, source_id = _the_one(assessment, class_id, student)
    name = read_mapping(mapping_path(district, context.obj)).district
    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")
    with open_ledger() as connection:
        new = database.suppress(
            connection, name, kind, source_id, reason=reason.strip(), ordered_by=who("passback suppress")
        )
        scores = database.judged_scores(connection, name, kind, source_id)
    if not scores:
        print_warning(
            f"no run of {name} has judged a score of {kind} {source_id} so far. If that is not the"
            " source's own id, lift it again: passback unsuppress."
        )
    if new:
        output().print(
            f"Out of passback from the next run on: {kind} {source_id} of {name}, {scores:,} scores so far."
            " What was sent stays as it is.",
            soft_wrap=True,
            markup=False,
        )
    else:
        output().print(
            f"It was out already: {kind} {source_id} of {name}, for the reason given then"
            f" (passback suppressions --district {name}).",
            soft_wrap=True,
            markup=False,
        )


def unsuppress(
    context: typer.Context,
    *,
    district: _District,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it may pass again.")] = "",
    assessment: _Assessment = "",
    class_id: _Class = "",
    student: _Student = "",
) -> None:
    """Let an assessment, a class or a student pass again: what differs by then goes out with the next run.

    Exit code 1 if it was not out.
    """
    from passback import ledger as database

    kind, source_id = _the_one(assessment, class_id, student)
    name = read_mapping(mapping_path(district, context.obj)).district
    with open_ledger() as connection:
        lifted = database.unsuppress(
            connection, name, kind, source_id, reason=reason.strip(), ordered_by=who("passback unsuppress")
        )
    if not lifted:
        print_error(f"{kind} {source_id} of {name} is not suppressed: see passback suppressions.")
        raise typer.Exit(1)
    output().print(
        f"Passes again from the next run on: {kind} {source_id} of {name}.", soft_wrap=True, markup=False
    )


def suppressions(
    *,
    district: Annotated[
        str | None, typer.Option("--district", "-d", help="Only this district's; else those of all.")
    ] = None,
    lifted: Annotated[bool, typer.Option("--lifted", help="Also those that stand no more.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/command.md).")] = False,
) -> None:
    """List what is taken out of passback: by whom, when and why."""
    from passback import ledger as database

    with open_ledger() as connection:
        rows = database.suppressions(connection, district, lifted=lifted)
    if json:
        print_json({"suppressions": rows})
        return
    for row in rows:
        for line in _lines(row):
            output().print(line, soft_wrap=True)
    if not rows:
        output().print("Nothing is taken out of passback.")


def _the_one(assessment: str, class_id: str, student: str) -> tuple[str, str]:
    """Kind and id of the one that is named."""
    named = [
        (kind, source_id)
        for kind, source_id in (("assessment", assessment), ("class", class_id), ("student", student))
        if source_id
    ]
    if len(named) != 1:
        raise typer.BadParameter(
            "name one of them, by the source's id", param_hint="--assessment, --class or --student"
        )
    return named[0]


def _lines(row: Mapping[str, Any]) -> Iterator[Text]:
    head = Text.assemble((row["district"], "bold"), f"  {row['kind']} {row['id']}")
    if row["lifted_at"]:
        head.append("  lifted", style="dim")
    yield head
    yield Text(f"    {row['reason']}")
    yield Text(f"    {_when(row['at'])}, {row['ordered_by']}", style="dim")
    if row["lifted_at"]:
        why = f": {row['lifted_reason']}" if row["lifted_reason"] else ""
        yield Text(f"    lifted {_when(row['lifted_at'])}, {row['lifted_by']}{why}", style="dim")


def _when(instant: str) -> str:
    """In this machine's own time zone, as `passback status`."""
    return datetime.fromisoformat(instant).astimezone().strftime("%Y-%m-%d %H:%M")
