"""The limit that stops a run before it harms: how much of what the SIS holds a run would touch (RULES 5).

Counted are results that the ledger knows the SIS to hold, of line items due on or after the effective date
(last year's are never touched), within what the run was asked to look at.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from passback.reasons import SUPPRESSED
from passback.records import FLAG, SCORES, TEXT, Frame
from passback.rules.verdicts import PASSED
from passback.stages.audit import IN_SIS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from passback.mapping.model import Limits
    from passback.stages.extract import Scope

CHANGED: Final = "changed"
VANISHED: Final = "vanished"
REFUSED: Final = "refused"
EFFECTS: Final = (CHANGED, VANISHED, REFUSED)

_KEY: Final = ["line_item_id", "sis_student_id"]

KNOWN_EFFECTS: Final = Frame(
    "known_effects",  # one row a result the SIS is known to hold; effect is empty where it stays as it is
    {
        "line_item_id": TEXT,
        "sis_student_id": TEXT,
        "class_id": TEXT,
        "effect": TEXT,
        "counts": FLAG,  # not, where a run before this one went on with the same loss
    },
    ("line_item_id", "sis_student_id"),
)

LOST: Final = Frame(
    "lost",  # results in the SIS that had vanished or were refused when a run went on: no news any more
    {"line_item_id": TEXT, "sis_student_id": TEXT},
    ("line_item_id", "sis_student_id"),
)

# Reasons that harm nothing, most of which come with time: what was sent stays as it is, and everybody expects
# it. At the end of a grading period, of a 30-day window or of a teacher's membership most known scores carry
# one; a run that asked then would teach people to say yes. So does Canvas, which takes the sync mark off the
# assignments of a grading period that it closes (`_expected`). What a person has taken out, a person has
# decided on.
_HARMLESS: Final = (
    "period.closed",
    "period.straddles",
    "effective.before",
    "change.too_old",
    "assigner.not_in_group",
    SUPPRESSED.code,
)
_SYNC_OFF: Final = "sync.off"


def effects(
    known_line_items: pd.DataFrame,
    known_results: pd.DataFrame,
    verdicts: pd.DataFrame,
    planned: pd.DataFrame,
    assessments: pd.DataFrame,
    *,
    since: str,
    scope: Scope,
    lost: pd.DataFrame,
) -> pd.DataFrame:
    """What a run would do to each result that the SIS is known to hold.

    Args:
        known_line_items: The ledger's line items.
        known_results: The ledger's results.
        verdicts: `records.SCORE_VERDICTS`, every extracted score of the scope.
        planned: `records.RESULT_PLAN`.
        assessments: assessment_id, class_id, and period_closed: what the source itself says of it.
        since: The effective date, ISO.
        scope: What the run was asked to look at.
        lost: `LOST`, what the runs before went on with.

    Returns:
        `KNOWN_EFFECTS`.
    """
    current = known_line_items.loc[known_line_items["due_date"].ge(since), "line_item_id"]
    known = known_results[
        known_results["state"].isin(IN_SIS)
        & known_results["score_status"].ne("")  # not cleared
        & known_results["line_item_id"].isin(current)
    ]
    if scope.classes:
        known = known[known["class_id"].isin(scope.classes)]
    if scope.assessments:
        known = known[known["assessment_id"].isin(scope.assessments)]
    extracted = verdicts.drop_duplicates(list(SCORES.key))
    verdict = pd.Series("kept", index=extracted.index, dtype="str")
    extracted = extracted.assign(verdict=verdict.mask(_refused(extracted, assessments), REFUSED))
    both = known.merge(extracted[[*SCORES.key, "verdict"]], on=list(SCORES.key), how="left").merge(
        planned[[*_KEY, "action"]], on=_KEY, how="left"
    )
    effect = np.select(
        [
            both["verdict"].isna() | both["action"].eq("clear"),
            both["verdict"].eq(REFUSED),
            both["action"].eq("change"),
        ],
        [VANISHED, REFUSED, CHANGED],
        default="",
    )
    before = both[_KEY].merge(lost[_KEY].drop_duplicates(), on=_KEY, how="left", indicator=True)["_merge"]
    lost_now = np.isin(effect, [VANISHED, REFUSED])
    counts = (effect != "") & ~(lost_now & before.eq("both").to_numpy())
    return KNOWN_EFFECTS.conform(both.assign(effect=pd.Series(effect, dtype="str"), counts=counts))


def _refused(verdicts: pd.DataFrame, assessments: pd.DataFrame) -> pd.Series:
    """Whether each score did not pass, for a reason that does harm."""
    closed = assessments.loc[assessments["period_closed"].fillna(value=False), ["assessment_id", "class_id"]]
    in_closed = verdicts[["assessment_id", "class_id"]].merge(
        closed.drop_duplicates(), on=["assessment_id", "class_id"], how="left", indicator=True
    )["_merge"]
    codes = verdicts["codes"]
    expected = _without(codes, _HARMLESS)
    expected = expected.mask(in_closed.eq("both").to_numpy(), _without(expected, (_SYNC_OFF,)))
    return verdicts["outcome"].ne(PASSED) & expected.str.strip().ne("")


def _without(codes: pd.Series, some: tuple[str, ...]) -> pd.Series:
    either = "|".join(code.replace(".", r"\.") for code in some)
    return codes.str.replace(rf"(?<!\S)(?:{either})(?!\S)", "", regex=True)


def count(known: pd.DataFrame) -> dict[str, int]:
    """Of `KNOWN_EFFECTS`: how many results are known, and how many of them count as each effect."""
    counting = known.loc[known["counts"], "effect"].value_counts()
    return {"known": len(known), **{effect: int(counting.get(effect, 0)) for effect in EFFECTS}}


def is_over(counts: Mapping[str, int], limits: Limits) -> bool:
    """Whether so much would change, vanish or be refused that a person must be asked.

    Args:
        counts: As `count` gives them.
        limits: The district's: more than this share of the known scores, and at least so many.
    """
    touched = sum(counts[effect] for effect in EFFECTS)
    # A share is written in decimals: 29 of 100 are not more than 0.29, though in binary they would be.
    return touched >= limits.at_least and touched > Decimal(str(limits.share)) * counts["known"]


def count_by_class(known: pd.DataFrame, classes: pd.DataFrame) -> list[dict[str, Any]]:
    """The classes in which something counts, those with most first: class_id, title, known and the effects.

    Args:
        known: `KNOWN_EFFECTS`.
        classes: `records.CLASSES`.
    """
    table = pd.DataFrame({"known": known.groupby("class_id").size()})
    counting = known[known["counts"]]
    each = pd.crosstab(counting["class_id"], counting["effect"]).reindex(
        index=table.index, columns=list(EFFECTS), fill_value=0
    )
    titles = classes.drop_duplicates("class_id").set_index("class_id")["title"]
    table = table.join(each)
    table.insert(0, "title", titles.reindex(table.index).fillna(""))
    touched = table[list(EFFECTS)].sum(axis=1)
    order = touched[touched.gt(0)].sort_values(ascending=False, kind="stable").index
    rows = table.loc[order].reset_index().to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def lost_after(known: pd.DataFrame, lost: pd.DataFrame) -> pd.DataFrame:
    """`LOST` after a run that went on: what it did not look at stays, the rest is as it found it.

    Args:
        known: `KNOWN_EFFECTS` of the run.
        lost: `LOST` before it.
    """
    looked_at = lost[_KEY].merge(known[_KEY], on=_KEY, how="left", indicator=True)["_merge"].eq("both")
    now = known.loc[known["effect"].isin([VANISHED, REFUSED]), _KEY]
    return LOST.conform(pd.concat([lost.loc[~looked_at.to_numpy(), _KEY], now], ignore_index=True))
