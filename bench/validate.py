"""How fast validation is: `python bench/validate.py [SIS] [SCORES ...]` judges that many made-up scores.

A tenth of the assessments is refused; of the rest's scores about a fifth does not pass. Without a SIS it is
Skyward; categories are those of the whole district and, for every class, the same once more.
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from passback import ledger, paths, records
from passback.mapping.model import District, Sis, Source
from passback.rules.suites import read_suites
from passback.sis import PROFILES
from passback.stages.validate import validate

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
STUDENTS_A_CLASS = 30
ASSESSMENTS_A_CLASS = 40
STANDARDS_BASED = 0.1
SAID_BY_CANVAS = (
    "sync_on",
    "course_published",
    "published",
    "whole_section",
    "due_uniform",
    "period_closed",
)


def district(scores: int) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Made-up frames of a source and a SIS with about this many scores."""
    random = np.random.default_rng(7)
    classes = max(1, scores // (STUDENTS_A_CLASS * ASSESSMENTS_A_CLASS))
    class_ids = [f"c{n}" for n in range(classes)]
    start = pd.Timestamp("2026-10-12T15:00:00Z")

    assessments = pd.DataFrame(
        [
            (f"a{c}-{n}", class_ids[c], f"Unit {n}")
            for c in range(classes)
            for n in range(ASSESSMENTS_A_CLASS)
        ],
        columns=["assessment_id", "class_id", "title"],
    )
    count = len(assessments)
    assigned = start + pd.to_timedelta(random.integers(0, 20, count), unit="D")
    assessments = assessments.assign(
        type=random.choice(["Quiz", "Test", "Homework"], count),
        grading_type=np.where(random.random(count) < STANDARDS_BASED, "standards", "points"),
        points_possible=100.0,
        include_in_final_grade=True,
        assigner_id="t1",
        assigned_at=assigned,
        due_at=assigned + timedelta(days=7),
        modified_at=assigned,
        **dict.fromkeys(SAID_BY_CANVAS),
        group_sis_id="",
        group_term_id="",
    )
    rows = assessments[["assessment_id", "class_id", "due_at"]].loc[
        np.repeat(np.arange(count), STUDENTS_A_CLASS)
    ]
    rows = rows.reset_index(drop=True)
    student = np.tile(np.arange(STUDENTS_A_CLASS), count)
    status = random.choice(
        ["graded", "turned_in", "not_submitted", "excluded"], len(rows), p=[0.78, 0.1, 0.1, 0.02]
    )
    made = rows.assign(
        student_id=rows["class_id"] + "-s" + pd.Series(student).astype(str),
        status=status,
        points=np.where(status == "graded", random.integers(0, 201, len(rows)) / 2, np.nan),
        points_text="",
        mark="",
        scored_at=rows["due_at"] + pd.to_timedelta(random.integers(0, 86400 * 5, len(rows)), unit="s"),
        modified_at=rows["due_at"],
    )
    student_ids = pd.Series(made["student_id"].unique())
    source = {
        "assessments": records.ASSESSMENTS.conform(assessments),
        "scores": records.SCORES.conform(made),
        "classes": records.CLASSES.conform(
            pd.DataFrame({"class_id": class_ids, "sis_class_id": [f"k-{c}" for c in class_ids], "title": ""})
        ),
        "students": records.STUDENTS.conform(
            pd.DataFrame({"student_id": student_ids, "sis_student_id": "p-" + student_ids})
        ),
        "staff": records.STAFF.conform(pd.DataFrame({"staff_id": ["t1"], "sis_staff_id": ["u1"]})),
        "memberships": records.MEMBERSHIPS.conform(
            pd.DataFrame(
                {
                    "staff_id": ["t1"],
                    "joined_at": [start - timedelta(days=90)],
                    "left_at": pd.Series([None], dtype=records.INSTANT),
                }
            )
        ),
    }
    enrolled = made[["class_id", "student_id"]].drop_duplicates()
    periods = pd.DataFrame(
        {"period_id": ["q1", "q2"], "title": ["Q1", "Q2"], "closed": [True, False]}
    ).assign(start_date=["2026-08-01", "2026-10-10"], end_date=["2026-10-09", "2026-12-20"])
    categories = pd.DataFrame({"category_id": ["g1", "g2"], "title": ["Quiz", "Test"]}).assign(
        code="", term_id="", term_start="", term_end=""
    )
    facts = {
        "sis_categories": records.SIS_CATEGORIES.conform(
            categories.merge(
                pd.DataFrame({"sis_class_id": ["", *source["classes"]["sis_class_id"]]}), how="cross"
            )
        ),
        "sis_periods": records.SIS_PERIODS.conform(
            periods.merge(source["classes"][["sis_class_id"]], how="cross")
        ),
        "sis_classes": records.SIS_CLASSES.conform(
            source["classes"][["sis_class_id"]].assign(
                title="", school_id="", gradebook="unlinked", master_schedule=True
            )
        ),
        "sis_enrollments": records.SIS_ENROLLMENTS.conform(
            pd.DataFrame(
                {"sis_class_id": "k-" + enrolled["class_id"], "sis_student_id": "p-" + enrolled["student_id"]}
            )
        ),
        "sis_line_items": records.SIS_LINE_ITEMS.empty(),
    }
    return source, facts


def main() -> None:
    """Print seconds and memory for each number of scores."""
    import great_expectations  # noqa: F401, PLC0415 - its import is not what is measured

    numbers = [int(text) for text in sys.argv[1:] if text.isdigit()] or [100_000, 1_000_000]
    sis = next((text for text in sys.argv[1:] if text in PROFILES), "skyward")
    lakeview = District.model_construct(
        timezone="America/Los_Angeles",
        effective_date=date(2026, 8, 1),
        categories={"Quiz": "Quiz", "Test": "Test", "Homework": "Quiz"},
        rules={},
        source=Source.model_construct(system="otus"),
        sis=Sis.model_construct(system=sis),
    )
    suites = read_suites(paths.expectations(), sis)
    for scores in numbers:
        source, facts = district(scores)
        begun, worked = time.perf_counter(), time.process_time()
        verdicts = validate(
            source,
            facts,
            district=lakeview,
            suites=suites,
            profile=PROFILES[sis],
            known_line_items=ledger.no_line_items(),
            known_results=ledger.no_results(),
            allots_ids=False,
            now=NOW,
            everything=False,
        )
        seconds, processor = time.perf_counter() - begun, time.process_time() - worked
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        outcomes = verdicts.scores["outcome"].value_counts().to_dict()
        print(
            f"{len(source['scores']):>9,} scores: {seconds:6.2f} s ({processor:.2f} s of processor),"
            f" peak {peak} MB, {outcomes}"
        )


if __name__ == "__main__":
    main()
