"""Where the way of a score ends that no run has judged: in the platform's feed, or in the SIS's roster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from passback import ledger
from passback.errors import ContractError
from passback.frame_store import open_folder, read_frame
from passback.records import ASSESSMENTS, CLASSES, SCORES, SIS_ENROLLMENTS, STUDENTS

if TYPE_CHECKING:
    import pandas as pd
    from airflow.sdk import ObjectStoragePath

    from passback.ledger import Connection
    from passback.records import Frame

SENTENCES: Final = {
    "not_extracted": "Nothing that was read from the learning platform is kept for this district: no run has"
    " got that far, or its files are gone. A run reads it.",
    "assessment_not_in_feed": "The assessment is not in the learning platform's feed: it was deleted there,"
    " it is not published or not shared with this interface, or this is not the platform's own id of it.",
    "not_of_this_class": "The assessment is in the feed, but not of this class.",
    "student_not_in_feed": "The learning platform's feed does not know the student: the account was removed"
    " there, or this is not the platform's own id (not the SIS's).",
    "not_assigned": "The assessment is in the feed, but it was not assigned to this student.",
    "not_judged": "The score is in the feed, but no run has judged it yet: the runs since were limited to"
    " other classes or assessments, or failed before.",
    "class_not_linked": "The class is not linked to a class of the SIS.",
    "student_not_linked": "The student is not linked to a student of the SIS.",
    "not_in_roster": "The SIS does not have the student in the roster of the class.",
}


@dataclass(frozen=True)
class Absence:
    """Where it ends: a code of `SENTENCES`, and its sentence."""

    code: str

    @property
    def sentence(self) -> str:
        """What it means, for a person."""
        return SENTENCES[self.code]


def why_absent(
    connection: Connection, district: str, assessment: str, student: str, class_id: str | None
) -> list[Absence]:
    """Why the ledger knows nothing of a score, by what the latest run read from the platform and the SIS.

    Args:
        connection: The ledger.
        district: The district's name.
        assessment: The source's id of the assessment.
        student: The source's id of the student.
        class_id: The source's id of a class, or None for any.

    Returns:
        Where it ends on the platform's side, then what is missing on the SIS's.
    """
    last = ledger.last_extract(connection, district)
    folder = open_folder(last["snapshot"]) if last else None
    if folder is None or (assessments := _kept(folder, ASSESSMENTS)) is None:
        return [Absence("not_extracted")]
    given = assessments[assessments["assessment_id"].eq(assessment)]
    if given.empty:
        return [Absence("assessment_not_in_feed")]
    if class_id is not None:
        given = given[given["class_id"].eq(class_id)]
        if given.empty:
            return [Absence("not_of_this_class")]
    students, scores = read_frame(folder, STUDENTS), read_frame(folder, SCORES)
    known = students[students["student_id"].eq(student)]
    if known.empty:
        return [Absence("student_not_in_feed")]
    assigned = scores[
        scores["assessment_id"].eq(assessment)
        & scores["student_id"].eq(student)
        & scores["class_id"].isin(given["class_id"])
    ]
    ends = Absence("not_assigned" if assigned.empty else "not_judged")
    classes = set(given["class_id"] if assigned.empty else assigned["class_id"])
    return [ends, *_in_the_sis(folder, classes, known)]


def assessments_of(connection: Connection, district: str, teacher: str) -> list[tuple[str, str]]:
    """The assessments and classes of which a teacher is the assigner, by what the latest run read.

    Raises:
        ContractError: nothing is kept of what was read.
    """
    last = ledger.last_extract(connection, district)
    if last is None:
        raise ContractError(
            SENTENCES["not_extracted"], where=district, mend=f"Run `passback run {district}` first."
        )
    assessments = read_frame(open_folder(last["snapshot"]), ASSESSMENTS)
    mine = assessments.loc[assessments["assigner_id"].eq(teacher), list(ASSESSMENTS.key)].drop_duplicates()
    return list(mine.itertuples(index=False, name=None))


def _in_the_sis(folder: ObjectStoragePath, classes: set[str], student: pd.DataFrame) -> list[Absence]:
    linked = read_frame(folder, CLASSES)
    sis_classes = set(linked.loc[linked["class_id"].isin(classes), "sis_class_id"]) - {""}
    sis_students = set(student["sis_student_id"]) - {""}
    missing = [] if sis_classes else [Absence("class_not_linked")]
    if not sis_students:
        missing.append(Absence("student_not_linked"))
    enrollments = _kept(folder.parent / "sis", SIS_ENROLLMENTS)
    if missing or enrollments is None:
        return missing
    enrolled = enrollments["sis_class_id"].isin(sis_classes) & enrollments["sis_student_id"].isin(
        sis_students
    )
    return [] if enrolled.any() else [Absence("not_in_roster")]


def _kept(folder: ObjectStoragePath, frame: Frame) -> pd.DataFrame | None:
    """A frame of the latest run; None if it is gone, of another version, or was never written."""
    try:
        return read_frame(folder, frame)
    except ContractError:
        return None
