"""load-to-sis against the sandbox's Skyward: faults on order, a process killed under way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from load.plans import line_item_plan, now, open_run, result_plan, run_load, states
from passback import ledger as books
from passback.connections import Endpoint
from passback.errors import CredentialError, PassbackError, UnavailableError
from passback.oneroster import Limits, Retries, held_line_items, held_results, result_id
from passback.oneroster.gradebook import OneRosterGradebook
from passback.sis import profile_of
from sandbox_process import SandboxProcess, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from passback.ledger import Connection

QUICK = Retries(attempts=5, patience=30.0, first_wait=0.02)
LOADING = Path(__file__).parent / "loading_process.py"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
def sandbox(running: SandboxProcess) -> SandboxProcess:
    running.reset()
    return running


def endpoint(sandbox: SandboxProcess, **changes: Any) -> Endpoint:
    sis = sandbox.info()["sis"]
    return replace(Endpoint("skyward", sandbox.url, sis["client_id"], sis["client_secret"], {}), **changes)


def client(sandbox: SandboxProcess, **changes: Any) -> OneRosterGradebook:
    limits = Limits(connections=8, requests_per_second=10_000)
    return OneRosterGradebook(
        endpoint(sandbox, **changes), profile_of("skyward"), clock=now, limits=limits, retries=QUICK
    )


async def plan(sandbox: SandboxProcess, items: int, students: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Line items in an open period of one class, and results of some who are enrolled there."""
    today = date.fromisoformat(sandbox.info()["seeding_date"])
    async with client(sandbox) as sis:
        facts = await sis.facts((), today=today)
    (sis_class, *_) = facts["sis_enrollments"]["sis_class_id"].value_counts().index
    periods = facts["sis_periods"]
    period = periods[periods["sis_class_id"].eq(sis_class) & ~periods["closed"]].iloc[0]
    enrolled = facts["sis_enrollments"].query("sis_class_id == @sis_class")["sis_student_id"]
    line_items = line_item_plan(
        items,
        sis_class_id=sis_class,
        category_id=facts["sis_categories"]["category_id"].iloc[0],
        period_id=period["period_id"],
        assign_date=period["start_date"],
        due_date=period["start_date"],
    )
    results = result_plan(line_items, sorted(enrolled)[:students], score_date=today.isoformat())
    return line_items, results


def holds_the_plan(sandbox: SandboxProcess, line_items: pd.DataFrame, results: pd.DataFrame) -> bool:
    """Whether the SIS holds just what was planned, value by value, and nothing twice."""
    held = sandbox.dump()
    items_held, results_held = held_line_items(held["lineItems"]), held_results(held["results"])
    item_columns = [name for name in items_held.columns if name in line_items.columns]
    result_columns = ["line_item_id", "sis_student_id", "score", "score_status", "score_date", "mark"]
    return rows_of(items_held, item_columns) == rows_of(line_items, item_columns) and rows_of(
        results_held, result_columns
    ) == rows_of(results, result_columns)


def rows_of(frame: pd.DataFrame, columns: list[str]) -> Counter[tuple[Any, ...]]:
    return Counter(frame[columns].itertuples(index=False, name=None))


async def test_the_sis_holds_the_plan_value_by_value_and_gives_it_back(
    sandbox: SandboxProcess, ledger: Connection
) -> None:
    line_items, results = await plan(sandbox, items=4, students=40)
    async with client(sandbox) as sis:
        counts = await run_load(ledger, sis, line_items, results, run_id=open_run(ledger))
        assert holds_the_plan(sandbox, line_items, results)
        sis_class, first = line_items["sis_class_id"][0], line_items["line_item_id"][0]
        held = await sis.results(sis_class, first)
        assert len((await sis.line_items({sis_class})).line_items) == 4
    assert (counts.line_items_written, counts.results_written, counts.requests) == (4, 160, 165)
    assert set(held["result_id"]) == {result_id(first, name) for name in results["sis_student_id"].unique()}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "retry_after": 1, "times": 3, "after": 20},
        {"kind": "status", "status": 500, "times": 5, "after": 20},
        {"kind": "status", "status": 503, "retry_after": 1, "times": 2, "after": 20},
        {"kind": "error-after-commit", "times": 5, "after": 20},
        {"kind": "html", "status": 502, "times": 4, "after": 20},
        {"kind": "drop", "times": 5, "after": 20},
        {"kind": "drop-after-commit", "times": 5, "after": 20},
        {"kind": "truncate", "times": 3, "after": 20},
        {"kind": "revoke-tokens", "after": 20},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}",
)
async def test_a_passing_fault_leaves_no_trace(
    sandbox: SandboxProcess, ledger: Connection, fault: dict[str, Any]
) -> None:
    line_items, results = await plan(sandbox, items=3, students=20)
    sandbox.fault("sis", match={"method": "PUT"}, **fault)
    async with client(sandbox) as sis:
        counts = await run_load(ledger, sis, line_items, results, run_id=open_run(ledger))
    assert (counts.refused, counts.lost, counts.untried) == (0, 0, 0)
    assert holds_the_plan(sandbox, line_items, results)
    assert states(ledger) == {"line_items": {"accepted": 3}, "results": {"accepted": 60}}


async def test_what_skyward_refuses_is_refused_row_by_row(
    sandbox: SandboxProcess, ledger: Connection
) -> None:
    line_items, results = await plan(sandbox, items=3, students=10)
    line_items.loc[0, "category_id"] = "999"
    results.loc[results.index[-1], "sis_student_id"] = "000"
    async with client(sandbox) as sis:
        counts = await run_load(ledger, sis, line_items, results, run_id=open_run(ledger))
    assert (counts.line_items_written, counts.results_written) == (2, 19)
    assert (counts.refused, counts.untried) == (2, 10)
    with ledger, ledger.cursor() as cursor:
        cursor.execute("SELECT answer_words FROM passback.line_items WHERE state = 'refused'")
        ((words,),) = cursor.fetchall()
    assert "category" in words.lower()


@pytest.mark.parametrize(
    ("fault", "error"),
    [("down", UnavailableError), ("bad-secret", CredentialError)],
)
async def test_a_run_that_could_not_start_is_made_up_for(
    sandbox: SandboxProcess, ledger: Connection, fault: str, error: type[PassbackError]
) -> None:
    line_items, results = await plan(sandbox, items=1, students=10)
    run_id = open_run(ledger)
    sandbox.fault("sis" if fault == "down" else "token", fault)
    async with client(sandbox) as sis:
        with pytest.raises(error, match=r"connection skyward.*What to do"):
            await run_load(ledger, sis, line_items, results, run_id=run_id)
    sandbox.lift_faults()
    async with client(sandbox) as sis:
        await run_load(ledger, sis, line_items, results, run_id=run_id)
    assert holds_the_plan(sandbox, line_items, results)


def kill_when_written(sandbox: SandboxProcess, written: int, command: list[str]) -> None:
    """Run a command and kill it once the SIS has taken so many writes."""
    with subprocess.Popen(command) as loading:
        while len(sandbox.writes()) < written and loading.poll() is None:
            pass
        loading.kill()
    assert loading.returncode in (-signal.SIGKILL, 0)  # 0: it was done before the kill came


@pytest.mark.parametrize("written", [1, 40, 150, 250])
async def test_a_load_that_is_killed_is_finished_by_the_same_task_again(
    sandbox: SandboxProcess, ledger: Connection, ledger_url: str, tmp_path: Path, written: int
) -> None:
    line_items, results = await plan(sandbox, items=10, students=40)
    line_items.to_parquet(tmp_path / "line_items.parquet")
    results.to_parquet(tmp_path / "results.parquet")
    run_id = open_run(ledger)
    target = endpoint(sandbox)
    settings = {
        "line_items": str(tmp_path / "line_items.parquet"),
        "results": str(tmp_path / "results.parquet"),
        "url": target.base_url,
        "client_id": target.login,
        "secret": target.secret,
        "ledger_url": ledger_url,
        "run_id": str(run_id),
    }
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    kill_when_written(sandbox, written, [sys.executable, str(LOADING), str(tmp_path / "settings.json")])
    with closing(books.connect(ledger_url)) as connection:
        async with client(sandbox) as sis:
            await run_load(connection, sis, line_items, results, run_id=run_id)
        assert holds_the_plan(sandbox, line_items, results)
        assert states(connection) == {"line_items": {"accepted": 10}, "results": {"accepted": 400}}
        assert books.verify_trail(connection, "lakeview") is None
