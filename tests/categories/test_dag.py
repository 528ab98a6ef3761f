"""The DAG that imports a district's categories: plan, approval, import; run by Airflow itself."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.db import initdb

from categories.conftest import TITLES
from passback.categories import imports_categories
from passback.categories_dag import categories_dag
from passback.mapping.file import read_district

if TYPE_CHECKING:
    from categories.conftest import CanyonRidge

pytestmark = pytest.mark.airflow

EMPTY = "12"
TASKS = ["plan-import", "approve-import", "import-categories"]
SLOW_TO_IMPORT = ("pandas", "great_expectations", "aiohttp", "pyarrow", "psycopg2", "alembic")


@pytest.fixture(scope="module")
def _airflow_database() -> None:
    initdb()


def run(**conf: Any) -> dict[str, Any]:
    """A run whose approval is given; the task instances by id."""
    dag_run = categories_dag(read_district("canyonridge")).test(
        run_conf=conf, mark_success_pattern="approve-import"
    )
    return {instance.task_id: instance for instance in dag_run.get_task_instances()}


def test_a_person_stands_between_the_plan_and_the_import() -> None:
    dag = categories_dag(read_district("canyonridge"))
    assert (dag.dag_id, dag.schedule, dag.max_active_runs) == ("canyonridge-categories", None, 1)
    assert [task.task_id for task in dag.topological_sort()] == TASKS
    assert [sorted(task.upstream_task_ids) for task in dag.topological_sort()] == [
        [],
        *[[id_] for id_ in TASKS[:-1]],
    ]
    approval = dag.task_dict["approve-import"]
    assert isinstance(approval, ApprovalOperator)
    assert approval.subject == "Canyon Ridge School District: import the categories of Aspire into Canvas?"


@pytest.mark.parametrize(
    ("district", "has_one"), [("canyonridge", True), ("harborview", False), ("lakeview", False)]
)
def test_only_a_district_that_imports_its_categories_has_one(district: str, *, has_one: bool) -> None:
    assert imports_categories(read_district(district)) is has_one


def test_building_it_twice_serialises_to_the_same() -> None:
    def serialised() -> str:
        dag = categories_dag(read_district("canyonridge"))
        return json.dumps(DagSerialization.to_dict(dag), sort_keys=True)

    assert serialised() == serialised()


def test_building_it_imports_nothing_slow() -> None:
    code = (
        "import sys; from passback.mapping.file import read_district;"
        " from passback.categories_dag import categories_dag;"
        " categories_dag(read_district('canyonridge')); print(*sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(SLOW_TO_IMPORT) & set(told.stdout.split())


@pytest.mark.usefixtures("_airflow_database")
def test_an_approved_import_creates_the_groups_and_a_second_run_has_nothing_to_ask(
    canyonridge: CanyonRidge,
) -> None:
    ran = run(courses=[EMPTY])
    assert {task_id: instance.state for task_id, instance in ran.items()} == dict.fromkeys(TASKS, "success")
    assert [name for name, _ in canyonridge.imported(EMPTY)] == TITLES
    body = ran["plan-import"].xcom_pull(task_ids="plan-import", key="body")
    assert "**8 assignment groups** in **1 courses**" in body
    assert "AAA 2014J" in body

    again = run(courses=[EMPTY])
    assert {task_id: instance.state for task_id, instance in again.items()} == dict.fromkeys(TASKS, "skipped")
