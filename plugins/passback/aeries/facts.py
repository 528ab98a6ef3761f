"""What Aeries' gradebooks say of themselves before anything is written, as the rules read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import pandas as pd

from passback.aeries.assignments import category_name
from passback.aeries.classes import section_of
from passback.aeries.records import Term
from passback.records import (
    SIS_CATEGORIES,
    SIS_CLASSES,
    SIS_ENROLLMENTS,
    SIS_LINE_ITEMS,
    SIS_PERIODS,
    UNREADABLE,
    Frame,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from passback.aeries.records import Gradebook, Student

_WHOLE_YEAR: Final = "Y"  # the code of the one term of a single-term gradebook

Standing = Literal["none", "unlinked", "linked", "several", "unreadable"]
"""Of a class's gradebook. `several`: class and gradebook are not one to one, and nothing says which it is."""


@dataclass(frozen=True)
class ClassFacts:
    """What is known of a class.

    Attributes:
        sis_class_id: The class.
        standing: Of its gradebook.
        gradebooks: Its gradebooks of the school year.
        chosen: The one that its scores go into; None if there is none, or no telling which.
        students: The students of that one.
    """

    sis_class_id: str
    standing: Standing
    gradebooks: Sequence[Gradebook] = ()
    chosen: Gradebook | None = None
    students: Sequence[Student] = ()


def choose(gradebooks: Sequence[Gradebook], *, named: int | None, today: date) -> Gradebook | None:
    """The gradebook that a section's scores go into; None if there is none, or no telling which.

    It is the one that the district names; else, of several, the one whose days have today. One that serves
    several sections is none: what is written for one class would stand in the other's gradebook too.

    Args:
        gradebooks: The section's, of the school year.
        named: The number of the one that the district's mapping file names; None if it names none.
        today: The date in the district's zone.
    """
    current = gradebooks
    if named is not None:
        current = [found for found in gradebooks if found.gradebook_number == named]
    elif len(gradebooks) > 1:
        day = today.isoformat()
        current = [found for found in gradebooks if found.days[0] <= day <= found.days[1]]
    if len(current) != 1 or len(set(current[0].sections)) > 1:
        return None
    return current[0]


def standing_of(gradebooks: Sequence[Gradebook], chosen: Gradebook | None) -> Standing:
    """How a section's gradebook stands to it."""
    if not gradebooks:
        return "none"
    if chosen is None:
        return "several"
    return "linked" if chosen.linked_group else "unlinked"


def terms_of(gradebook: Gradebook) -> Sequence[Term]:
    """The terms of a gradebook that have days; the whole of it where it says none."""
    terms = [term for term in gradebook.terms if term.start_date and term.end_date]
    start_date, end_date = gradebook.days
    return terms or [Term(code=_WHOLE_YEAR, start_date=start_date, end_date=end_date)]


def term_under_way(gradebook: Gradebook, *, today: date) -> Term:
    """The term that has a day, of several the one that began last; else the last begun, or the first."""
    day, terms = today.isoformat(), sorted(terms_of(gradebook), key=lambda term: term.start_date)
    within = [term for term in terms if term.start_date <= day <= term.end_date]
    begun = [term for term in terms if term.start_date <= day]
    return (within or begun or terms[:1])[-1]


def attends(student: Student, term: Term, *, today: date) -> bool:
    """Whether a student is in a gradebook today; between two terms, at the end of the one before.

    Somebody who was dropped keeps an early end date; the last day is a day of attendance.
    """
    day = min(max(today.isoformat(), term.start_date), term.end_date)
    ended = bool(student.end_date) and student.end_date < day
    return student.start_date <= day and not ended and not student.inactive_tag.strip()


def frames(classes: Iterable[ClassFacts], *, today: date) -> dict[str, pd.DataFrame]:
    """The frames of `records.SIS_FRAMES` by name; the line items without a row.

    A category's id is its description, for its code means something within one gradebook only; the district's
    categories are those of any of these gradebooks. Whether a school has a master schedule does not matter
    here, and is not said.

    Args:
        classes: What is known of each.
        today: The date in the district's zone.
    """
    known = sorted(classes, key=lambda found: found.sis_class_id)
    begins = _first_day_of_school(known)
    categories = {
        (category_name(category), found.sis_class_id): category.code
        for found in known
        for gradebook in found.gradebooks
        for category in gradebook.assignment_categories
        if category_name(category)
    }
    return {
        SIS_CATEGORIES.name: _frame(
            SIS_CATEGORIES,
            [(name, name, "", "", "", "", "") for name in sorted({name for name, _ in categories})]
            + [(name, name, code, where, "", "", "") for (name, where), code in categories.items()],
        ),
        SIS_PERIODS.name: _frame(
            SIS_PERIODS,
            [
                (
                    *(found.sis_class_id, term.code, term.name or term.code),
                    *(term.start_date, term.end_date, term.end_date < today.isoformat(), begins),
                )
                for found in known
                if found.chosen is not None
                for term in terms_of(found.chosen)
            ],
        ),
        SIS_CLASSES.name: _frame(
            SIS_CLASSES,
            [
                (
                    found.sis_class_id,
                    found.chosen.name if found.chosen else "",
                    _school(found.sis_class_id),
                    UNREADABLE if found.standing == "unreadable" else found.standing,
                    None,
                )
                for found in known
            ],
        ),
        SIS_ENROLLMENTS.name: _frame(
            SIS_ENROLLMENTS,
            [
                (found.sis_class_id, str(student.student_id))
                for found in known
                if found.chosen is not None
                for student in found.students
                if attends(student, term_under_way(found.chosen, today=today), today=today)
            ],
        ),
        SIS_LINE_ITEMS.name: SIS_LINE_ITEMS.empty(),
    }


def _first_day_of_school(classes: Iterable[ClassFacts]) -> str:
    """The first day of any gradebook, which stands for the school year's: a class may begin in January."""
    days = [gradebook.days[0] for found in classes for gradebook in found.gradebooks]
    return min(days, default="")


def _school(sis_class_id: str) -> str:
    section = section_of(sis_class_id)
    return str(section.school_code) if section else ""


def _frame(frame: Frame, rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    data = pd.DataFrame(rows, columns=list(frame.columns))
    return frame.conform(data.drop_duplicates(list(frame.key)))
