"""What OneRoster 1.1 says of the records that a gradebook client writes: every field, and nothing besides.

Sections 4.3 (category), 4.8 (lineItem) and 4.11 (result) of the standard.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl

Text = Annotated[str, Field(strict=True, min_length=1)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


def _written_as_utc(moment: str) -> str:
    assert datetime.fromisoformat(moment).tzinfo is not None
    assert moment.endswith("Z")
    return moment


def _written_as_date(day: str) -> str:
    assert date.fromisoformat(day).isoformat() == day
    return day


Instant = Annotated[Text, AfterValidator(_written_as_utc)]
Day = Annotated[Text, AfterValidator(_written_as_date)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Reference(_Model):
    href: HttpUrl
    sourcedId: Text  # noqa: N815 - as on the wire
    type: Text


class ToCategory(Reference):
    type: Literal["category"]


class ToClass(Reference):
    type: Literal["class"]


class ToPeriod(Reference):
    type: Literal["academicSession", "gradingPeriod"]


class ToLineItem(Reference):
    type: Literal["lineItem"]


class ToStudent(Reference):
    type: Literal["user", "student"]


class Base(_Model):
    sourcedId: Text  # noqa: N815 - as on the wire
    status: Literal["active", "tobedeleted"]
    dateLastModified: Instant  # noqa: N815 - as on the wire
    metadata: dict[str, Any] | None = None


class Category(Base):
    title: Text


class LineItem(Base):
    title: Text
    description: Text | None = None
    assignDate: Instant  # noqa: N815 - as on the wire
    dueDate: Instant  # noqa: N815 - as on the wire
    class_: Annotated[ToClass, Field(alias="class")]
    category: ToCategory
    gradingPeriod: ToPeriod  # noqa: N815 - as on the wire
    resultValueMin: Number  # noqa: N815 - as on the wire
    resultValueMax: Number  # noqa: N815 - as on the wire


class Result(Base):
    lineItem: ToLineItem  # noqa: N815 - as on the wire
    student: ToStudent
    scoreStatus: Literal[  # noqa: N815 - as on the wire
        "exempt", "fully graded", "not submitted", "partially graded", "submitted"
    ]
    score: Number
    scoreDate: Day  # noqa: N815 - as on the wire
    comment: Text | None = None


class SingleCategory(_Model):
    category: Category


class SingleLineItem(_Model):
    lineItem: LineItem  # noqa: N815 - as on the wire


class SingleResult(_Model):
    result: Result
