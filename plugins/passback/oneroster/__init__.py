"""A OneRoster gradebook client: reads a SIS's rosters and gradebooks, writes line items and results.

    async with Client(endpoint, profile) as sis:
        classes = [record async for record in sis.collection("/classes", "classes")]
        answer = await sis.put("lineItem", sourced_id, v1p1.line_item(sourced_id=sourced_id, ...))

`Client` keeps to the SIS's limits, lets itself be known by OAuth 2, OAuth 1.0a or a token, tries again what
may pass later and never follows a redirect with a credential. `Answer` says what became of one request.
`v1p1` and `v1p2` make the bodies of either version; `held_line_items` and `held_results` read back both;
`line_item_id` and `result_id` derive the ids under which they go out. `Filter` narrows a listing.

docs/oneroster.md has more.
"""

from __future__ import annotations

from passback.connections import Endpoint
from passback.oneroster import v1p1, v1p2
from passback.oneroster.answers import Answer, Decision
from passback.oneroster.client import Client, Response
from passback.oneroster.envelopes import Kind
from passback.oneroster.filters import Filter
from passback.oneroster.held import held_line_items, held_results
from passback.oneroster.ids import line_item_id, result_id
from passback.oneroster.limits import Limits
from passback.oneroster.patience import Retries
from passback.oneroster.services import Services, Version
from passback.sis import SisProfile, profile_of

__all__ = [
    "Answer",
    "Client",
    "Decision",
    "Endpoint",
    "Filter",
    "Kind",
    "Limits",
    "Response",
    "Retries",
    "Services",
    "SisProfile",
    "Version",
    "held_line_items",
    "held_results",
    "line_item_id",
    "profile_of",
    "result_id",
    "v1p1",
    "v1p2",
]
