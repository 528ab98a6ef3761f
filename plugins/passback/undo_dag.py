"""A district's third DAG: puts back what one run changed, once a person has approved it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, chain, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from passback.mapping.file import file_hash, mapping_path, read_district
from passback.retries import by_kind_of_error
from passback.sis import profile_of
from passback.undo import UNDO_TASKS, Undo

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.mapping.model import District

_SUFFIX: Final = "-undo"


def undo_dag_id(district: str) -> str:
    """The DAG's id by the district's name."""
    return f"{district}{_SUFFIX}"


def undo_dag(district: District) -> DAG:
    """The DAG that undoes a run of one district."""
    sis = profile_of(district.sis.system, district.sis.transport).title
    with DAG(
        dag_id=undo_dag_id(district.district),
        description=f"{district.name}: put back in {sis} what a run changed",
        schedule=None,
        start_date=None,
        catchup=False,
        max_active_runs=1,
        tags={"passback", district.source.system, district.sis.system},
        params={
            "run": Param(
                type="string",
                minLength=1,
                title="Run",
                description="The run to undo, by its name in `passback status`.",
            )
        },
        doc_md=_DOC,
        default_args=by_kind_of_error(),
    ) as dag:
        plan: Any = _plan(district.district)
        chain(
            plan,
            ApprovalOperator(
                task_id="approve-undo",
                subject=f"{district.name}: put back in {sis} what the run changed?",
                body=plan["body"],
                doc_md="A person approves the undo, or rejects it.",
            ),
            _task("put-back")(district.district),
            _task("audit-undo")(district.district),
        )
    return dag


@task(task_id="plan-undo", multiple_outputs=True, doc_md=UNDO_TASKS["plan-undo"])
def _plan(district: str) -> dict[str, Any]:
    from passback.report.undo import undo_body  # noqa: PLC0415 - pandas, only where the task runs
    from passback.steps import undo as steps  # noqa: PLC0415 - as above

    undo = _undo(district)
    found = steps.run("plan-undo", undo, say=_say)
    if not (found["writes"] or found["begun"]):  # cleared half-way, it goes on
        raise AirflowSkipException(f"Nothing to put back. Report: {found['folder']}")
    return {**found, "body": undo_body(undo.undoes, found)}


def _task(task_id: str) -> Callable[[str], Any]:
    @task(task_id=task_id, doc_md=UNDO_TASKS[task_id])
    def run(district: str) -> dict[str, Any]:
        from passback.steps import undo as steps  # noqa: PLC0415 - pandas and aiohttp, only where it runs

        return steps.run(task_id, _undo(district), say=_say)

    return run


def _undo(district: str) -> Undo:
    """The undo that Airflow's context describes."""
    context = get_current_context()
    dag_run = context["dag_run"]
    return Undo(
        district=read_district(district),
        mapping_hash=file_hash(mapping_path(district)),
        run_key=f"undo__{dag_run.run_id}",
        undoes=context["params"]["run"],
        ordered_by=getattr(dag_run, "triggering_user_name", None) or "airflow",
    )


def _say(line: str) -> None:
    logging.getLogger("passback").info(line)


_DOC: Final = """\
Puts back what one run changed in the student information system. **Trigger it with the run's name** as
`passback status` shows it.

* **plan-undo** compares what the run left with what the SIS holds now; nothing is written. The list of it
  all lies in the report's folder, which its log names.
* **approve-undo** shows how much would go back (*Required actions*) and waits for *Approve* or *Reject*.
* **put-back** writes the previous values. What somebody has changed since is left as it is. It may be cleared
  and run again at any time.
* **audit-undo** reads back what was written and writes the report.

What is put back is not sent again by later runs, until the source says something else. An undo is a run in
`passback status`, and can itself be undone.
"""
