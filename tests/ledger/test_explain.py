"""What happened to a score, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd

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
    explain_score,
    intend_line_items,
    intend_results,
    record_outcomes,
    settle_results,
)

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
    record_outcomes(ledger, "lakeview", run, judged("sent", "amy"))


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
        "sent": value
        | {
            "at": "2026-11-22T22:00:01Z",
            "run": "night-1",
            "line_item": {"line_item_id": "item-1", **line_item},
        },
        "sis": {
            "state": "confirmed",
            "status": 201,
            "words": "",
            "holds": value,
            "line_item": {"state": "accepted", "status": 201, "words": "", "holds": line_item},
        },
        "history": [
            {
                "at": "2026-11-22T22:00:01Z",
                "run": "night-1",
                "from": None,
                "to": value,
                "ordered_by": "schedule",
            }
        ],
    }


def test_a_late_score_says_so_as_it_was_sent_and_as_the_sis_holds_it(ledger: Connection, run: int) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy", mark="late"))
    answer_results(ledger, "lakeview", run, result_answers("amy"))
    record_outcomes(ledger, "lakeview", run, judged("sent", "amy"))
    (explained,) = explain(ledger)
    assert (explained["sent"]["mark"], explained["sis"]["holds"]["mark"]) == ("late", "late")
    assert explained["history"][0]["to"]["mark"] == "late"


def test_a_score_is_unchanged_in_the_run_after_it_was_sent(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    send(ledger, open_night("night-1"), 80.0)
    record_outcomes(ledger, "lakeview", open_night("night-2"), judged("unchanged", "amy"))
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
    record_outcomes(ledger, "lakeview", run, judged("failed", "amy", codes="sis.not_stored"))
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
    record_outcomes(
        ledger, "lakeview", run, judged("rejected", "amy", codes="score.not_graded due.missing x.y")
    )
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
    record_outcomes(ledger, "lakeview", run, judged("failed", "amy", codes="sis.line_item_refused"))
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
    record_outcomes(ledger, "lakeview", run, pd.concat(both))
    outcomes = {entry["class_id"]: (entry["outcome"], len(entry["history"])) for entry in explain(ledger)}
    assert outcomes == {"7b": ("sent", 1), "8c": ("held", 0)}
    assert [entry["class_id"] for entry in explain(ledger, class_id="8c")] == ["8c"]
