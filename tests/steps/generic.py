"""A small district, most often with the sandbox's generic SIS, and whatever its mapping file is to say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from district import SampleDistrict
from faults.world import CLASSES, TODAY, write_data
from passback.mapping.file import read_district
from passback.mapping.model import Limits
from passback.night import TASKS
from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pytest

    from sandbox_process import SandboxProcess

ZONE = ZoneInfo("America/Los_Angeles")
EVENING = datetime(TODAY.year, TODAY.month, TODAY.day, 19, tzinfo=ZONE)
CLASS, SIS_CLASS = "AAA-2013J", "1001-01"
ASSIGNMENT, TITLE = "101", "TMA 2 (AAA 2013J)"  # students 3, 4 and 5 have a score, 2 is excused


def start(state: Path, **options: Any) -> AbstractContextManager[SandboxProcess]:
    return start_sandbox(
        state / "sandbox", data=write_data(state / "data"), today=TODAY.isoformat(), **options
    )


def sis_id(student: str) -> str:
    return f"9{int(student):07}"


@dataclass
class SmallDistrict(SampleDistrict):
    """A district of two classes and eight students; `sis` is that of its mapping file."""

    mapping: dict[str, Any] = field(default_factory=dict)
    mappings: Path | None = None

    def says(self, **sis: Any) -> None:
        """Let `sis` of the mapping file say this besides."""
        assert self.mappings is not None
        self.mapping["sis"] |= sis
        (self.mappings / "lakeview.yaml").write_text(json.dumps(self.mapping))

    def one_class(self, run_key: str = "", **changes: Any) -> dict[str, Any]:
        """A whole run of one class, which nobody is asked about; its report."""
        night = self.night(run_key, classes=(CLASS,), **changes)
        lenient = Limits(share=1, at_least=1_000)
        night = replace(night, district=read_district("lakeview").model_copy(update={"limits": lenient}))
        for task_id in TASKS:
            self.step(task_id, night)
        return self.report(night)

    def scores(self) -> dict[tuple[str, str], float | None]:
        """What the SIS holds: the score by title and student; nothing twice."""
        dump = self.sandbox.dump()
        titles = {item["sourcedId"]: item["title"] for item in dump["lineItems"]}
        assert len(set(titles.values())) == len(titles), "a line item stands twice"
        rows = {
            (titles[row["lineItem"]["sourcedId"]], row["student"]["sourcedId"]): row.get("score")
            for row in dump["results"]
        }
        assert len(rows) == len(dump["results"]), "a result stands twice"
        return rows

    def line_item(self, title: str = TITLE) -> dict[str, Any]:
        (found,) = [item for item in self.sandbox.dump()["lineItems"] if item["title"] == title]
        return found

    def grade(self, student: str, points: float | None, *, assessment: str = ASSIGNMENT) -> None:
        """Give a student a score in the source, or take it back."""
        graded = {"status": "graded", "points": points, "graded_at": f"{TODAY.isoformat()}T20:00:00Z"}
        taken_back = {"status": "turned_in", "points": None, "graded_at": None}
        self.sandbox.control(
            "PATCH",
            f"/scores/{assessment}/{CLASS}/s{student}",
            graded if points is not None else taken_back,
        )

    def rename(self, title: str, *, assessment: str = ASSIGNMENT) -> None:
        self.sandbox.control("PATCH", f"/assessments/{assessment}/{CLASS}", {"title": title})


def small_district(
    sandbox: SandboxProcess,
    ledger_url: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    system: str = "generic",
    categories: dict[str, str] | None = None,
    **sis: Any,
) -> SmallDistrict:
    """The district, with a ledger and a mapping file of its own."""
    offered = sandbox.info()["connections"]
    categories = categories or dict(read_district("lakeview").categories)
    way = "native" if sis.get("transport") == "native" else "sis"
    monkeypatch.setenv("AIRFLOW_CONN_SMALL_SOURCE", json.dumps(offered["source"]))
    monkeypatch.setenv("AIRFLOW_CONN_SMALL_SIS", json.dumps(offered[way]))
    monkeypatch.setenv("AIRFLOW_CONN_PASSBACK_LEDGER", ledger_url)
    monkeypatch.setenv("PASSBACK_STAGE", (folder / "stage").as_uri())
    mappings = folder / "mappings"
    mappings.mkdir()
    monkeypatch.setenv("PASSBACK_MAPPINGS", str(mappings))
    mapping: dict[str, Any] = {
        "district": "lakeview",
        "name": "Lakeview Unified School District",
        "timezone": str(ZONE),
        "schedule": "0 22 * * *",
        "effective_date": "2020-08-17",
        "source": {"system": "otus", "connection": "small_source"},
        "sis": {"system": system, "connection": "small_sis"},
        "categories": categories,
        "rules": {},
    }
    if system == "skyward":
        mapping["confirmed"] = ["oneroster_licence", "use_grade_unchecked"]
    district = SmallDistrict(
        sandbox, ledger_url, folder / "stage", clock=lambda: EVENING, mapping=mapping, mappings=mappings
    )
    district.says(**sis)
    return district


STUDENTS = CLASSES[CLASS]
