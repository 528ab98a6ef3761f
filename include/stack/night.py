"""Runs of the sample districts' DAGs: ordered, followed task by task, explained when they fail."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from stack import processes
from stack.errors import StackError
from stack.progress import note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from stack.airflow import Airflow, Api

__all__ = ["follow", "order", "unpause"]

PARSE_SECONDS = 120
RUN_SECONDS = 900
CLOSE_SECONDS = 60
POLL_SECONDS = 1
OVER = ("success", "failed")
ENDED = ("success", "failed", "upstream_failed", "skipped", "removed")
MEND = "What to do:"  # in the words of every error that Passback knows
# That a task begins is told where it may take long to end: with five districts side by side, no more.
WORTH_TELLING = ("success", "failed", "up_for_retry", "upstream_failed", "awaiting_input")


def unpause(airflow: Airflow, api: Api, dag: str, since: datetime) -> None:
    """Wait until the DAG has been parsed after `since`, close what a killed demo left running, unpause.

    Raises:
        StackError: The DAG does not appear; the message holds Airflow's import errors.
    """

    def is_parsed() -> bool:
        found = api.call("GET", f"/dags?dag_id_pattern={quote(dag)}&limit=1000")["dags"]
        parsed = [one["last_parsed_time"] for one in found if one["dag_id"] == dag and not one["is_stale"]]
        return any(at and datetime.fromisoformat(at) >= since for at in parsed)

    what = f"Airflow has read the DAG {dag}"
    try:
        processes.wait_until(
            is_parsed, what=what, services=airflow.services, seconds=PARSE_SECONDS, every=0.5
        )
    except StackError as error:
        traces = [one["stack_trace"] for one in api.call("GET", "/importErrors")["import_errors"]]
        raise StackError("\n".join([str(error), *traces])) from error
    active = api.call("GET", f"/dags/{quote(dag)}/dagRuns?state=running&state=queued")["dag_runs"]
    for run in active:
        note("A run of an earlier demo was cut off: it is closed as failed, this run does its work.")
        path = f"/dags/{quote(dag)}/dagRuns/{quote(run['dag_run_id'], safe='')}"
        processes.wait_until(
            partial(_is_closed, api, path),
            what=f"the run {run['dag_run_id']} of an earlier demo is closed",
            services=airflow.services,
            seconds=CLOSE_SECONDS,
            every=0.5,
        )
    api.call("PATCH", f"/dags/{quote(dag)}", {"is_paused": False})


def _is_closed(api: Api, path: str) -> bool:
    """Close a run; the scheduler may work on it at this moment, and the database then ends one of the two."""
    with suppress(StackError):
        api.call("PATCH", path, {"state": "failed"})
    return api.call("GET", path)["state"] in OVER


def order(api: Api, dag: str) -> str:
    """Trigger a run with the DAG's own params; its run id."""
    run = api.call("POST", f"/dags/{quote(dag)}/dagRuns", {"logical_date": None, "conf": {}})
    return str(run["dag_run_id"])


def follow(
    airflow: Airflow, api: Api, runs: Mapping[str, str], others: Sequence[processes.Service]
) -> dict[str, bool]:
    """Tell of each task as its state changes, until all runs are over; which of them succeeded.

    Args:
        airflow: Where they run.
        api: Its API.
        runs: The run id by DAG id.
        others: Further services that the runs need.

    Raises:
        StackError: One of the services has ended, or a run takes too long.
    """
    told: dict[tuple[str, str], tuple[str, int]] = {}
    succeeded: dict[str, bool] = {}
    deadline = time.monotonic() + RUN_SECONDS
    while len(succeeded) < len(runs):
        for dag, run in runs.items():
            if dag not in succeeded and (state := _look(airflow.logs, api, dag, run, told)):
                succeeded[dag] = state == "success"
        for service in (*airflow.services, *others):
            service.check()
        if time.monotonic() > deadline:
            late = ", ".join(dag for dag in runs if dag not in succeeded)
            raise StackError(
                f"Not over after {RUN_SECONDS // 60} minutes: {late}. Their logs: {airflow.logs}"
            )
        time.sleep(POLL_SECONDS)
    return succeeded


def _look(logs: Path, api: Api, dag: str, run: str, told: dict[tuple[str, str], tuple[str, int]]) -> str:
    """Tell what is new of a run; its state when it is over, else nothing."""
    path = f"/dags/{quote(dag)}/dagRuns/{quote(run, safe='')}"
    instances = api.call("GET", f"{path}/taskInstances?order_by=start_date")["task_instances"]
    for instance in instances:
        task, now = (dag, instance["task_id"]), (instance["state"] or "", instance["try_number"])
        if now != told.get(task) and now[0] in WORTH_TELLING:
            _tell(logs, dag, run, instance)
        told[task] = now
    if not all(instance["state"] in ENDED for instance in instances):
        return ""
    state = str(api.call("GET", path)["state"])
    return state if state in OVER else ""


def _tell(logs: Path, dag: str, run: str, instance: dict[str, Any]) -> None:
    """Print a task's new state; where it failed, what its log says to do."""
    task, state = instance["task_id"], instance["state"]
    took = f" after {instance['duration']:.1f} s" if state == "success" and instance["duration"] else ""
    note(f"{dag:<12} {task:<22} {state.replace('_', ' ')}{took}")
    if state not in ("failed", "up_for_retry"):
        return
    attempt = f"attempt={max(1, instance['try_number'])}.log"
    log = logs / f"dag_id={dag}" / f"run_id={run}" / f"task_id={task}" / attempt
    for line in _last_words(log):
        note(f"  {line}")
    note(f"  All of its log: {log}")


def _last_words(log: Path) -> list[str]:
    """What the last error in a task's log says; only its kind if it is not our own: its words may be data."""
    words = []
    for line in processes.tail(log, 200).splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("level") not in ("error", "critical"):
            continue
        words = [event["event"]]
        for error in event.get("error_detail", [])[:1]:
            ours = MEND in error["exc_value"]
            words = [error["exc_value"] if ours else f"{error['exc_type']}: its log says more."]
    return words
