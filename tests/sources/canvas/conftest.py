"""A Canvas to read from: the sandbox's, and a stub for what no Canvas should answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from passback.frame_store import open_folder
from sandbox_process import SandboxProcess, start_sandbox
from sources.canvas.stub_canvas import StubCanvas, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("passback.sources.canvas.client.FIRST_WAIT", 0.01)


@pytest.fixture
async def stub() -> AsyncIterator[StubCanvas]:
    async with serving() as stub:
        yield stub


@pytest.fixture(scope="package")
def running_canvas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(
        tmp_path_factory.mktemp("canvas"), lms="canvas", sis="aspire", modules="AAA"
    ) as process:
        yield process


@pytest.fixture
def pages(tmp_path: Path) -> ObjectStoragePath:
    return open_folder(f"file://{tmp_path}/pages")
