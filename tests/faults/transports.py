"""The ways into a SIS that cases can take, and the mapping file of a district that takes one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from faults.model import ALL_RULES, LineItem, Result

if TYPE_CHECKING:
    from pathlib import Path

DISTRICT: Final = "lakeview"
ZONE: Final = "America/Los_Angeles"

_CATEGORIES: Final = {
    "Assignment": "Assignment",
    "Checklist": "Classwork",
    "Homework": "Homework",
    "Journal": "Project",
    "Lab": "Lab",
    "Observation": "Observation",
    "Paper": "Project",
    "Presentation": "Project",
    "Project": "Project",
    "Quiz": "Quiz",
    "Test": "Test",
    "Worksheet": "Classwork",
}
_BY_NUMBER: Final = {
    "Assignment": "301",
    "Classwork": "302",
    "Homework": "303",
    "Lab": "305",
    "Quiz": "307",
    "Test": "308",
}
_BY_LETTERS: Final = {
    "Assignment": "AS",
    "Classwork": "CW",
    "Homework": "HW",
    "Lab": "LB",
    "Quiz": "QZ",
    "Test": "TS",
}


@dataclass(frozen=True)
class Transport:
    """A way into a SIS.

    Attributes:
        sis: The SIS, of the sandbox and of the mapping file.
        classes: Its ids of the classes.
        categories: Its ids of the categories, by title.
        settings: Of the sandbox's SIS.
        connection: Which of the sandbox's connections leads there.
        sis_mapping: Of the mapping file's `sis`, besides system and connection.
        rules: Of the mapping file: what makes the SIS's rules those of the model.
        rules_known: Those of the model's rules that the SIS has.
        writes: The paths of its writes and listings, for faults to match: line items, results.
        scores_alone: Whether it holds line items without a period, and results without status and date.
    """

    sis: str
    classes: dict[str, str]
    categories: dict[str, str]
    settings: dict[str, Any] = field(default_factory=dict)
    connection: str = "sis"
    sis_mapping: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    rules_known: frozenset[str] = ALL_RULES
    writes: tuple[str, str] = ("/lineItems(/[^/]+)?$", "/results(/[^/]+)?$")
    scores_alone: bool = False

    @property
    def recreates(self) -> bool:
        """Whether what somebody deleted in the SIS is written anew."""
        return bool(self.sis_mapping.get("recreate"))

    @property
    def adopts(self) -> bool:
        """Whether a teacher's assignment of the same title and due date is taken over."""
        return bool(self.sis_mapping.get("adopt"))

    @property
    def clears(self) -> bool:
        """Whether a score that is taken back in the source is cleared."""
        return self.sis_mapping.get("removed_scores") == "clear"

    def category_title(self, category_id: str) -> str:
        """The title of a category: Aeries' own ids have the class before them."""
        titles = {theirs: title for title, theirs in self.categories.items()}
        return titles.get(category_id) or titles.get(category_id.rpartition("_")[2]) or category_id

    def line_item(self, item: LineItem) -> LineItem:
        """A line item as far as this SIS can hold it."""
        return item._replace(period="") if self.scores_alone else item

    def result(self, result: Result) -> Result:
        """A result as far as this SIS can hold it."""
        return Result(result.score, "", "", missing=False) if self.scores_alone else result


_SKYWARD: Final = {"AAA-2013J": "1001.0.01", "AAA-2014J": "1001.0.02"}
_GENERIC: Final = {"AAA-2013J": "1001-01", "AAA-2014J": "1001-02"}
_AERIES: Final = {"AAA-2013J": "994_100101", "AAA-2014J": "994_100102"}
_AS_SKYWARD: Final = {
    "past_due_zero": True,
    "points.total_not_whole": True,
    "title_max_length": 49,
    "due.missing": True,
    "dates.inverted": True,
    "period.closed": True,
    "period.straddles": True,
}
_VENDOR_HEADER: Final = {"name": "X-Vendor-Authorization", "value": "key:secret"}

TRANSPORTS: Final = {
    # Under our own ids.
    "skyward": Transport("skyward", _SKYWARD, _BY_NUMBER, sis_mapping={"recreate": True}),
    "generic": Transport(
        "generic",
        _GENERIC,
        _BY_NUMBER,
        sis_mapping={"recreate": True, "adopt": True, "removed_scores": "clear"},
        rules=_AS_SKYWARD,
    ),
    "bearer": Transport(
        "generic",
        _GENERIC,
        _BY_NUMBER,
        settings={"auth": "bearer", "vendor_header": _VENDOR_HEADER, "deletes": "tobedeleted"},
        sis_mapping={"removed_scores": "clear"},
        rules=_AS_SKYWARD,
    ),
    # Under ids that the SIS allots.
    "signed": Transport(
        "skyward",
        _SKYWARD,
        _BY_NUMBER,
        settings={
            "auth": "oauth1",
            "oauth1_signature": "HMAC-SHA1",
            "writes": "put_without_id",
            "allotted_as": "list",
        },
        sis_mapping={"recreate": True},
    ),
    "put-without-id": Transport(
        "generic",
        _GENERIC,
        _BY_NUMBER,
        settings={"writes": "put_without_id", "deletes": "no"},
        sis_mapping={"recreate": True, "adopt": True, "removed_scores": "clear"},
        rules=_AS_SKYWARD,
    ),
    "post": Transport(
        "generic",
        _GENERIC,
        _BY_NUMBER,
        settings={"writes": "post", "drops_metadata": True},
        sis_mapping={"recreate": True},
        rules=_AS_SKYWARD,
    ),
    "native": Transport(
        "aeries",
        _AERIES,
        _BY_LETTERS,
        connection="native",
        sis_mapping={"transport": "native", "recreate": True, "adopt": True},
        rules={"past_due_zero": True, "whole_scores": False, "due.missing": True, "dates.inverted": True},
        rules_known=ALL_RULES - {"period.closed", "period.straddles"},
        writes=("/[Aa]ssignments(/[^/]+)?$", "/[Ss]cores$"),
        scores_alone=True,
    ),
}


def write_mapping(
    folder: Path, transport: Transport, besides: dict[str, Any] | None = None, **sis: Any
) -> None:
    """The district's mapping file.

    Args:
        folder: Where mapping files lie.
        transport: The way into its SIS.
        besides: What else stands in it.
        **sis: Settings of its `sis` that are otherwise than the transport says.
    """
    folder.mkdir(exist_ok=True)
    mapping = {
        "district": DISTRICT,
        "name": "Lakeview Unified School District",
        "timezone": ZONE,
        "schedule": "0 22 * * *",
        "effective_date": "2020-08-17",
        "source": {"system": "otus", "connection": "case_source"},
        "sis": {"system": transport.sis, "connection": "case_sis", **transport.sis_mapping, **sis},
        "categories": _CATEGORIES,
        "rules": transport.rules,
        **(besides or {}),
    }
    if transport.sis == "skyward":
        mapping["confirmed"] = ["oneroster_licence", "use_grade_unchecked"]
    (folder / f"{DISTRICT}.yaml").write_text(json.dumps(mapping))
