"""Which year's gradebooks are meant: Aeries keeps each school year apart.

It is sent with every request, and what comes back is checked: a year that Aeries does not know is silently
the district's default year.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from passback.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import date

    from passback.aeries.records import Gradebook
    from passback.connections import Endpoint

_FIRST_MONTH: Final = 7  # July: as school districts count


def database_year(endpoint: Endpoint, *, today: date) -> int:
    """The year in which the school year begins: `database_year` of the connection's extra, else today's.

    Raises:
        ConfigurationError: the extra holds something else than a year.
    """
    said = endpoint.extra.get("database_year")
    if said is None or said == "":
        return today.year if today.month >= _FIRST_MONTH else today.year - 1
    if isinstance(said, bool) or not str(said).isascii() or not str(said).isdecimal() or len(str(said)) != 4:  # noqa: PLR2004 - digits of a year
        raise ConfigurationError(
            "database_year in its extra is no year of four digits.",
            where=f"connection {endpoint.connection}",
            mend="Write the year in which the school year begins, or leave it out.",
        )
    return int(said)


def belongs_to(gradebook: Gradebook, year: int) -> bool:
    """Whether a gradebook's days lie in a school year, if only in part; not where it has none."""
    first, last = gradebook.days
    return bool(first and last) and last >= _first_day(year) and first < _first_day(year + 1)


def _first_day(year: int) -> str:
    """The first day of a school year, as ISO text."""
    return f"{year}-{_FIRST_MONTH:02}-01"
