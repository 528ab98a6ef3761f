"""Every refusal of the native interface that a person can mend says how."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aeries.stub_aeries import StubAeries, gradebook
from passback.gradebook import LineItemRow, ResultRow
from passback.sis.aeries import AERIES_NATIVE
from passback.sis.words import mend_of

if TYPE_CHECKING:
    from passback.oneroster import Answer

ITEM = LineItemRow("ours", "", "994_1001", "994", "Essay", "Test", "", "2026-10-01", "2026-10-19", 50.0)
EXCUSED = ResultRow("ours", "1", "essay", "", "994_1001", 0.0, "exempt", "2026-10-20", "")


async def answered(stub: StubAeries, kind: str) -> Answer:
    stub.holds(gradebook(1, (994, 1001)), gradebook(2, (994, 1002)), gradebook(3, (994, 1002)))
    async with stub.client() as aeries:
        match kind:
            case "category":
                return await aeries.write_line_item(ITEM._replace(category_id="Project"))
            case "several":
                return await aeries.write_line_item(ITEM._replace(sis_class_id="994_1002"))
            case "none":
                return await aeries.write_line_item(ITEM._replace(sis_class_id="994_1003"))
            case "gone":
                return await aeries.write_line_item(ITEM._replace(sis_line_item_id="gone"))
            case "excused":
                return (await aeries.write_results([EXCUSED]))[0]
        return await aeries.withdraw_line_item(ITEM)


@pytest.mark.parametrize(
    ("kind", "mend"),
    [
        ("category", "Add this category"),
        ("several", "under sis.gradebooks"),
        ("none", "create a gradebook"),
        ("gone", "put it back"),
        ("excused", "Excuse the student"),
        ("withdrawn", "Delete it"),
    ],
)
async def test_a_refusal_says_what_to_do(stub: StubAeries, kind: str, mend: str) -> None:
    assert mend in mend_of((await answered(stub, kind)).words, AERIES_NATIVE)
