"""A run is undone: what still stands as it left it goes back, what somebody changed since stays."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from passback import ledger, paths
from passback.errors import BusyError, ConfigurationError, PassbackError, SupersededError, UnforeseenError
from passback.frame_store import open_folder
from passback.ledger.undo import undos_so_far
from passback.night import TASKS, Night
from passback.undo import UNDO_TASKS
from steps.afterwards import last, score_by_hand, trail_holds, trail_length, undo
from steps.generic import CLASS, SIS_CLASS, TITLE, SmallDistrict, sis_id

SLOW = pytest.mark.slow


class DeathError(Exception):
    """The process is no more."""


def die(*_: object) -> None:
    raise DeathError


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"writes": "put"}, id="put"),
        pytest.param({"writes": "post"}, id="post", marks=SLOW),
        pytest.param({"writes": "put_without_id"}, id="put_without_id", marks=SLOW),
    ],
)
def test_changed_scores_get_their_previous_values_and_are_not_sent_again(district: SmallDistrict) -> None:
    district.one_class()
    before = district.scores()
    district.grade("3", 71)
    district.grade("4", 72)
    district.one_class()
    changed = district.scores()
    assert changed != before
    undone = undo(district, last(district))
    assert undone.fates() == {"put_back": 2}
    assert district.scores() == before
    assert trail_holds(district)

    written = len(district.sandbox.writes())
    report = district.one_class(mode="full")
    assert district.scores() == before
    assert report["reasons"]["run.undone"]["scores"] == 2
    district.grade("3", 73)  # another value goes out
    district.one_class()
    assert district.scores() == before | {(TITLE, sis_id("3")): 73}
    assert len(district.sandbox.writes()) > written


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"writes": "put"}, id="put"),
        pytest.param({"writes": "post"}, id="post", marks=SLOW),
        pytest.param({"writes": "put_without_id"}, id="put_without_id", marks=SLOW),
    ],
)
def test_the_first_run_is_withdrawn_and_the_undo_of_its_undo_puts_it_all_back(
    district: SmallDistrict,
) -> None:
    district.one_class()
    all_of_it, night = district.scores(), last(district)
    undone = undo(district, night)
    assert undone.fates() == {"withdrawn": len(all_of_it)}
    assert undone.fates("line_items") == {"withdrawn": len({title for title, _ in all_of_it})}
    assert district.scores() == {}
    assert district.sandbox.dump()["lineItems"] == []
    district.one_class(mode="full")
    assert district.scores() == {}

    again = undo(district, undone.key)
    assert again.fates() == {"put_back": len(all_of_it)}
    assert district.scores() == all_of_it
    report = district.one_class()
    assert report["outcomes"]["unchanged"] == len(all_of_it)
    assert undo(district, again.key).fates() == {"withdrawn": len(all_of_it)}
    assert district.sandbox.dump()["lineItems"] == []
    assert trail_holds(district)


def one_changed_score(district: SmallDistrict) -> tuple[dict[tuple[str, str], float | None], str]:
    """What stood in the SIS before a score was changed, and the run that changed it."""
    district.one_class()
    before = district.scores()
    district.grade("3", 71)
    district.one_class()
    return before, last(district)


def planned_but_not_loaded(district: SmallDistrict, *, mode: str) -> Night:
    night = district.night("planned before", mode=mode, classes=(CLASS,))
    for task_id in tuple(TASKS)[:4]:
        district.step(task_id, night)
    return night


def test_a_plan_that_was_made_before_an_undo_sends_nothing_of_what_was_taken_back(
    district: SmallDistrict,
) -> None:
    before, changed = one_changed_score(district)
    district.grade("4", 72)
    planned = planned_but_not_loaded(district, mode="full")
    undo(district, changed)
    for task_id in tuple(TASKS)[4:]:
        district.step(task_id, planned)
    assert district.scores() == before | {(TITLE, sis_id("4")): 72}
    assert district.report(planned)["reasons"]["run.undone"]["scores"] == 1


def test_a_load_that_dies_while_it_plans_anew_sends_nothing_of_what_was_taken_back_either(
    district: SmallDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, changed = one_changed_score(district)
    planned = planned_but_not_loaded(district, mode="full")
    undo(district, changed)
    with monkeypatch.context() as patch:
        patch.setattr("passback.steps.transform.write_frame", die)
        with pytest.raises(UnforeseenError):
            district.step("load-to-sis", planned)
    for task_id in tuple(TASKS)[4:]:
        district.step(task_id, planned)
    assert district.scores() == before


def test_while_an_undo_is_under_way_no_plan_counts_as_made_after_it(
    district: SmallDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def so_far() -> str:
        with closing(ledger.connect(district.ledger_url)) as connection:
            return undos_so_far(connection, "lakeview")

    district.one_class()
    assert so_far() == so_far()
    with monkeypatch.context() as patch:
        patch.setattr("passback.steps.undo._put_back", die)
        patch.setattr("passback.steps.undo._record_failure", lambda *_, **__: None)  # killed: nobody tells
        with pytest.raises(UnforeseenError):
            undo(district, last(district))
    assert so_far() != so_far()


def test_what_a_reconcile_run_found_before_an_undo_is_looked_at_again(district: SmallDistrict) -> None:
    before, changed = one_changed_score(district)
    planned = planned_but_not_loaded(district, mode="reconcile")
    undo(district, changed)
    with pytest.raises(SupersededError, match="from validate on"):
        district.step("load-to-sis", planned)
    for task_id in tuple(TASKS)[1:]:
        district.step(task_id, planned)
    assert district.report(planned)["drift"]["entries"] == 0
    assert district.scores() == before


def test_what_older_undos_wrote_of_students_goes_with_a_night(
    district: SmallDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("passback.steps.prune.RUNS_KEPT", 1)
    district.one_class()
    first = undo(district, last(district))
    later = district.clock() + timedelta(hours=1)
    district.clock = lambda: later
    second = undo(district, first.key)

    def kept(key: str) -> set[str]:
        return {path.name for path in open_folder(f"{paths.stage()}/lakeview/{key}").iterdir()}

    of_either = kept(first.key)
    assert {"plan", "begun", "report"} < of_either == kept(second.key)
    district.one_class()
    assert kept(first.key) == of_either - {"plan", "begun", "report"}
    assert kept(second.key) == of_either


def test_what_a_teacher_has_changed_since_is_listed_and_left(district: SmallDistrict) -> None:
    district.one_class()
    before = district.scores()
    district.grade("3", 71)
    district.grade("4", 72)
    district.one_class()
    score_by_hand(district, "3", 50)
    undone = undo(district, last(district))
    assert undone.fates() == {"put_back": 1, "left": 1}
    assert undone.why("left") == {"changed in the SIS since"}
    assert district.scores() == before | {(TITLE, sis_id("3")): 50}


def test_a_line_item_with_a_score_of_a_teacher_stays_with_that_score(district: SmallDistrict) -> None:
    district.one_class()
    score_by_hand(district, "3", 50)
    undone = undo(district, last(district))
    assert undone.fates()["left"] == 1
    assert undone.fates("line_items")["left"] == 1
    held = {key: score for key, score in district.scores().items() if score is not None}
    assert held == {(TITLE, sis_id("3")): 50}


def test_of_a_run_that_was_overtaken_only_what_still_stands_goes_back(district: SmallDistrict) -> None:
    district.one_class()
    before = district.scores()
    district.grade("3", 71)
    district.grade("4", 72)
    district.one_class()
    overtaken = last(district)
    district.grade("4", 73)
    district.one_class()
    later = last(district)
    undone = undo(district, overtaken)
    assert undone.fates() == {"put_back": 1, "left": 1}
    assert undone.why("left") == {f"changed since by the run {later}"}
    assert district.scores() == before | {(TITLE, sis_id("4")): 73}


def test_a_title_goes_back(district: SmallDistrict) -> None:
    district.one_class()
    district.rename("Renamed")
    district.one_class()
    undone = undo(district, last(district))
    assert undone.fates("line_items") == {"put_back": 1}
    assert district.line_item()["title"] == TITLE
    district.one_class(mode="full")
    assert district.line_item()["title"] == TITLE


def test_a_teachers_own_category_stays_when_the_title_goes_back(district: SmallDistrict) -> None:
    district.one_class()
    district.rename("Renamed")
    district.one_class()
    item = district.line_item("Renamed")
    district.sandbox.control(
        "PUT",
        f"/sis/lineItems/{item['sourcedId']}",
        item | {"category": {"sourcedId": "303", "type": "category"}},
    )
    undo(district, last(district))
    assert district.line_item()["category"]["sourcedId"] == "303"


@pytest.mark.parametrize("settings", [{"writes": way} for way in ("put", "post")], ids=("put", "post"))
def test_in_an_assignment_that_was_taken_over_the_teachers_scores_come_back(district: SmallDistrict) -> None:
    district.says(adopt=True)
    own = {"class_id": SIS_CLASS, "title": TITLE, "due_date": "2026-01-21", "category_id": "301"}
    scores = {sis_id("1"): 9, sis_id("3"): 3}
    district.sandbox.control("POST", "/sis/assignments", {**own, "scores": scores})
    theirs = district.scores()
    district.one_class()
    assert district.scores()[TITLE, sis_id("3")] == 56
    undone = undo(district, last(district))
    assert undone.fates("line_items") == {"not_possible": 1, "withdrawn": 2}
    assert {key: score for key, score in district.scores().items() if score is not None} == theirs
    assert undone.fates()["put_back"] == 1
    assert trail_holds(district)


@pytest.mark.parametrize("settings", [{"writes": "put", "deletes": "no"}])
def test_where_the_sis_withdraws_nothing_the_line_items_are_emptied(district: SmallDistrict) -> None:
    district.one_class()
    all_of_it = district.scores()
    undone = undo(district, last(district))
    assert undone.fates() == {"cleared": len(all_of_it)}
    titles = {title for title, _ in all_of_it}
    assert undone.fates("line_items") == {"emptied": len(titles)}
    assert set(district.scores().values()) == {None}
    assert {item["title"] for item in district.sandbox.dump()["lineItems"]} == titles


def test_a_plan_writes_nothing(district: SmallDistrict) -> None:
    district.one_class()
    before, written = district.scores(), len(district.sandbox.writes())
    planned = undo(district, last(district), tasks=["plan-undo"])
    assert planned.fates() == {"clear": len(before)}
    assert planned.fates("line_items") == {"withdraw": len({title for title, _ in before})}
    assert len(district.sandbox.writes()) == written
    with closing(ledger.connect(district.ledger_url)) as connection:
        assert [run["mode"] for run in ledger.latest_runs(connection, "lakeview", 9)] == ["changes"]


def test_what_is_changed_between_plan_and_approval_is_left(district: SmallDistrict) -> None:
    district.one_class()
    before = district.scores()
    district.grade("3", 71)
    district.one_class()
    undo(district, last(district), "undo__late", ["plan-undo"])
    score_by_hand(district, "3", 50)
    undone = undo(district, last(district), "undo__late", ["put-back", "audit-undo"])
    assert undone.fates() == {"left": 1}
    assert district.scores() == before | {(TITLE, sis_id("3")): 50}


def test_a_second_undo_of_the_same_run_finds_it_done(district: SmallDistrict) -> None:
    district.one_class()
    district.grade("3", 71)
    district.one_class()
    undo(district, last(district), "undo__first")
    written = len(district.sandbox.writes())
    assert undo(district, last(district), "undo__second").fates() == {"as_before": 1}
    assert len(district.sandbox.writes()) == written


def test_every_task_may_be_repeated(district: SmallDistrict) -> None:
    district.one_class()
    before = district.scores()
    tasks = ["plan-undo", "put-back", "put-back", "audit-undo", "put-back", "audit-undo", "audit-undo"]
    undone = undo(district, last(district), "undo__repeated", tasks)
    assert undone.fates() == {"withdrawn": len(before)}
    assert district.sandbox.dump()["lineItems"] == []


def test_after_a_failure_half_way_the_next_try_ends_it(district: SmallDistrict) -> None:
    district.one_class()
    before = district.scores()
    undo(district, last(district), "undo__stopped", ["plan-undo"])
    district.sandbox.fault("sis", "status", status=401, after=5)
    with pytest.raises(PassbackError):
        undo(district, last(district), "undo__stopped", ["put-back"])
    district.sandbox.lift_faults()
    undone = undo(district, last(district), "undo__stopped", ["put-back", "audit-undo"])
    assert undone.fates() == {"withdrawn": len(before)}
    assert district.sandbox.dump()["lineItems"] == []


def test_while_another_run_of_the_district_writes_no_task_of_an_undo_does_anything(
    district: SmallDistrict,
) -> None:
    district.one_class()
    held = district.scores()
    with closing(ledger.connect(district.ledger_url)) as another:
        for task_id in UNDO_TASKS:
            before = district.sandbox.writes(), trail_length(district)
            with ledger.district_lock(another, "lakeview"), pytest.raises(BusyError):
                undo(district, last(district), "undo__beside", [task_id])
            assert (district.sandbox.writes(), trail_length(district)) == before
            undone = undo(district, last(district), "undo__beside", [task_id])
    assert undone.fates() == {"withdrawn": len(held)}


def test_an_unknown_run_is_refused(district: SmallDistrict) -> None:
    district.one_class()
    with pytest.raises(ConfigurationError, match="knows no such run"):
        undo(district, "nothing")


def test_an_undo_is_a_run_that_adds_up(district: SmallDistrict) -> None:
    district.one_class()
    all_of_it = district.scores()
    undone = undo(district, last(district))
    with closing(ledger.connect(district.ledger_url)) as connection:
        run = ledger.latest_runs(connection, "lakeview", 1)[0]
    assert (run["run"], run["mode"], run["state"]) == (undone.key, "undo", "good")
    assert run["extracted"] == run["outcomes"]["sent"] == len(all_of_it)
