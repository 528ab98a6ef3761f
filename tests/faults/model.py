"""What the SIS must hold of what the source holds, by the rules alone, in plain Python.

It shares no code with the product: it is the other opinion. The rules are those of Skyward (RULES section 2
and 4); the mapping of another SIS sets the same ones, as far as it knows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from faults.world import CLASSES, OPEN_PERIODS, TODAY, day

if TYPE_CHECKING:
    from faults.world import Assessment, Source

TITLE_BELOW: Final = 50
PASSES: Final = ("passes", "")
NOT_GRADED: Final = ("held", "score.not_graded")
ALL_RULES: Final = frozenset(
    {
        "points.total_missing",
        "points.total_not_whole",
        "title.missing",
        "title.too_long",
        "dates.inverted",
        "period.closed",
        "period.straddles",
    }
)


class LineItem(NamedTuple):
    """A line item as the SIS must hold it; dates are ISO texts, categories titles."""

    class_id: str
    title: str
    category: str
    period: str
    assigned: str
    due: str
    points_possible: float


class Result(NamedTuple):
    """A result as the SIS must hold it; without a score it is as good as none."""

    score: float | None
    status: str
    date: str
    missing: bool


class Expected(NamedTuple):
    """What the SIS must hold, and what must become of every score.

    Attributes:
        line_items: By assessment.
        results: By assessment and student.
        outcomes: By assessment and student: outcome (passes, held, rejected) and the leading reason.
        ungraded: The scores that wait for a grade, by assessment and student, of assessments that pass.
    """

    line_items: dict[str, LineItem]
    results: dict[tuple[str, str], Result]
    outcomes: dict[tuple[str, str], tuple[str, str]]
    ungraded: frozenset[tuple[str, str]]


def expected(source: Source, rules: frozenset[str] = ALL_RULES) -> Expected:
    """What must follow from what a source holds, by the rules that the SIS has."""
    line_items, results, outcomes = {}, {}, {}
    for key, assessment in source.assessments.items():
        verdict = of_assessment(assessment, rules)
        if verdict == PASSES:
            line_items[key] = line_item(assessment)
        for student in CLASSES[assessment.class_id]:
            if (key, student) not in source.scores:
                continue
            result, own = of_score(source, assessment, student)
            outcomes[key, student] = own if verdict == PASSES else verdict
            if verdict == PASSES and result is not None:
                results[key, student] = result
    ungraded = frozenset(place for place, outcome in outcomes.items() if outcome == NOT_GRADED)
    return Expected(line_items, results, outcomes, ungraded)


def of_assessment(assessment: Assessment, rules: frozenset[str]) -> tuple[str, str]:
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
    return next((("rejected", code) for code, is_broken in broken if is_broken and code in rules), PASSES)


def line_item(assessment: Assessment) -> LineItem:
    """The line item of an assessment that passes; where periods are judged, both its days lie in one."""
    periods = (name for name, (first, last) in OPEN_PERIODS.items() if first <= assessment.due_day <= last)
    return LineItem(
        assessment.class_id,
        assessment.title,
        assessment.kind,
        next(periods, ""),
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
        return None, NOT_GRADED
    if score.points < 0:
        return None, ("rejected", "score.negative")
    return Result(score.points, "fully graded", day(score.day).isoformat(), missing=False), PASSES
