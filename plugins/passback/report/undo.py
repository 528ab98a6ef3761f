"""What an undo would put back, or has put back: undo.html, undo.csv and undo.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from passback.frame_store import open_folder, write_whole
from passback.report.rendering import render
from passback.report.tables import csv_bytes
from passback.report.words import local_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

MOST_ROWS: Final = 500

FATE_WORDS: Final = {
    "put_back": "previous value back",
    "clear": "cleared, nothing stood there before",
    "cleared": "cleared, nothing stood there before",
    "withdraw": "taken out of the gradebook",
    "withdrawn": "taken out of the gradebook",
    "emptied": "emptied, but still there",
    "as_before": "as before already",
    "left": "left as it is",
    "not_possible": "not possible",
    "failed": "not verified",
}


@dataclass(frozen=True)
class UndoReport:
    """What an undo would do, or did.

    Attributes:
        summary: Plain JSON: district, name, timezone, run (the undo's key), undoes, of_mode (the mode of the
            run that is undone), ordered_by, state (planned or good), started_at, ended_at, line_items and
            results (how many by fate), categories_kept (how many categories the run created; they stay).
        changes: `stages.undo.UNDO_CHANGES`.
    """

    summary: dict[str, Any]
    changes: pd.DataFrame


def write_undo_report(folder_uri: str, report: UndoReport) -> None:
    """Write the report's three files, each whole or not at all; undo.json last.

    Args:
        folder_uri: Folder or bucket prefix; made if missing.
        report: What the undo would do, or did.
    """
    folder = open_folder(folder_uri)
    write_whole(folder / "undo.csv", csv_bytes(report.changes))
    write_whole(folder / "undo.html", undo_page(report).encode())
    content = report.summary | {"changes": report.changes.to_dict("records")}
    write_whole(folder / "undo.json", json.dumps(content, indent=1, ensure_ascii=False).encode())


def undo_page(report: UndoReport) -> str:
    """The report as one HTML page that needs nothing else; the first 500 rows are shown."""
    summary = report.summary
    return render(
        "undo.html",
        summary=summary,
        headline=undo_headline(summary),
        began=local_time(summary["started_at"], summary["timezone"]),
        words=FATE_WORDS,
        fates=[fate for fate in FATE_WORDS if fate in summary["line_items"] or fate in summary["results"]],
        changes=report.changes.head(MOST_ROWS).to_dict("records"),
        changes_total=len(report.changes),
    )


def undo_headline(summary: dict[str, Any]) -> str:
    """One line: how much goes back, or went, and how much does not."""
    counts = [summary["line_items"], summary["results"]]

    def total(*fates: str) -> int:
        return sum(count.get(fate, 0) for count in counts for fate in fates)

    back = total("put_back", "clear", "cleared", "withdraw", "withdrawn", "emptied")
    verb = "would go back" if summary["state"] == "planned" else "went back"
    told = [f"{back:,} {'value' if back == 1 else 'values'} {verb}"]
    for fates, words in (
        (("as_before",), "as before already"),
        (("left",), "left as they are"),
        (("not_possible",), "not possible"),
        (("failed",), "not verified"),
    ):
        if count := total(*fates):
            told.append(f"{count:,} {words}")
    return ", ".join(told)


def undo_body(undoes: str, counts: Mapping[str, Any]) -> str:
    """What a person is asked, in Markdown, in counts alone.

    Args:
        undoes: The key of the run that is undone.
        counts: line_items and results by fate, and folder, where the report lies.
    """
    rows = [
        f"| {words} | {counts['line_items'].get(fate, 0):,} | {counts['results'].get(fate, 0):,} |"
        for fate, words in FATE_WORDS.items()
        if fate in counts["line_items"] or fate in counts["results"]
    ]
    return "\n".join(
        (
            f"Run `{undoes}`:",
            "",
            "| | line items | results |",
            "| --- | ---: | ---: |",
            *rows,
            "",
            f"All of it, from which value to which: {counts['folder']}/undo.html",
        )
    )
