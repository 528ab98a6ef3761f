"""What happened to a score, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.frames import (
    judged,
    line_item_answers,
    line_item_plan,
    read_back,
    result_answers,
    result_plan,
)
from passback.ledger import (
    answer_line_items,
    answer_results,
    database,
    explain_score,
    hold_back_results,
    intend_line_items,
    intend_results,
    record_outcomes,
    settle_results,
    suppress,
    unsuppress,
)
from passback.ledger import explain as ledger_explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.ledger import Connection


def explain(ledger: Connection, student: str = "amy", class_id: str | None = None) -> list[dict[str, Any]]:
    explained = explain_score(ledger, "lakeview", "essay", student, class_id)
    json.dumps(explained)
    return explained


def send(ledger: Connection, run: int, score: float) -> None:
    intend_line_items(ledger, "lakeview", run, line_item_plan("item-1"))
    answer_line_items(ledger, "lakeview", run, line_item_answers("item-1"))
    intend_results(ledger, "lakeview", run, result_plan("amy", score=score))
    answer_results(ledger, "lakeview", run, result_answers("amy"))
    settle_results(ledger, "lakeview", run, read_back("amy"))
    record_outcomes(ledger, run, judged("sent", "amy"))


def test_a_score_that_no_run_has_seen_explains_to_nothing(ledger: Connection, run: int) -> None:
    send(ledger, run, 80.0)
    assert explain(ledger, "zoe") == []
    assert explain(ledger, class_id="8c") == []
    assert explain_score(ledger, "hillside", "essay", "amy", None) == []


def test_a_sent_score_says_what_was_sent_and_what_the_sis_holds(ledger: Connection, run: int) -> None:
    send(ledger, run, 80.0)
    (explained,) = explain(ledger)
    assert explained["since"].pop("at").endswith("Z")
    assert explained["sent"].pop("confirmed_at").endswith("Z")
    assert explained["nights"][0].pop("at").endswith("Z")
    value = {"score": 80.0, "score_status": "graded", "score_date": "2026-11-21", "mark": ""}
    line_item = {
        "title": "Essay",
        "category_id": "homework",
        "period_id": "q3",
        "assign_date": "2026-11-02",
        "due_date": "2026-11-20",
        "points_possible": 100.0,
    }
    assert explained == {
        "class_id": "7b",
        "outcome": "sent",
        "reasons": [],
        "since": {"run": "night-1"},
        "run": "night-1",
        "nights": [
            {
                "run": "night-1",
                "mode": "changes",
                "state": "running",
                "ordered_by": "schedule",
                "rule_set": "r1",
                "mapping_hash": "m1",
                "outcome": "sent",
                "reasons": [],
            }
        ],
        "sent": value
        | {
            "at": "2026-11-22T22:00:01Z",
            "run": "night-1",
            "ordered_by": "schedule",
            "rule_set": "r1",
            "mapping_hash": "m1",
            "line_item": {"line_item_id": "item-1", **line_item},
        },
        "sis": {
            "state": "confirmed",
            "status": 201,
            "words": "",
            "holds": value,
            "line_item": {"state": "accepted", "status": 201, "words": "", "holds": line_item},
        },
        "held_back": [],
        "suppressions": [],
        "history": [
            {
                "at": "2026-11-22T22:00:01Z",
                "run": "night-1",
                "from": None,
                "to": value,
                "ordered_by": "schedule",
                "rule_set": "r1",
                "mapping_hash": "m1",
            }
        ],
    }


def test_a_late_score_says_so_as_it_was_sent_and_as_the_sis_holds_it(ledger: Connection, run: int) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy", mark="late"))
    answer_results(ledger, "lakeview", run, result_answers("amy"))
    record_outcomes(ledger, run, judged("sent", "amy"))
    (explained,) = explain(ledger)
    assert (explained["sent"]["mark"], explained["sis"]["holds"]["mark"]) == ("late", "late")
    assert explained["history"][0]["to"]["mark"] == "late"


def test_a_score_is_unchanged_in_the_run_after_it_was_sent(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    send(ledger, open_night("night-1"), 80.0)
    record_outcomes(ledger, open_night("night-2"), judged("unchanged", "amy"))
    open_night("night-3")  # has judged nothing yet
    (explained,) = explain(ledger)
    assert (explained["outcome"], explained["run"]) == ("unchanged", "night-2")
    assert explained["since"]["run"] == explained["sent"]["run"] == "night-1"


def test_a_changed_score_has_a_history(ledger: Connection, open_night: Callable[..., int]) -> None:
    send(ledger, open_night("night-1"), 80.0)
    send(ledger, open_night("by-hand", ordered_by="principal"), 90.0)
    (explained,) = explain(ledger)
    assert explained["outcome"] == "sent"
    changes = [
        (change["run"], change["from"] and change["from"]["score"], change["to"]["score"])
        for change in explained["history"]
    ]
    assert changes == [("night-1", None, 80.0), ("by-hand", 80.0, 90.0)]
    assert explained["history"][1]["ordered_by"] == "principal"


def test_a_score_that_was_not_stored_is_not_said_to_be_held(ledger: Connection, run: int) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy"))
    answer_results(ledger, "lakeview", run, result_answers("amy"))
    settle_results(ledger, "lakeview", run, read_back("amy", state="not_stored"))
    record_outcomes(ledger, run, judged("failed", "amy", codes="sis.not_stored"))
    (explained,) = explain(ledger)
    assert (explained["sis"]["state"], explained["sis"]["holds"]) == ("not_stored", None)
    accepted, gone = explained["history"]
    assert (accepted["from"], gone["to"]) == (None, None)
    assert (
        accepted["to"]
        == gone["from"]
        == {
            "score": 80.0,
            "score_status": "graded",
            "score_date": "2026-11-21",
            "mark": "",
        }
    )


def test_a_rejected_score_carries_all_its_reasons_the_leading_one_first(ledger: Connection, run: int) -> None:
    record_outcomes(ledger, run, judged("rejected", "amy", codes="score.not_graded due.missing x.y"))
    (explained,) = explain(ledger)
    assert (explained["outcome"], explained["sent"]) == ("rejected", None)
    assert explained["sis"] == {"state": None, "status": None, "words": "", "holds": None, "line_item": None}
    assert [reason["code"] for reason in explained["reasons"]] == ["score.not_graded", "due.missing", "x.y"]
    assert explained["reasons"][1] == {
        "code": "due.missing",
        "sentence": "No due date.",
        "who": "teacher",
        "mend": "Set one.",
        "seed": "001",
        "outcome": "rejected",
    }


def test_a_refused_line_item_lends_its_scores_the_words_of_the_sis(ledger: Connection, run: int) -> None:
    intend_line_items(ledger, "lakeview", run, line_item_plan("item-1"))
    refused = line_item_answers("item-1", state="refused", status=422, words="Period is closed")
    answer_line_items(ledger, "lakeview", run, refused)
    record_outcomes(ledger, run, judged("failed", "amy", codes="sis.line_item_refused"))
    (explained,) = explain(ledger)
    assert (explained["outcome"], explained["sent"]) == ("failed", None)
    assert explained["sis"]["line_item"] == {
        "state": "refused",
        "status": 422,
        "words": "Period is closed",
        "holds": None,
    }


def test_an_assessment_of_two_classes_is_explained_class_by_class(ledger: Connection, run: int) -> None:
    send(ledger, run, 80.0)
    both = [judged("sent", "amy"), judged("held", "amy", class_id="8c", codes="score.not_graded")]
    record_outcomes(ledger, run, pd.concat(both))
    outcomes = {entry["class_id"]: (entry["outcome"], len(entry["history"])) for entry in explain(ledger)}
    assert outcomes == {"7b": ("sent", 1), "8c": ("held", 0)}
    assert [entry["class_id"] for entry in explain(ledger, class_id="8c")] == ["8c"]


def nights(explained: dict[str, Any]) -> list[tuple[str, str]]:
    return [(night["run"], night["outcome"]) for night in explained["nights"]]


def test_every_night_has_its_outcome_and_its_reasons_in_the_words_of_its_rules(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    told = (
        ("held", "score.not_graded"),
        ("held", "score.not_graded"),
        ("sent", ""),
        ("unchanged", ""),
        ("rejected", "due.missing score.not_graded"),
    )
    for number, (outcome, codes) in enumerate(told):
        record_outcomes(ledger, open_night(f"night-{number}"), judged(outcome, "amy", codes=codes))
    open_night("night-9")  # has judged nothing yet
    (explained,) = explain(ledger)
    assert nights(explained) == [(f"night-{number}", outcome) for number, (outcome, _) in enumerate(told)]
    assert [" ".join(reason["code"] for reason in night["reasons"]) for night in explained["nights"]] == [
        codes for _, codes in told
    ]
    assert explained["nights"][1]["reasons"][0]["sentence"] == "Not graded yet."
    assert explained["outcome"] == "rejected"


def test_a_run_that_was_limited_to_other_classes_is_no_night_of_the_score(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    record_outcomes(ledger, open_night("night-1"), judged("sent", "amy"))
    record_outcomes(ledger, open_night("other", classes=("8c",)), judged("sent", "bo", class_id="8c"))
    record_outcomes(ledger, open_night("other essay", assessments=("quiz",)), judged("sent"))
    record_outcomes(ledger, open_night("mine", classes=("7b", "8c")), judged("unchanged", "amy"))
    (explained,) = explain(ledger)
    assert nights(explained) == [("night-1", "sent"), ("mine", "unchanged")]


def test_a_score_that_vanished_from_the_feed_is_still_explained_and_may_come_back(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    send(ledger, open_night("night-1"), 80.0)
    record_outcomes(ledger, open_night("night-2"), judged("sent", "bo"))
    record_outcomes(ledger, open_night("night-3"), judged("unchanged", "bo"))
    (explained,) = explain(ledger)
    assert nights(explained) == [("night-1", "sent"), ("night-2", "vanished"), ("night-3", "vanished")]
    assert (explained["outcome"], explained["sis"]["holds"]["score"]) == ("vanished", 80.0)
    record_outcomes(ledger, open_night("night-4"), judged("unchanged", "amy", "bo"))
    assert explain(ledger)[0]["outcome"] == "unchanged"


def test_what_a_person_decided_is_told(ledger: Connection, open_night: Callable[..., int]) -> None:
    run = open_night("night-1")
    send(ledger, run, 80.0)
    value = {"score": 80.0, "score_status": "graded", "score_date": "2026-11-21", "mark": ""}
    kept = pd.DataFrame({"line_item_id": "item-1", "sis_student_id": ["sis-amy"], **value})
    hold_back_results(ledger, "lakeview", run, "theirs", kept)
    for kind, source_id in (("student", "amy"), ("student", "bo"), ("class", "7b"), ("class", "8c")):
        suppress(ledger, "lakeview", kind, source_id, reason="asked for", ordered_by="principal")
    unsuppress(ledger, "lakeview", "class", "7b", reason="over", ordered_by="ada")
    (explained,) = explain(ledger)
    assert explained["held_back"] == [{"what": "result", "why": "theirs", "run": "night-1", "value": value}]
    decided = [(each["kind"], each["id"], each["lifted_by"]) for each in explained["suppressions"]]
    assert decided == [("student", "amy", ""), ("class", "7b", "ada")]
    assert explained["suppressions"][0]["reason"] == "asked for"


# --- Lists ---


@pytest.fixture
def year(ledger: Connection, open_night: Callable[..., int]) -> Connection:
    """Two assessments in two classes, one of which another run has looked at since."""
    first, second = open_night("night-1"), open_night("night-2")
    send(ledger, first, 80.0)
    scores = [
        judged("unchanged", "amy"),
        judged("held", "bo", codes="score.not_graded"),
        judged("sent", "amy", class_id="8c").assign(assessment_id="quiz"),
        judged("rejected", "cy", class_id="8c", codes="due.missing").assign(assessment_id="quiz"),
    ]
    record_outcomes(ledger, second, pd.concat(scores))
    limited = open_night("limited", classes=("8c",))
    record_outcomes(ledger, limited, judged("unchanged", "amy", class_id="8c").assign(assessment_id="quiz"))
    return ledger


def listed(ledger: Connection, **of: Any) -> list[tuple[str, ...]]:
    found = ledger_explain(ledger, "lakeview", **of)
    json.dumps(found)
    return [
        (score["assessment_id"], score["class_id"], score["student_id"], score["outcome"], score["run"])
        for score in found["scores"]
    ]


ESSAY_AMY = ("essay", "7b", "amy", "unchanged", "night-2")
ESSAY_BO = ("essay", "7b", "bo", "held", "night-2")
QUIZ_AMY = ("quiz", "8c", "amy", "unchanged", "limited")
QUIZ_CY = ("quiz", "8c", "cy", "vanished", "limited")


@pytest.mark.parametrize(
    ("of", "told"),
    [
        ({"student": "amy"}, [ESSAY_AMY, QUIZ_AMY]),
        ({"student": "cy"}, [QUIZ_CY]),
        ({"assessment": "essay"}, [ESSAY_AMY, ESSAY_BO]),
        ({"class_id": "8c"}, [QUIZ_AMY, QUIZ_CY]),
        ({"class_id": "8c", "student": "amy"}, [QUIZ_AMY]),
        ({"among": [("essay", "7b"), ("quiz", "8c"), ("quiz", "7b")]},
         [ESSAY_AMY, ESSAY_BO, QUIZ_AMY, QUIZ_CY]),
        ({"among": [("essay", "7b"), ("quiz", "8c")], "student": "amy"}, [ESSAY_AMY, QUIZ_AMY]),
        ({"among": []}, []),
        ({"student": "zoe"}, []),
    ],
)  # fmt: skip
def test_scores_are_listed_by_student_assessment_class_or_teacher(
    year: Connection, of: dict[str, Any], told: list[tuple[str, ...]]
) -> None:
    assert listed(year, **of) == told
    found = ledger_explain(year, "lakeview", **of)
    assert (found["total"], sum(found["outcomes"].values())) == (len(told), len(told))
    pages = [listed(year, **of, limit=1, offset=number) for number in range(len(told) + 1)]
    assert [score for page in pages for score in page] == told


def test_a_listed_score_has_its_leading_reason_and_what_the_sis_holds(year: Connection) -> None:
    amy, bo = ledger_explain(year, "lakeview", assessment="essay")["scores"]
    assert (amy["title"], amy["score"], amy["state"], amy["holds"]["score"]) == (
        "Essay",
        80.0,
        "confirmed",
        80.0,
    )
    assert (bo["codes"], bo["sentence"], bo["since_run"]) == (
        ["score.not_graded"],
        "Not graded yet.",
        "night-2",
    )
    assert (bo["state"], bo["holds"], bo["held_back"]) == (None, None, "")
    assert ledger_explain(year, "lakeview", student="cy")["outcomes"] == {"vanished": 1}


def test_another_district_is_not_told_of(year: Connection) -> None:
    assert ledger_explain(year, "hillside", student="amy") == {"total": 0, "outcomes": {}, "scores": []}


# --- The same outcomes as the runs gave, whatever they were ---

TOLD = st.lists(
    st.tuples(
        st.sampled_from([(), ("7b",), ("8c",)]),
        st.sampled_from(["sent", "unchanged", "held", "rejected", "failed", "cancelled", None]),
        st.sampled_from(["a.b", "c.d"]),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=8,
)


@given(runs=TOLD)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_night_is_told_as_its_run_ended(
    ledger: Connection, open_night: Callable[..., int], runs: list[tuple[Any, ...]]
) -> None:
    with database.transaction(ledger) as cursor:
        cursor.execute("TRUNCATE passback.runs CASCADE")
    expected: list[tuple[str, str, str]] = []
    seen = False
    for number, (classes, outcome, code, repeats) in enumerate(runs):
        key = f"night-{number}"
        codes = code if outcome in ("held", "rejected", "failed", "cancelled") else ""
        scores = judged("held", "bo")
        if outcome is not None and "8c" not in classes:
            scores = pd.concat([scores, judged(outcome, "amy", codes=codes)])
        for _ in range(repeats + 1):  # a run that is cleared tells the same once more
            record_outcomes(ledger, open_night(key, classes=classes), scores)
        if "8c" in classes:
            continue
        seen = seen or outcome is not None
        if seen:
            expected.append((key, outcome or "vanished", codes))
    told = [
        (night["run"], night["outcome"], " ".join(reason["code"] for reason in night["reasons"]))
        for score in explain(ledger)
        for night in score["nights"]
    ]
    assert told == expected
