"""Instants as JSON has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


@overload
def iso(instant: datetime) -> str: ...
@overload
def iso(instant: None) -> None: ...


def iso(instant: datetime | None) -> str | None:
    """ISO 8601 in UTC with Z; None stays None."""
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
