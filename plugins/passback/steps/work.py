"""What every step has at hand: the run's folder, the ledger, the rules and the clock."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from passback import connections, ledger, paths
from passback.errors import ContractError, SupersededError
from passback.frame_store import open_folder, read_frame, read_json, write_json
from passback.gradebooks import gradebook_of
from passback.night import TASKS
from passback.oneroster import Retries
from passback.reasons import DELIVERY_REASONS
from passback.records import CLASSES, LINE_ITEM_PLAN, RESULT_PLAN, SUPPRESSIONS
from passback.rules.suites import read_suites, settings
from passback.sis import profile_of
from passback.stages.transform import UNSENT, Plan
from passback.steps.pace import shared_limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    import pandas as pd
    from airflow.sdk import ObjectStoragePath

    from passback.gradebook import Gradebook
    from passback.night import Night
    from passback.reasons import Reason
    from passback.rules.suites import Suites
    from passback.sis import SisProfile

# How long a request that the SIS may yet answer is tried again, before the task is.
RETRIES: Final = Retries()

_ASKING: Final = ("validate", "load")
FIRST_TASK: Final = next(iter(TASKS))

# The run's number where nothing is recorded: a preview, before the ledger knows of it.
NOT_RECORDED: Final = 0


@dataclass(frozen=True)
class Work:
    """One step of one run.

    Attributes:
        night: The run.
        folder: Where the run's files lie.
        connection: The ledger; in a preview a read-only connection, or None before the ledger exists.
        run_id: The ledger's number of the run; `NOT_RECORDED` in a preview.
        suites: The rules of the SIS.
        profile: What the SIS can hold.
        say: Told about progress, in counts.
        clock: The present instant, UTC.
    """

    night: Night
    folder: ObjectStoragePath
    connection: ledger.Connection | None
    run_id: int
    suites: Suites
    profile: SisProfile
    say: Callable[[str], None]
    clock: Callable[[], datetime]

    @property
    def writable(self) -> ledger.Connection:
        """The ledger, where the run is not a preview."""
        if self.connection is None or self.night.preview:
            raise AssertionError("a preview writes nothing")
        return self.connection

    @property
    def reasons(self) -> dict[str, Reason]:
        """Every reason this run may give, by code."""
        return {
            reason.code: reason for reason in (*_rule_reasons(self.night, self.suites), *DELIVERY_REASONS)
        }

    def known_line_items(self) -> pd.DataFrame:
        """The ledger's line items of the district, or of the gradebooks that the run looks at."""
        if self.connection is None:
            return ledger.no_line_items()
        return ledger.known_line_items(
            self.connection, self.night.district.district, within=self._gradebooks()
        )

    def known_results(self) -> pd.DataFrame:
        """The ledger's results of the district, or of the gradebooks that the run looks at."""
        if self.connection is None:
            return ledger.no_results()
        return ledger.known_results(self.connection, self.night.district.district, within=self._gradebooks())

    def _gradebooks(self) -> ledger.Gradebooks | None:
        """Those of the classes that the run is limited to; None: all."""
        if not self.night.classes:
            return None
        try:
            classes = read_frame(self.folder / "extract", CLASSES)
        except ContractError:  # nothing is extracted yet
            return None
        of_run = classes["class_id"].isin(self.night.classes)
        return ledger.Gradebooks(self.night.classes, sorted({*classes.loc[of_run, "sis_class_id"]} - {""}))

    def suppressions(self) -> pd.DataFrame:
        """What a person has taken out of passback: `records.SUPPRESSIONS`."""
        if self.connection is None:
            return SUPPRESSIONS.empty()
        return ledger.standing_suppressions(self.connection, self.night.district.district)

    def held_back(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The line items and the results that a person keeps, or took back."""
        if self.connection is None:
            return ledger.none_held_back()
        district = self.night.district.district
        return (
            ledger.held_back_line_items(self.connection, district),
            ledger.held_back_results(self.connection, district),
        )

    def plan(self) -> Plan:
        """What transform-to-oneroster planned."""
        folder = self.folder / "transform"
        return Plan(
            read_frame(folder, LINE_ITEM_PLAN), read_frame(folder, RESULT_PLAN), read_frame(folder, UNSENT)
        )

    @asynccontextmanager
    async def gradebook(self) -> AsyncIterator[Gradebook]:
        """The district's SIS, the way its mapping file says, within the limits that all share who ask it."""
        district = self.night.district
        endpoint = connections.endpoint(district.sis.connection)
        gradebook = gradebook_of(district, endpoint, now=self.now(), clock=self.clock, retries=RETRIES)
        async with AsyncExitStack() as stack:
            if self.connection is not None:  # before the ledger exists there is nobody to share with
                shared = shared_limits(
                    gradebook.limits,
                    endpoint.base_url,
                    connections.ledger_url(),
                    preview=self.night.preview,
                    say=self.say,
                )
                await stack.enter_async_context(shared)
            yield await stack.enter_async_context(gradebook)

    def note(self, step: str, **facts: object) -> None:
        """Keep what later steps ask of this one."""
        write_json(self.folder, step, facts)

    def noted(self, step: str) -> dict[str, Any]:
        """What a step before this one kept.

        Raises:
            ContractError: that step has not run.
        """
        facts = read_json(self.folder, step)
        if facts is None:
            raise ContractError(
                f"the {step} step of this run has left nothing",
                where=str(self.folder),
                mend="Clear the run from extract-scores on.",
            )
        return facts

    def requests(self) -> int:
        """The requests that the steps so far have sent to the SIS."""
        notes = [read_json(self.folder, step) or {} for step in _ASKING]
        return sum(int(note.get("requests", 0)) for note in notes)

    def now(self) -> datetime:
        """The instant this run judges by: when its scores were extracted, also when cleared days later."""
        return datetime.fromisoformat(self.noted("extract")["now"])


@contextmanager
def open_work(
    task_id: str, night: Night, *, say: Callable[[str], None], clock: Callable[[], datetime]
) -> Iterator[Work]:
    """Open what a step needs, and note in the ledger that the run is under way.

    Raises:
        SupersededError: a later run has read the source since; this one may be begun anew, not gone on with.
        PassbackError: a connection or a suite is missing, or the ledger cannot be used.
    """
    suites = read_suites(paths.expectations(), night.district.sis.system)
    url = connections.ledger_url()
    folder = open_folder(night.folder)
    facts = read_json(folder, "extract")
    started_at = datetime.fromisoformat(facts["now"]) if facts else clock()
    with _ledger(url, night) as connection:
        run_id = NOT_RECORDED
        if connection is not None and not night.preview:
            if task_id != FIRST_TASK:
                refuse_if_superseded(connection, night, folder)
            run_id = ledger.open_run(
                connection,
                district=night.district.district,
                run_key=night.run_key,
                mode=night.mode,
                ordered_by=night.ordered_by,
                mapping_hash=night.mapping_hash,
                rule_set=suites.rule_set,
                reasons=(*_rule_reasons(night, suites), *DELIVERY_REASONS),
                started_at=started_at,
                classes=night.classes,
                assessments=night.assessments,
            )
        yield Work(
            night=night,
            folder=folder,
            connection=connection,
            run_id=run_id,
            suites=suites,
            profile=profile_of(night.district.sis.system, night.district.sis.transport),
            say=say,
            clock=clock,
        )


def refuse_if_superseded(connection: ledger.Connection, night: Night, folder: ObjectStoragePath) -> None:
    """Refuse to go on with a run when a later one has read the source since.

    Raises:
        SupersededError: it has: going on would put old scores in the place of newer ones.
    """
    last = ledger.last_extract(connection, night.district.district)
    if last is not None and last["snapshot"] != str(folder / "extract"):
        raise SupersededError(
            "a later run of this district has read the source since; this one would send what is out of date",
            where=f"{night.district.district}, run {night.run_key}",
            mend="Leave this run as it is: the later one makes up for it. To repeat it all the same, clear it"
            " from extract-scores on.",
        )


@contextmanager
def _ledger(url: str, night: Night) -> Iterator[ledger.Connection | None]:
    """The ledger, made if it does not exist; for a preview read-only, and None if it does not exist."""
    if not night.preview:
        ledger.ensure_schema(url)
    elif ledger.is_empty(url):
        yield None
        return
    with closing(ledger.connect(url)) as connection:
        # PostgreSQL itself sees to it that a preview writes nothing.
        connection.set_session(readonly=night.preview)
        yield connection


def _rule_reasons(night: Night, suites: Suites) -> tuple[Reason, ...]:
    return suites.reasons(
        {**settings(suites, night.district.rules), "effective_date": night.district.effective_date}
    )
