"""A SIS of the sandbox that allots ids, and what is loaded into it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from faults.world import CLASSES, TODAY, day, write_data
from load.plans import line_item_plan, now, open_run, result_plan, run_load
from passback import ledger as books
from passback.connections import Endpoint
from passback.oneroster import Limits, Retries
from passback.oneroster.gradebook import OneRosterGradebook
from passback.sis import profile_of
from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pandas as pd

    from passback.ledger import Connection
    from passback.stages.load import LoadCounts
    from sandbox_process import SandboxProcess

SIS_CLASS, SCHOOL = "1001-01", "101"
STUDENTS = [f"9{int(student):07}" for student in CLASSES["AAA-2013J"]]
QUICK = Retries(attempts=2, patience=10.0, first_wait=0.01)
ALLOTTING = ("put_without_id", "post")


def start(state: Path) -> AbstractContextManager[SandboxProcess]:
    return start_sandbox(
        state / "sandbox", data=write_data(state / "data"), sis="generic", today=TODAY.isoformat()
    )


def the_plan(items: int = 2, **columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Line items of a class, each with a result of each of its five students."""
    due = day(190).isoformat()
    line_items = line_item_plan(
        items, sis_class_id=SIS_CLASS, assign_date=day(180).isoformat(), due_date=due, **columns
    )
    return line_items, result_plan(line_items, STUDENTS, score_date=due)


@dataclass
class District:
    """Runs of a district whose SIS is the sandbox.

    Attributes:
        sandbox: The sandbox.
        connection: The ledger.
        extra: Of the SIS's connection, besides what the sandbox offers.
        timeout: Seconds an answer may take.
    """

    sandbox: SandboxProcess
    connection: Connection
    extra: dict[str, Any] = field(default_factory=dict)
    timeout: float = 20.0

    def endpoint(self) -> Endpoint:
        found = self.sandbox.info()["connections"]["sis"]
        url = f"{found['schema']}://{found['host']}:{found['port']}"
        return Endpoint("sis", url, found["login"], found["password"], found["extra"] | self.extra)

    def gradebook(self) -> OneRosterGradebook:
        limits = Limits(connections=4, requests_per_second=10_000)
        return OneRosterGradebook(
            self.endpoint(),
            profile_of("generic"),
            clock=now,
            limits=limits,
            retries=QUICK,
            timeout=self.timeout,
        )

    async def load(self, line_items: pd.DataFrame, results: pd.DataFrame, run_key: str) -> LoadCounts:
        """One try of load-to-sis."""
        async with self.gradebook() as sis:
            return await run_load(
                self.connection,
                sis,
                line_items,
                results,
                run_id=open_run(self.connection, run_key),
                schools={SIS_CLASS: SCHOOL},
            )

    def known(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return (
            books.known_line_items(self.connection, "lakeview"),
            books.known_results(self.connection, "lakeview"),
        )

    def held(self) -> tuple[Counter[str], Counter[tuple[str, str, float | None]]]:
        """What stands in the SIS: titles; title, student and score."""
        dump = self.sandbox.dump()
        titles = {item["sourcedId"]: item["title"] for item in dump["lineItems"]}
        return (
            Counter(titles.values()),
            Counter(
                (titles[row["lineItem"]["sourcedId"]], row["student"]["sourcedId"], row.get("score"))
                for row in dump["results"]
            ),
        )

    def asked(self) -> Counter[tuple[str, str]]:
        """Method and path of the requests since the sandbox was seeded, below the services' addresses."""
        rows = self.sandbox.requests()["requests"]
        return Counter({(row["method"], row["path"].split("/v1p2")[-1]): row["count"] for row in rows})


def should_hold(
    line_items: pd.DataFrame, results: pd.DataFrame
) -> tuple[Counter[str], Counter[tuple[str, str, float | None]]]:
    titles = dict(zip(line_items["line_item_id"], line_items["title"], strict=True))
    rows = zip(results["line_item_id"], results["sis_student_id"], results["score"], strict=True)
    return (
        Counter(titles.values()),
        Counter((titles[item], student, score) for item, student, score in rows),
    )
