"""How long the ledger takes for one district's night, and for questions after a school year.

    python bench/ledger.py [--scores 100000] [--url postgresql://…]
    python bench/ledger.py --school-year [--scores 1500000]

A school year is filled in by SQL: 180 nights, a hundred results a student, thirty students a class, two rows
of history a score. The rows of the trail have no true hashes. Sixty thousand students have 6,000,000 results;
fewer are a smaller district, whose look-ups by an index of the same depth take the same pages.

Without `--url` an embedded PostgreSQL is started, with fsync and taken away at the end. Times are wall-clock
seconds of one call on one connection, commit included.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from alembic import command
from psycopg2 import sql

sys.path.insert(0, str(Path(__file__).parents[1] / "include"))

from passback import ledger
from passback.ledger import bulk, database
from passback.ledger.outcomes import SCORE_OUTCOMES
from passback.reasons import DELIVERY_REASONS
from stack import postgres

if TYPE_CHECKING:
    from collections.abc import Callable

DISTRICT = "bench"
STUDENTS_PER_CLASS = 30


def results(scores: int) -> pd.DataFrame:
    """A plan of as many results, thirty a line item."""
    number = pd.Series(np.arange(scores))
    item, student = number // STUDENTS_PER_CLASS, number % 997
    return pd.DataFrame(
        {
            "line_item_id": "8c2f7a52-0000-5000-8000-" + item.astype("str").str.zfill(12),
            "assessment_id": "assessment-" + item.astype("str"),
            "class_id": "class-" + (item // 12).astype("str"),
            "student_id": "student-" + number.astype("str"),
            "sis_class_id": "sis-class-" + (item // 12).astype("str"),
            "sis_student_id": "sis-student-" + number.astype("str"),
            "score": (student % 101).astype("float64"),
            "score_status": "graded",
            "score_date": "2026-11-22",
            "mark": "",
            "action": "create",
            "sis_result_id": "",
        }
    )


def night(connection: ledger.Connection, run_key: str) -> int:
    """Open a run."""
    return ledger.open_run(
        connection,
        district=DISTRICT,
        run_key=run_key,
        mode="changes",
        ordered_by="bench",
        mapping_hash="",
        rule_set="",
        reasons=DELIVERY_REASONS,
        started_at=datetime.now(UTC),
    )


def close(connection: ledger.Connection, run: int, outcomes: pd.DataFrame) -> None:
    """Close a run well."""
    ledger.note_judged(connection, run, len(outcomes))
    ledger.close_run(
        connection,
        run,
        ended_at=datetime.now(UTC),
        state="good",
        extracted=len(outcomes),
        outcomes=outcomes["outcome"].value_counts().to_dict(),
        reasons=pd.DataFrame({"code": [], "assessments": [], "scores": [], "leading_scores": []}),
        requests=0,
        scores=outcomes,
    )


def measure(url: str, scores: int) -> list[tuple[str, float]]:
    """What each step takes, in the order of a night, and of the one after it."""
    times: list[tuple[str, float]] = []

    def timed(what: str, step: Callable[[], object]) -> None:
        start = time.perf_counter()
        step()
        times.append((what, time.perf_counter() - start))

    plan = results(scores)
    keys = plan[["line_item_id", "sis_student_id"]]
    answers = keys.assign(
        state="accepted", status=201, words="", answered_at=pd.Timestamp.now("UTC"), sis_id=""
    )
    outcomes = plan[["assessment_id", "class_id", "student_id"]].assign(outcome="sent", codes="")
    timed("ensure_schema, empty database", lambda: ledger.ensure_schema(url))
    timed("ensure_schema, up to date", lambda: ledger.ensure_schema(url))
    with closing(ledger.connect(url)) as connection:
        for run_key in ("first night", "all sent again"):
            run = night(connection, run_key)
            steps: dict[str, Callable[..., None]] = {
                "intend_results": partial(ledger.intend_results, plan=plan),
                "answer_results": partial(ledger.answer_results, answers=answers),
                "settle_results": partial(ledger.settle_results, read_back=keys.assign(state="confirmed")),
            }
            for name, step in steps.items():
                timed(f"{run_key}: {name}", partial(step, connection, DISTRICT, run))
            timed(f"{run_key}: close_run", partial(close, connection, run, outcomes))
        timed("known_results", lambda: ledger.known_results(connection, DISTRICT))
        timed(
            "explain_score",
            lambda: ledger.explain_score(connection, DISTRICT, "assessment-7", "student-220", None),
        )
        timed("verify_trail", lambda: ledger.verify_trail(connection, DISTRICT))
    return times


# --- A school year ---

NIGHTS = 180

FILL = {
    "runs": """
        INSERT INTO passback.runs (district, run_key, mode, ordered_by, mapping_hash, rule_set, state,
                                   started_at, ended_at, recorded_at, judged)
        SELECT %(district)s, 'night-' || night, 'changes', 'schedule', 'm', 'r', 'good', at, at, at, 0
        FROM generate_series(1, %(nights)s) AS night,
             LATERAL (SELECT timestamptz '2026-08-20 06:00Z' + night * interval '1 day') AS t (at)
    """,
    # The ids of a platform are in no order.
    "scores": """
        CREATE TEMPORARY TABLE year AS
        SELECT md5('a' || item) AS assessment_id, 'class-' || item %% %(classes)s AS class_id,
               md5('s' || student) AS student_id, md5('i' || item) AS line_item_id,
               'sis-class-' || item %% %(classes)s AS sis_class_id, 'sis-' || student AS sis_student_id,
               1 + item * (%(nights)s - 3) / %(items)s AS night, score %% 101 AS points, score
        FROM (
            SELECT score, score / 30 AS item,
                   ((score / 30 %% %(classes)s) * 30 + score %% 30) %% %(students)s AS student
            FROM generate_series(0, %(scores)s - 1) AS score
        ) AS given
    """,
    "line_items": """
        INSERT INTO passback.line_items (district, line_item_id, assessment_id, class_id, sis_class_id,
            title, category_id, period_id, assign_date, due_date, points_possible, state, run_id,
            intended_at, in_sis)
        SELECT DISTINCT ON (night, line_item_id) %(district)s, line_item_id, assessment_id, class_id,
               sis_class_id, 'Essay', '301', 'q1', '2026-09-01', '2026-09-10', 100, 'confirmed', night + 2,
               now(), '{"title": "Essay"}'::jsonb
        FROM pg_temp.year ORDER BY night, line_item_id
    """,
    "results": """
        INSERT INTO passback.results (district, line_item_id, sis_student_id, assessment_id, class_id,
            student_id, sis_class_id, score, score_status, score_date, state, run_id, intended_at, in_sis)
        SELECT %(district)s, line_item_id, sis_student_id, assessment_id, class_id, student_id, sis_class_id,
               points, 'fully graded', '2026-09-10', 'confirmed', night + 2, now(),
               jsonb_build_object('score', points, 'score_status', 'fully graded', 'score_date', '2026-09-10')
        FROM pg_temp.year ORDER BY score
    """,
    "score_outcomes": """
        INSERT INTO passback.score_outcomes
            (district, assessment_id, class_id, student_id, outcome, codes, run_id, since)
        SELECT %(district)s, assessment_id, class_id, student_id, 'passed', '', night + 2, recorded_at
        FROM pg_temp.year JOIN passback.runs ON run_id = night + 2 ORDER BY score
    """,
    "score_history": """
        INSERT INTO passback.score_history
            (district, assessment_id, class_id, student_id, run_id, outcome, codes, at)
        SELECT %(district)s, assessment_id, class_id, student_id, run_id,
               CASE later WHEN 0 THEN 'held' ELSE 'sent' END,
               CASE later WHEN 0 THEN 'score.not_graded' ELSE '' END, recorded_at
        FROM pg_temp.year CROSS JOIN (VALUES (0), (2)) AS after (later)
        JOIN passback.runs ON run_id = night + later ORDER BY recorded_at, score
    """,
    "trail": """
        INSERT INTO passback.trail (district, seq, at, run_id, run_key, ordered_by, rule_set, mapping_hash,
            kind, line_item_id, sis_student_id, sis_class_id, assessment_id, class_id, student_id,
            from_value, to_value, hash)
        SELECT %(district)s, score + 1, now(), night + 2, 'night-' || night + 2, 'schedule', 'r', 'm',
               'result', line_item_id, sis_student_id, sis_class_id, assessment_id, class_id, student_id,
               NULL, json_build_object('score', points), sha256(score::text::bytea)
        FROM pg_temp.year ORDER BY score
    """,
}

SIZES = """
    SELECT relname, pg_total_relation_size(oid) / 1048576 FROM pg_class
    WHERE relnamespace = 'passback'::regnamespace AND relkind = 'r' ORDER BY 2 DESC LIMIT 6
"""
COUNTS = """
    SELECT (SELECT count(*) FROM passback.score_outcomes), (SELECT count(*) FROM passback.score_history),
           (SELECT count(*) FROM passback.trail)
"""
SOME = """
    SELECT assessment_id, class_id, student_id FROM passback.results
    TABLESAMPLE BERNOULLI (0.5) REPEATABLE (7)
"""
TAUGHT = "SELECT assessment_id, class_id FROM passback.line_items WHERE class_id = ANY(%s)"
STANDING = """
    SELECT assessment_id, class_id, student_id, 'unchanged' AS outcome, codes FROM passback.score_outcomes
"""


def school_year(url: str, scores: int) -> None:
    """Fill a year in, and print how long questions, a night without changes and the migrations take."""
    students = scores // 100
    of = {
        "district": DISTRICT,
        "nights": NIGHTS,
        "scores": scores,
        "items": scores // 30,
        "students": students,
        "classes": students // 5,
    }
    ledger.ensure_schema(url)
    with closing(ledger.connect(url)) as connection:
        for what, statement in FILL.items():
            start = time.perf_counter()
            with database.transaction(connection) as cursor:
                cursor.execute("SET statement_timeout = 0")
                cursor.execute(statement, of)
            print(f"{'filled ' + what:<36}{time.perf_counter() - start:8.1f} s", flush=True)
        with database.transaction(connection) as cursor:
            cursor.execute(
                "ANALYZE passback.results; ANALYZE passback.score_outcomes; ANALYZE passback.trail"
            )
            cursor.execute(
                "ANALYZE passback.score_history; ANALYZE passback.line_items; ANALYZE passback.runs"
            )
            cursor.execute(SIZES)
            print(*(f"{name} {size:,} MB" for name, size in cursor), sep=", ", flush=True)
        ask(connection)
        unchanged(connection)
        ask(connection)
    for step, version in (
        ("downgrade", "0004"),
        ("upgrade", "0005"),
        ("downgrade", "0004"),
        ("upgrade", "head"),
    ):
        start = time.perf_counter()
        migrate = partial(getattr(command, step), revision=version)
        database._migrate(url, migrate)  # noqa: SLF001 - a command only goes up
        print(f"{f'{step} to {version}':<36}{time.perf_counter() - start:8.1f} s", flush=True)
    with closing(ledger.connect(url)) as connection:
        ask(connection)


def ask(connection: ledger.Connection) -> None:
    """Ask each question twenty times, of scores by chance."""
    with database.transaction(connection) as cursor:
        cursor.execute(SOME)
        known = random.Random(7).sample(cursor.fetchall(), 20)  # noqa: S311 - no secret
    asked: list[tuple[str, Callable[[], object]]] = []
    for assessment, class_id, student in known:
        explain = partial(ledger.explain, connection, DISTRICT)
        with database.transaction(connection) as cursor:
            five = [f"class-{int(class_id.removeprefix('class-')) + more}" for more in range(5)]
            cursor.execute(TAUGHT, (five,))
            taught = cursor.fetchall()
        asked += [
            ("one score", partial(ledger.explain_score, connection, DISTRICT, assessment, student, None)),
            ("a student", partial(explain, student=student)),
            ("an assessment", partial(explain, assessment=assessment)),
            ("a class", partial(explain, class_id=class_id)),
            ("a student in a class", partial(explain, student=student, class_id=class_id)),
            ("a teacher of five classes", partial(explain, among=taught)),
            ("the same, the last page", partial(explain, among=taught, offset=2_500)),
        ]
    times: dict[str, list[float]] = {}
    for what, question in asked:
        start = time.perf_counter()
        question()
        times.setdefault(what, []).append(1000 * (time.perf_counter() - start))
    for what, each in times.items():
        median, most = statistics.median(each), max(each)
        print(f"explain {what:<28}{median:8.1f} ms, at most {most:.1f}", flush=True)


def unchanged(connection: ledger.Connection) -> None:
    """A night in which nothing changed: how long it takes, and how many rows it adds."""
    with database.transaction(connection) as cursor:
        cursor.execute(COUNTS)
        before = cursor.fetchone()
        outcomes = bulk.copy_out(cursor, sql.SQL(STANDING), SCORE_OUTCOMES)
    run = night(connection, "a night without changes")
    start = time.perf_counter()
    close(connection, run, outcomes)
    took = time.perf_counter() - start
    with database.transaction(connection) as cursor:
        cursor.execute(COUNTS)
        after = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM passback.run_outcomes WHERE run_id = %s", (run,))
        (account,) = cursor.fetchone() or (0,)
    print(
        f"{len(outcomes):,} unchanged scores: {took:.1f} s; rows of outcomes, history and trail before"
        f" {before}, after {after}; rows of the account {account:,}",
        flush=True,
    )


def main() -> None:
    """Print a table of the times."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--scores", type=int)
    arguments.add_argument("--school-year", action="store_true")
    arguments.add_argument("--url", help="an empty PostgreSQL database; default: an embedded one")
    given = arguments.parse_args()
    with ExitStack() as after:
        url = given.url
        if url is None:
            folder = Path(after.enter_context(tempfile.TemporaryDirectory()))
            after.callback(postgres.remove, folder / "postgres")
            server = postgres.start(folder / "postgres")
            after.callback(server.stop)
            url = server.create_database("ledger")
        if given.school_year:
            school_year(url, given.scores or 1_500_000)
            return
        scores = given.scores or 100_000
        times = measure(url, scores)
    print(f"{scores:,} scores")
    for what, seconds in times:
        print(f"{what:<36}{seconds:8.3f} s")


if __name__ == "__main__":
    main()
