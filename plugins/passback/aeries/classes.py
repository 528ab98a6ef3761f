"""Which section of which school a class is: Aeries' OneRoster names a class by both."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

# 994_1001; an elementary class without a master schedule is named by its teacher: 990_TN_421.
_CLASS_ID: Final = re.compile(r"(?P<school>\d{1,9})_(?:TN_)?(?P<section>\d{1,9})", flags=re.ASCII)


class ClassSection(NamedTuple):
    """A section as the native interface names it.

    Attributes:
        school_code: Its school.
        section_number: Its number; in a school without a master schedule its teacher's number.
    """

    school_code: int
    section_number: int


def section_of(sis_class_id: str) -> ClassSection | None:
    """The section that a class id of OneRoster stands for; None if it is no such id."""
    found = _CLASS_ID.fullmatch(sis_class_id)
    return ClassSection(int(found["school"]), int(found["section"])) if found else None
