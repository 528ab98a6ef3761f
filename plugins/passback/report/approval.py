"""The question that a run asks before it changes too much: counts and class titles, no student data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_CLASSES: Final = 30

_EFFECTS: Final = {
    "changed": "would change",
    "vanished": "are gone from the learning platform",
    "refused": "are refused by a rule now",
}


def what_would_happen(limit: Mapping[str, Any]) -> str:
    """A line such as "of 2,980 scores in the SIS, 900 would change, 12 are refused by a rule now"."""
    parts = [
        f"{limit[effect]:,} {what.replace('are ', 'is ') if limit[effect] == 1 else what}"
        for effect, what in _EFFECTS.items()
        if limit[effect]
    ]
    return f"of {limit['known']:,} scores in the SIS, {', '.join(parts) or 'none is touched'}"


def subject(name: str, limit: Mapping[str, Any]) -> str:
    """The headline: which district, and what would happen.

    Args:
        name: The district's full name.
        limit: known, changed, vanished and refused: how many scores; share and at_least of the limit; and
            classes, rows of class_id, title and the same four counts.
    """
    return f"{name}: {what_would_happen(limit)}"


def body(limit: Mapping[str, Any], *, report: str, command: str, wait: str) -> str:
    """What a person must know to decide, in Markdown.

    Args:
        limit: As for `subject`.
        report: Where the preview's page lies.
        command: The command that shows the preview.
        wait: How long an answer is waited for, in words.
    """
    why = (
        f"More than {limit['share']:.0%} of the scores that the SIS is known to hold, and at least"
        f" {limit['at_least']:,}, would be touched. **Nothing has been written yet.**"
    )
    counts = [("in the SIS", limit["known"]), *((what, limit[effect]) for effect, what in _EFFECTS.items())]
    by_class = [
        (_plain(row["title"] or row["class_id"]), *(row[name] for name in ("known", *_EFFECTS)))
        for row in limit["classes"][:MOST_CLASSES]
    ]
    more = len(limit["classes"]) - len(by_class)
    where = (
        f"The full preview, score by score: `{report}`, with `changes.csv` and `not-passed.csv` beside it, or"
        f" `{command}`."
    )
    choice = (
        "**Let it go on** writes what would change. What is gone or refused stays in the SIS as it is, and is"
        " not asked about again. **Cancel** writes nothing; the next run asks again. Without an answer within"
        f" {wait} the run is cancelled."
    )
    lines = [
        why,
        "",
        *_table(("", "Scores"), counts),
        "",
        *_table(("Class", "In the SIS", "Would change", "Gone", "Refused"), by_class),
        *([f"\nAnd {more:,} more classes."] if more else []),
        "",
        where,
        "",
        choice,
    ]
    return "\n".join(lines)


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    ruler = ["---", *["---:"] * (len(head) - 1)]
    cells = [[str(row[0]), *(f"{count:,}" for count in row[1:])] for row in rows]
    return [f"| {' | '.join(line)} |" for line in (list(head), ruler, *cells)]


def _plain(text: str) -> str:
    """A title as Markdown that shows it as it is: no link, picture or markup comes out of it."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
