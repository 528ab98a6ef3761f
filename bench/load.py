"""Results per second through the load, ledger included, against a bare loop that sends the same bodies.

All talk to the same stub in another process, over as many connections, without a limit of requests per
second. Run from the project's root: `python bench/load.py [--results 20000] [--connections 8]
[--delay 0.005] [--http-hook]`. On a busy machine trust the CPU figures rather than the rates.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import aiohttp
import pandas as pd
import uvloop
from aiohttp import web

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "plugins"), str(ROOT / "include")]

from passback import ledger  # noqa: E402 - runs from a checkout that is not installed too
from passback.connections import Endpoint  # noqa: E402
from passback.oneroster import Limits, Services, line_item_id, result_id, v1p1  # noqa: E402
from passback.oneroster.gradebook import OneRosterGradebook  # noqa: E402
from passback.records import LINE_ITEM_PLAN, RESULT_PLAN  # noqa: E402
from passback.sis import profile_of  # noqa: E402
from passback.stages.load import load  # noqa: E402
from stack import postgres  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

DISTRICT = "bench"
STUDENTS = 30  # a line item
HOOKED = 1_000  # results that go through the hook: it is slow
HOOK_THREADS = 8


def stub(ready: Connection, delay: float) -> None:
    """Answer 201 to every PUT, and a token to every POST, until the process is ended."""

    async def token(_request: web.Request) -> web.Response:
        return web.json_response({"access_token": "bench", "token_type": "Bearer", "expires_in": 36_000})

    async def put(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(delay)
        return web.Response(status=201)

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/token", token)
        app.router.add_put("/{path:.*}", put)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


@contextmanager
def running_stub(delay: float) -> Iterator[str]:
    """The stub's address."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=stub, args=(theirs, delay), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def plan(results: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Line items and results to write."""
    items = -(-results // STUDENTS)
    line_items = pd.DataFrame(
        {
            "line_item_id": [
                line_item_id("bench", f"assessment-{number}", "class") for number in range(items)
            ],
            "assessment_id": [f"assessment-{number}" for number in range(items)],
            "class_id": "class",
            "sis_class_id": "1001.0.01",
            "title": "Chapter 7: energy and motion",
            "category_id": "301",
            "period_id": "9203",
            "assign_date": "2026-11-02",
            "due_date": "2026-11-20",
            "points_possible": 100.0,
            "adopts": "",
            "action": "create",
        }
    )
    students = pd.DataFrame({"student_id": [f"student-{number:05}" for number in range(STUDENTS)]})
    rows = line_items[["line_item_id", "assessment_id", "class_id", "sis_class_id", "action"]].merge(
        students, how="cross"
    )
    scores = rows.head(results).assign(
        sis_student_id=rows["student_id"].str.replace("student-", "7000"),
        score=[float(number % 101) for number in range(results)],
        score_status="fully graded",
        score_date="2026-11-21",
        mark="",
    )
    return LINE_ITEM_PLAN.conform(line_items), RESULT_PLAN.conform(scores)


def requests_of(results: pd.DataFrame, base: str) -> list[tuple[str, dict[str, Any]]]:
    """The path and the body of every result's PUT."""
    now = datetime.now(UTC)
    requests: list[tuple[str, dict[str, Any]]] = []
    for row in results.itertuples(index=False):
        sourced_id = result_id(row.line_item_id, row.sis_student_id)
        body = v1p1.result(
            sourced_id=sourced_id,
            line_item_id=row.line_item_id,
            sis_student_id=row.sis_student_id,
            score=row.score,
            score_status=row.score_status,
            score_date=row.score_date,
            comment="",
            modified=now,
            services=Services(base, base),
        )
        requests.append((f"/results/{sourced_id}", {"result": body}))
    return requests


async def bare(url: str, results: pd.DataFrame, connections: int) -> float:
    """Seconds that a bare aiohttp loop needs for the results."""
    base = f"{url}/ims/oneroster/v1p1"
    waiting = iter(requests_of(results, base))

    async def worker(session: aiohttp.ClientSession) -> None:
        for path, body in waiting:
            async with session.put(
                base + path, json=body, headers={"Authorization": "Bearer bench"}
            ) as reply:
                await reply.read()
                assert reply.status == 201  # noqa: PLR2004, S101 - the stub's only answer

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        began = time.perf_counter()
        await asyncio.gather(*(worker(session) for _ in range(connections)))
        return time.perf_counter() - began


def hooked(url: str, results: pd.DataFrame) -> float:
    """Seconds that Airflow's HttpHook needs for the results."""
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps({"conn_type": "http", "host": url})
    from airflow.providers.http.hooks.http import HttpHook  # noqa: PLC0415 - only where it is measured

    hook = HttpHook(method="PUT", http_conn_id="bench")
    headers = {"Authorization": "Bearer bench", "Content-Type": "application/json"}

    def put(request: tuple[str, dict[str, Any]]) -> None:
        path, body = request
        hook.run(f"/ims/oneroster/v1p1{path}", data=json.dumps(body), headers=headers)

    requests = requests_of(results, f"{url}/ims/oneroster/v1p1")
    with ThreadPoolExecutor(HOOK_THREADS) as threads:
        began = time.perf_counter()
        for _ in threads.map(put, requests):
            pass
        return time.perf_counter() - began


async def loaded(
    url: str, database: str, line_items: pd.DataFrame, results: pd.DataFrame, connections: int
) -> float:
    """Seconds that the load needs for the same results and their line items."""
    profile = replace(profile_of("skyward"), connections=connections)
    limits = Limits(connections=connections, requests_per_second=1e6)
    with closing(ledger.connect(database)) as connection:
        run_id = ledger.open_run(
            connection,
            district=DISTRICT,
            run_key=f"bench-{time.time_ns()}",
            mode="changes",
            ordered_by="bench",
            mapping_hash="",
            rule_set="",
            reasons=(),
            started_at=datetime.now(UTC),
        )
        endpoint = Endpoint("bench", url, "id", "secret", {})
        async with OneRosterGradebook(
            endpoint, profile, clock=lambda: datetime.now(UTC), limits=limits
        ) as sis:
            began = time.perf_counter()
            counts = await load(
                connection,
                sis,
                district=DISTRICT,
                run_id=run_id,
                line_items=line_items,
                results=results,
                known_line_items=ledger.known_line_items(connection, DISTRICT),
                known_results=ledger.known_results(connection, DISTRICT),
                kept_categories={},
                schools={},
                clock=lambda: datetime.now(UTC),
                progress=lambda _counts: None,
            )
            seconds = time.perf_counter() - began
        assert counts.results_written == len(results), counts  # noqa: S101 - or the figure means nothing
        return seconds * len(results) / (len(results) + len(line_items))


def timed(work: Callable[[], float]) -> tuple[float, float]:
    """The seconds that the work says it took, and those this process spent computing for it."""
    before = time.process_time()
    seconds = work()
    return seconds, time.process_time() - before


def figures(name: str, results: int, seconds: float, cpu: float) -> dict[str, float]:
    """Results a second, and milliseconds of computing a result."""
    return {f"{name}_per_second": round(results / seconds), f"{name}_cpu_ms": round(1000 * cpu / results, 3)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--delay", type=float, default=0.005, help="seconds the stub takes to answer")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--no-bare", action="store_true", help="only the load, for its peak of memory")
    parser.add_argument(
        "--http-hook", action="store_true", help=f"also Airflow's HttpHook, in {HOOK_THREADS} threads"
    )
    options = parser.parse_args()
    line_items, results = plan(options.results)
    folder = Path(tempfile.mkdtemp(prefix="passback-bench-"))
    server = postgres.start(folder, fsync=True)
    shares = list[float]()
    try:
        with running_stub(options.delay) as url:

            def send_all() -> tuple[float, float]:
                return timed(partial(asyncio.run, bare(url, results, options.connections)))

            before = None if options.no_bare else send_all()
            for number in range(options.rounds):
                database = server.create_database(f"ledger_{number}")
                ledger.upgrade(database)
                load_all = loaded(url, database, line_items, results, options.connections)
                seconds, cpu = timed(partial(uvloop.run, load_all))  # as its step does
                report: dict[str, float] = {"results": len(results), "connections": options.connections}
                report |= figures("load", len(results), seconds, cpu)
                report["peak_MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                if before:  # a machine's speed drifts: the loop runs on both sides of the load
                    after = send_all()
                    bare_seconds, cpu = ((one + other) / 2 for one, other in zip(before, after, strict=True))
                    before = after
                    report |= figures("bare", len(results), bare_seconds, cpu)
                    report["share"] = round(bare_seconds / seconds, 2)
                    shares.append(bare_seconds / seconds)
                if options.http_hook:
                    few = results.head(HOOKED)
                    hook_seconds, cpu = timed(partial(hooked, url, few))
                    report |= figures("http_hook", len(few), hook_seconds, cpu)
                    report["times_http_hook"] = round(
                        report["load_per_second"] / report["http_hook_per_second"], 1
                    )
                print(json.dumps(report), flush=True)
            if shares:
                print(json.dumps({"delay": options.delay, "median_share": round(median(shares), 2)}))
    finally:
        server.stop()
        postgres.remove(folder)


if __name__ == "__main__":
    main()
