"""DAGs as Airflow's processes see them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from district import Lakeview, environment
from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_process import SandboxProcess

ROOT = Path(__file__).parents[2]


@pytest.fixture
def mappings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of mapping files that holds the sample district."""
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "lakeview.yaml").write_text((ROOT / "include" / "mappings" / "lakeview.yaml").read_text())
    monkeypatch.setenv("PASSBACK_MAPPINGS", str(folder))
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
def lakeview(
    running: SandboxProcess, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Lakeview:
    running.reset()
    for name, value in environment(running, ledger_url, tmp_path / "stage").items():
        monkeypatch.setenv(name, value)
    return Lakeview(running, ledger_url, tmp_path / "stage")
