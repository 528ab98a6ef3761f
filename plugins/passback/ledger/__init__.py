"""The ledger: what was sent, accepted and read back, what became of every score, and a trail that only grows.

Tables, states and look-ups: docs/ledger.md.
"""

from passback.ledger.categories import (
    CategoryChanges,
    keep_categories,
    known_categories,
    no_categories,
)
from passback.ledger.database import (
    Connection,
    categories_lock,
    connect,
    district_lock,
    ensure_schema,
    is_empty,
    upgrade,
)
from passback.ledger.explain import explain_score
from passback.ledger.extracts import keep_extract, last_extract
from passback.ledger.outcomes import record_outcomes
from passback.ledger.runs import close_run, latest_runs, open_run, record_decision
from passback.ledger.sent import (
    answer_line_items,
    answer_results,
    intend_line_items,
    intend_results,
    known_line_items,
    known_results,
    lose_line_items,
    no_line_items,
    no_results,
    note_category,
    settle_line_items,
    settle_results,
)
from passback.ledger.trail import verify_trail

__all__ = [
    "CategoryChanges",
    "Connection",
    "answer_line_items",
    "answer_results",
    "categories_lock",
    "close_run",
    "connect",
    "district_lock",
    "ensure_schema",
    "explain_score",
    "intend_line_items",
    "intend_results",
    "is_empty",
    "keep_categories",
    "keep_extract",
    "known_categories",
    "known_line_items",
    "known_results",
    "last_extract",
    "latest_runs",
    "lose_line_items",
    "no_categories",
    "no_line_items",
    "no_results",
    "note_category",
    "open_run",
    "record_decision",
    "record_outcomes",
    "settle_line_items",
    "settle_results",
    "upgrade",
    "verify_trail",
]
