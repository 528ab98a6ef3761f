"""What a district's platform holds, without a run: as it was last extracted, or else as it is now."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from passback import connections, ledger, sources
from passback.errors import ConfigurationError, ContractError
from passback.frame_store import open_folder, read_frame
from passback.records import ASSESSMENTS, CLASSES, STUDENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from passback.mapping.model import District

_FRAMES = (ASSESSMENTS, CLASSES, STUDENTS)


def latest_frames(district: District, *, say: Callable[[str], None]) -> Mapping[str, pd.DataFrame]:
    """The platform's assessments, classes and students, by frame name.

    Args:
        district: The district.
        say: Told about progress where everything has to be read.

    Raises:
        PassbackError: nothing was extracted yet, and the platform cannot be asked.
    """
    last = _last_extraction(district)
    if last is not None:
        return last
    source = sources.SOURCES[district.source.system]
    say(f"reading all of {source.title}, for nothing was extracted yet")
    with tempfile.TemporaryDirectory() as folder:
        pull = asyncio.run(
            sources.pull(
                source,
                connections.endpoint(district.source.connection),
                open_folder(Path(folder).as_uri()),
                since=None,
                known=ASSESSMENTS.empty()[list(ASSESSMENTS.key)],
                say=say,
            )
        )
    return pull.frames


def _last_extraction(district: District) -> Mapping[str, pd.DataFrame] | None:
    """The frames of the last extraction; None without one, without its files, or without a ledger."""
    try:
        url = connections.ledger_url()
    except ConfigurationError:
        return None  # a person who tries a new district may not have one yet
    if ledger.is_empty(url):
        return None
    with closing(ledger.connect(url)) as connection:
        last = ledger.last_extract(connection, district.district)
    if last is None:
        return None
    folder = open_folder(last["snapshot"])
    try:
        return {frame.name: read_frame(folder, frame) for frame in _FRAMES}
    except ContractError:  # its files are gone, or of another version
        return None
