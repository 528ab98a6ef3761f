"""A sample district against a sandbox of its own, as a person with a laptop would run it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from passback import steps
from passback.frame_store import open_folder, read_json
from passback.mapping.file import read_district
from passback.night import TASKS, Night

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sandbox_process import SandboxProcess

ZONE = ZoneInfo("America/Los_Angeles")


def environment(
    sandbox: SandboxProcess, ledger_url: str, stage: Path, district: str = "lakeview"
) -> dict[str, str]:
    """What a sample district needs to be set, connections and all."""
    offered, mapping = sandbox.info()["connections"], read_district(district)
    return {
        f"AIRFLOW_CONN_{mapping.source.connection.upper()}": json.dumps(offered["source"]),
        f"AIRFLOW_CONN_{mapping.sis.connection.upper()}": json.dumps(offered["sis"]),
        "AIRFLOW_CONN_PASSBACK_LEDGER": ledger_url,
        "PASSBACK_STAGE": stage.as_uri(),
    }


@dataclass
class SampleDistrict:
    """A sample district; `said` is all that its steps told, `returned` all that they gave back."""

    sandbox: SandboxProcess
    ledger_url: str
    stage: Path
    clock: Callable[[], datetime] = steps.utc_now
    said: list[str] = field(default_factory=list)
    returned: list[dict[str, Any]] = field(default_factory=list)
    nights: int = 0
    name: str = "lakeview"

    def night(self, run_key: str = "", **changes: Any) -> Night:
        """A run; the next one unless its key is given."""
        self.nights += not run_key
        return Night(
            read_district(self.name), "sha256 of its file", run_key or f"test__{self.nights}", **changes
        )

    def step(self, task_id: str, night: Night) -> dict[str, Any]:
        """One step of a run."""
        self.returned.append(steps.run(task_id, night, say=self.said.append, clock=self.clock))
        return self.returned[-1]

    def run(self, run_key: str = "", **changes: Any) -> dict[str, Any]:
        """A whole run; its report."""
        night = self.night(run_key, **changes)
        for task_id in TASKS:
            self.step(task_id, night)
        return self.report(night)

    def report(self, night: Night) -> dict[str, Any]:
        """The report of a run."""
        report = read_json(open_folder(night.folder) / "report", "report")
        assert report is not None
        return report

    def held(self) -> tuple[dict[str, Any], dict[tuple[str, str], tuple[float, str, str]]]:
        """What the SIS holds: line items by title; (score, status, date) by title and SIS student."""
        dump = self.sandbox.dump()
        line_items = {item["title"]: item for item in dump["lineItems"]}
        assert len(line_items) == len(dump["lineItems"]), "a line item stands twice"
        titles = {item["sourcedId"]: item["title"] for item in dump["lineItems"]}
        results = {
            (titles[row["lineItem"]["sourcedId"]], row["student"]["sourcedId"]): (
                row["score"],
                row["scoreStatus"],
                row["scoreDate"][:10],
            )
            for row in dump["results"]
        }
        assert len(results) == len(dump["results"]), "a result stands twice"
        return line_items, results

    def written(self) -> list[tuple[str, str]]:
        """Method and kind of every write since the sandbox was seeded, in order."""
        return [(write["method"], write["kind"]) for write in self.sandbox.writes()]


def files_of(folder: Path) -> Iterator[Path]:
    """Every file below a folder."""
    return (path for path in Path(folder).rglob("*") if path.is_file())
