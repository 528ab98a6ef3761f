"""What every command has in common: help, exit codes, plain output, a quick start."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Passback

HEAVY = ("airflow", "pandas", "pyarrow", "great_expectations", "aiohttp", "altair", "psycopg2")
QUICK = ("--help", "run --help", "check", "check --json", "schema")
COMMANDS = ("check", "run", "status", "explain", "report", "schema", "sandbox")


def test_help_names_every_command(passback_here: Passback) -> None:
    shown = passback_here("--help").stdout
    assert all(f"│ {command} " in shown for command in (*COMMANDS, "ledger"))


@pytest.mark.parametrize("command", [*((name,) for name in COMMANDS), ("ledger", "upgrade")])
def test_every_command_shows_an_example(passback_here: Passback, command: tuple[str, ...]) -> None:
    shown = passback_here(*command, "--help")
    assert shown.returncode == 0
    assert f"passback {' '.join(command)}" in shown.stdout.partition("Examples:")[2]


def test_nothing_heavy_is_imported_for_what_must_be_quick(environment: dict[str, str]) -> None:
    code = (
        "import sys\n"
        "from contextlib import suppress\n"
        "from passback.cli import main\n"
        f"for line in {QUICK}:\n"
        "    sys.argv[1:] = line.split()\n"
        "    with suppress(SystemExit):\n"
        "        main()\n"
        f"    print(line, [m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines() == [f"{line} []" for line in QUICK]


def test_help_answers_at_once(passback: Passback) -> None:
    def seconds() -> float:  # of processor time: a busy machine does not count against the command
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert passback("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(5)) < 0.6


def test_version_is_the_packages(passback: Passback) -> None:
    assert passback("--version").stdout == "passback 0.1.0\n"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["run"], ["run", "lakeview", "--mode", "all"], ["status", "--limit", "0"]]
)
def test_wrong_usage_ends_with_2(passback: Passback, arguments: list[str]) -> None:
    done = passback(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Usage: passback" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "nowhere"],
        ["check", "nowhere"],
        ["status"],
    ],
)
def test_a_known_error_is_one_line_with_the_mend(passback: Passback, arguments: list[str]) -> None:
    done = passback(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if line]
    assert line.startswith("error: ")
    assert "What to do: " in line


def test_mapping_files_are_found_by_option_and_by_variable(passback_here: Passback, mappings: Path) -> None:
    by_option = passback_here("--mappings", str(mappings), "check", "--json")
    by_variable = passback_here("check", "--json", PASSBACK_MAPPINGS=str(mappings))
    assert json.loads(by_option.stdout) == json.loads(by_variable.stdout)
    assert [row["district"] for row in json.loads(by_option.stdout)["districts"]] == ["lakeview"]


def test_output_into_a_pipe_is_plain_and_unfolded(passback: Passback, mappings: Path) -> None:
    deep = mappings / ("folder-" * 25)
    deep.mkdir()
    (deep / "lakeview.yaml").write_text("district: lakeview\n")
    shown = passback("--mappings", str(deep), "check").stdout
    assert "\x1b[" not in shown
    assert f"{deep / 'lakeview.yaml'}:1" in shown


def test_the_schema_is_json(passback: Passback) -> None:
    schema = json.loads(passback("schema").stdout)
    assert "categories" in schema["properties"]
