"""Sequences at random: what the platform, people and Passback do one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from faults.schedules import CALLS, changes, places
from faults.world import ASSESSMENTS, CLASSES, OTHER_CATEGORIES, day

if TYPE_CHECKING:
    from model.play import Sequence

_OPEN: Final = [key for key, _, _, due in ASSESSMENTS if due > 134]
_POLICIES: Final = ("report", "keep", "overwrite")
# About how many of its own functions Passback calls in each task, where it is not a night's.
_UNDO_CALLS: Final = {"plan-undo": 480, "put-back": 900, "audit-undo": 900}
_RECONCILE_CALLS: Final = {**CALLS, "transform-to-oneroster": 1300, "load-to-sis": 1000, "audit": 1500}
_COMMAND_CALLS: Final = {"suppress": 14, "unsuppress": 14, "explain": 80, "purge": 90}


def strikes(calls: dict[str, int]) -> st.SearchStrategy[dict[str, Any] | None]:
    """PostgreSQL is shut down at once at some call of a function of ours; mostly it is not."""
    return st.one_of(
        st.none(),
        st.none(),
        st.sampled_from(sorted(calls)).flatmap(
            lambda task: st.builds(
                lambda call: {"task": task, "call": call, "what": "postgres"}, st.integers(1, calls[task])
            )
        ),
    )


def _edits() -> st.SearchStrategy[dict[str, Any]]:
    assessments = st.sampled_from(_OPEN)
    scores = st.builds(
        lambda place, points: {"do": "edit", "what": "score", **place, "points": points},
        places(),
        st.sampled_from([3, 77, 99.5]),
    )
    return st.one_of(
        scores,
        scores,
        st.builds(lambda place: {"do": "edit", "what": "delete", **place}, places()),
        st.builds(
            lambda key: {"do": "edit", "what": "title", "assessment": key, "title": f"My own title of {key}"},
            assessments,
        ),
        st.builds(lambda key: {"do": "edit", "what": "points", "assessment": key, "points": 80}, assessments),
        st.builds(
            lambda key, category: {"do": "edit", "what": "category", "assessment": key, "category": category},
            assessments,
            st.sampled_from(OTHER_CATEGORIES),
        ),
    )


def _suppressions() -> st.SearchStrategy[dict[str, Any]]:
    ids = st.one_of(
        st.tuples(st.just("assessment"), st.sampled_from(_OPEN)),
        st.tuples(st.just("class"), st.sampled_from(sorted(CLASSES))),
        st.tuples(st.just("student"), st.sampled_from(["s1", "s4", "s7"])),
    )
    return st.builds(lambda out, told: {**told, "kind": out[0], "id": out[1]}, ids, _command("suppress"))


def _purges() -> st.SearchStrategy[dict[str, Any]]:
    """Of the trail and the history, and mostly of line items too."""
    days = st.sampled_from(["2020-08-17", day(163).isoformat(), day(195).isoformat()])
    return st.builds(lambda told, due_before: {**told, "due_before": due_before}, _command("purge"), days)


def _command(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """A command of a person's that asks or changes the ledger alone."""
    return strikes({name: _COMMAND_CALLS[name]}).map(lambda strike: {"do": name, "strike": strike})


def steps() -> st.SearchStrategy[list[dict[str, Any]]]:
    """One thing that is done; a change is followed by what may come of it."""
    change = changes().map(lambda change: {**change, "do": "change", "what": change["do"]})
    night = st.builds(
        lambda mode, strike: {"do": "night", "mode": mode, "strike": strike},
        st.sampled_from(["changes", "changes", "changes", "full", "preview"]),
        strikes(CALLS),
    )
    reconcile = st.builds(lambda strike: {"do": "reconcile", "strike": strike}, strikes(_RECONCILE_CALLS))
    undo = st.builds(
        lambda back, strike: {"do": "undo", "back": back, "strike": strike},
        st.sampled_from([0, 0, 0, 1, 2]),
        strikes(_UNDO_CALLS),
    )
    policy = st.builds(
        lambda scores, assignments: {"do": "policy", "scores": scores, "assignments": assignments},
        st.sampled_from(_POLICIES),
        st.sampled_from(_POLICIES),
    )
    return st.one_of(
        st.tuples(change, change, night),
        st.tuples(change, night),
        st.tuples(_edits(), night),
        st.tuples(_edits(), policy, reconcile),
        st.tuples(_edits(), reconcile, night),
        st.tuples(undo),
        st.tuples(undo, night),
        st.tuples(undo, change, night),
        st.tuples(_edits(), undo),
        st.tuples(_suppressions(), change, night),
        st.tuples(_suppressions(), night),
        st.tuples(
            st.builds(
                lambda told, place: {**told, "place": place}, _command("unsuppress"), st.integers(0, 3)
            ),
            night,
        ),
        st.tuples(_purges(), night),
        st.tuples(st.just({"do": "restart"}), night),
        st.tuples(night, st.builds(lambda told, place: {**told, **place}, _command("explain"), places())),
    ).map(list)


def sequences(*, most_steps: int) -> st.SearchStrategy[Sequence]:
    """A first night, and what comes then."""
    first = [{"do": "night", "mode": "changes"}]
    return st.lists(steps(), min_size=2, max_size=most_steps).map(
        lambda parts: {"steps": first + [step for part in parts for step in part]}
    )
