"""Faults on order: what goes wrong, where, how often."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sandbox.exchange import refused

if TYPE_CHECKING:
    from sandbox.exchange import Sandbox

SIDES: Final = ("feed", "sis", "token")

KINDS: Final = {
    "status": "answer with `status` instead of doing anything",
    "html": "answer with a page of HTML (`status`, 200 unless given) instead of doing anything",
    "empty": "answer a listing with nothing in it",
    "malformed": "do it, then answer JSON that is cut off (`status`, 200 unless given)",
    "drop": "close the connection without doing or answering anything",
    "connection-reset": "the same, by a TCP reset",
    "down": "drop every connection; for the SIS those to its token endpoint too",
    "slow": "wait `seconds` (5 unless given), then go on",
    "slow-body": "do it, then let the answer's body drip out over `seconds` (5 unless given)",
    "late-commit": "wait `seconds` (5 unless given), then do it and close the connection without an answer",
    "truncate": "do it, then close the connection in the middle of the answer",
    "bad-item": "list as always, but the first item lacks its identifying fields",
    "store-nothing": "accept a write and store nothing",
    "partial-bulk": "of a list posted store the first `stores` (half unless given), answer `answers` ids",
    "wrong-total": "list as always, but X-Total-Count says `total` (0 unless given)",
    "cap-pages": "list at most `items` at once (10 unless given), whatever the limit",
    "ignore-offset": "list from the first record on, whatever the offset",
    "error-after-commit": "do it, then answer `status` (500 unless given)",
    "drop-after-commit": "do it, then close the connection without an answer",
    "reset-after-commit": "the same, by a TCP reset",
    "revoke-tokens": "revoke every access token, then go on (once, unless `times` says otherwise)",
    "expire-tokens": "let every access token expire, then go on (once, unless `times` says otherwise)",
    "bad-secret": "the token endpoint answers 401 invalid_client",
}


@dataclass
class Fault:
    """One fault; `after` matching requests pass first, then it strikes `times` times (None: until lifted).

    Attributes:
        side: `feed`, `sis` or `token`.
        kind: One of `KINDS`, which says what the other fields are for.
        status: An HTTP status.
        retry_after: Seconds for the header Retry-After, which is left out for None.
        retry_after_date: Whether that header has the form of an HTTP date.
        seconds: How long it takes.
        method: Only requests with this method, if any.
        path: Only requests whose path this regular expression is found in, if any.
        items: Items of a page.
        total: What X-Total-Count says.
        stores: How many records of a list are stored; None for half of them.
        answers: How many of its ids are answered; None for those that are stored.
        times: How often it strikes.
        after: How many matching requests pass first.
        struck: How often it has struck.
    """

    side: str
    kind: str
    status: int | None = None
    retry_after: int | None = None
    retry_after_date: bool = False
    seconds: float = 5.0
    method: str = ""
    path: str = ""
    items: int = 10
    total: int = 0
    stores: int | None = None
    answers: int | None = None
    times: int | None = None
    after: int = 0
    struck: int = field(default=0)

    def concerns(self, side: str, method: str, path: str) -> bool:
        """Whether a request is one that this fault is meant for."""
        sides = {"sis", "token"} if self.kind == "down" and self.side == "sis" else {self.side}
        return (
            side in sides
            and (not self.method or self.method == method)
            and (not self.path or re.search(self.path, path) is not None)
        )


def take(faults: list[Fault], side: str, method: str, path: str) -> Fault | None:
    """The first fault that strikes this request; one that is used up is taken off the list."""
    for fault in list(faults):
        if not fault.concerns(side, method, path):
            continue
        if fault.after > 0:
            fault.after -= 1
            continue
        fault.struck += 1
        if fault.times is not None and fault.struck >= fault.times:
            faults.remove(fault)
        return fault
    return None


_WHOLE_NUMBERS: Final = {  # and the least that each may be
    "status": 200,
    "retry_after": 0,
    "items": 1,
    "total": 0,
    "stores": 0,
    "answers": 0,
    "times": 1,
    "after": 0,
}


def _check(order: dict[str, Any]) -> None:
    """Refuse an order that says nothing or something else than it means."""
    known = {"side", "kind", "retry_after_date", "seconds", "match", *_WHOLE_NUMBERS}
    if unknown := set(order) - known:
        raise refused(422, f"A fault has no field {', '.join(sorted(unknown))}.", fields=sorted(known))
    if order.get("side") not in SIDES:
        raise refused(422, f"side is one of {', '.join(SIDES)}.")
    if order.get("kind") not in KINDS:
        raise refused(422, f"kind is one of {', '.join(KINDS)}.", kinds=KINDS)
    if order["kind"] == "status" and not order.get("status"):
        raise refused(422, "A fault of kind status needs its status.")
    _check_numbers(order)
    match = order.get("match") or {}
    if not isinstance(match, dict) or set(match) - {"method", "path"}:
        raise refused(422, "match is an object of method and path.")
    try:
        re.compile(str(match.get("path") or ""))
    except re.error:
        raise refused(422, "match.path is not a regular expression.") from None


def _check_numbers(order: dict[str, Any]) -> None:
    if not isinstance(order.get("retry_after_date", False), bool):
        raise refused(422, "retry_after_date is not true or false.")
    for name, least in _WHOLE_NUMBERS.items():
        value = order.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise refused(422, f"{name} is not a whole number from {least}.")
    seconds = order.get("seconds", 5)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
        raise refused(422, "seconds is not a number from 0.")


def ordered(order: dict[str, Any]) -> Fault:
    """The fault that an order describes.

    Raises:
        RefusedError: the order is not understood (422).
    """
    _check(order)
    match = order.get("match") or {}
    once = order["kind"] in {"revoke-tokens", "expire-tokens"}
    return Fault(
        side="token" if order["kind"] == "bad-secret" else order["side"],
        kind=order["kind"],
        status=order.get("status"),
        retry_after=order.get("retry_after"),
        retry_after_date=order.get("retry_after_date", False),
        seconds=float(order.get("seconds", 5)),
        method=str(match.get("method") or "").upper(),
        path=str(match.get("path") or ""),
        items=order.get("items") or 10,
        total=order.get("total") or 0,
        stores=order.get("stores"),
        answers=order.get("answers"),
        times=order.get("times", 1 if once else None),
        after=order.get("after") or 0,
    )


def stored_and_answered(fault: Fault | None, records: int) -> tuple[int, int]:
    """How many records of a list are stored, and how many of their ids are answered."""
    if fault is None or fault.kind != "partial-bulk":
        return records, records
    stored = records // 2 if fault.stores is None else min(fault.stores, records)
    return stored, stored if fault.answers is None else min(fault.answers, records)


def waiting(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The faults that may still strike, as the control interface shows them."""
    return [
        {
            "side": fault.side,
            "kind": fault.kind,
            "status": fault.status,
            "retry_after": fault.retry_after,
            "retry_after_date": fault.retry_after_date,
            "seconds": fault.seconds,
            "match": {"method": fault.method, "path": fault.path},
            "items": fault.items,
            "total": fault.total,
            "stores": fault.stores,
            "answers": fault.answers,
            "times": fault.times,
            "after": fault.after,
            "struck": fault.struck,
        }
        for fault in sandbox.faults
    ]
