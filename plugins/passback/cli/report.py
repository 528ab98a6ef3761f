"""`passback report`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from passback import paths
from passback.cli.console import output
from passback.errors import ConfigurationError
from passback.night import folder_name

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath
    from rich.console import Console


def report(
    district: Annotated[
        str, typer.Argument(metavar="DISTRICT", help="The district's name in its mapping file.")
    ],
    *,
    run: Annotated[
        str | None, typer.Option(help="Show this run, as `passback status` names it, instead of the last.")
    ] = None,
    path: Annotated[bool, typer.Option("--path", help="Print only where report.html lies.")] = False,
) -> None:
    """Show the report of a district's last run, previews included: what was sent, what was not, and why."""
    folder = _report_folder(district, run)
    if path:
        output().print(readable(f"{folder}/report.html"), soft_wrap=True, markup=False)
    else:
        print_report(output(), folder)


def print_report(console: Console, folder_uri: str) -> None:
    """Print the report in a folder and say where its files lie.

    Raises:
        ConfigurationError: no complete report lies there.
    """
    from passback.report.terminal import terminal_report

    try:
        summary = json.loads((_open(folder_uri) / "report.json").read_bytes())
    except FileNotFoundError:
        raise _no_report(folder_uri) from None
    console.print(terminal_report(summary))
    console.print()
    for name, what in (
        ("report.html", "Report"),
        ("not-passed.csv", "What did not pass"),
        ("changes.csv", "What changed"),
    ):
        console.print(f"{what}: {readable(f'{folder_uri}/{name}')}", soft_wrap=True, markup=False)


def readable(uri: str) -> str:
    """A local file's path, as a person pastes it; any other URI as it is."""
    return uri.removeprefix("file://")


def _report_folder(district: str, run: str | None) -> str:
    district_uri = f"{paths.stage()}/{district}"
    if run is not None:
        return f"{district_uri}/{folder_name(run)}/report"
    folder = _open(district_uri)
    reports: list[Any] = list(folder.glob("*/report/report.json")) if folder.is_dir() else []
    if not reports:
        raise _no_report(district_uri)
    last = max(reports, key=lambda found: found.stat().st_mtime)
    return f"{district_uri}/{last.parent.parent.name}/report"


def _open(uri: str) -> Path | ObjectStoragePath:
    """The folder at a stage URI; a local one without Airflow, which takes seconds to import."""
    if uri.startswith("file://"):
        return Path(readable(uri))
    from passback.frame_store import open_folder

    return open_folder(uri)


def _no_report(where: str) -> ConfigurationError:
    return ConfigurationError(
        "no run has left a report here",
        where=readable(where),
        mend="Look at `passback status` for the runs there are; PASSBACK_STAGE says where their files lie.",
    )
