"""The step that reads the source: what it takes for good, what it keeps for the next try."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from passback import ledger
from passback.errors import ContractError, SourceShrunkError, UnavailableError
from passback.frame_store import open_folder, read_frame, write_frame
from passback.records import SCORES
from passback.sources.feed import OVERLAP

if TYPE_CHECKING:
    from pathlib import Path

    from district import SampleDistrict
    from passback.night import Night

STEP = "extract-scores"
HELD = 19_158


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("passback.sources.feed.FIRST_WAIT", 0.01)


def pages_kept(night: Night) -> bool:
    return (open_folder(night.folder) / "pages").exists()


def last_extract(lakeview: SampleDistrict) -> dict[str, Any]:
    with closing(ledger.connect(lakeview.ledger_url)) as connection:
        last = ledger.last_extract(connection, "lakeview")
    assert last is not None
    return last


def test_a_run_cleared_after_an_empty_feed_was_mended_succeeds(lakeview: SampleDistrict) -> None:
    night = lakeview.night()
    lakeview.sandbox.fault("feed", "empty")
    with pytest.raises(SourceShrunkError):
        lakeview.step(STEP, night)
    assert not pages_kept(night)
    lakeview.sandbox.lift_faults()
    assert lakeview.step(STEP, night)["scores"] == HELD
    assert not pages_kept(night)


def test_pages_are_kept_while_the_feed_cannot_be_reached_and_not_after_a_wrong_page(
    lakeview: SampleDistrict,
) -> None:
    night = lakeview.night()
    lakeview.sandbox.fault("feed", "drop", match={"path": ".*/scores"}, after=3)
    with pytest.raises(UnavailableError):
        lakeview.step(STEP, night)
    assert pages_kept(night)
    lakeview.sandbox.lift_faults()
    lakeview.sandbox.fault("feed", "html", match={"path": ".*/scores"}, after=1)
    with pytest.raises(ContractError):
        lakeview.step(STEP, night)
    assert not pages_kept(night)


def test_a_source_that_has_lost_most_of_its_students_is_a_failure(lakeview: SampleDistrict) -> None:
    lakeview.step(STEP, lakeview.night())
    last = last_extract(lakeview)
    students = lakeview.sandbox.feed_items("students")
    noted = open_folder(lakeview.night("test__1").folder) / "extract.json"
    before = json.loads(noted.read_bytes())
    assert before["students"] == len(students)
    noted.write_bytes(json.dumps(before | {"students": 2 * len(students) + 1}).encode())
    with pytest.raises(SourceShrunkError, match="students, last time it held"):
        lakeview.step(STEP, lakeview.night())
    assert last_extract(lakeview) == last
    lakeview.step(STEP, lakeview.night(mode="full"))


def test_counts_that_were_removed_with_an_old_run_are_not_missed(lakeview: SampleDistrict) -> None:
    lakeview.step(STEP, lakeview.night())
    (open_folder(lakeview.night("test__1").folder) / "extract.json").unlink()
    assert lakeview.step(STEP, lakeview.night())["scores"] == HELD


def test_what_is_read_whole_because_the_changes_do_not_add_up_is_checked_too(
    lakeview: SampleDistrict,
) -> None:
    lakeview.step(STEP, lakeview.night())
    last = last_extract(lakeview)
    snapshot = open_folder(last["snapshot"])
    write_frame(snapshot, SCORES.name, read_frame(snapshot, SCORES).iloc[1:])
    with closing(ledger.connect(lakeview.ledger_url)) as connection:
        ledger.keep_extract(connection, "lakeview", **last | {"watermark": last["watermark"] + OVERLAP})
    lakeview.sandbox.fault("feed", "empty", match={"path": ".*/scores"}, after=1)
    with pytest.raises(SourceShrunkError, match="no scores"):
        lakeview.step(STEP, lakeview.night())
    assert last_extract(lakeview)["snapshot"] == last["snapshot"]
    lakeview.sandbox.lift_faults()
    assert lakeview.step(STEP, lakeview.night())["scores"] == HELD


def test_identical_copies_count_once_in_the_run_and_as_often_as_they_stand_in_the_source(
    lakeview: SampleDistrict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakeview.sandbox.control("POST", "/export-csv", {"folder": str(tmp_path / "export")})
    scores = tmp_path / "export" / "scores.csv"
    lines = scores.read_text("utf-8").splitlines(keepends=True)
    scores.write_text("".join([*lines, lines[-1]]), "utf-8")
    connection = {"conn_type": "http", "host": (tmp_path / "export").as_uri()}
    monkeypatch.setenv("AIRFLOW_CONN_LAKEVIEW_OTUS", json.dumps(connection))
    assert lakeview.step(STEP, lakeview.night())["scores"] == HELD
    assert last_extract(lakeview)["scores"] == HELD + 1
