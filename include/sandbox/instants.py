"""Instants as platforms write them: ISO 8601 text, with or without a zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def moment(value: Any) -> datetime | None:
    """An instant in UTC; None if there is none, or the text is not one. Without a zone it is taken as UTC."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def microseconds(value: Any) -> int | None:
    """An instant as microseconds since 1970."""
    found = moment(value)
    if found is None:
        return None
    since_1970 = found - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_1970.days * 86_400 + since_1970.seconds) * 1_000_000 + since_1970.microseconds
