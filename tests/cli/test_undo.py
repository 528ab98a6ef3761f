"""`passback undo` as a person calls it."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from passback import cli, ledger
from steps.generic import SmallDistrict, small_district, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox_process import SandboxProcess


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start(tmp_path_factory.mktemp("generic"), sis="generic") as process:
        process.control("POST", "/snapshot")
        yield process


@pytest.fixture
def district(
    running: SandboxProcess, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SmallDistrict:
    running.control("POST", "/restore")
    return small_district(running, ledger_url, tmp_path, monkeypatch)


def passback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    capfd.readouterr()
    monkeypatch.setattr(sys, "argv", ["passback", *arguments])
    code: int | str | None = 0
    try:
        cli.main()
    except SystemExit as ended:
        code = ended.code
    sys.__stdout__.flush()  # type: ignore[union-attr]
    told = capfd.readouterr()
    return int(code or 0), told.out, told.err


def test_a_preview_tells_and_only_a_yes_writes(
    district: SmallDistrict, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    district.one_class()
    before = district.scores()
    code, out, _ = passback(monkeypatch, capfd, "undo", "test__1", "--preview", "--json")
    planned = json.loads(out)
    assert (code, planned["state"], planned["results"]) == (0, "planned", {"clear": len(before)})
    assert all("→ none" in row["field_changes"] for row in planned["changes"] if row["kind"] == "result")

    code, _, err = passback(monkeypatch, capfd, "undo", "test__1")
    assert (code, "--yes" in err) == (1, True)
    assert district.scores() == before

    code, out, _ = passback(monkeypatch, capfd, "undo", "test__1", "-d", "lakeview", "--yes")
    assert (code, "went back" in out) == (0, True)
    assert district.scores() == {}
    with closing(ledger.connect(district.ledger_url)) as connection:
        newest = ledger.latest_runs(connection, "lakeview", 1)[0]
    assert (newest["mode"], newest["state"]) == ("undo", "good")


@pytest.mark.usefixtures("district")
def test_an_unknown_run_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = passback(monkeypatch, capfd, "undo", "nothing", "--preview")
    assert (code, out) == (1, "")
    assert "knows no such run" in err
