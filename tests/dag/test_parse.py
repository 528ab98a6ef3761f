"""Airflow finds one DAG a district, cheaply, and a broken mapping file takes no other district along."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from dag.conftest import ROOT
from passback.dag import CANCEL, GO_ON, ApproveChangesOperator
from passback.night import APPROVAL, HOURS_TO_ANSWER, MODES, TASKS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.airflow

SLOW_TO_IMPORT = ("pandas", "great_expectations", "aiohttp", "pyarrow", "psycopg2", "alembic")


def parse() -> DagBag:
    return DagBag(str(ROOT / "dags"))


def add_district(mappings: Path, name: str, **changes: str) -> None:
    text = (mappings / "lakeview.yaml").read_text().replace("district: lakeview", f"district: {name}")
    for before, after in changes.items():
        text = text.replace(before.replace("_", " "), after)
    (mappings / f"{name}.yaml").write_text(text)


def test_the_sample_districts_parse_without_an_import_error() -> None:
    bag = parse()
    assert bag.import_errors == {}
    districts = {path.stem for path in (ROOT / "include" / "mappings").glob("*.yaml")}
    undo = {f"{name}-undo" for name in districts}
    assert set(bag.dags) == districts | undo | {"canyonridge-categories"}


@pytest.mark.usefixtures("mappings")
def test_a_district_has_its_tasks_in_their_order() -> None:
    dag = parse().dags["lakeview"]
    assert [task.task_id for task in dag.topological_sort()] == list(TASKS)
    assert [sorted(task.upstream_task_ids) for task in dag.topological_sort()] == [
        [],
        *[[task_id] for task_id in list(TASKS)[:-1]],
    ]
    assert (dag.max_active_runs, dag.catchup) == (1, False)


@pytest.mark.usefixtures("mappings")
def test_a_person_has_the_next_day_to_answer_and_no_answer_cancels() -> None:
    task = parse().dags["lakeview"].get_task(APPROVAL)
    assert isinstance(task, ApproveChangesOperator)
    assert (task.options, task.defaults) == ([GO_ON, CANCEL], [CANCEL])
    assert task.response_timeout == timedelta(hours=HOURS_TO_ANSWER)
    assert task.response_timeout < timedelta(days=1)  # the next night comes


@pytest.mark.usefixtures("mappings")
def test_the_schedule_is_in_the_districts_own_time_zone() -> None:
    timetable = parse().dags["lakeview"].timetable
    assert (timetable.expression, str(timetable.timezone)) == ("0 22 * * *", "America/Los_Angeles")


@pytest.mark.usefixtures("mappings")
def test_a_manual_trigger_offers_mode_classes_and_assessments() -> None:
    params = parse().dags["lakeview"].params
    assert params.get_param("mode").schema["enum"] == list(MODES)
    assert (params["mode"], params["classes"], params["assessments"]) == ("changes", [], [])


def test_adding_a_mapping_file_adds_a_district(mappings: Path) -> None:
    add_district(mappings, "hillside")
    assert sorted(parse().dags) == ["hillside", "hillside-undo", "lakeview", "lakeview-undo"]


def test_a_broken_mapping_file_is_an_import_error_and_leaves_the_others(mappings: Path) -> None:
    add_district(mappings, "hillside")
    add_district(mappings, "broken")
    broken = mappings / "broken.yaml"
    broken.write_text(broken.read_text().replace("America/Los_Angeles", "America/Atlantis"))
    bag = parse()
    assert sorted(bag.dags) == ["hillside", "hillside-undo", "lakeview", "lakeview-undo"]
    (error,) = bag.import_errors.values()
    assert f"{broken}:" in error
    assert "timezone" in error
    assert "hillside" not in error


def test_the_error_goes_with_its_cause(mappings: Path) -> None:
    (mappings / "broken.yaml").write_text("district: broken\n")
    assert parse().import_errors
    (mappings / "broken.yaml").unlink()
    assert parse().import_errors == {}


def test_a_worker_that_runs_one_district_builds_that_one_alone(
    mappings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_district(mappings, "hillside")
    (mappings / "broken.yaml").write_text("district: broken\n")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "hillside")
    assert sorted(parse().dags) == ["hillside", "hillside-undo"]


@pytest.mark.parametrize("dag_id", ["canyonridge", "canyonridge-categories", "canyonridge-undo"])
def test_a_worker_finds_the_dag_of_a_districts_categories_by_its_own_id(
    dag_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
    assert sorted(parse().dags) == ["canyonridge", "canyonridge-categories", "canyonridge-undo"]


@pytest.mark.usefixtures("mappings")
def test_parsing_twice_serialises_to_the_same() -> None:
    def serialised() -> str:
        return json.dumps(DagSerialization.to_dict(parse().dags["lakeview"]), sort_keys=True)

    assert serialised() == serialised()


@pytest.mark.usefixtures("mappings")
def test_parsing_imports_nothing_slow() -> None:
    code = "import sys, passback.dag; passback.dag.district_dags(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(SLOW_TO_IMPORT) & set(run.stdout.split())
