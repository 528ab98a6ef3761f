"""RULES section 2 and 3 for Skyward, read once more in plain Python: one record at a time, no shared code."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]


def _moment(local: str, zone: str) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))


def _day(local: str | None) -> date | None:
    return None if local is None else datetime.fromisoformat(local).date()


def _period(tables: dict[str, list[Row]], sis_class: str, day: date) -> Row | None:
    holding = [
        period
        for period in tables["sis_periods"]
        if period["sis_class_id"] == sis_class
        and date.fromisoformat(period["start_date"]) <= day <= date.fromisoformat(period["end_date"])
    ]
    return max(holding, key=lambda period: period["start_date"], default=None)


def _sis_id(tables: dict[str, list[Row]], table: str, key: str, sis_key: str, value: str) -> str:
    return next((str(row[sis_key]) for row in tables[table] if row[key] == value), "")


def assessment_codes(
    tables: dict[str, list[Row]], row: Row, *, zone: str, effective: date, now: str
) -> list[str]:
    """The codes that an assessment breaks, in the table's order."""
    moment = _moment(now, zone)
    assigned, due = _day(row["assigned_at"]), _day(row["due_at"])
    assert assigned
    points = row["points_possible"]
    sis_class = _sis_id(tables, "classes", "class_id", "sis_class_id", row["class_id"])
    on_roster = sis_class != "" and any(known["sis_class_id"] == sis_class for known in tables["sis_classes"])
    title = row["title"].strip()
    of_assigner = [stay for stay in tables["memberships"] if stay["staff_id"] == row["assigner_id"]]
    stays = [
        stay
        for stay in of_assigner
        if _moment(stay["joined_at"], zone) <= moment
        and (stay["left_at"] is None or _moment(stay["left_at"], zone) > moment)
    ]
    since = effective
    if stays:
        begun = min(stay["joined_at"] for stay in stays)
        # Who joins before having left has not joined anew.
        while earlier := [
            stay["joined_at"]
            for stay in of_assigner
            if stay["joined_at"] < begun and (stay["left_at"] is None or stay["left_at"] >= begun)
        ]:
            begun = min(earlier)
        joined = date.fromisoformat(begun[:10])
        if joined >= effective:
            period = _period(tables, sis_class, joined)
            since = max(effective, date.fromisoformat(period["start_date"]) if period else joined)
    assign_period = _period(tables, sis_class, assigned)
    due_period = _period(tables, sis_class, due) if due else None
    category = row["type"] if row["type"] in {"Quiz", "Test"} else None
    in_sis = [c for c in tables["sis_categories"] if c["title"] == category and c["sis_class_id"] == ""]
    of_classes = [c for c in tables["sis_categories"] if c["sis_class_id"] != ""]
    copies = Counter(
        (
            other["assessment_id"],
            _sis_id(tables, "classes", "class_id", "sis_class_id", other["class_id"])
            or ("-", other["class_id"]),
        )
        for other in tables["assessments"]
    )
    broken = {
        "grading.not_points": row["grading_type"] != "points",
        "points.total_missing": points is None or points <= 0,
        "points.total_not_whole": points is not None and points != int(points),
        "title.missing": title == "",
        "title.too_long": len(title) >= 50,
        "final_grade.not_included": not row["include_in_final_grade"],
        "due.missing": due is None,
        "dates.inverted": due is not None and due < assigned,
        "period.closed": on_roster
        and (
            assign_period is None
            or assign_period["closed"]
            or (due is not None and (due_period is None or due_period["closed"]))
        ),
        "period.straddles": on_roster
        and due is not None
        and (
            assign_period is None
            or due_period is None
            or assign_period["period_id"] != due_period["period_id"]
        ),
        "effective.before": assigned < since,
        "assigner.not_synced": _sis_id(tables, "staff", "staff_id", "sis_staff_id", row["assigner_id"]) == "",
        "assigner.not_in_group": not stays,
        "category.unmapped": category is None,
        "category.not_in_sis": category is not None and len(in_sis) != 1,
        "category.not_in_gradebook": bool(of_classes)
        and on_roster
        and len(in_sis) == 1
        and not any(c["sis_class_id"] == sis_class and c["title"] == category for c in of_classes),
        "class.not_on_roster": not on_roster,
        "duplicate.record": copies[row["assessment_id"], sis_class or ("-", row["class_id"])] > 1,
        "sis.duplicate": any(
            twin["sis_class_id"] == sis_class
            and twin["title"].strip() == title
            and twin["due_date"] == (due or assigned).isoformat()
            for twin in tables["sis_line_items"]
        ),
    }
    return [code for code, is_broken in broken.items() if is_broken]


def score_codes(
    tables: dict[str, list[Row]], row: Row, assessment: Row, *, zone: str, now: str, settings: dict[str, bool]
) -> list[str]:
    """The codes that a score of a passing assessment breaks, in the table's order."""
    today = _moment(now, zone).date()
    due = _day(assessment["due_at"])
    assert due
    sis_class = _sis_id(tables, "classes", "class_id", "sis_class_id", row["class_id"])
    sis_student = _sis_id(tables, "students", "student_id", "sis_student_id", row["student_id"])
    zero = row["status"] == "not_submitted" and due + timedelta(days=1) <= today and settings["past_due_zero"]
    points, text = 0.0 if zero else row["points"], row["points_text"]
    same = [
        other
        for other in tables["scores"]
        if (other["assessment_id"], other["class_id"]) == (row["assessment_id"], row["class_id"])
        and (
            other["student_id"] == row["student_id"]
            or (
                sis_student
                and _sis_id(tables, "students", "student_id", "sis_student_id", other["student_id"])
                == sis_student
            )
        )
    ]
    broken = {
        "points.score_not_whole": settings["points.score_not_whole"]
        and points is not None
        and points != int(points),
        "student.not_enrolled": sis_student == ""
        or {"sis_class_id": sis_class, "sis_student_id": sis_student} not in tables["sis_enrollments"],
        "score.excluded": row["status"] == "excluded",
        "score.not_graded": row["status"] not in {"graded", "excluded"} and not zero,
        "score.empty": row["status"] == "graded" and points is None and text == "",
        "score.not_numeric": text != "",
        "score.negative": points is not None and points < 0,
        "score.above_total": settings["score.above_total"]
        and points is not None
        and points > assessment["points_possible"],
        "duplicate.record": len(same) > 1,
    }
    return [code for code, is_broken in broken.items() if is_broken]
