"""Every district has a DAG that undoes one of its runs."""

from __future__ import annotations

import pytest

from dag.test_parse import parse

pytestmark = pytest.mark.airflow


@pytest.mark.usefixtures("mappings")
def test_a_person_approves_between_the_plan_and_the_first_write() -> None:
    dag = parse().dags["lakeview-undo"]
    assert [task.task_id for task in dag.topological_sort()] == [
        "plan-undo",
        "approve-undo",
        "put-back",
        "audit-undo",
    ]
    assert (dag.max_active_runs, dag.schedule) == (1, None)
    assert "run" in dag.params
