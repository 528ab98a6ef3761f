"""Categories, line items and results as OneRoster 1.2 writes them: those of 1.1, and what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from passback.oneroster import v1p1
from passback.oneroster.v1p1 import category

if TYPE_CHECKING:
    from passback.oneroster.v1p1 import LineItemValues, ResultValues


__all__ = ["category", "line_item", "result"]


def line_item(*, school_id: str, **values: Unpack[LineItemValues]) -> dict[str, Any]:
    """A lineItem (OneRoster 1.2 gradebook service, LineItemDType).

    Args:
        school_id: The class's school, by the SIS's id: required since 1.2.
        **values: As in 1.1.
    """
    school = v1p1.reference(values["services"].rostering, "orgs", school_id, "org")
    return v1p1.line_item(**values) | {"school": school}


def result(*, mark: str, **values: Unpack[ResultValues]) -> dict[str, Any]:
    """A result (OneRoster 1.2 gradebook service, ResultDType); without a score where there is none.

    Args:
        mark: `late` or `missing`, a flag of its own, in 1.2 the text "true"; empty for neither. Neither is
            told to be false: that a source says nothing does not make it so.
        **values: As in 1.1.
    """
    body = v1p1.result(**values)
    if values["score"] is None:
        del body["score"]
    if mark:
        body[mark] = "true"
    return body
