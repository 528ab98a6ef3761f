"""Plans to load, and what a SIS should hold after them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from oneroster.stub_sis import QUICK
from passback import ledger as books
from passback.oneroster import Limits, line_item_id
from passback.oneroster.gradebook import OneRosterGradebook
from passback.records import LINE_ITEM_PLAN, RESULT_PLAN
from passback.sis.skyward import SKYWARD
from passback.stages.load import LoadCounts, load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oneroster.stub_sis import StubSis
    from passback.gradebook import Gradebook
    from passback.ledger import Connection

DISTRICT = "lakeview"


def now() -> datetime:
    return datetime.now(UTC)


def line_item_plan(number: int, **columns: Any) -> pd.DataFrame:
    """Line items of one class, numbered from 0."""
    rows = [
        {
            "line_item_id": line_item_id("otus", f"a{index}", "k1"),
            "assessment_id": f"a{index}",
            "class_id": "c1",
            "sis_class_id": "k1",
            "title": f"Quiz {index}",
            "category_id": "301",
            "period_id": "9203",
            "assign_date": "2026-11-02",
            "due_date": "2026-11-20",
            "points_possible": 20.0,
            "adopts": "",
            "action": "create",
        }
        for index in range(number)
    ]
    return LINE_ITEM_PLAN.conform(pd.DataFrame(rows, columns=list(LINE_ITEM_PLAN.columns)).assign(**columns))


def result_plan(line_items: pd.DataFrame, students: Sequence[str], **columns: Any) -> pd.DataFrame:
    """A result of every student on every line item."""
    rows = line_items[["line_item_id", "assessment_id", "class_id", "sis_class_id", "action"]].merge(
        pd.DataFrame({"student_id": [f"s-{name}" for name in students], "sis_student_id": list(students)}),
        how="cross",
    )
    scores = {"score": [float(index % 21) for index in range(len(rows))], "score_status": "fully graded"}
    more = {"score_date": "2026-11-21", "mark": ""}
    return RESULT_PLAN.conform(rows.assign(**(scores | more | columns)))


def open_run(connection: Connection, run_key: str = "r1") -> int:
    return books.open_run(
        connection,
        district=DISTRICT,
        run_key=run_key,
        mode="changes",
        ordered_by="test",
        mapping_hash="",
        rule_set="",
        reasons=(),
        started_at=now(),
    )


def gradebook(stub: StubSis, **settings: Any) -> OneRosterGradebook:
    """The stub's gradebooks, as `StubSis.client` speaks to it."""
    profile = settings.pop("profile", replace(SKYWARD, page_size=10))
    limits = Limits(connections=4, requests_per_second=10_000)
    settings = {"limits": limits, "retries": QUICK, "clock": now} | settings
    return OneRosterGradebook(stub.endpoint, profile, **settings)


async def run_load(
    connection: Connection,
    sis: Gradebook,
    line_items: pd.DataFrame,
    results: pd.DataFrame,
    *,
    run_id: int,
    kept_categories: dict[str, str] | None = None,
    schools: dict[str, str] | None = None,
    progress: Callable[[LoadCounts], None] = lambda _counts: None,
) -> LoadCounts:
    return await load(
        connection,
        sis,
        district=DISTRICT,
        run_id=run_id,
        line_items=line_items,
        results=results,
        known_line_items=books.known_line_items(connection, DISTRICT),
        known_results=books.known_results(connection, DISTRICT),
        kept_categories=kept_categories or {},
        schools=schools or {},
        clock=now,
        progress=progress,
    )


def states(connection: Connection) -> dict[str, dict[str, int]]:
    """How many line items and results the ledger holds in each state."""
    return {
        "line_items": books.known_line_items(connection, DISTRICT)["state"].value_counts().to_dict(),
        "results": books.known_results(connection, DISTRICT)["state"].value_counts().to_dict(),
    }
