"""Cases at random: what changes in the source, what people do in the SIS, and what goes wrong when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from faults.transports import TRANSPORTS
from faults.world import ASSESSMENTS, CLASSES, NEW_ASSESSMENTS, OTHER_CATEGORIES
from passback.night import TASKS

if TYPE_CHECKING:
    from faults.play import Case
    from faults.transports import Transport

# About how many of its own functions Passback calls in a task of this small a world.
CALLS: Final = {
    "extract-scores": 1000,
    "validate": 1700,
    "transform-to-oneroster": 750,
    "load-to-sis": 2100,
    "audit": 2400,
}
LOADS: Final = ("load-to-sis", "audit")
SLOW: Final = 0.6  # seconds; the nights wait for less

_CLASS_OF: Final = {key: class_id for key, class_id, *_ in ASSESSMENTS}
_STUDENTS: Final = sorted({student for known in CLASSES.values() for student in known})
_OPEN: Final = [key for key, _, _, due in ASSESSMENTS if due > 134]


def places() -> st.SearchStrategy[dict[str, str]]:
    """An assessment and a student of its class."""
    return st.sampled_from(
        [
            {"assessment": key, "student": student}
            for key, class_id in _CLASS_OF.items()
            if key in _OPEN
            for student in CLASSES[class_id]
        ]
    )


def changes() -> st.SearchStrategy[dict[str, Any]]:
    """A change in the source; some of what it leads to may not pass."""
    titles = st.sampled_from(["Essay {}", "Reading, part {}", "Ünïcode {}", "x" * 47 + "{}", " "])
    assessments = st.sampled_from(_OPEN)
    scores = st.builds(
        lambda place, status, points: {"do": "score", **place, "status": status, "points": points},
        places(),
        st.sampled_from(["graded"] * 5 + ["excluded", "turned_in", "not_submitted"]),
        st.sampled_from([0, 1, 41, 77.5, 88, 100, 110, -1]),
    )
    return st.one_of(
        scores,
        scores,
        st.builds(lambda place: {"do": "remove-score", **place}, places()),
        st.builds(
            lambda key, title: {"do": "title", "assessment": key, "title": title.format(key)},
            assessments,
            titles,
        ),
        st.builds(
            lambda key, due: {"do": "due", "assessment": key, "due": due},
            assessments,
            st.sampled_from([150, 180, 199, 205, 240]),
        ),
        st.builds(
            lambda key, points: {"do": "points", "assessment": key, "points": points},
            assessments,
            st.sampled_from([50, 120, 10.5]),
        ),
        st.builds(
            lambda key, class_id, due: {"do": "assess", "assessment": key, "class": class_id, "due": due},
            st.sampled_from(NEW_ASSESSMENTS),
            st.sampled_from(sorted(CLASSES)),
            st.sampled_from([100, 170, 196, 220]),
        ),
        st.just({"do": "remove", "assessment": "104"}),
    )


def edits() -> st.SearchStrategy[dict[str, Any]]:
    """What somebody does in the SIS's gradebook by hand."""
    assessments = st.sampled_from(_OPEN)
    return st.one_of(
        st.builds(
            lambda key, category: {"do": "category", "assessment": key, "category": category},
            assessments,
            st.sampled_from(OTHER_CATEGORIES),
        ),
        st.builds(lambda place: {"do": "score", **place, "points": 3}, places()),
        st.builds(lambda key: {"do": "delete", "assessment": key}, assessments),
        st.just({"do": "forget"}),
    )


def twins() -> st.SearchStrategy[dict[str, Any]]:
    """A teacher's own assignment where one of ours is due: to be taken over, where the district does that."""
    return st.builds(
        lambda place, category: {"do": "twin", **place, "category": category},
        places(),
        st.sampled_from(OTHER_CATEGORIES),
    )


def faults(transport: Transport) -> st.SearchStrategy[dict[str, Any]]:
    """Something that the SIS, its token endpoint or the source does wrong for a while."""
    line_items, results = transport.writes
    sis = st.sampled_from(
        [
            {"kind": "status", "status": 429},
            {"kind": "status", "status": 429, "retry_after": 1},
            {"kind": "status", "status": 500},
            {"kind": "status", "status": 502},
            {"kind": "status", "status": 503, "retry_after": 1},
            {"kind": "status", "status": 504},
            {"kind": "status", "status": 403},
            {"kind": "status", "status": 401},
            {"kind": "error-after-commit", "status": 500},
            {"kind": "error-after-commit", "status": 503},
            {"kind": "error-after-commit", "status": 504},
            {"kind": "html"},
            {"kind": "html", "status": 502},
            {"kind": "drop"},
            {"kind": "drop-after-commit"},
            {"kind": "truncate"},
            {"kind": "status", "status": 429, "retry_after": 1, "retry_after_date": True},
            {"kind": "malformed"},
            {"kind": "connection-reset"},
            {"kind": "reset-after-commit"},
            {"kind": "slow", "seconds": SLOW},
            {"kind": "slow-body", "seconds": SLOW},
            {"kind": "late-commit", "seconds": SLOW},
            {"kind": "partial-bulk"},
            {"kind": "partial-bulk", "stores": 3, "answers": 1},
            {"kind": "expire-tokens"},
            {"kind": "bad-item"},
            {"kind": "empty"},
            {"kind": "wrong-total", "total": 3},
            {"kind": "cap-pages", "items": 2},
            {"kind": "store-nothing"},
            {"kind": "revoke-tokens"},
            {"kind": "down"},
        ]
    )
    writes = st.sampled_from(
        [
            {},
            {"match": {"method": "PUT"}},
            {"match": {"method": "POST"}},
            {"match": {"path": line_items}},
            {"match": {"path": results}},
            {"match": {"method": "GET", "path": line_items}},
            {"match": {"method": "GET", "path": results}},
        ]
    )
    others = st.sampled_from(
        [
            {"side": "token", "kind": "status", "status": 503},
            {"side": "token", "kind": "bad-secret"},
            {"side": "feed", "kind": "status", "status": 500},
            {"side": "feed", "kind": "status", "status": 429},
            {"side": "feed", "kind": "drop"},
            {"side": "feed", "kind": "truncate"},
            {"side": "feed", "kind": "html"},
            {"side": "feed", "kind": "empty"},
        ]
    )
    after, times = st.integers(0, 30), st.sampled_from([1, 2, 3, 7, 40])
    return st.one_of(
        st.builds(
            lambda fault, match, after, times: {
                "side": "sis", **fault, **match, "after": after,
                # Each costs a second of waiting.
                "times": min(times, 3) if {"seconds", "retry_after"} & set(fault) else times,
            },
            sis, writes, after, times,
        ),
        st.builds(
            lambda fault, after, times: {**fault, "after": after, "times": times}, others, after, times
        ),
    )  # fmt: skip


def strikes() -> st.SearchStrategy[dict[str, Any] | None]:
    """A worker killed, or PostgreSQL, at a place in the code; mostly where something is written."""
    tasks = st.sampled_from([*CALLS, *LOADS, "load-to-sis", "load-to-sis"])
    return tasks.flatmap(
        lambda task: st.builds(
            lambda call, what: {"task": task, "call": call, "what": what},
            st.integers(1, CALLS[task]),
            st.sampled_from(["kill", "kill", "postgres"]),
        )
    )


@st.composite
def attempts(draw: st.DrawFn, transport: Transport, *, first: bool) -> dict[str, Any]:
    """One attempt at a run, or at what is left of it."""
    attempt: dict[str, Any] = {}
    if draw(st.integers(0, 3)) == 0:
        attempt["mode"] = "full"
    if found := draw(st.lists(faults(transport), max_size=2)):
        attempt["faults"] = found
    if draw(st.booleans()):
        attempt["strike"] = draw(strikes())
    if draw(st.integers(0, 4)) == 0:
        attempt["besides"] = draw(st.sampled_from(["another run", "the same tasks"]))
    if draw(st.integers(0, 4)) == 0:
        attempt["again"] = draw(st.sampled_from([["load-to-sis"], ["load-to-sis", "audit"], ["audit"]]))
    if not first and draw(st.integers(0, 2)) == 0:
        attempt["from"] = draw(st.sampled_from([*TASKS]))
    return attempt


@st.composite
def one_night(draw: st.DrawFn, transport: Transport) -> dict[str, Any]:
    """What changes, and the attempts at the run of that night."""
    night: dict[str, Any] = {}
    if found := draw(st.lists(changes(), max_size=3)):
        night["changes"] = found
    if draw(st.integers(0, 3)) == 0:
        kinds = st.one_of(edits(), twins()) if transport.adopts else edits()
        night["edits"] = draw(st.lists(kinds, min_size=1, max_size=2))
    night["attempts"] = [
        draw(attempts(transport, first=number == 0)) for number in range(draw(st.sampled_from([1, 1, 1, 2])))
    ]
    return night


def cases(transport: str, *, nights: tuple[int, int]) -> st.SearchStrategy[Case]:
    """Cases of one transport, of so many nights at least and at most."""
    fewest, most = nights
    return st.builds(
        lambda found: {"transport": transport, "nights": found},
        st.lists(one_night(TRANSPORTS[transport]), min_size=fewest, max_size=most),
    )
