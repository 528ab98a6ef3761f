"""The SIS's categories and the platform's: compared by name, and imported as groups (docs/categories.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passback.sis import profile_of
from passback.sources import SOURCES

if TYPE_CHECKING:
    from passback.mapping.model import District


def imports_categories(district: District) -> bool:
    """Whether the SIS's categories are imported into the platform as assignment groups (seed 003)."""
    return profile_of(district.sis.system).imports_categories and SOURCES[district.source.system].groups
