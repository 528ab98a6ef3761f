"""What the nights of these tests have in common, and a district whose platform is Canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from district import SampleDistrict, environment
from kept_verdicts import judge_once
from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd


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
