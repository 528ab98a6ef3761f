"""The demo as a person runs it, two nights in a row, in a copy of the checkout."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import stack
from stack import state
from stack.districts import DISTRICTS
from stack.processes import tail

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.demo, pytest.mark.timeout(900)]

ROOT = Path(stack.__file__).parents[2]
OF_THE_CHECKOUT = (
    "Makefile",
    "dags",
    "expectations",
    "include",
    "plugins",
    "pyproject.toml",
    "requirements.txt",
)
OUTCOMES = ("sent", "unchanged", "held", "rejected", "failed", "cancelled")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the checkout, with a space in its path."""
    checkout = tmp_path_factory.mktemp("demo") / "a checkout"
    checkout.mkdir()
    for name in OF_THE_CHECKOUT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, checkout / name)
    yield checkout
    state.remove(checkout / ".demo")


def demo_environment(checkout: Path) -> dict[str, str]:
    """Without a home of one's own."""
    return {**os.environ, "HOME": str(checkout.parent / "no home"), "ONCE": "1"}


def make_demo(checkout: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`make demo` with the packages that the tests themselves use."""
    return subprocess.run(
        ["make", "demo", f"VENV={sys.prefix}"],
        check=False,
        cwd=checkout,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**demo_environment(checkout), **variables},
    )


def counts(said: str) -> dict[str, dict[str, int]]:
    """What the demo's table says, by district: scores, and how many ended in which outcome."""
    header = next(line for line in said.splitlines() if "cancelled" in line and "┃" in line)
    names = [cell.strip() for cell in header.strip("┃ ").split("┃")]
    rows = [
        dict(zip(names, (cell.strip() for cell in line.strip("│ ").split("│")), strict=True))
        for line in said.splitlines()
        if re.match(r"│ \w+ +│ \w+ → ", line)
    ]
    return {row["district"]: {name: int(row[name]) for name in ("scores", *OUTCOMES)} for row in rows}


def leftovers(checkout: Path) -> list[str]:
    """Command lines of processes whose working folder lies in the checkout."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(checkout):
                found.append((process / "cmdline").read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def first_night(checkout: Path) -> subprocess.CompletedProcess[str]:
    return make_demo(checkout)


def test_the_first_night_ends_well(checkout: Path, first_night: subprocess.CompletedProcess[str]) -> None:
    assert first_night.returncode == 0, first_night.stdout + first_night.stderr
    assert leftovers(checkout) == []


def test_every_score_of_the_first_night_has_one_outcome(
    first_night: subprocess.CompletedProcess[str],
) -> None:
    shown = counts(first_night.stdout)
    assert list(shown) == [district.name for district in DISTRICTS]
    for row in shown.values():
        assert row["scores"] == sum(row[outcome] for outcome in OUTCOMES)
        assert row["sent"] > 0
        assert row["unchanged"] == row["failed"] == row["cancelled"] == 0


def test_the_first_night_says_where_to_look(first_night: subprocess.CompletedProcess[str]) -> None:
    reports = re.findall(r"^Report +(.+)$", first_night.stdout, flags=re.MULTILINE)
    assert len(reports) == len(DISTRICTS)
    assert all(Path(report).is_file() for report in reports)
    assert re.search(
        r"^Airflow +http://127\.0\.0\.1:\d+ +user admin, password \S+$", first_night.stdout, re.MULTILINE
    )


def test_no_stack_trace_is_shown_or_logged(
    checkout: Path, first_night: subprocess.CompletedProcess[str]
) -> None:
    assert "Traceback" not in first_night.stdout + first_night.stderr
    logs = list((checkout / ".demo" / "run").glob("*.log"))
    assert len(logs) >= 4
    assert {log.name: tail(log, 30) for log in logs if "Traceback" in log.read_text(encoding="utf-8")} == {}


def test_nothing_of_a_student_stands_in_any_log(
    checkout: Path, first_night: subprocess.CompletedProcess[str]
) -> None:
    with (checkout / "include" / "sandbox" / "data" / "studentRegistration.csv").open(newline="") as file:
        students = {row["id_student"] for row in csv.DictReader(file)}
    ids = {f"s{student}" for student in students} | {f"9{int(student):07}" for student in students}
    logs = [path for folder in ("airflow/logs", "run") for path in (checkout / ".demo" / folder).rglob("*")]
    assert len(logs) > 10
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in logs if path.is_file()]
    for text in [*texts, first_night.stdout, first_night.stderr]:
        assert not ids & set(re.findall(r"\w+", text))


@contextmanager
def demo_until(checkout: Path, sign: str) -> Iterator[subprocess.Popen[str]]:
    """A demo that has just said a certain thing."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "stack.demo"],
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**demo_environment(checkout), "PYTHONPATH": f"{checkout}/plugins:{checkout}/include"},
    )
    assert demo.stdout is not None
    try:
        for line in demo.stdout:
            if sign in line:
                break
        yield demo
    finally:
        demo.kill()
        demo.communicate()


@pytest.mark.slow
def test_the_second_night_mends_a_killed_demo_and_sends_nothing(
    checkout: Path, first_night: subprocess.CompletedProcess[str]
) -> None:
    with demo_until(checkout, "extract-scores         success") as killed:
        beside = make_demo(checkout)
        assert beside.returncode != 0
        assert f"A demo already runs in this checkout (process {killed.pid})" in beside.stderr
    assert leftovers(checkout) != []

    second = make_demo(checkout)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "An earlier demo was killed" in second.stdout
    assert "A run of an earlier demo was cut off" in second.stdout
    first = counts(first_night.stdout)
    assert counts(second.stdout) == {
        district: {**row, "sent": 0, "unchanged": row["sent"]} for district, row in first.items()
    }
    assert leftovers(checkout) == []


@pytest.mark.usefixtures("first_night")
def test_what_the_demo_keeps_is_not_for_others_to_read(checkout: Path) -> None:
    folder = checkout / ".demo"
    assert folder.stat().st_mode & 0o077 == 0o011
    for kept in ("airflow", "home", "run", "sandbox", "secrets", "stage"):
        assert (folder / kept).stat().st_mode & 0o077 == 0, kept
    passwords = json.loads((folder / "airflow" / "passwords.json").read_text(encoding="utf-8"))
    assert list(passwords) == ["admin"]


@pytest.mark.parametrize("port", ["no number", "0", "65536"])
def test_a_port_that_is_none_is_refused(checkout: Path, port: str) -> None:
    refused = make_demo(checkout, PORT=port)
    assert refused.returncode != 0
    assert f"PORT={port} is not a port" in refused.stderr
