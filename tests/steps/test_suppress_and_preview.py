"""What a person takes out of passback through whole nights, and what a preview says of it beforehand."""

from __future__ import annotations

import csv
import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from psycopg2 import sql

from passback import ledger
from passback.night import TASKS
from steps.generic import ASSIGNMENT, CLASS, TITLE, SmallDistrict, sis_id

if TYPE_CHECKING:
    from passback.night import Night

CODE = "suppressed.by_person"


def take_out(district: SmallDistrict, kind: str, source_id: str) -> None:
    with closing(ledger.connect(district.ledger_url)) as connection:
        assert ledger.suppress(connection, "lakeview", kind, source_id, reason="test", ordered_by="Ann")


def put_back(district: SmallDistrict, kind: str, source_id: str) -> None:
    with closing(ledger.connect(district.ledger_url)) as connection:
        assert ledger.unsuppress(connection, "lakeview", kind, source_id, reason="", ordered_by="Ann")


def suppressed(report: dict[str, Any]) -> int:
    count: int = report["reasons"].get(CODE, {"scores": 0})["scores"]
    return count


# --- Suppress ---


@pytest.mark.parametrize(
    ("kind", "source_id"),
    [("assessment", ASSIGNMENT), pytest.param("class", CLASS, marks=pytest.mark.slow), ("student", "s3")],
)
def test_nothing_new_is_sent_and_what_was_sent_stays(
    district: SmallDistrict, kind: str, source_id: str
) -> None:
    district.one_class()
    before = district.scores()
    take_out(district, kind, source_id)
    district.grade("3", 99)
    district.grade("3", 98, assessment="102")
    if kind != "student":
        district.rename("Another title")
    report = district.one_class()
    held = district.scores()
    assert suppressed(report) > 0
    assert held[TITLE, sis_id("3")] == before[TITLE, sis_id("3")]
    assert {key for key in before if key not in held} == set()
    if kind == "class":
        assert held == before


def test_back_in_what_differs_by_then_goes_out(district: SmallDistrict) -> None:
    district.one_class()
    take_out(district, "student", "s3")
    district.grade("3", 99)
    assert district.one_class()["outcomes"]["sent"] == 0
    put_back(district, "student", "s3")
    assert district.one_class()["outcomes"]["sent"] == 1
    assert district.scores()[TITLE, sis_id("3")] == 99


def test_what_is_out_from_the_start_never_comes_into_the_sis(district: SmallDistrict) -> None:
    take_out(district, "assessment", ASSIGNMENT)
    report = district.one_class()
    assert suppressed(report) == 5
    assert TITLE not in {title for title, _ in district.scores()}


def test_in_a_full_run_it_is_not_sent_either(district: SmallDistrict) -> None:
    district.one_class()
    take_out(district, "class", CLASS)
    written = len(district.sandbox.writes())
    district.one_class(mode="full")
    assert len(district.sandbox.writes()) == written


def test_a_score_that_is_taken_back_in_the_source_is_not_cleared_while_it_is_out(
    district: SmallDistrict,
) -> None:
    district.says(removed_scores="clear")
    district.one_class()
    before = district.scores()
    take_out(district, "student", "s3")
    district.grade("3", None)
    district.one_class()
    assert district.scores() == before


def test_a_suppression_is_no_harm_that_a_run_asks_about(district: SmallDistrict) -> None:
    district.one_class()
    take_out(district, "class", CLASS)
    limit = district.one_class()["limit"]
    assert (limit["changed"], limit["vanished"], limit["refused"], limit["asks"]) == (0, 0, 0, False)


def test_while_a_run_is_under_way_it_counts_from_the_next_validate_on(district: SmallDistrict) -> None:
    night = district.night(classes=(CLASS,))
    tasks = list(TASKS)
    for task_id in tasks[:3]:
        district.step(task_id, night)
    take_out(district, "class", CLASS)
    for task_id in tasks[3:]:
        district.step(task_id, night)
    assert suppressed(district.report(night)) == 0
    sent = district.scores()
    assert sent
    district.grade("3", 99)
    assert suppressed(district.one_class()) > 0
    assert district.scores() == sent


# --- Preview ---


def previewed(district: SmallDistrict) -> tuple[dict[str, Any], list[dict[str, str]], dict[str, Any]]:
    """A preview's report, its preview.csv and its preview.json."""
    night: Night = district.night(classes=(CLASS,), mode="preview")
    for task_id in TASKS:
        district.step(task_id, night)
    folder = Path(night.folder.removeprefix("file://")) / "report"
    with (folder / "preview.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return district.report(night), rows, json.loads((folder / "preview.json").read_text())


def written_in(rows: list[dict[str, str]], *effects: str) -> set[tuple[str, str]]:
    """Assessment and student of the results that would go one of these ways."""
    return {
        (row["assessment_id"], row["student_id"])
        for row in rows
        if row["kind"] == "result" and row["effect"] in effects
    }


def test_a_preview_says_what_the_run_after_it_then_does(district: SmallDistrict) -> None:
    district.one_class()
    take_out(district, "student", "s4")
    district.grade("3", 99)
    district.grade("4", 98)
    district.rename("Another title")
    held, rows_before = district.sandbox.dump(), ledger_rows(district)
    report, rows, told = previewed(district)
    assert district.sandbox.dump() == held
    assert ledger_rows(district) == rows_before

    assert written_in(rows, "created", "changed", "sent again", "cleared") == {(ASSIGNMENT, "s3")}
    (line_item,) = [row for row in rows if row["kind"] == "line item" and row["effect"] == "changed"]
    assert line_item["field_changes"] == f"title {TITLE} → Another title"
    (result,) = [row for row in rows if row["kind"] == "result" and row["effect"] == "changed"]
    assert "→ 99" in result["field_changes"]
    assert {row["code"] for row in rows if row["student_id"] == "s4"} <= {CODE, "period.closed"}
    assert sum(row["kind"] == "result" for row in rows) == report["extracted"]
    (of_class,) = told["classes"]
    assert len(of_class["entries"]) == len(rows)
    assert of_class["results"]["changed"] == 1
    assert report["preview"] == [{name: of_class[name] for name in of_class if name != "entries"}]

    after = district.one_class()
    assert after["outcomes"]["sent"] == 1
    assert after["written"] == {"line_items": 1, "results": 1}


def test_before_the_first_night_everything_would_be_created(district: SmallDistrict) -> None:
    _, rows, _ = previewed(district)
    assert {row["effect"] for row in rows} == {"created", "waiting", "refused"}
    assert all(row["code"] for row in rows if row["effect"] in {"waiting", "refused"})
    assert district.sandbox.writes() == []


def ledger_rows(district: SmallDistrict) -> dict[str, int]:
    """How many rows each of the ledger's tables has."""
    with closing(ledger.connect(district.ledger_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'passback' ORDER BY 1")
        tables = [name for (name,) in cursor.fetchall()]
        counts = {}
        for table in tables:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("passback", table)))
            (counts[table],) = cursor.fetchone()
    return counts
