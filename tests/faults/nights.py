"""Nights of a case: attempts at a run in which things go wrong, and good ones."""

from __future__ import annotations

import json
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from faults import people
from faults.transports import DISTRICT, ZONE
from faults.world import TODAY
from passback.night import TASKS

if TYPE_CHECKING:
    from faults.under_way import Play

    Note = dict[str, Any]

EVENING: Final = datetime(TODAY.year, TODAY.month, TODAY.day, 19, tzinfo=ZoneInfo(ZONE))
ERRORS_OF_OURS_ALONE: Final = ("UnforeseenError", "CountsError", "LedgerOutdatedError")
STORES_WITHIN: Final = 30  # seconds


def night(play: Play, night: dict[str, Any]) -> None:
    """Changes and edits, then attempts at one run."""
    for change in night.get("changes", []):
        people.change(play, change)
    for edit in night.get("edits", []):
        people.edit(play, edit)
    # What the source held is read whole or not at all, but a run may be gone on with after it changed.
    play.history.append(play.expected())
    run_key, start = f"night_{len(play.history)}", 0
    tasks = list(TASKS)
    for attempt in night["attempts"]:
        if "from" in attempt:
            start = min(start, tasks.index(attempt["from"]))
        for fault in attempt.get("faults", []):
            play.sandbox.fault(**fault)
        notes = _attempt(play, run_key, tasks[start:] + attempt.get("again", []), attempt)
        play.sandbox.lift_faults()
        _await_late_commits(play)
        play.servers.await_postgres()
        done = {note["task"] for note in notes if "error" not in note}
        start = next((place for place in range(start, len(tasks)) if tasks[place] not in done), 0)
        if start == 0 and "audit" in done:
            start = tasks.index("load-to-sis")  # a good run whose load is cleared all the same


def good_night(play: Play, mode: str) -> Note:
    """A night in which nothing goes wrong, and must not; what its audit returned."""
    notes = _attempt(play, f"good_{play.attempts}", list(TASKS), {"mode": mode})
    for note in notes:
        if "error" in note:
            play.broken.append(f"a good night failed: {note['task']}: {note['error']}: {note['message']}")
    if not notes or notes[-1]["task"] != "audit":
        play.broken.append("a good night did not come to its end")
        return {}
    returned: Note = notes[-1].get("returned", {})
    return returned


def warm_up(play: Play) -> None:
    """Have the process that does the nights do one by itself, so that it has everything imported."""
    play.servers.order([new_order(play, "warm", list(TASKS), {})])


def _await_late_commits(play: Play) -> None:
    """Wait until the SIS has stored what it is still storing: Airflow tries again much later."""
    give_up = time.monotonic() + STORES_WITHIN
    while play.sandbox.control("GET", "/faults")["late"]:
        if time.monotonic() > give_up:
            message = "the SIS is still storing what was sent long ago"
            raise TimeoutError(message)
        time.sleep(0.02)  # between two looks


def _attempt(play: Play, run_key: str, tasks: list[str], attempt: dict[str, Any]) -> list[Note]:
    """One attempt, or two at once; the notes of the first."""
    play.attempts += 1
    orders = [new_order(play, run_key, tasks, attempt)]
    as_hasty = {"faults": attempt.get("faults")}  # it meets the same
    match attempt.get("besides"):
        case "another run":
            orders.append(new_order(play, f"{run_key}_besides", list(TASKS), as_hasty))
        case "the same tasks":
            orders.append(new_order(play, run_key, [task for task in tasks if task in tasks[-2:]], as_hasty))
    first, *_ = carry_out(play, orders)
    return first


def carry_out(play: Play, orders: list[dict[str, Any]]) -> list[list[Note]]:
    """Have orders done at once; the notes of each. What no run may end with breaks a promise."""
    told = []
    for order, exit_code in zip(orders, play.servers.order(orders), strict=True):
        notes = _notes(order)
        told.append(notes)
        for note in notes:
            if note.get("error") in ERRORS_OF_OURS_ALONE or not note.get("foreseen", True):
                play.broken.append(f"{order['run_key']}, {note['task']}: {note['error']}: {note['message']}")
        play.log.append(f"{order['run_key']}: ended {exit_code}, {_told(notes)}")
        to_be_killed = order["strike"] is not None and order["strike"]["what"] == "kill"
        if exit_code not in ({0, -signal.SIGKILL} if to_be_killed else {0}):
            play.broken.append(f"{order['run_key']}: the process ended with {exit_code}")
    return told


def new_order(play: Play, run_key: str, tasks: list[str], attempt: dict[str, Any]) -> dict[str, Any]:
    """What the process that does the nights is told: some tasks of a run, one after another."""
    play.orders += 1
    return {
        "environment": play.environment(),
        "district": DISTRICT,
        "run_key": run_key,
        "mode": attempt.get("mode", "changes"),
        "tasks": tasks,
        "now": EVENING.replace(minute=min(59, play.attempts)).isoformat(),
        "notes": str(play.folder / f"notes_{play.orders}.jsonl"),
        "hasty": bool(attempt.get("faults")),
        "strike": attempt.get("strike"),
        "postgres": play.servers.postgres.process.pid,
    }


def _notes(order: dict[str, Any]) -> list[Note]:
    file = Path(order["notes"])
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _told(notes: list[Note]) -> str:
    told = [
        f"{note['task']} {note.get('error') or 'done'} ({note['seconds']} s"
        + (f", {note['calls']} calls)" if note["calls"] else ")")
        for note in notes
    ]
    return ", ".join(told)
