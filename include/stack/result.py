"""The night's result as a person reads it: one table of all districts, reasons, where to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from passback.night import folder_name
from stack.districts import DISTRICTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["all_good", "show"]

OUTCOMES = {
    "sent": "written to the SIS and read back equal",
    "unchanged": "the SIS already holds it",
    "held": "not ready yet; taken up again every night",
    "rejected": "a rule forbids it until a person changes something",
    "failed": "the SIS or the network refused it; the next run tries again",
    "cancelled": "the run was stopped before it was sent",
}
TOP = 3


def all_good(runs: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether there is a run of every district, and each of its scores, one at least, has an outcome."""
    return len(runs) == len(DISTRICTS) and all(_adds_up(run) for run in runs.values())


def show(
    known: Mapping[str, Mapping[str, Any]],
    *,
    runs: Mapping[str, str],
    stage: Path,
    succeeded: Mapping[str, bool],
) -> None:
    """Print what became of the scores.

    Args:
        known: What the ledger knows of tonight's runs, by district, as `passback status --json` gives them.
        runs: Airflow's run ids by district.
        stage: The folder of the stage.
        succeeded: Whether each DAG run succeeded.
    """
    console = Console(highlight=False, width=None if Console().is_terminal else 130)
    console.print(_outcomes(known))
    for outcome, meaning in OUTCOMES.items():
        console.print(f"  {outcome:<10} {meaning}")
    console.print(_reasons(known))
    for district in runs:
        if district not in known:
            console.print(
                f"✗ {district}: the ledger knows nothing of this run: it failed before it was opened."
            )
        elif not _adds_up(known[district]):
            console.print(
                f"✗ {district}: the counts do not add up: a score was lost on its way.", style="bold red"
            )
        if not succeeded[district]:
            console.print(
                f"✗ {district}: the run failed; the lines above say where and what to do.", style="bold red"
            )
    console.print()
    for district, run in runs.items():
        report = stage / district / folder_name(run) / "report" / "report.html"
        if report.exists():
            console.print(f"Report    {report}", soft_wrap=True)


def _adds_up(run: Mapping[str, Any]) -> bool:
    return bool(run["extracted"] > 0 and run["extracted"] == sum(run["outcomes"].values()))


def _outcomes(known: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table("district", "route", "scores", *OUTCOMES, "requests", title="What became of every score")
    for column in table.columns[2:]:
        column.justify = "right"
    for district in DISTRICTS:
        if run := known.get(district.name):
            counts = [str(run["outcomes"][outcome]) for outcome in OUTCOMES]
            route = f"{district.lms} → {district.sis}"
            table.add_row(district.name, route, str(run["extracted"]), *counts, str(run["requests"]))
    return table


def _reasons(known: Mapping[str, Mapping[str, Any]]) -> Table:
    """The reasons that lead for most scores of each district."""
    table = Table(
        "district",
        "scores",
        "outcome",
        "reason",
        "who acts, and how",
        title="Why scores did not pass: the most frequent reasons",
    )
    table.columns[1].justify = "right"
    for district, run in known.items():
        ranked = sorted(run["reasons"].items(), key=lambda item: (-item[1]["leading_scores"], item[0]))
        for code, reason in ranked[:TOP]:
            table.add_row(
                district,
                str(reason["leading_scores"]),
                reason["outcome"],
                f"{reason['sentence']} ({code})",
                f"{reason['who']}: {reason['mend']}",
            )
        table.add_section()
    return table
