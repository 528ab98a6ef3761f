"""A district's DAG: its tasks in their order, with what Airflow needs to run, retry and explain them.

Airflow parses this every thirty seconds and before every task: nothing slow is imported here, and a worker
that runs one district's task builds that district's DAG alone.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import (
    DAG,
    CronTriggerTimetable,
    Param,
    get_current_context,
    get_parsing_context,
    task,
)

from passback import paths
from passback.categories import imports_categories
from passback.categories_dag import categories_dag, categories_dag_id
from passback.errors import ConfigurationError
from passback.mapping.file import district_names, file_hash, mapping_path, read_district, read_mappings
from passback.night import APPROVAL, HOURS_TO_ANSWER, MODES, TASKS, Night
from passback.retries import by_kind_of_error
from passback.undo_dag import undo_dag, undo_dag_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.sdk import Context

    from passback.mapping.model import District

GO_ON: Final = "Let it go on"
CANCEL: Final = "Cancel"


class ApproveChangesOperator(HITLOperator):
    """Goes straight on, or waits for a person where the run would change too much (RULES section 5).

    Args:
        district: The district's name.
        **kwargs: As for any operator.
    """

    def __init__(self, *, district: str, **kwargs: Any) -> None:
        super().__init__(
            subject="",  # it depends on what the run would change: `execute` fills it in
            options=[GO_ON, CANCEL],
            defaults=CANCEL,
            response_timeout=timedelta(hours=HOURS_TO_ANSWER),
            **kwargs,
        )
        self.district = district

    def execute(self, context: Context) -> Any:
        """Ask, if there is something to ask; a task that is cleared asks again."""
        from passback import steps  # noqa: PLC0415 - pandas and aiohttp, only where the task runs

        found = steps.run(APPROVAL, _night(self.district), say=_say)
        if not found["asks"]:
            return found
        self.subject, self.body = str(found["subject"]), str(found["body"])
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Keep the answer for load-to-sis and audit."""
        from passback.steps.decision import decide  # noqa: PLC0415 - as above

        answer = super().execute_complete(context, event)
        person = answer["responded_by_user"]
        decide(
            _night(self.district),
            "go on" if answer["chosen_options"] == [GO_ON] else "cancel",
            by=person["name"] or person["id"] if person else f"no answer in {HOURS_TO_ANSWER} hours",
            at=answer["responded_at"],
        )
        return answer


def district_dags(folder: Path | None = None) -> dict[str, DAG]:
    """The DAGs of the folder's good mapping files, by DAG id: a district's own and its others.

    While a worker runs a task, only the DAGs of that task's district are built; for the rest, a broken
    mapping file is left out here and reported by `refuse_broken_mappings`.
    """
    folder = folder or paths.mappings()
    wanted = get_parsing_context().dag_id
    if wanted is None:
        districts = read_mappings(folder).districts
    else:
        districts = {
            name: read_district(name, folder)
            for name in district_names(folder)
            if wanted in (name, categories_dag_id(name), undo_dag_id(name))
        }
    return {dag.dag_id: dag for _, district in sorted(districts.items()) for dag in _dags_of(district)}


def refuse_broken_mappings(folder: Path | None = None) -> None:
    """Raise for the folder's broken mapping files, so that Airflow shows them as import errors.

    Raises:
        ConfigurationError: one or more mapping files are broken; holds every problem of each.
    """
    broken = read_mappings(folder or paths.mappings()).broken
    if broken:
        problems = "\n\n".join(str(error) for _, error in sorted(broken.items()))
        raise ConfigurationError(
            f"the DAG of every district named here is missing until its mapping file is mended:\n\n{problems}"
        )


def _dags_of(district: District) -> list[DAG]:
    dags = [district_dag(district), undo_dag(district)]
    return [*dags, categories_dag(district)] if imports_categories(district) else dags


def district_dag(district: District) -> DAG:
    """The DAG that carries the scores of one district."""
    with DAG(
        dag_id=district.district,
        description=f"{district.name}: scores from {district.source.system} to {district.sis.system}",
        schedule=CronTriggerTimetable(district.schedule, timezone=district.timezone)
        if district.schedule
        else None,
        # Without a start date, unpausing waits for the next night; with one, last night would run at once.
        start_date=None,
        catchup=False,
        max_active_runs=1,
        tags={"passback", district.source.system, district.sis.system},
        params=_params(),
        doc_md=_DOC,
        default_args=by_kind_of_error(),
    ) as dag:
        before = None
        for task_id, what in TASKS.items():
            current = (
                ApproveChangesOperator(task_id=task_id, doc_md=what, district=district.district)
                if task_id == APPROVAL
                else _task(task_id, what)(district.district)
            )
            if before is not None:
                before >> current
            before = current
    return dag


def _task(task_id: str, what: str) -> Callable[[str], Any]:
    @task(task_id=task_id, doc_md=what)
    def run(district: str) -> dict[str, int | str]:
        from passback import steps  # noqa: PLC0415 - pandas and aiohttp, only where the task runs

        return steps.run(task_id, _night(district), say=_say)

    return run


def _night(district: str) -> Night:
    """The run that Airflow's context describes."""
    context = get_current_context()
    params, dag_run = context["params"], context["dag_run"]
    return Night(
        district=read_district(district),
        mapping_hash=file_hash(mapping_path(district)),
        run_key=dag_run.run_id,
        mode=params["mode"],
        classes=tuple(params["classes"]),
        assessments=tuple(params["assessments"]),
        ordered_by=getattr(dag_run, "triggering_user_name", None) or "schedule",
    )


def _say(line: str) -> None:
    logging.getLogger("passback").info(line)


def _params() -> dict[str, Param]:
    return {
        "mode": Param(
            "changes",
            type="string",
            enum=list(MODES),
            title="Mode",
            description="changes: send what differs. full: read and send everything again."
            " preview: write a report of what would be sent, and nothing else."
            " reconcile: compare what was sent with what the SIS holds; send nothing new.",
        ),
        "classes": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Classes",
            description="Only these classes, by their id in the source; empty for all.",
        ),
        "assessments": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Assessments",
            description="Only these assessments, by their id in the source; empty for all.",
        ),
    }


_DOC: Final = """\
Carries the scores of one district into its student information system. The district's mapping file is
`include/mappings/<DAG id>.yaml`.

* A failed task says in its last log line what to do. Mend the cause and **clear** the task: every task can be
  cleared and rerun, any number of times, with the same end state. Nothing is sent twice.
* After a change in the SIS (a category added, a period opened), clear the newest run from **validate** on.
  An older run is not gone on with, for it knows old scores: clear it from **extract-scores** on, or leave it.
* A run that would change too much of what the SIS holds stops at **approve-changes** and waits for a person
  (*Required actions*): *Let it go on* or *Cancel*. The whole preview lies ready by then.
* **Trigger with mode preview** to see what would be sent; nothing is written but the report.
* **Trigger with mode reconcile** to see what somebody changed in the SIS since; `drift` in the mapping file
  says what becomes of it.
* **Trigger `<DAG id>-undo`** with a run's name to put back what that run changed.
* `passback status`, `passback report` and `passback explain` say what became of a run and of each score.
"""
