"""The feed contract as CSV files."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from passback.connections import Endpoint
from passback.errors import ContractError
from passback.frame_store import open_folder
from passback.records import ASSESSMENTS
from passback.sources import SOURCES, probe, pull
from passback.sources.contract import LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

    from passback.sources.pulled import Pull
    from sandbox_process import SandboxProcess

FILES = {
    "assessments": "id,class_id,title,type,grading_type,points_possible,include_in_final_grade,assigned_by,"
    "assigned_at,due_at,modified_at\n"
    'a1,biology,"Essay, long\nand short",Paper,points,10,true,t1,2026-11-01T15:00Z,,2026-11-01T15:00Z\n',
    "scores": "assessment_id,class_id,student_id,status,points,submitted_at,graded_at,modified_at\n"
    "a1,biology,007,graded,8.5,,2026-11-03T15:00Z,2026-11-03T15:00Z\n"
    "a1,biology,NA,graded,Late,,2026-11-03T15:00Z,2026-11-03T15:00Z\n",
    "classes": "id,sis_id,title,modified_at\nbiology,1001.0.01,Biology,2026-11-01T15:00Z\n",
    "students": "id,sis_id\n007,9007\nNA,\n",
    "staff": "id,sis_id,role,modified_at\nt1,50,teacher,2026-11-01T15:00Z\n",
    "group-members": "staff_id,joined_at,left_at,modified_at\nt1,2026-08-01T07:00Z,,2026-08-01T07:00Z\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def read(folder: Path) -> Pull:
    endpoint = Endpoint("files", f"file://{folder}", login="", secret="", extra={})
    pages = open_folder(f"file://{folder}/pages")
    return asyncio.run(
        pull(SOURCES["otus"], endpoint, pages, since=None, known=ASSESSMENTS.empty(), say=lambda _: None)
    )


def test_files_hold_the_same_as_the_http_feed(
    sandbox: SandboxProcess, endpoint: Endpoint, pages: ObjectStoragePath, tmp_path: Path
) -> None:
    sandbox.control("POST", "/export-csv", {"folder": str(tmp_path / "csv")})
    over_http = asyncio.run(
        pull(SOURCES["otus"], endpoint, pages, since=None, known=ASSESSMENTS.empty(), say=lambda _: None)
    )
    from_files = read(tmp_path / "csv")
    for name, data in over_http.frames.items():
        keys = list(data.columns)
        pd.testing.assert_frame_equal(
            data.sort_values(keys, ignore_index=True),
            from_files.frames[name].sort_values(keys, ignore_index=True),
        )


def test_ids_stay_text_as_they_are(folder: Path) -> None:
    scores = read(folder).frames["scores"]
    assert scores["student_id"].tolist() == ["007", "NA"]
    assert scores["points_text"].tolist() == ["", "Late"]


def test_a_quoted_line_break_is_part_of_its_cell(folder: Path) -> None:
    assert read(folder).frames["assessments"]["title"].tolist() == ["Essay, long and short"]


@pytest.mark.parametrize(
    "write",
    [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")],
    ids=["byte order mark", "CRLF"],
)
def test_what_spreadsheets_write_is_read(folder: Path, write: Callable[[str], str]) -> None:
    (folder / "classes.csv").write_bytes(write(FILES["classes"]).encode())
    assert read(folder).frames["classes"]["class_id"].tolist() == ["biology"]


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("scores", ("student_id,", ""), "scores.csv, line 1: columns are missing: student_id"),
        ("scores", (",", ";"), "scores.csv, line 1: semicolons stand between the cells"),
        ("scores", (",", "\t"), "scores.csv, line 1: tabs stand between the cells"),
        ("scores", (",", "|"), "scores.csv, line 1: vertical bars stand between the cells"),
        ("scores", ("points,", "points,points,"), "scores.csv, line 1: columns stand there twice: points"),
        (
            "scores",
            ("graded,8.5", "graded,8.5,more"),
            "scores.csv, record 1: a row has 9 cells, the header 8",
        ),
        ("scores", ("graded,8.5,,", "graded,8.5,"), "scores.csv, record 1: a row has 7 cells, the header 8"),
        ("scores", ("Late,,2026-11-03T15:00Z,2026", "Late"), "scores.csv, record 2: a row has 5 cells"),
        ("scores", ("Late", '"Late'), "scores.csv: a quote is opened and never closed"),
        ("scores", ("Late", "La\x00te"), "scores.csv, line 3: the file holds a NUL byte"),
        ("scores", (",2026-11-03T15:00Z\n", ",2026-11-03T15:00\n"), "record 1, field modified_at"),
        ("scores", (",2026-11-03T15:00Z\n", ",\n"), "record 1, field modified_at"),
        ("scores", ("2026-11-03T15:00Z\n", "3 November\n"), "scores.csv, record 1, field modified_at"),
        ("scores", ("a1,biology,007", "a1,biology,"), "scores.csv, record 1, field student_id"),
        ("assessments", (",true,", ",maybe,"), "assessments.csv, record 1, field include_in_final_grade"),
        ("assessments", ("t1,2026-11-01T15:00Z", "t1,"), "assessments.csv, record 1, field assigned_at"),
        ("assessments", ("2026-11-01T15", "2026-02-30T15"), "assessments.csv, field assigned_at"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_file_and_field(
    folder: Path, name: str, change: tuple[str, str], told: str
) -> None:
    (folder / f"{name}.csv").write_text(FILES[name].replace(*change))
    with pytest.raises(ContractError, match=told) as refused:
        read(folder)
    assert "November" not in str(refused.value)


@pytest.mark.parametrize("content", ["", "\ufeff", "\n\n"], ids=["no byte", "a mark", "blank lines"])
def test_an_empty_file_is_named(folder: Path, content: str) -> None:
    (folder / "students.csv").write_text(content, "utf-8")
    with pytest.raises(ContractError, match=r"students\.csv: the file is empty"):
        read(folder)


def test_a_header_without_records_is_no_record(folder: Path) -> None:
    (folder / "group-members.csv").write_text("staff_id,joined_at,left_at")
    assert read(folder).frames["memberships"].empty


def test_files_that_were_put_together_with_their_headers_are_refused(folder: Path) -> None:
    (folder / "students.csv").write_text(FILES["students"] * 2)
    with pytest.raises(ContractError, match=r"students\.csv, record 3: 1 rows are not a record"):
        read(folder)


def test_columns_that_may_be_left_out_are_read_where_they_are(folder: Path) -> None:
    lines = FILES["scores"].splitlines()
    (folder / "scores.csv").write_text(f"late,{lines[0]}\ntrue,{lines[1]}\n,{lines[2]}\n")
    assert read(folder).frames["scores"]["mark"].tolist() == ["late", ""]
    assert read(folder).frames["assessments"]["published"].isna().all()


def test_a_cell_of_ten_megabytes_is_cut_to_what_no_gradebook_takes(folder: Path) -> None:
    text = FILES["assessments"].replace("Essay", "Essay" * 2_000_000)
    (folder / "assessments.csv").write_text(text)
    (title,) = read(folder).frames["assessments"]["title"]
    assert len(title) == LONGEST_TEXT + 1
    assert title.endswith("…")


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "staff.csv").unlink()
    with pytest.raises(ContractError, match=r"staff\.csv: the file is missing"):
        read(folder)


def test_a_file_that_is_not_utf_8_is_named_with_its_line(folder: Path) -> None:
    (folder / "classes.csv").write_bytes(FILES["classes"].replace("Biology", "Géologie").encode("latin-1"))
    with pytest.raises(ContractError, match=r"classes\.csv, line 2: the file is not UTF-8"):
        read(folder)


def test_a_probe_counts_the_records_of_the_files(folder: Path) -> None:
    endpoint = Endpoint("files", f"file://{folder}", login="", secret="", extra={})
    assert asyncio.run(probe(SOURCES["otus"], endpoint))["scores"] == 2


@pytest.mark.parametrize("cell", ["\uff11\uff12", "\u0663", "1_000", "1e3", "0x10", " 8", "½", "9²"])
def test_what_only_looks_like_a_number_refuses_its_score_alone(folder: Path, cell: str) -> None:
    (folder / "scores.csv").write_text(FILES["scores"].replace(",8.5,", f",{cell},"), encoding="utf-8")
    scores = read(folder).frames["scores"]
    assert scores["points"].isna().tolist()[0]
    assert scores["points_text"].tolist()[0] == cell.strip()
