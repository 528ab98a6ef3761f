"""Aspen: what it serves, and what it refuses with which words."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from sandbox_process import request, start_sandbox
from sandbox_records import code_minor, line_item, noon, reference, refusal, result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_process import SandboxProcess

CLASS = "STX1001-01"
OTHER_CLASS = "STX1001-02"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("aspen"), sis="aspen", modules="AAA") as sandbox:
        yield sandbox


@pytest.fixture
def aspen(process: SandboxProcess) -> SandboxProcess:
    process.reset()
    return process


def item(sandbox: SandboxProcess, class_id: str = CLASS, category: str = "cat-as", **changes: Any) -> Any:
    given = {"class": reference("class", class_id), "category": reference("category", category)}
    return line_item(sandbox, **{"gradingPeriod": ..., **given, **changes})


def test_a_token_is_given_for_a_form_only(process: SandboxProcess) -> None:
    info = process.info()
    assert info["sis"]["token_url"].endswith("/oauth/rest/v2.0/auth")
    assert info["connections"]["sis"]["extra"]["token_auth"] == "body"
    token = process.new_token().json
    assert token.keys() == {"access_token", "token_type", "expires_in"}
    pair = f"{info['sis']['client_id']}:{info['sis']['client_secret']}".encode()
    headers = {
        "Authorization": f"Basic {base64.b64encode(pair).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    form = urlencode({"grant_type": "client_credentials"})
    reply = request("POST", info["sis"]["token_url"], form, headers)
    assert (reply.status, reply.json["error"]) == (401, "invalid_client")


def test_a_token_has_no_scopes_and_opens_everything(aspen: SandboxProcess) -> None:
    token = aspen.new_token(scope="anything").json["access_token"]
    assert aspen.sis("GET", "/students", token=token).status == 200
    assert aspen.sis("PUT", "/lineItems/li-1", item(aspen), token=token).status == 201


def test_some_categories_are_of_one_class_and_all_are_listed(process: SandboxProcess) -> None:
    categories = process.sis("GET", "/categories").json["categories"]
    of_class = {
        category["sourcedId"]: category["metadata"]["classId"]
        for category in categories
        if "classId" in category["metadata"]
    }
    assert of_class == {"cat-es": CLASS, "cat-se": OTHER_CLASS}
    assert len(categories) == 10
    assert process.sis("GET", f"/classes/{CLASS}/categories").status == 404
    filtered = process.sis("GET", f"/categories?filter=metadata.classId%3D'{CLASS}'")
    assert [category["title"] for category in filtered.json["categories"]] == ["Essay"]


@pytest.mark.parametrize("path", ["/categories/cat-as", "/lineItems/li-1", "/results/r-1"])
def test_nothing_is_deleted_and_no_category_is_written(aspen: SandboxProcess, path: str) -> None:
    aspen.sis("PUT", "/lineItems/li-1", item(aspen))
    reply = aspen.sis("DELETE", path)
    assert (reply.status, code_minor(reply)) == (403, "forbidden")
    assert aspen.sis("PUT", "/categories/cat-as", {"category": {}}).status == 403
    assert len(aspen.dump()["lineItems"]) == 1


REFUSED = {
    "an_unknown_category": ({"category": "cat-xx"}, "Grading Category Not Found"),
    "a_category_of_another_class": ({"category": "cat-se"}, "Grading Category Not Found"),
    "an_unknown_class": ({"class_id": "STX1-01"}, "Rest Easy: Could Not Find Resource (class)"),
    "a_title_of_256_characters": (
        {"title": "x" * 256},
        "Validation Exception: title must have 1 to 255 characters.",
    ),
    "a_blank_title": ({"title": " "}, "Validation Exception: title must have 1 to 255 characters."),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_a_line_item_is_refused_with_the_words_of_aspen(
    process: SandboxProcess, changes: dict[str, Any], words: str
) -> None:
    assert refusal(process.sis("PUT", "/lineItems/li-1", item(process, **changes))) == words


ACCEPTED: dict[str, dict[str, Any]] = {
    "a_title_of_255_characters": {"title": "x" * 255},
    "a_category_of_its_own_class": {"category": "cat-es"},
    "a_total_with_a_fraction": {"resultValueMax": 10.5},
}


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED)
def test_a_line_item_is_accepted(aspen: SandboxProcess, changes: dict[str, Any]) -> None:
    assert aspen.sis("PUT", "/lineItems/li-1", item(aspen, **changes)).status == 201


def test_a_closed_period_is_no_reason_to_refuse(aspen: SandboxProcess) -> None:
    record = item(aspen, assignDate=noon(aspen, 0), dueDate=noon(aspen, 100))
    assert aspen.sis("PUT", "/lineItems/li-1", record).status == 201


def test_a_comment_has_at_most_100_characters(aspen: SandboxProcess) -> None:
    aspen.sis("PUT", "/lineItems/li-1", item(aspen))
    assert aspen.sis("PUT", "/results/r-1", result(comment="x" * 100)).status == 201
    reply = aspen.sis("PUT", "/results/r-1", result(comment="x" * 101))
    assert refusal(reply) == "Validation Exception: comment has more than 100 characters."


def test_a_score_is_at_most_the_total(aspen: SandboxProcess) -> None:
    aspen.sis("PUT", "/lineItems/li-1", item(aspen, resultValueMax=10))
    assert aspen.sis("PUT", "/results/r-1", result(score=10)).status == 201
    words = "Validation Exception: score is above the total points of the assignment."
    assert refusal(aspen.sis("PUT", "/results/r-1", result(score=10.5))) == words


def test_a_result_of_an_unknown_line_item_is_refused(aspen: SandboxProcess) -> None:
    reply = aspen.sis("PUT", "/results/r-1", result())
    assert refusal(reply) == "Rest Easy: Could Not Find Resource (lineItem)"
