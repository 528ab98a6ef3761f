"""How long the ledger takes for one district's night.

    python bench/ledger.py [--scores 100000] [--url postgresql://…]

Without `--url` an embedded PostgreSQL is started, with fsync and taken away at the end. Times are wall-clock
seconds of one call on one connection, commit included.
"""

from __future__ import annotations

import argparse
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

sys.path.insert(0, str(Path(__file__).parents[1] / "include"))

from passback import ledger
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
        }
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
    answers = keys.assign(state="accepted", status=201, words="", answered_at=pd.Timestamp.now("UTC"))
    outcomes = plan[["assessment_id", "class_id", "student_id"]].assign(outcome="passed", codes="")
    timed("ensure_schema, empty database", lambda: ledger.ensure_schema(url))
    timed("ensure_schema, up to date", lambda: ledger.ensure_schema(url))
    with closing(ledger.connect(url)) as connection:

        def night(run_key: str) -> int:
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

        for run_key in ("first night", "all sent again"):
            run = night(run_key)
            steps: dict[str, Callable[..., None]] = {
                "intend_results": partial(ledger.intend_results, plan=plan),
                "answer_results": partial(ledger.answer_results, answers=answers),
                "settle_results": partial(ledger.settle_results, read_back=keys.assign(state="confirmed")),
                "record_outcomes": partial(ledger.record_outcomes, outcomes=outcomes),
            }
            for name, step in steps.items():
                timed(f"{run_key}: {name}", partial(step, connection, DISTRICT, run))
        timed("known_results", lambda: ledger.known_results(connection, DISTRICT))
        timed(
            "explain_score",
            lambda: ledger.explain_score(connection, DISTRICT, "assessment-7", "student-220", None),
        )
        timed("verify_trail", lambda: ledger.verify_trail(connection, DISTRICT))
    return times


def main() -> None:
    """Print a table of the times."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--scores", type=int, default=100_000)
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
        times = measure(url, given.scores)
    print(f"{given.scores:,} scores")
    for what, seconds in times:
        print(f"{what:<36}{seconds:8.3f} s")


if __name__ == "__main__":
    main()
