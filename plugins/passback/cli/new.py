"""`passback new`."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.text import Text

from passback.cli.console import output
from passback.errors import ConfigurationError
from passback.mapping.checks import WrongError, district_name, one_of, time_zone
from passback.mapping.template import left_to_do, new_mapping
from passback.sis import PROFILES
from passback.sources import SOURCES


def new(
    context: typer.Context,
    district: Annotated[
        str, typer.Argument(metavar="DISTRICT", help="The new district's name: letters, digits, - and _.")
    ],
    *,
    source: Annotated[str, typer.Option(help=f"Where scores come from: {', '.join(sorted(SOURCES))}.")],
    sis: Annotated[str, typer.Option(help=f"Where scores go: {', '.join(sorted(PROFILES))}.")],
    name: Annotated[str, typer.Option(help="The name people use.", metavar="TEXT")] = "",
    timezone: Annotated[
        str, typer.Option(help="The district's time zone.", metavar="ZONE")
    ] = "America/Los_Angeles",
    effective_date: Annotated[
        datetime | None,
        typer.Option(
            help="The first day that counts; today if left out.", formats=["%Y-%m-%d"], metavar="DAY"
        ),
    ] = None,
) -> None:
    """Write a new district's mapping file, with its route's defaults, and say what is left to fill in."""
    given = {
        "DISTRICT": (district_name, district),
        "--source": (one_of(SOURCES), source),
        "--sis": (one_of(PROFILES), sis),
        "--timezone": (time_zone, timezone),
    }
    for option, (check, value) in given.items():
        try:
            check(value)
        except WrongError as wrong:
            problem = wrong.problems[0]
            raise ConfigurationError(problem.what, where=option, mend=problem.mend) from None
    folder: Path = context.obj
    file = folder / f"{district}.yaml"
    day: date = effective_date.date() if effective_date else datetime.now(ZoneInfo(timezone)).date()
    text = new_mapping(
        district,
        source,
        sis,
        name=" ".join(name.split()) or district.replace("_", " ").replace("-", " ").title(),
        timezone=timezone,
        effective_date=day,
    )
    _write(file, text)
    console = output()
    console.print(Text(f"Written: {file}"), soft_wrap=True)
    for number, step in enumerate(left_to_do(district, source, sis, file=file.name), 1):
        console.print(Text(f"{number:>3}. {step}"), soft_wrap=True)


def _write(file: Path, text: str) -> None:
    """Write a file that is not there yet; one that is there is a district's and stays as it is."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Two names that differ in case alone would be one file on some machines, and one DAG too many.
        there = [each for each in file.parent.glob("*.y*ml") if each.stem.casefold() == file.stem.casefold()]
        if not there:
            with file.open("x", encoding="utf-8") as opened:
                opened.write(text)
            return
    except FileExistsError:
        there = [file]
    except OSError as error:
        raise ConfigurationError(
            f"the mapping file cannot be written: {error.strerror}.",
            where=str(file),
            mend="Make the folder writable, or name another one with --mappings.",
        ) from None
    raise ConfigurationError(
        "there is a mapping file of this district already.",
        where=str(there[0]),
        mend="Edit that one, or choose another name.",
    )
