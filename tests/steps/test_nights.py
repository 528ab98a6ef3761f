"""What happens over several nights, and when a night goes wrong."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from district import files_of
from passback import ledger, steps
from passback.errors import (
    BusyError,
    ContractError,
    CredentialError,
    PassbackError,
    SourceShrunkError,
    SupersededError,
    UnavailableError,
    UnforeseenError,
)
from passback.mapping.model import Limits
from passback.night import TASKS
from passback.oneroster import Retries

if TYPE_CHECKING:
    from district import SampleDistrict
    from stack.postgres import Postgres

CLASS = "AAA-2013J"
OTHER_CLASS = "AAA-2014J"
PASSING = "1755"  # the one assessment of the class whose scores pass
ONE_CLASS: dict[str, Any] = {"classes": (CLASS,)}
STUDENTS = 383


def writes_during(lakeview: SampleDistrict, **changes: Any) -> list[tuple[str, str]]:
    before = len(lakeview.written())
    lakeview.run(**changes)
    return lakeview.written()[before:]


def test_a_night_in_which_nothing_changed_sends_nothing(lakeview: SampleDistrict) -> None:
    lakeview.run(**ONE_CLASS)
    report = lakeview.run(**ONE_CLASS)
    assert report["outcomes"]["sent"] == 0
    assert report["outcomes"]["unchanged"] == STUDENTS
    assert report["written"] == {"line_items": 0, "results": 0}


def test_after_a_change_of_a_score_a_title_and_a_due_date_exactly_those_are_sent(
    lakeview: SampleDistrict,
) -> None:
    both = {"classes": (CLASS, OTHER_CLASS)}
    lakeview.run(**both)
    lakeview.sandbox.control("PATCH", f"/scores/{PASSING}/{CLASS}/s11391", {"points": 12.5})
    lakeview.sandbox.control("PATCH", f"/assessments/{PASSING}/{CLASS}", {"title": "Renamed"})
    due = next(row for row in lakeview.sandbox.feed_items("assessments") if row["id"] == "1761")["due_at"]
    day_before = f"{due[:8]}{int(due[8:10]) - 1:02}{due[10:]}"
    lakeview.sandbox.control("PATCH", f"/assessments/1761/{OTHER_CLASS}", {"due_at": day_before})

    changed = [("PUT", "lineItem"), ("PUT", "lineItem"), ("PUT", "result")]
    assert sorted(writes_during(lakeview, **both)) == changed
    line_items, results = lakeview.held()
    assert "Renamed" in line_items
    student = next(row for row in lakeview.sandbox.feed_items("students") if row["id"] == "s11391")["sis_id"]
    assert results["Renamed", student][0] == 12.5


def zeros_of(lakeview: SampleDistrict, assessment: str, class_id: str) -> int:
    return sum(
        row["status"] == "not_submitted"
        for row in lakeview.sandbox.feed_items("scores")
        if row["assessment_id"] == assessment and row["class_id"] == class_id
    )


def test_a_full_run_sends_everything_again(lakeview: SampleDistrict) -> None:
    lakeview.run(**ONE_CLASS)
    report = lakeview.run(mode="full", **ONE_CLASS)
    assert report["outcomes"]["sent"] == STUDENTS
    assert report["written"] == {"line_items": 1, "results": STUDENTS}


def test_a_preview_before_the_first_night_writes_nothing_but_its_report(
    lakeview: SampleDistrict, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_yet_a_ledger = postgres.create_database("not_yet_a_ledger")
    monkeypatch.setenv("AIRFLOW_CONN_PASSBACK_LEDGER", not_yet_a_ledger)
    report = lakeview.run(mode="preview", **ONE_CLASS)
    assert lakeview.written() == []
    assert ledger.is_empty(not_yet_a_ledger)
    assert report["outcomes"]["cancelled"] == STUDENTS
    assert report["reasons"]["run.preview"]["scores"] == STUDENTS
    assert report["written"] == {"line_items": 1, "results": STUDENTS}


def test_a_preview_after_a_night_says_from_what_to_what(lakeview: SampleDistrict) -> None:
    lakeview.run(**ONE_CLASS)
    lakeview.sandbox.control("PATCH", f"/scores/{PASSING}/{CLASS}/s11391", {"points": 12.5})
    before = len(lakeview.written())
    night = lakeview.night(mode="preview", **ONE_CLASS)
    for task_id in TASKS:
        lakeview.step(task_id, night)
    changes = next(
        path for path in files_of(lakeview.stage) if path.name == "changes.csv" and "_2" in str(path)
    )
    assert "→ 12.5" in changes.read_text("utf-8-sig")
    assert len(lakeview.written()) == before
    with closing(ledger.connect(lakeview.ledger_url)) as connection:
        assert len(ledger.latest_runs(connection, "lakeview", 10)) == 1


def test_every_step_can_be_run_twice_with_the_same_end(lakeview: SampleDistrict) -> None:
    night = lakeview.night(**ONE_CLASS)
    for task_id in TASKS:
        first = lakeview.step(task_id, night)
        again = lakeview.step(task_id, night)
        if task_id != "load-to-sis":
            assert again == first | {"requests": again.get("requests")} if "requests" in again else first
    assert lakeview.report(night)["outcomes"]["sent"] == STUDENTS
    assert lakeview.written().count(("PUT", "result")) == STUDENTS


@pytest.mark.slow
def test_a_whole_run_that_is_cleared_ends_with_the_same_counts(lakeview: SampleDistrict) -> None:
    first = lakeview.run("again", **ONE_CLASS)
    second = lakeview.run("again", **ONE_CLASS)
    assert second["outcomes"] == first["outcomes"]
    assert lakeview.written().count(("PUT", "result")) == STUDENTS


def test_one_refused_score_does_not_stop_the_rest_and_is_tried_again_next_night(
    lakeview: SampleDistrict,
) -> None:
    lakeview.sandbox.fault(
        "sis", "status", status=422, match={"method": "PUT", "path": ".*/results/.*"}, times=1
    )
    report = lakeview.run(**ONE_CLASS)
    assert report["outcomes"] == report["outcomes"] | {"sent": STUDENTS - 1, "failed": 1}
    assert report["reasons"]["sis.refused"]["scores"] == 1
    assert lakeview.run(**ONE_CLASS)["outcomes"]["sent"] == 1
    assert len(lakeview.held()[1]) == STUDENTS


def test_a_refused_assignment_fails_its_scores_and_comes_next_night(lakeview: SampleDistrict) -> None:
    lakeview.sandbox.fault("sis", "status", status=422, match={"method": "PUT", "path": ".*/lineItems/.*"})
    report = lakeview.run(**ONE_CLASS)
    assert report["outcomes"]["failed"] == STUDENTS
    assert report["reasons"]["sis.line_item_refused"]["scores"] == STUDENTS
    lakeview.sandbox.lift_faults()
    assert lakeview.run(**ONE_CLASS)["outcomes"]["sent"] == STUDENTS


def test_what_the_sis_accepts_but_does_not_store_has_failed(lakeview: SampleDistrict) -> None:
    lakeview.sandbox.fault("sis", "store-nothing", match={"method": "PUT", "path": ".*/results/.*"}, times=2)
    report = lakeview.run(**ONE_CLASS)
    assert report["reasons"]["sis.not_stored"]["scores"] == 2
    assert lakeview.run(**ONE_CLASS)["outcomes"]["sent"] == 2


def test_a_sis_that_is_down_fails_validate_and_the_next_night_makes_up(
    lakeview: SampleDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakeview.sandbox.fault("sis", "status", status=503, match={"path": "/ims/.*"})
    monkeypatch.setattr("passback.steps.work.RETRIES", Retries(attempts=2, patience=2.0, first_wait=0.01))
    night = lakeview.night(**ONE_CLASS)
    lakeview.step("extract-scores", night)
    with pytest.raises(UnavailableError) as down:
        lakeview.step("validate", night)
    assert down.value.mend
    with closing(ledger.connect(lakeview.ledger_url)) as connection:
        run = ledger.latest_runs(connection, "lakeview", 1)[0]
    assert (run["state"], run["failed_task"], run["outcomes"]["cancelled"]) == ("failed", "validate", 2298)
    assert run["message"] == str(down.value)
    lakeview.sandbox.lift_faults()
    assert lakeview.run(**ONE_CLASS)["outcomes"]["sent"] == STUDENTS


def test_a_wrong_secret_fails_loudly_and_nothing_is_lost(lakeview: SampleDistrict) -> None:
    lakeview.sandbox.fault("token", "bad-secret")
    night = lakeview.night(**ONE_CLASS)
    lakeview.step("extract-scores", night)
    with pytest.raises(CredentialError, match="lakeview_skyward") as refused:
        lakeview.step("validate", night)
    assert lakeview.sandbox.info()["sis"]["client_secret"] not in str(refused.value)
    assert "Skyward" in refused.value.mend
    lakeview.sandbox.lift_faults()
    assert lakeview.run(**ONE_CLASS)["outcomes"]["sent"] == STUDENTS


def test_an_empty_feed_is_a_failure_not_an_empty_night(lakeview: SampleDistrict) -> None:
    lakeview.run(**ONE_CLASS)
    lakeview.sandbox.fault("feed", "empty")
    with pytest.raises(SourceShrunkError) as empty:
        lakeview.step("extract-scores", lakeview.night())
    assert empty.value.mend
    lakeview.sandbox.lift_faults()
    assert lakeview.run(**ONE_CLASS)["outcomes"]["unchanged"] == STUDENTS


@pytest.mark.parametrize("refused_once", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_category_that_a_teacher_changed_in_the_sis_stays(
    lakeview: SampleDistrict, *, refused_once: bool
) -> None:
    lakeview.run(**ONE_CLASS)
    item = next(iter(lakeview.held()[0].values()))
    other = next(
        row["sourcedId"]
        for row in lakeview.sandbox.sis("GET", "/categories").json["categories"]
        if row["sourcedId"] != item["category"]["sourcedId"]
    )
    changed = item | {"category": item["category"] | {"sourcedId": other}}
    lakeview.sandbox.control("PUT", f"/sis/lineItems/{item['sourcedId']}", changed)
    lakeview.sandbox.control("PATCH", f"/assessments/{PASSING}/{CLASS}", {"title": "Renamed"})
    if refused_once:
        lakeview.sandbox.fault(
            "sis", "status", status=422, match={"method": "PUT", "path": ".*/lineItems/.*"}, times=1
        )
        assert lakeview.run(**ONE_CLASS)["outcomes"]["failed"] == STUDENTS
    report = lakeview.run(**ONE_CLASS)
    assert report["outcomes"]["failed"] == 0
    assert lakeview.held()[0]["Renamed"]["category"]["sourcedId"] == other
    assert lakeview.run(**ONE_CLASS)["written"] == {"line_items": 0, "results": 0}


def test_an_assessment_deleted_in_the_source_stays_in_the_sis_and_is_listed_for_a_person(
    lakeview: SampleDistrict,
) -> None:
    lakeview.run()
    held = lakeview.held()
    lakeview.sandbox.control("DELETE", f"/assessments/{PASSING}/{CLASS}")
    night = lakeview.night()
    patient = replace(night, district=night.district.model_copy(update={"limits": Limits(share=0.6)}))
    for task_id in TASKS:
        lakeview.step(task_id, patient)
    report = lakeview.report(patient)
    assert lakeview.held() == held
    assert [(row["kind"], row["scores"]) for row in report["for_a_person"]] == [
        ("deleted_in_source", STUDENTS)
    ]


def test_a_score_removed_in_the_source_is_held_and_listed_for_a_person(lakeview: SampleDistrict) -> None:
    lakeview.run()
    lakeview.sandbox.control(
        "PATCH",
        f"/scores/{PASSING}/{CLASS}/s11391",
        {"status": "turned_in", "points": None, "graded_at": None},
    )
    report = lakeview.run()
    assert [(row["kind"], row["scores"]) for row in report["for_a_person"]] == [("removed_in_source", 1)]
    assert report["outcomes"]["sent"] == 0


def test_a_write_whose_answer_was_lost_is_settled_by_reading_back(
    lakeview: SampleDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("passback.steps.work.RETRIES", Retries(attempts=1))
    result = {"method": "PUT", "path": ".*/results/.*"}
    lakeview.sandbox.fault("sis", "drop-after-commit", match=result, times=1, after=20)
    lakeview.sandbox.fault("sis", "error-after-commit", match=result, times=1, after=40)
    lakeview.sandbox.fault("sis", "status", status=500, match=result, times=1, after=60)
    report = lakeview.run(**ONE_CLASS)
    assert report["outcomes"]["sent"] == STUDENTS - 1
    assert report["reasons"]["sis.unavailable"]["scores"] == 1
    assert lakeview.run(**ONE_CLASS)["outcomes"]["sent"] == 1


def test_what_was_accepted_but_never_read_back_is_not_taken_for_held(lakeview: SampleDistrict) -> None:
    lakeview.sandbox.fault("sis", "store-nothing", match={"method": "PUT", "path": ".*/results/.*"}, times=2)
    unfinished = lakeview.night(**ONE_CLASS)
    for task_id in TASKS:
        if task_id != "audit":
            lakeview.step(task_id, unfinished)
    assert len(lakeview.held()[1]) == STUDENTS - 2
    assert lakeview.run(**ONE_CLASS)["outcomes"]["failed"] == 0
    assert len(lakeview.held()[1]) == STUDENTS


@pytest.mark.parametrize(
    "task_id",
    [
        pytest.param("validate", marks=pytest.mark.slow),
        pytest.param("transform-to-oneroster", marks=pytest.mark.slow),
        "load-to-sis",
        pytest.param("audit", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_a_later_one_has_overtaken_is_not_gone_on_with(
    lakeview: SampleDistrict, task_id: str
) -> None:
    earlier = lakeview.night(**ONE_CLASS)
    for step in TASKS:
        if step == task_id:
            break
        lakeview.step(step, earlier)
    lakeview.sandbox.control("PATCH", f"/scores/{PASSING}/{CLASS}/s11391", {"points": 12.5})
    lakeview.run(**ONE_CLASS)
    held = lakeview.held()
    with pytest.raises(SupersededError, match="clear it from extract-scores on"):
        lakeview.step(task_id, earlier)
    assert lakeview.held() == held
    with closing(ledger.connect(lakeview.ledger_url)) as connection:
        assert [run["state"] for run in ledger.latest_runs(connection, "lakeview", 2)] == [
            "good",
            "interrupted",
        ]


def test_a_step_that_finds_nothing_to_go_on_leaves_a_failed_run(lakeview: SampleDistrict) -> None:
    with pytest.raises(ContractError, match="Clear the run from extract-scores on"):
        lakeview.step("load-to-sis", lakeview.night(**ONE_CLASS))
    with closing(ledger.connect(lakeview.ledger_url)) as connection:
        run = ledger.latest_runs(connection, "lakeview", 1)[0]
    assert (run["state"], run["failed_task"]) == ("failed", "load-to-sis")


def test_an_error_that_is_not_ours_is_told_by_its_kind_and_place_alone(
    lakeview: SampleDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quoting(*_: object, **__: object) -> None:
        raise ValueError("could not convert 'ninety of s11391'")

    night = lakeview.night(**ONE_CLASS)
    for task_id in ("extract-scores", "validate"):
        lakeview.step(task_id, night)
    monkeypatch.setattr("passback.steps.transform.transform", quoting)
    with pytest.raises(UnforeseenError, match=r"ValueError at steps/transform\.py, line \d+") as raised:
        lakeview.step("transform-to-oneroster", night)
    assert raised.value.__suppress_context__
    with closing(ledger.connect(lakeview.ledger_url)) as connection:
        run = ledger.latest_runs(connection, "lakeview", 1)[0]
    assert (run["state"], run["message"]) == ("failed", str(raised.value))
    assert "s11391" not in run["message"]


def test_a_night_without_anything_new_does_not_look_into_gradebooks(lakeview: SampleDistrict) -> None:
    lakeview.run(**ONE_CLASS)
    lakeview.sandbox.control("POST", "/requests/reset")
    lakeview.run(**ONE_CLASS)
    asked = {row["path"] for row in lakeview.sandbox.requests()["requests"]}
    assert not [path for path in asked if "lineItems" in path]


def test_an_assessment_that_takes_the_title_of_a_foreign_one_is_not_sent(lakeview: SampleDistrict) -> None:
    lakeview.run(**ONE_CLASS)
    item = next(iter(lakeview.held()[0].values()))
    foreign = item | {"sourcedId": "theirs", "title": "Renamed"}
    lakeview.sandbox.control("PUT", "/sis/lineItems/theirs", foreign)
    lakeview.sandbox.control("PATCH", f"/assessments/{PASSING}/{CLASS}", {"title": "Renamed"})
    report = lakeview.run(mode="preview", **ONE_CLASS)  # a real run asks first: so many are refused
    assert report["reasons"]["sis.duplicate"]["scores"] == STUDENTS


def test_two_runs_of_a_district_never_load_at_once(lakeview: SampleDistrict) -> None:
    night = lakeview.night(**ONE_CLASS)
    for task_id in ("extract-scores", "validate", "transform-to-oneroster"):
        lakeview.step(task_id, night)
    with (
        closing(ledger.connect(lakeview.ledger_url)) as other,
        ledger.district_lock(other, "lakeview"),
        pytest.raises(BusyError),
    ):
        lakeview.step("load-to-sis", night)
    assert lakeview.written() == []


def test_old_runs_lose_their_frames_and_keep_their_reports(
    lakeview: SampleDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("passback.steps.prune.RUNS_KEPT", 1)
    abandoned = lakeview.stage / "lakeview" / "abandoned" / "pages" / "all" / "scores-00001.json"
    abandoned.parent.mkdir(parents=True)
    abandoned.write_text("{}")
    for _ in range(3):
        lakeview.run(classes=("none",))
    kept = {str(path.relative_to(lakeview.stage / "lakeview")) for path in files_of(lakeview.stage)}
    assert {name for name in kept if name.startswith("test__1/")} == {
        "test__1/categories.json",
        "test__1/extract.json",
        "test__1/load.json",
        "test__1/undos.json",
        "test__1/validate.json",
        "test__1/report/report.html",
        "test__1/report/report.json",
    }
    assert "test__3/extract/scores.parquet" in kept
    assert not abandoned.exists()


@pytest.mark.slow
def test_work_is_zero_from_the_day_after_its_due_date(lakeview: SampleDistrict) -> None:
    # 1756 is due on day 215 and straddles two periods; assigned on its due date, it passes.
    assessment = next(row for row in lakeview.sandbox.feed_items("assessments") if row["id"] == "1756")
    day = timedelta(days=1)
    seeded = steps.utc_now()
    lakeview.sandbox.control(
        "PATCH", f"/assessments/1756/{CLASS}", {"assigned_at": assessment["due_at"].replace("T07", "T06")}
    )
    one = {"classes": (CLASS,), "assessments": ("1756",)}
    lakeview.clock = lambda: seeded + 15 * day
    on_the_day = lakeview.run(**one)
    lakeview.clock = lambda: seeded + 16 * day
    after = lakeview.run(**one)
    missing = zeros_of(lakeview, "1756", CLASS)
    assert on_the_day["reasons"]["score.not_graded"]["scores"] == missing
    assert after["outcomes"]["sent"] == missing


def test_nothing_of_a_student_is_said_returned_or_raised(lakeview: SampleDistrict) -> None:
    lakeview.sandbox.fault(
        "sis", "status", status=422, match={"method": "PUT", "path": ".*/results/.*"}, times=3
    )
    lakeview.run(**ONE_CLASS)
    lakeview.sandbox.fault("sis", "html")
    with pytest.raises(PassbackError) as raised:
        lakeview.run(**ONE_CLASS)
    told = json.dumps([lakeview.said, lakeview.returned, str(raised.value)])
    students = lakeview.sandbox.feed_items("students")
    assert len(students) > STUDENTS
    assert not [row for row in students if row["sis_id"] in told or f'"{row["id"]}"' in told]
