"""Frames as CSV that a spreadsheet opens rightly and safely.

RFC 4180 (CRLF, quotes doubled), UTF-8 with a byte order mark: without one Excel reads UTF-8 as the machine's
old code page. Titles come from people, and a spreadsheet runs a cell that begins like a formula, so such a
cell gets a leading apostrophe, which spreadsheets show as text (OWASP, CSV injection).
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from passback.records import FORMULA_STARTS

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

_ROWS_AT_ONCE: Final = 50_000


def csv_bytes(data: pd.DataFrame) -> bytes:
    """`data`, all of it text, as CSV; null becomes an empty cell."""
    written = io.BytesIO()
    for first in range(0, max(len(data), 1), _ROWS_AT_ONCE):  # a copy of a million rows is too much
        _safe(data.iloc[first : first + _ROWS_AT_ONCE]).to_csv(
            written,
            index=False,
            header=first == 0,
            lineterminator="\r\n",
            encoding="utf-8" if first else "utf-8-sig",
        )
    return written.getvalue()


def preview_json(summary: Mapping[str, Any], listed: pd.DataFrame) -> bytes:
    """A preview by class: its counts, and each line item and result under `entries`.

    Args:
        summary: district, run, reasons and preview, as `Report.summary`.
        listed: As `Report.preview`, by class.
    """
    entries = listed.drop(columns=["class_id", "class_title"]).fillna("")
    of_class = entries.groupby(listed["class_id"], sort=False)
    head = {name: summary[name] for name in ("district", "run", "reasons")}
    written = io.BytesIO()
    written.write(json.dumps(head, ensure_ascii=False).encode().removesuffix(b"}") + b', "classes": [')
    for place, counts in enumerate(summary["preview"]):  # a class at a time, not a million records at once
        written.write(b",\n" if place else b"\n")
        written.write(json.dumps(counts, ensure_ascii=False).encode().removesuffix(b"}"))
        rows = of_class.get_group(counts["class_id"])
        written.write(b', "entries": ' + rows.to_json(orient="records", force_ascii=False).encode() + b"}")
    written.write(b"\n]}\n")
    return written.getvalue()


def _safe(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with an apostrophe before what a spreadsheet would run."""
    safe: dict[Hashable, pd.Series[str]] = {}
    for name, column in rows.items():
        text = column.fillna("").astype("str")
        safe[name] = text.mask(text.str.startswith(FORMULA_STARTS), "'" + text)
    return pd.DataFrame(safe, columns=rows.columns)
