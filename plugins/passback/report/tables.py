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


def csv_bytes(data: pd.DataFrame) -> bytes:
    """`data`, all of it text, as CSV; null becomes an empty cell."""
    safe: dict[Hashable, pd.Series[str]] = {}
    for name, column in data.items():
        text = column.fillna("").astype("str")
        safe[name] = text.mask(text.str.startswith(FORMULA_STARTS), "'" + text)
    written = io.BytesIO()
    pd.DataFrame(safe, columns=data.columns).to_csv(
        written, index=False, lineterminator="\r\n", encoding="utf-8-sig"
    )
    return written.getvalue()
