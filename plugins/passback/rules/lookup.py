"""Looking values of one frame up in another, column by column."""

from __future__ import annotations

import numpy as np
import pandas as pd


def positions(wanted: pd.DataFrame, among: pd.DataFrame) -> np.ndarray:
    """For every row of `wanted` the position of the first row of `among` that has its values, or -1.

    Only the columns of `among` are compared. One integer a column and value makes this cheap for millions.
    """
    found = np.ones(len(wanted), dtype=bool)
    wanted_key = np.zeros(len(wanted), dtype=np.int64)
    among_key = np.zeros(len(among), dtype=np.int64)
    for name in among.columns:
        values = pd.Index(among[name].unique())
        part = values.get_indexer(pd.Index(wanted[name]))
        found &= part >= 0
        wanted_key = wanted_key * len(values) + part
        among_key = among_key * len(values) + values.get_indexer(pd.Index(among[name]))
    if not len(among):
        return np.full(len(wanted), -1)
    keys, first = np.unique(among_key, return_index=True)
    place = pd.Index(keys).get_indexer(pd.Index(wanted_key))
    return np.where(found & (place >= 0), first[place], -1)


def mapped(values: pd.Series, table: pd.DataFrame, key: str, column: str) -> pd.Series:
    """Each value's `column` in the first row of `table` that has it as `key`; null for none."""
    rows = table.drop_duplicates(key)
    place = pd.Index(rows[key]).get_indexer(pd.Index(values))
    return taken(rows[column], place).set_axis(values.index)


def agreed(table: pd.DataFrame, key: str, column: str) -> pd.DataFrame:
    """`table` without the keys that have several values in `column`: none of those can be believed."""
    said = table[[key, column]].drop_duplicates()
    return table[~table[key].isin(said.loc[said.duplicated(key), key])]


def taken(column: pd.Series, place: np.ndarray) -> pd.Series:
    """The values at these positions; null for -1."""
    if column.empty:
        return pd.Series(index=range(len(place)), dtype=column.dtype)
    return column.reset_index(drop=True).take(place).where(place >= 0)
