"""Sequences at random: what the platform, people and Passback do one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from faults.schedules import CALLS, changes, places
from faults.world import ASSESSMENTS, CLASSES, OTHER_CATEGORIES

if TYPE_CHECKING:
    from model.play import Sequence

_OPEN: Final = [key for key, _, _, due in ASSESSMENTS if due > 134]
_POLICIES: Final = ("report", "keep", "overwrite")
_UNDO_CALLS: Final = {"plan-undo": 600, "put-back": 900, "audit-undo": 500}


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
    return st.builds(lambda out: {"do": "suppress", "kind": out[0], "id": out[1]}, ids)


def steps() -> st.SearchStrategy[list[dict[str, Any]]]:
    """One thing that is done; a change is followed by what may come of it."""
    change = changes().map(lambda change: {**change, "do": "change", "what": change["do"]})
    night = st.builds(
        lambda mode, strike: {"do": "night", "mode": mode, "strike": strike},
        st.sampled_from(["changes", "changes", "changes", "full", "preview"]),
        strikes(CALLS),
    )
    reconcile = st.builds(lambda strike: {"do": "reconcile", "strike": strike}, strikes(CALLS))
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
        st.tuples(st.builds(lambda place: {"do": "unsuppress", "place": place}, st.integers(0, 3)), night),
        st.tuples(st.just({"do": "purge"}), night),
        st.tuples(st.just({"do": "restart"}), night),
    ).map(list)


def sequences(*, most_steps: int) -> st.SearchStrategy[Sequence]:
    """A first night, and what comes then."""
    first = [{"do": "night", "mode": "changes"}]
    return st.lists(steps(), min_size=2, max_size=most_steps).map(
        lambda parts: {"steps": first + [step for part in parts for step in part]}
    )
