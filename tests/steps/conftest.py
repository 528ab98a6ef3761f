"""The sample district, freshly seeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from district import Lakeview, environment
from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox_process import SandboxProcess


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
