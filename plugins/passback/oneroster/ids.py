"""Ids of line items, results and categories: the same input gives the same id on any machine, in any year.

They are UUIDs of version 5 (RFC 9562) over the source's and the SIS's own ids, so a write that is repeated
replaces what it wrote before, and no name, e-mail or number stands in an id.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Final

# Fixed for ever: another namespace would write every assignment a second time.
_NAMESPACE: Final = uuid.UUID("d3b7f0f6-0c2e-5d3c-9a56-1f8f6f3b7c41")
_SEPARATOR: Final = "\x1f"  # stands in no id, so that ("a", "bc") and ("ab", "c") stay two


def line_item_id(source_system: str, assessment_id: str, sis_class_id: str) -> str:
    """The sourcedId of the line item that an assessment becomes in one class of the SIS."""
    return _uuid5("lineItem", source_system, assessment_id, sis_class_id)


def result_id(line_item_id: str, sis_student_id: str) -> str:
    """The sourcedId of a student's result on a line item."""
    return _uuid5("result", line_item_id, sis_student_id)


def category_id(district: str, title: str) -> str:
    """The sourcedId of a category that a district has created in its SIS."""
    return _uuid5("category", district, title)


def _uuid5(*parts: str) -> str:
    """As `uuid.uuid5` of the parts, whose object takes most of the time: a load makes one for every score."""
    name = _NAMESPACE.bytes + _SEPARATOR.join(parts).encode()
    digest = hashlib.sha1(name, usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) % 4]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
