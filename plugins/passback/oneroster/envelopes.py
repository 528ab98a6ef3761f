"""Where records stand in what a SIS answers: under the key that OneRoster says, and under those in the field.

Also the ids that a SIS allots to what it is sent: OneRoster 1.2's sourcedIdPairs, and the echo of a PUT
without an id ("modified grade passback").
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

Kind = Literal["category", "lineItem", "result"]

COLLECTIONS: Final[Mapping[Kind, str]] = {
    "category": "categories",
    "lineItem": "lineItems",
    "result": "results",
}

# Collections that the standard lists under the key of another one, and servers under their own.
_OTHER_KEYS: Final = {
    "academicSessions": ("terms", "gradingPeriods"),
    "orgs": ("schools",),
    "users": ("students", "teachers"),
}
_SINGULAR: Final = {"categories": "category", "classes": "class"}


def records_in(content: Any, key: str) -> list[Any] | None:
    """The records of a page; None if it holds no list under `key`, nor under a key that stands for it.

    The list is no required part of its envelope in 1.2: an empty collection may come as `{}`.
    """
    if not isinstance(content, dict):
        return None
    if not content:
        return []
    singular = _SINGULAR.get(key, key.removesuffix("s"))
    for name in (key, *_OTHER_KEYS.get(key, ()), singular):
        if isinstance(records := content.get(name), list):
            return records
    return None


def allotted_id(kind: Kind, body: bytes) -> str:
    """The id in the echo of the one record that was sent without one; empty if there is none.

    Met are `{"lineItem": {…}}`, the same under the plural or in a list of one, and the bare record.
    """
    content = _parsed(body)
    if isinstance(content, dict):
        content = content.get(kind, content.get(COLLECTIONS[kind], content))
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    return _id(content.get("sourcedId")) if isinstance(content, dict) else ""


def allotted_ids(body: bytes, supplied: Collection[str]) -> dict[str, str]:
    """The SIS's ids by those its records were sent with, as far as its pairs tell them without a doubt.

    One pair may come without a list around it, or all without `sourcedIdPairs`. A pair of an id that was not
    sent, two pairs of one id that differ, and two ids that are told to be the same record tell nothing.
    """
    known = set(supplied)
    told = dict[str, set[str]]()
    takers = dict[str, set[str]]()
    for ours, theirs in _pairs(_parsed(body)):
        if ours in known and theirs:
            told.setdefault(ours, set()).add(theirs)
            takers.setdefault(theirs, set()).add(ours)
    return {
        ours: theirs
        for ours, (theirs, *others) in ((ours, sorted(ids)) for ours, ids in told.items())
        if not others and len(takers[theirs]) == 1
    }


def _pairs(content: Any) -> Iterator[tuple[str, str]]:
    if isinstance(content, dict):
        content = content.get("sourcedIdPairs", content)
    for pair in content if isinstance(content, list) else [content]:
        if isinstance(pair, dict):
            yield _id(pair.get("suppliedSourcedId")), _id(pair.get("allocatedSourcedId"))


def _id(value: Any) -> str:
    """An id as text: some servers number their records."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
