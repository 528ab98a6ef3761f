from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlencode

import pytest

from sandbox_process import Reply, SandboxProcess, request, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

ROSTER = {"1.1": "/lms/ims/oneroster/v1p1", "1.2": "/lms/ims/oneroster/rostering/v1p2"}
GRADEBOOK = {"1.1": "/lms/ims/oneroster/v1p1", "1.2": "/lms/ims/oneroster/gradebook/v1p2"}
LINE_ITEM = "1755~AAA-2013J"
CLASS = "1001-01"
SCORE = "/scores/1755/AAA-2013J/s11391"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    folder = tmp_path_factory.mktemp("lms")
    with start_sandbox(folder, lms="oneroster", sis="generic", modules="AAA") as sandbox:
        yield sandbox


@pytest.fixture
def token(running: SandboxProcess) -> str:
    return str(new_token(running).json["access_token"])


@pytest.fixture
def sandbox(running: SandboxProcess) -> Iterator[SandboxProcess]:
    """A platform to change; afterwards it is as before."""
    yield running
    running.reset()


def new_token(sandbox: SandboxProcess, *, in_form: bool = False, **form: str) -> Reply:
    lms = sandbox.info()["lms"]
    fields = {"grant_type": "client_credentials"}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if in_form:
        fields |= {"client_id": lms["client_id"], "client_secret": lms["client_secret"]}
    else:
        pair = f"{quote_plus(lms['client_id'])}:{quote_plus(lms['client_secret'])}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return request("POST", lms["token_url"], urlencode(fields | form), headers)


def ask(sandbox: SandboxProcess, token: str, path: str, **query: Any) -> Reply:
    url = f"{sandbox.url}{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
    return request("GET", url, headers={"Authorization": f"Bearer {token}"})


def everything(sandbox: SandboxProcess, token: str, path: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        reply = ask(sandbox, token, path, limit=1000, offset=len(found), **query)
        assert reply.status == 200, reply.text
        (page,) = reply.json.values()
        found += page
        if not page or len(found) >= int(reply.headers["x-total-count"]):
            return found


def result_of(sandbox: SandboxProcess, token: str, version: str) -> dict[str, Any]:
    """The result of one student on one line item."""
    reply = ask(sandbox, token, f"{GRADEBOOK[version]}/results/{LINE_ITEM}~s11391")
    found: dict[str, Any] = reply.json["result"]
    return found


@pytest.mark.parametrize("in_form", [False, True])
def test_a_token_is_given_for_the_platforms_own_credentials(
    running: SandboxProcess, *, in_form: bool
) -> None:
    given = new_token(running, in_form=in_form)
    assert (given.status, given.json["token_type"].lower(), given.json["expires_in"]) == (200, "bearer", 3600)
    assert ask(running, given.json["access_token"], ROSTER["1.2"] + "/classes").status == 200


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"client_secret": "wrong"}, 401),
        ({"client_id": "passback-sandbox"}, 401),
        ({"grant_type": "password"}, 400),
        ({"scope": "everything"}, 400),
    ],
)
def test_other_credentials_get_none(running: SandboxProcess, form: dict[str, str], status: int) -> None:
    assert new_token(running, in_form=True, **form).status == status


def test_tokens_of_sis_and_platform_are_not_mixed_up(running: SandboxProcess, token: str) -> None:
    of_sis = running.new_token().json["access_token"]
    assert ask(running, of_sis, ROSTER["1.2"] + "/classes").status == 401
    assert running.sis("GET", "/classes", token=token).status == 401
    assert ask(running, "", GRADEBOOK["1.1"] + "/results").status == 401


def test_a_token_is_good_for_what_it_was_asked_for(running: SandboxProcess) -> None:
    scope = "https://purl.imsglobal.org/spec/or/v1p2/scope/gradebook.readonly"
    narrow = new_token(running, scope=scope).json
    assert narrow["scope"] == scope
    assert ask(running, narrow["access_token"], GRADEBOOK["1.2"] + "/lineItems").status == 200
    assert ask(running, narrow["access_token"], ROSTER["1.2"] + "/classes").status == 403


def test_the_connection_of_info_is_to_the_version_that_is_set(sandbox: SandboxProcess) -> None:
    before = sandbox.info()["connections"]["source"]["extra"]
    assert (before["base_path"], before["gradebook_path"]) == (ROSTER["1.2"], GRADEBOOK["1.2"])
    sandbox.control("PATCH", "/oneroster/settings", {"oneroster_version": "1.1"})
    source = sandbox.info()["connections"]["source"]
    sandbox.control("PATCH", "/oneroster/settings", {"oneroster_version": "1.2"})
    assert source["extra"]["base_path"] == ROSTER["1.1"]
    assert "gradebook_path" not in source["extra"]
    assert (source["extra"]["version"], "v1p1" in source["extra"]["scope"]) == ("1.1", True)
    assert source["login"] == "passback-lms"
    wrong = request("PATCH", f"{sandbox.url}/control/oneroster/settings", {"oneroster_version": "2.0"})
    assert wrong.status == 422


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_classes_and_people_carry_the_ids_of_the_sis(
    running: SandboxProcess, token: str, version: str
) -> None:
    roster = ROSTER[version]
    classes = everything(running, token, f"{roster}/classes")
    assert [each["sourcedId"] for each in classes] == ["1001-01", "1001-02"]
    students = everything(running, token, f"{roster}/students")
    assert "90011391" in {each["sourcedId"] for each in students}
    users = everything(running, token, f"{roster}/users")
    assert len(users) == len(students) + 2
    roles = Counter(each["role"] if version == "1.1" else each["roles"][0]["role"] for each in users)
    assert roles == {"student": len(students), "teacher": 2}
    enrollments = everything(running, token, f"{roster}/enrollments")
    assert len(enrollments) == 383 + 365
    assert {each["class"]["sourcedId"] for each in enrollments} == {"1001-01", "1001-02"}
    for name in ("orgs", "schools", "academicSessions"):
        assert len(everything(running, token, f"{roster}/{name}")) == 1


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_line_item_has_what_its_version_requires(running: SandboxProcess, token: str, version: str) -> None:
    item = ask(running, token, f"{GRADEBOOK[version]}/lineItems/{LINE_ITEM}").json["lineItem"]
    stored = running.control("GET", "/assessments/1755/AAA-2013J")
    assert item["title"] == stored["title"]
    assert item["dueDate"] == stored["due_at"].replace("Z", ".000Z")
    assert item["class"]["sourcedId"] == CLASS
    assert item["category"]["sourcedId"] == "cat-assignment"
    assert (item["resultValueMin"], item["resultValueMax"]) == (0, 100)
    assert ("gradingPeriod" in item, "school" in item) == (version == "1.1", version == "1.2")
    assert ask(running, token, item["class"]["href"].removeprefix(running.url)).status == 200
    assert ask(running, token, f"{GRADEBOOK[version]}/lineItems/none").status == 404


def test_without_a_due_date_there_is_none(running: SandboxProcess, token: str) -> None:
    items = {item["sourcedId"]: item for item in everything(running, token, GRADEBOOK["1.2"] + "/lineItems")}
    assert "dueDate" not in items["1757~AAA-2013J"]


def test_categories_are_the_types_of_the_assessments(running: SandboxProcess, token: str) -> None:
    for path in ("/categories", f"/classes/{CLASS}/categories"):
        found = everything(running, token, GRADEBOOK["1.2"] + path)
        assert [(each["sourcedId"], each["title"]) for each in found] == [
            ("cat-assignment", "Assignment"),
            ("cat-test", "Test"),
        ]
    assert everything(running, token, GRADEBOOK["1.2"] + "/classes/none/categories") == []


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize(
    "path", [f"/classes/{CLASS}/lineItems/{LINE_ITEM}/results", f"/classes/{CLASS}/results", "/results"]
)
def test_results_of_a_line_item_are_those_of_its_class(
    running: SandboxProcess, token: str, version: str, path: str
) -> None:
    found = [
        each
        for each in everything(running, token, GRADEBOOK[version] + path)
        if each["lineItem"]["sourcedId"] == LINE_ITEM
    ]
    assert Counter(each["scoreStatus"] for each in found) == {"fully graded": 303, "not submitted": 80}
    assert len({each["student"]["sourcedId"] for each in found}) == 383


@pytest.mark.parametrize(
    ("change", "newer", "older"),
    [
        ({"status": "graded", "points": 61.5}, {"scoreStatus": "fully graded", "score": 61.5}, 61.5),
        ({"status": "turned_in", "points": None}, {"scoreStatus": "submitted", "missing": "false"}, 0),
        (
            {"status": "not_submitted", "points": None, "submitted_at": None, "graded_at": None},
            {"scoreStatus": "not submitted", "missing": "true", "late": "false"},
            0,
        ),
        ({"status": "excluded", "points": 50}, {"scoreStatus": "exempt"}, 0),
        ({"submitted_at": "2099-01-01T00:00:00Z"}, {"late": "true", "scoreStatus": "fully graded"}, 78),
        ({"status": "partially graded", "points": 3}, {"scoreStatus": "partially graded", "score": 3}, 3),
    ],
)
def test_1_1_says_0_where_1_2_says_nothing(
    sandbox: SandboxProcess, token: str, change: dict[str, Any], newer: dict[str, Any], older: float
) -> None:
    sandbox.control("PATCH", SCORE, {"points": 78, "status": "graded"} | change)
    found = result_of(sandbox, token, "1.2")
    assert {name: found[name] for name in newer} == newer
    assert ("score" in found) == (found["scoreStatus"] in {"fully graded", "partially graded"})
    before = result_of(sandbox, token, "1.1")
    assert (before["score"], before["scoreStatus"]) == (older, found["scoreStatus"])
    assert not {"late", "missing", "class"} & set(before)


def test_what_changed_is_found_by_its_date_and_what_was_deleted_is_marked(
    sandbox: SandboxProcess, token: str
) -> None:
    path = GRADEBOOK["1.2"] + "/results"
    since = result_of(sandbox, token, "1.2")["dateLastModified"]
    filtered = {"filter": f"dateLastModified>'{since}'"}
    assert everything(sandbox, token, path, **filtered) == []
    sandbox.control("PATCH", SCORE, {"points": 1})
    sandbox.control("DELETE", "/scores/1754/AAA-2013J/s11391")
    gone, changed = everything(sandbox, token, path, **filtered)
    assert (changed["score"], changed["status"]) == (1, "active")
    assert (gone["sourcedId"], gone["status"]) == ("1754~AAA-2013J~s11391", "tobedeleted")
    assert "score" not in gone
    both = {"filter": f"dateLastModified>'{since}' AND status='active'"}
    assert everything(sandbox, token, path, **both) == [changed]
    inclusive = {"filter": f"dateLastModified>='{changed['dateLastModified']}' AND class.sourcedId='{CLASS}'"}
    assert changed in everything(sandbox, token, path, **inclusive)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"offset": "x"},
        {"filter": "score='1'"},
        {"filter": "status"},
        {"filter": "dateLastModified>'soon'"},
    ],
)
def test_a_query_it_does_not_know_is_refused_as_oneroster_does(
    running: SandboxProcess, token: str, query: dict[str, Any]
) -> None:
    reply = ask(running, token, GRADEBOOK["1.2"] + "/results", **query)
    assert reply.status == 400
    assert reply.json["imsx_codeMajor"] == "failure"


def test_a_page_says_the_total_and_the_next_one(running: SandboxProcess, token: str) -> None:
    reply = ask(running, token, GRADEBOOK["1.2"] + "/results", limit=3)
    assert (len(reply.json["results"]), reply.headers["x-total-count"]) == (3, str(383 * 6 + 365 * 6))
    assert 'offset=3>; rel="next"' in reply.headers["link"]
    assert len(ask(running, token, GRADEBOOK["1.2"] + "/results", limit=5000).json["results"]) == 1000


def test_faults_of_the_feed_strike_it(sandbox: SandboxProcess, token: str) -> None:
    path = GRADEBOOK["1.2"] + "/results"
    sandbox.fault("feed", "status", status=503, times=1)
    assert ask(sandbox, token, path).status == 503
    sandbox.fault("feed", "revoke-tokens")
    assert ask(sandbox, token, path).status == 401
    assert ask(sandbox, new_token(sandbox).json["access_token"], path).status == 200
