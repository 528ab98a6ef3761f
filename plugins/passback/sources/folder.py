"""A feed as CSV files: its collections, one complete file each, in a folder or a bucket."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pandas as pd
import pyarrow as pa
from pyarrow import csv

from passback.errors import ConfigurationError, ContractError, PermissionRefusedError
from passback.frame_store import open_folder
from passback.records import SOURCE_FRAMES
from passback.sources.canonical import canonical
from passback.sources.contract import LONGEST_TEXT, Collection, Feed
from passback.sources.pulled import Pull

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.connections import Endpoint

_FLAGS: Final = {"true": True, "false": False, "": None}
_FLAG_FIELDS: Final = (
    "include_in_final_grade",
    "sync",
    "course_published",
    "published",
    "whole_section",
    "due_uniform",
    "late",
    "missing",
)
# Digits of other scripts are digits to a regular expression, and none to pandas.
_NUMBER: Final = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)"
_NUMBERS: Final = ("points", "points_possible")
_REQUIRED: Final = ("assigned_at", "joined_at", "modified_at")
_INSTANT: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_ID: Final = r"[^\x00-\x1f\x7f]{1,200}"
_OTHER_DELIMITERS: Final = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_DELIMITER_MEND: Final = "Let the export write commas between the cells (RFC 4180)."


def read_folder(feed: Feed, endpoint: Endpoint, *, say: Callable[[str], None]) -> Pull:
    """Read every collection from the folder that the connection names.

    Args:
        feed: What the platform calls it all.
        endpoint: The connection whose address is a folder's URI (`file:///…`, `s3://…`).
        say: Told about progress, in counts.

    Raises:
        ConfigurationError: the address is of no kind of folder that Airflow can open.
        ContractError: a file is missing or not what the contract says; names the file, line and field.
        PermissionRefusedError: a file may not be read.
    """
    as_of = datetime.now(UTC)
    frames = {frame.name: frame.empty() for frame in SOURCE_FRAMES}
    totals = {}
    for collection in feed.collections:
        name = collection.frame.name
        frames[name] = canonical(
            collection,
            _read_file(feed, endpoint, collection),
            f"{collection.name}.csv",
            statuses=feed.statuses,
            say=say,
        )
        totals[name] = len(frames[name])
        say(f"{totals[name]:,} {collection.name} read")
    return Pull(frames=frames, deleted={}, totals=totals, as_of=as_of, requests=0)


def _read_file(feed: Feed, endpoint: Endpoint, collection: Collection) -> pd.DataFrame:
    where = f"{endpoint.base_url}/{collection.name}.csv"
    try:
        content = (open_folder(endpoint.base_url) / f"{collection.name}.csv").read_bytes()
    except (ValueError, ImportError):  # no such kind of storage, or no provider of it is installed
        raise ConfigurationError(
            "Airflow cannot open this kind of folder",
            where=f"connection {endpoint.connection}",
            mend="Set its host to file:///…, or install Airflow's provider for the bucket.",
        ) from None
    except FileNotFoundError:
        files = ", ".join(f"{each.name}.csv" for each in feed.collections)
        raise ContractError(
            "the file is missing", where=where, mend=f"Let the export write all its files: {files}."
        ) from None
    except PermissionError:
        raise PermissionRefusedError(
            "the file may not be read",
            where=where,
            mend="Let the account that runs Airflow's tasks, or the bucket's connection, read it.",
        ) from None
    _check_text(content, where)
    header = _header(content, where)
    _check_header(header, collection, where)
    table = _cells(content, [name for name in collection.own_names.values() if name in header], where)
    records = table.rename(columns={own: name for name, own in collection.own_names.items()})
    return _typed(records, collection, where)


def _check_text(content: bytes, where: str) -> None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ContractError(
            "the file is not UTF-8",
            where=f"{where}, line {line}",
            mend="Let the export write UTF-8 (not Latin-1, Windows-1252 or UTF-16).",
        ) from None
    if (at := content.find(b"\x00")) >= 0:
        line = content.count(b"\n", 0, at) + 1
        raise ContractError(
            "the file holds a NUL byte, which no text does",
            where=f"{where}, line {line}",
            mend="Let the export write the file again, as UTF-8 without NUL bytes.",
        )
    if content.count(b'"') % 2:
        raise ContractError(
            "a quote is opened and never closed",
            where=where,
            mend="Let the export close every quote, and double those within a cell (RFC 4180).",
        )


def _header(content: bytes, where: str) -> list[str]:
    """The cells of the first line."""
    lines = content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").splitlines()
    if not lines:
        raise ContractError(
            "the file is empty",
            where=where,
            mend="Let the export write the header even where there are no records.",
        )
    return [name.strip('"') for name in lines[0].decode().split(",")]


def _check_header(header: list[str], collection: Collection, where: str) -> None:
    own_names = collection.own_names
    required = [own for name, own in own_names.items() if name not in collection.defaults]
    where = f"{where}, line 1"
    mend = f"The header must hold {', '.join(required)}, with commas between."
    if len(header) == 1 and len(required) > 1:
        for delimiter, called in _OTHER_DELIMITERS.items():
            if delimiter in header[0]:
                raise ContractError(
                    f"{called} stand between the cells, not commas", where=where, mend=_DELIMITER_MEND
                )
    if missing := [name for name in required if name not in header]:
        raise ContractError(f"columns are missing: {', '.join(missing)}", where=where, mend=mend)
    if twice := [name for name in own_names.values() if header.count(name) > 1]:
        raise ContractError(f"columns stand there twice: {', '.join(twice)}", where=where, mend=mend)


def _cells(content: bytes, columns: list[str], where: str) -> pd.DataFrame:
    """The columns as text, cell by cell as they stand there."""
    try:
        table = csv.read_csv(
            io.BytesIO(content + b"\n"),  # a header alone needs its end
            # One block, since a cell may be longer than any; one thread, so that rows are counted.
            read_options=csv.ReadOptions(use_threads=False, block_size=len(content) + 2),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                include_columns=columns, column_types=dict.fromkeys(columns, pa.string()), null_values=[]
            ),
        )
    except pa.ArrowInvalid as error:  # quotes the row
        found = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", str(error))
        raise ContractError(
            f"a row has {found[3]} cells, the header {found[2]}" if found else "the file is no CSV",
            where=f"{where}, record {int(found[1]) - 1}" if found else where,
            mend="Let the export quote cells that hold commas or line breaks, and write every cell.",
        ) from None
    records: pd.DataFrame = table.to_pandas()
    return records


def _typed(records: pd.DataFrame, collection: Collection, where: str) -> pd.DataFrame:
    """The cells as the JSON form would hold them: null for an empty one, numbers and flags as such."""
    own_names = collection.own_names
    again = records.eq(pd.Series(own_names)[records.columns], axis="columns").all(axis="columns")
    _refuse(again, "a record, but the header once more", where)
    for name in collection.key:
        _refuse(~records[name].str.fullmatch(_ID), "an id", where, own_names[name])
    typed = {
        name: _values(records[name].str.slice(stop=LONGEST_TEXT + 1), name, where, own_names[name])
        if name in records
        else pd.Series(collection.defaults[name], index=records.index, dtype="object")
        for name in own_names
    }
    return pd.DataFrame(typed, index=records.index)


def _values(cells: pd.Series, name: str, where: str, own_name: str) -> pd.Series:
    """What the cells of a column mean, by the contract's name of their field."""
    filled = cells.where(cells.ne(""), None)
    if name in _FLAG_FIELDS:
        _refuse(~cells.isin(_FLAGS), "true or false", where, own_name)
        return cells.map(_FLAGS).astype("object").where(cells.ne(""), None)
    if name in _NUMBERS:
        numeric = cells.str.fullmatch(_NUMBER)
        return pd.to_numeric(cells.where(numeric)).astype("object").where(numeric, filled)
    if name.endswith("_at"):
        wrong = filled.notna() & ~cells.str.fullmatch(_INSTANT)
        _refuse(wrong, "an ISO 8601 instant with its zone", where, own_name)
        if name in _REQUIRED:
            _refuse(filled.isna(), "an instant", where, own_name)
    return filled


def _refuse(wrong: pd.Series, expected: str, where: str, field: str = "") -> None:
    """Raise for the first record that is wrong; a quoted line break makes its line a later one."""
    if wrong.any():
        place = f"{where}, record {int(wrong.to_numpy().argmax()) + 1}"
        raise ContractError(
            f"{int(wrong.sum()):,} {'cells' if field else 'rows'} are not {expected}",
            where=f"{place}, field {field}" if field else place,
            mend=f"Let the export write {expected}." if field else "Let the export write one header.",
        )
