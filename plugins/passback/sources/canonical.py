"""From a feed's checked records to the canonical frames.

What is wrong with a single value is carried where a rule can speak of it: an assessment without a usable
title, type or number of points breaks the rule on that; a score with a status that nobody knows, with an
instant that does not exist or with points that are no number is refused alone (`score.not_numeric`, for it
is no score that can be sent). A wrong date of an assessment has no such place, since a missing due date may
well pass: it is a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from passback.errors import ContractError
from passback.records import (
    ASSESSMENTS,
    CLASSES,
    MEMBERSHIPS,
    SCORE_STATUSES,
    SCORES,
    STAFF,
    STUDENTS,
    TEXT,
    Frame,
)
from passback.sources.contract import LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from passback.sources.contract import Collection

_FIRST_INSTANT: Final = pd.Timestamp("0001-01-01T00:00:00Z")
_LAST_INSTANT: Final = pd.Timestamp("9999-12-31T23:59:59.999999Z")
_MOST: Final = 2**63  # beyond it, pandas takes no whole number
_FLAGS: Final = {
    "sync": "sync_on",
    "course_published": "course_published",
    "published": "published",
    "whole_section": "whole_section",
    "due_uniform": "due_uniform",
}


def canonical(
    collection: Collection,
    items: pd.DataFrame,
    where: str,
    *,
    statuses: Mapping[str, str],
    say: Callable[[str], None],
) -> pd.DataFrame:
    """The canonical frame of a collection's records.

    Args:
        collection: The collection.
        items: Its records, one column a field, by the contract's names.
        where: What to call the collection in an error.
        statuses: The contract's name of a score's status, by the feed's, where they differ.
        say: Told how many scores are refused for a value that cannot be, and which field it stands in; and
            how many ids stand for several of the SIS.

    Raises:
        ContractError: an instant of an assessment or of a stay in the passback group does not exist.
    """
    match collection.frame.name:
        case ASSESSMENTS.name:
            return _assessments(items, collection, where)
        case SCORES.name:
            return _scores(items, collection, where, statuses, say)
        case CLASSES.name:
            titled = items.assign(title=line(items["title"]))
            renamed = _rename(titled, CLASSES, {"id": "class_id", "sis_id": "sis_class_id"})
            return one_sis_id_each(renamed, "class_id", "sis_class_id", say)
        case STUDENTS.name:
            renamed = _rename(items, STUDENTS, {"id": "student_id", "sis_id": "sis_student_id"})
            return one_sis_id_each(renamed, "student_id", "sis_student_id", say)
        case STAFF.name:
            renamed = _rename(items, STAFF, {"id": "staff_id", "sis_id": "sis_staff_id"})
            return one_sis_id_each(renamed, "staff_id", "sis_staff_id", say)
        case _:
            stays = {name: _real(items, name, collection, where) for name in ("joined_at", "left_at")}
            return MEMBERSHIPS.conform(items.assign(**stays))


def _rename(items: pd.DataFrame, frame: Frame, names: dict[str, str]) -> pd.DataFrame:
    return frame.conform(items.rename(columns=names).fillna(""))


def _assessments(items: pd.DataFrame, collection: Collection, where: str) -> pd.DataFrame:
    points, _ = numbers(items["points_possible"])
    return ASSESSMENTS.conform(
        items.assign(
            assessment_id=items["id"],
            title=line(items["title"]),
            type=line(items["type"]),
            grading_type=line(items["grading_type"]),
            points_possible=points,
            include_in_final_grade=items["include_in_final_grade"].eq(True),  # noqa: FBT003 - null is no
            assigner_id=line(items["assigned_by"]),
            assigned_at=_real(items, "assigned_at", collection, where),
            due_at=_real(items, "due_at", collection, where),
            modified_at=_real(items, "modified_at", collection, where),
            **{name: items[said].astype("boolean") for said, name in _FLAGS.items()},
            period_closed=None,
            group_sis_id="",
            group_term_id="",
        )
    )


def _scores(
    items: pd.DataFrame,
    collection: Collection,
    where: str,
    statuses: Mapping[str, str],
    say: Callable[[str], None],
) -> pd.DataFrame:
    own_names = collection.own_names
    status = line(items["status"])
    status = status.map(statuses).fillna(status) if statuses else status
    points, text = numbers(items["points"])
    when = {name: _instants(items[name]) for name in ("graded_at", "submitted_at", "modified_at")}
    wrong = {"status": ~status.isin(SCORE_STATUSES)} | {
        name: instants.isna() & items[name].notna() for name, instants in when.items()
    }
    for name, rows in wrong.items():
        if rows.any():
            what = "a status that the feed contract does not know" if name == "status" else "no real instant"
            say(
                f"{where}, field {own_names[name]}: {int(rows.sum()):,} records have {what}"
                f" (the first is record {_first(rows)}); they are refused, the others go on"
            )
            status = status.mask(rows, "graded")
            text = text.mask(rows, what)
    late, missing = (items[name].eq(True) for name in ("late", "missing"))  # noqa: FBT003 - null is no
    return SCORES.conform(
        items.assign(
            status=status,
            points=points.mask(text.ne("")),
            points_text=text,
            mark=pd.Series("", index=items.index, dtype=TEXT).mask(late, "late").mask(missing, "missing"),
            scored_at=when["graded_at"].fillna(when["submitted_at"]),
            modified_at=when["modified_at"],
        )
    )


def one_sis_id_each(data: pd.DataFrame, key: str, sis_id: str, say: Callable[[str], None]) -> pd.DataFrame:
    """The rows without a SIS id where the source told several: a grade must not go to the wrong one.

    Args:
        data: Classes, students or staff.
        key: The column of the source's id.
        sis_id: The column of the SIS's.
        say: Told how many have several.
    """
    told = data[[key, sis_id]].drop_duplicates()
    several = told.loc[told.duplicated(key), key]
    if len(several):
        say(
            f"{several.nunique():,} {key.removesuffix('_id')} ids have several SIS ids; none of those is used"
        )
    return data.assign(**{sis_id: data[sis_id].mask(data[key].isin(several), "")})


# --- Columns of values that may be of any kind ---


def line(column: pd.Series) -> pd.Series:
    """Texts as one line each, trimmed; empty for what is no text.

    Control characters are read as spaces, since no gradebook can show them and PostgreSQL holds no NUL. What
    is longer than any gradebook takes is cut, and ends in an ellipsis.
    """
    texts = column.where(column.map(lambda value: isinstance(value, str)).astype("bool"), "").astype(TEXT)
    texts = texts.str.slice(stop=LONGEST_TEXT + 1)
    texts = texts.str.replace(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", regex=True).str.strip()
    return texts.mask(texts.str.len() > LONGEST_TEXT, texts.str.slice(stop=LONGEST_TEXT) + "…")


def numbers(column: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Finite numbers (else null), and what stood there when it was something else.

    A number that stands as text is no number: nobody knows whether "1,5" is 1.5 or 15.
    """
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        number, text = column.astype("float64"), pd.Series("", index=column.index, dtype=TEXT)
    else:  # pandas cannot tell text from numbers in a column that holds both without looking at each
        kinds = column.map(_kind)
        number = pd.to_numeric(column.where(kinds.eq("number")), errors="coerce").astype("float64")
        text = line(column).mask(kinds.eq("text") & line(column).eq(""), "blank")
        text = text.mask(kinds.eq("other"), "neither a number nor text").mask(column.eq(""), "")
    finite = number.where(number.abs() < float("inf"))
    return finite, text.mask(number.notna() & finite.isna(), "infinite")


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool | list | dict) or (isinstance(value, int) and abs(value) > _MOST):
        return "other"
    return "number"  # or null


def _instants(column: pd.Series) -> pd.Series:
    """Instants, null for what is none; at the ends of the calendar, where a zone leads out of it, its end."""
    instants = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
    instants = instants.astype("datetime64[us, UTC]")
    return instants.mask(instants < _FIRST_INSTANT, _FIRST_INSTANT).mask(
        instants > _LAST_INSTANT, _LAST_INSTANT
    )


def _real(items: pd.DataFrame, name: str, collection: Collection, where: str) -> pd.Series:
    instants = _instants(items[name])
    wrong = instants.isna() & items[name].notna()
    if wrong.any():
        raise ContractError(
            f"{int(wrong.sum()):,} records have an instant that does not exist"
            f" (the first is record {_first(wrong)})",
            where=f"{where}, field {collection.own_names[name]}",
            mend="Ask the vendor of the feed to send ISO 8601 instants with their zone.",
        )
    return instants


def _first(rows: pd.Series) -> int:
    return int(rows.to_numpy().argmax()) + 1
