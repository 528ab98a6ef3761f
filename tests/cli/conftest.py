"""The command as a person runs it: a process of its own, with a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from passback import paths

Passback = Callable[..., subprocess.CompletedProcess[str]]

COMMAND = (str(Path(sys.executable).with_name("passback")),)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home, a stage and no connection."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "PASSBACK", "COLUMNS", "FORCE_COLOR", "NO_COLOR"))
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


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """A folder with one good mapping file, lakeview's."""
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "lakeview.yaml").write_bytes((paths.root() / "include/mappings/lakeview.yaml").read_bytes())
    return folder
