"""Scores on their way into an assignment, and as they stand there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from passback.oneroster.answers import Answer, Decision
from passback.oneroster.held import HELD_RESULTS
from passback.oneroster.ids import result_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from passback.aeries.records import Score
    from passback.gradebook import ResultRow

_DECIMALS: Final = 4  # as many as NumberCorrect takes
_LARGEST_STUDENT_ID: Final = 2**31 - 1
_EXEMPT: Final = "exempt"
_EXCUSED: Final = ("NA", "TX")  # not applicable; temporarily excused

_STORED: Final = Answer(Decision.DONE, 200)


def why_not(row: ResultRow) -> str:
    """Why a result cannot go out, in words; empty if it can."""
    if row.score_status == _EXEMPT or math.isnan(row.score):
        return "not sent: Aeries' own interface cannot excuse a student; excuse the student in the gradebook"
    if row.mark:
        return "not sent: Aeries' own interface holds no mark beside a score"
    if not _is_student_id(row.sis_student_id):
        return "not sent: Aeries knows its students by a number, and this id is none"
    return ""


def sent(row: ResultRow) -> dict[str, Any]:
    """The element of the batch for a result that can go out.

    DateCompleted is left to Aeries, which takes the due date: it is the day on which the work was handed in,
    whereas ours is the day of the grade, which would make punctual work look late.
    """
    return {"StudentID": int(row.sis_student_id), "NumberCorrect": round(row.score, _DECIMALS)}


def compared(row: ResultRow, held: Mapping[int, Score]) -> Answer:
    """What became of a result that was sent.

    Args:
        row: The result.
        held: All scores of the assignment after it was sent, by student.

    Returns:
        DONE if it is stored; else VERIFY, for reading back settles it.
    """
    found = held.get(int(row.sis_student_id))
    if found is None or found.number_correct is None:
        return Answer(Decision.VERIFY, _STORED.status, "accepted, but the answer shows no score")
    if is_excused(found):
        return Answer(
            Decision.VERIFY, _STORED.status, "accepted, but the student is excused in the gradebook"
        )
    if not math.isclose(found.number_correct, round(row.score, _DECIMALS), rel_tol=0, abs_tol=1e-9):
        return Answer(Decision.VERIFY, _STORED.status, "accepted, but the answer shows another score")
    return _STORED


def is_excused(score: Score) -> bool:
    """Whether the teacher excused the student, for good or for now."""
    return score.mark.upper() in _EXCUSED


def held_scores(unique_id: str, scores: Iterable[Score]) -> pd.DataFrame:
    """What an assignment holds, as `HELD_RESULTS`; students without a mark have no score.

    Scores have no id of their own: theirs is derived from the assignment's and the student's.

    Args:
        unique_id: The assignment.
        scores: Its scores.
    """
    rows = []
    for found in scores:
        student, counts = str(found.student_id), bool(found.mark) and not is_excused(found)
        rows.append(
            {
                "result_id": result_id(unique_id, student),
                "line_item_id": unique_id,
                "sis_student_id": student,
                "score": found.number_correct if counts else None,
                "score_status": _status(found),
                "score_date": found.date_completed,
                "mark": "missing" if found.is_missing else "",
            }
        )
    return HELD_RESULTS.conform(pd.DataFrame(rows, columns=list(HELD_RESULTS.columns)))


def _status(score: Score) -> str:
    if is_excused(score):
        return _EXEMPT
    return "fully graded" if score.mark else "not submitted"


def _is_student_id(sis_student_id: str) -> bool:
    is_number = sis_student_id.isascii() and sis_student_id.isdecimal()
    return is_number and len(sis_student_id) <= 10 and int(sis_student_id) <= _LARGEST_STUDENT_ID  # noqa: PLR2004 - digits
