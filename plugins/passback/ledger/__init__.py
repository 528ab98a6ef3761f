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
from passback.ledger.explain import explain, explain_score
from passback.ledger.extracts import keep_extract, last_extract
from passback.ledger.held_back import (
    held_back_line_items,
    held_back_results,
    hold_back_line_items,
    hold_back_results,
    none_held_back,
    overwrite_line_items,
    overwrite_results,
    release_line_items,
    release_results,
)
from passback.ledger.outcomes import record_outcomes
from passback.ledger.purge import Purged, count_purgeable, purge
from passback.ledger.roles import owns, roles_are_granted
from passback.ledger.runs import close_run, latest_runs, note_judged, open_run, record_decision
from passback.ledger.sent import (
    Gradebooks,
    answer_line_items,
    answer_results,
    intend_line_items,
    intend_results,
    known_line_items,
    known_results,
    line_items_in_sis,
    lose_line_items,
    no_line_items,
    no_results,
    note_category,
    results_in_sis,
    settle_line_items,
    settle_results,
)
from passback.ledger.suppressions import (
    judged_scores,
    standing_suppressions,
    suppress,
    suppressions,
    unsuppress,
)
from passback.ledger.trail import Break, districts, first_break, verify_trail

__all__ = [
    "Break",
    "CategoryChanges",
    "Connection",
    "Gradebooks",
    "Purged",
    "answer_line_items",
    "answer_results",
    "categories_lock",
    "close_run",
    "connect",
    "count_purgeable",
    "district_lock",
    "districts",
    "ensure_schema",
    "explain",
    "explain_score",
    "first_break",
    "held_back_line_items",
    "held_back_results",
    "hold_back_line_items",
    "hold_back_results",
    "intend_line_items",
    "intend_results",
    "is_empty",
    "judged_scores",
    "keep_categories",
    "keep_extract",
    "known_categories",
    "known_line_items",
    "known_results",
    "last_extract",
    "latest_runs",
    "line_items_in_sis",
    "lose_line_items",
    "no_categories",
    "no_line_items",
    "no_results",
    "none_held_back",
    "note_category",
    "note_judged",
    "open_run",
    "overwrite_line_items",
    "overwrite_results",
    "owns",
    "purge",
    "record_decision",
    "record_outcomes",
    "release_line_items",
    "release_results",
    "results_in_sis",
    "roles_are_granted",
    "settle_line_items",
    "settle_results",
    "standing_suppressions",
    "suppress",
    "suppressions",
    "unsuppress",
    "upgrade",
    "verify_trail",
]
