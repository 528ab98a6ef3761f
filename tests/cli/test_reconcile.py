"""`passback reconcile` as a person calls it."""

from __future__ import annotations

import csv
import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from passback import ledger
from steps.afterwards import score_by_hand
from steps.generic import CLASS, small_district, start

if TYPE_CHECKING:
    import pytest

    from cli.conftest import Passback


def test_what_somebody_changed_is_counted_and_the_list_named(
    passback_here: Passback, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start(tmp_path, sis="generic") as sandbox:
        district = small_district(sandbox, ledger_url, tmp_path, monkeypatch)
        district.one_class()
        score_by_hand(district, "3", 1.5)
        stage = {"PASSBACK_STAGE": district.stage.as_uri()}
        table = passback_here("reconcile", "lakeview", "--class", CLASS, **stage)
        assert table.returncode == 0, table.stderr
        file = Path(table.stdout.rpartition(": ")[2].strip())
        with file.open(encoding="utf-8-sig") as rows:
            assert [row["finding"] for row in csv.DictReader(rows)] == ["changed_in_sis"]

        told = json.loads(passback_here("reconcile", "lakeview", "--class", CLASS, "--json", **stage).stdout)
        assert (told["entries"], told["not_compared"]) == (1, [])
        assert told["policy"] == {"assignments": "report", "scores": "report"}
        (of_results,) = [row for row in told["classes"] if row["kind"] == "result"]
        assert (of_results["changed_in_sis"], of_results["missing_in_sis"]) == (1, 0)
    with closing(ledger.connect(ledger_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT mode, ordered_by FROM passback.runs ORDER BY run_id DESC LIMIT 1")
        mode, by = cursor.fetchone() or ("", "")
    assert (mode, by.endswith("(passback reconcile)")) == ("reconcile", True)
