"""What validate saw in a gradebook is not asked for again by the load that follows at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from passback.mapping.file import read_district
from passback.mapping.model import Limits
from passback.night import TASKS
from passback.steps.decision import decide
from steps.generic import CLASS, EVENING, SmallDistrict, small_district, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox_process import SandboxProcess


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start(tmp_path_factory.mktemp("skyward"), sis="skyward") as process:
        process.control("POST", "/snapshot")
        yield process


@pytest.fixture
def district(
    running: SandboxProcess, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SmallDistrict:
    running.control("POST", "/restore")
    return small_district(running, ledger_url, tmp_path, monkeypatch, system="skyward")


def listed(district: SmallDistrict) -> int:
    """How often a class's line items were asked for."""
    rows = district.sandbox.requests()["requests"]
    return sum(row["count"] for row in rows if row["method"] == "GET" and row["path"].endswith("/lineItems"))


@pytest.mark.parametrize(
    ("what", "listings"),
    [
        ("the load follows at once", 2),  # by validate, and by the audit
        pytest.param("an hour goes by", 3, marks=pytest.mark.slow),
        pytest.param("a person is asked", 3, marks=pytest.mark.slow),
        ("the load is cleared", 3),
    ],
)
def test_a_class_with_a_new_title_is_listed_no_more_often_than_needed(
    district: SmallDistrict, what: str, listings: int
) -> None:
    district.one_class()
    district.rename("Renamed")
    district.grade("3", 71)
    before = listed(district)
    night = district.night(classes=(CLASS,))
    strict, lenient = Limits(share=0.01, at_least=1), Limits(share=1, at_least=1_000)
    limits = strict if what == "a person is asked" else lenient
    night = replace(night, district=read_district("lakeview").model_copy(update={"limits": limits}))
    for task_id in TASKS:
        if task_id == "load-to-sis" and what == "an hour goes by":
            district.clock = lambda: EVENING + timedelta(hours=1)
        if task_id == "load-to-sis" and what == "a person is asked":
            decide(night, "go on", by="Ada", at=EVENING)
        district.step(task_id, night)
        if task_id == "load-to-sis" and what == "the load is cleared":
            district.step(task_id, night)
    assert district.report(night)["outcomes"]["failed"] == 0
    assert district.line_item("Renamed")
    assert listed(district) - before == listings
