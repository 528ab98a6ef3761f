"""What the load and the steps ask of a SIS's gradebooks, whichever way they are reached.

`oneroster.gradebook` reaches them over OneRoster, `aeries.gradebook` over Aeries' own interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date
    from types import TracebackType

    import pandas as pd

    from passback.oneroster import Answer, Limits
    from passback.oneroster.services import Version
    from passback.sis import SisProfile


RESULT_VALUES: Final = ("score", "score_status", "score_date")
MARK: Final = "mark"  # compared where marks are sent; elsewhere what the SIS says is its own


class LineItemRow(NamedTuple):
    """A line item on its way into a SIS.

    Attributes:
        line_item_id: Our id.
        sis_line_item_id: The id under which the SIS holds it; empty if it holds none, or holds it under ours.
        sis_class_id: The class, by the SIS's id.
        school_id: The class's school, by the SIS's id; empty if the SIS names none.
        title: Its title.
        category_id: The category, by the SIS's id.
        period_id: The grading period, by the SIS's id; empty to leave it to the SIS.
        assign_date: ISO date in the district's zone.
        due_date: ISO date in the district's zone.
        points_possible: The highest regular score.
    """

    line_item_id: str
    sis_line_item_id: str
    sis_class_id: str
    school_id: str
    title: str
    category_id: str
    period_id: str
    assign_date: str
    due_date: str
    points_possible: float


class ResultRow(NamedTuple):
    """A result on its way into a SIS.

    Attributes:
        line_item_id: Our id of its line item.
        sis_student_id: The student, by the SIS's id.
        sis_line_item_id: The id under which the SIS holds the line item; empty: under ours.
        sis_result_id: The id under which the SIS holds the result; empty if none, or under ours.
        sis_class_id: The class, by the SIS's id.
        score: In points; NaN for work that is excused and was not scored.
        score_status: One of OneRoster's, such as `fully graded`.
        score_date: ISO date in the district's zone.
        mark: `late`, `missing` or empty.
    """

    line_item_id: str
    sis_student_id: str
    sis_line_item_id: str
    sis_result_id: str
    sis_class_id: str
    score: float
    score_status: str
    score_date: str
    mark: str


class GradebookLineItems(NamedTuple):
    """What stands in some gradebooks.

    Attributes:
        line_items: As `oneroster.held.HELD_LINE_ITEMS`, under the SIS's ids.
        unreadable: The classes whose gradebook could not be read, by the SIS's ids.
    """

    line_items: pd.DataFrame
    unreadable: frozenset[str]


class Gradebook(Protocol):
    """A SIS's gradebooks. Used as `async with … as gradebook:`.

    Every method that asks the SIS raises as `oneroster.Client` does: CredentialError, ConfigurationError,
    PermissionRefusedError, ContractError, UnavailableError, BusyError.

    Attributes:
        profile: What is known of this SIS.
        version: The OneRoster whose values it can hold: in 1.1 there are no flags for late and missing, and
            every result has a score.
        limits: What it may be asked.
        results_at_once: Results of one line item that `write_results` takes at most.
        repeatable: Whether what is new may be sent again after a lost answer: it is held under our ids. Where
            it is not, the SIS allots ids, and a lost answer is settled by reading back.
        results_by_student: Whether a student has one result of a line item, whatever its id: results need
            none, and may always be sent again.
        result_values: The columns of a result that it holds as they were written.
        reads_back_at_once: Whether DONE, as the answer to a write, says that the value was seen to be stored.
        clears_scores: Whether it lets a score be taken out again.
        shows_gradebooks: Whether it shows what stands in gradebooks, as far as it has been asked: a provider
            may be certified for writing alone.
    """

    profile: SisProfile
    version: Version
    limits: Limits
    results_at_once: int
    repeatable: bool
    results_by_student: bool
    reads_back_at_once: bool
    clears_scores: bool
    shows_gradebooks: bool
    result_values: Sequence[str]

    @property
    def requests(self) -> int:
        """How many requests the SIS has been sent, tokens and repeated ones included."""

    async def __aenter__(self) -> Self:
        """Open the connections' pool."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""

    async def facts(self, classes: Collection[str], *, today: date) -> dict[str, pd.DataFrame]:
        """The frames of `records.SIS_FRAMES` by name; the line items without a row.

        Args:
            classes: The classes that the run is about, by the SIS's ids; others may be left out.
            today: The date in the district's zone.
        """

    async def line_items(self, classes: Collection[str]) -> GradebookLineItems:
        """What stands in the gradebooks of some classes; one that cannot be read does not stop the others."""

    async def results(self, sis_class_id: str, sis_line_item_id: str) -> pd.DataFrame:
        """What a line item holds, as `oneroster.held.HELD_RESULTS`, under the SIS's ids."""

    async def write_category(self, category_id: str, title: str) -> Answer:
        """Create a category of the whole district under an id of ours."""

    async def write_line_item(self, row: LineItemRow) -> Answer:
        """Create a line item, or replace the one that the SIS holds.

        Returns:
            VERIFY or DONE (accepted; `allotted` holds the SIS's id by ours where it is not held under ours),
            REFUSE_ROW, or RETRY_LATER: it may or may not have reached the SIS.
        """

    async def write_results(self, rows: Sequence[ResultRow]) -> Sequence[Answer]:
        """Write results of one line item, at most `results_at_once`; an answer each, as above."""

    async def withdraw_line_item(self, row: LineItemRow) -> Answer:
        """Take a line item out of the gradebook, with its results; REFUSE_ROW where the SIS cannot."""

    async def withdraw_result(self, row: ResultRow) -> Answer:
        """Clear a student's result; REFUSE_ROW where the SIS cannot."""
