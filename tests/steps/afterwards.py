"""What is done after a night: a teacher edits a score, the gradebooks are compared, a run is undone."""

from __future__ import annotations

import csv
import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from passback import ledger
from passback.frame_store import open_folder, read_json
from passback.mapping.file import read_district
from passback.steps import undo as steps
from passback.undo import UNDO_TASKS, Undo
from steps.generic import TITLE, sis_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from steps.generic import SmallDistrict


def last(district: SmallDistrict) -> str:
    """The key of the last run that was not given one."""
    return f"test__{district.nights}"


def policy(district: SmallDistrict, **drift: str) -> None:
    """Let the mapping file say whose value is to stand."""
    assert district.mappings is not None
    district.mapping["drift"] = drift
    (district.mappings / "lakeview.yaml").write_text(json.dumps(district.mapping))


def result_of(district: SmallDistrict, student: str, title: str = TITLE) -> dict[str, Any]:
    item = district.line_item(title)["sourcedId"]
    (found,) = [
        row
        for row in district.sandbox.dump()["results"]
        if row["lineItem"]["sourcedId"] == item and row["student"]["sourcedId"] == sis_id(student)
    ]
    return dict(found)


def edit(district: SmallDistrict, kind: str, sourced_id: str, **fields: Any) -> None:
    district.sandbox.control("PUT", f"/sis/{kind}/{sourced_id}", fields)


def score_by_hand(district: SmallDistrict, student: str, score: float) -> None:
    """A teacher changes a score in the SIS."""
    edit(district, "results", result_of(district, student)["sourcedId"], score=score)


def drift_of(district: SmallDistrict, report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """kind, finding, student, action of every entry that was listed."""
    folder = district.stage / "lakeview" / report["run"] / "report"
    with (folder / "drift.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == report["drift"]["entries"]
    assert len(json.loads((folder / "drift.json").read_text())) == len(rows)
    return [(row["kind"], row["finding"], row["student_id"], row["action"]) for row in rows]


@dataclass
class Undone:
    """What an undo told: its summary with its changes, and its key."""

    told: dict[str, Any]
    key: str

    def fates(self, kind: str = "results") -> dict[str, int]:
        return self.told[kind]

    def why(self, fate: str) -> set[str]:
        return {row["why"] for row in self.told["changes"] if row["fate"] == fate}


def undo(
    district: SmallDistrict, run_key: str, key: str = "", tasks: Sequence[str] = tuple(UNDO_TASKS)
) -> Undone:
    """Undo a run, as far as some tasks go."""
    district.nights += not key
    described = Undo(read_district("lakeview"), "sha256", key or f"undo__{district.nights}", run_key, "ada")
    for task_id in tasks:
        steps.run(task_id, described, say=district.said.append, clock=district.clock)
    told = read_json(open_folder(described.folder) / "report", "undo")
    assert told is not None
    return Undone(told, described.run_key)


def trail_holds(district: SmallDistrict) -> bool:
    with closing(ledger.connect(district.ledger_url)) as connection:
        return ledger.verify_trail(connection, "lakeview") is None


def trail_length(district: SmallDistrict) -> int:
    with closing(ledger.connect(district.ledger_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM passback.trail")
        (rows,) = cursor.fetchone() or (0,)
        return int(rows)
