"""Frames into the database and out of it by COPY, column by column."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from psycopg2 import sql
from pyarrow import csv

from passback.errors import ContractError
from passback.records import INSTANT, NUMBER, TEXT, Frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from passback.ledger.database import Cursor

INTEGER: Final = "int64"
NULLABLE_INTEGER: Final = "Int64"

ARROW: Final = {
    TEXT: pa.large_string(),
    NUMBER: pa.float64(),
    INTEGER: pa.int64(),
    NULLABLE_INTEGER: pa.int64(),
    INSTANT: pa.timestamp("us", tz="UTC"),
}
POSTGRES: Final = {
    TEXT: "text",
    NUMBER: "double precision",
    INTEGER: "bigint",
    NULLABLE_INTEGER: "bigint",
    INSTANT: "timestamptz",
}

# What COPY's text format gives a meaning of its own; the backslash first.
ESCAPES: Final = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))


def names(columns: Iterable[str]) -> sql.Composed:
    """The columns as a list of identifiers."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def copy_in(cursor: Cursor, data: pd.DataFrame, shape: Frame, *, analyse: bool = True) -> None:
    """Make the temporary table `shape.name`, gone at the end of the transaction, and fill it with `data`.

    Null text is stored as the empty string, other nulls as NULL.

    Args:
        cursor: In a transaction.
        data: Has at least the columns of `shape`.
        shape: The table's name, its columns and their types.
        analyse: Whether the planner is told what is in it. That takes longer than the copy, and what reads
            the table row by row has no use for it.

    Raises:
        KeyError: a column is missing.
        ContractError: a column holds what its type, or PostgreSQL, cannot.
    """
    table = sql.Identifier("pg_temp", shape.name)
    definition = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(POSTGRES[dtype]))
        for column, dtype in shape.columns.items()
    )
    # pg_temp cannot be named when a temporary table is made with ON COMMIT, only when it is used.
    cursor.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP").format(
            sql.Identifier(shape.name), definition
        )
    )
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, names(shape.columns))
    columns = [_column_text(data[column], dtype, shape.name) for column, dtype in shape.columns.items()]
    cursor.copy_expert(statement, BytesIO(_lines(columns)))
    if analyse:
        cursor.execute(sql.SQL("ANALYZE {}").format(table))


def copy_out(cursor: Cursor, query: sql.Composable, shape: Frame) -> pd.DataFrame:
    """The rows of a query as a frame of this shape; the query's columns are the frame's, text never null."""
    buffer = BytesIO()
    cursor.copy_expert(sql.SQL("COPY ({}) TO STDOUT WITH (FORMAT csv, HEADER)").format(query), buffer)
    table = csv.read_csv(
        pa.BufferReader(buffer.getbuffer()),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={column: ARROW[dtype] for column, dtype in shape.columns.items()},
            null_values=[""],
            strings_can_be_null=False,
        ),
    )
    return shape.conform(table.to_pandas())


def _lines(columns: Sequence[pa.Array]) -> bytes:
    """Escaped columns in COPY's text format: unlike CSV it has no value that reads as an end-of-data mark."""
    if not columns or not len(columns[0]):
        return b""
    tab = pa.scalar("\t", ARROW[TEXT])
    lines = pc.binary_join_element_wise(*columns, tab, null_handling="replace", null_replacement="\\N")
    if isinstance(lines, pa.ChunkedArray):
        lines = lines.combine_chunks()
    # One list of all lines: joined where no other thread has to wait for it.
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), pa.scalar("\n", ARROW[TEXT]))
    data: bytes = whole[0].as_buffer().to_pybytes()
    return data


def _column_text(values: pd.Series, dtype: Any, table: str) -> pa.Array:
    where = f"{table}.{values.name}"
    try:
        array = pa.array(values.astype(dtype), type=ARROW[dtype], from_pandas=True)
    except (TypeError, ValueError):  # their messages quote the value
        raise ContractError(
            f"A value is not of the type {POSTGRES[dtype]}.", where=where, mend="Mend the stage that made it."
        ) from None
    if dtype != TEXT:
        return array.cast(ARROW[TEXT])
    array = pc.fill_null(array, "")
    if pc.any(pc.match_substring(array, "\x00")).as_py():
        raise ContractError(
            "A text holds a NUL character, which PostgreSQL cannot store.",
            where=where,
            mend="Have the system it comes from take the character out.",
        )
    for plain, escaped in ESCAPES:
        array = pc.replace_substring(array, plain, escaped)
    return array
