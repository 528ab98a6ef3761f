"""What a person has done with the ledger by a command, in a process that may be struck as a night's may."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from passback import connections, ledger

if TYPE_CHECKING:
    from collections.abc import Callable


def purge(connection: ledger.Connection, district: str, told: dict[str, Any]) -> dict[str, int]:
    return asdict(
        ledger.purge(
            connection,
            district,
            before=datetime.fromisoformat(told["before"]),
            due_before=date.fromisoformat(told["due_before"]),
            purged_by="test",
        )
    )


def suppress(connection: ledger.Connection, district: str, told: dict[str, Any]) -> bool:
    return ledger.suppress(connection, district, told["kind"], told["id"], reason="test", ordered_by="test")


def unsuppress(connection: ledger.Connection, district: str, told: dict[str, Any]) -> bool:
    return ledger.unsuppress(connection, district, told["kind"], told["id"], reason="", ordered_by="test")


def explain(connection: ledger.Connection, district: str, told: dict[str, Any]) -> list[dict[str, Any]]:
    return ledger.explain_score(connection, district, told["assessment"], told["student"], None)


COMMANDS: Final[dict[str, Callable[[ledger.Connection, str, dict[str, Any]], Any]]] = {
    "purge": purge,
    "suppress": suppress,
    "unsuppress": unsuppress,
    "explain": explain,
}


def command(name: str, *, district: str, told: dict[str, Any]) -> Any:
    """Do one of `COMMANDS` as it is told; what it returned, for a line of JSON."""
    with closing(ledger.connect(connections.ledger_url())) as connection:
        return COMMANDS[name](connection, district, told)
