"""`passback suppress`, `unsuppress` and `suppressions` on a real ledger."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Passback

STUDENT = "S-1001"


@pytest.fixture
def command(passback_here: Passback, ledger_url: str, mappings: Path) -> Passback:
    def run(*arguments: str, **variables: str) -> object:
        return passback_here(
            "--mappings", str(mappings), *arguments, AIRFLOW_CONN_PASSBACK_LEDGER=ledger_url, **variables
        )

    return run  # type: ignore[return-value]


def test_what_is_taken_out_is_listed_with_who_when_and_why(command: Passback) -> None:
    done = command("suppress", "-d", "lakeview", "--student", STUDENT, "--reason", "asked by the family")
    assert done.returncode == 0
    assert done.stdout == (
        f"Out of passback from the next run on: student {STUDENT} of lakeview, 0 scores so far."
        " What was sent stays as it is.\n"
    )
    assert "no run of lakeview has judged a score" in done.stderr
    (row,) = json.loads(command("suppressions", "--json").stdout)["suppressions"]
    assert row["ordered_by"].endswith("(passback suppress)")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", row["at"])
    assert {name: row[name] for name in ("district", "kind", "id", "reason", "lifted_at")} == {
        "district": "lakeview",
        "kind": "student",
        "id": STUDENT,
        "reason": "asked by the family",
        "lifted_at": None,
    }
    assert "asked by the family" in command("suppressions", "-d", "lakeview").stdout
    assert command("suppressions", "-d", "other").stdout == "Nothing is taken out of passback.\n"


def test_back_in_it_is_listed_only_with_those_that_stand_no_more(command: Passback) -> None:
    command("suppress", "-d", "lakeview", "--class", "c1", "--reason", "on paper")
    done = command("unsuppress", "-d", "lakeview", "--class", "c1", "--reason", "online again")
    assert done.stdout == "Passes again from the next run on: class c1 of lakeview.\n"
    assert json.loads(command("suppressions", "--json").stdout) == {"suppressions": []}
    (row,) = json.loads(command("suppressions", "--lifted", "--json").stdout)["suppressions"]
    assert (row["lifted_reason"], row["lifted_by"][-21:]) == ("online again", "(passback unsuppress)")
    assert "online again" in command("suppressions", "--lifted").stdout


def test_taken_out_twice_says_so(command: Passback) -> None:
    order = ("suppress", "-d", "lakeview", "--assessment", "a1", "--reason")
    command(*order, "one")
    done = command(*order, "two")
    assert (done.returncode, done.stdout[:24]) == (0, "It was out already: asse")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("suppress", "-d", "lakeview", "--reason", "x"), 2, "name one of them"),
        (("suppress", "-d", "lakeview", "-a", "1", "-s", "2", "--reason", "x"), 2, "name one of them"),
        (("suppress", "-d", "lakeview", "-a", "1"), 2, "--reason"),
        (("suppress", "-d", "lakeview", "-a", "1", "--reason", "  "), 2, "say why"),
        (("suppress", "-d", "nowhere", "-a", "1", "--reason", "x"), 1, "nowhere"),
        (("unsuppress", "-d", "lakeview", "-a", "1"), 1, "is not suppressed"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_kept(
    command: Passback, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = command(*arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert json.loads(command("suppressions", "--lifted", "--json").stdout) == {"suppressions": []}
