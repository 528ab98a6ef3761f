"""Which record of a SIS is which of ours, and which of ours is there no more."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passback.oneroster.held import HELD_LINE_ITEMS
from passback.records import LINE_ITEM_PLAN
from passback.stages.links import gone, held_under, kept_categories, recognised, under_our_ids

PLACE = {"sis_class_id": "K1", "title": "Essay", "due_date": "2026-11-10"}
KNOWN = {
    **PLACE,
    "line_item_id": "ours",
    "sis_line_item_id": "",
    "category_id": "paper",
    "accepted_category_id": "paper",
    "state": "confirmed",
}


def known(*rows: dict[str, str]) -> pd.DataFrame:
    """The ledger's line items; each row says what differs."""
    return pd.DataFrame([KNOWN | row for row in rows], columns=list(KNOWN), dtype="str")


def held(*rows: dict[str, str]) -> pd.DataFrame:
    """What the SIS answered; each row says what differs from the one named here."""
    usual = {**PLACE, "line_item_id": "theirs", "passback_id": "", "category_id": "paper"}
    frame = pd.DataFrame([usual | row for row in rows]) if rows else pd.DataFrame(columns=list(usual))
    return HELD_LINE_ITEMS.conform(frame.reindex(columns=list(HELD_LINE_ITEMS.columns)))


def planned(*rows: dict[str, str]) -> pd.DataFrame:
    """A plan of line items; each row says what differs."""
    usual = {**PLACE, "line_item_id": "ours", "category_id": "paper", "adopts": "", "action": "change"}
    frame = pd.DataFrame([usual | row for row in rows])
    return LINE_ITEM_PLAN.conform(frame.reindex(columns=list(LINE_ITEM_PLAN.columns)))


# --- Under which id ---


def test_a_line_item_is_held_under_the_siss_id_where_there_is_one_and_under_ours_elsewhere() -> None:
    rows = known({"line_item_id": "a"}, {"line_item_id": "b", "sis_line_item_id": "77"})
    assert held_under(rows).tolist() == ["a", "77"]


def test_what_the_sis_holds_is_read_under_our_ids_without_what_is_foreign() -> None:
    rows = known({"line_item_id": "a"}, {"line_item_id": "b", "sis_line_item_id": "77"})
    answered = held(
        {"line_item_id": "77", "title": "B"}, {"line_item_id": "foreign"}, {"line_item_id": "a", "title": "A"}
    )
    found = under_our_ids(answered, rows)
    assert list(found.columns) == list(HELD_LINE_ITEMS.columns)
    assert dict(zip(found["line_item_id"], found["title"], strict=True)) == {"a": "A", "b": "B"}


def test_a_line_item_that_has_an_id_of_the_sis_is_not_taken_for_one_under_ours() -> None:
    assert under_our_ids(held({"line_item_id": "ours"}), known({"sis_line_item_id": "77"})).empty


# --- Gone ---


@pytest.mark.parametrize(
    ("ledger", "answered", "is_gone"),
    [
        ({}, {"line_item_id": "ours"}, False),
        ({}, {"line_item_id": "theirs"}, True),
        ({"sis_line_item_id": "77"}, {"line_item_id": "77"}, False),
        ({"sis_line_item_id": "77"}, {"line_item_id": "ours"}, True),
        # A copy made by hand is no place to write to under the id of before:
        ({"sis_line_item_id": "77"}, {"line_item_id": "78", "passback_id": "ours"}, True),
        (
            {"state": "gone", "accepted_category_id": ""},
            {"line_item_id": "78", "passback_id": "ours"},
            False,
        ),
        ({"sis_line_item_id": "77"}, {"line_item_id": "78", "passback_id": "another"}, True),
        ({"state": "accepted"}, {}, True),
        ({"state": "gone", "accepted_category_id": ""}, {}, True),
        ({"state": "gone", "accepted_category_id": ""}, {"line_item_id": "ours"}, False),
        # Nothing is known to have arrived:
        ({"state": "intended", "accepted_category_id": ""}, {}, False),
        ({"state": "refused", "accepted_category_id": ""}, {}, False),
        ({"state": "not_stored", "accepted_category_id": ""}, {}, False),
        # A change did not arrive, but what stood there before it is gone:
        ({"state": "intended"}, {}, True),
        ({"state": "refused"}, {}, True),
    ],
)
def test_what_the_sis_held_and_holds_no_more_is_gone(
    ledger: dict[str, str], answered: dict[str, str], *, is_gone: bool
) -> None:
    lost = gone(known(ledger), held(answered), frozenset())
    assert lost["line_item_id"].tolist() == (["ours"] if is_gone else [])


def test_of_an_empty_gradebook_everything_is_gone() -> None:
    rows = known({"line_item_id": "a"}, {"line_item_id": "b"})
    assert gone(rows, held(), frozenset())["line_item_id"].tolist() == ["a", "b"]


def test_of_a_gradebook_that_cannot_be_read_nothing_is_known() -> None:
    rows = known({"line_item_id": "a"}, {"line_item_id": "b", "sis_class_id": "K2"})
    assert gone(rows, held(), frozenset({"K1"}))["line_item_id"].tolist() == ["b"]


# --- Recognised ---


def test_a_record_that_carries_our_id_is_ours_whatever_it_is_called() -> None:
    answered = held({"line_item_id": "77", "passback_id": "ours", "title": "Renamed", "due_date": ""})
    assert recognised(known({}), answered, []) == {"ours": "77"}


@pytest.mark.parametrize(
    ("record", "is_ours"),
    [
        ({}, True),
        ({"title": " Essay "}, True),
        ({"title": "essay"}, False),
        ({"due_date": "2026-11-11"}, False),
        ({"sis_class_id": "K2"}, False),
        ({"passback_id": "another"}, False),
    ],
)
def test_a_record_without_our_id_is_ours_by_class_title_and_due_date(
    record: dict[str, str], *, is_ours: bool
) -> None:
    assert recognised(known({}), held(record), []) == ({"ours": "theirs"} if is_ours else {})


def test_our_id_counts_before_title_and_date() -> None:
    answered = held({"line_item_id": "1"}, {"line_item_id": "2", "passback_id": "ours"})
    assert recognised(known({}), answered, []) == {"ours": "2"}


@pytest.mark.parametrize("passback_id", ["", "ours"])
def test_a_record_that_is_known_to_be_another_is_never_taken(passback_id: str) -> None:
    assert recognised(known({}), held({"passback_id": passback_id}), ["theirs"]) == {}


@pytest.mark.parametrize("passback_id", ["", "ours"])
def test_of_several_copies_the_first_is_taken(passback_id: str) -> None:
    answered = held(*({"line_item_id": copy, "passback_id": passback_id} for copy in ("1", "2", "3")))
    assert recognised(known({}), answered, ["1"]) == {"ours": "2"}


def test_one_record_is_never_two_of_ours() -> None:
    two = known({"line_item_id": "a"}, {"line_item_id": "b"})
    assert recognised(two, held({}), []) == {"a": "theirs"}


def test_two_of_ours_in_one_place_have_a_record_each() -> None:
    two = known({"line_item_id": "a"}, {"line_item_id": "b"})
    assert recognised(two, held({"line_item_id": "1"}, {"line_item_id": "2"}), []) == {"a": "1", "b": "2"}


def test_nothing_is_recognised_in_an_empty_gradebook_or_of_nothing() -> None:
    assert recognised(known({}), held(), []) == {}
    assert recognised(known(), held({}), []) == {}


IDS = st.sampled_from(["a", "b", "c"])
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "line_item_id": st.sampled_from(["1", "2", "3", "4"]),
            "passback_id": st.sampled_from(["", "a", "b", "else"]),
            "title": st.sampled_from(["Essay", "Quiz"]),
        }
    ),
    max_size=6,
    unique_by=lambda record: record["line_item_id"],
)


@given(wanted=st.dictionaries(IDS, st.sampled_from(["Essay", "Quiz"])), records=RECORDS, linked=st.sets(IDS))
def test_whoever_is_recognised_is_one_of_ours_in_one_free_record_of_its_own(
    wanted: dict[str, str], records: list[dict[str, str]], linked: set[str]
) -> None:
    taken = {str(number + 1) for number, name in enumerate("abc") if name in linked}
    rows = known(*({"line_item_id": ours, "title": title} for ours, title in wanted.items()))
    found = recognised(rows, held(*records), taken)
    assert set(found) <= set(wanted)
    assert len(set(found.values())) == len(found)
    assert not taken & set(found.values())
    by_id = {record["line_item_id"]: record for record in records}
    for ours, theirs in found.items():
        assert by_id[theirs]["passback_id"] in {ours, ""}
        if not by_id[theirs]["passback_id"]:
            assert by_id[theirs]["title"] == wanted[ours]
    # As many as there are free places of one title for those that carry no id of their own.
    for title in ("Essay", "Quiz"):
        free = [r for r in records if r["line_item_id"] not in taken and r["title"] == title]
        signed = {r["passback_id"] for r in records if r["line_item_id"] not in taken}
        unsigned = [ours for ours in wanted if wanted[ours] == title and ours not in signed]
        places = [r for r in free if not r["passback_id"]]
        assert len([ours for ours in unsigned if ours in found]) == min(len(unsigned), len(places))


# --- The teacher's category ---


@pytest.mark.parametrize(
    ("ledger", "category", "kept"),
    [
        ({}, "paper", {}),
        ({}, "essays", {"ours": "essays"}),
        ({}, "", {}),
        ({"category_id": "lab"}, "paper", {}),  # our category of before: the change did not arrive
        ({"category_id": "lab"}, "lab", {}),
        ({"category_id": "lab"}, "essays", {"ours": "essays"}),
        ({"sis_line_item_id": "77"}, "essays", {"ours": "essays"}),
    ],
)
@pytest.mark.parametrize("action", ["change", "resend"])
def test_a_category_that_a_teacher_gave_it_stays(
    ledger: dict[str, str], category: str, kept: dict[str, str], action: str
) -> None:
    rows = known(ledger)
    answered = held({"line_item_id": held_under(rows)[0], "category_id": category})
    assert kept_categories(planned({"action": action}), rows, answered) == kept


def test_what_is_written_anew_has_the_planned_category() -> None:
    answered = held({"line_item_id": "ours", "category_id": "essays"})
    assert kept_categories(planned({"action": "create"}), known({}), answered) == {}


@pytest.mark.parametrize(("category", "kept"), [("essays", {"ours": "essays"}), ("", {})])
def test_an_assignment_that_is_taken_over_keeps_its_category(category: str, kept: dict[str, str]) -> None:
    adopting = planned({"action": "adopt", "adopts": "theirs"})
    answered = held({"category_id": category}, {"line_item_id": "foreign", "category_id": "lab"})
    assert kept_categories(adopting, known(), answered) == kept
