"""What Great Expectations says of every row: its outcome and the codes of the rules it breaks."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from passback.errors import ConfigurationError
from passback.reasons import Outcome
from passback.records import TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from passback.rules.suites import Rule, Suite

PASSED: Final = "passed"

_ROW: Final = "row"
# The rows only: the values that fail are a student's.
_RESULT_FORMAT: Final = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": [_ROW],
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}


def judge(frame: pd.DataFrame, suite: Suite, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Judge every row of a frame by a suite.

    Args:
        frame: The columns that the suite's rules look at, and any others.
        suite: The rules, in order.
        parameters: The district's settings and what else it says; also fills `$PARAMETER`.

    Returns:
        One row a row, with the frame's index: codes (in the suite's order, one space between) and outcome:
        rejected if one broken rule rejects, else held if one is broken, else passed.

    Raises:
        ConfigurationError: an expectation cannot be run: unknown type, arguments or column.
    """
    active = suite.active(parameters)
    columns = _columns(suite, active, frame)
    broken = {rule.reason.code: np.zeros(len(frame), dtype=bool) for _, rule in active}
    if len(frame):
        rows = frame[columns].set_axis(pd.RangeIndex(len(frame), name=_ROW))
        for rule, failed in _unmet(rows, suite, active, parameters):
            broken[rule.reason.code] |= failed
    return _verdicts(frame.index, suite, broken)


def _columns(suite: Suite, active: list[tuple[int, Rule]], frame: pd.DataFrame) -> list[str]:
    """The columns that the rules name; what they do not look at need not be carried along."""
    named: dict[str, None] = {}
    for position, rule in active:
        kwargs = rule.expectation["kwargs"]
        names = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
        names += kwargs.get("column_list", []) + _conditioned(kwargs.get("row_condition"))
        for name in names:
            if name not in frame.columns:
                raise ConfigurationError(
                    f"there is no column {name!r}.",
                    where=_where(suite, position, rule),
                    mend=f"Use one of: {', '.join(frame.columns)}.",
                )
            named[name] = None
    return list(named)


def _conditioned(condition: Any) -> list[str]:
    """The columns of a row condition, however deep."""
    if isinstance(condition, list):
        return [name for part in condition for name in _conditioned(part)]
    if not isinstance(condition, dict):
        return []
    column = condition.get("column")
    own = [column["name"]] if isinstance(column, dict) and "name" in column else []
    return own + [name for part in condition.values() for name in _conditioned(part)]


def _unmet(
    rows: pd.DataFrame, suite: Suite, active: list[tuple[int, Rule]], parameters: Mapping[str, Any]
) -> Iterator[tuple[Rule, np.ndarray]]:
    """Run the rules; yields each that some rows do not meet, with a mask of those rows."""
    # Its dozens of lines on its own inner life would hide the task's.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # It imports a module of the standard library that is on its way out.
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations as gx  # noqa: PLC0415 - takes seconds
        from great_expectations.data_context.types import base  # noqa: PLC0415 - as above

    # In memory alone: its default makes a folder for pages that are never written, and draws progress bars.
    config = base.DataContextConfig(
        store_backend_defaults=base.InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=base.ProgressBarsConfig(globally=False),
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    batch = (
        context.data_sources.add_pandas("frames")
        .add_dataframe_asset("frame")
        .add_batch_definition_whole_dataframe("whole")
        .get_batch(batch_parameters={"dataframe": rows})
    )
    expectations = gx.ExpectationSuite(name=suite.name)
    for place, (position, rule) in enumerate(active):
        # Results come back in another order; the place tells whose each is.
        expectation = {**rule.expectation, "meta": {"place": place}}
        try:
            read = gx.ExpectationSuite(name=suite.name, expectations=[expectation]).expectations
        except Exception as error:  # noqa: BLE001 - whatever it says, the suite is wrong
            raise _not_runnable(suite, position, rule, type(error).__name__) from None
        if len(read) != 1:
            raise _not_runnable(suite, position, rule, "refused by Great Expectations")
        expectations.expectations.extend(read)

    try:
        outcome = batch.validate(
            expectations, result_format=_RESULT_FORMAT, expectation_parameters=dict(parameters)
        )
    except Exception as error:  # noqa: BLE001 - as above; what it says may hold a value
        raise ConfigurationError(
            f"the suite cannot be run ({type(error).__name__}).",
            where=str(suite.path),
            mend="Undo its last change; docs/rules.md shows what may stand there.",
        ) from None
    for result in outcome.results:
        position, rule = active[result.expectation_config.meta["place"]]
        faults = [fault for fault in _faults(result.exception_info) if fault.get("raised_exception")]
        if faults or "unexpected_count" not in result.result:
            # Its message may hold a value, so it is not repeated.
            raise _not_runnable(suite, position, rule, "it does not judge row by row, or not these columns")
        if result.result["unexpected_count"]:
            failed = np.zeros(len(rows), dtype=bool)
            for found in result.result["unexpected_index_list"]:
                failed[found[_ROW]] = True
            yield rule, failed


def _faults(exception_info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What went wrong: one fault, or one a metric, as Great Expectations has it both ways."""
    if "raised_exception" in exception_info:
        return [exception_info]
    return list(exception_info.values())


def _verdicts(index: pd.Index, suite: Suite, broken: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Codes and outcome of every row; each combination is put into words once."""
    outcomes = {rule.reason.code: rule.reason.outcome for rule in suite.rules}
    pattern = np.zeros(len(index), dtype=np.int64)
    combinations: list[tuple[str, ...]] = [()]
    for code, rows in broken.items():
        if rows.any():
            pattern, distinct = pd.factorize(pattern * 2 + rows)
            combinations = [combinations[key // 2] + ((code,) if key % 2 else ()) for key in distinct]
    codes = pd.Series([" ".join(combination) for combination in combinations], dtype=TEXT)
    outcome = pd.Series(
        [_outcome({outcomes[code] for code in combination}) for combination in combinations], dtype=TEXT
    )
    return pd.DataFrame(
        {"codes": codes.take(pattern).set_axis(index), "outcome": outcome.take(pattern).set_axis(index)}
    )


def _outcome(outcomes: set[Outcome]) -> str:
    if Outcome.REJECTED in outcomes:
        return Outcome.REJECTED
    return Outcome.HELD if outcomes else PASSED


def _not_runnable(suite: Suite, position: int, rule: Rule, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the expectation {rule.expectation['type']} cannot be run ({why}).",
        where=_where(suite, position, rule),
        mend="Correct its type, arguments or columns; docs/rules.md shows what may stand there.",
    )


def _where(suite: Suite, position: int, rule: Rule) -> str:
    return f"{suite.path}: expectation {position + 1} ({rule.reason.code})"
