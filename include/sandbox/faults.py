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
    "drop": "close the connection without doing or answering anything",
    "down": "the same, and for the SIS its token endpoint too",
    "slow": "wait `seconds` (5 unless given), then go on",
    "truncate": "do it, then close the connection in the middle of the answer",
    "bad-item": "list as always, but the first item lacks its identifying fields",
    "store-nothing": "accept a write and store nothing",
    "error-after-commit": "do it, then answer `status` (500 unless given)",
    "drop-after-commit": "do it, then close the connection without an answer",
    "revoke-tokens": "revoke every access token, then go on (once, unless `times` says otherwise)",
    "bad-secret": "the token endpoint answers 401 invalid_client",
}


@dataclass
class Fault:
    """One fault; `after` matching requests pass first, then it strikes `times` times (None: until lifted)."""

    side: str
    kind: str
    status: int | None = None
    retry_after: int | None = None
    seconds: float = 5.0
    method: str = ""
    path: str = ""
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


def _check(order: dict[str, Any]) -> None:
    """Refuse an order that says nothing or something else than it means."""
    known = {"side", "kind", "status", "retry_after", "seconds", "match", "times", "after"}
    if unknown := set(order) - known:
        raise refused(422, f"A fault has no field {', '.join(sorted(unknown))}.", fields=sorted(known))
    if order.get("side") not in SIDES:
        raise refused(422, f"side is one of {', '.join(SIDES)}.")
    if order.get("kind") not in KINDS:
        raise refused(422, f"kind is one of {', '.join(KINDS)}.", kinds=KINDS)
    if order["kind"] == "status" and not order.get("status"):
        raise refused(422, "A fault of kind status needs its status.")
    for name, least in (("status", 200), ("retry_after", 0), ("times", 1), ("after", 0)):
        value = order.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise refused(422, f"{name} is not a whole number from {least}.")
    seconds = order.get("seconds", 5)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
        raise refused(422, "seconds is not a number from 0.")
    match = order.get("match") or {}
    if not isinstance(match, dict) or set(match) - {"method", "path"}:
        raise refused(422, "match is an object of method and path.")
    try:
        re.compile(str(match.get("path") or ""))
    except re.error:
        raise refused(422, "match.path is not a regular expression.") from None


def ordered(order: dict[str, Any]) -> Fault:
    """The fault that an order describes.

    Raises:
        RefusedError: the order is not understood (422).
    """
    _check(order)
    match = order.get("match") or {}
    times = order.get("times", 1) if order["kind"] == "revoke-tokens" else order.get("times")
    return Fault(
        side="token" if order["kind"] == "bad-secret" else order["side"],
        kind=order["kind"],
        status=order.get("status"),
        retry_after=order.get("retry_after"),
        seconds=float(order.get("seconds", 5)),
        method=str(match.get("method") or "").upper(),
        path=str(match.get("path") or ""),
        times=times,
        after=order.get("after") or 0,
    )


def waiting(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The faults that may still strike, as the control interface shows them."""
    return [
        {
            "side": fault.side,
            "kind": fault.kind,
            "status": fault.status,
            "retry_after": fault.retry_after,
            "seconds": fault.seconds,
            "match": {"method": fault.method, "path": fault.path},
            "times": fault.times,
            "after": fault.after,
            "struck": fault.struck,
        }
        for fault in sandbox.faults
    ]
