"""Fills the state: the platform's side and the SIS's side of one world."""

from __future__ import annotations

import secrets
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sandbox import seed_sis, sis_settings
from sandbox.platforms import PLATFORMS
from sandbox.seed import SEEDING_DAY, ZONE, data_folder, world
from sandbox.siss import SISS
from sandbox.store import drop_data, keep_settings, settings

if TYPE_CHECKING:
    import sqlite3

    from sandbox.sis import Sis


def first_settings(sis: Sis) -> dict[str, Any]:
    """What `PATCH /control/settings` can change of the SIS, as it is after a seeding."""
    return {"clock_skew_seconds": 0, **sis_settings.first(sis)}


def seed(connection: sqlite3.Connection, today: str, seeded_at: int) -> None:
    """Empty the state and fill it afresh, inside the caller's transaction; credentials and tokens stay.

    The state's settings say which platform and SIS it is, and which modules of which data.

    Args:
        connection: The state.
        today: The seeding date, or empty for the date it is in the sandbox's zone.
        seeded_at: The seeding instant: `modified_at` of everything seeded, in microseconds.

    Raises:
        ValueError: a module is not in the data.
        OSError: a file of the data is missing.
    """
    kept = settings(connection)
    seeding_date = date.fromisoformat(today) if today else datetime.now(ZoneInfo(ZONE)).date()
    found = world(
        day_0=seeding_date - timedelta(days=SEEDING_DAY),
        seeded_at=seeded_at,
        lms=kept["lms"],
        sis=kept["sis"],
        modules=tuple(kept["modules"]),
        data=data_folder(kept["data"]),
    )
    drop_data(connection)
    sis = SISS[found.sis]
    credentials = {
        "client_id": "passback-sandbox",
        "client_secret": secrets.token_urlsafe(24),
        "feed_token": secrets.token_urlsafe(24),
        "token_seconds": sis.token_seconds,
    }
    keep_settings(connection, **credentials | settings(connection))
    keep_settings(connection, **first_settings(sis))
    keep_settings(
        connection,
        seeding_date=seeding_date.isoformat(),
        day_0=found.day_0.isoformat(),
        seeded_at=found.modified_at,
    )
    PLATFORMS[found.lms].seed(connection, found)
    seed_sis.seed(connection, found, sis)
