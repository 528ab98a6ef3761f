"""A mapping file that holds a secret is refused, and the secret is not told again."""

# ruff: noqa: E501 - a table reads better with one case a line

from __future__ import annotations

import logging
import secrets
import string
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.conftest import GOOD
from passback.mapping.secrets import secret_key, secret_value

if TYPE_CHECKING:
    from mapping.conftest import Refuse

SECRET = "Zx81kQ0vN2rT7bW4pL9s"
PEM = "-----BEGIN PRIVATE KEY-----"

KEYS = [
    "password", "Password", "passwd", "pwd", "secret", "client_secret", "clientSecret", "token", "access-token",
    "api_key", "apiKey", "X-API-Key", "authorization", "credentials", "private_key", "bearer", "AWS_SECRET_ACCESS_KEY",
]  # fmt: skip

VALUES = {
    "an address with a password": f"https://passback:{SECRET}@sis.example.org/",
    "a database address": f"postgresql://u:{SECRET}@db/ledger",
    "a bearer token": f"Bearer {SECRET}",
    "a basic credential": "Basic cGFzc2JhY2s6c2VjcmV0cw==",
    "a private key": PEM,
    "a web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "hexadecimal": "9f86d081884c7d659a2feaa0c55ad015",
    "letters and digits": SECRET,
    "base64": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ",
    "an id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "a cloud's key": "AKIAIOSFODNN7EXAMPLE",
    "a word that says so": "client_secret=hunter2hunter2",
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("place", ["top", "sis", "categories", "rules"])
def test_a_field_named_like_a_secret_is_refused(key: str, place: str, refuse: Refuse) -> None:
    content = {
        "top": GOOD + f"{key}: hunter2\n",
        "sis": GOOD.replace("  system: skyward\n", f"  {key}: hunter2\n  system: skyward\n"),
        "categories": GOOD.replace("  Lab: Lab\n", f"  {key}: hunter2\n  Lab: Lab\n"),
        "rules": GOOD.replace("rules: {}", f"rules: {{{key}: hunter2}}"),
    }[place]
    error = refuse(content)
    assert key in error.problems[0].field
    assert "secret" in error.problems[0].what
    assert "Airflow connection" in error.problems[0].mend
    assert len(error.problems) == 1
    assert "hunter2" not in f"{error} {error!r} {error.args}"


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
@pytest.mark.parametrize("written", [
    "name: '{}'", "name: ['{}']", "district: '{}'", "timezone: '{}'", "schedule: '{}'", "effective_date: '{}'",
    "source: '{}'", "sis: {{system: '{}'}}", "sis: {{connection: '{}'}}", "confirmed: ['{}']",
    "categories: {{'{}': Quiz}}", "categories: {{Quiz: '{}'}}", "rules: {{'{}': 1}}", "unknown: '{}'", "'{}': 1",
    "name: >-\n  {}", "'{0}': 1\n'{0}': 2", "name: !t '{}'",
])  # fmt: skip
def test_a_value_that_looks_like_a_secret_is_refused_and_not_told(
    value: str, written: str, refuse: Refuse, caplog: pytest.LogCaptureFixture
) -> None:
    error = refuse(written.format(value) + "\n")
    assert any("looks like one" in problem.what for problem in error.problems), str(error)
    logging.getLogger("test").error("refused", exc_info=error)
    told = f"{error} {error!r} {error.args} {error.__cause__} {caplog.text}"
    assert value not in told
    assert SECRET not in told


@pytest.mark.parametrize(
    "broken",
    [
        f"name: 'open\nconnection: https://u:{SECRET}@host/",
        f"# password: {SECRET}\n" + GOOD,
        f"a: [\nBearer {SECRET}",
        f"\tBearer {SECRET}",
    ],
    ids=["a quote left open", "a comment", "a bracket left open", "a tab"],
)
def test_a_secret_outside_of_the_data_is_found_too(broken: str, refuse: Refuse) -> None:
    error = refuse(broken)
    assert any("looks like one" in problem.what for problem in error.problems)
    assert SECRET not in str(error)


def test_the_line_of_a_secret_is_told(refuse: Refuse) -> None:
    error = refuse(GOOD.replace("connection: lakeview_skyward", f"connection: https://u:{SECRET}@host"))
    assert [(p.line, p.field) for p in error.problems] == [(9, "sis.connection")]


@pytest.mark.parametrize("ordinary", [
    "Lakeview Unified School District", "McDonald High School 2026", "lakeview_unified_school_district_skyward_2026",
    "Basic Mathematics and Statistics", "Warm-Ups/Participation", "Introduction2026Semester", "0 22 * * *", "2026-08-17",
    "Bearer of good news", "Hausaufgaben (mündlich)", "oneroster_licence", *sorted(available_timezones())[::25],
])  # fmt: skip
def test_ordinary_text_is_no_secret(ordinary: str) -> None:
    assert not secret_value(ordinary)


@pytest.mark.parametrize("key", ["Test", "Quiz", "Answer Key", "score.above_total", "connection", "Journal"])
def test_ordinary_names_are_no_secret(key: str) -> None:
    assert not secret_key(key)


def test_most_random_tokens_are_recognised() -> None:
    letters = string.ascii_letters + string.digits
    tokens = ["".join(secrets.choice(letters) for _ in range(32)) for _ in range(500)]
    assert sum(map(secret_value, tokens)) > 450


@given(st.text())
def test_any_text_can_be_asked(text: str) -> None:
    assert secret_value(text) in {True, False}
    assert secret_key(text) in {True, False}
