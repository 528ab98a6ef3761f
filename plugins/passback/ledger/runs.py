"""Runs: opened, closed with counts that add up, and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from psycopg2.extras import execute_values

from passback.ledger.bulk import INTEGER, copy_in
from passback.ledger.database import Connection, transaction
from passback.ledger.instants import iso
from passback.ledger.outcomes import record
from passback.reasons import Outcome, Reason
from passback.records import TEXT, Frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

RUN_REASONS: Final = Frame(
    "counted_reasons",
    {"code": TEXT, "assessments": INTEGER, "scores": INTEGER, "leading_scores": INTEGER},
    ("code",),
)

OPEN: Final = """
    INSERT INTO passback.runs AS run
        (district, run_key, mode, ordered_by, mapping_hash, rule_set, state, started_at, classes, assessments,
         undoes)
    VALUES (%(district)s, %(run_key)s, %(mode)s, %(ordered_by)s, %(mapping_hash)s, %(rule_set)s, 'running',
            %(started_at)s, %(classes)s::text[], %(assessments)s::text[], %(undoes)s)
    ON CONFLICT (district, run_key) DO UPDATE SET
        classes = excluded.classes, assessments = excluded.assessments, undoes = excluded.undoes,
        mode = excluded.mode, ordered_by = excluded.ordered_by, mapping_hash = excluded.mapping_hash,
        rule_set = excluded.rule_set, state = 'running', started_at = excluded.started_at, ended_at = NULL,
        extracted = 0, sent = 0, unchanged = 0, held = 0, rejected = 0, failed = 0, cancelled = 0,
        requests = 0, failed_task = '', message = ''
    RETURNING run_id
"""

INTERRUPT: Final = """
    UPDATE passback.runs SET state = 'interrupted', ended_at = now()
    WHERE district = %(district)s AND state = 'running' AND run_key <> %(run_key)s
"""

KEEP_TEXTS: Final = """
    INSERT INTO passback.reason_texts AS held (rule_set, code, outcome, sentence, who, mend, seed) VALUES %s
    ON CONFLICT (rule_set, code) DO UPDATE SET
        outcome = excluded.outcome, sentence = excluded.sentence, who = excluded.who, mend = excluded.mend,
        seed = excluded.seed
    WHERE (held.outcome, held.sentence, held.who, held.mend, held.seed)
        IS DISTINCT FROM (excluded.outcome, excluded.sentence, excluded.who, excluded.mend, excluded.seed)
"""

CLOSE: Final = """
    UPDATE passback.runs SET
        state = %(state)s, ended_at = %(ended_at)s, extracted = %(extracted)s, sent = %(sent)s,
        unchanged = %(unchanged)s, held = %(held)s, rejected = %(rejected)s, failed = %(failed)s,
        cancelled = %(cancelled)s, requests = %(requests)s, failed_task = %(failed_task)s,
        message = %(message)s
    WHERE run_id = %(run_id)s
"""

DECIDE: Final = """
    UPDATE passback.runs
    SET decision = %(decision)s, decided_by = %(decided_by)s, decided_at = %(decided_at)s
    WHERE run_id = %(run_id)s
"""

LATEST: Final = """
    SELECT run_id, district, run_key, mode, state, started_at, ended_at, extracted,
           sent, unchanged, held, rejected, failed, cancelled, requests, failed_task, message
    FROM passback.runs
    WHERE district = %(district)s OR %(district)s IS NULL
    ORDER BY started_at DESC, run_id DESC LIMIT %(limit)s
"""

LATEST_REASONS: Final = """
    SELECT counted.run_id, counted.code, counted.assessments, counted.scores, leading_scores,
           coalesce(outcome, ''), coalesce(sentence, ''), coalesce(who, ''), coalesce(mend, '')
    FROM passback.run_reasons AS counted
    JOIN passback.runs AS run USING (run_id)
    LEFT JOIN passback.reason_texts AS texts ON texts.rule_set = run.rule_set AND texts.code = counted.code
    WHERE counted.run_id = ANY(%(run_ids)s)
    ORDER BY leading_scores DESC, counted.scores DESC, counted.code
"""


def open_run(
    connection: Connection,
    *,
    district: str,
    run_key: str,
    mode: str,
    ordered_by: str,
    mapping_hash: str,
    rule_set: str,
    reasons: Iterable[Reason],
    started_at: datetime,
    classes: Sequence[str] = (),
    assessments: Sequence[str] = (),
    undoes: int | None = None,
) -> int:
    """Note that a run begins; one that is cleared and begins again keeps its row, reset to running.

    Other runs of the district that still count as running were killed: they become `interrupted`.

    Args:
        connection: The ledger.
        district: The district's name.
        run_key: Airflow's run id, or `cli__<UTC instant>`.
        mode: changes, full, reconcile or undo.
        ordered_by: Who or what started it.
        mapping_hash: Hash of the mapping file it runs by.
        rule_set: Hash of the rules it runs by; the reasons' texts are kept under it.
        reasons: Every reason the run may give.
        started_at: With a time zone.
        classes: Only these classes, by the source's ids; empty for all.
        assessments: Only these assessments, by the source's ids; empty for all.
        undoes: The run that an undo puts back.

    Returns:
        The run's number in this ledger.
    """
    run = {
        "district": district,
        "run_key": run_key,
        "mode": mode,
        "ordered_by": ordered_by,
        "mapping_hash": mapping_hash,
        "rule_set": rule_set,
        "started_at": started_at,
        "classes": list(classes),
        "assessments": list(assessments),
        "undoes": undoes,
    }
    texts = {
        reason.code: (
            rule_set,
            reason.code,
            str(reason.outcome),
            reason.sentence,
            str(reason.who),
            reason.mend,
            reason.seed,
        )
        for reason in reasons
    }
    with transaction(connection) as cursor:
        cursor.execute(INTERRUPT, run)
        cursor.execute(OPEN, run)
        (run_id,) = cursor.fetchone() or (None,)
        cursor.execute("DELETE FROM passback.run_reasons WHERE run_id = %s", (run_id,))
        cursor.execute("DELETE FROM passback.run_outcomes WHERE run_id = %s", (run_id,))
        if texts:
            execute_values(cursor, KEEP_TEXTS, sorted(texts.values()))
    return int(run_id)


def note_judged(connection: Connection, run_id: int, judged: int) -> None:
    """Note how many scores the rules have judged: so many outcomes the run must end with to be good."""
    with transaction(connection) as cursor:
        cursor.execute(
            "UPDATE passback.runs SET judged = %(judged)s WHERE run_id = %(run_id)s",
            {"judged": int(judged), "run_id": run_id},
        )


def record_decision(
    connection: Connection, run_id: int, *, decision: str, decided_by: str, decided_at: datetime | None
) -> None:
    """Note what a person said when a run would have changed too much.

    Args:
        connection: The ledger.
        run_id: The run.
        decision: `go on` or `cancel`; empty while nobody has answered.
        decided_by: Who said it.
        decided_at: When, with a time zone.
    """
    decided = {
        "run_id": run_id,
        "decision": decision,
        "decided_by": decided_by,
        "decided_at": decided_at,
    }
    with transaction(connection) as cursor:
        cursor.execute(DECIDE, decided)


def close_run(
    connection: Connection,
    run_id: int,
    *,
    ended_at: datetime,
    state: str,
    extracted: int,
    outcomes: Mapping[str, int],
    reasons: pd.DataFrame,
    requests: int,
    failed_task: str = "",
    message: str = "",
    scores: pd.DataFrame | None = None,
) -> None:
    """Note how a run ended and, in the same transaction, what became of every score that it judged.

    Args:
        connection: The ledger.
        run_id: The run.
        ended_at: With a time zone.
        state: good or failed.
        extracted: Number of scores extracted.
        outcomes: Number of scores by outcome; an outcome that is left out counts 0.
        reasons: Columns code, assessments, scores, leading_scores (those it is the first reason of).
        requests: Number of requests sent to the SIS.
        failed_task: The task that failed, if one did.
        message: The failure's message, without anything of a student.
        scores: What became of every score, as for `outcomes.record_outcomes`; None where none was judged.

    Raises:
        CountsError: a run that is to be good has not one outcome for every score that it judged (RULES
            section 1); an undo, which judges none, has outcomes that do not add up to `extracted`.
        ValueError: an outcome that does not exist.
    """
    counts = dict.fromkeys(map(str, Outcome), 0)
    if unknown := {str(outcome) for outcome in outcomes} - counts.keys():
        raise ValueError(f"No such outcome: {', '.join(sorted(unknown))}.")
    counts |= {str(outcome): int(count) for outcome, count in outcomes.items()}
    run = {
        **counts,
        "run_id": run_id,
        "state": state,
        "ended_at": ended_at,
        "extracted": int(extracted),
        "requests": int(requests),
        "failed_task": failed_task,
        "message": message,
    }
    with transaction(connection) as cursor:
        if scores is not None:
            record(cursor, run_id, scores)
        cursor.execute(CLOSE, run)
        cursor.execute("DELETE FROM passback.run_reasons WHERE run_id = %s", (run_id,))
        copy_in(cursor, reasons, RUN_REASONS)
        cursor.execute(
            "INSERT INTO passback.run_reasons (run_id, code, assessments, scores, leading_scores)"
            " SELECT %s, code, assessments, scores, leading_scores FROM pg_temp.counted_reasons",
            (run_id,),
        )


def latest_runs(connection: Connection, district: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest runs of a district, or of all, newest first, in the form of `passback status --json`.

    A run's reasons come with the one that leads the most scores first.
    """
    with transaction(connection) as cursor:
        cursor.execute(LATEST, {"district": district, "limit": limit})
        rows = cursor.fetchall()
        cursor.execute(LATEST_REASONS, {"run_ids": [row[0] for row in rows]})
        reasons: dict[int, dict[str, dict[str, Any]]] = {}
        for run_id, code, assessments, scores, leading_scores, outcome, sentence, who, mend in cursor:
            reasons.setdefault(run_id, {})[code] = {
                "assessments": assessments,
                "scores": scores,
                "leading_scores": leading_scores,
                "outcome": outcome,
                "sentence": sentence,
                "who": who,
                "mend": mend,
            }
    return [
        {
            "district": row[1],
            "run": row[2],
            "mode": row[3],
            "state": row[4],
            "started_at": iso(row[5]),
            "ended_at": iso(row[6]),
            "extracted": row[7],
            "outcomes": dict(zip(map(str, Outcome), row[8:14], strict=True)),
            "reasons": reasons.get(row[0], {}),
            "requests": row[14],
            "failed_task": row[15],
            "message": row[16],
        }
        for row in rows
    ]
