"""extract-scores: from what a source hands over to the frames of this run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from passback.errors import SourceShrunkError
from passback.records import ASSESSMENTS, CLASSES, SCORES, STUDENTS
from passback.rules.lookup import positions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from passback.records import Frame
    from passback.sources.pulled import Pull

# A source that suddenly holds less than this share of what it held is broken, not quiet (RULES section 5).
LEAST_SHARE: Final = 0.5


@dataclass(frozen=True)
class Scope:
    """What a run was asked to look at; nothing named means everything.

    Attributes:
        classes: Class ids of the source.
        assessments: Assessment ids of the source.
    """

    classes: Collection[str] = ()
    assessments: Collection[str] = ()

    def __bool__(self) -> bool:
        """Whether the run is limited at all."""
        return bool(self.classes or self.assessments)


def check_not_shrunk(
    totals: Mapping[str, int],
    last: Mapping[str, int],
    *,
    must_hold: Iterable[str],
    where: str,
    confirmed: bool,
) -> None:
    """Refuse a source that answers with nothing, or with far less than last time.

    Args:
        totals: Live records in the source by frame name, as far as it counts them.
        last: The same of the last extraction, as far as it is known.
        must_hold: The frames that are never empty in a district that uses this source.
        where: The source's connection.
        confirmed: A person ordered a full run: less than last time is believed, nothing at all is not.

    Raises:
        SourceShrunkError: the source is empty or has shrunk.
    """
    counted = [name for name in must_hold if name in totals]
    empty = [name for name in counted if totals[name] == 0]
    if empty:
        raise SourceShrunkError(
            f"the source holds no {', no '.join(empty)}",
            where=where,
            mend="See whether the source's export ran and the connection's account may see the district;"
            " nothing was sent, and the next good run makes up for it.",
        )
    for name in counted:
        before = last.get(name, 0)
        if not confirmed and totals[name] < before * LEAST_SHARE:
            raise SourceShrunkError(
                f"the source holds {totals[name]:,} {name}, last time it held {before:,}",
                where=where,
                mend="If that is right (a new school year), run once with mode full; if not, mend the"
                " source's export. Nothing was sent.",
            )


def merge(pull: Pull, snapshot: Mapping[str, pd.DataFrame] | None) -> dict[str, pd.DataFrame] | None:
    """Everything the source holds now: the last snapshot with what changed since.

    Args:
        pull: What was read; the snapshot is looked at only for the frames of which it holds changes.
        snapshot: The frames of the last extraction.

    Returns:
        The canonical frames by name, with the copies that the source's totals count (see `merge_copies`), or
        None when the snapshot and the changes do not add up to the totals: then everything must be read.
    """
    frames = dict(pull.frames)
    if not pull.changes:
        return frames
    if snapshot is None:
        return None
    if ASSESSMENTS.name in pull.changes:
        # What the source lists as deleted and as live at once was created again: live wins.
        gone = _without(pull.deleted["assessments"], frames["assessments"][list(ASSESSMENTS.key)])
        frames["assessments"] = _apply(ASSESSMENTS, snapshot, frames, [gone])
        frames["scores"] = _apply(SCORES, snapshot, frames, [gone, pull.deleted["scores"]])
    else:
        replaced = [pull.deleted[SCORES.name]] if SCORES.name in pull.deleted else []
        scores = _apply(SCORES, snapshot, frames, replaced)
        there = positions(scores, frames["assessments"][list(ASSESSMENTS.key)]) >= 0
        frames["scores"] = scores[there].reset_index(drop=True)  # a deleted assessment takes its scores along
    if any(len(frames[name]) != pull.totals[name] for name in pull.changes if name in pull.totals):
        return None
    return frames


def keep_unread(
    frames: Mapping[str, pd.DataFrame], snapshot: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """The frames of a source that was read in part, with the classes that are not among them as they were.

    Nobody can say whether a class that was not found is gone or lies in what could not be read, so that none
    counts as deleted until everything can be read again.

    Args:
        frames: The canonical frames of what was read.
        snapshot: The frames of the last extraction.
    """
    kept = dict(frames)
    not_found = _without(snapshot[CLASSES.name], frames[CLASSES.name][list(CLASSES.key)])["class_id"]
    for frame in (CLASSES, ASSESSMENTS, SCORES, STUDENTS):
        before = snapshot[frame.name]
        if "class_id" in before:
            before = before[before["class_id"].isin(not_found)]
        else:
            before = before[before["student_id"].isin(kept[SCORES.name]["student_id"])]
        before = _without(before, frames[frame.name][list(frame.key)])
        kept[frame.name] = frame.conform(pd.concat([frames[frame.name], before], ignore_index=True))
    return kept


def _apply(
    frame: Frame,
    snapshot: Mapping[str, pd.DataFrame],
    changed: Mapping[str, pd.DataFrame],
    gone: list[pd.DataFrame],
) -> pd.DataFrame:
    kept = snapshot[frame.name]
    for keys in [changed[frame.name][list(frame.key)], *gone]:
        kept = _without(kept, keys)
    return frame.conform(pd.concat([kept, changed[frame.name]], ignore_index=True))


def _without(data: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """The rows of `data` whose key is not among `keys`."""
    if keys.empty:
        return data
    found = data.merge(keys.drop_duplicates(), on=list(keys.columns), how="left", indicator=True)
    return data[found["_merge"].eq("left_only").to_numpy()]


def merge_copies(frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The frames with one row for identical copies of a record (RULES section 2, `duplicate.record`).

    When a record was modified does not make it another.
    """
    return {
        name: data.drop_duplicates(
            subset=[column for column in data.columns if column != "modified_at"], ignore_index=True
        )
        for name, data in frames.items()
    }


def limit(frames: Mapping[str, pd.DataFrame], scope: Scope) -> dict[str, pd.DataFrame]:
    """The frames with only the assessments and scores that the run was asked to look at."""
    limited = dict(frames)
    for name in ("assessments", "scores"):
        data = limited[name]
        if scope.classes:
            data = data[data["class_id"].isin(scope.classes)]
        if scope.assessments:
            data = data[data["assessment_id"].isin(scope.assessments)]
        limited[name] = data.reset_index(drop=True)
    return limited
