"""Narrower listings, for a SIS that honours `filter` and `fields` (OneRoster 1.1, 3.4.3 and 3.4.5).

Many SISs ignore or misread a filter: what comes is checked again on our side.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Operator = Literal["=", "!=", ">", ">=", "<", "<=", "~"]

_ORDERED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True)
class Filter:
    """One condition on the records of a listing.

    It goes out in the address, which others may log: never a student's id, name or score.

    Attributes:
        field: Its field; those of an object within it after a dot, such as `metadata.classId`.
        operator: As OneRoster writes it; `~` is "contains".
        value: What the field is compared with, without regard to case; what comes before and after, of two
            numbers and of two instants, by their value.
    """

    field: str
    operator: Operator
    value: str

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Whether a record meets it; a list does if one of its elements does, what is not there differs."""
        found = list(_values(record, self.field.split(".")))
        if self.operator == "!=":
            return not any(_same(value, self.value) for value in found)
        if self.operator == "=":
            return any(_same(value, self.value) for value in found)
        if self.operator == "~":
            return any(self.value.casefold() in value.casefold() for value in found)
        return any(_ORDERED[self.operator](*_comparable(value, self.value)) for value in found)


def narrowing(filters: Sequence[Filter], fields: Sequence[str]) -> dict[str, str]:
    """The query parameters for some filters, all of which must hold, and the fields that are wanted.

    Always among the fields are `sourcedId` and those that the filters look at. A value with a quote is left
    to our side: OneRoster knows no way of writing one.
    """
    query = dict[str, str]()
    if told := [f"{one.field}{one.operator}'{one.value}'" for one in filters if "'" not in one.value]:
        query["filter"] = " AND ".join(told)
    if fields:
        looked_at = (one.field.partition(".")[0] for one in filters)
        query["fields"] = ",".join(dict.fromkeys(("sourcedId", *fields, *looked_at)))
    return query


def _values(value: Any, path: Sequence[str]) -> Iterator[str]:
    """The texts at a path below a value."""
    if isinstance(value, list):
        for element in value:
            yield from _values(element, path)
    elif path and isinstance(value, dict):
        yield from _values(value.get(path[0]), path[1:])
    elif not path and value is not None and not isinstance(value, dict):
        yield str(value).lower() if isinstance(value, bool) else str(value)


def _same(held: str, wanted: str) -> bool:
    if held.casefold() == wanted.casefold():
        return True
    try:
        return _instant(held) == _instant(wanted)
    except ValueError:
        return False  # numbers too: an id 007 is not an id 7


def _comparable(held: str, wanted: str) -> tuple[Any, Any]:
    """Both as numbers or as instants if both are such, else as texts."""
    for read in (_number, _instant):
        try:
            return read(held), read(wanted)
        except ValueError:
            continue
    return held.casefold(), wanted.casefold()


def _number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


def _instant(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.timestamp()
