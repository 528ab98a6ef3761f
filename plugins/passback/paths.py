"""Where things lie: read from the environment when asked, never at import."""

from __future__ import annotations

import os
from pathlib import Path


def root() -> Path:
    """The project: PASSBACK_HOME, or the folder that holds `plugins/`, `include/` and `expectations/`."""
    return _folder("PASSBACK_HOME") or Path(__file__).resolve().parents[2]


def mappings() -> Path:
    """The folder of mapping files: PASSBACK_MAPPINGS, or `include/mappings` of the project."""
    return _folder("PASSBACK_MAPPINGS") or root() / "include" / "mappings"


def expectations() -> Path:
    """The folder of suites, one folder a SIS."""
    return root() / "expectations"


def stage() -> str:
    """URI under which the runs' data lie between tasks: PASSBACK_STAGE, or a folder in Airflow's home."""
    uri = os.environ.get("PASSBACK_STAGE", "").strip()
    if uri:
        return uri.rstrip("/")
    airflow_home = _folder("AIRFLOW_HOME") or Path("~/airflow").expanduser()
    return f"file://{airflow_home.absolute()}/passback"


def _folder(variable: str) -> Path | None:
    value = os.environ.get(variable, "").strip()
    return Path(value).expanduser() if value else None
