"""What a source hands over, and the listing that it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pandas as pd

    from passback.errors import PassbackError


@dataclass(frozen=True)
class Unread:
    """A part of a source that could not be read, though the rest could.

    Attributes:
        title: What people call it.
        error: Why, and what to do about it.
    """

    title: str
    error: PassbackError


@dataclass(frozen=True)
class Pull:
    """What was read from a source.

    Attributes:
        frames: The canonical frames by name (`records.SOURCE_FRAMES`).
        deleted: Keys of deleted records by frame name, in the canonical columns.
        totals: Live records in the source by frame name, changed or not, as far as the source counts them.
        as_of: The source's clock (UTC) when the reading began; asking since then shows what changes later.
        requests: HTTP requests sent.
        changes: Names of the frames that hold only what changed; the others hold everything.
        unread: Parts that could not be read: what is not in the frames may be in these, and is not deleted.
    """

    frames: Mapping[str, pd.DataFrame]
    deleted: Mapping[str, pd.DataFrame]
    totals: Mapping[str, int]
    as_of: datetime
    requests: int
    changes: frozenset[str] = field(default=frozenset())
    unread: tuple[Unread, ...] = ()
