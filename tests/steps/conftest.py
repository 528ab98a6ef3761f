"""What the nights of these tests have in common, and a district whose platform is Canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from district import SampleDistrict, environment
from kept_verdicts import judge_once
from sandbox_process import start_sandbox
from steps.generic import SmallDistrict, small_district, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd

    from sandbox_process import SandboxProcess


@pytest.fixture(scope="session")
def judge() -> Callable[..., pd.DataFrame]:
    return judge_once()


@pytest.fixture(scope="module", autouse=True)
def verdicts_asked_for_once(judge: Callable[..., pd.DataFrame]) -> Iterator[None]:
    """The rules are on trial elsewhere (tests/rules); here most rows of most nights are the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("passback.stages.validate.judge", judge)
        yield


@pytest.fixture
def harborview(ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SampleDistrict]:
    """The sample district of Canvas and Aspen with a sandbox and a ledger of its own."""
    with start_sandbox(tmp_path / "sandbox", lms="canvas", sis="aspen", modules="AAA") as sandbox:
        for name, value in environment(sandbox, ledger_url, tmp_path / "stage", "harborview").items():
            monkeypatch.setenv(name, value)
        yield SampleDistrict(sandbox, ledger_url, tmp_path / "stage", name="harborview")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The sandbox of a SIS that speaks plain OneRoster 1.2; a module may have another."""
    with start(tmp_path_factory.mktemp("generic"), sis="generic") as process:
        process.control("POST", "/snapshot")
        yield process


@pytest.fixture
def settings() -> dict[str, Any]:
    """How that SIS is set; a test may set it otherwise."""
    return {"writes": "put"}


@pytest.fixture
def district(
    running: SandboxProcess,
    ledger_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
) -> SmallDistrict:
    """A small district with a ledger of its own, and the sandbox as it was at first."""
    running.lift_faults()
    running.control("POST", "/restore")
    running.control("PATCH", "/settings", settings)
    return small_district(running, ledger_url, tmp_path, monkeypatch)
