"""Frames as CSV that a spreadsheet opens rightly and safely.

RFC 4180 (CRLF, quotes doubled), UTF-8 with a byte order mark: without one Excel reads UTF-8 as the machine's
old code page. Titles come from people, and a spreadsheet runs a cell that begins like a formula, so such a
cell gets a leading apostrophe, which spreadsheets show as text (OWASP, CSV injection).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Hashable

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


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


def _safe(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with an apostrophe before what a spreadsheet would run."""
    safe: dict[Hashable, pd.Series[str]] = {}
    for name, column in rows.items():
        text = column.fillna("").astype("str")
        safe[name] = text.mask(text.str.startswith(FORMULA_STARTS), "'" + text)
    return pd.DataFrame(safe, columns=rows.columns)
