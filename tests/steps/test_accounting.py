"""The account of real nights: one outcome for every score that the rules judged, whatever is killed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from passback import ledger
from passback.errors import CredentialError
from passback.ledger import database
from passback.night import TASKS
from passback.steps.absent import why_absent
from steps.generic import ASSIGNMENT, CLASS, SmallDistrict, small_district, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox_process import SandboxProcess

OTHER_CLASS = "nowhere"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start(tmp_path_factory.mktemp("accounting"), sis="generic") as running:
        yield running


@pytest.fixture
def district(
    process: SandboxProcess, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SmallDistrict:
    process.reset()
    return small_district(process, ledger_url, tmp_path, monkeypatch)


def rows(district: SmallDistrict, query: str) -> list[tuple[Any, ...]]:
    with (
        closing(ledger.connect(district.ledger_url)) as connection,
        database.transaction(connection) as cursor,
    ):
        cursor.execute(query)
        return cursor.fetchall()


def account(district: SmallDistrict) -> list[list[tuple[Any, ...]]]:
    """All that a run says of its scores, without instants."""
    queries = (
        "SELECT run_key, state, judged, extracted, sent, held, classes FROM passback.runs ORDER BY 1",
        "SELECT * FROM passback.run_outcomes ORDER BY run_id, class_id, outcome",
        "SELECT run_id, assessment_id, student_id, outcome, codes FROM passback.score_outcomes ORDER BY 2, 3",
        "SELECT run_id, assessment_id, student_id, outcome, codes FROM passback.score_history ORDER BY 2, 3",
    )
    return [rows(district, query) for query in queries]


def explained(district: SmallDistrict, student: str) -> dict[str, Any]:
    with closing(ledger.connect(district.ledger_url)) as connection:
        (score,) = ledger.explain_score(connection, "lakeview", ASSIGNMENT, student, CLASS)
    return score


def test_every_score_of_a_night_is_in_its_account_and_a_night_without_changes_adds_no_history(
    district: SmallDistrict,
) -> None:
    report = district.one_class("night-1")
    ((judged, extracted, in_account),) = rows(
        district,
        "SELECT judged, extracted, (SELECT sum(scores) FROM passback.run_outcomes) FROM passback.runs",
    )
    assert judged == extracted == in_account == report["extracted"] > 0
    history = rows(district, "SELECT * FROM passback.score_history ORDER BY 1, 2, 3, 4, 8")
    district.one_class("night-2")
    assert rows(district, "SELECT * FROM passback.score_history ORDER BY 1, 2, 3, 4, 8") == history
    assert rows(district, "SELECT DISTINCT classes FROM passback.runs") == [([CLASS],)]
    score = explained(district, "s3")
    assert [night["outcome"] for night in score["nights"]] == ["sent", "unchanged"]


def test_an_audit_that_is_cleared_gives_the_same_account(district: SmallDistrict) -> None:
    district.one_class("night-1")
    first = account(district)
    district.step("audit", district.night("night-1", classes=(CLASS,)))
    assert account(district) == first


def test_a_run_that_fails_and_is_cleared_is_told_of_as_it_ended(
    district: SmallDistrict, process: SandboxProcess
) -> None:
    night = district.night("night-1", classes=(CLASS,))
    process.fault("sis", "bad-secret")
    district.step("extract-scores", night)
    with pytest.raises(CredentialError):
        district.step("validate", night)
    assert {row[3] for row in account(district)[3]} == {"cancelled"}
    process.lift_faults()
    district.one_class("night-1")
    (run,), in_account, standing, history = account(district)
    assert run[1] == "good"
    assert sum(row[3] for row in in_account) == run[2] == run[3]
    assert len(history) == len(standing) == run[3]
    assert "cancelled" not in {row[3] for row in history}


@pytest.mark.parametrize(
    ("assessment", "student", "class_id", "codes"),
    [
        ("no-such", "s3", None, ["assessment_not_in_feed"]),
        (ASSIGNMENT, "s3", OTHER_CLASS, ["not_of_this_class"]),
        (ASSIGNMENT, "nobody", None, ["student_not_in_feed"]),
        (ASSIGNMENT, "s6", None, ["not_assigned", "not_in_roster"]),
        (ASSIGNMENT, "s3", None, ["not_judged"]),
    ],
)
def test_why_a_score_never_came_is_found_in_what_the_latest_run_read(
    district: SmallDistrict, assessment: str, student: str, class_id: str | None, codes: list[str]
) -> None:
    with closing(ledger.connect(district.ledger_url)) as connection:
        nothing_yet = why_absent(connection, "lakeview", assessment, student, class_id)
        assert [each.code for each in nothing_yet] == ["not_extracted"]
        night = district.night("night-1", classes=(CLASS,))
        for task_id in tuple(TASKS)[:2]:
            district.step(task_id, night)
        absent = why_absent(connection, "lakeview", assessment, student, class_id)
    assert [each.code for each in absent] == codes
    assert all(each.sentence.endswith(".") for each in absent)
