"""The command as a person runs it: a process of its own, with a home of its own.

Where only the answer counts, the command runs in the tests' process: Airflow takes seconds to import.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from passback import cli, paths

Passback = Callable[..., subprocess.CompletedProcess[str]]

DISPLAY = ("COLUMNS", "FORCE_COLOR", "NO_COLOR")
COMMAND = (str(Path(sys.executable).with_name("passback")),)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home, a stage and no connection."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "PASSBACK", *DISPLAY))
    }
    return {
        **kept,
        "HOME": str(tmp_path),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "PASSBACK_STAGE": (tmp_path / "stage").as_uri(),
    }


@pytest.fixture
def passback(environment: dict[str, str]) -> Passback:
    """Runs `passback` with arguments, and with further variables."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def airflow_imported() -> None:
    """Airflow, set up by the session's variables and streams, not by a test's."""
    from airflow.sdk import BaseHook  # noqa: F401, PLC0415 - it is the import that counts


@pytest.fixture
def passback_here(
    airflow_imported: None,  # noqa: ARG001 - before the streams are turned aside
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Passback:
    """Runs `passback` as the fixture `passback` does, but in this process, and in its Airflow home."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        code: int | str | None = 0
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["passback", *arguments])
            for name in DISPLAY:
                patch.delenv(name, raising=False)
            for name, value in {"PASSBACK_STAGE": environment["PASSBACK_STAGE"], **variables}.items():
                patch.setenv(name, value)
            patch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")  # else `main` sets it for good
            try:
                cli.main()
            except SystemExit as ended:
                code = ended.code
            sys.__stdout__.flush()  # type: ignore[union-attr]
        told = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, int(code or 0), told.out, told.err)

    return run


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """A folder with one good mapping file, lakeview's."""
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "lakeview.yaml").write_bytes((paths.root() / "include/mappings/lakeview.yaml").read_bytes())
    return folder
