"""A feed to read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oneroster.conftest import self_signed  # noqa: F401 - a fixture
from passback.connections import Endpoint
from passback.frame_store import open_folder

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

    from sandbox_process import SandboxProcess


@pytest.fixture
def endpoint(sandbox: SandboxProcess) -> Endpoint:
    token = sandbox.info()["feed"]["token"]
    return Endpoint("lakeview_otus", sandbox.url, login="", secret=token, extra={})


@pytest.fixture
def pages(tmp_path: Path) -> ObjectStoragePath:
    return open_folder(f"file://{tmp_path}/pages")
