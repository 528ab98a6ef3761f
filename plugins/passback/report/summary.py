"""What a run's report is made of, and how it is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from passback.frame_store import open_folder, write_whole
from passback.report.page import page
from passback.report.tables import csv_bytes, preview_json
from passback.stages.preview import PREVIEW

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

CHANGE_COLUMNS: Final = (
    "kind",
    "class_title",
    "assessment_title",
    "student_id",
    "action",
    "field_changes",
)
NOT_PASSED_COLUMNS: Final = (
    "class_id",
    "class_title",
    "assessment_id",
    "assessment_title",
    "student_id",
    "outcome",
    "code",
    "sentence",
    "who",
    "mend",
    "all_codes",
)


@dataclass(frozen=True)
class Report:
    """What a run did.

    Attributes:
        summary: Plain JSON. The run as `passback status --json` shows it, and `name` (the district's full
            name), `timezone`, `classes` (a list of `{class_id, title, extracted}` with the six outcomes as
            further keys), `for_a_person` (a list of `{kind, class_title, assessment_title, scores,
            sentence}`, kind as `steps.report` has them), `written`
            (`{line_items, results}`: how many entries were sent, or in a preview would be), `limit` (how many
            scores the SIS is `known` to hold and how many of them would be `changed`, have `vanished` or are
            `refused`; whether it `asks`, its `share` and `at_least`, and rows of `classes`), `decision` (what
            was answered, `by` whom, `at` what time; empty texts where nobody was asked or has answered),
            `marks_left_out` (late and missing: how many scores went without, because the SIS holds none),
            `drift` (of a run that compared: `classes`, rows of `stages.reconcile.count_by_class`, the
            `not_compared` classes, how many `entries` drift.csv has, and the `policy`; else null),
            `preview` (rows of `stages.preview.count_by_class`; null of a real run), `category_changes` (what
            the SIS did to its categories: `steps.categories`, or null), `rule_set`, `mapping_file`.
        not_passed: `NOT_PASSED_COLUMNS`, one row a score that is neither sent nor unchanged, with its leading
            reason; `student_id` is the source's; `all_codes` has one space between codes.
        changes: `CHANGE_COLUMNS`, one row a line item or result that was written, or in a preview would be;
            `kind` is `line item` or `result`, `student_id` is empty for a line item.
        preview: `stages.preview.PREVIEW`, one row a line item or result of the source: what a run would do to
            it; None of a real run.
        drift: `stages.reconcile.DRIFT`, one row a line item or result that is not in the SIS as it was sent;
            None where the run compared nothing.
    """

    summary: dict[str, Any]
    not_passed: pd.DataFrame
    changes: pd.DataFrame
    preview: pd.DataFrame | None = None
    drift: pd.DataFrame | None = None


def _preview_files(report: Report) -> dict[str, Callable[[], bytes]]:
    """What would happen to each line item and result, as CSV and as JSON by class; none of a real run."""
    if report.preview is None:
        return {}
    listed = report.preview[list(PREVIEW.columns)]
    return {
        "preview.csv": lambda: csv_bytes(listed),
        "preview.json": lambda: preview_json(report.summary, listed),
    }


def _drift_files(report: Report) -> dict[str, Callable[[], bytes]]:
    """What differs between what was sent and what the SIS holds; none where nothing was compared."""
    listed = report.drift
    if listed is None:
        return {}
    return {
        "drift.csv": lambda: csv_bytes(listed),
        "drift.json": lambda: listed.to_json(orient="records", indent=1, force_ascii=False).encode(),
    }


def write_report(folder_uri: str, report: Report) -> dict[str, str]:
    """Write a report's files into a folder, each whole or not at all, over those that lay there.

    Args:
        folder_uri: Folder or bucket prefix; made if missing.
        report: What the run did.

    Returns:
        File name → its URI.
    """
    folder = open_folder(folder_uri)
    not_passed = report.not_passed[list(NOT_PASSED_COLUMNS)]
    changes = report.changes[list(CHANGE_COLUMNS)]
    contents: dict[str, Callable[[], bytes]] = (
        _preview_files(report)
        | _drift_files(report)
        | {
            "not-passed.csv": lambda: csv_bytes(not_passed),
            "changes.csv": lambda: csv_bytes(changes),
            "report.html": lambda: page(
                report.summary, not_passed, changes, report.preview, report.drift
            ).encode(),
            # Last: where it lies, the others are complete and of the same run.
            "report.json": lambda: json.dumps(report.summary, indent=1, ensure_ascii=False).encode(),
        }
    )
    uris = {}
    for name, content in contents.items():  # one at a time in memory: a CSV can have a million rows
        path = folder / name
        write_whole(path, content())
        uris[name] = str(path)
    return uris
