"""Aeries' native gradebook interface: what it answers, and what it does silently."""

from __future__ import annotations

import http.client
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox_process import request, start_sandbox
from sandbox_records import STUDENT, line_item, noon, reference, result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_process import Reply, SandboxProcess

CLASS = "994_100101"
GRADEBOOK, WITHOUT_PROJECT, ELEMENTARY = 4_100_101, 4_100_102, 4_000_421
LINKED, ITS_SIBLING, LAST_YEARS = 4_300_101, 4_300_102, 3_100_101
OTHER_STUDENT = 90_028_400
NOT_IN_CLASS = 91_234_567
TMA = {"Description": "TMA 4", "PointsPossible": 100}
BROKEN = (http.client.HTTPException, ConnectionError)


class Native:
    """A client of the native interface."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.sandbox = sandbox
        connection = sandbox.info()["connections"]["native"]
        self.base = f"http://{connection['host']}:{connection['port']}{connection['extra']['base_path']}"
        self.certificate: str = connection["password"]
        self.this_year = int(connection["extra"]["database_year"])

    def __call__(self, method: str, path: str, body: Any = None, *, certificate: str | None = None) -> Reply:
        given = self.certificate if certificate is None else certificate
        return request(method, self.base + path, body, {"AERIES-CERT": given})

    def get(self, path: str) -> Any:
        reply = self("GET", path)
        assert reply.status == 200, reply.text
        return reply.json

    def insert(self, gradebook: int = GRADEBOOK, **changes: Any) -> list[dict[str, Any]]:
        reply = self("POST", f"/gradebooks/{gradebook}/Assignments", {**TMA, **changes})
        assert reply.status == 201, reply.text
        inserted: list[dict[str, Any]] = reply.json
        return inserted

    def update(self, unique_id: str, **changes: Any) -> list[dict[str, Any]]:
        reply = self("PUT", f"/gradebooks/Assignments/{unique_id}", {**TMA, **changes})
        assert reply.status == 200, reply.text
        updated: list[dict[str, Any]] = reply.json
        return updated

    def score(self, unique_id: str, *scores: dict[str, Any]) -> Reply:
        return self("POST", f"/gradebooks/assignments/{unique_id}/Scores", list(scores))

    def score_of(self, unique_id: str, student: int = int(STUDENT)) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/gradebooks/assignments/{unique_id}/scores/{student}")
        return found


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("native"), sis="aeries", modules="AAA") as sandbox:
        yield sandbox


@pytest.fixture
def aeries(process: SandboxProcess) -> SandboxProcess:
    process.reset()
    return process


@pytest.fixture
def native(aeries: SandboxProcess) -> Native:
    return Native(aeries)


def today(native: Native) -> str:
    return f"{native.sandbox.info()['seeding_date']}T00:00:00"


def message(reply: Reply, status: int) -> str:
    assert reply.status == status, reply.text
    (name,) = reply.json
    assert name == "Message"
    said: str = reply.json["Message"]
    return said


# --- Who may ask ---


def test_the_certificate_is_32_hexadecimal_digits_and_survives_a_reset(native: Native) -> None:
    before = native.certificate
    assert len(bytes.fromhex(before)) == 16
    native.sandbox.reset()
    assert Native(native.sandbox).certificate == before


@pytest.mark.parametrize("change", [str.upper, lambda text: text[:-1], lambda _: ""])
def test_any_other_certificate_is_refused(native: Native, change: Any) -> None:
    native.sandbox.control("PATCH", "/settings", {"certificate": "abcdef0123456789" * 2})
    native.certificate = Native(native.sandbox).certificate
    assert native("GET", f"/gradebooks/{GRADEBOOK}").status == 200
    wrong = native("GET", f"/gradebooks/{GRADEBOOK}", certificate=change(native.certificate))
    assert message(wrong, 401) == "Authorization has been denied for this request."


@pytest.mark.parametrize(
    ("area", "kept", "method", "path"),
    [
        ("Gradebook Data", "update", "GET", f"/gradebooks/{GRADEBOOK}"),
        ("Gradebook Data", "read", "POST", f"/gradebooks/{GRADEBOOK}/Assignments"),
        ("Gradebook Scores", "update", "GET", f"/gradebooks/{GRADEBOOK}/assignments/1/scores"),
        ("Gradebook Scores", "read", "POST", f"/gradebooks/{GRADEBOOK}/assignments/1/Scores"),
    ],
)
def test_a_missing_permission_is_named(native: Native, area: str, kept: str, method: str, path: str) -> None:
    native.sandbox.control("PATCH", "/settings", {"permissions": {area: [kept]}})
    lacking = "update" if kept == "read" else "read"
    assert message(native(method, path, {}), 403) == f"Permission missing: {lacking} on {area}."


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", f"/gradebooks/{GRADEBOOK}/assignments/1", 405),
        ("DELETE", f"/gradebooks/{GRADEBOOK}/assignments/1/scores/{STUDENT}", 405),
        ("PATCH", f"/gradebooks/{GRADEBOOK}", 405),
        ("GET", "/gradebooks", 404),
        ("GET", "/gradebooks/1", 404),
        ("GET", f"/gradebooks/{GRADEBOOK}/assignments/1", 404),
        ("GET", "/gradebooks/Assignments/00000000-0000-0000-0000-000000000000", 404),
        ("GET", f"/gradebooks/{GRADEBOOK}/X/students", 404),
        ("GET", f"/gradebooks/{GRADEBOOK}/F/students/{NOT_IN_CLASS}", 404),
        ("POST", f"/gradebooks/{GRADEBOOK}/assignments/1/Scores", 404),
    ],
)
def test_what_is_not_there_is_said_in_a_message(native: Native, method: str, path: str, status: int) -> None:
    assert message(native(method, path, [] if method == "POST" else None), status)


# --- Gradebooks ---


@pytest.mark.parametrize(
    ("path", "numbers"),
    [
        ("/schools/994/sections/100101/gradebooks", [GRADEBOOK]),
        ("/schools/990/sections/421/gradebooks", [ELEMENTARY]),
        ("/schools/991/sections/2101/gradebooks", [4_002_101]),
        ("/schools/994/sections/300101/gradebooks", [LINKED]),
        ("/schools/994/sections/300201/gradebooks", []),
        ("/schools/994/sections/1/gradebooks", []),
        ("/staff/80000001/gradebooks", [GRADEBOOK]),
        ("/staff/80000093/gradebooks", [LINKED, ITS_SIBLING]),
        ("/staff/1/gradebooks", []),
    ],
)
def test_gradebooks_are_found_by_section_and_by_teacher(
    native: Native, path: str, numbers: list[int]
) -> None:
    assert [found["GradebookNumber"] for found in native.get(path)] == numbers


def test_a_gradebook_says_its_section_categories_and_terms(native: Native) -> None:
    found = native.get(f"/gradebooks/{GRADEBOOK}")
    assert found == native.get("/schools/994/sections/100101/gradebooks")[0]
    assert found["Sections"] == [{"GradebookNumber": GRADEBOOK, "SchoolCode": 994, "SectionNumber": 100_101}]
    categories = [(each["Code"], each["Description"]) for each in found["AssignmentCategories"]]
    assert categories[:2] == [("A", "Assignment"), ("C", "Classwork")]
    assert "".join(code for code, _ in categories) == "ACHPLOQT"
    assert [term["Code"] for term in found["Terms"]] == ["F", "S"]
    assert found["LinkedGroup"] == 0
    assert found["Settings"]["SingleTermGradebook"] is False


def test_a_category_is_called_what_oneroster_calls_it(native: Native) -> None:
    native.sandbox.control("PUT", f"/sis/categories/{CLASS}_HW", {"title": "Home work"})
    descriptions = {
        each["Code"]: each["Description"]
        for each in native.get(f"/gradebooks/{GRADEBOOK}")["AssignmentCategories"]
    }
    assert descriptions["H"] == "Home work"
    others = native.get(f"/gradebooks/{WITHOUT_PROJECT}")["AssignmentCategories"]
    assert "".join(each["Code"] for each in others) == "ACHLOQT"


def test_linked_gradebooks_are_of_one_teacher_school_and_group(native: Native) -> None:
    first, second = native.get("/staff/80000093/gradebooks")
    names = ("LinkedGroup", "SchoolCode", "TeacherNumber")
    assert [first[name] for name in names] == [second[name] for name in names] == [1, 994, 80_000_093]


def test_an_elementary_school_without_master_schedule_is_reached_by_the_teachers_number(
    native: Native,
) -> None:
    (found,) = native.get("/schools/990/sections/421/gradebooks")
    assert found["TeacherNumber"] == found["Sections"][0]["SectionNumber"] == 421
    assert found["Settings"]["SingleTermGradebook"] is True
    assert [term["Code"] for term in found["Terms"]] == ["Y"]
    assert len(native.get(f"/gradebooks/{ELEMENTARY}/Y/students")) == 5
    (made,) = native.insert(ELEMENTARY)
    assert native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 7}).status == 200
    assert native.score_of(made["UniqueID"])["PointsEarned"] == 7


def test_a_section_may_have_several_gradebooks_and_oneroster_knows_the_first(native: Native) -> None:
    native.sandbox.control("POST", "/native/gradebooks", {"class_id": CLASS, "Name": "Honours"})
    first, second = native.get("/schools/994/sections/100101/gradebooks")
    assert (first["GradebookNumber"], second["Name"]) == (GRADEBOOK, "Honours")
    native.sandbox.sis("PUT", "/lineItems/li-1", item(native))
    assert len(native.get(f"/gradebooks/{GRADEBOOK}/assignments")) == 1
    assert native.get(f"/gradebooks/{second['GradebookNumber']}/assignments") == []


def test_a_gradebook_that_is_removed_takes_its_assignments_along(native: Native) -> None:
    (made,) = native.insert()
    native.sandbox.control("DELETE", f"/native/gradebooks/{GRADEBOOK}")
    assert native.get("/schools/994/sections/100101/gradebooks") == []
    assert native("GET", f"/gradebooks/Assignments/{made['UniqueID']}").status == 404
    assert native.sandbox.dump()["lineItems"] == []


def test_a_teacher_changes_a_gradebook(native: Native) -> None:
    term = {"Code": "1", "Name": "Quarter", "StartDate": "2026-09-01", "EndDate": "2026-10-31"}
    change = {"Name": "Period 3", "LinkedGroup": 7, "Terms": [term], "Settings": {"CountCompletedNow": True}}
    native.sandbox.control("PATCH", f"/native/gradebooks/{GRADEBOOK}", change)
    found = native.get(f"/gradebooks/{GRADEBOOK}")
    assert (found["Name"], found["LinkedGroup"]) == ("Period 3", 7)
    assert (found["StartDate"], found["EndDate"]) == ("2026-09-01T00:00:00", "2026-10-31T00:00:00")
    assert found["Settings"]["CountCompletedNow"] is True
    assert found["Settings"]["ShowFinalMark"] is True


def test_what_a_teacher_deletes_is_gone_over_oneroster_too(native: Native) -> None:
    (made,) = native.insert()
    native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 5})
    native.sandbox.control("DELETE", f"/native/assignments/{made['UniqueID']}")
    assert native.get(f"/gradebooks/{GRADEBOOK}/assignments") == []
    assert native.sandbox.dump() == {"lineItems": [], "results": []}


def test_final_marks_are_ranges(native: Native) -> None:
    for name in ("FinalMarks", "finalmarks"):
        marks = native.get(f"/gradebooks/{GRADEBOOK}/{name}")
        assert marks[0] == {"Mark": "A", "LowValue": 90, "HighValue": 110}


def test_a_dropped_student_keeps_an_early_end_date(native: Native) -> None:
    end = noon(native.sandbox, 100)[:10]
    change = {"class_id": CLASS, "student_id": STUDENT, "end_date": end}
    native.sandbox.control("PATCH", "/roster", change)
    everybody = native.get(f"/gradebooks/{GRADEBOOK}/F/students")
    dropped = next(each for each in everybody if each["StudentID"] == int(STUDENT))
    last = (date.fromisoformat(end) - timedelta(days=1)).isoformat()
    assert (dropped["EndDate"], dropped["InactiveTag"]) == (f"{last}T00:00:00", "I")
    assert native.get(f"/gradebooks/{GRADEBOOK}/F/students/{STUDENT}") == dropped
    term = native.get(f"/gradebooks/{GRADEBOOK}")["Terms"][0]
    assert {each["EndDate"] for each in everybody if each is not dropped} == {term["EndDate"]}


# --- The school year ---


@pytest.mark.parametrize("asked", ["", "?DatabaseYear=", "?DatabaseYear=1999", "?DatabaseYear=this"])
@pytest.mark.parametrize("default", [0, -1])
def test_a_year_that_there_is_not_is_silently_the_default_year(
    native: Native, asked: str, default: int
) -> None:
    native.sandbox.control("PATCH", "/settings", {"database_year": native.this_year + default})
    (found,) = native.get(f"/schools/994/sections/100101/gradebooks{asked}")
    assert found["GradebookNumber"] == (LAST_YEARS if default else GRADEBOOK)
    assert found["StartDate"].startswith(str(native.this_year + default))


@pytest.mark.parametrize("name", ["DatabaseYear", "databaseyear"])
def test_the_year_that_is_asked_for_is_answered(native: Native, name: str) -> None:
    year = f"?{name}={native.this_year - 1}"
    (found,) = native.get(f"/schools/994/sections/100101/gradebooks{year}")
    assert found["GradebookNumber"] == LAST_YEARS
    assert native("GET", f"/gradebooks/{GRADEBOOK}{year}").status == 404
    assert native("GET", f"/gradebooks/{LAST_YEARS}").status == 404


def test_what_is_written_into_last_years_gradebook_is_not_in_this_year(native: Native) -> None:
    native.sandbox.control("PATCH", "/settings", {"database_year": native.this_year - 1})
    (made,) = native.insert(LAST_YEARS)
    native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 1})
    assert native.score_of(made["UniqueID"])["NumberCorrect"] == 1
    assert native.sandbox.dump() == {"lineItems": [], "results": []}
    last, this = str(native.this_year - 1), str(native.this_year)
    years = native.sandbox.control("GET", "/native")["years"]
    assert [len(years[year]["scores"]) for year in (last, this)] == [1, 0]
    assert {write["sourced_id"].split("/")[0] for write in native.sandbox.writes()} == {last}
    native.sandbox.control("PATCH", "/settings", {"database_year": native.this_year})
    assert native("GET", f"/gradebooks/Assignments/{made['UniqueID']}").status == 404


# --- Inserting an assignment ---


def test_an_assignment_is_inserted_as_it_was_sent(native: Native) -> None:
    (made,) = native.insert(
        Description="Essay",
        AssignmentCategoryCode="H",
        DateAssigned="2026-11-01",
        DateDue="2026/11/09",
        NumberCorrectPossible=20,
        PointsPossible=50.5,
        Comment="Bring a pen",
        FormativeSummativeIndicator="F",
        ExternalID="key-1",
    )
    assert (made["AssignmentNumber"], made["GradebookNumber"]) == (1, GRADEBOOK)
    assert (made["DateAssigned"], made["DateDue"]) == ("2026-11-01T00:00:00", "2026-11-09T00:00:00")
    assert made["AssignmentCategory"]["Description"] == "Homework"
    assert (made["NumberCorrectPossible"], made["PointsPossible"]) == (20, 50.5)
    assert (made["Comment"], made["FormativeSummativeIndicator"]) == ("Bring a pen", "F")
    assert (made["ExternalID"], made["GradingCompleted"]) == ("key-1", False)
    for path in (f"{GRADEBOOK}/assignments/1", f"Assignments/{made['UniqueID'].upper()}"):
        assert native.get(f"/gradebooks/{path}") == made
    assert native.get(f"/gradebooks/{GRADEBOOK}/assignments") == [made]


@pytest.mark.parametrize("code", [None, "", "Z", "HW", "h", "Homework"])
def test_a_wrong_category_is_silently_the_first(native: Native, code: str | None) -> None:
    (made,) = native.insert(AssignmentCategoryCode=code)
    assert made["AssignmentCategory"]["Code"] == "A"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"DateAssigned": "2026-11-01"}, "2026-11-01T00:00:00"),
        ({"DateDue": "2026-11-02"}, "2026-11-02T00:00:00"),
        ({}, None),
    ],
)
def test_a_missing_date_is_the_other_one_or_today(
    native: Native, given: dict[str, Any], wanted: str | None
) -> None:
    (made,) = native.insert(**given)
    assert made["DateAssigned"] == made["DateDue"] == (wanted or today(native))


@pytest.mark.parametrize("correct", [0, None])
def test_without_a_number_correct_possible_it_is_the_points(native: Native, correct: int | None) -> None:
    (made,) = native.insert(NumberCorrectPossible=correct, PointsPossible=40)
    assert made["NumberCorrectPossible"] == 40


@pytest.mark.parametrize("indicator", [None, "", "X", "f"])
def test_an_unknown_indicator_is_summative(native: Native, indicator: str | None) -> None:
    (made,) = native.insert(FormativeSummativeIndicator=indicator)
    assert made["FormativeSummativeIndicator"] == "S"


def test_a_rubric_has_no_points_and_takes_its_values(native: Native) -> None:
    (made,) = native.insert(RubricAssignment=True, NumberCorrectPossible=4)
    assert (made["NumberCorrectPossible"], made["PointsPossible"]) == (0, 0)
    native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 3})
    score = native.score_of(made["UniqueID"])
    assert (score["NumberCorrect"], score["PointsEarned"], score["PointsPossible"]) == (3, 3, 0)


@pytest.mark.parametrize("given", [{}, {"CreateInLinkedGradebooksToo": True}])
def test_unless_told_otherwise_it_is_inserted_into_the_linked_gradebooks_too(
    native: Native, given: dict[str, Any]
) -> None:
    made = native.insert(LINKED, ExternalID="key-1", **given)
    assert [each["GradebookNumber"] for each in made] == [LINKED, ITS_SIBLING]
    assert len({each["UniqueID"] for each in made}) == 2
    assert native.get(f"/gradebooks/{ITS_SIBLING}/assignments") == made[1:]
    native.update(made[0]["UniqueID"], Description="Renamed")
    assert native.get(f"/gradebooks/{ITS_SIBLING}/assignments")[0]["Description"] == "Renamed"


def test_told_otherwise_the_linked_gradebooks_stay_as_they_are(native: Native) -> None:
    native.insert(LINKED, CreateInLinkedGradebooksToo=False)
    assert native.get(f"/gradebooks/{ITS_SIBLING}/assignments") == []
    first, second = native.insert(LINKED)
    native.update(first["UniqueID"], Description="Renamed", UpdateLinkedGradebooksToo=False)
    assert native.get(f"/gradebooks/{ITS_SIBLING}/assignments") == [second]


@pytest.mark.parametrize(
    "changes",
    [
        {"Description": None},
        {"Description": 7},
        {"Description": "x" * 256},
        {"PointsPossible": -1},
        {"PointsPossible": "many"},
        {"NumberCorrectPossible": True},
        {"DateDue": "soon"},
        {"DateDue": 20261109},
        {"RubricAssignment": "yes"},
        {"CreateInLinkedGradebooksToo": "no"},
        {"ExternalID": 5},
    ],
)
def test_a_field_that_cannot_be_is_refused_and_nothing_is_stored(
    native: Native, changes: dict[str, Any]
) -> None:
    reply = native("POST", f"/gradebooks/{GRADEBOOK}/Assignments", TMA | changes)
    assert next(iter(changes)) in message(reply, 400)
    assert native.get(f"/gradebooks/{GRADEBOOK}/assignments") == []


@pytest.mark.parametrize("body", ["", "[]", "null", "{"])
def test_a_body_that_is_no_object_is_refused(native: Native, body: str) -> None:
    assert message(native("POST", f"/gradebooks/{GRADEBOOK}/Assignments", body), 400)


def test_a_title_may_be_empty_or_long_and_unknown_fields_are_passed_over(native: Native) -> None:
    for title in ("", "x" * 255):
        (made,) = native.insert(Description=title, Mark="A")
        assert made["Description"] == title
        assert "Mark" not in made


# --- Updating it ---


def test_an_update_replaces_the_whole_assignment(native: Native) -> None:
    (made,) = native.insert(
        AssignmentCategoryCode="T",
        DateDue="2026-11-09",
        Comment="Bring a pen",
        FormativeSummativeIndicator="F",
        ExternalID="key-1",
        NumberCorrectPossible=20,
    )
    path = f"/native/assignments/{made['UniqueID']}"
    native.sandbox.control("PATCH", path, {"GradingCompleted": True, "VisibleToParents": False})
    (changed,) = native.update(made["UniqueID"], Description="Essay")
    assert changed["Description"] == "Essay"
    assert (changed["Comment"], changed["ExternalID"], changed["GradingCompleted"]) == ("", "", False)
    assert (changed["AssignmentCategory"]["Code"], changed["DateDue"]) == ("A", today(native))
    assert (changed["FormativeSummativeIndicator"], changed["NumberCorrectPossible"]) == ("S", 100)
    assert changed["VisibleToParents"] is False, "a field that an update cannot name stays"
    assert (changed["UniqueID"], changed["AssignmentNumber"]) == (made["UniqueID"], 1)


def test_an_update_that_says_everything_changes_nothing_else(native: Native) -> None:
    everything = {"Comment": "Bring a pen", "ExternalID": "key-1", "AssignmentCategoryCode": "Q"}
    (made,) = native.insert(DateDue="2026-11-09", DateAssigned="2026-11-01", **everything)
    reply = native(
        "PUT",
        f"/gradebooks/{GRADEBOOK}/assignments/1",
        TMA | everything | {"DateDue": made["DateDue"], "DateAssigned": made["DateAssigned"]},
    )
    assert reply.json == [made]


def test_an_update_needs_its_points(native: Native) -> None:
    (made,) = native.insert()
    reply = native("PUT", f"/gradebooks/Assignments/{made['UniqueID']}", {"Description": "Essay"})
    assert message(reply, 400) == "PointsPossible is required."


def test_the_teacher_changes_the_number_and_the_unique_id_stays(native: Native) -> None:
    first, second = native.insert()[0], native.insert(Description="TMA 5")[0]
    path = f"/native/assignments/{first['UniqueID']}"
    native.sandbox.control("PATCH", path, {"AssignmentNumber": 80})
    assert native("GET", f"/gradebooks/{GRADEBOOK}/assignments/1").status == 404
    assert native.get(f"/gradebooks/Assignments/{first['UniqueID']}")["AssignmentNumber"] == 80
    with pytest.raises(AssertionError, match="Another assignment has this number"):
        native.sandbox.control("PATCH", path, {"AssignmentNumber": second["AssignmentNumber"]})


# --- Scores ---


def test_a_batch_of_scores_answers_all_scores_of_the_assignment(native: Native) -> None:
    (made,) = native.insert(DateDue="2026-11-09")
    native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 78})
    sent = {"StudentID": OTHER_STUDENT, "NumberCorrect": 0, "DateCompleted": "2026/11/07"}
    answered = native.score(made["UniqueID"], sent)
    assert answered.status == 200
    members = native.get(f"/gradebooks/{GRADEBOOK}/F/students")
    assert [each["StudentID"] for each in answered.json] == [each["StudentID"] for each in members]
    scored = {each["StudentID"]: each for each in answered.json if each["Mark"]}
    assert set(scored) == {int(STUDENT), OTHER_STUDENT}
    assert scored[int(STUDENT)]["DateCompleted"] == "2026-11-09T00:00:00", "the due date"
    assert scored[OTHER_STUDENT]["DateCompleted"] == "2026-11-07T00:00:00"
    assert (scored[OTHER_STUDENT]["NumberCorrect"], scored[OTHER_STUDENT]["Mark"]) == (0, "0.0000")
    for path in (f"{GRADEBOOK}/assignments/1/scores", f"Assignments/{made['UniqueID']}/Scores"):
        assert native.get(f"/gradebooks/{path}") == answered.json
    assert (
        native.get(f"/gradebooks/{GRADEBOOK}/Assignments/1/scores/{OTHER_STUDENT}") == scored[OTHER_STUDENT]
    )


@pytest.mark.parametrize(("sent", "kept"), [(78.5, 78.5), (78.12345, 78.1235), ("12.5", 12.5), (140, 140)])
def test_a_score_has_four_decimal_places(native: Native, sent: Any, kept: float) -> None:
    (made,) = native.insert()
    native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": sent})
    assert native.score_of(made["UniqueID"])["NumberCorrect"] == kept


def test_points_are_earned_in_proportion_to_what_is_correct(native: Native) -> None:
    (made,) = native.insert(NumberCorrectPossible=20, PointsPossible=50)
    native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 15.5})
    score = native.score_of(made["UniqueID"])
    assert (score["NumberCorrect"], score["PointsEarned"], score["PercentCorrect"]) == (15.5, 38.75, 77.5)
    assert native.sandbox.dump()["results"][0]["score"] == 38.75


@pytest.mark.parametrize(
    "wrong",
    [
        {"StudentID": NOT_IN_CLASS, "NumberCorrect": 5},
        {"StudentID": None, "NumberCorrect": 5},
        {"NumberCorrect": 5},
        {"StudentID": OTHER_STUDENT},
        {"StudentID": OTHER_STUDENT, "NumberCorrect": "good"},
        {"StudentID": OTHER_STUDENT, "NumberCorrect": 5, "DateCompleted": "late"},
        {"StudentID": OTHER_STUDENT, "StandardScores": [{"AeriesStandardID": "A", "NumberCorrect": 1}]},
        {"StudentID": int(STUDENT), "NumberCorrect": 6},
        7,
    ],
)
def test_one_wrong_score_refuses_the_whole_batch(native: Native, wrong: Any) -> None:
    (made,) = native.insert()
    reply = native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 5}, wrong)
    assert str(NOT_IN_CLASS) not in message(reply, 400)
    assert native.sandbox.dump()["results"] == []


def test_a_dropped_student_takes_no_score_and_keeps_the_old_one(native: Native) -> None:
    (made,) = native.insert()
    native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 5})
    change = {"class_id": CLASS, "student_id": STUDENT, "end_date": noon(native.sandbox, 100)[:10]}
    native.sandbox.control("PATCH", "/roster", change)
    reply = native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 6})
    assert message(reply, 400) == "Invalid Student ID"
    assert native.score_of(made["UniqueID"])["NumberCorrect"] == 5


def test_who_has_no_mark_is_missing_once_grading_is_completed(native: Native) -> None:
    (made,) = native.insert()
    assert native.score_of(made["UniqueID"])["IsMissing"] is False
    (changed,) = native.update(made["UniqueID"], GradingCompleted=True)
    assert changed["GradingCompleted"] is True
    missing = native.score_of(made["UniqueID"])
    assert (missing["IsMissing"], missing["Mark"], missing["NumberCorrect"]) == (True, "", None)
    native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 0})
    assert native.score_of(made["UniqueID"])["IsMissing"] is False


@pytest.mark.parametrize(("old_form", "null"), [(False, None), (True, "0001-01-01T00:00:00")])
def test_a_null_date_may_have_the_older_form(native: Native, old_form: bool, null: str | None) -> None:  # noqa: FBT001 - a table
    native.sandbox.control("PATCH", "/settings", {"null_dates_as_year_one": old_form})
    (made,) = native.insert()
    assert made["DueTime"] == null
    assert native.score_of(made["UniqueID"])["DateCompleted"] == null


# --- One state with OneRoster ---


def item(native: Native, **changes: Any) -> Any:
    given = {"class": reference("class", CLASS), "category": reference("category", "HW")}
    return line_item(native.sandbox, **{"gradingPeriod": ..., **given, **changes})


def test_what_is_written_natively_is_seen_over_oneroster(native: Native) -> None:
    (made,) = native.insert(AssignmentCategoryCode="Q", DateDue="2026-11-09", Comment="Bring a pen")
    native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 78.5})
    (found,) = native.sandbox.sis("GET", f"/classes/{CLASS}/lineItems").json["lineItems"]
    assert found["sourcedId"] == made["UniqueID"]
    assert (found["title"], found["resultValueMax"]) == ("TMA 4", 100)
    assert (found["dueDate"], found["description"]) == ("2026-11-09T12:00:00.000Z", "Bring a pen")
    assert found["category"]["sourcedId"] == f"{CLASS}_QZ"
    (seen,) = native.sandbox.sis("GET", f"/classes/{CLASS}/results").json["results"]
    assert (seen["student"]["sourcedId"], seen["score"], seen["scoreDate"]) == (STUDENT, 78.5, "2026-11-09")
    assert seen["lineItem"]["href"].startswith(native.sandbox.url)


def test_what_is_written_over_oneroster_is_seen_natively(native: Native) -> None:
    native.sandbox.sis("PUT", "/lineItems/li-1", item(native))
    native.sandbox.sis("PUT", "/results/r-1", result(score=78))
    (found,) = native.get(f"/gradebooks/{GRADEBOOK}/assignments")
    assert (found["AssignmentNumber"], found["Description"]) == (1, "TMA 4 (AAA 2013J)")
    assert (found["AssignmentCategory"]["Code"], found["ExternalID"]) == ("H", "")
    assert found["UniqueID"] != "li-1"
    assert native.score_of(found["UniqueID"])["NumberCorrect"] == 78
    native.score(found["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 80})
    (kept,) = native.sandbox.dump()["results"]
    assert (kept["sourcedId"], kept["score"]) == ("r-1", 80)


def test_an_assignment_keeps_its_ids_when_oneroster_changes_it_and_goes_when_it_goes(native: Native) -> None:
    native.sandbox.sis("PUT", "/lineItems/li-1", item(native))
    (before,) = native.get(f"/gradebooks/{GRADEBOOK}/assignments")
    native.sandbox.sis("PUT", "/lineItems/li-1", item(native, title="Renamed"))
    (after,) = native.get(f"/gradebooks/{GRADEBOOK}/assignments")
    assert after == before | {"Description": "Renamed"}
    native.sandbox.control("DELETE", "/sis/lineItems/li-1")
    assert native.get(f"/gradebooks/{GRADEBOOK}/assignments") == []
    assert native("GET", f"/gradebooks/Assignments/{before['UniqueID']}").status == 404


def test_who_is_exempt_over_oneroster_is_marked_na(native: Native) -> None:
    (made,) = native.insert(GradingCompleted=True)
    exempt = result(scoreStatus="exempt", score=0, lineItem=reference("lineItem", made["UniqueID"]))
    native.sandbox.sis("PUT", "/results/r-1", exempt)
    score = native.score_of(made["UniqueID"])
    assert (score["Mark"], score["NumberCorrect"], score["IsMissing"]) == ("NA", None, False)


def test_ids_are_the_same_after_a_reset(native: Native) -> None:
    before = native.insert(LINKED)
    native.sandbox.reset()
    assert native.insert(LINKED) == before


def test_everything_survives_a_kill(native: Native) -> None:
    (made,) = native.insert()
    native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 5})
    native.sandbox.kill()
    native.sandbox.restart()
    assert native.score_of(made["UniqueID"])["NumberCorrect"] == 5


# --- The log of writes, faults ---


def test_a_batch_logs_every_score_that_it_writes(native: Native) -> None:
    (made,) = native.insert()
    batch = [
        {"StudentID": int(STUDENT), "NumberCorrect": 5},
        {"StudentID": OTHER_STUDENT, "NumberCorrect": 6},
    ]
    native.score(made["UniqueID"], *batch)
    native.score(made["UniqueID"], {"StudentID": NOT_IN_CLASS, "NumberCorrect": 5})
    logged = [
        (write["method"], write["kind"], write["sourced_id"], write["status"], write["stored"])
        for write in native.sandbox.writes()
    ]
    stored = [kept["sourcedId"] for kept in native.sandbox.dump()["results"]]
    assert logged[0] == ("POST", "lineItem", made["UniqueID"], 201, True)
    assert sorted(logged[1:3]) == [("POST", "result", sourced_id, 200, True) for sourced_id in stored]
    assert logged[3:] == [("POST", "result", "", 400, False)]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_status_on_order_has_aeries_form(native: Native, status: int) -> None:
    match = {"method": "GET", "path": "/aeries/api/v5/"}
    native.sandbox.fault("sis", "status", status=status, retry_after=2, times=1, match=match)
    reply = native("GET", f"/gradebooks/{GRADEBOOK}")
    assert message(reply, status) == "A fault on order."
    assert reply.headers["retry-after"] == "2"
    assert native("GET", f"/gradebooks/{GRADEBOOK}").status == 200


def test_an_insert_whose_answer_is_lost_is_stored(native: Native) -> None:
    native.sandbox.fault("sis", "drop-after-commit", match={"method": "POST"}, times=1)
    with pytest.raises(BROKEN):
        native.insert(ExternalID="key-1")
    (kept,) = native.get(f"/gradebooks/{GRADEBOOK}/assignments")
    assert kept["ExternalID"] == "key-1"


def test_scores_that_are_not_stored_are_not_answered_either(native: Native) -> None:
    (made,) = native.insert()
    native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 5})
    native.sandbox.fault("sis", "store-nothing", match={"path": "/Scores$"}, times=1)
    reply = native.score(made["UniqueID"], {"StudentID": int(STUDENT), "NumberCorrect": 6})
    assert reply.status == 200
    assert [each["NumberCorrect"] for each in reply.json if each["Mark"]] == [5]
    assert native.sandbox.writes()[-1]["stored"] is False


def test_an_insert_that_is_not_stored_is_answered_as_if_it_were(native: Native) -> None:
    native.sandbox.fault("sis", "store-nothing", match={"path": "/Assignments$"}, times=1)
    (made,) = native.insert()
    assert native("GET", f"/gradebooks/Assignments/{made['UniqueID']}").status == 404


def test_a_part_of_a_batch_may_be_stored(native: Native) -> None:
    (made,) = native.insert()
    native.sandbox.fault("sis", "partial-bulk", stores=1, match={"path": "/Scores$"}, times=1)
    batch = [
        {"StudentID": int(STUDENT), "NumberCorrect": 5},
        {"StudentID": OTHER_STUDENT, "NumberCorrect": 6},
    ]
    reply = native.score(made["UniqueID"], *batch)
    assert [each["StudentID"] for each in reply.json if each["Mark"]] == [int(STUDENT)]


@pytest.mark.parametrize(("kind", "left"), [("empty", 0), ("bad-item", 1)])
def test_a_listing_may_be_spoilt(native: Native, kind: str, left: int) -> None:
    native.insert()
    native.sandbox.fault("sis", kind, times=1)
    spoilt = native.get(f"/gradebooks/{GRADEBOOK}/assignments")
    assert len(spoilt) == left
    assert all("UniqueID" not in each for each in spoilt)
