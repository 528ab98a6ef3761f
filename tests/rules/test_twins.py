"""An assignment of the same title and due date that stands in a class already: foreign, ours, taken over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from passback.oneroster.ids import line_item_id
from rules.scene import ASSESSMENT, NO_LINE_ITEMS, judged, known_line_item

if TYPE_CHECKING:
    import pandas as pd

OURS = line_item_id("otus", "a1", "K1")
TWIN = {"line_item_id": "theirs", "sis_class_id": "K1", "title": "Unit 1", "due_date": "2026-10-27"}
LOST = {"line_item_id": OURS, "state": "intended"} | {
    name: TWIN[name] for name in ("sis_class_id", "title", "due_date")
}
ADOPT = {"sis": {"system": "skyward", "connection": "lakeview_sis", "adopt": True}}


def found(
    *twins: dict[str, str],
    known: pd.DataFrame = NO_LINE_ITEMS,
    adopt: bool = False,
    allots_ids: bool = False,
    assessments: list[dict[str, Any]] | None = None,
) -> tuple[str, list[str]]:
    """The codes of the first assessment, and what each line item that passes takes over."""
    verdicts = judged(
        scores=[],
        sis_line_items=[TWIN | twin for twin in twins],
        known=known,
        said=ADOPT if adopt else {},
        allots_ids=allots_ids,
        **({"assessments": assessments} if assessments else {}),
    )
    return str(verdicts.assessments["codes"].iloc[0]), verdicts.line_items["adopts"].tolist()


# --- What is ours ---


@pytest.mark.parametrize(
    ("ledger", "twin"),
    [
        ({"line_item_id": OURS, "state": "confirmed"}, {"line_item_id": OURS}),
        ({"line_item_id": OURS, "state": "confirmed", "sis_line_item_id": "77"}, {"line_item_id": "77"}),
        ({"line_item_id": "another", "sis_line_item_id": "77"}, {"line_item_id": "77"}),
        ({"line_item_id": "unrelated"}, {"passback_id": OURS}),
    ],
    ids=["by our id", "by the SIS's id", "another of ours", "carrying our id"],
)
@pytest.mark.parametrize("adopt", [False, True])
def test_what_is_ours_is_no_foreign_twin(
    ledger: dict[str, str], twin: dict[str, str], *, adopt: bool
) -> None:
    assert found(twin, known=known_line_item(**ledger), adopt=adopt) == ("", [""])


@pytest.mark.parametrize(
    ("ledger", "allots_ids", "is_ours"),
    [
        ({}, True, True),
        ({}, False, False),  # it would stand there under our own id
        ({"sis_line_item_id": "77"}, True, False),
        ({"title": "Unit 2"}, True, False),  # it was sent to another place
        ({"due_date": "2026-10-28"}, True, False),
        ({"state": "refused"}, True, False),
    ],
)
def test_what_was_sent_without_learning_its_id_may_stand_where_it_was_sent_to(
    ledger: dict[str, str], *, allots_ids: bool, is_ours: bool
) -> None:
    known = known_line_item(**LOST | ledger)
    judged_so = found({"line_item_id": "88"}, known=known, allots_ids=allots_ids)
    assert judged_so == (("", [""]) if is_ours else ("sis.duplicate", []))


@pytest.mark.parametrize(
    ("ledger", "twin"),
    [
        ({"line_item_id": OURS, "state": "confirmed", "sis_line_item_id": "77"}, {"line_item_id": "88"}),
        ({"line_item_id": OURS, "state": "intended", "sis_line_item_id": "77"}, {"line_item_id": "88"}),
        ({"line_item_id": "another", "state": "intended"}, {}),
        ({"line_item_id": "unrelated"}, {"passback_id": "another"}),
    ],
    ids=["beside ours", "beside ours that was lost", "another was sent", "carrying another id"],
)
def test_what_is_not_ours_is_a_foreign_twin(ledger: dict[str, str], twin: dict[str, str]) -> None:
    assert found(twin, known=known_line_item(**ledger)) == ("sis.duplicate", [])


# --- Taking over ---


def test_one_exact_match_is_taken_over_where_the_district_says_so() -> None:
    assert found({}, adopt=True) == ("", ["theirs"])
    assert found({}) == ("sis.duplicate", [])


@pytest.mark.parametrize(
    "twin", [{"title": "Unit 2"}, {"due_date": "2026-10-28"}, {"sis_class_id": "K2"}, {"title": "unit 1"}]
)
def test_nothing_else_is_taken_over(twin: dict[str, str]) -> None:
    assert found(twin, adopt=True) == ("", [""])


def test_spaces_around_a_title_make_no_difference() -> None:
    assert found({"title": " Unit 1 "}, adopt=True) == ("", ["theirs"])


def test_of_two_matches_none_is_taken_over() -> None:
    assert found({}, {"line_item_id": "theirs too"}, adopt=True) == ("sis.duplicate", [])


def test_a_match_beside_one_of_ours_is_still_a_single_one() -> None:
    known = known_line_item(line_item_id="another", sis_line_item_id="77", state="confirmed")
    assert found({}, {"line_item_id": "77"}, known=known, adopt=True) == ("", ["theirs"])


def test_a_match_that_two_of_ours_want_is_left_to_a_person() -> None:
    two = [ASSESSMENT, ASSESSMENT | {"assessment_id": "a2"}]
    assert found({}, adopt=True, assessments=two) == ("sis.duplicate", [])


def test_each_of_ours_takes_over_its_own_match() -> None:
    two = [ASSESSMENT, ASSESSMENT | {"assessment_id": "a2", "title": "Unit 2"}]
    twins = ({}, {"line_item_id": "theirs too", "title": "Unit 2"})
    assert found(*twins, adopt=True, assessments=two) == ("", ["theirs", "theirs too"])


@pytest.mark.parametrize("state", ["confirmed", "accepted", "refused", "not_stored"])
def test_what_was_sent_before_takes_nothing_over(state: str) -> None:
    known = known_line_item(line_item_id=OURS, state=state, sis_line_item_id="77")
    assert found({}, known=known, adopt=True) == ("sis.duplicate", [])


def test_what_is_gone_may_take_over_what_stands_in_its_place() -> None:
    known = known_line_item(line_item_id=OURS, state="gone")
    assert found({}, known=known, adopt=True) == ("", ["theirs"])
    assert found({}, known=known) == ("sis.duplicate", [])
