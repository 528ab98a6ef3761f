"""What became of every score: one row each, touched only when it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from passback.ledger.bulk import copy_in
from passback.ledger.database import Connection, transaction
from passback.records import TEXT, Frame

if TYPE_CHECKING:
    import pandas as pd

SCORE_OUTCOMES: Final = Frame(
    "judged",
    {"assessment_id": TEXT, "class_id": TEXT, "student_id": TEXT, "outcome": TEXT, "codes": TEXT},
    ("assessment_id", "class_id", "student_id"),
)

# Found by a join first: ON CONFLICT … WHERE would lock, and so write, every row that it leaves as it is.
DIFFERING: Final = """
    CREATE TEMPORARY TABLE differing ON COMMIT DROP AS
    SELECT judged.assessment_id, judged.class_id, judged.student_id, judged.outcome, judged.codes
    FROM (
        SELECT assessment_id, class_id, student_id, codes,
               CASE WHEN outcome IN ('sent', 'unchanged') THEN 'passed' ELSE outcome END AS outcome
        FROM pg_temp.judged
    ) AS judged
    LEFT JOIN passback.score_outcomes AS held
        ON held.district = %(district)s AND held.assessment_id = judged.assessment_id
        AND held.student_id = judged.student_id AND held.class_id = judged.class_id
    WHERE (held.outcome, held.codes) IS DISTINCT FROM (judged.outcome, judged.codes)
"""

MERGE: Final = """
    INSERT INTO passback.score_outcomes
        (district, assessment_id, class_id, student_id, outcome, codes, run_id, since)
    SELECT %(district)s, assessment_id, class_id, student_id, outcome, codes, %(run_id)s, now()
    FROM pg_temp.differing
    ON CONFLICT (district, assessment_id, student_id, class_id) DO UPDATE SET
        outcome = excluded.outcome, codes = excluded.codes, run_id = excluded.run_id, since = excluded.since
"""

FORGET_VANISHED: Final = """
    DELETE FROM passback.score_outcomes AS held
    USING (SELECT DISTINCT assessment_id, class_id FROM pg_temp.judged) AS given
    WHERE held.district = %(district)s
        AND held.assessment_id = given.assessment_id AND held.class_id = given.class_id
        AND NOT EXISTS (
            SELECT FROM pg_temp.judged
            WHERE judged.assessment_id = held.assessment_id AND judged.class_id = held.class_id
                AND judged.student_id = held.student_id
        )
"""

RECORDED: Final = "UPDATE passback.runs SET recorded_at = now() WHERE run_id = %(run_id)s"


def record_outcomes(connection: Connection, district: str, run_id: int, outcomes: pd.DataFrame) -> None:
    """Keep what became of the scores of some assessments and classes.

    Only rows that differ are written. A score that is no longer in its assessment and class is forgotten;
    scores of other assessments and classes stay as they are.

    Args:
        connection: The ledger.
        district: The district's name.
        run_id: The run that judged them.
        outcomes: Columns assessment_id, class_id, student_id, outcome (passed, held, rejected, failed or
            cancelled; sent and unchanged are kept as passed), codes (one space between). All scores of each
            assessment and class it names.
    """
    of = {"district": district, "run_id": run_id}
    with transaction(connection) as cursor:
        copy_in(cursor, outcomes, SCORE_OUTCOMES)
        cursor.execute(DIFFERING, of)
        cursor.execute(FORGET_VANISHED, of)
        cursor.execute(MERGE, of)
        cursor.execute(RECORDED, of)
