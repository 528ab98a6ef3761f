"""Who an assignment of Canvas is assigned to, and until when: its own date, its overrides, grading periods.

Of several overrides that concern a student the latest due date holds, and none is later than any.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sandbox.instants import moment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sandbox.canvas_store import Record

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def _latest(dates: Iterable[str | None]) -> str | None:
    return max(dates, key=lambda date: moment(date) or _NEVER, default=None)


def concerning(assignment: Record, user_id: int, sections: Collection[int]) -> list[Record]:
    """The overrides of an assignment that concern a student of these sections."""
    return [
        override
        for override in assignment["overrides"]
        if override.get("course_section_id") in sections or user_id in override.get("student_ids", ())
    ]


def is_assigned(assignment: Record, user_id: int, sections: Collection[int]) -> bool:
    """Whether a student of these sections has the assignment to do."""
    return not assignment["only_visible_to_overrides"] or bool(concerning(assignment, user_id, sections))


def due_for(assignment: Record, user_id: int, sections: Collection[int]) -> str | None:
    """When the assignment is due for a student of these sections."""
    own: str | None = assignment["due_at"]
    if not assignment["overrides"]:
        return own
    dates = [each["due_at"] for each in concerning(assignment, user_id, sections) if "due_at" in each]
    return _latest(dates) if dates else own


def due_for_caller(assignment: Record) -> str | None:
    """When it is due as Canvas tells somebody who sees all its dates: the latest of them."""
    return _latest(_due_dates(assignment))


def _due_dates(assignment: Record) -> list[str | None]:
    """All due dates of an assignment; its own too, unless only overrides count."""
    dates = [override["due_at"] for override in assignment["overrides"] if "due_at" in override]
    return dates if assignment["only_visible_to_overrides"] else [*dates, assignment["due_at"]]


def all_dates(assignment: Record, section_ids: Collection[int]) -> list[Record]:
    """What `include[]=all_dates` adds; the base date unless every section has an override."""
    listed = []
    for override in assignment["overrides"]:
        kind = "CourseSection" if "course_section_id" in override else "ADHOC"
        dates = {name: override.get(name) for name in ("due_at", "unlock_at", "lock_at")}
        listed.append(
            {"id": override["id"], **dates, "title": override["title"], "set_type": kind}
            | ({"set_id": override["course_section_id"]} if kind == "CourseSection" else {})
        )
    covered = {override.get("course_section_id") for override in assignment["overrides"]}
    if not assignment["only_visible_to_overrides"] and not set(section_ids) <= covered:
        listed.append(
            {name: assignment[name] for name in ("due_at", "unlock_at", "lock_at")} | {"base": True}
        )
    return sorted(listed, key=lambda dates: moment(dates["due_at"]) or _NEVER)


def in_closed_period(assignment: Record, periods: Iterable[Record]) -> bool:
    """Whether one of an assignment's due dates lies in a grading period that is closed.

    Without a due date it belongs to the last period. A value that was set by hand stands.
    """
    if assignment["in_closed_grading_period"] is not None:
        return bool(assignment["in_closed_grading_period"])
    ordered = sorted(periods, key=lambda period: str(period["start_date"]))
    return any(_in_closed_period(moment(date), ordered) for date in _due_dates(assignment))


def _in_closed_period(date: datetime | None, ordered: list[Record]) -> bool:
    if date is None:
        return bool(ordered) and bool(ordered[-1]["is_closed"])
    return any(
        period["is_closed"]
        and (moment(period["start_date"]) or _NEVER) <= date <= (moment(period["end_date"]) or _NEVER)
        for period in ordered
    )
