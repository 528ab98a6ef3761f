"""Where the last extract of a district lies, and from when on the next one must ask for changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from passback.ledger.database import Connection, transaction

if TYPE_CHECKING:
    from datetime import datetime

LAST: Final = "SELECT snapshot, watermark, assessments, scores FROM passback.extracts WHERE district = %s"

KEEP: Final = """
    INSERT INTO passback.extracts (district, snapshot, watermark, assessments, scores, kept_at)
    VALUES (%s, %s, %s, %s, %s, now())
    ON CONFLICT (district) DO UPDATE SET
        snapshot = excluded.snapshot, watermark = excluded.watermark, assessments = excluded.assessments,
        scores = excluded.scores, kept_at = excluded.kept_at
"""


def last_extract(connection: Connection, district: str) -> dict[str, Any] | None:
    """Keys snapshot, watermark (UTC), assessments, scores; None before the first."""
    with transaction(connection) as cursor:
        cursor.execute(LAST, (district,))
        row = cursor.fetchone()
    return dict(zip(("snapshot", "watermark", "assessments", "scores"), row, strict=True)) if row else None


def keep_extract(
    connection: Connection,
    district: str,
    *,
    snapshot: str,
    watermark: datetime,
    assessments: int,
    scores: int,
) -> None:
    """Note a complete extract in the place of the one before.

    Args:
        connection: The ledger.
        district: The district's name.
        snapshot: Where its frames lie.
        watermark: The source's own clock when the extract began, with a time zone.
        assessments: Number of assessments in it.
        scores: Number of scores in it.
    """
    with transaction(connection) as cursor:
        cursor.execute(KEEP, (district, snapshot, watermark, int(assessments), int(scores)))
