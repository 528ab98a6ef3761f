"""Outcomes, and the reasons that a delivery (rather than a rule) gives for one.

A rule's reason stands in `expectations/<sis>/*.json`; what is here happens to a score on its way into a
SIS, whatever the SIS. Outcomes: RULES section 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """What became of a score in a run: exactly one."""

    SENT = "sent"
    UNCHANGED = "unchanged"
    HELD = "held"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Actor(StrEnum):
    """Who must act."""

    TEACHER = "teacher"
    DISTRICT = "district"
    SIS_ADMIN = "sis_admin"
    ENGINEER = "engineer"


@dataclass(frozen=True)
class Reason:
    """Why a score did not pass.

    Attributes:
        code: Stable code, such as `period.closed`.
        outcome: The outcome it leads to.
        sentence: What happened, so that a teacher understands it.
        who: Who must act.
        mend: What that person does about it.
        seed: The document the rule comes from; empty for a delivery reason.
    """

    code: str
    outcome: Outcome
    sentence: str
    who: Actor
    mend: str
    seed: str = ""


# Before all rules: nobody asks them about what a person has taken out.
SUPPRESSED: Final = Reason(
    "suppressed.by_person",
    Outcome.REJECTED,
    "The district has taken this out of passback, with a reason that it keeps; what was sent before stays.",
    Actor.DISTRICT,
    "See who did so and why with `passback suppressions`; `passback unsuppress` lets it pass again.",
)

DELIVERY_REASONS: Final = (
    SUPPRESSED,
    Reason(
        "sis.refused",
        Outcome.FAILED,
        "The student information system refused this entry.",
        Actor.SIS_ADMIN,
        "Read the system's own words with `passback explain`, mend the cause; the next run tries again.",
    ),
    Reason(
        "sis.line_item_refused",
        Outcome.FAILED,
        "The student information system refused the assignment that this score belongs to.",
        Actor.SIS_ADMIN,
        "Read the system's own words with `passback explain`, mend the cause; the next run tries again.",
    ),
    Reason(
        "sis.unavailable",
        Outcome.FAILED,
        "The student information system did not answer for this entry.",
        Actor.ENGINEER,
        "Nothing to do if it was a passing fault: the next run tries again.",
    ),
    Reason(
        "sis.not_stored",
        Outcome.FAILED,
        "The student information system accepted this entry but did not hold it when asked again.",
        Actor.SIS_ADMIN,
        "Look at the gradebook for a lock or a local rule; the next run tries again.",
    ),
    Reason(
        "sis.link_broken",
        Outcome.FAILED,
        "The student information system no longer holds the assignment that this score belongs to: it was"
        " removed there, or its gradebook was replaced.",
        Actor.TEACHER,
        "Put it back in the gradebook and have a full run made, or have the district set"
        " `sis.recreate: true`: it is written anew then, with all its scores.",
    ),
    Reason(
        "sis.not_verified",
        Outcome.FAILED,
        "The entry was accepted, but the run stopped before it could be read back.",
        Actor.ENGINEER,
        "Clear the failed task; it is read back then.",
    ),
    Reason(
        "run.stopped",
        Outcome.CANCELLED,
        "The run stopped before this score was sent.",
        Actor.ENGINEER,
        "See why the run stopped and clear the failed task; the next good run sends it.",
    ),
    Reason(
        "run.cancelled",
        Outcome.CANCELLED,
        "The run would have changed too much at once; it was stopped before it wrote anything.",
        Actor.DISTRICT,
        "See in the report what would change. If that is as it should be, run again and let it go on.",
    ),
    Reason(
        "run.reconcile",
        Outcome.CANCELLED,
        "This run only compared what was sent before with what stands in the gradebook.",
        Actor.ENGINEER,
        "Nothing to do: the next run sends it.",
    ),
    Reason(
        "run.undone",
        Outcome.CANCELLED,
        "A person took this value back with `passback undo`; it is not sent again.",
        Actor.DISTRICT,
        "Change the score in the learning platform, or undo the undo.",
    ),
    Reason(
        "sis.kept_theirs",
        Outcome.CANCELLED,
        "A person changed this score in the student information system, and the district keeps it so.",
        Actor.DISTRICT,
        "Set `drift.scores` to `overwrite` and reconcile, if the learning platform's score should stand.",
    ),
    Reason(
        "run.preview",
        Outcome.CANCELLED,
        "This was a preview: the score would be sent by a real run.",
        Actor.DISTRICT,
        "Run without preview when the preview is as wanted.",
    ),
)
