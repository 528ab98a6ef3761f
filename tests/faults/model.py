"""What the SIS must hold of what the source holds, by the rules alone, in plain Python.

It shares no code with the product: it is the other opinion. The rules are those of Skyward (RULES section 2
and 4); the mapping of another SIS sets the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from faults.world import CATEGORIES, CLASSES, OPEN_PERIODS, TODAY, day

if TYPE_CHECKING:
    from faults.world import Assessment, Source

TITLE_BELOW: Final = 50
PASSES: Final = ("passes", "")


class LineItem(NamedTuple):
    """A line item as the SIS must hold it; dates are ISO texts."""

    class_id: str
    title: str
    category: str
    period: str
    assigned: str
    due: str
    points_possible: float


class Result(NamedTuple):
    """A result as the SIS must hold it."""

    score: float
    status: str
    date: str
    missing: bool


class Expected(NamedTuple):
    """What the SIS must hold, and what must become of every score.

    Attributes:
        line_items: By assessment.
        results: By assessment and student.
        outcomes: By assessment and student: outcome (passes, held, rejected) and the leading reason.
    """

    line_items: dict[str, LineItem]
    results: dict[tuple[str, str], Result]
    outcomes: dict[tuple[str, str], tuple[str, str]]


def expected(source: Source) -> Expected:
    """What must follow from what a source holds."""
    line_items, results, outcomes = {}, {}, {}
    for key, assessment in source.assessments.items():
        verdict = of_assessment(assessment)
        if verdict == PASSES:
            line_items[key] = line_item(assessment)
        for student in CLASSES[assessment.class_id]:
            if (key, student) not in source.scores:
                continue
            result, own = of_score(source, assessment, student)
            outcomes[key, student] = own if verdict == PASSES else verdict
            if verdict == PASSES and result is not None:
                results[key, student] = result
    return Expected(line_items, results, outcomes)


def of_assessment(assessment: Assessment) -> tuple[str, str]:
    """Outcome and leading reason of an assessment, in the order of the rules' table."""
    periods = [
        next((name for name, (first, last) in OPEN_PERIODS.items() if first <= number <= last), "")
        for number in (assessment.assigned_day, assessment.due_day)
    ]
    broken = [
        ("points.total_missing", assessment.points_possible <= 0),
        ("points.total_not_whole", assessment.points_possible % 1 != 0),
        ("title.missing", not assessment.title.strip()),
        ("title.too_long", len(assessment.title) >= TITLE_BELOW),
        ("dates.inverted", assessment.due_day < assessment.assigned_day),
        ("period.closed", "" in periods),
        ("period.straddles", periods[0] != periods[1]),
    ]
    return next((("rejected", code) for code, is_broken in broken if is_broken), PASSES)


def line_item(assessment: Assessment) -> LineItem:
    """The line item of an assessment that passes: both its days lie in one open period."""
    period = next(name for name, (first, last) in OPEN_PERIODS.items() if first <= assessment.due_day <= last)
    return LineItem(
        assessment.class_id,
        assessment.title,
        CATEGORIES[assessment.kind],
        period,
        day(assessment.assigned_day).isoformat(),
        day(assessment.due_day).isoformat(),
        assessment.points_possible,
    )


def of_score(source: Source, assessment: Assessment, student: str) -> tuple[Result | None, tuple[str, str]]:
    """The result of a score of an assessment that passes, if any, and its outcome."""
    score = source.scores[assessment.assessment_id, student]
    if score.status == "excluded":
        return None, ("rejected", "score.excluded")
    if score.status == "not_submitted" and day(assessment.due_day) < TODAY:
        return Result(0.0, "not submitted", day(assessment.due_day).isoformat(), missing=True), PASSES
    if score.status != "graded" or score.points is None or score.day is None:
        return None, ("held", "score.not_graded")
    if score.points < 0:
        return None, ("rejected", "score.negative")
    return Result(score.points, "fully graded", day(score.day).isoformat(), missing=False), PASSES
