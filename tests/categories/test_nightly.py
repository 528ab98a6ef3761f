"""What a night keeps of the SIS's categories, and tells; and what a preview leaves alone."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ledger.test_categories import listed
from passback import ledger
from passback.frame_store import open_folder, read_json
from passback.records import SIS_CLASSES
from passback.steps.categories import NOTED, keep_categories
from passback.steps.work import open_work

if TYPE_CHECKING:
    from district import Lakeview


def utc_now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def see(lakeview: Lakeview) -> Any:
    """A night that has extracted, and then sees these categories; what it notes for its report."""

    def seen(*titles: str, run_key: str, mode: str = "changes") -> dict[str, Any] | None:
        night = lakeview.night(run_key, mode=mode)
        if read_json(open_folder(night.folder), "extract") is None:
            lakeview.step("extract-scores", night)
        lakeview.said.clear()
        with open_work("validate", night, say=lakeview.said.append, clock=utc_now) as work:
            keep_categories(work, {"sis_categories": listed(*titles), "sis_classes": SIS_CLASSES.empty()})
            return read_json(work.folder, NOTED)

    return seen


def test_nights_notice_what_the_sis_does_to_its_categories(lakeview: Lakeview, see: Any) -> None:
    first = see("Quiz", "Test", run_key="night-1")
    assert first == {
        "new": [],
        "renamed": [],
        "retired": [],
        "returned": [],
        "verified": 2,
        "unlisted": 0,
    }
    assert lakeview.said == ["2 categories verified"]

    second = see("Quizzes", "Lab", run_key="night-2")
    assert (second["new"], second["renamed"], second["retired"]) == (["Lab"], [["Quiz", "Quizzes"]], ["Test"])
    assert "categories renamed: Quiz → Quizzes" in lakeview.said
    assert see("Quizzes", "Lab", run_key="night-2") == second, "a step that runs again tells the same"

    third = see("Quizzes", "Lab", run_key="night-3")
    assert (third["new"], third["renamed"], third["retired"]) == ([], [], [])
    assert see("Quizzes", "Lab", "Test", run_key="night-4")["returned"] == ["Test"]


def test_a_list_that_is_suddenly_empty_is_told_and_not_believed(lakeview: Lakeview, see: Any) -> None:
    see("Quiz", "Test", run_key="night-1")
    noted = see(run_key="night-2")
    assert (noted["unlisted"], noted["retired"]) == (2, [])
    (told,) = lakeview.said
    assert told.startswith("Skyward lists no category, though 2 are known: they are kept")


def test_a_preview_keeps_nothing(lakeview: Lakeview, see: Any) -> None:
    see("Quiz", run_key="night-1")
    assert see("Quiz", "Test", run_key="preview-1", mode="preview") is None
    with closing(ledger.connect(lakeview.ledger_url)) as connection:
        assert list(ledger.known_categories(connection, "lakeview")["title"]) == ["Quiz"]
