"""What a reconcile run finds in the gradebooks after somebody was there, and what it does about it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from passback import ledger
from passback.night import TASKS
from steps.afterwards import drift_of, edit, policy, result_of, score_by_hand
from steps.generic import ASSIGNMENT, CLASS, TITLE, SmallDistrict, sis_id


def writes_during(district: SmallDistrict, **changes: Any) -> tuple[dict[str, Any], int]:
    before = len(district.written())
    report = district.one_class(**changes)
    return report, len(district.written()) - before


def test_untouched_gradebooks_are_equal_and_nothing_is_sent(district: SmallDistrict) -> None:
    sent = district.one_class()["outcomes"]["sent"]
    report, writes = writes_during(district, mode="reconcile")
    assert writes == 0
    assert report["drift"]["entries"] == 0
    assert sum(row["equal"] for row in report["drift"]["classes"] if row["kind"] == "result") == sent
    assert report["outcomes"]["unchanged"] == sent


def test_a_score_changed_by_hand_is_listed_and_our_next_change_still_goes_out(
    district: SmallDistrict,
) -> None:
    district.one_class()
    score_by_hand(district, "3", 1.5)
    report, writes = writes_during(district, mode="reconcile")
    assert drift_of(district, report) == [("result", "changed_in_sis", "s3", "listed")]
    assert writes == 0
    _, writes = writes_during(district)
    assert (writes, result_of(district, "3")["score"]) == (0, 1.5)
    district.grade("3", 7)
    district.one_class()
    assert result_of(district, "3")["score"] == 7


def test_a_score_that_is_kept_as_somebody_set_it_is_sent_no_more(district: SmallDistrict) -> None:
    policy(district, scores="keep")
    district.one_class()
    score_by_hand(district, "3", 1.5)
    report, _ = writes_during(district, mode="reconcile")
    assert drift_of(district, report) == [("result", "changed_in_sis", "s3", "kept")]
    assert report["reasons"]["sis.kept_theirs"]["scores"] == 1
    district.grade("3", 7)
    for mode in ("changes", "full"):
        report = district.one_class(mode=mode)
        assert result_of(district, "3")["score"] == 1.5
        assert report["reasons"]["sis.kept_theirs"]["scores"] == 1
        assert report["outcomes"]["cancelled"] == 1


def test_a_kept_score_goes_out_again_once_the_district_reports_only(district: SmallDistrict) -> None:
    policy(district, scores="keep")
    district.one_class()
    score_by_hand(district, "3", 1.5)
    district.one_class(mode="reconcile")
    policy(district, scores="report")
    district.one_class(mode="reconcile")
    district.grade("3", 7)
    district.one_class()
    assert result_of(district, "3")["score"] == 7


def test_a_kept_score_that_is_set_back_by_hand_is_ours_again(district: SmallDistrict) -> None:
    policy(district, scores="keep")
    district.one_class()
    ours = result_of(district, "3")["score"]
    score_by_hand(district, "3", 1.5)
    district.one_class(mode="reconcile")
    score_by_hand(district, "3", ours)
    report = district.one_class(mode="reconcile")
    assert report["drift"]["entries"] == 0
    assert report["outcomes"]["cancelled"] == 0
    district.grade("3", 7)
    district.one_class()
    assert result_of(district, "3")["score"] == 7


def test_a_score_changed_by_hand_is_sent_again_as_we_had_it_and_the_trail_says_over_what(
    district: SmallDistrict,
) -> None:
    policy(district, scores="overwrite")
    district.one_class()
    ours = result_of(district, "3")["score"]
    score_by_hand(district, "3", 1.5)
    report, writes = writes_during(district, mode="reconcile")
    assert drift_of(district, report) == [("result", "changed_in_sis", "s3", "sent again")]
    assert (writes, result_of(district, "3")["score"]) == (1, ours)
    assert report["outcomes"]["sent"] == 1
    with closing(ledger.connect(district.ledger_url)) as connection:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT from_value ->> 'score', to_value ->> 'score' FROM passback.trail"
                " JOIN passback.runs USING (run_id) WHERE mode = 'reconcile'"
            )
            assert [(float(a), float(b)) for a, b in cursor] == [(1.5, ours)]
        connection.rollback()
        assert ledger.verify_trail(connection, "lakeview") is None


def test_a_result_that_somebody_removed_is_listed_or_sent_again(district: SmallDistrict) -> None:
    district.one_class()
    district.sandbox.control("DELETE", f"/sis/results/{result_of(district, '3')['sourcedId']}")
    report, writes = writes_during(district, mode="reconcile")
    assert drift_of(district, report) == [("result", "missing_in_sis", "s3", "listed")]
    assert writes == 0
    policy(district, scores="overwrite")
    report, writes = writes_during(district, mode="reconcile")
    assert drift_of(district, report) == [("result", "missing_in_sis", "s3", "sent again")]
    assert writes == 1
    assert (TITLE, sis_id("3")) in district.scores()


def test_a_line_item_that_somebody_removed_is_missing_and_its_scores_fail(district: SmallDistrict) -> None:
    district.one_class()
    district.sandbox.control("DELETE", f"/sis/lineItems/{district.line_item()['sourcedId']}")
    report, writes = writes_during(district, mode="reconcile")
    assert ("line item", "missing_in_sis", "", "listed") in drift_of(district, report)
    assert "sis.link_broken" in report["reasons"]
    assert writes == 0


def test_a_teachers_own_title_is_left_alone_also_when_something_else_changes(district: SmallDistrict) -> None:
    district.one_class()
    edit(district, "lineItems", district.line_item()["sourcedId"], title="Essay, second try")
    report, _ = writes_during(district, mode="reconcile")
    assert drift_of(district, report) == [("line item", "changed_in_sis", "", "kept")]
    district.sandbox.control(
        "PATCH", f"/assessments/{ASSIGNMENT}/{CLASS}", {"title": "TMA two", "points_possible": 50}
    )
    report = district.one_class()
    assert report["outcomes"]["failed"] == 0
    assert district.line_item("Essay, second try")["resultValueMax"] == 50
    _, writes = writes_during(district)
    assert writes == 0


def test_a_teachers_own_title_is_overwritten_where_the_district_says_so(district: SmallDistrict) -> None:
    policy(district, assignments="overwrite")
    district.one_class()
    edit(district, "lineItems", district.line_item()["sourcedId"], title="Essay, second try")
    report, writes = writes_during(district, mode="reconcile")
    assert drift_of(district, report) == [("line item", "changed_in_sis", "", "sent again")]
    assert writes == 1
    assert district.line_item(TITLE)
    assert district.one_class(mode="reconcile")["drift"]["entries"] == 0


def test_all_that_a_teacher_changed_of_an_assignment_stays_where_the_district_keeps_it(
    district: SmallDistrict,
) -> None:
    policy(district, assignments="keep")
    district.one_class()
    item = district.line_item()["sourcedId"]
    edit(district, "lineItems", item, resultValueMax=40)
    report, _ = writes_during(district, mode="reconcile")
    assert drift_of(district, report) == [("line item", "changed_in_sis", "", "kept")]
    district.rename("TMA two")
    assert district.one_class()["outcomes"]["failed"] == 0
    assert district.line_item("TMA two")["resultValueMax"] == 40


def test_what_a_teacher_made_is_foreign_and_stays(district: SmallDistrict) -> None:
    district.one_class()
    own = {**district.line_item(), "sourcedId": "own-1", "title": "Class participation"}
    edit(district, "lineItems", "own-1", **{name: own[name] for name in own if name != "sourcedId"})
    report, writes = writes_during(district, mode="reconcile")
    assert drift_of(district, report) == [("line item", "foreign_in_sis", "", "listed")]
    assert writes == 0


def test_what_is_deleted_in_the_source_is_orphaned_and_never_deleted(district: SmallDistrict) -> None:
    policy(district, scores="overwrite", assignments="overwrite")
    district.one_class()
    before = district.scores()
    district.sandbox.control("DELETE", f"/assessments/{ASSIGNMENT}/{CLASS}")
    report, writes = writes_during(district, mode="reconcile")
    found = drift_of(district, report)
    assert ("line item", "orphaned", "", "listed") in found
    assert {finding for _, finding, _, _ in found} == {"orphaned"}
    assert writes == 0
    assert district.scores() == before


def test_a_reconcile_run_leaves_what_changed_in_the_source_to_the_next_run(district: SmallDistrict) -> None:
    district.one_class()
    district.grade("3", 7)
    report, writes = writes_during(district, mode="reconcile")
    assert writes == 0
    assert report["reasons"]["run.reconcile"]["scores"] == 1
    assert report["outcomes"]["cancelled"] == 1
    assert district.one_class()["outcomes"]["sent"] == 1


def test_a_reconcile_run_that_is_cleared_finds_and_sends_the_same(district: SmallDistrict) -> None:
    policy(district, scores="overwrite")
    district.one_class()
    ours = result_of(district, "3")["score"]
    score_by_hand(district, "3", 1.5)
    night = district.night("again", mode="reconcile", classes=(CLASS,))
    for task_id in TASKS:
        district.step(task_id, night)
    first = district.report(night)
    before = len(district.written())
    for task_id in list(TASKS)[1:]:
        district.step(task_id, night)
    again = district.report(night)
    assert len(district.written()) == before
    assert again["outcomes"] == first["outcomes"]
    assert again["drift"] == first["drift"]
    assert result_of(district, "3")["score"] == ours


def test_no_more_is_asked_of_the_sis_than_the_classes_that_are_compared(district: SmallDistrict) -> None:
    district.one_class()
    items = {item["sourcedId"] for item in district.sandbox.dump()["lineItems"]}
    report = district.one_class(mode="reconcile")
    assert report["requests"] < 20 + len(items)
