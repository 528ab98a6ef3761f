"""load-to-sis into a SIS that allots ids: a create is never repeated blindly, and no id is forgotten."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from load.allotting import ALLOTTING, SCHOOL, SIS_CLASS, STUDENTS, District, should_hold, start, the_plan
from load.plans import open_run, states
from passback import ledger as books
from passback.errors import UnavailableError
from passback.oneroster import result_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from passback.ledger import Connection
    from sandbox_process import SandboxProcess

LOADING = Path(__file__).parent / "loading_process.py"


def creating(writes: str, kind: str = "(lineItems|results)") -> dict[str, str]:
    """What matches the requests that create something."""
    return {"method": "POST" if writes == "post" else "PUT", "path": f"/{kind}$"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start(tmp_path_factory.mktemp("allotting")) as process:
        process.control("POST", "/snapshot")
        yield process


@pytest.fixture(params=ALLOTTING)
def writes(request: pytest.FixtureRequest) -> str:
    form: str = request.param
    return form


@pytest.fixture
def district(running: SandboxProcess, ledger: Connection, writes: str) -> District:
    running.control("POST", "/restore")
    running.control("POST", "/requests/reset")
    running.control("PATCH", "/settings", {"writes": writes})
    return District(running, ledger)


async def test_the_first_night_keeps_the_allotted_ids_and_tells_the_sis_ours(district: District) -> None:
    line_items, results = the_plan()
    counts = await district.load(line_items, results, "r1")
    assert (counts.line_items_written, counts.results_written) == (2, 10)
    assert district.held() == should_hold(line_items, results)
    known_items, known_results = district.known()
    dump = district.sandbox.dump()
    sis_ids = {row["metadata"]["passback"]: row["sourcedId"] for row in dump["lineItems"] + dump["results"]}
    assert dict(zip(known_items["line_item_id"], known_items["sis_line_item_id"], strict=True)) == {
        ours: sis_ids[ours] for ours in line_items["line_item_id"]
    }
    for row in known_results.itertuples():
        assert row.sis_result_id == sis_ids[result_id(row.line_item_id, row.sis_student_id)]
    assert not set(sis_ids) & set(sis_ids.values())


async def test_a_change_goes_out_under_the_allotted_ids_and_creates_nothing(district: District) -> None:
    line_items, results = the_plan()
    await district.load(line_items, results, "r1")
    before = {row["sourcedId"] for row in district.sandbox.dump()["results"]}
    district.sandbox.control("POST", "/requests/reset")
    line_items["title"] = "Renamed " + line_items["title"]
    results["score"] += 0.5
    counts = await district.load(line_items, results, "r2")
    assert (counts.line_items_written, counts.results_written, counts.refused) == (2, 10, 0)
    assert district.held() == should_hold(line_items, results)
    assert {row["sourcedId"] for row in district.sandbox.dump()["results"]} == before
    wanted = {("POST", "/token"): 1, ("PUT", "/lineItems/{id}"): 2, ("PUT", "/results/{id}"): 10}
    assert counts.requests == sum(wanted.values())


async def test_the_first_night_needs_no_request_more_than_its_writes(district: District, writes: str) -> None:
    line_items, results = the_plan()
    counts = await district.load(line_items, results, "r1")
    assert counts.requests == 1 + 2 + (2 if writes == "post" else 10)


LOST = [
    {"kind": "drop-after-commit"},
    {"kind": "reset-after-commit"},
    {"kind": "error-after-commit"},
    {"kind": "error-after-commit", "status": 503},
    {"kind": "truncate"},
    {"kind": "malformed"},
    {"kind": "html"},
    {"kind": "drop"},
    {"kind": "connection-reset"},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 429, "retry_after": 0},
]


@pytest.mark.parametrize("drops_metadata", [False, True])
@pytest.mark.parametrize("kind", ["(lineItems|results)", "results"])
@pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}")
async def test_a_lost_answer_is_settled_by_reading_back_and_doubles_nothing(
    district: District, writes: str, fault: dict[str, Any], kind: str, *, drops_metadata: bool
) -> None:
    district.sandbox.control("PATCH", "/settings", {"drops_metadata": drops_metadata})
    line_items, results = the_plan()
    after = int(writes != "post" or kind != "results")
    district.sandbox.fault("sis", match=creating(writes, kind), times=1, after=after, **fault)
    counts = await district.load(line_items, results, "r1")
    assert not district.sandbox.control("GET", "/faults")["faults"], "the fault did not strike"
    assert (counts.lost, counts.refused, counts.untried) == (0, 0, 0)
    assert (counts.line_items_written, counts.results_written) == (2, 10)
    assert district.held() == should_hold(line_items, results)
    assert states(district.connection) == {"line_items": {"accepted": 2}, "results": {"accepted": 10}}
    known_items, known_results = district.known()
    assert set(known_items["sis_line_item_id"]) == {
        row["sourcedId"] for row in district.sandbox.dump()["lineItems"]
    }
    assert set(known_results["sis_result_id"]) == {
        row["sourcedId"] for row in district.sandbox.dump()["results"]
    }


@pytest.mark.parametrize("kind", ["lineItems", "results"])
async def test_what_the_sis_may_be_storing_still_waits_for_the_next_run(
    district: District, writes: str, kind: str
) -> None:
    line_items, results = the_plan()
    late = creating(writes, kind)
    district.sandbox.fault("sis", "late-commit", seconds=1.5, match=late, times=1)
    impatient = replace(district, timeout=0.4)
    counts = await impatient.load(line_items, results, "r1")
    assert counts.lost > 0
    while district.sandbox.control("GET", "/faults")["late"]:
        pass
    counts = await district.load(line_items, results, "r2")
    assert (counts.lost, counts.refused) == (0, 0)
    assert district.held() == should_hold(line_items, results)


@pytest.mark.parametrize(("stores", "answers"), [(0, 0), (2, 2), (2, 1), (5, 0), (5, 3)])
async def test_a_bulk_answer_in_part_is_made_whole(
    running: SandboxProcess, ledger: Connection, stores: int, answers: int
) -> None:
    running.control("POST", "/restore")
    running.control("PATCH", "/settings", {"writes": "post"})
    district = District(running, ledger)
    line_items, results = the_plan()
    running.fault(
        "sis", "partial-bulk", stores=stores, answers=answers, match=creating("post", "results"), times=1
    )
    counts = await district.load(line_items, results, "r1")
    assert (counts.results_written, counts.lost, counts.refused) == (10, 0, 0)
    assert district.held() == should_hold(line_items, results)


async def test_one_wrong_row_does_not_cost_the_others_of_its_list(district: District) -> None:
    line_items, results = the_plan()
    results.loc[3, "sis_student_id"] = "90000999"
    counts = await district.load(line_items, results, "r1")
    assert (counts.results_written, counts.refused, counts.lost) == (9, 1, 0)
    assert district.held() == should_hold(line_items, results.drop(index=3))
    with district.connection as connection, connection.cursor() as cursor:
        cursor.execute("SELECT answer_words FROM passback.results WHERE state = 'refused'")
        ((words,),) = cursor.fetchall()
    assert "student" in words


async def test_results_of_a_line_item_that_is_gone_are_refused_together(
    running: SandboxProcess, ledger: Connection
) -> None:
    running.control("POST", "/restore")
    running.control("PATCH", "/settings", {"writes": "post"})
    district = District(running, ledger)
    line_items, results = the_plan(1)
    await district.load(line_items, results.head(0), "r1")
    running.control("POST", "/sis/forget", {})
    counts = await district.load(line_items.head(0), results, "r2")
    assert (counts.results_written, counts.refused) == (0, 5)
    # A token, what stands in the line item, the list, and whether the line item is there.
    assert counts.requests <= 4


async def test_a_line_item_or_a_result_that_was_answered_and_not_stored_is_created_by_the_next_run(
    district: District, writes: str
) -> None:
    line_items, results = the_plan()
    district.sandbox.fault("sis", "store-nothing", match=creating(writes, "lineItems"), times=1)
    district.sandbox.fault("sis", "store-nothing", match=creating(writes, "results"), times=1)
    await district.load(line_items, results, "r1")
    known_items, known_results = district.known()
    held = {row["sourcedId"] for rows in district.sandbox.dump().values() for row in rows}
    for known, key, sis_id, settle in (
        (known_items, ["line_item_id"], "sis_line_item_id", books.settle_line_items),
        (known_results, ["line_item_id", "sis_student_id"], "sis_result_id", books.settle_results),
    ):
        missed = known[known["state"].eq("accepted") & ~known[sis_id].isin(held)]
        settle(
            district.connection,
            "lakeview",
            open_run(district.connection),
            missed[key].assign(state="not_stored"),
        )
    for run_key in ("r2", "r3"):
        counts = await district.load(line_items, results, run_key)
    assert (counts.refused, counts.lost, counts.untried) == (0, 0, 0)
    assert district.held() == should_hold(line_items, results)


async def test_a_result_that_somebody_removed_is_new_again(district: District) -> None:
    line_items, results = the_plan()
    await district.load(line_items, results, "r1")
    removed = district.sandbox.dump()["results"][0]["sourcedId"]
    district.sandbox.control("DELETE", f"/sis/results/{removed}")
    counts = await district.load(line_items.head(0), results, "r2")
    assert (counts.results_written, counts.refused) == (10, 0)
    assert district.held() == should_hold(line_items, results)


async def test_while_the_gradebook_cannot_be_read_nothing_lost_is_sent_again(
    district: District, writes: str
) -> None:
    line_items, results = the_plan(1)
    unreadable = {"method": "GET", "path": "/(lineItems|results)$"}
    district.sandbox.fault("sis", "drop-after-commit", match=creating(writes, "lineItems"), times=1)
    district.sandbox.fault("sis", "status", status=403, match=unreadable)
    for _ in range(2):
        counts = await district.load(line_items, results, "r1")
        assert (counts.lost, counts.untried) == (1, 5)
        assert states(district.connection) == {"line_items": {"intended": 1}, "results": {}}
    district.sandbox.lift_faults()
    district.sandbox.fault("sis", "drop-after-commit", match=creating(writes, "results"), times=1)
    district.sandbox.fault("sis", "status", status=403, match=unreadable | {"path": "/results$"})
    for _ in range(2):
        assert (await district.load(line_items, results, "r2")).lost > 0
    district.sandbox.lift_faults()
    counts = await district.load(line_items, results, "r3")
    assert (counts.lost, counts.refused) == (0, 0)
    assert district.held() == should_hold(line_items, results)


async def test_records_held_under_our_ids_stay_the_same_when_the_sis_begins_to_allot(
    district: District, writes: str
) -> None:
    district.sandbox.control("PATCH", "/settings", {"writes": "put"})
    line_items, results = the_plan()
    await district.load(line_items, results, "r1")
    district.sandbox.control("PATCH", "/settings", {"writes": writes})
    results["score"] += 1
    counts = await district.load(line_items, results, "r2")
    assert (counts.line_items_written, counts.results_written, counts.refused) == (2, 10, 0)
    assert district.held() == should_hold(line_items, results)


@pytest.mark.parametrize("written", [1, 5])
async def test_a_load_that_is_killed_is_finished_by_the_same_task_again(
    district: District, ledger_url: str, tmp_path: Path, writes: str, written: int
) -> None:
    line_items, results = the_plan(4)
    line_items.to_parquet(tmp_path / "line_items.parquet")
    results.to_parquet(tmp_path / "results.parquet")
    target = district.endpoint()
    settings = {
        "line_items": str(tmp_path / "line_items.parquet"),
        "results": str(tmp_path / "results.parquet"),
        "url": target.base_url,
        "client_id": target.login,
        "secret": target.secret,
        "ledger_url": ledger_url,
        "run_id": str(open_run(district.connection, "r1")),
        "system": "generic",
        "school": SCHOOL,
        "extra": json.dumps(dict(target.extra)),
    }
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    # So slow that the kill finds it under way.
    district.sandbox.fault("sis", "late-commit", seconds=0.1, match=creating(writes))
    command = [sys.executable, str(LOADING), str(tmp_path / "settings.json")]
    with subprocess.Popen(command) as loading:  # noqa: ASYNC220 - nothing else runs here meanwhile
        while len(district.sandbox.writes()) < written and loading.poll() is None:
            pass
        loading.kill()
    district.sandbox.lift_faults()
    while district.sandbox.control("GET", "/faults")["late"]:
        pass
    with closing(books.connect(ledger_url)) as connection:
        again = replace(district, connection=connection)
        counts = await again.load(line_items, results, "r1")
        assert (counts.lost, counts.refused, counts.untried) == (0, 0, 0)
        assert again.held() == should_hold(line_items, results)
        assert states(connection) == {"line_items": {"accepted": 4}, "results": {"accepted": 20}}
        assert books.verify_trail(connection, "lakeview") is None


# --- Assignments that are taken over ---


@pytest.mark.parametrize("writes", ["put", *ALLOTTING], indirect=True)
@pytest.mark.parametrize(
    "stopped", ["before the line item", "after the line item", "among the results", "never"]
)
async def test_an_assignment_that_is_taken_over_keeps_its_results_and_none_is_doubled(
    district: District, writes: str, stopped: str
) -> None:
    due = the_plan(1)[0]["due_date"][0]
    theirs = district.sandbox.control(
        "POST",
        "/sis/assignments",
        {
            "class_id": SIS_CLASS,
            "title": "Quiz 0",
            "category_id": "305",
            "due_date": due,
            "scores": {STUDENTS[0]: 3, STUDENTS[1]: None},
        },
    )["lineItem"]
    line_items, results = the_plan(1, adopts=theirs["sourcedId"], action="adopt")
    before = {row["student"]["sourcedId"]: row["sourcedId"] for row in district.sandbox.dump()["results"]}
    kind = "drop-after-commit" if stopped == "after the line item" else "drop"
    if "line item" in stopped:
        district.sandbox.fault("sis", kind, match={"method": "PUT", "path": "/lineItems/"})
    elif stopped == "among the results":
        method = "POST" if writes == "post" else "PUT"
        district.sandbox.fault("sis", kind, match={"method": method, "path": "/results"}, after=1)
    if stopped != "never":
        with suppress(UnavailableError):
            await district.load(line_items, results, "r1")
        district.sandbox.lift_faults()
    for run_key in ("r1", "r2"):
        counts = await district.load(
            line_items.assign(adopts="" if run_key == "r2" else theirs["sourcedId"]), results, run_key
        )
        assert (counts.lost, counts.refused, counts.untried) == (0, 0, 0)
        assert district.held() == should_hold(line_items, results)
    after = {row["student"]["sourcedId"]: row["sourcedId"] for row in district.sandbox.dump()["results"]}
    assert {student: after[student] for student in before} == before


async def test_a_score_that_a_teacher_gave_in_an_assignment_that_was_taken_over_is_replaced_later_too(
    running: SandboxProcess, ledger: Connection
) -> None:
    running.control("POST", "/restore")
    district = District(running, ledger)
    due = the_plan(1)[0]["due_date"][0]
    assignment = {"class_id": SIS_CLASS, "title": "Quiz 0", "due_date": due, "scores": {STUDENTS[0]: 3}}
    theirs = running.control("POST", "/sis/assignments", assignment)["lineItem"]["sourcedId"]
    line_items, results = the_plan(1, adopts=theirs, action="adopt")
    await district.load(line_items, results.tail(4), "r1")
    await district.load(line_items.head(0), results, "r2")
    assert district.held() == should_hold(line_items, results)
