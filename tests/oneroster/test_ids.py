"""Ids of line items and results."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from passback.oneroster import line_item_id, result_id

TEXT = st.text(st.characters(exclude_characters="\x1f", exclude_categories=("Cs",)), max_size=20)


def test_ids_stay_what_they_were_in_the_first_release() -> None:
    item = line_item_id("otus", "assessment-1", "class-1")
    assert item == "7ce1848f-b1cf-5d0d-827b-9047af394a80"
    assert result_id(item, "student-1") == "e5a56a4b-0973-5f0e-961e-339b871e34f7"


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT, TEXT))
def test_two_line_items_share_an_id_only_if_they_are_the_same(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (line_item_id(*one) == line_item_id(*other)) == (one == other)


@given(TEXT, TEXT, TEXT, TEXT)
def test_an_id_is_an_opaque_uuid_in_lower_case(
    source: str, assessment: str, sis_class: str, student: str
) -> None:
    item = line_item_id(source, assessment, sis_class)
    for sourced_id in (item, result_id(item, student)):
        assert uuid.UUID(sourced_id).version == 5
        assert str(uuid.UUID(sourced_id)) == sourced_id


@given(TEXT, TEXT)
def test_an_id_is_that_of_rfc_9562_over_the_ids_it_stands_for(line_item: str, student: str) -> None:
    namespace = uuid.UUID("d3b7f0f6-0c2e-5d3c-9a56-1f8f6f3b7c41")
    expected = uuid.uuid5(namespace, f"result\x1f{line_item}\x1f{student}")
    assert result_id(line_item, student) == str(expected)
