"""What became of every score: as it stands, how it came to that, and the account of a run.

`score_outcomes` has one row a score, touched only when it changes. `score_history` gets a row only then, and
when a score was sent: every night's outcome is its last row up to that night (`passback.ledger.explain`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from passback.ledger.bulk import copy_in
from passback.ledger.database import Connection, Cursor, transaction
from passback.records import TEXT, Frame

if TYPE_CHECKING:
    import pandas as pd

SCORE_OUTCOMES: Final = Frame(
    "judged",
    {"assessment_id": TEXT, "class_id": TEXT, "student_id": TEXT, "outcome": TEXT, "codes": TEXT},
    ("assessment_id", "class_id", "student_id"),
)

# Copies of a score that differ are judged alike and each is counted; one row stands for them from here on.
ACCOUNT: Final = """
    DELETE FROM passback.run_outcomes WHERE run_id = %(run_id)s;
    INSERT INTO passback.run_outcomes (run_id, class_id, outcome, scores)
    SELECT %(run_id)s, class_id, outcome, count(*) FROM pg_temp.judged GROUP BY class_id, outcome
"""

# Found by a join first: ON CONFLICT … WHERE would lock, and so write, every row that it leaves as it is.
DIFFERING: Final = """
    CREATE TEMPORARY TABLE differing ON COMMIT DROP AS
    SELECT DISTINCT ON (judged.assessment_id, judged.student_id, judged.class_id)
           run.district, judged.assessment_id, judged.class_id, judged.student_id, judged.outcome,
           judged.codes, judged.kept,
           (held.outcome, held.codes) IS DISTINCT FROM (judged.kept, judged.codes) AS differs
    FROM (
        SELECT assessment_id, class_id, student_id, codes, outcome,
               CASE WHEN outcome IN ('sent', 'unchanged') THEN 'passed' ELSE outcome END AS kept
        FROM pg_temp.judged
    ) AS judged
    JOIN passback.runs AS run ON run.run_id = %(run_id)s
    LEFT JOIN passback.score_outcomes AS held
        ON held.district = run.district AND held.assessment_id = judged.assessment_id
        AND held.student_id = judged.student_id AND held.class_id = judged.class_id
    WHERE judged.outcome = 'sent' OR (held.outcome, held.codes) IS DISTINCT FROM (judged.kept, judged.codes)
"""

# What a run that covers a score does not find any more has vanished from the feed.
VANISHED: Final = """
    INSERT INTO pg_temp.differing
        (district, assessment_id, class_id, student_id, outcome, codes, kept, differs)
    SELECT held.district, held.assessment_id, held.class_id, held.student_id, 'vanished', '', '', true
    FROM passback.score_outcomes AS held JOIN passback.runs AS run ON run.district = held.district
    WHERE run.run_id = %(run_id)s
        AND (run.classes = '{}' OR held.class_id = ANY (run.classes))
        AND (run.assessments = '{}' OR held.assessment_id = ANY (run.assessments))
        AND NOT EXISTS (
            SELECT FROM pg_temp.judged
            WHERE judged.assessment_id = held.assessment_id AND judged.class_id = held.class_id
                AND judged.student_id = held.student_id
        );
    ANALYZE pg_temp.differing
"""

# What stands since before there was a history enters it when it stands no more, or is sent. A score that has
# a history keeps the last row of what is purged: nothing is made up before it.
INHERIT: Final = """
    INSERT INTO passback.score_history
        (district, assessment_id, class_id, student_id, run_id, outcome, codes, at)
    SELECT district, assessment_id, class_id, student_id, held.run_id,
           CASE held.outcome WHEN 'passed' THEN 'unchanged' ELSE held.outcome END, held.codes, held.since
    FROM pg_temp.differing AS differing
    JOIN passback.score_outcomes AS held USING (district, assessment_id, student_id, class_id)
    WHERE NOT EXISTS (
        SELECT FROM passback.score_history AS same
        WHERE same.district = held.district AND same.assessment_id = held.assessment_id
            AND same.student_id = held.student_id AND same.class_id = held.class_id
    )
"""

FORGET: Final = """
    DELETE FROM passback.score_outcomes AS held
    USING pg_temp.differing AS differing
    WHERE differing.outcome = 'vanished'
        AND held.district = differing.district AND held.assessment_id = differing.assessment_id
        AND held.student_id = differing.student_id AND held.class_id = differing.class_id
"""

MERGE: Final = """
    INSERT INTO passback.score_outcomes
        (district, assessment_id, class_id, student_id, outcome, codes, run_id, since)
    SELECT district, assessment_id, class_id, student_id, kept, codes, %(run_id)s, now()
    FROM pg_temp.differing WHERE differs AND outcome <> 'vanished'
    ON CONFLICT (district, assessment_id, student_id, class_id) DO UPDATE SET
        outcome = excluded.outcome, codes = excluded.codes, run_id = excluded.run_id, since = excluded.since
"""

# A run that was cleared and runs again tells it anew, unless another run has gone by what it told.
TELL: Final = """
    DELETE FROM passback.score_history AS told
    USING pg_temp.differing AS differing
    WHERE told.district = differing.district AND told.assessment_id = differing.assessment_id
        AND told.student_id = differing.student_id AND told.class_id = differing.class_id
        AND told.run_id = %(run_id)s
        AND told.at > (
            SELECT coalesce(max(other.recorded_at), '-infinity')
            FROM passback.runs AS run JOIN passback.runs AS other ON other.district = run.district
            WHERE run.run_id = %(run_id)s AND other.run_id <> %(run_id)s
        );
    INSERT INTO passback.score_history
        (district, assessment_id, class_id, student_id, run_id, outcome, codes, at)
    SELECT district, assessment_id, class_id, student_id, %(run_id)s, outcome, codes, now()
    FROM pg_temp.differing
"""

RECORDED: Final = "UPDATE passback.runs SET recorded_at = now() WHERE run_id = %(run_id)s"


def record_outcomes(connection: Connection, run_id: int, outcomes: pd.DataFrame) -> None:
    """Keep what became of the scores that a run judged, without closing it: see `record`."""
    with transaction(connection) as cursor:
        record(cursor, run_id, outcomes)


def record(cursor: Cursor, run_id: int, outcomes: pd.DataFrame) -> None:
    """Keep what became of the scores that a run judged, in the caller's transaction.

    Only what differs from the run before is written, and what was sent. A score that the run should have
    found, by the classes and assessments it was limited to, and did not is noted as vanished; scores of other
    classes and assessments stay as they are.

    Args:
        cursor: In a transaction.
        run_id: The run that judged them.
        outcomes: Columns assessment_id, class_id, student_id, outcome (one of the six), codes (one space
            between). All scores that the run judged; copies of one score must have the same outcome.
    """
    run = {"run_id": run_id}
    copy_in(cursor, outcomes, SCORE_OUTCOMES)
    for statement in (ACCOUNT, DIFFERING, VANISHED, INHERIT, FORGET, MERGE, TELL, RECORDED):
        cursor.execute(statement, run)
