"""A case under way: what is known of it between its nights."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from faults.held import Held, held, ours
from faults.model import Expected, expected

if TYPE_CHECKING:
    from pathlib import Path

    from faults.held import Record
    from faults.servers import Servers
    from faults.transports import Transport
    from faults.world import Source
    from sandbox_process import SandboxProcess


@dataclass
class Play:
    """A case under way.

    Attributes:
        source: What the source holds now, as the model knows it.
        history: What had to follow from every state of the source that a night may have seen.
        foreign: Line items and results of teachers' own as they were put there, by id.
        twins: Of these, the line items that are put where an assessment's is due, each with the assessment.
        categories: The category that a teacher gave an assessment in the SIS, as far as it still stands.
        touched: Assessments whose line item or results somebody has changed in the SIS by hand.
        lost: Assessments that the SIS held, by the ledger's account, when somebody deleted them there.
        broken: The promises that were not kept.
        log: What happened, for a reader of a failing case.
    """

    servers: Servers
    transport: Transport
    sandbox: SandboxProcess
    ledger_url: str
    folder: Path
    source: Source
    history: list[Expected] = field(default_factory=list)
    foreign: dict[str, Record] = field(default_factory=dict)
    twins: dict[str, str] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    attempts: int = 0
    orders: int = 0

    def environment(self) -> dict[str, str]:
        """What the district needs to be set, connections and all."""
        offered = self.sandbox.info()["connections"]
        return {
            "AIRFLOW_CONN_CASE_SOURCE": json.dumps(offered["source"]),
            "AIRFLOW_CONN_CASE_SIS": json.dumps(offered[self.transport.connection]),
            "AIRFLOW_CONN_PASSBACK_LEDGER": self.ledger_url,
            "PASSBACK_STAGE": (self.folder / "stage").as_uri(),
        }

    def expected(self) -> Expected:
        """What must follow from what the source holds now."""
        found = expected(self.source, self.transport.rules_known)
        return found._replace(
            line_items={key: self.transport.line_item(item) for key, item in found.line_items.items()},
            results={place: self.transport.result(result) for place, result in found.results.items()},
        )

    def dump(self) -> dict[str, list[Record]]:
        """All that the SIS holds; a twin that was taken over is no longer a teacher's own."""
        dump: dict[str, list[Record]] = self.sandbox.dump()
        for record in dump["lineItems"]:
            twin = record["sourcedId"]
            if twin in self.twins and record != self.foreign[twin]:
                key = self.twins.pop(twin)
                self.categories[key] = self.transport.category_title(record["category"]["sourcedId"])
                self.foreign = {
                    sourced_id: each
                    for sourced_id, each in self.foreign.items()
                    if sourced_id != twin and each.get("lineItem", {}).get("sourcedId") != twin
                }
        return dump

    def line_items(self, dump: dict[str, list[Record]]) -> list[tuple[dict[str, Any], str]]:
        """The line items of ours, each with its assessment."""
        return ours(dump, self._titles(), self.foreign)

    def held(self, dump: dict[str, list[Record]]) -> Held:
        """What the SIS holds of ours."""
        return held(dump, self._titles(), self.foreign, self.transport)

    def _titles(self) -> dict[tuple[str, str], str]:
        return {
            (self.transport.classes[item.class_id], item.title): key
            for before in self.history
            for key, item in before.line_items.items()
        }
