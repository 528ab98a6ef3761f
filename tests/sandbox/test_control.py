from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest

from sandbox_process import request
from sandbox_records import CLASS, OTHER_CLASS, STUDENT, line_item, noon, reference, result

if TYPE_CHECKING:
    from sandbox_process import SandboxProcess

SCORE = "/scores/1755/AAA-2013J/s11391"


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/assessments/1755/AAA-2013J", {"title": "Renamed", "due_at": None}),
        (SCORE, {"status": "excluded", "points": 55.5}),
        ("/classes/AAA-2013J", {"sis_id": None}),
        ("/students/s11391", {"sis_id": None}),
        ("/staff/t1", {"sis_id": None, "role": "administrator"}),
        ("/group-members/t1", {"left_at": "2026-01-01T08:00:00Z"}),
        ("/group-members/t1/2019-08-01T07:00:00Z", {"left_at": "2026-01-01T08:00:00Z"}),
    ],
)
def test_a_patch_changes_the_fields_it_names(
    sandbox: SandboxProcess, path: str, change: dict[str, Any]
) -> None:
    before = sandbox.control("GET", path)
    after = sandbox.control("PATCH", path, change)
    assert after == before | change | {"modified_at": after["modified_at"]}
    assert after["modified_at"] > before["modified_at"]
    assert after in sandbox.feed_items(path.split("/")[1], modified_since=after["modified_at"])


def test_every_change_has_a_later_instant_than_the_one_before(sandbox: SandboxProcess) -> None:
    instants = [sandbox.control("PATCH", SCORE, {"points": n})["modified_at"] for n in range(20)]
    assert instants == sorted(set(instants))


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PATCH", SCORE, {"pionts": 1}, 422),
        ("PATCH", SCORE, {"student_id": "s1"}, 422),
        ("PATCH", SCORE, {"modified_at": "2026-01-01T00:00:00Z"}, 422),
        ("PATCH", "/scores/1755/AAA-2013J/nobody", {"points": 1}, 404),
        ("PATCH", "/nothing/1", {}, 404),
        ("PUT", "/assessments", {"id": "x"}, 422),
        ("PUT", "/assessments", {"id": "x", "class_id": "AAA-2013J", "students": 3}, 422),
        ("POST", "/roster", {"action": "enrol", "class_id": CLASS}, 422),
        ("POST", "/export-csv", {"folder": "here"}, 422),
        ("POST", "/reset", {"today": "soon"}, 422),
        ("PATCH", "/sis/periods/9203", {"status": "ajar"}, 422),
        ("PATCH", "/sis/periods/9101", {"status": "closed"}, 404),
        ("PUT", "/sis/results/r-1", {"score": 1}, 422),
        ("PATCH", "/settings", {"token_seconds": "long"}, 422),
        ("PATCH", "/settings", {"clock_skew_seconds": 0.5}, 422),
        ("PATCH", "/settings", {"whole_scores": True}, 422),
        ("PATCH", "/roster", {"class_id": CLASS, "student_id": "90000000"}, 404),
        ("PATCH", "/roster", {"class_id": CLASS, "student_id": STUDENT, "end_date": "soon"}, 422),
        ("PUT", "/sis/categories/301", {"status": "retired"}, 422),
        ("PUT", "/sis/categories/399", {"metadata": {"classId": CLASS}}, 422),
        ("POST", "/faults", {"side": "sis", "kind": "flood"}, 422),
        ("POST", "/faults", {"side": "sis", "kind": "status"}, 422),
    ],
)
def test_a_slip_of_the_pen_changes_nothing_and_says_what_is_wrong(
    seeded: SandboxProcess, method: str, path: str, body: Any, status: int
) -> None:
    reply = request(method, f"{seeded.url}/control{path}", body)
    assert reply.status == status
    assert reply.json["error"]["message"]
    assert len(seeded.feed("/assessments", limit=99).json["items"]) == 27


def test_a_new_assessment_is_assigned_to_its_whole_class(sandbox: SandboxProcess) -> None:
    before = len(sandbox.feed_items("scores"))
    order = {"id": "new", "class_id": "AAA-2013J", "title": "Extra", "type": "Quiz"}
    added = sandbox.control("PUT", "/assessments", order)
    assert (added["scores_added"], added["assigned_by"], added["points_possible"]) == (383, "t1", 100)
    scores = [item for item in sandbox.feed_items("scores") if item["assessment_id"] == "new"]
    assert {score["status"] for score in scores} == {"not_submitted"}
    sandbox.control("DELETE", "/assessments/new/AAA-2013J")
    assert len(sandbox.feed_items("scores")) == before


def test_a_score_and_a_stay_in_the_group_can_be_added_and_removed(sandbox: SandboxProcess) -> None:
    key = {"assessment_id": "1755", "class_id": "AAA-2013J", "student_id": "s1"}
    assert sandbox.control("PUT", "/scores", key)["status"] == "not_submitted"
    sandbox.control("DELETE", "/scores/1755/AAA-2013J/s1")
    sandbox.control("PUT", "/group-members", {"staff_id": "t1", "joined_at": "2026-09-01T07:00:00Z"})
    sandbox.control("PATCH", "/group-members/t1", {"left_at": "2026-10-01T07:00:00Z"})
    stays = [item for item in sandbox.feed_items("group-members") if item["staff_id"] == "t1"]
    assert [stay["left_at"] for stay in stays] == [None, "2026-10-01T07:00:00Z"]


def test_enrolling_and_dropping_a_student_changes_what_the_sis_accepts(sandbox: SandboxProcess) -> None:
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox, **{"class": reference("class", OTHER_CLASS)}))
    order = {"class_id": OTHER_CLASS, "student_id": STUDENT}
    assert sandbox.sis("PUT", "/results/r-1", result()).status == 422
    sandbox.control("POST", "/roster", order | {"action": "enroll"})
    assert sandbox.sis("PUT", "/results/r-1", result()).status == 201
    sandbox.control("POST", "/roster", order | {"action": "drop"})
    assert sandbox.sis("PUT", "/results/r-1", result()).status == 422


def test_a_class_can_be_taken_from_the_roster_and_put_back(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "/roster", {"action": "remove-class", "class_id": CLASS})
    assert sandbox.sis("GET", f"/classes/{CLASS}").status == 404
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox)).status == 422
    sandbox.control("POST", "/roster", {"action": "add-class", "class_id": CLASS, "title": "Back"})
    assert sandbox.sis("GET", f"/classes/{CLASS}").json["class"]["title"] == "Back"


def test_a_category_can_be_taken_away_and_put_back(sandbox: SandboxProcess) -> None:
    sandbox.control("DELETE", "/sis/categories/301")
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox)).status == 422
    sandbox.control("PUT", "/sis/categories/301", {"title": "Assignment"})
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox)).status == 201


def test_a_category_can_be_renamed_retired_and_added_for_one_class(sandbox: SandboxProcess) -> None:
    sandbox.control("PUT", "/sis/categories/301", {"title": "Task"})
    sandbox.control("PUT", "/sis/categories/302", {"status": "tobedeleted"})
    sandbox.control("PUT", "/sis/categories/309", {"title": "Essay", "metadata": {"classId": CLASS}})
    found = {record["sourcedId"]: record for record in sandbox.sis("GET", "/categories").json["categories"]}
    assert found["301"]["title"] == "Task"
    assert (found["302"]["title"], found["302"]["status"]) == ("Classwork", "tobedeleted")
    assert (found["309"]["title"], found["309"]["metadata"]) == ("Essay", {"classId": CLASS})
    retired = line_item(sandbox, category=reference("category", "302"))
    assert sandbox.sis("PUT", "/lineItems/li-1", retired).status == 422


@pytest.mark.parametrize(
    ("dates", "accepted"),
    [
        ({"begin_date": 200}, True),
        ({"begin_date": 201}, False),
        ({"end_date": 201}, True),
        ({"end_date": 200}, False),
        ({"begin_date": None, "end_date": None}, True),
    ],
)
def test_an_enrollment_holds_from_its_first_day_until_the_day_before_its_end(
    sandbox: SandboxProcess, dates: dict[str, int | None], *, accepted: bool
) -> None:
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    change = {name: None if day is None else noon(sandbox, day)[:10] for name, day in dates.items()}
    record = sandbox.control("PATCH", "/roster", {"class_id": CLASS, "student_id": STUDENT, **change})
    assert sandbox.sis("GET", f"/enrollments/{CLASS}-{STUDENT}").json["enrollment"].keys() == record.keys()
    assert (sandbox.sis("PUT", "/results/r-1", result()).status == 201) is accepted


def test_the_clock_of_the_sis_can_be_wrong(sandbox: SandboxProcess) -> None:
    sandbox.control("PATCH", "/settings", {"clock_skew_seconds": -3600})
    here = datetime.now(UTC)
    for reply, skew in (
        (sandbox.sis("GET", "/categories"), -3600),
        (sandbox.new_token(), -3600),
        (sandbox.feed("/classes"), 0),
    ):
        shown = parsedate_to_datetime(reply.headers["date"])
        assert abs((shown - here).total_seconds() - skew) < 30
    sandbox.reset()
    shown = parsedate_to_datetime(sandbox.sis("GET", "/categories").headers["date"])
    assert abs((shown - here).total_seconds()) < 30


def test_the_connections_are_those_of_this_district(seeded: SandboxProcess) -> None:
    info = seeded.info()
    source, sis = info["connections"]["source"], info["connections"]["sis"]
    for connection, address in ((source, info["lms"]["base_url"]), (sis, info["sis"]["base_url"])):
        built = f"{connection['schema']}://{connection['host']}:{connection['port']}"
        assert built + connection["extra"]["base_path"] == address
    assert source["password"] == info["feed"]["token"]
    assert (sis["login"], sis["password"]) == (info["sis"]["client_id"], info["sis"]["client_secret"])
    assert sis["extra"]["token_url"] == info["sis"]["token_url"]


def test_a_period_can_be_closed_and_moved(sandbox: SandboxProcess) -> None:
    sandbox.control("PATCH", "/sis/periods/9203", {"status": "closed"})
    assert "closed" in sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox)).text
    sandbox.control("PATCH", "/sis/periods/9203", {"status": "open", "start_date": "2000-01-01"})
    assert sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox)).status == 201


def test_a_hand_edit_in_the_gradebook_bypasses_every_rule(sandbox: SandboxProcess) -> None:
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    sandbox.sis("PUT", "/results/r-1", result())
    sandbox.control("PATCH", "/sis/periods/9203", {"status": "closed"})
    sandbox.control("PUT", "/sis/results/r-1", {"score": -3})
    sandbox.control(
        "PUT", "/sis/lineItems/li-1", {"title": "By hand", "category": reference("category", "308")}
    )
    held = sandbox.dump()
    assert held["results"][0]["score"] == -3
    assert held["results"][0]["student"]["sourcedId"] == STUDENT
    assert (held["lineItems"][0]["title"], held["lineItems"][0]["resultValueMax"]) == ("By hand", 100.0)
    assert len(sandbox.writes()) == 2


def test_requests_and_writes_are_counted_until_reset(sandbox: SandboxProcess) -> None:
    for _ in range(2):
        sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    sandbox.sis("GET", "/lineItems/li-1")
    counted = sandbox.requests()
    path = "/ims/oneroster/v1p1/lineItems/{sourced_id}"
    assert {"method": "PUT", "path": path, "count": 2} in counted["requests"]
    assert {"method": "GET", "path": path, "count": 1} in counted["requests"]
    assert [write["count"] for write in counted["writes"]] == [1, 1]  # one created, one replaced
    assert counted["written_more_than_once"] == 1
    sandbox.control("POST", "/requests/reset")
    assert sandbox.requests() == {"requests": [], "writes": [], "written_more_than_once": 0}
    assert len(sandbox.writes()) == 2


def test_a_reset_brings_everything_back_but_new_credentials(sandbox: SandboxProcess) -> None:
    before = sandbox.info()
    sandbox.control("PATCH", SCORE, {"points": 1})
    sandbox.sis("PUT", "/lineItems/li-1", line_item(sandbox))
    sandbox.fault("feed", "down")
    sandbox.reset()
    assert sandbox.control("GET", SCORE)["points"] != 1
    assert sandbox.dump()["lineItems"] == []
    assert sandbox.writes() == []
    assert sandbox.info() | {"seeded_at": ""} == before | {"seeded_at": ""}
    assert sandbox.info()["seeded_at"] > before["seeded_at"]
