"""The command from check to report, against the sandbox and a real ledger."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox_process import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.conftest import Passback

CLASS = "AAA-2013J"


@pytest.fixture
def connections(tmp_path: Path, ledger_url: str) -> Iterator[dict[str, str]]:
    """The variables that lead to a running sandbox and an empty ledger."""
    with start_sandbox(tmp_path / "sandbox") as sandbox:
        info = sandbox.info()
        http = {"conn_type": "http", "host": info["url"]}
        sis = {"login": info["sis"]["client_id"], "password": info["sis"]["client_secret"]}
        yield {
            "AIRFLOW_CONN_LAKEVIEW_OTUS": json.dumps({**http, "password": info["feed"]["token"]}),
            "AIRFLOW_CONN_LAKEVIEW_SKYWARD": json.dumps({**http, **sis}),
            "AIRFLOW_CONN_PASSBACK_LEDGER": ledger_url,
        }


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline="")))


def test_a_night_by_command_with_another_folder_of_mapping_files(
    passback: Passback, mappings: Path, connections: dict[str, str]
) -> None:
    mapping = (mappings / "lakeview.yaml").rename(mappings / "hilltop.yaml")
    mapping.write_text(mapping.read_text().replace("district: lakeview", "district: hilltop"))
    files = ("--mappings", str(mappings))
    checked = passback(*files, "check", "hilltop", "--connect", "--json", **connections)
    assert checked.returncode == 0, checked.stdout
    findings = json.loads(checked.stdout)["districts"][0]["connections"]
    assert [found["check"] for found in findings] == [
        "source otus",
        "SIS skyward",
        "permissions",
        "clock",
        "roster",
        "grading periods",
        "confirmed",
        "confirmed",
        "categories",
        "class match",
        "student match",
    ]

    ran = passback(*files, "run", "hilltop", "--class", CLASS, **connections)
    assert ran.returncode == 0, ran.stderr
    assert "load-to-sis" in ran.stderr

    page = Path(re.search(r"^Report: (.+)$", ran.stdout, re.MULTILINE)[1])  # type: ignore[index]
    summary = json.loads(page.with_name("report.json").read_text())
    assert summary["mapping_file"] == hashlib.sha256(mapping.read_bytes()).hexdigest()
    assert summary["extracted"] == sum(summary["outcomes"].values()) > 0
    assert f"{summary['outcomes']['sent']:,} scores sent." in ran.stdout
    results = [row for row in rows(page.with_name("changes.csv")) if row["kind"] == "result"]
    assert len(results) == summary["outcomes"]["sent"] > 0
    not_passed = rows(page.with_name("not-passed.csv"))
    assert len(not_passed) == summary["outcomes"]["rejected"] + summary["outcomes"]["held"]
    assert {row["class_id"] for row in not_passed} == {CLASS}
