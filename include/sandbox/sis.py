"""What the SISs of the sandbox differ in, as data and rules; `service` serves any of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.exchange import Call, Route
    from sandbox.seed import World

SCOPES_1_1: Final = (
    "roster-core.readonly",
    "roster.readonly",
    "gradebook.readonly",
    "gradebook.createput",
    "gradebook.delete",
)
SCOPES_1_2: Final = (
    "roster-core.readonly",
    "roster.readonly",
    "gradebook.readonly",
    "gradebook-core.readonly",
    "gradebook.createput",
    "gradebook.createpost",
    "gradebook.delete",
)

CATEGORIES: Final = (  # code and title
    ("AS", "Assignment"),
    ("CW", "Classwork"),
    ("HW", "Homework"),
    ("PR", "Project"),
    ("LB", "Lab"),
    ("OB", "Observation"),
    ("QZ", "Quiz"),
    ("TS", "Test"),
)


@dataclass(frozen=True)
class Category:
    """A category as it is seeded."""

    sourced_id: str
    title: str
    metadata: dict[str, str] | None = None


def _anything(_: Call, __: str, ___: str) -> None:
    return None


def _no_connections(_: Call) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Sis:
    """A SIS.

    Attributes:
        name: Its name in `siss.SISS`.
        title: What people call it.
        rostering: The path that its roster is served below.
        gradebook: The path that its gradebook is served below.
        check_line_item: Refuses a line item that it cannot hold; the record's shape is checked already.
        check_result: The same of a result.
        categories: What is seeded of them.
        version: That of OneRoster: 1.1 or 1.2.
        token_path: The path of its token endpoint.
        token_forms: Where the token endpoint reads the credentials: `basic`, `form`.
        token_seconds: How long a token lasts, unless the settings say otherwise.
        scope_names: Ends of the scopes it knows; none: its tokens have no scopes.
        optional: Fields of a record, by kind, that 1.1 requires and it does without.
        refused: Status and words by method and kind, for writes that it does not take.
        ends_after_days: Days from a session's last day to its `endDate`.
        current_only: Whether people without a current enrollment are hidden.
        permitted: Refuses a call, by area of the gradebook, that the district has not permitted.
        settings: Its own settings and their values at first, beside those of `sis_settings`.
        lenient: Whether it takes records that say less than OneRoster's documents ask for.
        most_items: How many records it lists at once, however many are asked for.
        routes: What it serves besides OneRoster, its own control operations too.
        connections: The Airflow connections to that, by name.
    """

    name: str
    title: str
    rostering: str
    gradebook: str
    check_line_item: Callable[[Call, dict[str, Any]], None]
    check_result: Callable[[Call, dict[str, Any]], None]
    categories: Callable[[World], Iterator[Category]]
    version: str = "1.1"
    token_path: str = "/token"  # noqa: S105 - a path
    token_forms: frozenset[str] = frozenset({"basic", "form"})
    token_seconds: int = 3600
    scope_names: tuple[str, ...] = SCOPES_1_1
    optional: tuple[str, ...] = ()
    refused: Mapping[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    ends_after_days: int = 0
    current_only: bool = False
    permitted: Callable[[Call, str, str], None] = _anything
    settings: Mapping[str, Any] = field(default_factory=dict)
    lenient: bool = False
    most_items: int = 1000
    routes: tuple[Route, ...] = ()
    connections: Callable[[Call], dict[str, Any]] = _no_connections

    def scope(self, name: str) -> str:
        """The scope that ends in a name."""
        version = self.version.replace(".", "p")
        return f"https://purl.imsglobal.org/spec/or/v{version}/scope/{name}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes it knows."""
        return tuple(self.scope(name) for name in self.scope_names)
