"""What happened to a score, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from passback.ledger.database import Connection, Cursor, transaction
from passback.ledger.instants import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

# The result that belongs to a score is the one last intended: it has several if its class moved in the SIS.
SCORES: Final = """
    SELECT score.class_id, score.outcome, score.codes, score.since, since.run_key AS since_run,
           since.rule_set, latest.run_id AS latest_run_id, latest.run_key AS latest_run,
           result.run_id AS sent_run_id, sent.run_key AS sent_run,
           result.score, result.score_status, result.score_date, result.mark, result.answered_at,
           result.confirmed_at, result.state, result.answer_status, result.answer_words, result.in_sis,
           item.line_item_id, item.title, item.category_id, item.period_id, item.assign_date, item.due_date,
           item.points_possible, item.state AS item_state, item.answer_status AS item_status,
           item.answer_words AS item_words, item.in_sis AS item_in_sis
    FROM passback.score_outcomes AS score
    JOIN passback.runs AS since USING (run_id)
    LEFT JOIN LATERAL (
        SELECT run_id, run_key FROM passback.runs
        WHERE district = score.district AND recorded_at IS NOT NULL
        ORDER BY recorded_at DESC LIMIT 1
    ) AS latest ON true
    LEFT JOIN LATERAL (
        SELECT * FROM passback.results
        WHERE district = score.district AND assessment_id = score.assessment_id
            AND student_id = score.student_id AND class_id = score.class_id
        ORDER BY intended_at DESC LIMIT 1
    ) AS result ON true
    LEFT JOIN passback.runs AS sent ON sent.run_id = result.run_id
    LEFT JOIN LATERAL (
        SELECT * FROM passback.line_items
        WHERE district = score.district AND assessment_id = score.assessment_id
            AND class_id = score.class_id
        ORDER BY line_item_id = result.line_item_id DESC NULLS LAST, intended_at DESC LIMIT 1
    ) AS item ON true
    WHERE score.district = %(district)s AND score.assessment_id = %(assessment)s
        AND score.student_id = %(student)s
        AND (score.class_id = %(class_id)s OR %(class_id)s IS NULL)
    ORDER BY score.class_id
"""

REASON_TEXTS: Final = """
    SELECT code, sentence, who, mend, seed, outcome FROM passback.reason_texts
    WHERE rule_set = %s AND code = ANY(%s)
"""

HISTORY: Final = """
    SELECT class_id, at, run_key, from_value, to_value, ordered_by FROM passback.trail
    WHERE district = %(district)s AND assessment_id = %(assessment)s AND student_id = %(student)s
    ORDER BY seq
"""


def explain_score(
    connection: Connection, district: str, assessment: str, student: str, class_id: str | None
) -> list[dict[str, Any]]:
    """What became of a student's score, in every class the assessment is of, ready for JSON.

    Args:
        connection: The ledger.
        district: The district's name.
        assessment: The source's id of the assessment.
        student: The source's id of the student.
        class_id: The source's id of a class, or None for all.

    Returns:
        One entry a class, none if no run has judged such a score. Keys: class_id; outcome (sent if the
        latest run wrote it, else unchanged; held, rejected, failed, cancelled); reasons (code, sentence, who,
        mend, seed, outcome; the leading one first); since (run and instant since which it is so); run (the
        latest that judged scores); sent (the values last meant for the SIS with their line item, or None);
        sis (state, status and words of its answer, the value of ours it holds as far as known or None, and
        the line item's own); history (every change in the SIS, oldest first; to None: read back different).
    """
    of = {"district": district, "assessment": assessment, "student": student, "class_id": class_id}
    with transaction(connection) as cursor:
        cursor.execute(SCORES, of)
        scores = _records(cursor)
        if not scores:
            return []
        cursor.execute(HISTORY, of)
        history = _records(cursor)
        return [
            {
                "class_id": score["class_id"],
                "outcome": _outcome(score),
                "reasons": _reasons(cursor, score["rule_set"], score["codes"].split()),
                "since": {"run": score["since_run"], "at": iso(score["since"])},
                "run": score["latest_run"],
                "sent": _sent(score),
                "sis": _sis(score),
                "history": [_change(row) for row in history if row["class_id"] == score["class_id"]],
            }
            for score in scores
        ]


def _records(cursor: Cursor) -> list[dict[str, Any]]:
    columns = [column.name for column in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _outcome(score: dict[str, Any]) -> str:
    if score["outcome"] != "passed":
        return str(score["outcome"])
    return "sent" if score["sent_run_id"] == score["latest_run_id"] else "unchanged"


def _reasons(cursor: Cursor, rule_set: str, codes: Iterable[str]) -> list[dict[str, str]]:
    """The reasons with their texts, in the codes' order; a code without a text keeps empty ones."""
    cursor.execute(REASON_TEXTS, (rule_set, list(codes)))
    texts = {row["code"]: row for row in _records(cursor)}
    unknown = {"sentence": "", "who": "", "mend": "", "seed": "", "outcome": ""}
    return [texts.get(code, {"code": code, **unknown}) for code in codes]


def _sent(score: dict[str, Any]) -> dict[str, Any] | None:
    if score["state"] is None:
        return None
    return {
        "score": score["score"],
        "score_status": score["score_status"],
        "score_date": score["score_date"],
        "mark": score["mark"],
        "at": iso(score["answered_at"]),
        "run": score["sent_run"],
        "confirmed_at": iso(score["confirmed_at"]),
        "line_item": {
            column: score[column]
            for column in (
                "line_item_id",
                "title",
                "category_id",
                "period_id",
                "assign_date",
                "due_date",
                "points_possible",
            )
        },
    }


def _sis(score: dict[str, Any]) -> dict[str, Any]:
    line_item = {
        "state": score["item_state"],
        "status": score["item_status"],
        "words": score["item_words"],
        "holds": score["item_in_sis"],
    }
    return {
        "state": score["state"],
        "status": score["answer_status"],
        "words": score["answer_words"] or "",
        "holds": score["in_sis"],
        "line_item": line_item if score["item_state"] else None,
    }


def _change(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": iso(row["at"]),
        "run": row["run_key"],
        "from": row["from_value"],
        "to": row["to_value"],
        "ordered_by": row["ordered_by"],
    }
