"""Aspire: what it serves, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from sandbox_process import request, start_sandbox
from sandbox_records import code_minor, line_item, noon, reference, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_process import SandboxProcess

CLASS = "1001-01"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("aspire"), sis="aspire", modules="AAA") as sandbox:
        yield sandbox


@pytest.fixture
def aspire(process: SandboxProcess) -> SandboxProcess:
    process.reset()
    return process


def item(sandbox: SandboxProcess, category: str = "9102-301", **changes: Any) -> Any:
    given = {"class": reference("class", CLASS), "category": reference("category", category)}
    return line_item(sandbox, **{"gradingPeriod": ..., **given, **changes})


def test_a_token_is_given_for_the_header_only(process: SandboxProcess) -> None:
    sis = process.info()["sis"]
    assert process.new_token().status == 200
    form = {"grant_type": "client_credentials", "scope": " ".join(sis["scopes"])}
    form |= {name: sis[name] for name in ("client_id", "client_secret")}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = request("POST", sis["token_url"], urlencode(form), headers)
    assert (reply.status, reply.json["error"]) == (401, "invalid_client")


def test_every_term_has_its_own_set_of_categories(process: SandboxProcess) -> None:
    categories = process.sis("GET", "/categories").json["categories"]
    assert {(category["metadata"]["termId"], category["sourcedId"]) for category in categories} == {
        (term, f"{term}-{number}") for term in ("9101", "9102") for number in range(301, 309)
    }


TERM_ENDS, TERM_BEGINS = 133, 134
TERMS = {
    "the_last_day_of_the_term": ("9101-301", TERM_ENDS, True),
    "the_first_day_of_the_next_term": ("9101-301", TERM_BEGINS, False),
    "the_last_day_before_the_term": ("9102-301", TERM_ENDS, False),
    "the_first_day_of_the_term": ("9102-301", TERM_BEGINS, True),
}


@pytest.mark.parametrize(("category", "due", "accepted"), TERMS.values(), ids=TERMS)
def test_the_category_is_one_of_the_term_of_the_due_date(
    aspire: SandboxProcess, category: str, due: int, *, accepted: bool
) -> None:
    record = item(aspire, category, assignDate=noon(aspire, due - 21), dueDate=noon(aspire, due))
    reply = aspire.sis("PUT", "/lineItems/li-1", record)
    if accepted:
        assert reply.status == 201
    else:
        assert refusal(reply).startswith("category: is not one of the term")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a_title_of_51_characters": ({"title": "x" * 51}, "title: must have 1 to 50 characters."),
    "an_unknown_category": ({"category": "301"}, "category: does not exist."),
    "an_unknown_class": ({"class": reference("class", "1-01")}, "class: does not exist."),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_a_line_item_is_refused(process: SandboxProcess, changes: dict[str, Any], words: str) -> None:
    assert refusal(process.sis("PUT", "/lineItems/li-1", item(process, **changes))) == words


def test_a_due_date_outside_all_terms_is_refused(process: SandboxProcess) -> None:
    reply = process.sis("PUT", "/lineItems/li-1", item(process, dueDate=noon(process, 301)))
    assert refusal(reply) == "dueDate: lies outside all terms."


def test_a_retired_category_is_refused(aspire: SandboxProcess) -> None:
    aspire.control("PUT", "/sis/categories/9102-301", {"status": "tobedeleted"})
    reply = aspire.sis("PUT", "/lineItems/li-1", item(aspire))
    assert refusal(reply) == "category: does not exist."


def test_a_title_of_50_characters_is_accepted(aspire: SandboxProcess) -> None:
    assert aspire.sis("PUT", "/lineItems/li-1", item(aspire, title="x" * 50)).status == 201


@pytest.mark.parametrize("path", ["/lineItems/li-1", "/results/r-1", "/categories/9102-301"])
def test_there_is_no_delete(aspire: SandboxProcess, path: str) -> None:
    aspire.sis("PUT", "/lineItems/li-1", item(aspire))
    reply = aspire.sis("DELETE", path)
    assert (reply.status, code_minor(reply)) == (405, "unsupportedoperation")
    assert len(aspire.dump()["lineItems"]) == 1
