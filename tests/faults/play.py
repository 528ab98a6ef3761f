"""Plays a case: a small district, some nights in which things go wrong, then good ones; what must hold then.

A case is plain JSON (README.md), the same in a file of `cases/`, in a failing test's output and on the
command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from faults.nights import good_night, night, warm_up
from faults.people import FOREIGN, put_foreign
from faults.promises import check, check_links, check_outcomes
from faults.transports import TRANSPORTS, write_mapping
from faults.under_way import Play
from faults.world import CLASSES, day, first_source

if TYPE_CHECKING:
    from faults.servers import Servers

Case = dict[str, Any]


def play(case: Case, servers: Servers) -> Play:
    """Play a case to its end; `broken` of what comes back is empty if every promise was kept."""
    name = case["transport"]
    transport, sandbox = TRANSPORTS[name], servers.sandbox(name)
    folder = servers.folder / "case" / uuid4().hex
    folder.mkdir(parents=True)
    write_mapping(servers.folder / "mappings", transport)
    with servers.new_ledger() as ledger_url:
        playing = Play(servers, transport, sandbox, ledger_url, folder, first_source())
        begin(playing, name)
        if not servers.warm:
            warm_up(playing)
            return play(case, servers)
        for each in case["nights"]:
            night(playing, each)
        _end_well(playing)
        return playing


def begin(playing: Play, name: str) -> None:
    """Bring the sandbox to where every case of its transport begins, one teacher's own assignment in it."""
    sandbox, servers = playing.sandbox, playing.servers
    if name in servers.begun:
        sandbox.control("POST", "/restore", {})
        playing.foreign |= servers.begun[name]
        return
    if playing.transport.settings:
        sandbox.control("PATCH", "/settings", playing.transport.settings)
    for assessment in sandbox.feed_items("assessments"):
        if assessment["class_id"] not in CLASSES:  # such as Aeries' elementary schools
            sandbox.control("DELETE", f"/assessments/{assessment['id']}/{assessment['class_id']}")
    due = day(160).isoformat()
    put_foreign(playing, f"{FOREIGN}1", "AAA-2013J", "Reading list", "Homework", due, "1")
    sandbox.control("POST", "/snapshot", {})
    servers.begun[name] = playing.foreign.copy()


def _end_well(playing: Play) -> None:
    """Good nights, after which everything must be as it should."""
    edited = bool(playing.touched)
    mode = "full" if edited else "changes"
    playing.history.append(playing.expected())
    if playing.lost and not playing.transport.recreates:
        check_outcomes(playing, good_night(playing, mode))
        check_links(playing)
        write_mapping(playing.servers.folder / "mappings", playing.transport, recreate=True)
    playing.lost.clear()
    check_outcomes(playing, good_night(playing, mode))
    written = len(playing.sandbox.writes())
    check_outcomes(playing, good_night(playing, "changes"))
    if len(playing.sandbox.writes()) != written:
        playing.broken.append("a night after a good one, without a change, has written again")
    check(playing, all_dates=edited)
