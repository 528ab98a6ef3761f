"""A OneRoster provider, 1.1 or 1.2, as the platform that scores come from."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneroster.stub_sis import BASE, StubSis, serving
from passback.connections import Endpoint
from passback.errors import ContractError, CredentialError
from passback.records import ASSESSMENTS
from passback.sources import SOURCES, probe, pull
from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web
    from airflow.sdk import ObjectStoragePath

    from passback.sources.pulled import Pull
    from sandbox_process import SandboxProcess

UNKNOWN_STATUS = "a status that the feed contract does not know"
PROVIDER = SOURCES["oneroster"]
STAMP = {"status": "active", "dateLastModified": "2026-11-20T10:00:00.000Z"}


def ref(sourced_id: str, kind: str = "class") -> dict[str, str]:
    return {"href": f"https://lms.example/{sourced_id}", "sourcedId": sourced_id, "type": kind}


CATEGORY = {**STAMP, "sourcedId": "c1", "title": "Homework"}
LINE_ITEM = {
    **STAMP,
    "sourcedId": "li1",
    "title": "Essay",
    "assignDate": "2026-11-01T15:00:00.000Z",
    "dueDate": "2026-11-08T15:00:00.000Z",
    "class": ref("biology"),
    "category": ref("c1", "category"),
    "resultValueMin": 0,
    "resultValueMax": 10,
}
RESULT = {
    **STAMP,
    "sourcedId": "r1",
    "lineItem": ref("li1", "lineItem"),
    "student": ref("s1", "user"),
    "scoreStatus": "fully graded",
    "score": 8.5,
    "scoreDate": "2026-11-09",
}
CLASS = {**STAMP, "sourcedId": "biology", "title": "Biology"}
STUDENT = {**STAMP, "sourcedId": "s1", "role": "student"}
ENROLLMENT = {
    **STAMP,
    "sourcedId": "e1",
    "class": ref("biology"),
    "user": ref("s1", "user"),
    "role": "student",
}


async def read_stub(pages: ObjectStoragePath, **collections: list[dict[str, Any]]) -> Pull:
    """What is read of a provider that holds one record of each kind, or what a test says instead."""
    held = {
        "categories": [CATEGORY],
        "lineItems": [LINE_ITEM],
        "results": [RESULT],
        "classes": [CLASS],
        "students": [STUDENT],
        "enrollments": [ENROLLMENT],
    } | collections
    stub = StubSis(collections={f"/{name}": records for name, records in held.items()})

    def listed_as_users(request: web.Request) -> web.StreamResponse | None:
        students = request.path.endswith("/students")
        return stub.page(request, held["students"], "users") if students else None

    stub.script = listed_as_users
    async with serving(stub):
        extra = {"version": "1.1", "base_path": BASE, "token_url": "/token"}
        endpoint = Endpoint("any_lms", stub.url, "id", "secret", extra)
        return await pull(
            PROVIDER, endpoint, pages, since=None, known=ASSESSMENTS.empty(), say=lambda _: None
        )


async def score_of(pages: ObjectStoragePath, **changes: Any) -> Any:
    (row,) = (await read_stub(pages, results=[RESULT | changes])).frames["scores"].itertuples()
    return row


async def test_a_line_item_is_an_assessment_and_a_result_a_score(pages: ObjectStoragePath) -> None:
    frames = (await read_stub(pages)).frames
    (assessment,) = frames["assessments"].to_dict("records")
    assert {name: assessment[name] for name in ("assessment_id", "class_id", "title", "type")} == {
        "assessment_id": "li1",
        "class_id": "biology",
        "title": "Essay",
        "type": "Homework",
    }
    assert assessment["points_possible"] == 10
    assert assessment["include_in_final_grade"]
    assert str(assessment["due_at"]) == "2026-11-08 15:00:00+00:00"
    (score,) = frames["scores"].to_dict("records")
    assert (score["student_id"], score["status"], score["points"]) == ("s1", "graded", 8.5)
    assert str(score["scored_at"]) == "2026-11-09 12:00:00+00:00"  # that day in every American zone


@pytest.mark.parametrize(
    ("said", "status", "why_refused"),
    [
        ("fully graded", "graded", ""),
        ("exempt", "excused", ""),
        ("submitted", "turned_in", ""),
        ("partially graded", "turned_in", ""),
        ("not submitted", "not_submitted", ""),
        ("ext:lost", "graded", UNKNOWN_STATUS),
        ("graded", "graded", UNKNOWN_STATUS),
        (None, "graded", UNKNOWN_STATUS),
        (7, "graded", UNKNOWN_STATUS),
    ],
)
async def test_a_score_status_is_read_or_its_score_refused(
    pages: ObjectStoragePath, said: object, status: str, why_refused: str
) -> None:
    score = await score_of(pages, scoreStatus=said)
    assert (score.status, score.points_text) == (status, why_refused)


@pytest.mark.parametrize(
    ("change", "mark"),
    [
        ({"late": "true"}, "late"),
        ({"late": True}, "late"),
        ({"missing": "true", "late": "false"}, "missing"),
        ({"late": "false"}, ""),
    ],
)
async def test_late_and_missing_are_read_as_either_version_writes_them(
    pages: ObjectStoragePath, change: dict[str, Any], mark: str
) -> None:
    assert (await score_of(pages, **change)).mark == mark


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"score": "8.5"}, "8.5"),
        ({"score": None, "textScore": "B+"}, "B+"),
        ({"score": float("nan")}, "nan"),
        ({"score": [8]}, "neither a number nor text"),
        ({"scoreDate": "9 November"}, "no real instant"),
        ({"scoreDate": "2026-02-30"}, "no real instant"),
        ({"scoreDate": 20261109}, "no real instant"),
    ],
)
async def test_a_result_that_is_no_score_is_refused_alone(
    pages: ObjectStoragePath, change: dict[str, Any], text: str
) -> None:
    score = await score_of(pages, **change)
    assert score.points != score.points
    assert score.points_text == text


async def test_a_result_without_a_score_is_empty(pages: ObjectStoragePath) -> None:
    score = await score_of(pages, score=None)
    assert (score.status, score.points_text) == ("graded", "")


async def test_whoever_is_enrolled_and_has_no_result_has_not_submitted(pages: ObjectStoragePath) -> None:
    def enrolled(student: str, **changes: Any) -> dict[str, Any]:
        return {**ENROLLMENT, "sourcedId": f"e-{student}", "user": ref(student, "user"), **changes}

    enrollments = [
        enrolled("s1"),
        enrolled("s2"),
        enrolled("s2", sourcedId="once more"),
        enrolled("elsewhere", **{"class": ref("history")}),
        enrolled("teacher", role="teacher"),
        enrolled("left", endDate="2020-01-01"),
        enrolled("later", beginDate="2999-01-01"),
        enrolled("deleted", status="tobedeleted"),
    ]
    scores = (await read_stub(pages, enrollments=enrollments)).frames["scores"]
    assert scores[["student_id", "status"]].to_numpy().tolist() == [["s1", "graded"], ["s2", "not_submitted"]]
    assert scores["modified_at"].notna().all()


async def test_what_is_to_be_deleted_is_left_out_with_its_results(pages: ObjectStoragePath) -> None:
    deleted = {"status": "tobedeleted"}
    frames = (
        await read_stub(
            pages,
            lineItems=[LINE_ITEM, LINE_ITEM | deleted | {"sourcedId": "li2"}],
            results=[
                RESULT,
                RESULT | {"sourcedId": "r2", "lineItem": ref("li2")},
                RESULT | deleted | {"sourcedId": "r3", "score": 1},
            ],
        )
    ).frames
    assert frames["assessments"]["assessment_id"].tolist() == ["li1"]
    assert frames["scores"]["points"].tolist() == [8.5]


async def test_a_result_of_no_known_line_item_is_kept_for_its_reason(pages: ObjectStoragePath) -> None:
    stray = RESULT | {"sourcedId": "r2", "lineItem": ref("lost"), "class": ref("biology")}
    scores = (await read_stub(pages, results=[RESULT, stray])).frames["scores"]
    assert scores["assessment_id"].tolist() == ["li1", "lost"]


async def test_contradicting_results_stay_two(pages: ObjectStoragePath) -> None:
    other = RESULT | {"sourcedId": "r2", "score": 9}
    assert (await read_stub(pages, results=[RESULT, other])).frames["scores"]["points"].tolist() == [8.5, 9]


async def test_the_sis_id_in_the_metadata_wins_over_the_platforms_own(pages: ObjectStoragePath) -> None:
    named = {"metadata": {"sisId": "007"}}
    frames = (await read_stub(pages, classes=[CLASS | named], students=[STUDENT | named])).frames
    assert frames["classes"][["class_id", "sis_class_id"]].to_numpy().tolist() == [["biology", "007"]]
    assert frames["students"][["student_id", "sis_student_id"]].to_numpy().tolist() == [["s1", "007"]]
    assert (await read_stub(pages)).frames["students"]["sis_student_id"].tolist() == ["s1"]


@pytest.mark.parametrize(
    ("collection", "record", "told"),
    [
        ("lineItems", LINE_ITEM | {"class": None}, "class is missing"),
        ("lineItems", LINE_ITEM | {"class": "biology"}, "class is no reference"),
        ("lineItems", LINE_ITEM | {"assignDate": None}, "assignDate is missing"),
        ("lineItems", LINE_ITEM | {"dueDate": "2026-11-08T15:00:00"}, "dueDate is no ISO 8601 instant"),
        ("lineItems", LINE_ITEM | {"dueDate": "2026-02-30T15:00:00Z"}, "field due_at: 1 records"),
        ("lineItems", LINE_ITEM | {"sourcedId": "a\nb"}, "holds control characters"),
        ("results", RESULT | {"student": None}, "student is missing"),
        ("results", RESULT | {"dateLastModified": None}, "dateLastModified is missing"),
        ("students", STUDENT | {"metadata": {"sisId": 7}}, "sisId is no text"),
    ],
)
async def test_what_no_reason_can_tell_of_is_refused_with_its_field(
    pages: ObjectStoragePath, collection: str, record: dict[str, Any], told: str
) -> None:
    with pytest.raises(ContractError, match=told):
        await read_stub(pages, **{collection: [record]})


@pytest.fixture(scope="module")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("provider"), lms="oneroster", modules="AAA") as process:
        yield process


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_the_sandboxs_provider_is_read_in_either_version(
    sandbox: SandboxProcess, pages: ObjectStoragePath, version: str
) -> None:
    sandbox.control("PATCH", "/oneroster/settings", {"oneroster_version": version})
    made = sandbox.info()["connections"]["source"]
    endpoint = Endpoint(
        "any_lms", sandbox.url, made["login"], made["password"], made["extra"] | {"version": version}
    )
    got = asyncio.run(
        pull(PROVIDER, endpoint, pages, since=None, known=ASSESSMENTS.empty(), say=lambda _: None)
    )
    assert got.totals == {"assessments": 12, "scores": 4488, "classes": 2, "students": 712}
    assert got.frames["scores"]["status"].value_counts().to_dict() == {
        "graded": 3104,
        "not_submitted": 1339,
        "excused": 42,
        "turned_in": 3,
    }
    assert set(got.frames["assessments"]["type"]) == {"Assignment", "Test"}
    assert asyncio.run(probe(PROVIDER, endpoint)) == got.totals


def test_a_refused_secret_is_told_by_its_connection(sandbox: SandboxProcess) -> None:
    made = sandbox.info()["connections"]["source"]
    endpoint = Endpoint("any_lms", sandbox.url, made["login"], "wrong", made["extra"])
    with pytest.raises(CredentialError, match="any_lms"):
        asyncio.run(probe(PROVIDER, endpoint))
