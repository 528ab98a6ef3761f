"""`passback categories` as a person runs it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from categories.conftest import TERM, TITLES, with_account
from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from categories.conftest import CanyonRidge
    from cli.conftest import Passback

EMPTY = "12"


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "no\n"])
def test_an_import_shows_what_it_would_do_and_asks(
    canyonridge: CanyonRidge, passback_here: Passback, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    told = passback_here("categories", "import", "canyonridge", "--course", EMPTY)
    assert told.returncode == 1
    assert "Assignment, Classwork, Homework" in told.stdout
    assert "AAA 2014J" in told.stdout
    assert "Create 8 assignment groups in 1 courses?" in told.stderr
    assert canyonridge.imported(EMPTY) == []


def test_with_yes_it_does_it_and_the_next_time_there_is_nothing_to_do(
    canyonridge: CanyonRidge, passback_here: Passback
) -> None:
    command = ("categories", "import", "canyonridge", "--course", EMPTY, "--yes")
    told = passback_here(*command)
    assert (told.returncode, told.stdout.splitlines()[-1]) == (0, "8 assignment groups created.")
    assert [name for name, _ in canyonridge.imported(EMPTY)] == TITLES
    again = passback_here(*command)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "Nothing to import.")


def test_on_another_route_the_command_says_what_to_use_instead(passback_here: Passback) -> None:
    told = passback_here("categories", "import", "lakeview")
    assert told.returncode == 1
    (line,) = told.stderr.splitlines()
    assert "not imported into Otus" in line
    assert "passback categories match lakeview" in line


@pytest.mark.usefixtures("canyonridge")
def test_the_list_tells_when_each_was_verified_and_what_it_was_called(passback_here: Passback) -> None:
    nothing = passback_here("categories", "list", "canyonridge")
    assert "No category of canyonridge was collected yet" in nothing.stdout
    passback_here("categories", "import", "canyonridge", "--course", EMPTY, "--yes")

    table = passback_here("categories", "list", "canyonridge").stdout
    assert all(title in table for title in TITLES)
    found = json.loads(passback_here("categories", "list", "canyonridge", "--json").stdout)
    assert found["district"] == "canyonridge"
    assert len(found["categories"]) == 2 * len(TITLES)
    (quiz,) = [each for each in found["categories"] if each["category_id"] == f"{TERM}-307"]
    assert quiz["verified_at"].endswith("Z")
    assert (quiz["title"], quiz["term_id"], quiz["renamed_from"]) == ("Quiz", TERM, "")
    assert (quiz["retired_at"], quiz["renamed_at"]) == (None, None)


@pytest.mark.usefixtures("canyonridge")
def test_a_match_of_imported_categories_points_to_the_import(passback_here: Passback) -> None:
    told = passback_here("categories", "match", "canyonridge")
    assert told.returncode == 0
    assert "passback categories import" in told.stdout


@pytest.mark.usefixtures("canyonridge")
def test_a_match_by_name_tells_what_is_there_and_what_is_missing(
    passback_here: Passback, tmp_path: Path
) -> None:
    mapping = """
        district: valley
        name: Valley
        timezone: America/Los_Angeles
        schedule: null
        effective_date: 2020-08-17
        source: {system: canvas, connection: canyonridge_canvas}
        sis: {system: generic, connection: canyonridge_aspire}
    """
    folder = tmp_path / "mappings"
    folder.mkdir()
    lines = [line.strip() for line in mapping.strip().splitlines()]
    (folder / "valley.yaml").write_text("\n".join(lines) + "\n")
    told = passback_here("--mappings", str(folder), "categories", "match", "valley", "--json")
    assert told.returncode == 1
    found = {each["name"]: each for each in json.loads(told.stdout)["matches"]}
    assert found["Quiz"]["state"] == "exact"
    assert found["Participation"]["state"] == "none"


def test_a_group_in_canvas_must_be_called_exactly_as_its_category_in_aspen(
    ledger_url: str, passback_here: Passback, tmp_path: Path
) -> None:
    with start_sandbox(tmp_path / "aspen", lms="canvas", sis="aspen", modules="AAA") as sandbox:
        told = sandbox.info()["connections"]
        connections = {
            "AIRFLOW_CONN_HARBORVIEW_CANVAS": json.dumps(with_account(told["source"])),
            "AIRFLOW_CONN_HARBORVIEW_ASPEN": json.dumps(told["sis"]),
            "AIRFLOW_CONN_PASSBACK_LEDGER": ledger_url,
        }
        table = passback_here("categories", "match", "harborview", **connections)
        found = json.loads(passback_here("categories", "match", "harborview", "--json", **connections).stdout)
    assert table.returncode == 1
    assert (
        "* Participation: add a category of this name in Aspen with a code such as PARTICIPATION"
        in table.stdout
    )
    matches = {each["name"]: (each["state"], each["nearest"]) for each in found["matches"]}
    assert matches["Quiz"] == ("exact", [])
    assert matches["assignment"] == ("none", ["Assignment"]), "that one belongs to another group of the class"
    assert found["yaml"] == []


@pytest.mark.parametrize("command", [["list"], ["match"], ["import", "--yes"]])
def test_an_unknown_district_is_one_line(passback_here: Passback, command: list[str]) -> None:
    told = passback_here("categories", *command, "atlantis")
    assert told.returncode == 1
    (line,) = told.stderr.splitlines()
    assert "atlantis" in line
