"""An undo of one run: which, on whose order; and the tasks it consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from passback import paths
from passback.night import folder_name

if TYPE_CHECKING:
    from passback.mapping.model import District

UNDO_TASKS: Final = {
    "plan-undo": "Compare what the run left with what the SIS holds now; nothing is written.",
    "put-back": "Put back what was approved and still stands as the run left it.",
    "audit-undo": "Read back what was written, account for everything the run changed, write the report.",
}


@dataclass(frozen=True)
class Undo:
    """The undo of one run.

    Attributes:
        district: The district's mapping.
        mapping_hash: The hash of the mapping file it was read from.
        run_key: The undo's own key, `undo__` and Airflow's run id or the instant.
        undoes: The key of the run that is undone.
        ordered_by: Who ordered it.
    """

    district: District
    mapping_hash: str
    run_key: str
    undoes: str
    ordered_by: str

    @property
    def folder(self) -> str:
        """The URI of the folder in which its steps keep their frames and the report."""
        return f"{paths.stage()}/{self.district.district}/{folder_name(self.run_key)}"
