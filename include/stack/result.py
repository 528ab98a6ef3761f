"""The night's result as a person reads it: numbers, reasons in sentences, where to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from passback.night import folder_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["adds_up", "show"]

OUTCOMES = {
    "sent": "written to the SIS and read back equal",
    "unchanged": "the SIS already holds it",
    "held": "not ready yet; taken up again every night",
    "rejected": "a rule forbids it until a person changes something",
    "failed": "the SIS or the network refused it; the next run tries again",
    "cancelled": "the run was stopped before it was sent",
}
TOP = 5


def adds_up(run: Mapping[str, Any]) -> bool:
    """Whether every extracted score ended in exactly one outcome, and there were any."""
    return bool(run["extracted"] > 0 and run["extracted"] == sum(run["outcomes"].values()))


def show(run: Mapping[str, Any] | None, *, night: str, district: str, stage: Path, succeeded: bool) -> None:
    """Print what became of the scores.

    Args:
        run: The run as `passback status --json` gives it; None if the ledger knows none.
        night: Airflow's run id.
        district: The DAG's id.
        stage: The folder of the stage.
        succeeded: Whether the DAG run succeeded.
    """
    console = Console(highlight=False, width=None if Console().is_terminal else 110)
    if run is not None and run["run"] == night:
        console.print(_outcomes(run))
        if run["reasons"]:
            console.print(_reasons(run["reasons"]))
        if not adds_up(run):
            console.print("✗ The counts do not add up: a score was lost on its way.", style="bold red")
    else:
        console.print("The ledger knows nothing of this run: it failed before it was opened.")
    if not succeeded:
        console.print("✗ The run failed; the lines above say where and what to do.", style="bold red")
    report = stage / district / folder_name(night) / "report" / "report.html"
    if report.exists():
        console.print(f"\nReport    {report}", soft_wrap=True)


def _outcomes(run: Mapping[str, Any]) -> Table:
    table = Table(
        "scores", "outcome", "meaning", title=f"{run['district']}: {run['extracted']} scores extracted"
    )
    table.columns[0].justify = "right"
    for outcome, meaning in OUTCOMES.items():
        table.add_row(str(run["outcomes"][outcome]), outcome, meaning)
    table.add_section()
    table.add_row(str(sum(run["outcomes"].values())), "in all", f"{run['requests']} requests to the SIS")
    return table


def _reasons(reasons: Mapping[str, Mapping[str, Any]]) -> Table:
    """The reasons that lead for most scores."""
    ranked = sorted(reasons.items(), key=lambda item: (-item[1]["leading_scores"], item[0]))
    table = Table(
        "scores",
        "outcome",
        "reason",
        "who acts, and how",
        title="Why scores did not pass, the most frequent reasons",
    )
    table.columns[0].justify = "right"
    for code, reason in ranked[:TOP]:
        table.add_row(
            str(reason["leading_scores"]),
            reason["outcome"],
            f"{reason['sentence']} ({code})",
            f"{reason['who']}: {reason['mend']}",
        )
    return table
