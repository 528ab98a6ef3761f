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
    UNREADABLE,
)
from passback.rules.categories import add_category
from passback.rules.lookup import agreed, mapped, positions, taken
from passback.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from passback.mapping.model import District
    from passback.sis import SisProfile
    from passback.sources.profile import SourceProfile

_SAID_BY_SOURCE: Final = ("sync_on", "course_published", "published", "whole_section", "due_uniform")
_FIRST_DAY: Final = np.datetime64("0001-01-01", "D")
_LAST_DAY: Final = np.datetime64("9999-12-31", "D")
_LAST_INSTANT: Final = pd.Timestamp("9999-12-31T23:59:59Z")
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


def _days_between(days: pd.Series, today: str) -> pd.Series:
    """Whole days from each ISO day until `today`; null for null."""
    begun = days.fillna("0001-01-01").to_numpy(dtype="datetime64[D]")
    passed = (np.datetime64(today, "D") - begun).astype("float64")
    return pd.Series(passed, index=days.index).where(days.notna())


def assessment_columns(
    source: Mapping[str, pd.DataFrame],
    facts: Mapping[str, pd.DataFrame],
    *,
    district: District,
    profile: SisProfile,
    known_line_items: pd.DataFrame,
    allots_ids: bool,
    now: datetime,
) -> pd.DataFrame:
    """The columns that assessment rules look at.

    Args:
        source: The source's frames by name, as `records.SOURCE_FRAMES`.
        facts: What the SIS says of itself by name, as `records.SIS_FRAMES`.
        district: Its time zone, effective date, categories, and what it says of its source and SIS.
        profile: Its SIS: where its categories belong, and whether they are imported.
        known_line_items: The ledger's line items: which of the SIS's are ours, and when they were due.
        allots_ids: Whether the SIS may hold what is ours under an id that nobody was told.
        now: The instant to judge at.

    Returns:
        One row an assessment of the source, in its order. Where a system does not say something, the column
        is null there, and the rule says nothing:

        * assessment_id, class_id, title (trimmed), type, grading_type, include_in_final_grade, as they come;
        * points_possible (null: missing or not finite), points_possible_fraction (what is behind the point);
        * sync_on, course_published, published, whole_section, due_uniform: what the source says of it;
        * sis_class_id (empty: none, or several), class_on_roster, gradebook (the class in the SIS, or what
          stands for one that is not there), class_has_gradebook, gradebook_chosen (false: the class has
          several, and nothing says which), gradebook_unlinked, gradebook_readable, master_schedule;
        * assign_date, due_date: days in the zone; assigned_or_modified_date: the later of the day it was
          assigned and the day it was last modified, which does not count for what was assigned and due (or
          sent as due) before the school year: last year's line items are never touched again (RULES
          section 3);
        * assign_period_open, due_period_open, same_period: null where a class is not on the roster or there
          is no due date; outside of all periods is neither open nor the same;
        * period_id: the grading period of the due date, else of the assign date, else the nearest; empty for
          a class without any;
        * assigner_synced, assigner_in_group, effective_from (RULES section 3);
        * category_title (null: unmapped), category_id (null: none, or several of its name at district level),
          category_in_sis, category_in_gradebook;
        * group_imported: its assignment group was imported from the SIS for the term of its due date;
          group_named_as_category;
        * foreign_twin: the SIS holds an assignment of this title and due date in this class that is not ours;
          adopts: its id, where it is taken over instead.
    """
    assessments = source[ASSESSMENTS.name].reset_index(drop=True)
    platform = SOURCES[district.source.system]
    today = local_dates(pd.Series([now], dtype="datetime64[us, UTC]"), district.timezone)[0]
    as_they_come = ["assessment_id", "class_id", "grading_type", "include_in_final_grade", *_SAID_BY_SOURCE]
    frame = assessments[as_they_come].copy()
    frame["title"] = assessments["title"].str.strip()
    frame["points_possible"] = assessments["points_possible"].where(
        np.isfinite(assessments["points_possible"])
    )
    frame["points_possible_fraction"] = frame["points_possible"] % 1
    frame["type"] = assessments["type"].str.strip()
    frame["assign_date"] = local_dates(assessments["assigned_at"], district.timezone)
    frame["due_date"] = local_dates(assessments["due_at"], district.timezone)
    frame["sis_class_id"] = mapped(
        frame["class_id"],
        agreed(source[CLASSES.name], "class_id", "sis_class_id"),
        "class_id",
        "sis_class_id",
    ).fillna("")
    frame["class_on_roster"] = frame["sis_class_id"].ne("") & frame["sis_class_id"].isin(
        facts[SIS_CLASSES.name]["sis_class_id"]
    )
    frame["gradebook"] = frame["sis_class_id"].where(
        frame["sis_class_id"].ne(""), _UNKNOWN + frame["class_id"]
    )
    _add_gradebook(frame, facts[SIS_CLASSES.name], district, profile)
    frame["assigned_or_modified_date"] = _assigned_or_modified(
        frame,
        local_dates(assessments["modified_at"], district.timezone),
        _first_day_of_school(frame["sis_class_id"], facts[SIS_PERIODS.name], today),
        known_line_items,
    )
    _add_periods(frame, facts[SIS_PERIODS.name])
    _add_assigner(frame, assessments["assigner_id"], source, facts[SIS_PERIODS.name], district, platform, now)
    groups = assessments[["type", "group_sis_id", "group_term_id"]] if platform.groups else None
    add_category(frame, groups, facts[SIS_CATEGORIES.name], district.categories, profile)
    _add_twins(
        frame,
        facts[SIS_LINE_ITEMS.name],
        known_line_items,
        district.source.system,
        allots_ids=allots_ids,
        adopt=district.sis.adopt,
    )
    return frame


def score_columns(
    scores: pd.DataFrame,
    assessments: pd.DataFrame,
    source: Mapping[str, pd.DataFrame],
    facts: Mapping[str, pd.DataFrame],
    *,
    today: str,
    zone: str,
    past_due_zero: bool,
    holds_excused: bool,
    sent_before: pd.Series,
) -> pd.DataFrame:
    """The columns that score rules look at.

    Args:
        scores: Scores as `records.SCORES`.
        assessments: Their assessments with the columns of `assessment_columns`, each once.
        source: The source's frames by name; only the students are read.
        facts: What the SIS says of itself by name; only the enrollments are read.
        today: The day in the district's zone, as ISO text.
        zone: The district's time zone.
        past_due_zero: Whether missing work that is past due counts as a 0.
        holds_excused: Whether the SIS can be told that a student is excused.
        sent_before: For each score whether the SIS is known to hold one; also where everything is sent again.

    Returns:
        One row a score, with the index of `scores`; of a score whose assessment is not there, all but the
        ids and `assessment_in_feed` is null:

        * assessment_id, class_id, assessment_in_feed;
        * sis_class_id, sis_student_id (empty: none, or several), enrolled, addressee (the student in the
          SIS, or what stands for one who is not there);
        * standing: the score's status, or `missing` where a 0 goes out for it;
        * excused_held: whether the SIS can be told so; null for a student who is not excused;
        * scored: whether there are points, of a graded score without other text; null for any other;
        * points (null: none, or excused, or a 0 for missing work goes out), points_fraction (what is behind
          the point), points_text, points_possible, due_date;
        * grade_age_days: days since its grade changed, null where there is no grade; change_age_days: the
          same, null where one was sent.
    """
    place = positions(scores, assessments[["assessment_id", "class_id"]])
    known = pd.Series(place >= 0, index=scores.index)
    frame = scores[["assessment_id", "class_id"]].copy()
    frame["assessment_in_feed"] = known
    for name in ("sis_class_id", "points_possible", "due_date"):
        frame[name] = taken(assessments[name], place).set_axis(scores.index)

    students = agreed(source[STUDENTS.name], "student_id", "sis_student_id")
    student_id = scores["student_id"]
    frame["sis_student_id"] = mapped(student_id, students, "student_id", "sis_student_id").fillna("")
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
    excused = scores["status"].eq("excused")
    frame["standing"] = scores["status"].mask(zero, "missing").where(known)
    frame["excused_held"] = (
        pd.Series(holds_excused, index=scores.index).astype("boolean").where(known & excused)
    )
    frame["points"] = scores["points"].where(known & ~excused & ~zero & np.isfinite(scores["points"]))
    frame["points_fraction"] = frame["points"] % 1
    frame["points_text"] = scores["points_text"].where(known).mask(excused, "")
    frame["scored"] = (
        frame["points"]
        .notna()
        .astype("boolean")
        .where(known & scores["status"].eq("graded") & scores["points_text"].eq(""))
    )
    changed = local_dates(scores["scored_at"].fillna(scores["modified_at"]), zone)
    age = _days_between(changed.mask(zero, frame["due_date"]), today)
    frame["grade_age_days"] = age.where(known & (zero | excused | frame["scored"].fillna(value=False)))
    frame["change_age_days"] = frame["grade_age_days"].mask(sent_before)
    return frame


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
    written_on = frame["due_date"].fillna(frame["assign_date"])
    nearest = _nearest_period(frame["sis_class_id"], written_on, periods)
    frame["period_id"] = due["period_id"].fillna(assign["period_id"]).fillna(nearest).fillna("").astype(TEXT)


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


def _nearest_period(sis_class_ids: pd.Series, dates: pd.Series, periods: pd.DataFrame) -> pd.Series:
    """For each class and day the last grading period begun by then, else the first to begin; null for none.

    OneRoster 1.1 wants a grading period also where a SIS takes any date (Aeries, seed 000).
    """
    days = pd.DataFrame({"row": np.arange(len(dates)), "sis_class_id": sis_class_ids, "day": dates})
    rows = days.merge(periods, on="sis_class_id")
    rows = rows.assign(ahead=~rows["start_date"].le(rows["day"]))
    begun = rows[~rows["ahead"]].sort_values(["start_date", "period_id"], ascending=[False, True])
    ahead = rows[rows["ahead"]].sort_values(["start_date", "period_id"])
    first = pd.concat([begun, ahead]).drop_duplicates("row").set_index("row")["period_id"]
    return first.reindex(range(len(dates)))


def _assigned_or_modified(
    frame: pd.DataFrame, modified: pd.Series, first_day: pd.Series, known_line_items: pd.DataFrame
) -> pd.Series:
    later = modified.notna() & ~modified.le(frame["assign_date"])  # also where it was never assigned
    due = frame["due_date"].fillna(frame["assign_date"])
    sent = positions(frame, known_line_items[["assessment_id", "sis_class_id"]])
    sent_due = taken(known_line_items["due_date"], sent).set_axis(frame.index)
    # A null is before nothing. What is assigned in summer and due in the new year is the new year's.
    of_last_year = frame["assign_date"].lt(first_day) & (due.lt(first_day) | sent_due.lt(first_day))
    return frame["assign_date"].mask(later & ~of_last_year, modified)


def _first_day_of_school(sis_class_ids: pd.Series, periods: pd.DataFrame, today: str) -> pd.Series:
    """The first day of the school year under way, as each class has it; null where the SIS does not say.

    A class that was over before the district's school year began is of an earlier one, and has its first day.
    """
    begun = periods[periods["year_start"].ne("") & periods["year_start"].le(today)]
    each = begun.groupby("sis_class_id")["year_start"].max().astype(TEXT)
    over = periods.groupby("sis_class_id")["end_date"].max().reindex(each.index)
    if len(each):
        newest = each.max()
        each = each.mask(over.lt(newest), newest)
    return sis_class_ids.map(each).astype(TEXT)


def _add_gradebook(
    frame: pd.DataFrame, classes: pd.DataFrame, district: District, profile: SisProfile
) -> None:
    """What the SIS says of a class's gradebook and school, and where it does not, the district or the id."""
    gradebook = mapped(frame["sis_class_id"], classes, "sis_class_id", "gradebook").fillna("")
    frame["gradebook_readable"] = gradebook.ne(UNREADABLE)
    unsaid = gradebook.isin(["", UNREADABLE])
    frame["class_has_gradebook"] = gradebook.ne("none").astype("boolean").mask(unsaid)
    frame["gradebook_chosen"] = gradebook.ne("several").astype("boolean").mask(unsaid)
    linked = gradebook.eq("linked").astype("boolean").mask(unsaid)
    linked = linked.mask(frame["sis_class_id"].isin(district.sis.linked_gradebooks), other=True)
    frame["gradebook_unlinked"] = ~linked

    schedule = mapped(frame["sis_class_id"], classes, "sis_class_id", "master_schedule").astype("boolean")
    school = mapped(frame["sis_class_id"], classes, "sis_class_id", "school_id")
    without = school.isin(district.sis.schools_without_master_schedule)
    if profile.class_without_master_schedule:
        without |= frame["sis_class_id"].str.fullmatch(profile.class_without_master_schedule)
    matters = pd.Series(profile.needs_master_schedule, index=frame.index)
    frame["master_schedule"] = schedule.mask(without, other=False).where(matters)


def _add_assigner(
    frame: pd.DataFrame,
    assigner_id: pd.Series,
    source: Mapping[str, pd.DataFrame],
    periods: pd.DataFrame,
    district: District,
    platform: SourceProfile,
    now: datetime,
) -> None:
    staff = agreed(source[STAFF.name], "staff_id", "sis_staff_id")
    sis_id = mapped(assigner_id, staff, "staff_id", "sis_staff_id")
    synced = sis_id.fillna("").ne("").astype("boolean")
    frame["assigner_synced"] = synced.where(pd.Series(platform.tells_assigner, index=frame.index))

    stays = _whole_stays(source[MEMBERSHIPS.name])
    stays = stays[stays["joined_at"].le(now) & stays["left_at"].gt(now)].sort_values("joined_at")
    in_group = assigner_id.isin(stays["staff_id"]).astype("boolean")
    frame["assigner_in_group"] = in_group.where(pd.Series(platform.tells_group, index=frame.index))

    # A teacher who joined before the effective date needs no case of her own: the period in which she
    # joined began earlier still.
    joined = mapped(
        assigner_id,
        stays.assign(joined=local_dates(stays["joined_at"], district.timezone)),
        "staff_id",
        "joined",
    )
    since = _period_of(frame["sis_class_id"], joined, periods)["start_date"].fillna(joined)
    first = district.effective_date.isoformat()
    frame["effective_from"] = since.where(since.gt(first), first).astype(TEXT)


def _whole_stays(stays: pd.DataFrame) -> pd.DataFrame:
    """Stays with the day on which each really began: who joins before having left has not joined anew.

    Returns:
        staff_id, joined_at, left_at; the last for a stay that goes on.
    """
    stays = stays.assign(left_at=stays["left_at"].fillna(_LAST_INSTANT)).sort_values("joined_at")
    staff_id = stays["staff_id"]
    left_before = stays.groupby("staff_id")["left_at"].cummax().groupby(staff_id).shift()
    anew = left_before.isna() | stays["joined_at"].gt(left_before)
    return stays.assign(joined_at=stays["joined_at"].where(anew).groupby(staff_id).ffill())


def _add_twins(
    frame: pd.DataFrame,
    sis_line_items: pd.DataFrame,
    known_line_items: pd.DataFrame,
    source_system: str,
    *,
    allots_ids: bool,
    adopt: bool,
) -> None:
    """Add foreign_twin: the SIS holds an assignment of the same class, title and due date that is not ours.

    Without a due date, the assign date is what goes out for it.
    Ours is what the ledger knows by either id, what carries our id, what we sent to this very place without
    learning the id that the SIS allotted it, and, should the ledger have been lost, what the feed's ids lead
    to. One single match that nobody else wants may be taken over: its id is in adopts then.
    """
    known = [*known_line_items["line_item_id"], *known_line_items["sis_line_item_id"]]
    foreign = sis_line_items[~sis_line_items["line_item_id"].isin(known)]
    frame["foreign_twin"], frame["adopts"] = False, ""
    if foreign.empty:
        return
    ours = pd.Series(
        [
            line_item_id(source_system, assessment, sis_class)
            for assessment, sis_class in zip(frame["assessment_id"], frame["sis_class_id"], strict=True)
        ],
        index=frame.index,
        dtype="str",
    )
    foreign = foreign[~foreign["line_item_id"].isin(ours) & ~foreign["passback_id"].isin(ours)]
    foreign = foreign.assign(title=foreign["title"].str.strip())
    place = ["sis_class_id", "title", "due_date"]
    dated = frame.assign(due_date=frame["due_date"].fillna(frame["assign_date"]).fillna(""))
    found = positions(dated, foreign[place])
    unanswered = known_line_items["state"].eq("intended") & known_line_items["sis_line_item_id"].eq("")
    sent_there = ["line_item_id", *place]
    lost = known_line_items.loc[unanswered & allots_ids, sent_there]
    twin = (found >= 0) & ~(positions(dated.assign(line_item_id=ours), lost) >= 0)
    held = known_line_items.loc[known_line_items["state"].ne("gone"), "line_item_id"]
    may_adopt = (
        adopt
        & twin
        & ~ours.isin(held)
        & ~dated.duplicated(place, keep=False)
        & ~pd.Series(positions(dated, foreign.loc[foreign.duplicated(place), place]) >= 0, index=frame.index)
    )
    frame["adopts"] = taken(foreign["line_item_id"], found).set_axis(frame.index).where(may_adopt, "")
    frame["foreign_twin"] = twin & ~may_adopt
