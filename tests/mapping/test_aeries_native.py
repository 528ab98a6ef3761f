"""What a mapping file may say of Aeries' own interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mapping.conftest import GOOD
from passback.errors import ConfigurationError
from passback.mapping.file import read_mapping
from passback.sis import profile_of
from passback.sis.aeries import AERIES, AERIES_NATIVE

if TYPE_CHECKING:
    from pathlib import Path

    from mapping.conftest import Refuse

SKYWARD = "  system: skyward\n"
CONFIRMED = "confirmed: [oneroster_licence, use_grade_unchecked]"


def aeries(*lines: str, transport: str = "native") -> str:
    """The good file for Aeries, with more lines under `sis:`."""
    said = "".join(f"  {line}\n" for line in lines)
    text = GOOD.replace(SKYWARD, f"  system: aeries\n  transport: {transport}\n{said}")
    return text.replace(CONFIRMED, "confirmed: []")


def test_each_class_may_name_its_gradebook(tmp_path: Path) -> None:
    path = tmp_path / "lakeview.yaml"
    path.write_text(aeries("gradebooks: {'994_1001': 4721, 990_TN_421: 8}", "late_and_missing: none"))
    assert read_mapping(path).sis.gradebooks == {"994_1001": 4721, "990_TN_421": 8}


@pytest.mark.parametrize(
    ("lines", "transport", "field", "what"),
    [
        (["gradebooks: {'994_1': 5}"], "oneroster", "sis.gradebooks", "not which of its gradebooks"),
        (["gradebooks: [5]"], "native", "sis.gradebooks", "expected class ids with the numbers"),
        (
            ["gradebooks: {'994_1': five}"],
            "native",
            "sis.gradebooks.994_1",
            "number of one gradebook, found te",
        ),
        (["gradebooks: {'994_1': [5, 6]}"], "native", "sis.gradebooks.994_1", "the number of one gradebook"),
        (["gradebooks: {'994_1': yes}"], "native", "sis.gradebooks.994_1", "found true or false"),
        (["gradebooks: {'994_1': 0}"], "native", "sis.gradebooks.994_1", "at least 1"),
        (["gradebooks: {'994_1': 4294967296}"], "native", "sis.gradebooks.994_1", "at least 1"),
        (["gradebooks: {9941: 5}"], "native", "sis.gradebooks.9941", "a text as the key"),
        (["late_and_missing: comment"], "native", "sis.late_and_missing", "holds no marks"),
        (["removed_scores: clear"], "native", "sis.removed_scores", "no way to clear"),
        (["create_categories: true"], "native", "sis.create_categories", "lets nobody create"),
    ],
)
def test_what_the_interface_cannot_do_is_refused_on_its_line(
    refuse: Refuse, lines: list[str], transport: str, field: str, what: str
) -> None:
    (problem,) = refuse(aeries(*lines, transport=transport)).problems
    assert (problem.line, problem.field) == (10, field)
    assert what in problem.what
    assert problem.mend


def test_a_gradebook_is_named_for_no_other_sis(refuse: Refuse) -> None:
    (problem,) = refuse(GOOD.replace(SKYWARD, f"{SKYWARD}  gradebooks: {{a: 5}}\n")).problems
    assert problem.field == "sis.gradebooks"


def test_a_profile_is_that_of_the_way_into_the_gradebooks() -> None:
    assert profile_of("aeries") is AERIES
    assert profile_of("aeries", "native") is AERIES_NATIVE
    with pytest.raises(ConfigurationError, match="transport native"):
        profile_of("skyward", "native")
