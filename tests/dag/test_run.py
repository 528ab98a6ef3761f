"""The DAG itself, run by Airflow against a real SIS and a real ledger."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.utils.db import initdb

from dag.conftest import ROOT
from passback import ledger
from passback.night import TASKS

if TYPE_CHECKING:
    from district import SampleDistrict

pytestmark = pytest.mark.airflow

CLASS, STUDENTS = "AAA-2013J", 383


@pytest.fixture(scope="module")
def _airflow_database() -> None:
    initdb()


def run_dag(**conf: Any) -> Any:
    return DagBag(str(ROOT / "dags")).dags["lakeview"].test(run_conf=conf)


@pytest.mark.usefixtures("_airflow_database")
def test_a_run_carries_the_scores_and_says_counts_only(
    lakeview: SampleDistrict, capfd: pytest.CaptureFixture[str]
) -> None:
    run = run_dag(classes=[CLASS])
    assert run.state == "success"
    assert [instance.state for instance in run.get_task_instances()] == ["success"] * len(TASKS)
    assert len(lakeview.held()[1]) == STUDENTS
    with closing(ledger.connect(lakeview.ledger_url)) as connection:
        (recorded,) = ledger.latest_runs(connection, "lakeview", 10)
    assert recorded["run"] == run.run_id
    assert recorded["outcomes"]["sent"] == STUDENTS
    instances = run.get_task_instances()
    returned = {instance.task_id: instance.xcom_pull(task_ids=instance.task_id) for instance in instances}
    assert returned["load-to-sis"]["results"] == STUDENTS
    told = "".join(capfd.readouterr()) + repr(returned)
    students = lakeview.sandbox.feed_items("students")
    assert not [row for row in students if row["sis_id"] in told or f"'{row['id']}'" in told]
