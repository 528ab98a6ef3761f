"""What was meant, answered and read back, row by row."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from ledger.frames import (
    ANSWERED,
    line_item_answers,
    line_item_plan,
    read_back,
    result_answers,
    result_plan,
)
from passback.errors import ContractError
from passback.ledger import (
    Gradebooks,
    answer_line_items,
    answer_results,
    connect,
    database,
    intend_line_items,
    intend_results,
    known_line_items,
    known_results,
    lose_line_items,
    no_line_items,
    no_results,
    settle_line_items,
    settle_results,
    verify_trail,
)
from passback.records import LINE_ITEM_PLAN, RESULT_PLAN

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.ledger import Connection

AWKWARD = [
    "007",
    "NA",
    "null",
    "nan",
    "",
    " ",
    '"',
    '""',
    "\\N",
    "\\.",
    "\\t",
    "a\\.\n\\.\nb",
    "a\tb",
    "\r\n",
]
AWKWARD += ["ß😀\u2028", "'; --"]


def row(ledger: Connection, table: str = "results") -> dict[str, Any]:
    """The only row of a table."""
    with database.transaction(ledger) as cursor:
        cursor.execute(f"SELECT * FROM passback.{table}")  # noqa: S608 - a name of this module
        columns = [column.name for column in cursor.description]
        (only,) = cursor.fetchall()
        return dict(zip(columns, only, strict=True))


def trail_length(ledger: Connection) -> int:
    with database.transaction(ledger) as cursor:
        cursor.execute("SELECT count(*) FROM passback.trail")
        return cursor.fetchone()[0]


def rows_read(ledger: Connection, table: str) -> int:
    """Rows of a table that were read so far."""
    with database.transaction(ledger) as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables"
            " WHERE schemaname = 'passback' AND relname = %s",
            (table,),
        )
        return cursor.fetchone()[0]


# --- In and out ---


def test_the_first_answers_of_a_new_ledger_read_no_more_than_their_own_rows(
    ledger: Connection, run: int
) -> None:
    names = [f"item-{number}" for number in range(300)]
    intend_line_items(ledger, "lakeview", run, line_item_plan(*names))
    before = rows_read(ledger, "line_items")
    answer_line_items(ledger, "lakeview", run, line_item_answers(*names))
    assert rows_read(ledger, "line_items") - before <= 4 * len(names)


def test_an_empty_ledger_knows_nothing_in_the_right_columns(ledger: Connection) -> None:
    of_line_items = {"sis_line_item_id": "str", "accepted_category_id": "str"}
    of_results = {"sis_result_id": "str"}
    for known, plan, more in (
        (known_line_items(ledger, "lakeview"), LINE_ITEM_PLAN, of_line_items),
        (no_line_items(), LINE_ITEM_PLAN, of_line_items),
        (known_results(ledger, "lakeview"), RESULT_PLAN, of_results),
        (no_results(), RESULT_PLAN, of_results),
    ):
        assert known.empty
        types = {name: dtype for name, dtype in plan.columns.items() if name not in {"action", "adopts"}}
        assert {name: str(dtype) for name, dtype in known.dtypes.items()} == types | {
            "state": "str",
            "run_id": "int64",
            **more,
        }


def test_what_was_intended_is_known_in_another_session(ledger: Connection, ledger_url: str, run: int) -> None:
    plan = line_item_plan("item-1", "item-2", points_possible=[10.0, None])
    intend_line_items(ledger, "lakeview", run, plan)
    with closing(connect(ledger_url)) as later:
        known = known_line_items(later, "lakeview")
        assert known_line_items(later, "hillside").empty
    assert_frame_equal(
        known,
        LINE_ITEM_PLAN.conform(plan)
        .drop(columns=["action", "adopts"])
        .assign(sis_line_item_id="", state="intended", run_id=run, accepted_category_id="")
        .astype({"sis_line_item_id": "str", "accepted_category_id": "str"}),
    )


def test_of_some_classes_all_is_known_that_stands_in_their_gradebooks(ledger: Connection, run: int) -> None:
    ids = ["asked-for", "shares-its-gradebook", "elsewhere", "moved-since"]
    place = {"class_id": ["k1", "k2", "k3", "k1"], "sis_class_id": ["g1", "g1", "g3", "g0"]}
    intend_line_items(ledger, "lakeview", run, line_item_plan(*ids, **place))
    results = pd.concat([result_plan("s1").assign(line_item_id=item) for item in ids])
    intend_results(ledger, "lakeview", run, results.assign(**place))
    within = Gradebooks(classes=["k1"], sis_classes=["g1"])
    for known in (known_line_items, known_results):
        assert set(known(ledger, "lakeview", within=within)["line_item_id"]) == set(ids) - {"elsewhere"}
        assert set(known(ledger, "lakeview")["line_item_id"]) == set(ids)
        assert known(ledger, "lakeview", within=Gradebooks([], [])).empty
        assert known(ledger, "hillside", within=within).empty


texts = st.one_of(
    st.sampled_from(AWKWARD), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
)
numbers = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@given(
    st.dictionaries(
        st.tuples(texts, texts),
        st.tuples(texts, texts, texts, texts, texts, texts, texts, numbers),
        max_size=8,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_any_text_and_number_comes_back_as_it_was(
    ledger: Connection, run: int, rows: dict[tuple[str, str], tuple[Any, ...]]
) -> None:
    columns = ["line_item_id", "sis_student_id", "assessment_id", "class_id", "student_id", "sis_class_id"]
    columns += ["score_status", "score_date", "mark", "score"]
    plan = pd.DataFrame([key + values for key, values in rows.items()], columns=columns)
    plan = RESULT_PLAN.conform(plan.assign(action=""))
    with database.transaction(ledger) as cursor:
        cursor.execute("DELETE FROM passback.results")
    intend_results(ledger, "lakeview", run, plan.assign(sis_result_id=plan["mark"]))
    known = known_results(ledger, "lakeview")
    assert known["sis_result_id"].tolist() == known["mark"].tolist()
    keys = ["line_item_id", "sis_student_id"]
    assert_frame_equal(
        known[plan.columns.drop("action")].sort_values(keys, ignore_index=True),
        plan.drop(columns="action").sort_values(keys, ignore_index=True),
        check_exact=True,
    )


def test_null_text_is_stored_as_the_empty_string(ledger: Connection, run: int) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy", score_date=None, score=None))
    assert (row(ledger)["score_date"], row(ledger)["score"]) == ("", None)


@pytest.mark.parametrize(
    ("changed", "column"),
    [({"score_status": "gra\x00ded"}, "score_status"), ({"score": "eighty"}, "score")],
)
def test_what_postgresql_cannot_hold_is_refused_by_column_and_not_quoted(
    ledger: Connection, run: int, changed: dict[str, str], column: str
) -> None:
    with pytest.raises(ContractError) as raised:
        intend_results(ledger, "lakeview", run, result_plan("amy", **changed))
    assert raised.value.where.endswith(f".{column}")
    assert changed[column] not in str(raised.value)
    assert known_results(ledger, "lakeview").empty


# --- The states of a row ---


def test_an_accepted_and_confirmed_result_is_known_to_be_in_the_sis(ledger: Connection, run: int) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy"))
    assert (row(ledger)["state"], row(ledger)["in_sis"]) == ("intended", None)
    answer_results(ledger, "lakeview", run, result_answers("amy", words="Created"))
    accepted = row(ledger)
    assert accepted["state"] == "accepted"
    assert (accepted["answer_status"], accepted["answer_words"]) == (201, "Created")
    assert accepted["answered_at"] == ANSWERED
    assert accepted["in_sis"] == {
        "score": 80.0,
        "score_status": "graded",
        "score_date": "2026-11-21",
        "mark": "",
    }
    settle_results(ledger, "lakeview", run, read_back("amy"))
    confirmed = row(ledger)
    assert confirmed["state"] == "confirmed"
    assert confirmed["confirmed_at"] is not None
    assert known_results(ledger, "lakeview")["state"].tolist() == ["confirmed"]


def test_a_line_item_goes_the_same_way(ledger: Connection, run: int) -> None:
    intend_line_items(ledger, "lakeview", run, line_item_plan("item-1"))
    answer_line_items(ledger, "lakeview", run, line_item_answers("item-1"))
    settle_line_items(
        ledger, "lakeview", run, pd.DataFrame({"line_item_id": ["item-1"], "state": ["confirmed"]})
    )
    line_item = row(ledger, "line_items")
    assert line_item["state"] == "confirmed"
    assert line_item["in_sis"]["title"] == "Essay"
    assert line_item["in_sis"]["points_possible"] == 100.0


def test_a_line_item_is_known_with_the_category_that_the_sis_last_accepted(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    intend_line_items(ledger, "lakeview", first, line_item_plan("item-1", "item-2"))
    answer_line_items(ledger, "lakeview", first, line_item_answers("item-1"))
    intend_line_items(ledger, "lakeview", second, line_item_plan("item-1", "item-2", category_id="quizzes"))
    known = known_line_items(ledger, "lakeview")
    assert known["category_id"].tolist() == ["quizzes", "quizzes"]
    assert known["accepted_category_id"].tolist() == ["homework", ""]


def test_a_refused_change_keeps_the_value_that_the_sis_holds(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    intend_results(ledger, "lakeview", first, result_plan("amy"))
    answer_results(ledger, "lakeview", first, result_answers("amy"))
    intend_results(ledger, "lakeview", second, result_plan("amy", score=90.0))
    again = row(ledger)
    assert (again["state"], again["run_id"], again["answer_status"]) == ("intended", second, None)
    answer_results(
        ledger, "lakeview", second, result_answers("amy", state="refused", status=422, words="Grade locked")
    )
    refused = row(ledger)
    assert (refused["state"], refused["score"], refused["answer_words"]) == ("refused", 90.0, "Grade locked")
    assert refused["in_sis"]["score"] == 80.0
    assert trail_length(ledger) == 1


def test_a_lost_answer_leaves_the_row_intended(ledger: Connection, run: int) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy"))
    answer_results(ledger, "lakeview", run, result_answers("amy", state="intended", status=None, words=""))
    lost = row(ledger)
    assert (lost["state"], lost["answered_at"], lost["in_sis"]) == ("intended", None, None)
    assert trail_length(ledger) == 0


def test_a_lost_answer_that_reads_back_equal_counts_as_accepted(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    killed, mending = open_night("night-1"), open_night("night-2")
    intend_results(ledger, "lakeview", killed, result_plan("amy"))
    settle_results(ledger, "lakeview", mending, read_back("amy"))
    settled = row(ledger)
    assert (settled["state"], settled["in_sis"]["score"]) == ("confirmed", 80.0)
    assert (settled["run_id"], settled["settled_run_id"]) == (killed, mending)
    assert row(ledger, "trail")["run_key"] == "night-1"


def test_what_was_accepted_but_not_stored_is_known_as_such(ledger: Connection, run: int) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy"))
    answer_results(ledger, "lakeview", run, result_answers("amy"))
    settle_results(ledger, "lakeview", run, read_back("amy", state="not_stored"))
    settled = row(ledger)
    assert (settled["state"], settled["confirmed_at"]) == ("not_stored", None)
    assert settled["in_sis"] is None


def test_a_line_item_that_was_not_stored_is_not_known_to_be_in_the_sis(ledger: Connection, run: int) -> None:
    intend_line_items(ledger, "lakeview", run, line_item_plan("item-1"))
    answer_line_items(ledger, "lakeview", run, line_item_answers("item-1"))
    settle_line_items(
        ledger, "lakeview", run, pd.DataFrame({"line_item_id": ["item-1"], "state": ["not_stored"]})
    )
    assert row(ledger, "line_items")["in_sis"] is None
    assert known_line_items(ledger, "lakeview")["accepted_category_id"].tolist() == [""]
    assert trail_length(ledger) == 2


def test_a_lost_answer_that_reads_back_different_keeps_the_value_before_it(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, killed = open_night("night-1"), open_night("night-2")
    intend_results(ledger, "lakeview", first, result_plan("amy"))
    answer_results(ledger, "lakeview", first, result_answers("amy"))
    intend_results(ledger, "lakeview", killed, result_plan("amy", score=90.0))
    settle_results(ledger, "lakeview", killed, read_back("amy", state="not_stored"))
    assert (row(ledger)["state"], row(ledger)["in_sis"]["score"]) == ("not_stored", 80.0)
    assert trail_length(ledger) == 1


def test_what_is_read_back_twice_is_refused_whole(ledger: Connection, run: int) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy", "bo"))
    answer_results(ledger, "lakeview", run, result_answers("amy", "bo"))
    twice = read_back("amy", "bo", "amy").assign(state=["confirmed", "confirmed", "not_stored"])
    with pytest.raises(ValueError, match="1 of 3 rows") as raised:
        settle_results(ledger, "lakeview", run, twice)
    assert "amy" not in str(raised.value)
    assert known_results(ledger, "lakeview")["state"].tolist() == ["accepted", "accepted"]
    items = pd.DataFrame({"line_item_id": ["item-1", "item-1"], "state": "confirmed"})
    with pytest.raises(ValueError, match="1 of 2 rows"):
        settle_line_items(ledger, "lakeview", run, items)


def test_the_words_of_the_sis_are_kept_up_to_500_characters_whatever_they_hold(
    ledger: Connection, run: int
) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy"))
    answer_results(
        ledger, "lakeview", run, result_answers("amy", state="refused", status=500, words="\x00" + "é" * 600)
    )
    assert row(ledger)["answer_words"] == "\ufffd" + "é" * 499


def test_an_answer_to_what_another_run_meant_is_refused_whole(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    intend_results(ledger, "lakeview", first, result_plan("amy"))
    intend_results(ledger, "lakeview", second, result_plan("bo"))
    with pytest.raises(ValueError, match="1 of 2 answers"):
        answer_results(ledger, "lakeview", second, result_answers("amy", "bo"))
    assert set(known_results(ledger, "lakeview")["state"]) == {"intended"}
    assert trail_length(ledger) == 0


def test_an_answer_that_cannot_be_kept_leaves_neither_state_nor_trail(ledger: Connection, run: int) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy", "bo"))
    answers = result_answers("amy", "bo").assign(state=["accepted", "splendid"])
    with pytest.raises(Exception, match="23514"):
        answer_results(ledger, "lakeview", run, answers)
    assert known_results(ledger, "lakeview")["state"].tolist() == ["intended", "intended"]
    assert trail_length(ledger) == 0


def test_districts_do_not_touch_each_other(ledger: Connection, open_night: Callable[..., int]) -> None:
    lakeview, hillside = open_night("night-1"), open_night("night-1", district="hillside")
    intend_results(ledger, "lakeview", lakeview, result_plan("amy"))
    intend_results(ledger, "hillside", hillside, result_plan("amy", score=10.0))
    answer_results(ledger, "lakeview", lakeview, result_answers("amy"))
    settle_results(ledger, "lakeview", lakeview, read_back("amy"))
    assert known_results(ledger, "hillside")["state"].tolist() == ["intended"]
    assert known_results(ledger, "lakeview")["state"].tolist() == ["confirmed"]


# --- The SIS's own ids ---


def test_the_id_that_the_sis_allotted_is_kept_beside_ours(ledger: Connection, run: int) -> None:
    intend_line_items(ledger, "lakeview", run, line_item_plan("item-1", "item-2"))
    answer_line_items(ledger, "lakeview", run, line_item_answers("item-1", sis_id="77"))
    intend_results(ledger, "lakeview", run, result_plan("amy"))
    answer_results(ledger, "lakeview", run, result_answers("amy", sis_id="901"))
    assert known_line_items(ledger, "lakeview")["sis_line_item_id"].tolist() == ["77", ""]
    assert known_results(ledger, "lakeview")["sis_result_id"].tolist() == ["901"]


def test_an_id_that_is_known_before_the_write_is_kept_with_the_intent(ledger: Connection, run: int) -> None:
    adopting = line_item_plan("item-1", adopts="theirs", action="adopt", sis_line_item_id="theirs")
    intend_line_items(ledger, "lakeview", run, adopting)
    intend_results(ledger, "lakeview", run, result_plan("amy", sis_result_id="their-result"))
    assert known_line_items(ledger, "lakeview")["sis_line_item_id"].tolist() == ["theirs"]
    assert known_results(ledger, "lakeview")["sis_result_id"].tolist() == ["their-result"]


@pytest.mark.parametrize("state", ["accepted", "refused", "intended"])
def test_an_id_is_never_lost_by_a_write_or_an_answer_that_does_not_name_it(
    ledger: Connection, open_night: Callable[..., int], state: str
) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    intend_line_items(ledger, "lakeview", first, line_item_plan("item-1"))
    answer_line_items(ledger, "lakeview", first, line_item_answers("item-1", sis_id="77"))
    intend_results(ledger, "lakeview", first, result_plan("amy"))
    answer_results(ledger, "lakeview", first, result_answers("amy", sis_id="901"))
    intend_line_items(ledger, "lakeview", second, line_item_plan("item-1", title="Essay 2"))
    answer_line_items(ledger, "lakeview", second, line_item_answers("item-1", state=state))
    intend_results(ledger, "lakeview", second, result_plan("amy", score=90.0))
    answer_results(ledger, "lakeview", second, result_answers("amy", state=state))
    settle_results(ledger, "lakeview", second, read_back("amy", state="not_stored"))
    assert known_line_items(ledger, "lakeview")["sis_line_item_id"].tolist() == ["77"]
    assert known_results(ledger, "lakeview")["sis_result_id"].tolist() == ["901"]


def test_a_later_id_of_the_sis_takes_the_place_of_the_one_before(ledger: Connection, run: int) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy"))
    answer_results(ledger, "lakeview", run, result_answers("amy", sis_id="901"))
    answer_results(ledger, "lakeview", run, result_answers("amy", sis_id="902"))
    assert known_results(ledger, "lakeview")["sis_result_id"].tolist() == ["902"]


# --- Removed in the SIS ---


def filled(ledger: Connection, run: int, district: str = "lakeview") -> None:
    """Two line items; amy's result is in the SIS, bo's was meant for it, cy's is on the other line item."""
    intend_line_items(ledger, district, run, line_item_plan("item-1", "item-2"))
    answer_line_items(ledger, district, run, line_item_answers("item-1", "item-2", sis_id="77"))
    intend_results(ledger, district, run, result_plan("amy", "bo"))
    intend_results(ledger, district, run, result_plan("cy", line_item_id="item-2"))
    answer_results(ledger, district, run, result_answers("amy", sis_id="901"))
    answer_results(ledger, district, run, result_answers("cy", line_item_id="item-2", sis_id="902"))
    settle_results(ledger, district, run, read_back("amy"))


ITEM_1 = pd.DataFrame({"line_item_id": ["item-1"]})


def test_a_line_item_that_is_gone_takes_its_results_with_it_and_nothing_else(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    hillside = open_night("night-1", district="hillside")
    filled(ledger, first)
    filled(ledger, hillside, "hillside")
    lose_line_items(ledger, "lakeview", second, ITEM_1)
    items = known_line_items(ledger, "lakeview").set_index("line_item_id")
    results = known_results(ledger, "lakeview").set_index("student_id")
    assert items["state"].to_dict() == {"item-1": "gone", "item-2": "accepted"}
    assert items["sis_line_item_id"].to_dict() == {"item-1": "", "item-2": "77"}
    assert items["accepted_category_id"].to_dict() == {"item-1": "", "item-2": "homework"}
    assert items["run_id"].to_dict() == {"item-1": second, "item-2": first}
    assert results["state"].to_dict() == {"amy": "gone", "bo": "gone", "cy": "accepted"}
    assert results["sis_result_id"].to_dict() == {"amy": "", "bo": "", "cy": "902"}
    assert "gone" not in set(known_line_items(ledger, "hillside")["state"])
    assert "gone" not in set(known_results(ledger, "hillside")["state"])


def test_what_the_sis_held_leaves_it_in_the_trail_once(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    filled(ledger, first)
    before = trail_length(ledger)
    for _noticed_and_again_after_a_kill in range(2):
        lose_line_items(ledger, "lakeview", second, ITEM_1)
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "SELECT kind, line_item_id, student_id, run_key, from_value->>'title', from_value->>'score',"
            " to_value"
            " FROM passback.trail WHERE seq > %s ORDER BY seq",
            (before,),
        )
        assert cursor.fetchall() == [  # not bo's: it was never there
            ("line_item", "item-1", "", "night-2", "Essay", None, None),
            ("result", "item-1", "amy", "night-2", None, "80", None),
        ]
        cursor.execute(
            "SELECT count(*) FROM passback.results WHERE line_item_id = 'item-1' AND in_sis IS NULL"
        )
        assert cursor.fetchone() == (2,)
    assert verify_trail(ledger, "lakeview") is None


def test_nothing_that_is_gone_changes_nothing(ledger: Connection, run: int) -> None:
    filled(ledger, run)
    before = trail_length(ledger)
    lose_line_items(ledger, "lakeview", run, ITEM_1.head(0))
    lose_line_items(ledger, "lakeview", run, pd.DataFrame({"line_item_id": ["unheard-of"]}))
    assert trail_length(ledger) == before
    assert "gone" not in set(known_line_items(ledger, "lakeview")["state"])


def test_what_is_gone_and_written_anew_is_in_the_sis_again(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    filled(ledger, first)
    lose_line_items(ledger, "lakeview", second, ITEM_1)
    before = trail_length(ledger)
    intend_line_items(ledger, "lakeview", second, line_item_plan("item-1"))
    answer_line_items(ledger, "lakeview", second, line_item_answers("item-1", sis_id="78"))
    intend_results(ledger, "lakeview", second, result_plan("amy"))
    answer_results(ledger, "lakeview", second, result_answers("amy", sis_id="903"))
    assert known_line_items(ledger, "lakeview")["sis_line_item_id"].tolist() == ["78", "77"]
    assert known_results(ledger, "lakeview")["sis_result_id"].tolist() == ["903", "", "902"]
    assert trail_length(ledger) == before + 2


# --- Cleared ---


def clear(ledger: Connection, run: int, **answer: Any) -> None:
    cleared = result_plan("amy", score=None, score_status="", score_date="", action="clear")
    intend_results(ledger, "lakeview", run, cleared.astype({"score": "float64"}))
    answer_results(ledger, "lakeview", run, result_answers("amy", **answer))


def scores_in_trail(ledger: Connection) -> list[tuple[str | None, str | None]]:
    with database.transaction(ledger) as cursor:
        cursor.execute("SELECT from_value->>'score', to_value->>'score' FROM passback.trail ORDER BY seq")
        return cursor.fetchall()


def test_a_result_that_was_cleared_leaves_nothing_in_the_sis_and_a_row_in_the_trail(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second, third = (open_night(f"night-{number}") for number in (1, 2, 3))
    intend_results(ledger, "lakeview", first, result_plan("amy"))
    answer_results(ledger, "lakeview", first, result_answers("amy"))
    clear(ledger, second, status=204)
    assert (row(ledger)["state"], row(ledger)["in_sis"]) == ("accepted", None)
    settle_results(ledger, "lakeview", second, read_back("amy"))
    assert (row(ledger)["state"], row(ledger)["in_sis"]) == ("confirmed", None)
    assert scores_in_trail(ledger) == [(None, "80"), ("80", None)]
    intend_results(ledger, "lakeview", third, result_plan("amy", score=70.0))
    answer_results(ledger, "lakeview", third, result_answers("amy"))
    assert scores_in_trail(ledger)[2:] == [(None, "70")]
    assert verify_trail(ledger, "lakeview") is None


def test_a_result_that_the_sis_did_not_let_us_clear_is_still_known_to_be_there(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    intend_results(ledger, "lakeview", first, result_plan("amy"))
    answer_results(ledger, "lakeview", first, result_answers("amy"))
    clear(ledger, second, state="refused", status=403, words="Locked")
    assert row(ledger)["in_sis"]["score"] == 80.0
    assert scores_in_trail(ledger) == [(None, "80")]


def test_a_clearing_whose_answer_was_lost_is_in_the_trail_when_nothing_is_read_back(
    ledger: Connection, open_night: Callable[..., int]
) -> None:
    first, second = open_night("night-1"), open_night("night-2")
    intend_results(ledger, "lakeview", first, result_plan("amy"))
    answer_results(ledger, "lakeview", first, result_answers("amy"))
    clear(ledger, second, state="intended", status=None)
    assert scores_in_trail(ledger) == [(None, "80")]
    settle_results(ledger, "lakeview", second, read_back("amy"))
    assert (row(ledger)["state"], row(ledger)["in_sis"]) == ("confirmed", None)
    assert scores_in_trail(ledger) == [(None, "80"), ("80", None)]
