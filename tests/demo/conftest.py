from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

SLOW = ("airflow", "demo")  # slowest last


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is fast first: a slip shows before Airflow is started."""
    items.sort(
        key=lambda item: max(
            (SLOW.index(name) + 1 for name in SLOW if item.get_closest_marker(name)), default=0
        )
    )
