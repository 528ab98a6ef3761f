"""A feed to read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oneroster.conftest import self_signed  # noqa: F401 - a fixture
from passback.connections import Endpoint
from passback.frame_store import open_folder
from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

    from sandbox_process import SandboxProcess


@pytest.fixture(scope="module")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A sandbox that holds all modules: enough for several pages."""
    with start_sandbox(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
def endpoint(sandbox: SandboxProcess) -> Endpoint:
    token = sandbox.info()["feed"]["token"]
    return Endpoint("lakeview_otus", sandbox.url, login="", secret=token, extra={})


@pytest.fixture
def pages(tmp_path: Path) -> ObjectStoragePath:
    return open_folder(f"file://{tmp_path}/pages")
