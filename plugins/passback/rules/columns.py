"""What the suites look at: columns that stand for a fact of the source, of the SIS, or of both.

All of it is columnar. A missing value is null here, because Great Expectations leaves nulls aside: a rule
that cannot be judged (the grading period of a class that the SIS does not know) says nothing, and the rule
on what is missing speaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from passback.oneroster.ids import line_item_id
from passback.records import (
    ASSESSMENTS,
    CLASSES,
    MEMBERSHIPS,
    SIS_CATEGORIES,
    SIS_CLASSES,
    SIS_ENROLLMENTS,
    SIS_LINE_ITEMS,
    SIS_PERIODS,
    STAFF,
    STUDENTS,
    TEXT,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

_FIRST_DAY: Final = np.datetime64("0001-01-01", "D")
_LAST_DAY: Final = np.datetime64("9999-12-31", "D")
_UNKNOWN: Final = "\x1f"  # stands in no id: an id of the source beside ids of the SIS


def local_dates(instants: pd.Series, zone: str) -> pd.Series:
    """The days on which instants fall in a zone, as ISO text; null for null.

    Days outside the years 1 to 9999 become the first or last of them, so that they compare as text.
    """
    days = instants.dt.tz_convert(zone).dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    distinct, which = np.unique(days, return_inverse=True)
    missing = np.isnat(distinct)
    within = np.clip(np.where(missing, _FIRST_DAY, distinct), _FIRST_DAY, _LAST_DAY)
    texts = pd.Series(np.datetime_as_string(within), dtype=TEXT).mask(missing)
    return texts.take(which).set_axis(instants.index)


def assessment_columns(
    source: Mapping[str, pd.DataFrame],
    facts: Mapping[str, pd.DataFrame],
    *,
    zone: str,
    effective_date: date,
    categories: Mapping[str, str],
    known_line_items: pd.DataFrame,
    source_system: str,
    now: datetime,
) -> pd.DataFrame:
    """The columns that assessment rules look at.

    Args:
        source: The source's frames by name, as `records.SOURCE_FRAMES`.
        facts: What the SIS says of itself by name, as `records.SIS_FRAMES`.
        zone: The district's time zone.
        effective_date: The first day that counts.
        categories: Title of the SIS's category by the source's assessment type.
        known_line_items: The ledger's line items; only `line_item_id` is read.
        source_system: The source's name, from which ids are derived.
        now: The instant that membership is judged at.

    Returns:
        One row an assessment of the source, in its order:

        * assessment_id, class_id, title (trimmed), type, grading_type, include_in_final_grade, as they come;
        * points_possible (null: missing or not finite), points_possible_fraction (what is behind the point);
        * sis_class_id (empty: none), class_on_roster, gradebook (the class in the SIS, or what stands for one
          that is not there);
        * assign_date, due_date: days in the zone;
        * assign_period_open, due_period_open, same_period: null where a class is not on the roster or there
          is no due date; outside of all periods is neither open nor the same;
        * period_id: the grading period of the due date, empty for none;
        * assigner_sis_id (null: not synced), assigner_in_group, effective_from (RULES section 3);
        * category_title (null: unmapped), category_id (null: none or several in the SIS at district level),
          category_in_gradebook (null: the SIS does not tell);
        * foreign_twin: the SIS holds an assignment of this title and due date in this class that is not ours.
    """
    assessments = source[ASSESSMENTS.name].reset_index(drop=True)
    frame = assessments[["assessment_id", "class_id", "grading_type", "include_in_final_grade"]].copy()
    frame["title"] = assessments["title"].str.strip()
    frame["points_possible"] = assessments["points_possible"].where(
        np.isfinite(assessments["points_possible"])
    )
    frame["points_possible_fraction"] = frame["points_possible"] % 1
    frame["type"] = assessments["type"].str.strip()
    frame["assign_date"] = local_dates(assessments["assigned_at"], zone)
    frame["due_date"] = local_dates(assessments["due_at"], zone)

    frame["sis_class_id"] = _mapped(
        frame["class_id"], source[CLASSES.name], "class_id", "sis_class_id"
    ).fillna("")
    frame["class_on_roster"] = frame["sis_class_id"].ne("") & frame["sis_class_id"].isin(
        facts[SIS_CLASSES.name]["sis_class_id"]
    )
    frame["gradebook"] = frame["sis_class_id"].where(
        frame["sis_class_id"].ne(""), _UNKNOWN + frame["class_id"]
    )

    _add_periods(frame, facts[SIS_PERIODS.name])
    _add_assigner(
        frame, assessments["assigner_id"], source, facts[SIS_PERIODS.name], zone, effective_date, now
    )
    _add_category(frame, facts[SIS_CATEGORIES.name], categories)
    frame["foreign_twin"] = _foreign_twins(frame, facts[SIS_LINE_ITEMS.name], known_line_items, source_system)
    return frame


def score_columns(
    scores: pd.DataFrame,
    assessments: pd.DataFrame,
    source: Mapping[str, pd.DataFrame],
    facts: Mapping[str, pd.DataFrame],
    *,
    today: str,
    past_due_zero: bool,
) -> pd.DataFrame:
    """The columns that score rules look at.

    Args:
        scores: Scores as `records.SCORES`.
        assessments: Their assessments with the columns of `assessment_columns`, each once.
        source: The source's frames by name; only the students are read.
        facts: What the SIS says of itself by name; only the enrollments are read.
        today: The day in the district's zone, as ISO text.
        past_due_zero: Whether missing work that is past due counts as a 0.

    Returns:
        One row a score, with the index of `scores`; of a score whose assessment is not there, all but the
        ids and `assessment_in_feed` is null:

        * assessment_id, class_id, assessment_in_feed;
        * sis_class_id, sis_student_id (empty: none), enrolled, addressee (the student in the SIS, or what
          stands for one who is not there);
        * standing: the score's status, or `missing` where a 0 goes out for it;
        * scored: whether there are points, of a graded score without other text; null for any other;
        * points, points_fraction (what is behind the point), points_text, points_possible, due_date.
    """
    place = positions(scores, assessments[["assessment_id", "class_id"]])
    known = pd.Series(place >= 0, index=scores.index)
    frame = scores[["assessment_id", "class_id"]].copy()
    frame["assessment_in_feed"] = known
    for name in ("sis_class_id", "points_possible", "due_date"):
        frame[name] = _taken(assessments[name], place).set_axis(scores.index)

    students = source[STUDENTS.name]
    student_id = scores["student_id"]
    frame["sis_student_id"] = _mapped(student_id, students, "student_id", "sis_student_id").fillna("")
    unknown = frame["sis_student_id"].eq("")
    listed = positions(frame, facts[SIS_ENROLLMENTS.name][["sis_class_id", "sis_student_id"]]) >= 0
    frame["enrolled"] = (~unknown & listed).astype("boolean").where(known)
    frame["addressee"] = frame["sis_student_id"].mask(unknown, _UNKNOWN + student_id).where(known)

    past_due = frame["due_date"].lt(today)  # a null is before nothing
    zero = (
        scores["status"].eq("not_submitted") & past_due
        if past_due_zero
        else pd.Series(data=False, index=scores.index)
    )
    frame["standing"] = scores["status"].mask(zero, "missing").where(known)
    frame["points"] = scores["points"].where(known & np.isfinite(scores["points"]))
    frame["points_fraction"] = frame["points"] % 1
    frame["points_text"] = scores["points_text"].where(known)
    frame["scored"] = (
        frame["points"]
        .notna()
        .astype("boolean")
        .where(known & scores["status"].eq("graded") & scores["points_text"].eq(""))
    )
    return frame


def positions(wanted: pd.DataFrame, among: pd.DataFrame) -> np.ndarray:
    """For every row of `wanted` the position of the first row of `among` that has its values, or -1.

    Only the columns of `among` are compared. One integer a column and value makes this cheap for millions.
    """
    found = np.ones(len(wanted), dtype=bool)
    wanted_key = np.zeros(len(wanted), dtype=np.int64)
    among_key = np.zeros(len(among), dtype=np.int64)
    for name in among.columns:
        values = pd.Index(among[name].unique())
        part = values.get_indexer(pd.Index(wanted[name]))
        found &= part >= 0
        wanted_key = wanted_key * len(values) + part
        among_key = among_key * len(values) + values.get_indexer(pd.Index(among[name]))
    if not len(among):
        return np.full(len(wanted), -1)
    keys, first = np.unique(among_key, return_index=True)
    place = pd.Index(keys).get_indexer(pd.Index(wanted_key))
    return np.where(found & (place >= 0), first[place], -1)


# --- Parts of an assessment's columns ---


def _add_periods(frame: pd.DataFrame, periods: pd.DataFrame) -> None:
    assign = _period_of(frame["sis_class_id"], frame["assign_date"], periods)
    due = _period_of(frame["sis_class_id"], frame["due_date"], periods)
    on_roster, has_due = frame["class_on_roster"], frame["due_date"].notna()
    frame["assign_period_open"] = assign["closed"].eq(False).astype("boolean").where(on_roster)  # noqa: FBT003 - a value
    frame["due_period_open"] = due["closed"].eq(False).astype("boolean").where(on_roster & has_due)  # noqa: FBT003 - a value
    frame["same_period"] = (
        assign["period_id"].eq(due["period_id"]).astype("boolean").where(on_roster & has_due)
    )
    frame["period_id"] = due["period_id"].fillna("").astype(TEXT)


def _period_of(sis_class_ids: pd.Series, dates: pd.Series, periods: pd.DataFrame) -> pd.DataFrame:
    """The grading period (period_id, start_date, closed) of each class and day; null for none.

    Of periods that overlap, the one that starts latest, then the one that ends first.
    """
    days = pd.DataFrame({"row": np.arange(len(dates)), "sis_class_id": sis_class_ids, "day": dates})
    held = days.dropna().merge(periods, on="sis_class_id")
    held = held[held["start_date"].le(held["day"]) & held["end_date"].ge(held["day"])]
    held = held.sort_values(["start_date", "end_date", "period_id"], ascending=[False, True, True])
    one_each = held.drop_duplicates("row").set_index("row")
    return one_each[["period_id", "start_date", "closed"]].reindex(range(len(dates)))


def _add_assigner(
    frame: pd.DataFrame,
    assigner_id: pd.Series,
    source: Mapping[str, pd.DataFrame],
    periods: pd.DataFrame,
    zone: str,
    effective_date: date,
    now: datetime,
) -> None:
    sis_id = _mapped(assigner_id, source[STAFF.name], "staff_id", "sis_staff_id")
    frame["assigner_sis_id"] = sis_id.mask(sis_id.eq(""))

    stays = source[MEMBERSHIPS.name]
    stays = stays[stays["joined_at"].le(now) & (stays["left_at"].isna() | stays["left_at"].gt(now))]
    stays = stays.sort_values("joined_at")
    frame["assigner_in_group"] = assigner_id.isin(stays["staff_id"])

    # A teacher who joined before the effective date needs no case of her own: the period in which she
    # joined began earlier still.
    joined = _mapped(
        assigner_id, stays.assign(joined=local_dates(stays["joined_at"], zone)), "staff_id", "joined"
    )
    since = _period_of(frame["sis_class_id"], joined, periods)["start_date"].fillna(joined)
    first = effective_date.isoformat()
    frame["effective_from"] = since.where(since.gt(first), first).astype(TEXT)


def _add_category(frame: pd.DataFrame, sis_categories: pd.DataFrame, categories: Mapping[str, str]) -> None:
    titled = sis_categories.assign(title=sis_categories["title"].str.strip())
    of_district = titled[titled["sis_class_id"].eq("")].drop_duplicates(["category_id", "title"])
    # Two of one title: neither is chosen for a district that has not said which it means.
    of_district = of_district.drop_duplicates("title", keep=False)
    titles = {name.strip(): title.strip() for name, title in categories.items()}
    frame["category_title"] = frame["type"].map(titles).astype(TEXT)
    frame["category_id"] = _mapped(frame["category_title"], of_district, "title", "category_id")

    of_class = titled[titled["sis_class_id"].ne("")]
    by_id = positions(frame, of_class[["sis_class_id", "category_id"]]) >= 0
    by_title = (
        positions(frame.assign(title=frame["category_title"]), of_class[["sis_class_id", "title"]]) >= 0
    )
    told = frame["class_on_roster"] & frame["category_id"].notna() & (len(of_class) > 0)
    frame["category_in_gradebook"] = pd.Series(by_id | by_title, index=frame.index, dtype="boolean").where(
        told
    )


def _foreign_twins(
    frame: pd.DataFrame, sis_line_items: pd.DataFrame, known_line_items: pd.DataFrame, source_system: str
) -> np.ndarray:
    """Whether the SIS holds an assignment of the same class, title and due date that is not ours.

    Ours is what the ledger knows and, should the ledger have been lost, what the feed's ids lead to.
    """
    ours = {
        line_item_id(source_system, assessment, sis_class)
        for assessment, sis_class in zip(frame["assessment_id"], frame["sis_class_id"], strict=True)
    }
    ours.update(known_line_items["line_item_id"])
    foreign = sis_line_items[~sis_line_items["line_item_id"].isin(ours)]
    foreign = foreign.assign(title=foreign["title"].str.strip())
    dated = frame.assign(due_date=frame["due_date"].fillna(""))
    return positions(dated, foreign[["sis_class_id", "title", "due_date"]]) >= 0


# --- Looking up ---


def _mapped(values: pd.Series, table: pd.DataFrame, key: str, column: str) -> pd.Series:
    """Each value's `column` in the first row of `table` that has it as `key`; null for none."""
    rows = table.drop_duplicates(key)
    place = pd.Index(rows[key]).get_indexer(pd.Index(values))
    return _taken(rows[column], place).set_axis(values.index)


def _taken(column: pd.Series, place: np.ndarray) -> pd.Series:
    """The values at these positions; null for -1."""
    if column.empty:
        return pd.Series(index=range(len(place)), dtype=column.dtype)
    return column.reset_index(drop=True).take(place).where(place >= 0)
