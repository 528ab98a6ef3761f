"""DAGs as Airflow's processes see them."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def mappings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of mapping files that holds the sample district."""
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "lakeview.yaml").write_text((ROOT / "include" / "mappings" / "lakeview.yaml").read_text())
    monkeypatch.setenv("PASSBACK_MAPPINGS", str(folder))
    return folder
