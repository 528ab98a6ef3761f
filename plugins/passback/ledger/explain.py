"""What happened to a score, night by night, and why; and lists of scores by student, assessment or class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from psycopg2.extras import Json

from passback.ledger.database import Connection, Cursor, transaction
from passback.ledger.instants import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The result that belongs to a score is the one last intended: it has several if its class moved in the SIS.
RESULT_OF: Final = """
    LEFT JOIN LATERAL (
        SELECT * FROM passback.results
        WHERE district = %(district)s AND assessment_id = score.assessment_id
            AND student_id = score.student_id AND class_id = score.class_id
        ORDER BY intended_at DESC LIMIT 1
    ) AS result ON true
"""
LINE_ITEM_OF: Final = """
    LEFT JOIN LATERAL (
        SELECT * FROM passback.line_items
        WHERE district = %(district)s AND assessment_id = score.assessment_id AND class_id = score.class_id
        ORDER BY line_item_id = result.line_item_id DESC NULLS LAST, intended_at DESC LIMIT 1
    ) AS item ON true
"""

# --- One score ---

# Of a score that has vanished the history alone is left.
CLASSES: Final = """
    SELECT class_id FROM passback.score_outcomes
    WHERE district = %(district)s AND assessment_id = %(assessment)s AND student_id = %(student)s
        AND (class_id = %(class_id)s OR %(class_id)s IS NULL)
    UNION
    SELECT class_id FROM passback.score_history
    WHERE district = %(district)s AND assessment_id = %(assessment)s AND student_id = %(student)s
        AND (class_id = %(class_id)s OR %(class_id)s IS NULL)
    ORDER BY class_id
"""

# A score without any history stood so before there was one. What was sent in one night is unchanged in the
# nights after it.
NIGHTS: Final = """
    WITH told AS MATERIALIZED (
        SELECT run_id, outcome, codes, at FROM passback.score_history
        WHERE district = %(district)s AND assessment_id = %(assessment)s AND student_id = %(student)s
            AND class_id = %(class_id)s
        UNION ALL
        SELECT run_id, CASE outcome WHEN 'passed' THEN 'unchanged' ELSE outcome END, codes, since
        FROM passback.score_outcomes AS stands
        WHERE district = %(district)s AND assessment_id = %(assessment)s AND student_id = %(student)s
            AND class_id = %(class_id)s
            AND NOT EXISTS (
                SELECT FROM passback.score_history AS same
                WHERE same.district = stands.district AND same.assessment_id = stands.assessment_id
                    AND same.student_id = stands.student_id AND same.class_id = stands.class_id
            )
    )
    SELECT run.run_key AS run, run.mode, run.state, run.ordered_by, run.rule_set, run.mapping_hash,
           run.recorded_at AS at, told.codes, told.at AS since, told_by.run_key AS since_run,
           CASE WHEN told.outcome = 'sent' AND told.run_id <> run.run_id THEN 'unchanged' ELSE told.outcome
               END AS outcome
    FROM passback.runs AS run
    JOIN LATERAL (
        SELECT * FROM told WHERE told.at <= run.recorded_at ORDER BY told.at DESC LIMIT 1
    ) AS told ON true
    JOIN passback.runs AS told_by ON told_by.run_id = told.run_id
    WHERE run.district = %(district)s AND run.recorded_at IS NOT NULL AND (
        run.run_id IN (SELECT run_id FROM told)
        OR ((run.classes = '{}' OR %(class_id)s = ANY (run.classes))
            AND (run.assessments = '{}' OR %(assessment)s = ANY (run.assessments)))
    )
    ORDER BY run.recorded_at, run.run_id
"""

NOW: Final = f"""
    SELECT sent.run_key AS sent_run, sent.ordered_by AS sent_by, sent.rule_set AS sent_rule_set,
           sent.mapping_hash AS sent_mapping_hash,
           result.score, result.score_status, result.score_date, result.mark, result.answered_at,
           result.confirmed_at, result.state, result.answer_status, result.answer_words, result.in_sis,
           result.held_back, result.held_back_value, held_by.run_key AS held_back_run,
           item.line_item_id, item.title, item.category_id, item.period_id, item.assign_date, item.due_date,
           item.points_possible, item.state AS item_state, item.answer_status AS item_status,
           item.answer_words AS item_words, item.in_sis AS item_in_sis, item.held_back AS item_held_back,
           item.held_back_value AS item_held_back_value, item_held_by.run_key AS item_held_back_run
    FROM (
        SELECT %(assessment)s AS assessment_id, %(student)s AS student_id, %(class_id)s AS class_id
    ) AS score
    {RESULT_OF} {LINE_ITEM_OF}
    LEFT JOIN passback.runs AS sent ON sent.run_id = result.run_id
    LEFT JOIN passback.runs AS held_by ON held_by.run_id = result.held_back_run_id
    LEFT JOIN passback.runs AS item_held_by ON item_held_by.run_id = item.held_back_run_id
"""  # noqa: S608 - constants of this module

CHANGES: Final = """
    SELECT at, run_key AS run, from_value, to_value, ordered_by, rule_set, mapping_hash FROM passback.trail
    WHERE district = %(district)s AND assessment_id = %(assessment)s AND student_id = %(student)s
        AND class_id = %(class_id)s
    ORDER BY seq
"""

REASON_TEXTS: Final = """
    SELECT rule_set, code, sentence, who, mend, seed, outcome FROM passback.reason_texts
    WHERE rule_set = ANY (%(rule_sets)s) AND code = ANY (%(codes)s)
"""

SUPPRESSIONS: Final = """
    SELECT kind, id, reason, ordered_by, at, lifted_reason, lifted_by, lifted_at FROM passback.suppressions
    WHERE district = %(district)s AND (
        (kind = 'assessment' AND id = %(assessment)s) OR (kind = 'student' AND id = %(student)s)
        OR (kind = 'class' AND id = %(class_id)s)
    )
    ORDER BY suppression_id
"""

# --- Lists ---

WHERE: Final = """
    score.district = %(district)s
    AND (score.assessment_id = %(assessment)s OR %(assessment)s IS NULL)
    AND (score.student_id = %(student)s OR %(student)s IS NULL)
    AND (score.class_id = %(class_id)s OR %(class_id)s IS NULL)
"""
# Each by its index, however many assessments a teacher has.
OF_ASSESSMENTS: Final = """
    jsonb_to_recordset(%(among)s) AS among (assessment_id text, class_id text)
    JOIN LATERAL (
        SELECT * FROM {table} AS score
        WHERE score.district = %(district)s AND score.assessment_id = among.assessment_id
            AND score.class_id = among.class_id OFFSET 0
    ) AS score ON true
"""

COUNT: Final = """
    SELECT outcome, count(*) FROM (
        SELECT score.outcome FROM {standing} WHERE {where}
        UNION ALL
        SELECT 'vanished' FROM {vanished} WHERE {where} AND {is_vanished}
    ) AS score GROUP BY outcome
"""

VANISHED: Final = "(SELECT * FROM passback.score_history WHERE outcome = 'vanished')"

# A score that came back has a later row.
IS_VANISHED: Final = """
    NOT EXISTS (
        SELECT FROM passback.score_history AS later
        WHERE later.district = score.district AND later.assessment_id = score.assessment_id
            AND later.student_id = score.student_id AND later.class_id = score.class_id
            AND later.at > score.at
    )
"""

# The runs since the latest of the whole district: the last of them that covers a score is its latest.
PAGE: Final = """
    WITH recent AS MATERIALIZED (
        SELECT run_id, run_key, classes, assessments, recorded_at FROM passback.runs
        WHERE district = %(district)s AND recorded_at >= (
            SELECT coalesce(max(recorded_at), '-infinity') FROM passback.runs
            WHERE district = %(district)s AND classes = '{{}}' AND assessments = '{{}}'
        )
    ), page AS MATERIALIZED (
        SELECT assessment_id, class_id, student_id, outcome, codes, run_id, at FROM (
            SELECT score.assessment_id, score.class_id, score.student_id, score.outcome, score.codes,
                   score.run_id, score.since AS at
            FROM {standing} WHERE {where}
            UNION ALL
            SELECT score.assessment_id, score.class_id, score.student_id, 'vanished', '', score.run_id,
                   score.at
            FROM {vanished} WHERE {where} AND {is_vanished}
        ) AS score
        ORDER BY assessment_id, class_id, student_id LIMIT %(limit)s OFFSET %(offset)s
    )
    SELECT score.assessment_id, score.class_id, score.student_id, item.title,
           CASE WHEN score.outcome <> 'passed' THEN score.outcome
                WHEN told.outcome = 'sent' AND told.run_id = latest.run_id THEN 'sent'
                ELSE 'unchanged' END AS outcome,
           score.codes, coalesce(texts.sentence, '') AS sentence, score.at AS since,
           since.run_key AS since_run, latest.run_key AS run, result.score, result.score_status,
           result.score_date, result.mark, result.state,
           result.in_sis AS holds, coalesce(result.held_back, '') AS held_back
    FROM page AS score
    JOIN passback.runs AS since ON since.run_id = score.run_id
    LEFT JOIN LATERAL (
        SELECT run_id, run_key FROM recent
        WHERE (classes = '{{}}' OR score.class_id = ANY (classes))
            AND (assessments = '{{}}' OR score.assessment_id = ANY (assessments))
        ORDER BY recorded_at DESC, run_id DESC LIMIT 1
    ) AS latest ON true
    LEFT JOIN LATERAL (
        SELECT run_id, outcome FROM passback.score_history
        WHERE district = %(district)s AND assessment_id = score.assessment_id
            AND student_id = score.student_id AND class_id = score.class_id
        ORDER BY at DESC LIMIT 1
    ) AS told ON true
    {result_of} {line_item_of}
    LEFT JOIN passback.reason_texts AS texts
        ON texts.rule_set = since.rule_set AND texts.code = split_part(score.codes, ' ', 1)
    ORDER BY score.assessment_id, score.class_id, score.student_id
"""

WORDLESS: Final = {"sentence": "", "who": "", "mend": "", "seed": "", "outcome": ""}


def explain(
    connection: Connection,
    district: str,
    *,
    assessment: str | None = None,
    student: str | None = None,
    class_id: str | None = None,
    among: Sequence[tuple[str, str]] | None = None,
    limit: int = 50,
    offset: int = 0,
) -> dict[str, Any]:
    """What stands of the scores of a student, an assessment, a class, or of all these at once.

    Args:
        connection: The ledger.
        district: The district's name.
        assessment: Only of this assessment, by the source's id.
        student: Only of this student, by the source's id.
        class_id: Only of this class, by the source's id.
        among: Only of these assessments and classes, by the source's ids: a teacher's.
        limit: How many scores at most.
        offset: How many to leave out before them.

    Returns:
        Ready for JSON. total: number of scores; outcomes: how many stand as passed, held, rejected, failed,
        cancelled or vanished (no longer in the feed); scores: one page of them, in the order of assessment,
        class and student, each with assessment_id, class_id, student_id, title (as last meant for the SIS),
        outcome (of the latest run that covers it), codes, sentence (of the leading code), since and
        since_run, run (that latest run), score, score_status, score_date and mark (last meant for the SIS),
        state, holds (what the SIS holds of ours as far as known, or null) and held_back.
    """
    of = {
        "district": district,
        "assessment": assessment,
        "student": student,
        "class_id": class_id,
        "limit": limit,
        "offset": offset,
        "among": None
        if among is None
        else Json([{"assessment_id": pair[0], "class_id": pair[1]} for pair in among]),
    }
    parts = {
        "where": WHERE,
        "is_vanished": IS_VANISHED,
        "result_of": RESULT_OF,
        "line_item_of": LINE_ITEM_OF,
        "standing": _scores_of("passback.score_outcomes", among),
        "vanished": _scores_of(VANISHED, among),
    }
    with transaction(connection) as cursor:
        cursor.execute(COUNT.format_map(parts), of)
        outcomes = dict(sorted(cursor.fetchall()))
        cursor.execute(PAGE.format_map(parts), of)
        scores = _records(cursor)
    for score in scores:
        score["codes"] = score["codes"].split()
        score["since"] = iso(score["since"])
    return {"total": sum(outcomes.values()), "outcomes": outcomes, "scores": scores}


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
        One entry a class, none if no run has judged such a score. Keys: class_id; outcome and reasons of the
        latest run that covers it (code, sentence, who, mend, seed, outcome; the leading one first); since
        (run and instant since which it is so); run (that run); nights (every run that covers it since it was
        first seen, oldest first: run, at, mode, state, ordered_by, rule_set, mapping_hash, outcome, which is
        `vanished` once it is no longer in the feed, and reasons); sent (the values last meant for the SIS,
        with their line item and the run, or None); sis (state, status and words of its answer, the value of
        ours it holds as far as known or None, and the line item's own); held_back and suppressions (what a
        person decided on it); history (every change in the SIS, oldest first; to None: read back different,
        cleared or gone).
    """
    of = {"district": district, "assessment": assessment, "student": student, "class_id": class_id}
    with transaction(connection) as cursor:
        cursor.execute(CLASSES, of)
        return [_in_class(cursor, of | {"class_id": found}) for (found,) in cursor.fetchall()]


def _in_class(cursor: Cursor, of: dict[str, str | None]) -> dict[str, Any]:
    cursor.execute(NIGHTS, of)
    nights = _with_reasons(cursor, _records(cursor))
    cursor.execute(NOW, of)
    (now,) = _records(cursor)
    cursor.execute(CHANGES, of)
    changes = _records(cursor)
    cursor.execute(SUPPRESSIONS, of)
    suppressions = _records(cursor)
    latest = nights[-1]
    return {
        "class_id": of["class_id"],
        "outcome": latest["outcome"],
        "reasons": latest["reasons"],
        "since": {"run": latest["since_run"], "at": iso(latest["since"])},
        "run": latest["run"],
        "nights": [_night(night) for night in nights],
        "sent": _sent(now),
        "sis": _sis(now),
        "held_back": _held_back(now),
        "suppressions": [_with_iso(row, "at", "lifted_at") for row in suppressions],
        "history": [_change(row) for row in changes],
    }


def _scores_of(table: str, among: Sequence[tuple[str, str]] | None) -> str:
    return f"{table} AS score" if among is None else OF_ASSESSMENTS.format(table=table)


def _records(cursor: Cursor) -> list[dict[str, Any]]:
    columns = [column.name for column in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _with_reasons(cursor: Cursor, nights: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The nights with their reasons, in the codes' order; a code without a text keeps empty ones."""
    codes = {code for night in nights for code in night["codes"].split()}
    rule_sets = {night["rule_set"] for night in nights}
    cursor.execute(REASON_TEXTS, {"rule_sets": list(rule_sets), "codes": list(codes)})
    texts = {(row.pop("rule_set"), row["code"]): row for row in _records(cursor)}
    return [
        night | {"reasons": list(_reasons(texts, night["rule_set"], night["codes"].split()))}
        for night in nights
    ]


def _reasons(
    texts: dict[tuple[str, str], dict[str, str]], rule_set: str, codes: Iterable[str]
) -> Iterable[dict[str, str]]:
    return (texts.get((rule_set, code), {"code": code, **WORDLESS}) for code in codes)


def _night(night: dict[str, Any]) -> dict[str, Any]:
    told = ("run", "mode", "state", "ordered_by", "rule_set", "mapping_hash", "outcome", "reasons")
    return {"at": iso(night["at"]), **{name: night[name] for name in told}}


def _sent(now: dict[str, Any]) -> dict[str, Any] | None:
    if now["state"] is None:
        return None
    return {
        "score": now["score"],
        "score_status": now["score_status"],
        "score_date": now["score_date"],
        "mark": now["mark"],
        "at": iso(now["answered_at"]),
        "run": now["sent_run"],
        "ordered_by": now["sent_by"],
        "rule_set": now["sent_rule_set"],
        "mapping_hash": now["sent_mapping_hash"],
        "confirmed_at": iso(now["confirmed_at"]),
        "line_item": {
            column: now[column]
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


def _sis(now: dict[str, Any]) -> dict[str, Any]:
    line_item = {
        "state": now["item_state"],
        "status": now["item_status"],
        "words": now["item_words"],
        "holds": now["item_in_sis"],
    }
    return {
        "state": now["state"],
        "status": now["answer_status"],
        "words": now["answer_words"] or "",
        "holds": now["in_sis"],
        "line_item": line_item if now["item_state"] else None,
    }


def _held_back(now: dict[str, Any]) -> list[dict[str, Any]]:
    """What a person decided on the result or its line item: theirs or undone, since which run, the value."""
    return [
        {
            "what": what,
            "why": now[f"{prefix}held_back"],
            "run": now[f"{prefix}held_back_run"],
            "value": now[f"{prefix}held_back_value"],
        }
        for what, prefix in (("result", ""), ("line_item", "item_"))
        if now[f"{prefix}held_back"]
    ]


def _with_iso(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return row | {name: iso(row[name]) for name in names}


def _change(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": iso(row["at"]),
        "run": row["run"],
        "from": row["from_value"],
        "to": row["to_value"],
        "ordered_by": row["ordered_by"],
        "rule_set": row["rule_set"],
        "mapping_hash": row["mapping_hash"],
    }
