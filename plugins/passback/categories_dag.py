"""A district's second DAG: the SIS's categories into all its courses, once a person has approved it.

Only for a district whose SIS's categories are imported (Aspire into Canvas, seed 003), each term again.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, chain, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from passback import paths
from passback.mapping.file import read_district
from passback.night import folder_name
from passback.retries import by_kind_of_error
from passback.sis import profile_of
from passback.sources import SOURCES

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from passback.mapping.model import District

_SUFFIX: Final = "-categories"


def categories_dag_id(district: str) -> str:
    """The DAG's id by the district's name."""
    return f"{district}{_SUFFIX}"


def categories_dag(district: District) -> DAG:
    """The DAG that imports the categories of one district (`categories.imports_categories`)."""
    source, sis = SOURCES[district.source.system].title, profile_of(district.sis.system).title
    with DAG(
        dag_id=categories_dag_id(district.district),
        description=f"{district.name}: categories of {sis} into {source} as assignment groups",
        schedule=None,
        start_date=None,
        catchup=False,
        max_active_runs=1,
        tags={"passback", district.source.system, district.sis.system},
        params={
            "term": Param(
                "",
                type="string",
                title="Term",
                description="The term by the SIS's id; empty for the one that holds today.",
            ),
            "courses": Param(
                [],
                type="array",
                items={"type": "string"},
                title="Courses",
                description=f"Only these courses, by their number in {source}; empty for all.",
            ),
        },
        doc_md=_DOC,
        default_args=by_kind_of_error(),
    ) as dag:
        plan: Any = _plan(district.district)
        chain(
            ApprovalOperator(
                task_id="approve-import",
                subject=f"{district.name}: import the categories of {sis} into {source}?",
                body=plan["body"],
                doc_md="A person approves the import, or rejects it.",
            ),
            _import(district.district),
        )
    return dag


@task(
    task_id="plan-import",
    multiple_outputs=True,
    doc_md="Compare the SIS's verified categories with what stands in the courses; nothing is written.",
)
def _plan(district: str) -> dict[str, Any]:
    from passback.categories import importing, imports  # noqa: PLC0415 - pandas, only where the task runs
    from passback.frame_store import write_frame  # noqa: PLC0415 - as above

    params, described = get_current_context()["params"], read_district(district)
    plan = importing.read_plan(
        described, courses=tuple(params["courses"]), term=params["term"], now=datetime.now(UTC), say=_say
    )
    counts = imports.count_states(plan)
    for note in imports.notes(plan):
        _say(note)
    _say(f"{counts['create']:,} assignment groups to create in {counts['courses']:,} courses")
    if not counts["create"]:
        raise AirflowSkipException("All categories stand in all courses: nothing to import.")
    write_frame(_folder(district), imports.IMPORT_PLAN.name, plan)
    body = imports.markdown(
        plan,
        source=SOURCES[described.source.system].title,
        sis=profile_of(described.sis.system).title,
    )
    return {"groups": counts["create"], "courses": counts["courses"], "body": body}


@task(
    task_id="import-categories",
    doc_md="Create what was approved and is not there by now; nothing is renamed or deleted.",
)
def _import(district: str) -> dict[str, int]:
    from passback.categories import importing, imports  # noqa: PLC0415 - pandas, only where the task runs
    from passback.frame_store import read_frame  # noqa: PLC0415 - as above

    params, described = get_current_context()["params"], read_district(district)
    before = read_frame(_folder(district), imports.IMPORT_PLAN)
    # Read again: the approval may have taken days.
    now = importing.read_plan(
        described, courses=tuple(params["courses"]), term=params["term"], now=datetime.now(UTC), say=_say
    )
    created = importing.carry_out(described, imports.approved(now, before), say=_say)
    _say(f"{created:,} assignment groups created")
    for note in imports.notes(now):
        _say(note)
    return {"created": created}


def _folder(district: str) -> ObjectStoragePath:
    """Where the approved plan of this run lies."""
    from passback.frame_store import open_folder  # noqa: PLC0415 - pandas

    run = folder_name(get_current_context()["dag_run"].run_id)
    return open_folder(f"{paths.stage()}/{district}/categories__{run}")


def _say(line: str) -> None:
    logging.getLogger("passback").info(line)


_DOC: Final = """\
Imports the categories of the student information system into the courses of the learning platform as
assignment groups. An assignment passes only in such a group of its term: **trigger this DAG once a term.**

* **plan-import** compares; if everything is there, the run ends with it, skipped.
* **approve-import** shows what would be created (*Required actions*) and waits for *Approve* or *Reject*.
* **import-categories** creates it. It may be cleared and run again at any time: nothing is created twice.

An import only adds: it never renames or deletes a group, and a teacher's own group of the same name stays as
it is. What the SIS has renamed or retired is told in the log. `passback categories list` shows when each
category was last verified: what was not in the last 24 hours is not imported.
"""
