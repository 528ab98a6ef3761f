"""Every extracted score ends in exactly one outcome."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passback.gradebook import MARK, RESULT_VALUES
from passback.records import LINE_ITEM_PLAN, RESULT_PLAN, SCORE_VERDICTS
from passback.stages.audit import (
    RESULT_KEY,
    compare,
    count_by_class,
    count_outcomes,
    count_reasons,
    outcomes,
)
from passback.stages.transform import Plan

THIS_RUN = 2


def verdicts(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """(student, outcome, codes) on one assessment."""
    return SCORE_VERDICTS.conform(
        pd.DataFrame(
            [("a1", "biology", student, outcome, codes) for student, outcome, codes in rows],
            columns=list(SCORE_VERDICTS.columns),
        )
    )


def planned(students: list[str], *, item: bool = False) -> Plan:
    items = pd.DataFrame({"line_item_id": ["i1"], "assessment_id": ["a1"], "class_id": ["biology"]})
    results = pd.DataFrame({"student_id": students, "sis_student_id": [f"sis-{name}" for name in students]})
    results = results.assign(line_item_id="i1", assessment_id="a1", class_id="biology")
    return Plan(
        LINE_ITEM_PLAN.conform(items.reindex(columns=list(LINE_ITEM_PLAN.columns)).head(1 if item else 0)),
        RESULT_PLAN.conform(results.reindex(columns=list(RESULT_PLAN.columns))),
    )


def known_items(state: str = "confirmed", run_id: int = THIS_RUN) -> pd.DataFrame:
    item = {"line_item_id": "i1", "assessment_id": "a1", "class_id": "biology"}
    return pd.DataFrame([{**item, "state": state, "run_id": run_id}])


def known_results(states: dict[str, str], run_id: int = THIS_RUN) -> pd.DataFrame:
    frame = pd.DataFrame({"student_id": list(states), "state": list(states.values())}, dtype="str")
    return frame.assign(
        line_item_id="i1",
        sis_student_id="sis-" + frame["student_id"],
        assessment_id="a1",
        class_id="biology",
        run_id=run_id,
    )


@pytest.mark.parametrize(
    ("state", "outcome", "code"),
    [
        ("confirmed", "sent", ""),
        ("accepted", "failed", "sis.not_verified"),
        ("not_stored", "failed", "sis.not_stored"),
        ("refused", "failed", "sis.refused"),
        ("intended", "failed", "sis.unavailable"),
    ],
)
def test_a_written_score_ends_as_the_ledger_says(state: str, outcome: str, code: str) -> None:
    final = outcomes(
        verdicts(("s1", "passed", "")),
        planned(["s1"]),
        known_items(),
        known_results({"s1": state}),
        run_id=THIS_RUN,
        preview=False,
    )
    assert final[["outcome", "codes"]].to_numpy().tolist() == [[outcome, code]]


def test_a_score_that_stands_in_the_sis_is_unchanged() -> None:
    final = outcomes(
        verdicts(("s1", "passed", "")),
        planned([]),
        known_items(),
        known_results({"s1": "confirmed"}, run_id=1),
        run_id=THIS_RUN,
        preview=False,
    )
    assert final["outcome"].tolist() == ["unchanged"]


def test_a_score_that_the_load_did_not_come_to_is_cancelled() -> None:
    final = outcomes(
        verdicts(("s1", "passed", "")),
        planned(["s1"]),
        known_items(),
        known_results({}),
        run_id=THIS_RUN,
        preview=False,
    )
    assert final[["outcome", "codes"]].to_numpy().tolist() == [["cancelled", "run.stopped"]]


@pytest.mark.parametrize(
    ("state", "outcome", "code"),
    [
        ("refused", "failed", "sis.line_item_refused"),
        ("intended", "failed", "sis.unavailable"),
        ("not_stored", "failed", "sis.not_stored"),
        ("confirmed", "unchanged", ""),
    ],
)
def test_an_assignment_that_did_not_arrive_takes_its_scores_with_it(
    state: str, outcome: str, code: str
) -> None:
    final = outcomes(
        verdicts(("s1", "passed", "")),
        planned([], item=True),
        known_items(state),
        known_results({"s1": "confirmed"}, run_id=1),
        run_id=THIS_RUN,
        preview=False,
    )
    assert final[["outcome", "codes"]].to_numpy().tolist() == [[outcome, code]]


def test_a_run_that_a_person_cancelled_cancels_what_was_planned() -> None:
    final = outcomes(
        verdicts(("s1", "passed", ""), ("s2", "passed", ""), ("s3", "rejected", "score.excluded")),
        planned(["s1"]),
        known_items(),
        known_results({"s2": "confirmed"}, run_id=1),
        run_id=THIS_RUN,
        preview=False,
        cancelled=True,
    )
    assert final["outcome"].tolist() == ["cancelled", "unchanged", "rejected"]
    assert final["codes"].tolist() == ["run.cancelled", "", "score.excluded"]


def test_what_was_sent_before_somebody_cancelled_is_sent() -> None:
    final = outcomes(
        verdicts(("s1", "passed", ""), ("s2", "passed", "")),
        planned(["s1", "s2"]),
        known_items(),
        known_results({"s1": "confirmed"}),
        run_id=THIS_RUN,
        preview=False,
        cancelled=True,
    )
    assert final["outcome"].tolist() == ["sent", "cancelled"]


def test_a_preview_cancels_what_a_real_run_would_send() -> None:
    final = outcomes(
        verdicts(("s1", "passed", ""), ("s2", "passed", ""), ("s3", "held", "score.not_graded")),
        planned(["s1"], item=True),
        known_items().head(0),
        known_results({}),
        run_id=0,
        preview=True,
    )
    assert final["outcome"].tolist() == ["cancelled", "unchanged", "held"]


LINK_BROKEN = ["failed", "sis.link_broken"]


def ends(
    known: pd.DataFrame, results: pd.DataFrame, plan: Plan | None = None, *, preview: bool = False
) -> list[str]:
    """How one passed score ends: outcome and code."""
    final = outcomes(
        verdicts(("s1", "passed", "")),
        planned([]) if plan is None else plan,
        known,
        results,
        run_id=THIS_RUN,
        preview=preview,
    )
    (ended,) = final[["outcome", "codes"]].to_numpy().tolist()
    return list(ended)


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("noticed", [1, THIS_RUN])
def test_what_somebody_removed_in_the_sis_fails_every_night(noticed: int, *, preview: bool) -> None:
    gone = known_items("gone", run_id=noticed)
    assert ends(gone, known_results({"s1": "gone"}, run_id=noticed), preview=preview) == LINK_BROKEN
    new_score = known_results({})  # it was never sent
    assert ends(gone, new_score, preview=preview) == LINK_BROKEN


def test_a_link_that_breaks_under_way_fails_what_was_planned() -> None:
    gone, results = known_items("gone"), known_results({"s1": "gone"})
    assert ends(gone, results, planned(["s1"])) == LINK_BROKEN
    assert ends(gone, results, planned(["s1"], item=True)) == LINK_BROKEN


def test_what_is_written_anew_is_sent_like_anything_else() -> None:
    results = known_results({"s1": "confirmed"})
    assert ends(known_items(), results, planned(["s1"], item=True)) == ["sent", ""]


def test_a_preview_that_would_write_anew_what_is_gone_says_so() -> None:
    gone, results = known_items("gone", run_id=1), known_results({"s1": "gone"}, run_id=1)
    assert ends(gone, results, planned(["s1"], item=True), preview=True) == ["cancelled", "run.preview"]


def test_a_score_that_is_not_written_anew_with_its_assignment_is_not_called_unchanged() -> None:
    assert ends(known_items(), known_results({"s1": "gone"}, run_id=1)) == LINK_BROKEN


def test_what_is_gone_from_the_class_before_does_not_break_the_link_to_the_class_now() -> None:
    before = known_items("gone", run_id=1).assign(line_item_id="i0")
    results_before = known_results({"s1": "gone"}, run_id=1).assign(line_item_id="i0")
    items = pd.concat([known_items("confirmed"), before])
    results = pd.concat([known_results({"s1": "confirmed"}), results_before])
    assert ends(items, results) == ["unchanged", ""]
    moved_back = pd.concat([known_items("gone"), before.assign(state="confirmed")])
    assert ends(moved_back, known_results({})) == LINK_BROKEN


@pytest.mark.parametrize("outcome", ["held", "rejected"])
def test_a_rule_speaks_before_a_broken_link(outcome: str) -> None:
    final = outcomes(
        verdicts(("s1", outcome, "score.excluded")),
        planned([]),
        known_items("gone"),
        known_results({"s1": "gone"}),
        run_id=THIS_RUN,
        preview=False,
    )
    assert final[["outcome", "codes"]].to_numpy().tolist() == [[outcome, "score.excluded"]]


def test_a_run_that_stopped_before_its_plan_cancels_what_had_passed() -> None:
    final = outcomes(
        verdicts(("s1", "passed", ""), ("s2", "rejected", "score.excluded")),
        None,
        known_items(),
        known_results({}),
        run_id=THIS_RUN,
        preview=False,
    )
    assert final["outcome"].tolist() == ["cancelled", "rejected"]


VERDICT = st.sampled_from(["passed", "held", "rejected"])
STATE = st.sampled_from(
    ["confirmed", "accepted", "not_stored", "refused", "intended", "gone", "unwritten", "unplanned"]
)


@given(
    scores=st.lists(st.tuples(VERDICT, STATE), max_size=12),
    item=st.sampled_from(["none", "confirmed", "accepted", "not_stored", "refused", "intended", "gone"]),
    preview=st.booleans(),
    cancelled=st.booleans(),
)
def test_whatever_happens_the_outcomes_add_up_to_what_was_extracted(
    scores: list[tuple[str, str]], item: str, *, preview: bool, cancelled: bool
) -> None:
    rows = [
        (f"s{number}", verdict, "" if verdict == "passed" else "score.excluded")
        for number, (verdict, _) in enumerate(scores)
    ]
    states = {f"s{number}": state for number, (_, state) in enumerate(scores) if state != "unplanned"}
    final = outcomes(
        verdicts(*rows),
        planned(list(states), item=item != "none"),
        known_items(item if item != "none" else "confirmed"),
        known_results({name: state for name, state in states.items() if state != "unwritten"}),
        run_id=THIS_RUN,
        preview=preview,
        cancelled=cancelled,
    )
    assert sum(count_outcomes(final).values()) == len(scores)
    reasoned = final["codes"].ne("")
    assert reasoned.eq(~final["outcome"].isin(["sent", "unchanged"])).all()


def test_a_reason_counts_the_assessments_and_scores_that_carry_it_and_those_it_leads() -> None:
    final = verdicts(
        ("s1", "rejected", "title.too_long due.missing"),
        ("s2", "rejected", "due.missing"),
        ("s3", "held", "score.not_graded"),
        ("s4", "sent", ""),
    )
    counted = count_reasons(final).set_index("code")
    assert counted.loc["due.missing"].to_dict() == {"assessments": 1, "scores": 2, "leading_scores": 1}
    assert counted.loc["title.too_long"].to_dict() == {"assessments": 1, "scores": 1, "leading_scores": 1}
    assert len(counted) == 3


def test_a_run_without_any_score_has_no_reasons() -> None:
    assert count_reasons(SCORE_VERDICTS.empty()).empty
    assert sum(count_outcomes(SCORE_VERDICTS.empty()).values()) == 0


def test_each_class_adds_up_for_itself() -> None:
    final = verdicts(("s1", "sent", ""), ("s2", "held", "score.not_graded"))
    rows = count_by_class(final, pd.DataFrame({"class_id": ["biology"], "title": ["Biology"]}))
    assert rows == [
        {
            "class_id": "biology",
            "title": "Biology",
            "extracted": 2,
            "sent": 1,
            "unchanged": 0,
            "held": 1,
            "rejected": 0,
            "failed": 0,
            "cancelled": 0,
        }
    ]


ACCEPTED = pd.DataFrame(
    {
        "line_item_id": ["i1"],
        "sis_student_id": ["9001"],
        "score": [8.5],
        "score_status": ["fully graded"],
        "score_date": ["2026-11-12"],
        "mark": ["late"],
    }
)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "confirmed"),
        ({"score": [8.0]}, "not_stored"),
        ({"score": [None]}, "not_stored"),
        ({"score_status": ["exempt"]}, "not_stored"),
        ({"score_date": ["2026-11-11"]}, "not_stored"),
        ({"sis_student_id": ["9002"]}, "not_stored"),
    ],
)
def test_only_what_is_read_back_equal_is_confirmed(change: dict[str, list[object]], state: str) -> None:
    states = compare(ACCEPTED, ACCEPTED.assign(**change), RESULT_KEY, RESULT_VALUES)
    assert states["state"].tolist() == [state]


def test_a_mark_is_compared_where_marks_are_sent_and_is_the_siss_own_elsewhere() -> None:
    without = ACCEPTED.assign(mark=[""])
    strict = compare(ACCEPTED, without, RESULT_KEY, (*RESULT_VALUES, MARK))
    assert strict["state"].tolist() == ["not_stored"]
    assert compare(ACCEPTED, without, RESULT_KEY, RESULT_VALUES)["state"].tolist() == ["confirmed"]


CLEARED = ACCEPTED.assign(score=[None], score_status="", score_date="", mark="")


@pytest.mark.parametrize(
    ("held", "state"),
    [
        (ACCEPTED.head(0), "confirmed"),
        (ACCEPTED.assign(score=[None]), "confirmed"),  # a record without a score, whatever its status
        (ACCEPTED.assign(score=[None], score_status="not submitted", mark=""), "confirmed"),
        (ACCEPTED, "not_stored"),
        (ACCEPTED.assign(score=[0.0]), "not_stored"),
        (ACCEPTED.assign(sis_student_id=["9002"]), "confirmed"),
    ],
)
def test_a_cleared_score_is_confirmed_where_no_score_stands_any_more(held: pd.DataFrame, state: str) -> None:
    held = held.astype({"score": "float64"})
    states = compare(CLEARED.astype({"score": "float64"}), held, RESULT_KEY, (*RESULT_VALUES, MARK))
    assert states["state"].tolist() == [state]


def test_an_empty_record_is_no_proof_of_a_score() -> None:
    empty = ACCEPTED.assign(score=[None], score_status="").astype({"score": "float64"})
    assert compare(ACCEPTED, empty, RESULT_KEY, RESULT_VALUES)["state"].tolist() == ["not_stored"]


def test_of_two_records_that_a_sis_answers_with_one_is_enough() -> None:
    twice = pd.concat([ACCEPTED.assign(score=[1.0]), ACCEPTED])
    states = compare(ACCEPTED, twice, RESULT_KEY, RESULT_VALUES)
    assert states["state"].tolist() == ["confirmed"]
