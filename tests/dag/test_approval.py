"""A run that would change too much waits for a person in Airflow, whose answer comes through its API."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from airflow.api_fastapi.app import create_app
from airflow.dag_processing.dagbag import DagBag
from airflow.utils.db import initdb
from fastapi.testclient import TestClient

from dag.conftest import ROOT
from passback import ledger
from passback.dag import CANCEL, GO_ON
from passback.night import APPROVAL, TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from district import SampleDistrict

pytestmark = pytest.mark.airflow

CLASS, STUDENTS = "AAA-2013J", 383
PASSING = "1755"
WAITS_FOR_SECONDS = 300


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Airflow's API on the tests' own database, logged in."""
    initdb()
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "long enough for a signature of 512 bits " * 2)
    client = TestClient(create_app(apps="core"))
    token = client.get("/auth/token").json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    yield client
    client.close()


class Person(threading.Thread):
    """Somebody who looks for the question until it is there, and answers it."""

    def __init__(self, api: TestClient, answer: str) -> None:
        super().__init__()
        self.api, self.answer, self.question = api, answer, dict[str, Any]()
        self.over = threading.Event()

    def run(self) -> None:
        """Answer the first question that has no answer."""
        give_up = time.monotonic() + WAITS_FOR_SECONDS
        while time.monotonic() < give_up and not self.over.wait(0.5):
            found = self.api.get("/api/v2/dags/~/dagRuns/~/hitlDetails?state=awaiting_input").json()
            for question in found["hitl_details"]:
                asked = question["task_instance"]
                place = f"/api/v2/dags/{asked['dag_id']}/dagRuns/{asked['dag_run_id']}/taskInstances"
                body = {"chosen_options": [self.answer], "params_input": {}}
                told = self.api.patch(f"{place}/{asked['task_id']}/-1/hitlDetails", json=body)
                assert told.status_code == 200, told.text
                self.question = question
                return


def run_dag(api: TestClient, answer: str) -> tuple[Any, dict[str, Any]]:
    """A run of the district's DAG in which a person answers; the run, and what the person was asked."""
    person = Person(api, answer)
    person.start()
    try:
        run = DagBag(str(ROOT / "dags")).dags["lakeview"].test(run_conf={"classes": [CLASS]})
    finally:
        person.over.set()
        person.join()
    return run, person.question


@pytest.mark.parametrize(
    ("answer", "decision", "changed"), [(CANCEL, "cancel", False), (GO_ON, "go on", True)]
)
def test_the_answer_decides_whether_anything_is_written(
    lakeview: SampleDistrict, api: TestClient, answer: str, decision: str, *, changed: bool
) -> None:
    lakeview.run(classes=(CLASS,))
    lakeview.sandbox.control("PATCH", f"/assessments/{PASSING}/{CLASS}", {"points_possible": 200})
    for row in lakeview.sandbox.feed_items("scores"):
        if (row["assessment_id"], row["class_id"], row["status"]) == (PASSING, CLASS, "graded"):
            place = f"/scores/{PASSING}/{CLASS}/{row['student_id']}"
            lakeview.sandbox.control("PATCH", place, {"points": row["points"] + 100})
    before = lakeview.written()

    run, question = run_dag(api, answer)

    assert run.state == "success"
    assert [instance.state for instance in run.get_task_instances()] == ["success"] * len(TASKS)
    assert question["task_instance"]["task_id"] == APPROVAL
    assert question["subject"].startswith("Lakeview Unified School District: of 383 scores in the SIS, ")
    assert "`passback report lakeview --run " in question["body"]
    assert question["options"] == [GO_ON, CANCEL]
    assert (lakeview.written() != before) == changed
    with closing(ledger.connect(lakeview.ledger_url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT decision, decided_by, state FROM passback.runs WHERE run_key = %s", (run.run_id,)
        )
        assert cursor.fetchall() == [(decision, "Anonymous", "good")]
    students = lakeview.sandbox.feed_items("students")
    told = repr(question)
    assert not [row for row in students if row["sis_id"] in told or f"'{row['id']}'" in told]
