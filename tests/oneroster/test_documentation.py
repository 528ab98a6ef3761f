"""The examples in docs/oneroster.md, run as they stand there."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

import passback.oneroster
from passback.oneroster import Decision

if TYPE_CHECKING:
    from oneroster.stub_sis import StubSis

PAGE = (Path(__file__).parents[2] / "docs/oneroster.md").read_text(encoding="utf-8")
GRADEBOOK = "/ims/oneroster/gradebook/v1p2"
ROSTERING = "/ims/oneroster/rostering/v1p2"


async def run(source: str, names: dict[str, Any]) -> None:
    code = compile(source, "docs/oneroster.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if inspect.iscoroutine(running := eval(code, names)):  # noqa: S307 - our own page
        await running


def answers(request: web.Request) -> web.Response | None:
    if request.method == "PUT" and request.path == f"{GRADEBOOK}/lineItems":
        return web.json_response({"lineItem": {"sourcedId": "4711"}}, status=201)
    if request.method == "POST":
        pair = {"suppliedSourcedId": "?", "allocatedSourcedId": "4712"}
        return web.json_response({"sourcedIdPairs": [pair]}, status=201)
    return web.Response(status=204) if request.method == "DELETE" else None


async def test_every_example_does_what_the_page_says(
    stub: StubSis, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.script = answers
    stub.collections |= {
        f"{ROSTERING}/classes": [{"sourcedId": "c1"}],
        f"{GRADEBOOK}/classes/c1/lineItems": [{"sourcedId": "li"}],
        f"{GRADEBOOK}/categories": [
            {"sourcedId": "cat-1", "title": "Quiz", "metadata": {"classId": "c1"}},
            {"sourcedId": "cat-2", "title": "Quiz", "metadata": {"classId": "c2"}},
        ],
    }
    examples = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {}
    for example in examples:
        await run(example.replace("https://sis.example.org", stub.url), names)
    assert [record["sourcedId"] for record in names["gradebook"]] == ["li"]
    assert [record["sourcedId"] for record in names["of_class"]] == ["cat-1"]
    assert names["accepted"].decision is names["answer"].decision is Decision.VERIFY
    assert names["gone"].decision is Decision.DONE
    assert names["one"].allotted == {names["quiz"]["sourcedId"]: "4711"}
    assert stub.calls[-1].path == f"{GRADEBOOK}/lineItems/4711/results"
    assert capsys.readouterr().out.splitlines() == [
        "accepted: read it back before you believe it",
        "0 of 1 ids are known",  # the stub told the id of another record
    ]


def test_the_page_tells_every_decision_and_every_setting() -> None:
    told = set(re.findall(r"`\"?([\w]+)\"?`", PAGE))
    assert {decision.name for decision in Decision} - {"STOP_RUN"} <= told  # which raises
    assert {
        "auth",
        "signature",
        "headers",
        "ca_bundle",
        "token_url",
        "token_auth",
        "scope",
        "version",
    } <= told


@pytest.mark.parametrize("name", passback.oneroster.__all__)
def test_what_the_library_offers_is_there_and_says_what_it_is(name: str) -> None:
    offered = getattr(passback.oneroster, name)
    plain_type = name in ("Kind", "Version")  # a choice of texts, which can have no docstring
    assert plain_type or inspect.getdoc(offered)


def test_the_package_offers_all_that_it_imports() -> None:
    public = {name for name in vars(passback.oneroster) if name[0] != "_"}
    modules = {name for name in public if inspect.ismodule(getattr(passback.oneroster, name))}
    assert public - modules - {"annotations"} == set(passback.oneroster.__all__) - {"v1p1", "v1p2"}
