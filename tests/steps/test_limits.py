"""A run that would change too much stops before its first write; a person lets it go on or cancels."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from passback import ledger
from passback.errors import ContractError
from passback.mapping.model import Limits
from passback.night import APPROVAL, TASKS, Night
from passback.steps.decision import decide

if TYPE_CHECKING:
    from district import SampleDistrict

CLASS, STUDENTS = "AAA-2013J", 383
PASSING = "1755"  # the one assessment of the class whose scores pass
ONE_CLASS: dict[str, Any] = {"classes": (CLASS,)}
ANSWERED_AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
BEFORE_THE_LOAD = list(TASKS)[: list(TASKS).index("load-to-sis")]


def until_asked(lakeview: SampleDistrict, night: Night) -> dict[str, Any]:
    """The steps before the first write; what approve-changes gave back."""
    returned: dict[str, Any] = {}
    for task_id in BEFORE_THE_LOAD:
        returned = lakeview.step(task_id, night)
    return returned


def go_on(lakeview: SampleDistrict, night: Night) -> dict[str, Any]:
    """The steps after the answer; the report."""
    for task_id in ("load-to-sis", "audit"):
        lakeview.step(task_id, night)
    return lakeview.report(night)


def answer(night: Night, decision: Any) -> None:
    decide(night, decision, by="Ann", at=ANSWERED_AT)


def decided(lakeview: SampleDistrict, night: Night) -> tuple[str, str, datetime | None]:
    with closing(ledger.connect(lakeview.ledger_url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT decision, decided_by, decided_at FROM passback.runs WHERE run_key = %s", (night.run_key,)
        )
        (row,) = cursor.fetchall()
    return row


def refuse_all_known(lakeview: SampleDistrict) -> None:
    """A title that the SIS cannot hold: all scores that the SIS holds are refused now."""
    lakeview.sandbox.control("PATCH", f"/assessments/{PASSING}/{CLASS}", {"title": "long " * 20})


@pytest.fixture
def asked(lakeview: SampleDistrict) -> Night:
    """A run that asks, after a first night: all 383 scores are refused now."""
    first = lakeview.run(**ONE_CLASS)
    assert first["outcomes"]["sent"] == STUDENTS
    assert not first["limit"]["asks"]
    refuse_all_known(lakeview)
    night = lakeview.night(**ONE_CLASS)
    assert until_asked(lakeview, night)["asks"] == 1
    return night


def test_the_question_comes_before_the_first_write_and_the_preview_before_the_question(
    lakeview: SampleDistrict, asked: Night
) -> None:
    question = lakeview.returned[-1]
    assert {name: question[name] for name in ("known", "changed", "vanished", "refused")} == {
        "known": STUDENTS,
        "changed": 0,
        "vanished": 0,
        "refused": STUDENTS,
    }
    assert question["subject"] == (
        "Lakeview Unified School District: of 383 scores in the SIS, 383 are refused by a rule now"
    )
    page = Path(lakeview.stage / "lakeview" / asked.run_key / "report" / "report.html")
    assert f"`{page}`" in question["body"]
    assert f"`passback report lakeview --run {asked.run_key}`" in question["body"]
    assert "Waits for a person" in page.read_text()
    preview = lakeview.report(asked)
    assert (preview["mode"], preview["state"]) == ("preview", "running")
    students = lakeview.sandbox.feed_items("students")
    told = repr(question)
    assert not [row for row in students if row["sis_id"] in told or f"'{row['id']}'" in told]


@pytest.mark.parametrize("task_id", ["load-to-sis", pytest.param("audit", marks=pytest.mark.slow)])
def test_nothing_is_written_while_nobody_has_answered(
    lakeview: SampleDistrict, asked: Night, task_id: str
) -> None:
    before = lakeview.written()
    with pytest.raises(ContractError, match=r"nobody has let it go on.*Clear approve-changes"):
        lakeview.step(task_id, asked)
    assert lakeview.written() == before


def test_a_run_that_is_let_go_on_does_its_work_and_the_next_night_does_not_ask_again(
    lakeview: SampleDistrict, asked: Night
) -> None:
    answer(asked, "go on")
    report = go_on(lakeview, asked)
    assert report["outcomes"]["rejected"] >= STUDENTS
    assert report["decision"] == {"decision": "go on", "by": "Ann", "at": "2026-11-22T08:30:00+00:00"}
    assert decided(lakeview, asked) == ("go on", "Ann", ANSWERED_AT)
    assert until_asked(lakeview, lakeview.night(**ONE_CLASS))["asks"] == 0


def test_a_cancelled_run_writes_nothing_ends_good_and_the_next_night_asks_again(
    lakeview: SampleDistrict,
) -> None:
    lakeview.run(**ONE_CLASS)
    change_all_scores(lakeview)
    held, before = lakeview.held(), lakeview.written()
    night = lakeview.night(**ONE_CLASS)
    assert until_asked(lakeview, night)["changed"] == STUDENTS
    answer(night, "cancel")
    report = go_on(lakeview, night)
    assert (lakeview.held(), lakeview.written()) == (held, before)
    assert report["outcomes"]["cancelled"] == STUDENTS
    assert report["reasons"]["run.cancelled"]["scores"] == STUDENTS
    assert report["extracted"] == sum(report["outcomes"].values())
    assert report["written"] == {"line_items": 0, "results": 0}
    assert decided(lakeview, night) == ("cancel", "Ann", ANSWERED_AT)
    with closing(ledger.connect(lakeview.ledger_url)) as connection:
        (recorded, _) = ledger.latest_runs(connection, "lakeview", 2)
    assert (recorded["state"], recorded["outcomes"]["cancelled"]) == ("good", STUDENTS)

    again = lakeview.night(**ONE_CLASS)
    assert until_asked(lakeview, again)["changed"] == STUDENTS
    answer(again, "go on")
    assert go_on(lakeview, again)["outcomes"]["sent"] == STUDENTS


def change_all_scores(lakeview: SampleDistrict) -> None:
    rows = [
        row
        for row in lakeview.sandbox.feed_items("scores")
        if (row["assessment_id"], row["class_id"]) == (PASSING, CLASS)
    ]
    for row in rows:
        lakeview.sandbox.control(
            "PATCH",
            f"/scores/{PASSING}/{CLASS}/{row['student_id']}",
            {"status": "graded", "points": 1.0 if row["points"] != 1.0 else 2.0, "graded_at": graded_at(row)},
        )


def graded_at(row: dict[str, Any]) -> str:
    return row["graded_at"] or row["modified_at"]


def test_a_refusal_that_nobody_let_pass_is_asked_about_again(lakeview: SampleDistrict, asked: Night) -> None:
    answer(asked, "cancel")
    go_on(lakeview, asked)
    assert until_asked(lakeview, lakeview.night(**ONE_CLASS))["refused"] == STUDENTS


def test_an_assessment_that_vanished_is_asked_about_once(lakeview: SampleDistrict) -> None:
    lakeview.run(**ONE_CLASS)
    held = lakeview.held()
    lakeview.sandbox.control("DELETE", f"/assessments/{PASSING}/{CLASS}")
    night = lakeview.night(**ONE_CLASS)
    assert until_asked(lakeview, night)["vanished"] == STUDENTS
    answer(night, "go on")
    go_on(lakeview, night)
    assert lakeview.held() == held
    assert until_asked(lakeview, lakeview.night(**ONE_CLASS))["vanished"] == 0


def test_a_cleared_question_is_asked_again_whatever_was_answered(
    lakeview: SampleDistrict, asked: Night
) -> None:
    answer(asked, "go on")
    assert lakeview.step(APPROVAL, asked)["asks"] == 1
    assert decided(lakeview, asked) == ("", "", None)
    with pytest.raises(ContractError):
        lakeview.step("load-to-sis", asked)
    answer(asked, "cancel")
    go_on(lakeview, asked)
    assert lakeview.step(APPROVAL, asked)["asks"] == 1  # also after the end
    answer(asked, "go on")
    assert go_on(lakeview, asked)["decision"]["decision"] == "go on"


def test_an_answer_holds_for_the_plan_it_was_given_to(lakeview: SampleDistrict, asked: Night) -> None:
    answer(asked, "go on")
    lakeview.step("transform-to-oneroster", asked)
    with pytest.raises(ContractError, match="Clear approve-changes"):
        lakeview.step("load-to-sis", asked)


def test_an_answer_that_was_cut_off_half_kept_is_none(
    lakeview: SampleDistrict, asked: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("passback.steps.decision.write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            answer(asked, "go on")
    with pytest.raises(ContractError):
        lakeview.step("load-to-sis", asked)
    assert lakeview.step(APPROVAL, asked)["asks"] == 1


def test_a_preview_never_asks_and_tells(lakeview: SampleDistrict) -> None:
    lakeview.run(**ONE_CLASS)
    refuse_all_known(lakeview)
    report = lakeview.run(mode="preview", **ONE_CLASS)
    assert report["limit"]["asks"]
    assert report["decision"]["decision"] == ""
    assert [line for line in lakeview.said if line.startswith("a real run would ask a person first")]


def test_a_full_run_asks_too(lakeview: SampleDistrict) -> None:
    lakeview.run(**ONE_CLASS)
    refuse_all_known(lakeview)
    assert until_asked(lakeview, lakeview.night(mode="full", **ONE_CLASS))["asks"] == 1


def test_a_run_of_another_class_or_of_all_is_judged_by_what_it_looks_at(lakeview: SampleDistrict) -> None:
    lakeview.run()
    refuse_all_known(lakeview)
    other = lakeview.night(classes=("AAA-2014J",))
    assert until_asked(lakeview, other)["refused"] == 0
    night = lakeview.night()
    patient = night.district.model_copy(update={"limits": Limits(share=0.6)})
    everything = until_asked(lakeview, replace(night, district=patient))  # 383 of 746 are less than 60 %
    assert (everything["refused"], everything["asks"]) == (STUDENTS, 0)


def test_a_district_says_itself_how_much_is_too_much(lakeview: SampleDistrict) -> None:
    lakeview.run(**ONE_CLASS)
    refuse_all_known(lakeview)
    night = lakeview.night(**ONE_CLASS)
    patient = night.district.model_copy(update={"limits": Limits(share=1.0)})
    assert until_asked(lakeview, replace(night, district=patient))["asks"] == 0
