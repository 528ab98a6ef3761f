"""The trail: what enters it, and that no change to it goes unseen."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from psycopg2 import sql

from ledger.frames import (
    ANSWERED,
    line_item_answers,
    line_item_plan,
    read_back,
    result_answers,
    result_plan,
)
from passback.errors import PermissionRefusedError
from passback.ledger import (
    answer_line_items,
    answer_results,
    connect,
    database,
    districts,
    first_break,
    intend_line_items,
    intend_results,
    note_category,
    settle_results,
    trail,
    verify_trail,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.ledger import Connection


def send(ledger: Connection, run: int, *students: str, score: float, district: str = "lakeview") -> None:
    intend_results(ledger, district, run, result_plan(*students, score=score))
    answer_results(ledger, district, run, result_answers(*students))


def scores(ledger: Connection) -> list[tuple[int, str, float | None, float | None]]:
    """Number, student, score before and score after of every row."""
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "SELECT seq, student_id, (from_value->>'score')::float, (to_value->>'score')::float"
            " FROM passback.trail WHERE kind = 'result' ORDER BY district, seq"
        )
        return cursor.fetchall()


def tamper(ledger: Connection, statement: str) -> None:
    """As the owner could, who can take the trigger off."""
    with database.transaction(ledger) as cursor:
        cursor.execute("ALTER TABLE passback.trail DISABLE TRIGGER ALL")
        cursor.execute("ALTER TABLE passback.trail_stumps DISABLE TRIGGER ALL")
        cursor.execute(statement)


def test_only_what_changed_in_the_sis_enters_the_trail(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    send(ledger, open_night("night-1"), "amy", "bo", score=80.0)
    send(ledger, open_night("night-2", mode="full"), "amy", "bo", score=80.0)
    send(ledger, open_night("night-3"), "amy", score=90.5)
    assert scores(ledger) == [(1, "amy", None, 80.0), (2, "bo", None, 80.0), (3, "amy", 80.0, 90.5)]
    assert verify_trail(ledger, "lakeview") is None


def test_the_trail_says_over_which_score_of_a_teachers_ours_went_into_what_was_taken_over(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    graded = {"score_status_theirs": "graded", "score_date_theirs": "", "mark_theirs": ""}
    nothing = dict.fromkeys(graded, "")
    plan = result_plan("amy", "bo", "cy").assign(
        score_theirs=[70.0, None, 80.0],
        **{name: [graded[name], nothing[name], graded[name]] for name in graded},
    )
    first, second = open_night("night-1"), open_night("night-2")
    intend_results(ledger, "lakeview", first, plan)
    intend_results(ledger, "lakeview", first, plan.drop(columns=["score_theirs"]))  # again after a kill
    answer_results(ledger, "lakeview", first, result_answers("amy", "bo"))
    answer_results(ledger, "lakeview", first, result_answers("cy", state="refused"))
    assert scores(ledger) == [(1, "amy", 70.0, 80.0), (2, "bo", None, 80.0)]
    send(ledger, second, "amy", "cy", score=90.0)
    assert scores(ledger)[2:] == [(3, "amy", 80.0, 90.0), (4, "cy", 80.0, 90.0)]
    assert verify_trail(ledger, "lakeview") is None


def test_what_is_proved_not_to_be_stored_leaves_the_sis_and_comes_back_with_the_next_write(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    send(ledger, first, "amy", "bo", score=80.0)
    for _audit_and_again_after_a_kill in range(2):
        settle_results(ledger, "lakeview", first, read_back("amy", state="not_stored"))
    settle_results(ledger, "lakeview", first, read_back("bo"))
    send(ledger, second, "amy", score=80.0)
    settle_results(ledger, "lakeview", second, read_back("amy"))
    assert scores(ledger) == [
        (1, "amy", None, 80.0),
        (2, "bo", None, 80.0),
        (3, "amy", 80.0, None),
        (4, "amy", None, 80.0),
    ]
    assert verify_trail(ledger, "lakeview") is None
    tamper(ledger, "UPDATE passback.trail SET to_value = from_value WHERE seq = 3")
    assert verify_trail(ledger, "lakeview") == 3


def test_a_row_says_when_by_which_run_on_whose_order_and_by_which_rules(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    run = open_night("by-hand", ordered_by="amy@lakeview.example", mapping_hash="m2")
    intend_line_items(ledger, "lakeview", run, line_item_plan("item-1"))
    answer_line_items(ledger, "lakeview", run, line_item_answers("item-1"))
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "SELECT at, run_id, run_key, ordered_by, rule_set, mapping_hash, kind, line_item_id, student_id,"
            " from_value, to_value->>'due_date' FROM passback.trail"
        )
        assert cursor.fetchone() == (
            ANSWERED, run, "by-hand", "amy@lakeview.example", "r1", "m2", "line_item", "item-1", "",
            None, "2026-11-20",
        )  # fmt: skip


def test_a_category_that_the_sis_took_from_us_stands_in_the_chain(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    run = open_night("night-1", ordered_by="amy@lakeview.example")
    send(ledger, run, "amy", score=80.0)
    note_category(ledger, "lakeview", run, category_id="cat-1", title="Quiz", at=ANSWERED.to_pydatetime())
    send(ledger, run, "amy", score=81.0)
    with database.transaction(ledger) as cursor:
        cursor.execute("SELECT * FROM passback.trail WHERE kind = 'category'")
        (only,) = cursor.fetchall()
        noted = dict(zip((column.name for column in cursor.description), only, strict=True))
    assert (noted["seq"], noted["at"], noted["run_key"]) == (2, ANSWERED, "night-1")
    assert noted["ordered_by"] == "amy@lakeview.example"
    assert (noted["line_item_id"], noted["from_value"], noted["to_value"]) == (
        "cat-1",
        None,
        {"title": "Quiz"},
    )
    assert not any(
        noted[column]
        for column in ("sis_student_id", "student_id", "sis_class_id", "class_id", "assessment_id")
    )
    assert verify_trail(ledger, "lakeview") is None
    tamper(ledger, "UPDATE passback.trail SET to_value = '{\"title\": \"Test\"}' WHERE kind = 'category'")
    assert verify_trail(ledger, "lakeview") == 2


def test_each_district_has_its_own_chain_without_gaps(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    for number in range(3):
        send(ledger, open_night(f"night-{number}"), "amy", score=float(number))
        send(ledger, open_night(f"night-{number}", district="hillside"), "bo", score=1.0, district="hillside")
    assert [row[:2] for row in scores(ledger)] == [(1, "bo"), (1, "amy"), (2, "amy"), (3, "amy")]
    for district in ("lakeview", "hillside", "unheard-of"):
        assert verify_trail(ledger, district) is None


def test_two_writers_of_one_district_keep_the_chain_whole(
    ledger: Connection, ledger_url: str, open_night: Callable[..., int]
) -> None:
    run = open_night("night-1")

    def write(connection: Connection, name: str) -> None:
        for number in range(20):
            send(connection, run, f"{name}-{number}", score=1.0)

    with closing(connect(ledger_url)) as other, ThreadPoolExecutor(2) as at_once:
        list(at_once.map(write, (ledger, other), ("amy", "bo")))
    assert [row[0] for row in scores(ledger)] == list(range(1, 41))
    assert verify_trail(ledger, "lakeview") is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE passback.trail SET ordered_by = 'nobody'",
        "DELETE FROM passback.trail",
        "TRUNCATE passback.trail",
    ],
)
def test_nothing_in_the_trail_can_be_changed(ledger: Connection, run: int, statement: str) -> None:
    send(ledger, run, "amy", score=80.0)
    with pytest.raises(PermissionRefusedError), database.transaction(ledger) as cursor:
        cursor.execute(statement)
    assert len(scores(ledger)) == 1


TEXTS = ["run_key", "ordered_by", "rule_set", "mapping_hash", "line_item_id", "sis_student_id",
         "sis_class_id", "assessment_id", "class_id", "student_id"]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        *((f"UPDATE passback.trail SET {name} = {name} || ' ' WHERE seq = 2", 2) for name in TEXTS),  # noqa: S608 - names of columns above
        ("UPDATE passback.trail SET at = at + interval '1 microsecond' WHERE seq = 2", 2),
        ("UPDATE passback.trail SET kind = 'line_item' WHERE seq = 2", 2),
        ("UPDATE passback.trail SET run_id = run_id + 1 WHERE seq = 2", 2),
        ("UPDATE passback.trail SET from_value = 'null' WHERE seq = 2", 2),
        ("UPDATE passback.trail SET to_value = replace(to_value::text, '80', '81')::json WHERE seq = 2", 2),
        ("UPDATE passback.trail SET to_value = (to_value::text || ' ')::json WHERE seq = 2", 2),
        ("UPDATE passback.trail SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE seq = 2", 2),
        ("UPDATE passback.trail SET seq = CASE seq WHEN 2 THEN 30 ELSE 2 END WHERE seq IN (2, 3)", 2),
        ("DELETE FROM passback.trail WHERE seq = 1", 1),
        ("DELETE FROM passback.trail WHERE seq = 2", 2),
        ("DELETE FROM passback.trail WHERE seq = 4", 4),
        ("DELETE FROM passback.trail", 1),
        ("UPDATE passback.trail SET district = 'hillside' WHERE seq = 3", 3),
        ("DELETE FROM passback.trail_heads", 5),
    ],
)
def test_what_the_owner_changes_all_the_same_is_found(
    ledger: Connection, run: int, statement: str, broken: int
) -> None:
    send(ledger, run, "amy", "bo", "cy", "di", score=80.0)
    assert verify_trail(ledger, "lakeview") is None
    if "THEN 30" in statement:
        tamper(ledger, statement)
        statement = "UPDATE passback.trail SET seq = 3 WHERE seq = 30"  # two rows have changed places
    tamper(ledger, statement)
    assert verify_trail(ledger, "lakeview") == broken


def cut(ledger: Connection, last_seq: int, *, district: str = "lakeview") -> int:
    with database.transaction(ledger) as cursor:
        return trail.cut_off(
            cursor, district, last_seq=last_seq, before=datetime.now(UTC), purged_by="ada (passback purge)"
        )


ALL_FORGOTTEN = """
    DELETE FROM passback.trail;
    UPDATE passback.trail_heads SET seq = 0, hash = decode(repeat('00', 32), 'hex')
"""


@pytest.mark.parametrize(
    ("statement", "number", "what", "run_key"),
    [
        ("UPDATE passback.trail SET student_id = 'zoe' WHERE seq = 2", 2, "changed", "night-2"),
        ("DELETE FROM passback.trail WHERE seq = 2", 2, "missing", "night-1"),
        ("DELETE FROM passback.trail WHERE seq = 1", 1, "missing", ""),
        ("DELETE FROM passback.trail WHERE seq = 3", 3, "cut", "night-2"),
        ("UPDATE passback.trail_heads SET hash = sha256(hash)", 4, "head", "night-3"),
        ("UPDATE passback.trail_heads SET seq = 2", 4, "head", "night-3"),
        ("UPDATE passback.trail_heads SET seq = 9", 4, "cut", "night-3"),
        ("DELETE FROM passback.trail; DELETE FROM passback.trail_heads", 1, "erased", ""),
        (ALL_FORGOTTEN, 1, "erased", ""),
    ],
)  # fmt: skip
def test_the_first_broken_link_is_named_by_number_run_and_time(
    ledger: Connection, open_night: Callable[..., int], statement: str, number: int, what: str, run_key: str
) -> None:
    for night, student in enumerate(("amy", "bo", "cy"), 1):
        send(ledger, open_night(f"night-{night}"), student, score=80.0)
    assert first_break(ledger, "lakeview") is None
    tamper(ledger, statement)
    broken = first_break(ledger, "lakeview")
    assert broken is not None
    assert (broken.number, broken.what, broken.run) == (number, what, run_key)
    assert broken.at == (ANSWERED if run_key else None)


def test_what_is_left_after_a_purge_still_proves_itself(ledger: Connection, run: int) -> None:
    send(ledger, run, "amy", "bo", "cy", "di", "eve", score=80.0)
    assert cut(ledger, 2) == 2
    assert cut(ledger, 3) == 1
    assert first_break(ledger, "lakeview") is None
    send(ledger, run, "amy", score=81.0)
    assert first_break(ledger, "lakeview") is None
    assert cut(ledger, 6) == 3  # all of it
    assert scores(ledger) == []
    assert first_break(ledger, "lakeview") is None
    send(ledger, run, "amy", score=82.0)
    assert [row[0] for row in scores(ledger)] == [7]
    assert first_break(ledger, "lakeview") is None


def test_a_stump_says_how_much_was_purged_of_which_period_when_and_by_whom(
    ledger: Connection, run: int
) -> None:
    send(ledger, run, "amy", "bo", "cy", score=80.0)
    with database.transaction(ledger) as cursor:
        cursor.execute("SELECT hash FROM passback.trail WHERE seq = 2")
        (purged,) = cursor.fetchone()
    cut(ledger, 2)
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "SELECT last_seq, last_hash, rows, first_at, last_at, purged_by, purged_at <= clock_timestamp()"
            " FROM passback.trail_stumps"
        )
        assert cursor.fetchall() == [(2, purged, 2, ANSWERED, ANSWERED, "ada (passback purge)", True)]


@pytest.mark.parametrize(
    ("statement", "number", "what"),
    [
        ("UPDATE passback.trail_stumps SET purged_by = 'nobody' WHERE last_seq = 2", 2, "stump"),
        ("UPDATE passback.trail_stumps SET rows = rows + 1 WHERE last_seq = 3", 3, "stump"),
        ("UPDATE passback.trail_stumps SET last_hash = sha256(last_hash) WHERE last_seq = 3", 3, "stump"),
        ("UPDATE passback.trail_stumps SET first_at = first_at - interval '1 day' WHERE last_seq = 3", 3,
         "stump"),
        ("UPDATE passback.trail_stumps SET before = now() WHERE last_seq = 3", 3, "stump"),
        ("UPDATE passback.trail_stumps SET purged_at = now() WHERE last_seq = 3", 3, "stump"),
        ("UPDATE passback.trail_stumps SET hash = sha256(hash) WHERE last_seq = 3", 3, "stump"),
        ("DELETE FROM passback.trail_stumps WHERE last_seq = 2", 3, "stump"),
        ("DELETE FROM passback.trail_stumps WHERE last_seq = 3", 3, "missing"),
        ("DELETE FROM passback.trail_stumps", 1, "missing"),
        ("DELETE FROM passback.trail WHERE seq = 4", 4, "missing"),
        ("UPDATE passback.trail SET ordered_by = '' WHERE seq = 4", 4, "changed"),
        ("UPDATE passback.trail SET seq = 2 WHERE seq = 5", 2, "added"),
    ],
)  # fmt: skip
def test_what_is_done_to_a_purged_trail_and_its_stumps_is_found(
    ledger: Connection, run: int, statement: str, number: int, what: str
) -> None:
    send(ledger, run, "amy", "bo", "cy", "di", "eve", score=80.0)
    cut(ledger, 2)
    cut(ledger, 3)
    tamper(ledger, statement)
    broken = first_break(ledger, "lakeview")
    assert broken is not None
    assert (broken.number, broken.what) == (number, what)


def test_the_owner_too_can_remove_a_row_only_under_a_stump(ledger: Connection, run: int) -> None:
    send(ledger, run, "amy", "bo", "cy", score=80.0)
    send(ledger, run, "dan", score=1.0, district="hillside")
    cut(ledger, 1)
    for district in ("lakeview", "hillside"):
        with pytest.raises(PermissionRefusedError), database.transaction(ledger) as cursor:
            cursor.execute("DELETE FROM passback.trail WHERE district = %s", (district,))
    assert [row[:2] for row in scores(ledger)] == [(1, "dan"), (2, "bo"), (3, "cy")]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE passback.trail_stumps SET rows = 1",
        "DELETE FROM passback.trail_stumps",
        "TRUNCATE passback.trail_stumps",
    ],
)
def test_nothing_in_a_stump_can_be_changed(ledger: Connection, run: int, statement: str) -> None:
    send(ledger, run, "amy", score=80.0)
    cut(ledger, 1)
    with pytest.raises(PermissionRefusedError), database.transaction(ledger) as cursor:
        cursor.execute(statement)


@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_byte_changed_anywhere_in_the_trail_is_found(
    ledger: Connection, open_night: Callable[..., int], data: st.DataObject
) -> None:
    if not scores(ledger):
        send(ledger, open_night("night-1"), *(f"student-{number}" for number in range(6)), score=80.0)
    seq = data.draw(st.integers(1, 6))
    column = data.draw(st.sampled_from([*TEXTS, "to_value"]))
    with database.transaction(ledger) as cursor:
        read = sql.SQL("SELECT {}::text FROM passback.trail WHERE seq = %s")
        cursor.execute(read.format(sql.Identifier(column)), (seq,))
        (text,) = cursor.fetchone()
    place = data.draw(st.integers(0, max(0, len(text) - 1)))
    changed = text[:place] + ("0" if text[place : place + 1] == "1" else "1") + text[place + 1 :]
    if column == "to_value":
        try:
            json.loads(changed)
        except ValueError:
            reject()
    update = sql.SQL("UPDATE passback.trail SET {} = %s::{} WHERE seq = %s").format(
        sql.Identifier(column), sql.SQL("json" if column == "to_value" else "text")
    )
    with database.transaction(ledger) as cursor:
        cursor.execute("ALTER TABLE passback.trail DISABLE TRIGGER ALL")
        cursor.execute(update, (changed, seq))
    assert verify_trail(ledger, "lakeview") == seq
    with database.transaction(ledger) as cursor:
        cursor.execute(update, (text, seq))
    assert verify_trail(ledger, "lakeview") is None


def test_the_ledger_names_every_district_that_it_knows(
    ledger: Connection, run: int, open_night: Callable[..., int]
) -> None:
    send(ledger, run, "amy", score=80.0)
    open_night("night-1", district="hillside")
    assert districts(ledger) == ["hillside", "lakeview"]
