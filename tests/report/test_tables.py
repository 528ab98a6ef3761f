"""CSV that a spreadsheet opens rightly and safely."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passback.records import FORMULA_STARTS
from passback.report import tables
from passback.report.tables import csv_bytes


def cells(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_a_cell_that_begins_like_a_formula_becomes_text(start: str) -> None:
    content = csv_bytes(pd.DataFrame({"title": [f"{start}cmd|' /C calc'!A0"]}))
    assert cells(content)[1] == [f"'{start}cmd|' /C calc'!A0"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), max_size=5))
def test_no_cell_begins_like_a_formula_and_none_loses_a_character(titles: list[str]) -> None:
    data = pd.DataFrame({"class": "c", "title": pd.Series(titles, dtype="str")})
    rows = cells(csv_bytes(data))[1:]
    assert [title.startswith(FORMULA_STARTS) for _, title in rows] == [False] * len(titles)
    assert [title.removeprefix("'") for _, title in rows] == [title.removeprefix("'") for title in titles]


def test_lines_end_as_rfc_4180_says_and_excel_sees_utf_8() -> None:
    content = csv_bytes(pd.DataFrame({"title": ["Müller, søn", 'a "quoted" word']}))
    assert content == '\ufefftitle\r\n"Müller, søn"\r\n"a ""quoted"" word"\r\n'.encode()


def test_null_is_an_empty_cell() -> None:
    assert cells(csv_bytes(pd.DataFrame({"a": ["x", None], "b": ["y", "z"]})))[2] == ["", "z"]


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5])
def test_a_table_written_in_parts_is_the_same_table(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pd.DataFrame({"title": [f"=Müller {number}" for number in range(rows)], "code": "c"})
    whole = csv_bytes(data)
    monkeypatch.setattr(tables, "_ROWS_AT_ONCE", 2)
    assert csv_bytes(data) == whole


def test_a_table_without_rows_keeps_its_header() -> None:
    assert csv_bytes(pd.DataFrame(columns=["a", "b"])) == b"\xef\xbb\xbfa,b\r\n"
