"""Preview: what a run would do to every line item and result, and why not to some, by class."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from passback.reasons import Outcome
from passback.records import ASSESSMENTS, SCORES, TEXT, Frame
from passback.rules.verdicts import PASSED

CREATED: Final = "created"
ADOPTED: Final = "adopted"
CHANGED: Final = "changed"
SENT_AGAIN: Final = "sent again"  # the same values once more
CLEARED: Final = "cleared"
LEFT: Final = "left"
WAITING: Final = "waiting"
REFUSED: Final = "refused"
EFFECTS: Final = (CREATED, ADOPTED, CHANGED, SENT_AGAIN, CLEARED, LEFT, WAITING, REFUSED)
KINDS: Final = {"line item": "line_items", "result": "results"}

PREVIEW: Final = Frame(
    "preview",  # one row a line item or result; field_changes: from → to; code: why it is left or refused
    {
        "class_id": TEXT,
        "class_title": TEXT,
        "assessment_id": TEXT,
        "assessment_title": TEXT,
        "kind": TEXT,
        "student_id": TEXT,
        "effect": TEXT,
        "field_changes": TEXT,
        "code": TEXT,
        "all_codes": TEXT,
    },
    ("class_id", "assessment_id", "kind", "student_id"),
)

_BY_ACTION: Final = {
    "create": CREATED,
    "adopt": ADOPTED,
    "change": CHANGED,
    "resend": SENT_AGAIN,
    "clear": CLEARED,
}
# What nothing is written of. What is kept as a person set it, or was taken back, is left, and says why.
_BY_OUTCOME: Final = {
    PASSED: LEFT,
    Outcome.UNCHANGED.value: LEFT,
    Outcome.CANCELLED.value: LEFT,
    Outcome.HELD.value: WAITING,
    Outcome.REJECTED.value: REFUSED,
    Outcome.FAILED.value: REFUSED,
}
_LINK_BROKEN: Final = "sis.link_broken"


def preview(
    changes: pd.DataFrame,
    assessment_verdicts: pd.DataFrame,
    final: pd.DataFrame,
    *,
    titles: pd.DataFrame,
    classes: pd.DataFrame,
) -> pd.DataFrame:
    """What a run would do, one row a line item and result: each of the source's in exactly one way.

    Args:
        changes: `records.CHANGES`: what would be written.
        assessment_verdicts: `records.ASSESSMENT_VERDICTS`.
        final: `records.SCORE_VERDICTS` with the outcomes and codes of a preview.
        titles: assessment_id, class_id, title.
        classes: `records.CLASSES`.

    Returns:
        `PREVIEW`, by class and assessment, the line item before its results.
    """
    items = assessment_verdicts.drop_duplicates(list(ASSESSMENTS.key))
    items = items.merge(_gone(final), on=list(ASSESSMENTS.key), how="left")
    gone = items["gone"].fillna(value=0).astype("bool") & items["outcome"].eq(PASSED)
    items = items.assign(
        kind="line item",
        student_id="",
        outcome=items["outcome"].mask(gone, Outcome.FAILED.value),
        codes=items["codes"].mask(gone, _LINK_BROKEN),
    )
    results = final.drop_duplicates(list(SCORES.key)).assign(kind="result")
    columns = ["kind", *SCORES.key, "outcome", "codes"]
    rows = pd.concat([items[columns], results[columns]], ignore_index=True).merge(
        changes[["kind", *SCORES.key, "action", "field_changes"]].drop_duplicates(["kind", *SCORES.key]),
        on=["kind", *SCORES.key],
        how="left",
    )
    written = rows["action"].notna()
    rows["effect"] = rows["action"].map(_BY_ACTION).fillna(rows["outcome"].map(_BY_OUTCOME))
    rows["all_codes"] = rows["codes"].mask(written, "")
    rows["code"] = rows["all_codes"].str.split(" ").str[0]
    class_titles = classes.drop_duplicates("class_id")[["class_id", "title"]]
    named = rows.merge(
        titles.drop_duplicates(list(ASSESSMENTS.key))[[*ASSESSMENTS.key, "title"]].rename(
            columns={"title": "assessment_title"}
        ),
        on=list(ASSESSMENTS.key),
        how="left",
    ).merge(class_titles.rename(columns={"title": "class_title"}), on="class_id", how="left")
    return PREVIEW.conform(named.sort_values(list(PREVIEW.key), kind="stable"))


def _gone(final: pd.DataFrame) -> pd.DataFrame:
    """The assessments whose line item somebody took out of the SIS."""
    lost = final.loc[final["codes"].eq(_LINK_BROKEN), list(ASSESSMENTS.key)]
    return lost.drop_duplicates().assign(gone=1)


def count_by_class(listed: pd.DataFrame) -> list[dict[str, Any]]:
    """How many line items and results of each class would go each way.

    Args:
        listed: `PREVIEW`.

    Returns:
        class_id, title, and under line_items and results the number of each effect.
    """
    counts = listed.groupby(["class_id", "kind", "effect"]).size()
    titles = listed.drop_duplicates("class_id").set_index("class_id")["class_title"]
    return [
        {
            "class_id": class_id,
            "title": title,
            **{
                name: {effect: int(counts.get((class_id, kind, effect), 0)) for effect in EFFECTS}
                for kind, name in KINDS.items()
            },
        }
        for class_id, title in titles.items()
    ]
