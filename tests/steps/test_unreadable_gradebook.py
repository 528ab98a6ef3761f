"""A class whose gradebook the SIS does not show for a night: it waits, and the other classes go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from passback.oneroster import Retries

if TYPE_CHECKING:
    from district import SampleDistrict

CLASSES = ("AAA-2013J", "AAA-2014J")
HIDDEN = "1001.0.02"


@pytest.mark.parametrize("status", [403, pytest.param(500, marks=pytest.mark.slow)])
def test_scores_of_a_gradebook_that_cannot_be_read_wait_and_pass_the_next_night(
    lakeview: SampleDistrict, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("passback.steps.work.RETRIES", Retries(attempts=2, first_wait=0.01))
    lakeview.sandbox.fault(
        "sis", "status", status=status, match={"method": "GET", "path": f"/classes/{HIDDEN}/lineItems"}
    )
    first = lakeview.run()
    assert first["reasons"]["gradebook.not_readable"]["leading_scores"] == 365
    assert first["outcomes"]["sent"] == 383
    assert first["outcomes"]["failed"] == 0
    lakeview.sandbox.lift_faults()
    second = lakeview.run()
    assert second["outcomes"]["unchanged"] == 383
    assert second["outcomes"]["sent"] == 363
    lakeview.held()


def test_a_gradebook_that_cannot_be_read_back_leaves_its_scores_unverified_and_no_others(
    lakeview: SampleDistrict,
) -> None:
    night = lakeview.night()
    for task_id in ("extract-scores", "validate", "transform-to-oneroster", "approve-changes", "load-to-sis"):
        lakeview.step(task_id, night)
    lakeview.sandbox.fault(
        "sis", "status", status=403, match={"method": "GET", "path": f"/classes/{HIDDEN}/"}
    )
    lakeview.step("audit", night)
    report = lakeview.report(night)
    assert report["outcomes"]["sent"] == 383
    assert report["reasons"]["sis.not_verified"]["scores"] == report["outcomes"]["failed"] == 363
    lakeview.sandbox.lift_faults()
    assert lakeview.run()["outcomes"]["sent"] == 363
