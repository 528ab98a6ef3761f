"""Copies of the whole state in memory: back to a seeded district in milliseconds."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sandbox.exchange import answer, object_of, refused
from sandbox.store import transaction

if TYPE_CHECKING:
    from sandbox.exchange import Answer, Call


def _name(call: Call) -> str:
    body = object_of(call.body)
    name = body.get("name", "snapshot")
    if set(body) - {"name"} or not isinstance(name, str) or not name:
        raise refused(422, "The body holds at most the name of the snapshot.")
    return name


def snapshot(call: Call) -> Answer:
    """POST /control/snapshot {"name"}: keep a copy of the state until the sandbox ends."""
    name = _name(call)
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    call.sandbox.connection.backup(copy)
    before = call.sandbox.snapshots.pop(name, None)
    if before is not None:
        before.close()
    call.sandbox.snapshots[name] = copy
    return answer({"name": name, "snapshots": sorted(call.sandbox.snapshots)}, 201)


def restore(call: Call) -> Answer:
    """POST /control/restore {"name"}: the state as it was, its settings too; faults are lifted, tokens stay.

    The clock does not go back: what changes afterwards is later than everything before.
    """
    sandbox, name = call.sandbox, _name(call)
    if name not in sandbox.snapshots:
        raise refused(404, "There is no such snapshot.", snapshots=sorted(sandbox.snapshots))
    given = sandbox.connection.execute("SELECT token, scope, expires_at FROM tokens").fetchall()
    sandbox.snapshots[name].backup(sandbox.connection)
    with transaction(sandbox.connection):
        sandbox.connection.executemany("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?)", given)
    sandbox.faults.clear()
    sandbox.epoch += 1
    return answer({"name": name})
