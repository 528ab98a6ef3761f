"""What Aeries' native interface answers, as far as passback reads it; everything else is left aside."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from passback.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ISO_DATE: Final = len("2026-11-22")
_NO_DATE: Final = "0001-01-01"  # how older versions write that there is none


def _name_in_aeries(field: str) -> str:
    return "".join("ID" if part == "id" else part.capitalize() for part in field.split("_"))


def _day(value: Any) -> Any:
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise ValueError("no date")  # noqa: TRY004 - pydantic wants this one
    said = date.fromisoformat(value[:_ISO_DATE].replace("/", "-")).isoformat()
    return "" if said == _NO_DATE else said


def _text(value: Any) -> Any:
    return "" if value is None else value


def _list(value: Any) -> Any:
    return () if value is None else value


Day = Annotated[str, BeforeValidator(_day)]
"""ISO date; empty if there is none."""
Text = Annotated[str, BeforeValidator(_text)]
"""Text; empty if there is none."""


class _Record(BaseModel):
    model_config = ConfigDict(
        frozen=True, alias_generator=_name_in_aeries, populate_by_name=True, hide_input_in_errors=True
    )


class Category(_Record):
    """A category of one gradebook.

    Attributes:
        code: One letter, which is not displayed and which another gradebook may use for another category.
        description: Its name, which the teacher may change.
        gradebook_number: The gradebook.
    """

    code: str
    description: Text = ""
    gradebook_number: int | None = None


class Section(_Record):
    """A section of a gradebook."""

    school_code: int
    section_number: int


class Term(_Record):
    """A term of a gradebook; both dates belong to it."""

    code: str
    name: Text = ""
    start_date: Day = ""
    end_date: Day = ""


class Gradebook(_Record):
    """A gradebook.

    Attributes:
        gradebook_number: Its own for ever.
        linked_group: All gradebooks of a teacher with the same number are linked; 0: it is not.
        name: What its teacher calls it.
        start_date: Its first day.
        end_date: Its last day.
        assignment_categories: Its categories, of which the first stands in for one that it does not have.
        sections: Its sections.
        terms: Its terms.
    """

    gradebook_number: int
    linked_group: int = 0
    name: Text = ""
    start_date: Day = ""
    end_date: Day = ""
    assignment_categories: Annotated[tuple[Category, ...], BeforeValidator(_list)] = ()
    sections: Annotated[tuple[Section, ...], BeforeValidator(_list)] = ()
    terms: Annotated[tuple[Term, ...], BeforeValidator(_list)] = ()

    @property
    def days(self) -> tuple[str, str]:
        """Its first and its last day, by its terms where it does not say; empty if unknown."""
        starts = [self.start_date] if self.start_date else [term.start_date for term in self.terms]
        ends = [self.end_date] if self.end_date else [term.end_date for term in self.terms]
        return min(filter(None, starts), default=""), max(ends, default="")


class Student(_Record):
    """A student of a gradebook.

    Attributes:
        student_id: The district's number of the student.
        start_date: The first day.
        end_date: The last day; an early one for somebody who was dropped.
        inactive_tag: Why the student does not count; empty for one who does.
    """

    student_id: int
    start_date: Day = ""
    end_date: Day = ""
    inactive_tag: Text = ""


class Assignment(_Record):
    """An assignment as a gradebook holds it.

    Attributes:
        unique_id: Its own for ever, in the whole district; the teacher may change its number.
        gradebook_number: The gradebook it stands in; Aeries documents it for the category alone.
        external_id: Its key in the system that made it.
    """

    unique_id: str
    gradebook_number: int | None = None
    external_id: Annotated[str, BeforeValidator(_text)] = ""
    description: Text = ""
    comment: Text = ""
    date_assigned: Day = ""
    date_due: Day = ""
    formative_summative_indicator: Text = ""
    grading_completed: bool = False
    number_correct_possible: float | None = None
    points_possible: float | None = None
    rubric_assignment: bool = False
    assignment_category: Category | None = None

    @property
    def number_of_gradebook(self) -> int | None:
        """The gradebook it stands in; None if neither it nor its category says so."""
        if self.gradebook_number is None and self.assignment_category is not None:
            return self.assignment_category.gradebook_number
        return self.gradebook_number


class Score(_Record):
    """A student's score of an assignment, or that there is none as yet.

    Attributes:
        student_id: The district's number of the student.
        mark: As the teacher sees it: a number, or a word; empty if there is none.
        number_correct: What was scored.
        date_completed: When the work was handed in.
        is_missing: Grading is completed and there is no mark.
    """

    student_id: int
    mark: Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value).strip())] = ""
    number_correct: float | None = None
    date_completed: Day = ""
    is_missing: bool = False


Wanted = TypeVar("Wanted", bound=_Record)


def read_record(kind: type[Wanted], content: Any, *, where: str) -> Wanted:
    """One record of an answer.

    Args:
        kind: What it should be.
        content: The answer.
        where: Connection and address, for the error.

    Raises:
        ContractError: it is something else; the field is named, its value is not.
    """
    found: Wanted = _read(TypeAdapter(kind), content, where)
    return found


def read_records(kind: type[Wanted], content: Any, *, where: str) -> Sequence[Wanted]:
    """The records of an answer that is a list.

    Raises:
        ContractError: as `read_record` does.
    """
    found: list[Wanted] = _read(TypeAdapter(list[kind]), content, where)  # type: ignore[valid-type]
    return found


def _read(adapter: TypeAdapter[Any], content: Any, where: str) -> Any:
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(step) for step in found["loc"]) or "the answer"
        raise ContractError(
            f"{field} is not what Aeries documents ({found['type']}).",
            where=where,
            mend="Report it to Aeries: its answer is not what it documents.",
        ) from None
