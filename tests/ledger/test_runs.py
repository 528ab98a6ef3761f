"""Runs, their counts, and the extracts they start from."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from ledger.frames import judged
from passback.errors import CountsError, PassbackError
from passback.ledger import (
    close_run,
    database,
    keep_extract,
    last_extract,
    latest_runs,
    note_judged,
    record_decision,
)
from passback.reasons import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.ledger import Connection

ENDED = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
NO_REASONS = pd.DataFrame({"code": [], "assessments": [], "scores": [], "leading_scores": []})


SCORES = pd.concat([judged("sent", *"abcdefg"), judged("rejected", *"hij", codes="due.missing")])


def close(ledger: Connection, run: int, **changed: Any) -> None:
    """Close a run of ten scores well, but for what is changed."""
    note_judged(ledger, run, changed.pop("judged", 10))
    well = {
        "ended_at": ENDED,
        "state": "good",
        "extracted": 10,
        "outcomes": {Outcome.SENT: 7, Outcome.REJECTED: 3},
        "reasons": NO_REASONS,
        "requests": 12,
        "scores": SCORES,
    }
    close_run(ledger, run, **(well | changed))


def test_a_run_is_listed_as_status_prints_it(ledger: Connection, run: int) -> None:
    reasons = pd.DataFrame(
        {
            "code": ["score.not_graded", "due.missing", "new.rule"],
            "assessments": [1, 1, 1],
            "scores": [1, 3, 3],
            "leading_scores": [0, 3, 0],
        }
    )
    close(ledger, run, reasons=reasons)
    (listed,) = latest_runs(ledger, "lakeview", 5)
    assert listed.pop("started_at").endswith("Z")
    assert listed == {
        "district": "lakeview",
        "run": "night-1",
        "mode": "changes",
        "state": "good",
        "ended_at": "2026-11-23T06:30:00Z",
        "extracted": 10,
        "outcomes": {"sent": 7, "unchanged": 0, "held": 0, "rejected": 3, "failed": 0, "cancelled": 0},
        "reasons": {
            "due.missing": {
                "assessments": 1,
                "scores": 3,
                "leading_scores": 3,
                "outcome": "rejected",
                "sentence": "No due date.",
                "who": "teacher",
                "mend": "Set one.",
            },
            "new.rule": {
                "assessments": 1,
                "scores": 3,
                "leading_scores": 0,
                "outcome": "",
                "sentence": "",
                "who": "",
                "mend": "",
            },
            "score.not_graded": {
                "assessments": 1,
                "scores": 1,
                "leading_scores": 0,
                "outcome": "held",
                "sentence": "Not graded yet.",
                "who": "teacher",
                "mend": "Grade it.",
            },
        },
        "requests": 12,
        "failed_task": "",
        "message": "",
    }
    assert list(listed["reasons"]) == ["due.missing", "new.rule", "score.not_graded"]
    json.dumps(listed)


def test_a_run_whose_scores_do_not_add_up_cannot_be_good(ledger: Connection, run: int) -> None:
    with pytest.raises(CountsError) as raised:
        close(ledger, run, extracted=11)
    assert raised.value.mend
    assert latest_runs(ledger, "lakeview", 1)[0]["state"] == "running"
    close(ledger, run, extracted=11, state="failed", failed_task="audit", message="Counts differ.")
    (listed,) = latest_runs(ledger, "lakeview", 1)
    assert (listed["state"], listed["failed_task"], listed["message"]) == (
        "failed",
        "audit",
        "Counts differ.",
    )


def test_counts_below_zero_cannot_make_a_sum_right(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    undo = open_night("undo-1", mode="undo", undoes=open_night("night-1"))
    with pytest.raises(Exception, match="23514"):
        close(ledger, undo, extracted=4, outcomes={"sent": 7, "held": -3}, scores=None)


@pytest.mark.parametrize(
    "changed",
    [
        {"judged": 11},
        {"scores": None},
        {"scores": SCORES[:-1]},
        {"scores": SCORES.assign(outcome="sent")},
        {"extracted": 9, "outcomes": {"sent": 6, "rejected": 3}},
        {"outcomes": {"sent": 3, "rejected": 7}},
    ],
    ids=["fewer outcomes than judged", "no outcomes", "one is missing", "other outcomes than counted",
         "fewer counted than judged", "counted otherwise"],
)  # fmt: skip
def test_a_run_without_one_outcome_for_every_judged_score_is_not_good_and_keeps_nothing(
    ledger: Connection, run: int, changed: dict[str, Any]
) -> None:
    with pytest.raises(CountsError):
        close(ledger, run, **changed)
    assert latest_runs(ledger, "lakeview", 1)[0]["state"] == "running"
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM passback.score_outcomes),"
            " (SELECT count(*) FROM passback.run_outcomes), (SELECT count(*) FROM passback.score_history)"
        )
        assert cursor.fetchone() == (0, 0, 0)
    close(ledger, run)
    assert latest_runs(ledger, "lakeview", 1)[0]["state"] == "good"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE passback.runs SET state = 'good', ended_at = now()",
        "UPDATE passback.runs SET state = 'good', ended_at = now(), extracted = 10, sent = 10",
        "UPDATE passback.runs SET state = 'good', ended_at = now(), extracted = 10, sent = 10, judged = 10",
        (
            "INSERT INTO passback.runs (district, run_key, mode, ordered_by, mapping_hash, rule_set, state, "
            " started_at, ended_at) VALUES ('lakeview', 'made up', 'full', '', '', '', 'good', now(), now())"
        ),
    ],
)
def test_the_database_itself_refuses_to_call_a_run_good_that_has_no_outcomes(
    ledger: Connection, run: int, statement: str
) -> None:
    assert run
    with pytest.raises(CountsError), database.transaction(ledger) as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE passback.runs SET sent = 8, rejected = 2",
        "UPDATE passback.runs SET judged = 11",
        "UPDATE passback.runs SET extracted = 9, sent = 6",
        "UPDATE passback.run_outcomes SET scores = scores + 1",
        "DELETE FROM passback.run_outcomes",
        "INSERT INTO passback.run_outcomes SELECT run_id, '9z', 'sent', 1 FROM passback.runs",
    ],
)
def test_the_account_of_a_good_run_stands(ledger: Connection, run: int, statement: str) -> None:
    close(ledger, run)
    with pytest.raises(PassbackError), database.transaction(ledger) as cursor:
        cursor.execute(statement)


def test_the_account_is_kept_by_class(ledger: Connection, run: int) -> None:
    scores = pd.concat(
        [judged("sent", "amy", "bo"), judged("held", "amy", class_id="8c"), judged("sent", "cy")]
    )
    close(ledger, run, judged=4, extracted=4, outcomes={"sent": 3, "held": 1}, scores=scores)
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "SELECT run_id, class_id, outcome, scores FROM passback.run_outcomes ORDER BY class_id"
        )
        assert cursor.fetchall() == [(run, "7b", "sent", 3), (run, "8c", "held", 1)]


def test_differing_copies_of_a_score_are_counted_each_and_kept_once(ledger: Connection, run: int) -> None:
    copies = judged("rejected", "amy", "amy", codes="duplicate.conflict")
    close(ledger, run, judged=2, extracted=2, outcomes={"rejected": 2}, scores=copies)
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "SELECT (SELECT sum(scores) FROM passback.run_outcomes),"
            " (SELECT count(*) FROM passback.score_outcomes)"
        )
        assert cursor.fetchone() == (2, 1)


def test_an_undo_judges_no_score_and_is_good_without_an_account(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    night = open_night("night-1")
    close(ledger, night)
    undo = open_night("undo-1", mode="undo", undoes=night)
    close_run(
        ledger,
        undo,
        ended_at=ENDED,
        state="good",
        extracted=7,
        outcomes={"sent": 6, "cancelled": 1},
        reasons=NO_REASONS,
        requests=9,
    )
    assert latest_runs(ledger, "lakeview", 1)[0]["outcomes"]["sent"] == 6
    with database.transaction(ledger) as cursor:
        cursor.execute("SELECT undoes FROM passback.runs WHERE run_id = %s", (undo,))
        assert cursor.fetchone() == (night,)


def test_a_run_that_is_cleared_and_closed_again_ends_the_same(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    def ended() -> list[tuple[Any, ...]]:
        rows = []
        with database.transaction(ledger) as cursor:
            for query in (
                "SELECT state, extracted, sent, rejected, judged FROM passback.runs",
                "SELECT * FROM passback.run_outcomes ORDER BY class_id, outcome",
                "SELECT class_id, student_id, outcome, codes FROM passback.score_outcomes ORDER BY 2",
                "SELECT student_id, run_id, outcome, codes FROM passback.score_history ORDER BY 1",
            ):
                cursor.execute(query)
                rows.append(tuple(cursor.fetchall()))
        return rows

    close(ledger, open_night("night-1"))
    first = ended()
    close(ledger, open_night("night-1"))
    assert ended() == first
    # It failed when it was tried first: that is told no more once it is good.
    open_night("night-1")
    failed = {"state": "failed", "outcomes": {"cancelled": 10}, "failed_task": "load-to-sis"}
    close(
        ledger,
        open_night("night-1"),
        scores=SCORES.assign(outcome="cancelled", codes="run.stopped"),
        **failed,
    )
    close(ledger, open_night("night-1"))
    assert ended() == first


def test_a_run_keeps_what_it_was_limited_to(ledger: Connection, open_night: Callable[..., int]) -> None:
    open_night("night-1", classes=("7b", "8c"), assessments=("essay",))
    with database.transaction(ledger) as cursor:
        cursor.execute("SELECT classes, assessments FROM passback.runs")
        assert cursor.fetchall() == [(["7b", "8c"], ["essay"])]


def test_an_outcome_that_does_not_exist_is_refused(ledger: Connection, run: int) -> None:
    with pytest.raises(ValueError, match="splendid"):
        close(ledger, run, outcomes={"splendid": 10})


def test_a_cleared_run_keeps_its_row_and_begins_anew(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    run = open_night("night-1")
    reasons = pd.DataFrame({"code": ["due.missing"], "assessments": 1, "scores": 3, "leading_scores": 3})
    close(ledger, run, state="failed", reasons=reasons, failed_task="load-to-sis", message="No answer.")
    assert open_night("night-1") == run
    (listed,) = latest_runs(ledger, "lakeview", 5)
    assert (listed["state"], listed["ended_at"], listed["message"]) == ("running", None, "")
    assert (sum(listed["outcomes"].values()), listed["reasons"]) == (0, {})


def test_a_run_that_was_killed_is_interrupted_when_the_next_one_opens(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    open_night("night-1", district="hillside")
    close(ledger, open_night("night-1"))
    open_night("night-2")
    open_night("night-3")
    states = {(run["district"], run["run"]): run["state"] for run in latest_runs(ledger, None, 10)}
    assert states == {
        ("lakeview", "night-3"): "running",
        ("lakeview", "night-2"): "interrupted",
        ("lakeview", "night-1"): "good",
        ("hillside", "night-1"): "running",
    }


def test_runs_are_listed_newest_first_and_no_more_than_asked(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    for number in range(4):
        open_night(f"night-{number}")
    assert [run["run"] for run in latest_runs(ledger, "lakeview", 2)] == ["night-3", "night-2"]
    assert latest_runs(ledger, "unheard-of", 2) == []


def test_the_last_extract_is_the_one_kept_last(ledger: Connection) -> None:
    assert last_extract(ledger, "lakeview") is None
    pacific = timedelta(hours=-8)
    for number in (1, 2):
        keep_extract(
            ledger,
            "lakeview",
            snapshot=f"file:///stage/{number}",
            watermark=ENDED + number * pacific,
            assessments=number,
            scores=30 * number,
        )
    assert last_extract(ledger, "lakeview") == {
        "snapshot": "file:///stage/2",
        "watermark": ENDED + 2 * pacific,
        "assessments": 2,
        "scores": 60,
    }
    assert last_extract(ledger, "hillside") is None


def test_a_decision_is_kept_with_who_took_it_and_may_be_taken_anew(ledger: Connection, run: int) -> None:
    for decision, person in (("cancel", "Ada"), ("go on", "Grace"), ("", "")):
        decided_at = datetime.now(UTC) if decision else None
        record_decision(ledger, run, decision=decision, decided_by=person, decided_at=decided_at)
        with database.transaction(ledger) as cursor:
            cursor.execute("SELECT decision, decided_by, decided_at FROM passback.runs")
            assert cursor.fetchall() == [(decision, person, decided_at)]
