"""A feed as CSV files: the contract's collections, one complete file each, in a folder or a bucket."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pandas as pd

from passback.errors import ContractError
from passback.frame_store import open_folder
from passback.sources.contract import COLLECTIONS, Collection, canonical
from passback.sources.feed import FRAME_OF
from passback.sources.pulled import Pull

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.connections import Endpoint

_FLAGS: Final = {"true": True, "false": False, "": None}
_NUMBER: Final = r"[+-]?(\d+(\.\d*)?|\.\d+)"
_NUMBERS: Final = ("points", "points_possible")
_REQUIRED: Final = {"assigned_at", "joined_at"}
_INSTANT: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)"


def read_folder(endpoint: Endpoint, *, say: Callable[[str], None]) -> Pull:
    """Read every collection from the folder that the connection names.

    Args:
        endpoint: The connection whose address is a folder's URI (`file:///…`, `s3://…`).
        say: Told about progress, in counts.

    Raises:
        ContractError: a file is missing or not what the contract says; names the file, line and field.
    """
    as_of = datetime.now(UTC)
    frames = {}
    for collection in COLLECTIONS:
        frame = canonical(collection.name, _read_file(endpoint, collection), f"{collection.name}.csv")
        say(f"{len(frame):,} {collection.name} read")
        frames[FRAME_OF[collection.name]] = frame
    return Pull(
        frames=frames,
        deleted={},
        totals={name: len(frame) for name, frame in frames.items()},
        as_of=as_of,
        since=None,
        requests=0,
    )


def _read_file(endpoint: Endpoint, collection: Collection) -> pd.DataFrame:
    path = open_folder(endpoint.base_url) / f"{collection.name}.csv"
    where = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ContractError(
            "the file is missing",
            where=where,
            mend="Let the export write all six files; include/sandbox/README.md lists them.",
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ContractError(
            "the file is not UTF-8",
            where=f"{where}, line {line}",
            mend="Let the export write UTF-8.",
        ) from None
    header = next(csv.reader(io.StringIO(text)), [])
    missing = [name for name in collection.fields if name not in header]
    if missing:
        raise ContractError(
            f"columns are missing: {', '.join(missing)}",
            where=f"{where}, line 1",
            mend=f"The header must hold {', '.join(collection.fields)}, with commas between.",
        )
    try:
        records = pd.read_csv(io.StringIO(text), dtype="str", keep_default_na=False)
    except pd.errors.ParserError as error:
        found = re.search(r"line \d+", str(error))
        raise ContractError(
            "a line does not have the cells that the header names",
            where=f"{where}, {found[0]}" if found else where,
            mend="Let the export quote cells that hold commas or line breaks.",
        ) from None
    return _typed(records[list(collection.fields)], collection, where)


def _typed(records: pd.DataFrame, collection: Collection, where: str) -> pd.DataFrame:
    """The cells as the JSON form would hold them: null for an empty one, numbers and flags as such."""
    typed = records.where(records != "")
    for name in records.columns:
        cells = records[name]
        if name in _NUMBERS:
            numeric = cells.str.fullmatch(_NUMBER)
            typed[name] = pd.to_numeric(cells.where(numeric)).astype("object").where(numeric, typed[name])
        elif name == "include_in_final_grade":
            _refuse(~cells.isin(_FLAGS), where, name, "true or false")
            typed[name] = cells.map(_FLAGS)
        elif name.endswith("_at"):
            _refuse(
                (cells != "") & ~cells.str.fullmatch(_INSTANT),
                where,
                name,
                "an ISO 8601 instant with its zone",
            )
    for name in collection.key:
        _refuse(records[name].str.fullmatch(r"[^\x00-\x1f\x7f]{1,200}").eq(False), where, name, "an id")  # noqa: FBT003
    for name in _REQUIRED & set(records.columns):
        _refuse(records[name] == "", where, name, "an instant")
    return typed


def _refuse(wrong: pd.Series, where: str, field: str, expected: str) -> None:
    """Raise for the first record whose cell is wrong; a quoted line break makes its line a later one."""
    if wrong.any():
        raise ContractError(
            f"{int(wrong.sum())} cells are not {expected}",
            where=f"{where}, record {int(wrong.to_numpy().argmax()) + 1}, field {field}",
            mend=f"Let the export write {expected}.",
        )
