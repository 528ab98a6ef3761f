"""Nights under separate roles, and `passback audit` and `passback purge` on what they leave."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from logins import new_login
from passback import ledger as database
from steps.generic import ASSIGNMENT, CLASS, EVENING, SmallDistrict, small_district, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cli.conftest import Passback
    from passback.ledger import Connection
    from sandbox_process import SandboxProcess
    from stack.postgres import Postgres

STUDENT = "s3"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start(tmp_path_factory.mktemp("state"), sis="generic") as sandbox:
        yield sandbox


@pytest.fixture
def login(postgres: Postgres, ledger_url: str) -> Callable[[str], str]:
    """The URL of the test's ledger for a new member of a group role."""
    return lambda role: new_login(postgres, ledger_url.rsplit("/", 1)[1], role)


@pytest.fixture
def nights(
    running: SandboxProcess, login: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SmallDistrict:
    """A district after two whole nights of a login that is a writer and nothing else."""
    running.reset()
    district = small_district(running, login("passback_writer"), tmp_path, monkeypatch)
    district.one_class("night-1")
    district.grade("3", 7.0)
    district.one_class("night-2")
    return district


@pytest.fixture
def ask(
    passback_here: Passback, nights: SmallDistrict, login: Callable[[str], str], tmp_path: Path
) -> Callable[..., Any]:
    """Runs a command on the district's ledger as a reader, or under another role."""
    files = {"PASSBACK_STAGE": nights.stage.as_uri(), "PASSBACK_MAPPINGS": str(nights.mappings)}

    def run(*arguments: str, role: str = "passback_reader", **variables: str) -> Any:
        return passback_here(*arguments, AIRFLOW_CONN_PASSBACK_LEDGER=login(role), **files, **variables)

    assert tmp_path in nights.stage.parents
    return run


def folders(nights: SmallDistrict) -> set[str]:
    return {path.name for path in (nights.stage / "lakeview").iterdir() if path.is_dir()}


def change(ledger: Connection, statement: str) -> None:
    """As the owner could, who can take the triggers off."""
    with database.database.transaction(ledger) as cursor:
        cursor.execute("ALTER TABLE passback.trail DISABLE TRIGGER ALL")
        cursor.execute(statement)


def test_whole_nights_need_no_more_than_a_writer_and_answers_no_more_than_a_reader(
    nights: SmallDistrict, ask: Callable[..., Any], ledger: Connection
) -> None:
    runs = json.loads(ask("status", "lakeview", "--json").stdout)["runs"]
    assert [(run["run"], run["state"]) for run in runs] == [("night-2", "good"), ("night-1", "good")]
    assert runs[0]["outcomes"]["sent"] == 1
    told = ask("explain", "-d", "lakeview", "-a", ASSIGNMENT, "-s", STUDENT, "--json")
    assert told.returncode == 0, told.stderr
    assert [change["run"] for change in json.loads(told.stdout)["scores"][0]["history"]] == [
        "night-1", "night-2",
    ]  # fmt: skip
    shown = ask("report", "lakeview")
    assert shown.returncode == 0, shown.stderr
    assert database.first_break(ledger, "lakeview") is None
    nights.ledger_url = ""  # nothing of the district's own is asked below
    refused = ask("suppress", "-d", "lakeview", "--class", CLASS, "--reason", "graded on paper")
    assert refused.returncode == 1
    assert "lacks a privilege" in refused.stderr


def test_verify_names_the_first_broken_link(ask: Callable[..., Any], ledger: Connection) -> None:
    good = ask("audit", "verify")
    assert (good.returncode, good.stdout) == (0, "lakeview: the trail holds.\n")
    assert json.loads(ask("audit", "verify", "--json").stdout) == {
        "districts": [{"district": "lakeview", "holds": True, "broken": None}]
    }
    change(ledger, "UPDATE passback.trail SET student_id = 's9' WHERE seq = 3")
    bad = ask("audit", "verify", "--district", "lakeview")
    assert bad.returncode == 1
    assert "broken at row 3 (run night-1, " in bad.stdout
    told = ask("audit", "verify", "--json")
    assert told.returncode == 1
    (found,) = json.loads(told.stdout)["districts"]
    assert (found["holds"], found["broken"]["number"], found["broken"]["what"]) == (False, 3, "changed")
    assert found["broken"]["run"] == "night-1"
    assert found["broken"]["at"].endswith("Z")


def test_an_export_is_signed_and_checked_with_the_key_that_was_made(
    ask: Callable[..., Any], tmp_path: Path
) -> None:
    made = ask("audit", "key")
    private, public = (line.split(": ", 1)[1].strip() for line in made.stdout.splitlines())
    key = {"AIRFLOW_CONN_PASSBACK_SIGNING": json.dumps({"conn_type": "generic", "password": private})}
    out = tmp_path / "trail.csv"
    arguments = (
        "audit", "export", "--district", "lakeview", "--from", "2020-01-01", "--to", "2099-12-31",
        "--out", str(out),
    )  # fmt: skip
    without = ask(*arguments)
    assert without.returncode == 1
    assert "passback audit key" in without.stderr
    done = ask(*arguments, **key)
    assert done.returncode == 0, done.stderr
    assert private not in done.stdout + out.with_name("trail.csv.sig").read_text()
    assert ask("audit", "check", str(out), **key).stdout.startswith("Genuine: lakeview, ")
    assert ask("audit", "check", str(out), "--key", public).returncode == 0
    out.write_bytes(out.read_bytes().replace(b"night-2", b"night-9", 1))
    changed = ask("audit", "check", str(out), "--key", public)
    assert changed.returncode == 1
    assert "not what was signed" in changed.stderr


def test_only_an_owner_purges_and_the_next_night_goes_on_as_before(
    nights: SmallDistrict, ask: Callable[..., Any], login: Callable[[str], str], ledger: Connection
) -> None:
    held = nights.scores()
    # As if all of it had happened a year ago, but for the extract that the next night starts from.
    change(ledger, "UPDATE passback.runs SET started_at = started_at - interval '400 days'")
    day = (EVENING - timedelta(days=300)).date().isoformat()
    refused = ask("purge", "--before", day, "--yes", role="passback_writer")
    assert refused.returncode == 1
    assert "passback_ledger_owner" in refused.stderr
    owner = {"AIRFLOW_CONN_PASSBACK_LEDGER_OWNER": login("passback_owner")}
    preview = ask("purge", "--before", day, "--preview", role="passback_writer", **owner)
    assert preview.stdout == "lakeview: 1 runs' folders would go.\n", preview.stderr
    unasked = ask("purge", "--before", day, role="passback_writer", **owner)
    assert unasked.returncode == 3
    assert folders(nights) == {"night-1", "night-2"}
    done = ask("purge", "--before", day, "--yes", role="passback_writer", **owner)
    assert done.stdout == "lakeview: 1 runs' folders went.\n", done.stderr
    assert folders(nights) == {"night-2"}
    again = ask("purge", "--before", day, "--yes", role="passback_writer", **owner)
    assert again.stdout == "lakeview: nothing went.\n"
    nothing_to_ask = ask("purge", "--before", day, role="passback_writer", **owner)
    assert (nothing_to_ask.returncode, nothing_to_ask.stdout) == (0, "lakeview: nothing would go.\n")
    report = nights.one_class("night-3")
    assert report["outcomes"]["sent"] == 0
    assert nights.scores() == held


def test_a_purge_of_everything_sends_nothing_twice_and_the_trail_goes_on_from_its_stump(
    nights: SmallDistrict, ask: Callable[..., Any], login: Callable[[str], str], ledger: Connection
) -> None:
    held, written = nights.scores(), len(nights.written())
    owner = {"AIRFLOW_CONN_PASSBACK_LEDGER_OWNER": login("passback_owner")}
    future = ask("purge", "--before", "2999-01-01", "--yes", role="passback_writer", **owner)
    assert future.returncode == 2
    done = database.purge(
        ledger,
        "lakeview",
        before=EVENING + timedelta(days=36_500),
        due_before=(EVENING + timedelta(days=36_500)).date(),
        purged_by="ada",
    )
    assert done.trail > 0
    nights.grade("3", 6.0)
    report = nights.one_class("night-3")
    assert report["outcomes"]["sent"] == 1
    assert nights.scores().keys() == held.keys()
    assert len(nights.written()) == written + 1
    verified = ask("audit", "verify")
    assert verified.returncode == 0, verified.stdout
