"""A run of one district: who, in which mode, on whose order; and the tasks it consists of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from passback import paths

if TYPE_CHECKING:
    from passback.mapping.model import District

MODES: Final = ("changes", "full", "preview", "reconcile")

TASKS: Final = {
    "extract-scores": "Read assessments, scores and rosters from the learning platform.",
    "validate": "Ask the SIS for its categories, periods and rosters, and judge every score by the rules.",
    "transform-to-oneroster": "Plan what differs from what the SIS is known to hold.",
    "approve-changes": "Ask a person first, if too much of what the SIS holds would change.",
    "load-to-sis": "Write line items and results into the SIS.",
    "audit": "Read back what was written, give every score its one outcome, write the report.",
}

APPROVAL: Final = "approve-changes"
# From the evening's run through the next working day, and over before the next evening's is due.
HOURS_TO_ANSWER: Final = 20


@dataclass(frozen=True)
class Night:
    """One run of one district.

    Attributes:
        district: The district's mapping.
        mapping_hash: The hash of the mapping file it was read from.
        run_key: Airflow's run id, or `cli__` and the instant.
        mode: changes, full, preview or reconcile.
        classes: Only these classes, by the source's ids; empty for all.
        assessments: Only these assessments, by the source's ids; empty for all.
        ordered_by: The user who triggered the run, or `schedule`.
    """

    district: District
    mapping_hash: str
    run_key: str
    mode: str = "changes"
    classes: tuple[str, ...] = ()
    assessments: tuple[str, ...] = ()
    ordered_by: str = "schedule"

    @property
    def preview(self) -> bool:
        """Whether nothing may be written but the report."""
        return self.mode == "preview"

    @property
    def reconciles(self) -> bool:
        """Whether it compares what was sent before with what the SIS holds, and sends nothing new."""
        return self.mode == "reconcile"

    @property
    def folder(self) -> str:
        """The URI of the folder in which the steps of this run keep their frames and the report."""
        return f"{paths.stage()}/{self.district.district}/{folder_name(self.run_key)}"


def folder_name(run_key: str) -> str:
    """A run's key as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", run_key)
