"""Where things lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from passback import paths


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PASSBACK_HOME", "PASSBACK_MAPPINGS", "PASSBACK_STAGE", "AIRFLOW_HOME"):
        monkeypatch.delenv(variable, raising=False)


def test_without_variables_everything_lies_in_the_project() -> None:
    assert (paths.root() / "plugins" / "passback" / "paths.py").is_file()
    assert paths.mappings() == paths.root() / "include" / "mappings"
    assert paths.expectations() == paths.root() / "expectations"


def test_variables_are_read_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSBACK_HOME", str(tmp_path))
    assert paths.mappings() == tmp_path / "include" / "mappings"
    monkeypatch.setenv("PASSBACK_MAPPINGS", str(tmp_path / "districts"))
    assert paths.mappings() == tmp_path / "districts"
    assert paths.expectations() == tmp_path / "expectations"


def test_the_stage_is_a_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths.stage() == f"file://{Path.home()}/airflow/passback"
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert paths.stage() == f"file://{tmp_path}/passback"
    monkeypatch.setenv("PASSBACK_STAGE", "s3://bucket/passback/")
    assert paths.stage() == "s3://bucket/passback"
