"""What a source hands over becomes the frames of a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passback.errors import SourceShrunkError
from passback.records import ASSESSMENTS, SCORES
from passback.sources.pulled import Pull
from passback.stages.extract import Scope, check_not_shrunk, limit, merge, merge_copies

NOON = pd.Timestamp("2026-11-20T12:00:00Z")
MUST_HOLD = ("assessments", "scores", "classes", "students", "staff")
FULL = {"assessments": 10, "scores": 100, "classes": 2, "students": 30, "staff": 2, "memberships": 2}


def assessment(name: str, **changes: object) -> dict[str, object]:
    return {
        "assessment_id": name,
        "class_id": "biology",
        "title": "Essay",
        "type": "Paper",
        "grading_type": "points",
        "points_possible": 10.0,
        "include_in_final_grade": True,
        "assigner_id": "teacher",
        "assigned_at": NOON,
        "due_at": NOON,
        "modified_at": NOON,
        "sync_on": None,
        "course_published": None,
        "published": None,
        "whole_section": None,
        "due_uniform": None,
        "period_closed": None,
        "group_sis_id": "",
        "group_term_id": "",
    } | changes


def score(name: str, student: str, points: float, **changes: object) -> dict[str, object]:
    return {
        "assessment_id": name,
        "class_id": "biology",
        "student_id": student,
        "status": "graded",
        "points": points,
        "points_text": "",
        "mark": "",
        "scored_at": NOON,
        "modified_at": NOON,
    } | changes


def frames(assessments: list[dict[str, object]], scores: list[dict[str, object]]) -> dict[str, pd.DataFrame]:
    return {
        "assessments": ASSESSMENTS.conform(pd.DataFrame(assessments, columns=list(ASSESSMENTS.columns))),
        "scores": SCORES.conform(pd.DataFrame(scores, columns=list(SCORES.columns))),
    }


def pull(
    data: dict[str, pd.DataFrame],
    *,
    totals: tuple[int, int],
    since: bool = False,
    gone_assessments: list[tuple[str, str]] | None = None,
    gone_scores: list[tuple[str, str, str]] | None = None,
) -> Pull:
    return Pull(
        frames=data,
        deleted={
            "assessments": pd.DataFrame(gone_assessments or [], columns=list(ASSESSMENTS.key), dtype="str"),
            "scores": pd.DataFrame(gone_scores or [], columns=list(SCORES.key), dtype="str"),
        },
        totals={"assessments": totals[0], "scores": totals[1]},
        as_of=datetime(2026, 11, 20, tzinfo=UTC),
        requests=1,
        changes=frozenset(data) if since else frozenset(),
    )


SNAPSHOT = frames(
    [assessment("a1"), assessment("a2")], [score("a1", "s1", 5), score("a1", "s2", 6), score("a2", "s1", 7)]
)


def points_by_key(merged: dict[str, pd.DataFrame] | None) -> dict[tuple[str, str], float]:
    assert merged is not None
    rows = merged["scores"]
    return dict(zip(zip(rows["assessment_id"], rows["student_id"], strict=True), rows["points"], strict=True))


def test_a_changed_score_takes_the_place_of_the_one_before() -> None:
    merged = merge(pull(frames([], [score("a1", "s1", 9)]), totals=(2, 3), since=True), SNAPSHOT)
    assert points_by_key(merged) == {("a1", "s1"): 9, ("a1", "s2"): 6, ("a2", "s1"): 7}


def test_a_deleted_assessment_takes_its_scores_with_it() -> None:
    changes = pull(frames([], []), totals=(1, 1), since=True, gone_assessments=[("a1", "biology")])
    assert points_by_key(merge(changes, SNAPSHOT)) == {("a2", "s1"): 7}


def test_where_only_scores_are_read_as_changes_a_missing_assessment_takes_its_scores_with_it() -> None:
    read = frames([assessment("a2")], [score("a2", "s1", 9)])
    changes = replace(pull(read, totals=(1, 0)), changes=frozenset({"scores"}), totals={"assessments": 1})
    assert points_by_key(merge(changes, SNAPSHOT)) == {("a2", "s1"): 9}


def test_an_assessment_that_was_read_whole_keeps_no_score_from_before() -> None:
    read = frames([assessment("a1"), assessment("a2")], [score("a1", "s1", 9)])
    whole = pd.DataFrame({"assessment_id": ["a1"]}, dtype="str")
    changes = replace(pull(read, totals=(2, 0)), changes=frozenset({"scores"}), totals={"assessments": 2})
    changes = replace(changes, deleted={"scores": whole})
    assert points_by_key(merge(changes, SNAPSHOT)) == {("a1", "s1"): 9, ("a2", "s1"): 7}


def test_a_deleted_score_is_gone() -> None:
    changes = pull(frames([], []), totals=(2, 2), since=True, gone_scores=[("a1", "biology", "s2")])
    assert points_by_key(merge(changes, SNAPSHOT)) == {("a1", "s1"): 5, ("a2", "s1"): 7}


def test_an_assessment_that_was_created_again_keeps_its_scores_also_those_that_did_not_change() -> None:
    changes = pull(
        frames([assessment("a1", title="Again")], [score("a1", "s1", 9)]),
        totals=(2, 3),
        since=True,
        gone_assessments=[("a1", "biology")],
        gone_scores=[("a1", "biology", "s1")],
    )
    assert points_by_key(merge(changes, SNAPSHOT)) == {("a1", "s1"): 9, ("a1", "s2"): 6, ("a2", "s1"): 7}


def test_changes_read_a_second_time_change_nothing() -> None:
    changes = pull(
        frames([], [score("a1", "s1", 9)]), totals=(2, 2), since=True, gone_scores=[("a1", "biology", "s2")]
    )
    once = merge(changes, SNAPSHOT)
    assert points_by_key(merge(changes, once)) == points_by_key(once)


def test_changes_that_do_not_add_up_to_the_sources_total_ask_for_everything() -> None:
    assert merge(pull(frames([], []), totals=(2, 4), since=True), SNAPSHOT) is None


def test_changes_without_a_snapshot_ask_for_everything() -> None:
    assert merge(pull(frames([], []), totals=(2, 3), since=True), None) is None


def test_identical_copies_are_merged_whenever_they_were_modified_and_differing_ones_kept() -> None:
    later = {"modified_at": NOON + pd.Timedelta(days=1)}
    data = frames(
        [assessment("a1")],
        [score("a1", "s1", 5), score("a1", "s1", 5, **later), score("a1", "s2", 5), score("a1", "s2", 6)],
    )
    assert sorted(merge_copies(data)["scores"]["student_id"]) == ["s1", "s2", "s2"]


def test_copies_in_the_source_do_not_make_every_night_read_everything() -> None:
    copies = frames(
        [assessment("a1")] * 2, [score("a1", "s1", 5), score("a1", "s2", 6), score("a1", "s2", 6)]
    )
    first = merge(pull(copies, totals=(2, 3)), None)
    second = merge(pull(frames([], [score("a1", "s1", 9)]), totals=(2, 3), since=True), first)
    assert second is not None
    assert points_by_key(merge_copies(second)) == {("a1", "s1"): 9, ("a1", "s2"): 6}
    assert [len(merge_copies(second)[name]) for name in ("assessments", "scores")] == [1, 2]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 5)),
    st.dictionaries(st.sampled_from("abcdef"), st.one_of(st.none(), st.integers(0, 5))),
)
def test_snapshot_and_changes_together_are_what_the_source_holds(
    before: dict[str, int], changes: dict[str, int | None]
) -> None:
    after = {name: points for name, points in (before | changes).items() if points is not None}
    merged = merge(
        pull(
            frames([], [score("a1", name, points) for name, points in changes.items() if points is not None]),
            totals=(1, len(after)),
            since=True,
            gone_scores=[("a1", "biology", name) for name, points in changes.items() if points is None],
        ),
        frames([assessment("a1")], [score("a1", name, points) for name, points in before.items()]),
    )
    assert points_by_key(merged) == {("a1", name): points for name, points in after.items()}


@pytest.mark.parametrize("name", MUST_HOLD)
def test_a_source_without_any_of_what_it_must_hold_is_a_failure_also_in_a_full_run(name: str) -> None:
    with pytest.raises(SourceShrunkError, match=f"no {name}"):
        check_not_shrunk(FULL | {name: 0}, {}, must_hold=MUST_HOLD, where="feed", confirmed=True)


@pytest.mark.parametrize("name", MUST_HOLD)
def test_a_source_with_less_than_half_of_last_time_is_a_failure(name: str) -> None:
    check_not_shrunk(FULL | {name: 50}, {name: 100}, must_hold=MUST_HOLD, where="feed", confirmed=False)
    with pytest.raises(SourceShrunkError, match=f"49 {name}, last time it held 100"):
        check_not_shrunk(FULL | {name: 49}, {name: 100}, must_hold=MUST_HOLD, where="feed", confirmed=False)


def test_a_passback_teacher_group_may_empty_from_one_night_to_the_next() -> None:
    check_not_shrunk(
        FULL | {"memberships": 0}, {"memberships": 9}, must_hold=MUST_HOLD, where="feed", confirmed=False
    )


def test_a_person_who_orders_a_full_run_confirms_that_the_source_has_shrunk() -> None:
    check_not_shrunk(
        FULL | {"scores": 1},
        {"assessments": 10, "scores": 100},
        must_hold=MUST_HOLD,
        where="feed",
        confirmed=True,
    )


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (Scope(), 3),
        (Scope(assessments=("a2",)), 1),
        (Scope(classes=("biology",)), 3),
        (Scope(classes=("history",)), 0),
    ],
)
def test_a_run_looks_only_at_what_it_was_asked_to(scope: Scope, left: int) -> None:
    assert len(limit(SNAPSHOT, scope)["scores"]) == left
    assert bool(scope) is (scope != Scope())
