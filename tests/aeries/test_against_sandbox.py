"""The sandbox's native interface, which shares no code with the client, over the state of its OneRoster."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from district import ZONE
from passback.aeries import AeriesGradebook
from passback.connections import Endpoint
from passback.errors import ConfigurationError, CredentialError, PermissionRefusedError
from passback.gradebook import LineItemRow, ResultRow
from passback.oneroster import Decision
from passback.sis.aeries import AERIES_NATIVE
from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_process import SandboxProcess

CLASS, LINKED, WITHOUT, ELEMENTARY = "994_100101", "994_300101", "994_300201", "990_TN_421"
OURS = "our essay"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("sandbox"), sis="aeries", modules="AAA") as process:
        yield process


@pytest.fixture
def sandbox(running: SandboxProcess) -> SandboxProcess:
    running.reset()
    return running


def today() -> date:
    return datetime.now(ZONE).date()


def client(sandbox: SandboxProcess, *, timeout: float = 30.0, **extra: Any) -> AeriesGradebook:
    offered = sandbox.info()["connections"]["native"]
    host = f"{offered.get('schema') or 'http'}://{offered['host'].rpartition('/')[2]}:{offered['port']}"
    endpoint = Endpoint("aeries", host, "", offered["password"], {**offered["extra"], **extra})
    return AeriesGradebook(endpoint, AERIES_NATIVE, today=today(), timeout=timeout)


def item(**changes: Any) -> LineItemRow:
    values: dict[str, Any] = {
        "line_item_id": OURS,
        "sis_line_item_id": "",
        "sis_class_id": CLASS,
        "school_id": "994",
        "title": "Essay",
        "category_id": "Test",
        "period_id": "",
        "assign_date": today().isoformat(),
        "due_date": today().isoformat(),
        "points_possible": 100.0,
    }
    return LineItemRow(**values | changes)


def result(unique_id: str, student: str, points: float) -> ResultRow:
    return ResultRow(OURS, student, unique_id, "", CLASS, points, "fully graded", "2026-10-20", "")


async def test_every_kind_of_class_is_told(sandbox: SandboxProcess) -> None:
    async with client(sandbox) as aeries:
        found = await aeries.facts([CLASS, LINKED, WITHOUT, ELEMENTARY], today=today())
    standing = found["sis_classes"].set_index("sis_class_id")["gradebook"].to_dict()
    assert standing == {CLASS: "unlinked", LINKED: "linked", WITHOUT: "none", ELEMENTARY: "unlinked"}
    assert set(found["sis_enrollments"]["sis_class_id"]) >= {CLASS, ELEMENTARY}
    periods = found["sis_periods"]
    assert periods.loc[periods["sis_class_id"].eq(ELEMENTARY), "period_id"].tolist() == ["Y"]


async def test_the_same_students_are_enrolled_as_over_oneroster(sandbox: SandboxProcess) -> None:
    async with client(sandbox) as aeries:
        found = (await aeries.facts([CLASS], today=today()))["sis_enrollments"]
    listed = sandbox.sis("GET", f"/classes/{CLASS}/students?limit=10000").json["users"]
    assert set(found["sis_student_id"]) == {each["sourcedId"] for each in listed}


async def test_what_is_written_natively_is_seen_over_oneroster(sandbox: SandboxProcess) -> None:
    async with client(sandbox) as aeries:
        found = (await aeries.facts([CLASS], today=today()))["sis_enrollments"]
        students = found["sis_student_id"].tolist()[:30]
        inserted = await aeries.write_line_item(item())
        assert inserted.decision is Decision.VERIFY
        unique_id = inserted.allotted[OURS]
        rows = [result(unique_id, student, 60 + place / 8) for place, student in enumerate(students)]
        answers = await aeries.write_results(rows)
        assert {answer.decision for answer in answers} == {Decision.DONE}
        held, _ = await aeries.line_items([CLASS])
        scores = (await aeries.results(CLASS, unique_id)).dropna(subset=["score"])
    assert held[["line_item_id", "passback_id", "title", "category_id"]].to_numpy().tolist() == [
        [unique_id, OURS, "Essay", "Test"]
    ]
    wanted = {row.sis_student_id: row.score for row in rows}
    assert dict(zip(scores["sis_student_id"], scores["score"], strict=True)) == wanted
    dump = sandbox.dump()
    assert {row["student"]["sourcedId"]: row["score"] for row in dump["results"]} == wanted
    assert [line["title"] for line in dump["lineItems"]] == ["Essay"]


async def test_a_change_keeps_the_teachers_words(sandbox: SandboxProcess) -> None:
    async with client(sandbox) as aeries:
        unique_id = (await aeries.write_line_item(item())).allotted[OURS]
        edit = {"Comment": "Bring a pen", "GradingCompleted": True}
        sandbox.control("PATCH", f"/native/assignments/{unique_id}", edit)
        changed = item(sis_line_item_id=unique_id, title="Essay 2")
        assert (await aeries.write_line_item(changed)).decision is Decision.VERIFY
        path = f"/gradebooks/assignments/{unique_id}"
        found = await aeries.client.read(path, area="Gradebook Data")
    assert (found["Description"], found["Comment"], found["GradingCompleted"]) == (
        "Essay 2",
        "Bring a pen",
        True,
    )
    assert found["ExternalID"] == OURS


async def test_an_elementary_class_without_a_master_schedule_takes_scores(sandbox: SandboxProcess) -> None:
    async with client(sandbox) as aeries:
        found = (await aeries.facts([ELEMENTARY], today=today()))["sis_enrollments"]
        unique_id = (await aeries.write_line_item(item(sis_class_id=ELEMENTARY))).allotted[OURS]
        student = found["sis_student_id"].iloc[0]
        row = result(unique_id, student, 12.3456)._replace(sis_class_id=ELEMENTARY)
        (answer,) = await aeries.write_results([row])
        held = (await aeries.results(ELEMENTARY, unique_id)).set_index("sis_student_id")
    assert answer.decision is Decision.DONE
    assert held.loc[student, "score"] == 12.3456


async def test_a_linked_gradebook_is_written_alone(sandbox: SandboxProcess) -> None:
    async with client(sandbox) as aeries:
        written = await aeries.write_line_item(item(sis_class_id=LINKED))
        other = await aeries.client.read("/gradebooks/4300102/assignments", area="Gradebook Data")
    assert written.decision is Decision.VERIFY
    assert other == []


async def test_a_category_that_the_gradebook_lacks_is_not_the_first_one(sandbox: SandboxProcess) -> None:
    async with client(sandbox) as aeries:
        answer = await aeries.write_line_item(item(sis_class_id="994_100102", category_id="Project"))
    assert answer.decision is Decision.REFUSE_ROW
    assert not sandbox.writes()


async def test_a_second_gradebook_makes_the_class_one_of_several(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "/native/gradebooks", {"class_id": CLASS, "Name": "Second"})
    async with client(sandbox) as aeries:
        found = (await aeries.facts([CLASS], today=today()))["sis_classes"]
        answer = await aeries.write_line_item(item())
    assert found["gradebook"].tolist() == ["several"]
    assert answer.decision is Decision.REFUSE_ROW


async def test_a_year_that_aeries_does_not_know_stops_the_run(sandbox: SandboxProcess) -> None:
    async with client(sandbox, database_year=2030) as aeries:
        with pytest.raises(ConfigurationError, match="its default year"):
            await aeries.facts([CLASS], today=today())
        with pytest.raises(ConfigurationError, match="its default year"):
            await aeries.write_line_item(item())
    assert not sandbox.writes()


async def test_a_student_of_another_class_fails_no_other(sandbox: SandboxProcess) -> None:
    async with client(sandbox) as aeries:
        found = (await aeries.facts([CLASS], today=today()))["sis_enrollments"]
        students = found["sis_student_id"].tolist()[:6]
        unique_id = (await aeries.write_line_item(item())).allotted[OURS]
        rows = [result(unique_id, student, 50.0) for student in (*students[:3], "12345678", *students[3:])]
        answers = await aeries.write_results(rows)
    refused = [answer.decision is Decision.REFUSE_ROW for answer in answers]
    assert refused == [False, False, False, True, False, False, False]
    assert len(sandbox.dump()["results"]) == 6


FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "drop"},
    {"kind": "connection-reset"},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "html"},
    {"kind": "malformed"},
    {"kind": "truncate"},
    {"kind": "error-after-commit"},
    {"kind": "drop-after-commit"},
    {"kind": "reset-after-commit"},
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, fault.values())))
async def test_under_any_one_fault_everything_stands_there_once(
    sandbox: SandboxProcess, fault: dict[str, Any]
) -> None:
    for path in ("Assignments$", "Scores$"):
        sandbox.fault("sis", match={"method": "POST", "path": f"/aeries/api/v5/.*/{path}"}, times=1, **fault)
    async with client(sandbox) as aeries:
        found = (await aeries.facts([CLASS], today=today()))["sis_enrollments"]
        answer = await aeries.write_line_item(item())
        assert answer.decision is Decision.VERIFY
        unique_id = answer.allotted[OURS]
        rows = [result(unique_id, student, 50.0) for student in found["sis_student_id"].tolist()[:2]]
        answers = await aeries.write_results(rows)
    assert {answer.decision for answer in answers} <= {Decision.DONE, Decision.VERIFY}
    dump = sandbox.dump()
    assert [line["sourcedId"] for line in dump["lineItems"]] == [unique_id]
    assert [row["score"] for row in dump["results"]] == [50.0, 50.0]


async def test_an_insertion_that_is_stored_late_is_not_sent_again(sandbox: SandboxProcess) -> None:
    path = {"method": "POST", "path": "/aeries/api/v5/.*/Assignments$"}
    sandbox.fault("sis", "late-commit", match=path, times=1, seconds=1)
    async with client(sandbox, timeout=0.5) as aeries:
        answer = await aeries.write_line_item(item())
        assert (answer.decision, answer.timed_out) == (Decision.RETRY_LATER, True)
        while not sandbox.dump()["lineItems"]:
            pass
        held, _ = await aeries.line_items([CLASS])
    assert held["passback_id"].tolist() == [OURS]


async def test_scores_that_are_not_stored_are_seen(sandbox: SandboxProcess) -> None:
    async with client(sandbox) as aeries:
        found = (await aeries.facts([CLASS], today=today()))["sis_enrollments"]
        unique_id = (await aeries.write_line_item(item())).allotted[OURS]
        sandbox.fault("sis", "store-nothing", match={"path": "/aeries/api/v5/.*/Scores"})
        rows = [result(unique_id, student, 50.0) for student in found["sis_student_id"].tolist()[:2]]
        answers = await aeries.write_results(rows)
    assert {answer.decision for answer in answers} == {Decision.VERIFY}


async def test_certificate_and_permissions(sandbox: SandboxProcess) -> None:
    granted = {"Gradebook Data": ["read", "update"], "Gradebook Scores": ["read"]}
    async with client(sandbox) as aeries:
        unique_id = (await aeries.write_line_item(item())).allotted[OURS]
        sandbox.control("PATCH", "/settings", {"permissions": granted})
        with pytest.raises(PermissionRefusedError, match="update on Gradebook Scores"):
            await aeries.write_results([result(unique_id, "1", 1.0)])
        sandbox.control("PATCH", "/settings", {"certificate": "F" * 32})
        with pytest.raises(CredentialError):
            await aeries.results(CLASS, unique_id)
