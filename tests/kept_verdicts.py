"""Verdicts are asked for once in a process: the same row gets the same, and each asking costs a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from passback.records import TEXT
from passback.rules import verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from passback.rules.suites import Suite

# Which row it is: only rules that compare rows look at these.
IDENTITY = ("assessment_id", "class_id", "student_id")
COMPARES_ROWS = "expect_compound_columns_to_be_unique"


def judge_once() -> Callable[[pd.DataFrame, Suite, Mapping[str, Any]], pd.DataFrame]:
    """`rules.verdicts.judge`, that knows its answers again: by row, rules and settings."""
    known: dict[tuple[Any, ...], tuple[str, str]] = {}

    def judge(frame: pd.DataFrame, suite: Suite, parameters: Mapping[str, Any]) -> pd.DataFrame:
        identity = [name for name in IDENTITY if name in frame]
        rules = [rule.expectation for rule in suite.rules]
        unique = [rule["kwargs"]["column_list"] for rule in rules if rule["type"] == COMPARES_ROWS]
        if frame.empty or any(frame.duplicated(columns).any() for columns in unique):
            return verdicts.judge(frame, suite, parameters)
        asked = (repr(suite), repr(sorted(parameters.items())), *frame.columns)
        content = frame.drop(columns=identity).astype(object).where(frame.notna(), None)
        rows = [(asked, *row) for row in content.itertuples(index=False, name=None)]
        if new := [position for position, row in enumerate(rows) if row not in known]:
            told = verdicts.judge(frame.iloc[new], suite, parameters)
            for position, *verdict in zip(new, told["codes"], told["outcome"], strict=True):
                known[rows[position]] = tuple(verdict)
        return pd.DataFrame(
            [known[row] for row in rows], columns=["codes", "outcome"], index=frame.index, dtype=TEXT
        )

    return judge
