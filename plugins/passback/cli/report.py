"""`passback report`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from passback import paths
from passback.cli.console import output, print_warning, progress
from passback.cli.ledger import newest_run
from passback.cli.status import run_lines
from passback.errors import ConfigurationError, PassbackError
from passback.night import folder_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import ObjectStoragePath
    from rich.console import Console

_ENDED: Final = {
    "failed": "The last run failed.",
    "interrupted": "The last run was killed. Run again: nothing is sent twice.",
    "running": "The last run has not ended. If it is not under way it was killed: run again, nothing is sent"
    " twice.",
}


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
    """Show the report of a district's last run, previews included: what was sent, what was not, and why.

    A run that failed leaves no report: if it is the last one, what the ledger knows of it comes first.
    """
    district_uri = f"{paths.stage()}/{district}"
    if run is None:
        folder = _last_report(district_uri)
        _tell_of_a_later_run(progress() if path else output(), district, folder)
    else:
        folder = f"{district_uri}/{folder_name(run)}/report"
    if folder is None:
        raise _no_report(district_uri)
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

    summary = _summary(folder_uri)
    console.print(terminal_report(summary))
    console.print()
    files = {
        "report.html": "Report",
        "not-passed.csv": "What did not pass",
        "changes.csv": "What changed",
    }
    if summary.get("preview") is not None:
        files["preview.csv"] = "What a run would do"
    for name, what in files.items():
        console.print(f"{what}: {readable(f'{folder_uri}/{name}')}", soft_wrap=True, markup=False)


def readable(uri: str) -> str:
    """A local file's path, as a person pastes it; any other URI as it is."""
    return uri.removeprefix("file://")


def _tell_of_a_later_run(console: Console, district: str, folder_uri: str | None) -> None:
    """Say what became of the last run, if it did not end well and is later than the last report."""
    from passback.report.words import local_time, waits

    shown = _summary(folder_uri) if folder_uri else None
    try:
        newest = newest_run(district)
    except PassbackError as error:
        if shown:  # else that there is no report is what is wrong, and says to look at the ledger
            print_warning(f"the ledger could not be asked whether a later run failed: {error}")
        return
    if newest is None or newest["state"] == "good" or not _is_later(newest, shown):
        return
    if shown and shown["run"] == newest["run"] and newest["state"] == "running" and waits(shown):
        return  # the report itself says that the run waits for a person
    console.print(Text(_ENDED[newest["state"]], style="bold red"), soft_wrap=True)
    for line in run_lines(newest):
        console.print(line, soft_wrap=True)
    if shown:
        began = local_time(shown["started_at"], shown["timezone"])
        console.print()
        which = "an earlier try of it" if shown["run"] == newest["run"] else f"run {shown['run']}"
        console.print(Text(f"The last report is of {began}, {which}.", style="bold"), soft_wrap=True)
    console.print()


def _is_later(run: Mapping[str, Any], shown: Mapping[str, Any] | None) -> bool:
    """Whether a run began after the one that a report is of, or is that one, cleared and begun again."""
    if shown is None or run["run"] == shown["run"]:
        return True
    return datetime.fromisoformat(run["started_at"]) > datetime.fromisoformat(shown["started_at"])


def _last_report(district_uri: str) -> str | None:
    """The folder of the district's last report; None if there is none."""
    folder = _open(district_uri)
    reports: list[Any] = list(folder.glob("*/report/report.json")) if folder.is_dir() else []
    if not reports:
        return None
    last = max(reports, key=lambda found: found.stat().st_mtime)
    return f"{district_uri}/{last.parent.parent.name}/report"


def _summary(folder_uri: str) -> dict[str, Any]:
    try:
        summary: dict[str, Any] = json.loads((_open(folder_uri) / "report.json").read_bytes())
    except FileNotFoundError:
        raise _no_report(folder_uri) from None
    return summary


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
