"""The report in a terminal: the same account as the page, without a student's id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from passback.reasons import Actor, Outcome
from passback.report import words
from passback.stages.preview import EFFECTS, KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

OUTCOME_STYLES = {
    Outcome.SENT: "green",
    Outcome.UNCHANGED: "blue",
    Outcome.HELD: "yellow",
    Outcome.REJECTED: "red",
    Outcome.FAILED: "magenta",
    Outcome.CANCELLED: "dim",
}


def terminal_report(summary: Mapping[str, Any]) -> RenderableType:
    """What a run did, to print with rich.

    Args:
        summary: As `Report.summary`.
    """
    parts: list[RenderableType] = [*_head(summary), Text(), _outcomes(summary)]
    if summary["reasons"]:
        parts += [Text(), Text("Why", style="bold"), _reasons(summary)]
    if summary["for_a_person"]:
        parts += [Text(), Text("For a person to look at", style="bold"), _for_a_person(summary)]
    if summary.get("preview"):
        parts += [Text(), Text("What a run would do", style="bold"), _preview(summary)]
    if len(summary["classes"]) > 1:
        parts += [Text(), _classes(summary)]
    return Group(*parts)


def _head(summary: Mapping[str, Any]) -> list[Text]:
    facts = (
        words.local_time(summary["started_at"], summary["timezone"]),
        words.duration(summary["started_at"], summary["ended_at"]),
        words.MODES[summary["mode"]],
        f"{summary['requests']:,} requests to the SIS",
    )
    head = [
        Text(summary["name"], style="bold"),
        Text(" · ".join(facts), style="dim"),
        Text(),
        Text(words.headline(summary), style="bold"),
        *(Text(sentence) for sentence in words.account(summary)),
    ]
    if not words.adds_up(summary):
        head.append(Text("The counts do not add up: do not trust this run.", style="bold red"))
    return head


def _outcomes(summary: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, show_footer=True)
    table.add_column(footer="extracted")
    table.add_column(justify="right", footer=f"{summary['extracted']:,}")
    for outcome in Outcome:
        style = OUTCOME_STYLES[outcome] if summary["outcomes"][outcome] else "dim"
        table.add_row(Text(outcome, style=style), f"{summary['outcomes'][outcome]:,}")
    return table


def _reasons(summary: Mapping[str, Any]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right")
    grid.add_column(overflow="fold")
    for code, reason in words.reasons_by_scores(summary):
        title = Text.assemble(
            (code, OUTCOME_STYLES[Outcome(reason["outcome"])]), (f"  {reason['outcome']}", "dim")
        )
        also = reason["scores"] - reason["leading_scores"]
        if also:
            title.append(f", and {also:,} that another reason leads", style="dim")
        grid.add_row(f"{reason['leading_scores']:,}", title)
        grid.add_row("", Text(reason["sentence"]))
        grid.add_row("", Text(f"{words.WHO_ACTS[Actor(reason['who'])]}: {reason['mend']}", style="dim"))
    return grid


def _for_a_person(summary: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("Class", overflow="fold")
    table.add_column("Assessment", overflow="fold")
    table.add_column("Scores", justify="right")
    table.add_column("What happened", overflow="fold")
    for item in summary["for_a_person"]:
        table.add_row(
            Text(item["class_title"]),
            Text(item["assessment_title"]),
            f"{item['scores']:,}",
            Text(item["sentence"]),
        )
    return table


def _preview(summary: Mapping[str, Any]) -> Table:
    """Line items and results by what would become of them, of all classes."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("Line items", justify="right")
    table.add_column("Results", justify="right")
    for effect in EFFECTS:
        sums = [sum(row[kind][effect] for row in summary["preview"]) for kind in KINDS.values()]
        if any(sums):
            table.add_row(effect, *(f"{count:,}" for count in sums))
    return table


def _classes(summary: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("Class", overflow="fold")
    table.add_column("extracted", justify="right")
    for outcome in Outcome:
        table.add_column(outcome, justify="right")
    for row in summary["classes"]:
        counts = (f"{row[outcome]:,}" for outcome in Outcome)
        table.add_row(Text(row["title"] or row["class_id"]), f"{row['extracted']:,}", *counts)
    return table
