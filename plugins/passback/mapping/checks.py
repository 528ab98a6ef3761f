"""What may stand in the fields of a mapping file, and the words for what may not.

Each check takes what the file says and gives what the model keeps. No message repeats a value: it could
be a secret in the wrong place.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from croniter import CroniterBadDateError, croniter  # type: ignore[import-untyped]

from passback.rules.settings import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# --- What is wrong with a mapping ---


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a mapping.

    Attributes:
        field: The keys that lead to it; empty for the mapping as a whole.
        what: What is wrong and what was expected. Never holds a value that looks like a secret.
        mend: What to do about it.
    """

    field: tuple[str | int, ...]
    what: str
    mend: str


class WrongError(ValueError):
    """Carries problems out of a check; their fields are below the checked one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.what for problem in self.problems))

    @classmethod
    def of(cls, what: str, mend: str) -> WrongError:
        """The error of one problem of the checked field itself."""
        return cls([Problem((), what, mend)])

    @classmethod
    def raise_any(cls, problems: Iterable[Problem]) -> None:
        """Raise if there are problems."""
        problems = list(problems)
        if problems:
            raise cls(problems)


# --- Words ---


def nearest(word: object, known: Iterable[str]) -> str:
    """A mend that names the known words nearest to `word`, or an empty string if none is near."""
    by_fold = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(str(word)[:100].casefold(), by_fold, n=3, cutoff=0.7)
    return f"Did you mean {' or '.join(by_fold[name] for name in found)}?" if found else ""


# --- Values ---


def text(value: Any) -> str:
    """Text on one line, not empty, without spaces around it."""
    if not isinstance(value, str):
        raise WrongError.of(
            f"expected text, found {kind_of(value)}.",
            "Write one text; put it in quotes if it is a number, a date or yes/no.",
        )
    if not value.isprintable() or not value or value != value.strip():
        raise WrongError.of(
            "expected text that is not empty, without spaces around it and on one line.",
            "Write the text as it is shown in the system it comes from.",
        )
    return value


def text_list(value: Any) -> tuple[Any, ...]:
    """A list; its entries are checked one by one."""
    if not isinstance(value, list | tuple):
        raise WrongError.of(f"expected a list, found {kind_of(value)}.", "Write it as [first, second].")
    return tuple(value)


def gradebook_numbers(value: Any) -> dict[str, int]:
    """Class ids, each with the number of a gradebook."""
    if not isinstance(value, dict):
        raise WrongError.of(
            f"expected class ids with the numbers of their gradebooks, found {kind_of(value)}.",
            'Write it as {"990_TN_421": 4721}.',
        )
    problems = []
    for key, number in value.items():
        if isinstance(number, bool) or not isinstance(number, int):
            what = f"expected the number of one gradebook, found {kind_of(number)}."
        elif not 0 < number < 2**31:
            what = "a gradebook's number is at least 1 and has at most ten digits."
        else:
            continue
        problems.append(Problem((key,), what, "Write the gradebook's number, without quotes."))
    WrongError.raise_any(problems)
    return value


def district_name(value: Any) -> str:
    """A district's name, which is also its DAG's id."""
    name = text(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", name):
        raise WrongError.of(
            "expected letters, digits, - and _ (at most 100, beginning with a letter or digit).",
            "Name the district as its DAG is to be called, for example `lakeview`.",
        )
    if name.endswith("-categories"):
        raise WrongError.of(
            "a name that ends in -categories is that of the DAG which imports a district's categories.",
            "Choose another ending.",
        )
    if name.endswith("-undo"):
        raise WrongError.of(
            "a name that ends in -undo is that of the DAG which undoes a district's runs.",
            "Choose another ending.",
        )
    return name


def connection_id(value: Any) -> str:
    """The id of an Airflow connection."""
    if isinstance(value, str) and ("://" in value or value.startswith("//")):
        raise WrongError.of(
            "expected the id of an Airflow connection, found an address.",
            "Put the address into an Airflow connection and write that connection's id here.",
        )
    name = text(value)
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", name):
        raise WrongError.of(
            "expected the id of an Airflow connection: letters, digits, `-`, `_` and `.`.",
            "Write the id under which the connection stands in Airflow, for example `lakeview_skyward`.",
        )
    return name


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def time_zone(value: Any) -> str:
    """The name of a time zone."""
    name = text(value)
    if name not in _zones():
        raise WrongError.of(
            "expected a time zone of the IANA database.",
            nearest(name, _zones()) or "Write it as region and city, for example America/Los_Angeles.",
        )
    return name


@lru_cache(maxsize=1024)
def _fires(expression: str) -> bool | None:
    """Whether a cron expression ever comes round; None if it is not one of five fields."""
    # croniter also knows seconds, years, @daily and R (a random time): they are not what a night is.
    if not re.fullmatch(r"[^\s@]+( [^\s@]+){4}", expression) or re.search(r"\b[RH]\b", expression):
        return None
    if not croniter.is_valid(expression):
        return None
    try:
        croniter(expression, dt.datetime(2024, 1, 1, tzinfo=dt.UTC)).get_next()
    except CroniterBadDateError:
        return False
    return True


def cron(value: Any) -> str | None:
    """A cron expression of five fields that comes round some day, or nothing."""
    if value is None:
        return None
    expression = " ".join(text(value).split())
    fires = _fires(expression)
    if fires is None:
        raise WrongError.of(
            "expected a cron expression of five fields: minute, hour, day of month, month, day of week.",
            'Write for example "0 22 * * *" for every night at 22:00, or null to run only by hand.',
        )
    if not fires:
        raise WrongError.of("this cron expression never comes round.", "Choose a day that its months have.")
    return expression


def date(value: Any) -> dt.date:
    """A day."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise WrongError.of(
                "there is no such day in the calendar.", "Write an existing day as year-month-day."
            ) from None
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
        raise WrongError.of(
            f"expected a date without a time, found {kind_of(value)}.",
            "Write it as year-month-day, for example 2026-08-17.",
        )
    return value


def one_of(known: Iterable[str]) -> Callable[[Any], str]:
    """A check that a text is one of those known."""
    names = sorted(known)

    def check(value: Any) -> str:
        name = text(value)
        if name not in names:
            mend = nearest(name, names) or f"Write {names[0]}."
            raise WrongError.of(f"expected one of: {', '.join(names)}.", mend)
        return name

    return check
