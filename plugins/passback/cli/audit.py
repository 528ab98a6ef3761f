"""`passback audit`: whether the trail is what was appended, and the trail of a period as a signed file."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime, time, timedelta
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer
from rich.text import Text

from passback.cli.console import output, print_error, print_json, print_warning, progress
from passback.cli.ledger import open_ledger
from passback.mapping.file import read_district

if TYPE_CHECKING:
    from passback.ledger import Break

audit = typer.Typer(
    help="The trail of what changed in the SISs: verify, export, check.", no_args_is_help=True
)

_WORDS: Final = {
    "changed": "it, or its place, was changed",
    "missing": "it was removed",
    "added": "it stands where everything was purged",
    "cut": "it and all after it were removed",
    "head": "the rows before it hold, but the head kept beside them tells of others",
    "stump": "what tells of the rows purged up to it was changed or removed",
    "erased": "nothing is there of what the SIS accepted",
}


@audit.callback()
def _audit(context: typer.Context) -> None:
    """The trail of what changed in the SISs: verify, export, check."""
    context.with_resource(redirect_stdout(sys.stderr))  # stdout is for the answer alone


@audit.command(
    epilog="Examples:\n\n[bold]passback audit verify[/]\n\n"
    "[bold]passback audit verify --district lakeview --json[/]"
)
def verify(
    *,
    district: Annotated[str | None, typer.Option("--district", "-d", help="Only this district.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/command.md).")] = False,
) -> None:
    """Tell whether the trail is what was appended, or where it is not; exit code 1 if it is not."""
    from passback import ledger as database

    with open_ledger() as connection:
        names = [district] if district else database.districts(connection)
        found = {name: database.first_break(connection, name) for name in names}
    if json:
        print_json({"districts": [_verified(name, broken) for name, broken in found.items()]})
    else:
        for name, broken in found.items():
            output().print(_line(name, broken), soft_wrap=True)
    if any(found.values()):
        raise typer.Exit(1)


def _verified(district: str, broken: Break | None) -> dict[str, Any]:
    if broken is None:
        return {"district": district, "holds": True, "broken": None}
    at = broken.at and broken.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {
        "district": district,
        "holds": False,
        "broken": {"number": broken.number, "what": broken.what, "run": broken.run, "at": at},
    }


def _line(district: str, broken: Break | None) -> Text:
    if broken is None:
        return Text(f"{district}: the trail holds.", style="green")
    where = f" (run {broken.run}, {broken.at:%Y-%m-%d %H:%M:%S} UTC)" if broken.run and broken.at else ""
    return Text(
        f"{district}: the trail is broken at row {broken.number:,}{where}: {_WORDS[broken.what]}.",
        style="red",
    )


@audit.command(
    epilog="Examples:\n\n[bold]passback audit export --district lakeview --from 2026-08-01 --to 2026-12-31"
    " --format csv --out trail.csv[/]"
)
def export(
    context: typer.Context,
    *,
    district: Annotated[str, typer.Option("--district", "-d", help="The district's name.")],
    first: Annotated[
        datetime,
        typer.Option("--from", formats=["%Y-%m-%d"], metavar="DATE", help="First day, in its time zone."),
    ],
    last: Annotated[
        datetime, typer.Option("--to", formats=["%Y-%m-%d"], metavar="DATE", help="Last day, included.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file; its signature goes to FILE.sig.")],
    form: Annotated[Literal["csv", "json"], typer.Option("--format", help="Of the file.")] = "csv",
) -> None:
    """Write the trail of a period into a file, with a signature beside it. It holds students' data."""
    from passback import connections
    from passback.ledger.export import export_trail

    if last < first:
        raise typer.BadParameter("it lies before --from", param_hint="--to")
    zone = read_district(district, context.obj).zone
    key = connections.signing_key()
    with open_ledger() as connection:
        signed = export_trail(
            connection,
            district,
            out,
            since=datetime.combine(first.date(), time(), zone),
            until=datetime.combine(last.date() + timedelta(days=1), time(), zone),
            form=form,
            key=key,
            exported_at=datetime.now(UTC),
        )
    if signed["chain"]["broken_at"]:
        print_warning(f"the trail is broken at row {signed['chain']['broken_at']:,}: passback audit verify.")
    output().print(f"{signed['rows']:,} rows: {out}, {out}.sig", soft_wrap=True, markup=False)


@audit.command(
    epilog="Examples:\n\n[bold]passback audit check trail.csv[/]\n\n"
    "[bold]passback audit check trail.csv --key PUBLIC_KEY[/]"
)
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An exported file; FILE.sig lies beside it.")],
    *,
    key: Annotated[
        str | None,
        typer.Option(help="The public key of who signed it, instead of the one of passback_signing."),
    ] = None,
) -> None:
    """Tell whether an exported file is what was signed; exit code 1 if it is not."""
    from passback import connections
    from passback.ledger.export import check_export, public_key

    signed = check_export(file, public=key or public_key(connections.signing_key()))
    rows = f"{signed['rows']:,} rows"
    if signed["rows"]:
        rows += f", {signed['first']['seq']:,} to {signed['last']['seq']:,}"
    output().print(
        f"Genuine: {signed['district']}, {signed['since']} to {signed['until']}, {rows}, exported"
        f" {signed['exported_at']}.",
        soft_wrap=True,
        markup=False,
    )
    if signed["chain"]["broken_at"]:
        print_error(f"When it was exported, the trail was broken at row {signed['chain']['broken_at']:,}.")
        raise typer.Exit(1)


@audit.command(epilog="Examples:\n\n[bold]passback audit key[/]")
def key() -> None:
    """Make a key to sign exports with, and say how to keep it. Nothing is stored."""
    from passback.ledger.export import new_key, public_key

    private = new_key()
    output().print(f"private key: {private}", soft_wrap=True, markup=False)
    output().print(f"public key:  {public_key(private)}", soft_wrap=True, markup=False)
    progress().print(
        "Keep the private key in Airflow alone, as the password of a connection:\n"
        "    airflow connections add passback_signing --conn-type generic --conn-password PRIVATE_KEY\n"
        "or in your secrets backend. It is shown this once. Whoever has it can sign as the district.\n"
        "Give the public key to those who check exports: passback audit check FILE --key PUBLIC_KEY",
        soft_wrap=True,
        markup=False,
    )
