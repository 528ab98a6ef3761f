"""What a person has taken out of passback, and put back in: who, when and why stays on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from passback import ledger as database
from passback.errors import FatalError

if TYPE_CHECKING:
    from passback.ledger import Connection


def out(ledger: Connection, district: str = "lakeview") -> list[tuple[str, str]]:
    return list(database.standing_suppressions(ledger, district).itertuples(index=False, name=None))


def test_what_is_taken_out_stands_until_it_is_lifted(ledger: Connection) -> None:
    assert database.suppress(ledger, "lakeview", "class", "c1", reason="on paper", ordered_by="ada")
    assert out(ledger) == [("class", "c1")]
    assert out(ledger, "harborview") == []
    assert database.unsuppress(ledger, "lakeview", "class", "c1", reason="", ordered_by="bea")
    assert out(ledger) == []


def test_taken_out_twice_the_first_reason_stands(ledger: Connection) -> None:
    assert database.suppress(ledger, "lakeview", "student", "s1", reason="moves away", ordered_by="ada")
    assert not database.suppress(ledger, "lakeview", "student", "s1", reason="other", ordered_by="bea")
    (row,) = database.suppressions(ledger, "lakeview", lifted=False)
    assert (row["reason"], row["ordered_by"]) == ("moves away", "ada")


def test_what_was_never_out_cannot_be_lifted(ledger: Connection) -> None:
    assert not database.unsuppress(ledger, "lakeview", "student", "s1", reason="", ordered_by="ada")


def test_the_same_may_be_taken_out_and_put_back_again_and_all_of_it_is_on_record(ledger: Connection) -> None:
    for number in range(2):
        database.suppress(ledger, "lakeview", "assessment", "a1", reason=f"why {number}", ordered_by="ada")
        database.unsuppress(ledger, "lakeview", "assessment", "a1", reason="done", ordered_by="bea")
    assert database.suppressions(ledger, "lakeview", lifted=False) == []
    rows = database.suppressions(ledger, None, lifted=True)
    assert [(row["reason"], row["lifted_by"], row["lifted_reason"]) for row in rows] == [
        ("why 0", "bea", "done"),
        ("why 1", "bea", "done"),
    ]


@pytest.mark.parametrize(
    ("kind", "source_id", "reason"), [("school", "1", "x"), ("class", "", "x"), ("class", "1", "")]
)
def test_a_suppression_names_a_kind_an_id_and_a_reason(
    ledger: Connection, kind: str, source_id: str, reason: str
) -> None:
    with pytest.raises(FatalError, match="suppressions_"):
        database.suppress(ledger, "lakeview", kind, source_id, reason=reason, ordered_by="ada")
    assert out(ledger) == []
