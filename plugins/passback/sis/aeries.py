"""Aeries over OneRoster 1.1 (seed 000), and over its own gradebook interface.

The address differs from district to district and holds a path (`https://district.aeries.net/aeries`): it
stands in the connection, and the paths below are below it. The token endpoint wants at least one scope and
gives tokens for six hours. There is no DELETE.

A class of an elementary school without a master schedule is known by its id, which names a teacher where
others name a section (990_TN_421). Whether a gradebook is linked is not part of OneRoster: where the class
does not say so in its metadata, the district lists such classes in its mapping file.

Unverified: that a result takes decimals (the native interface does; seed 000 says whole numbers, hence the
setting `whole_scores`), how long a title may be (255 natively; below 50 by seed 000), and how many requests
a second are welcome: a full run belongs outside of peak hours.

Its own interface (`passback.aeries`) reaches gradebooks by school and section, so that it does not matter
there whether a school has a master schedule. It holds scores with four decimals, and nothing beside them: no
mark, and not that a student is excused. A section may have several gradebooks, as in elementary schools.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from passback.sis.profile import SisProfile
from passback.sis.scopes import SCOPES_1_1

AERIES: Final = SisProfile(
    system="aeries",
    title="Aeries",
    oneroster="1.1",
    base_path="/ims/oneroster/v1p1",
    token_path="/token",  # noqa: S106 - a path
    scopes=SCOPES_1_1,
    connections=8,
    requests_per_second=400.0,
    page_size=1000,
    zero_status="not submitted",
    confirmations={},
    credential_renewal=(
        "The Aeries administrator gives a new Consumer Secret Key on the record of type OneRoster under"
        " Security > API Security."
    ),
    has_native_interface=True,
    class_without_master_schedule=r"[^_]+_TN_.+",
    words={
        r"permission|forbidden|not authori[sz]ed": (
            "Under Security > API Security let the record of type OneRoster read and update Gradebook Data,"
            " Gradebook Scores, Gradebook Category and Gradebook Assignment."
        ),
        r"grading category .*not found": "Add this category to the class's Aeries gradebook.",
        r"gradebook number does not match": (
            "The class's gradebook is linked to another or was replaced: unlink it, or list the class under"
            " sis.linked_gradebooks."
        ),
        r"invalid assignment id": (
            "The assignment is no longer in the Aeries gradebook: a full run creates it again."
        ),
        r"multiple matches found": (
            "Several assignments of this title and due date stand in the Aeries gradebook: delete or rename"
            " all but one."
        ),
        r"student does not belong": "Enroll the student in this section in Aeries.",
        r"gradebook section not found": "Have the teacher create a gradebook for this section in Aeries.",
        r"without a master schedule": "Aeries takes no scores over OneRoster for this school.",
    },
)

AERIES_NATIVE: Final = replace(
    AERIES,
    credential_renewal="The Aeries administrator gives a new certificate under Security > API Security.",
    class_without_master_schedule="",
    needs_master_schedule=False,
    holds_excused=False,
    lists_classes_asked=True,
    late_and_missing="none",
    words={
        r"permission|forbidden|not authori[sz]ed": (
            "Under Security > API Security let the certificate read and update Gradebook Data and Gradebook"
            " Scores."
        ),
        r"has no category, or several": "Add this category to the class's Aeries gradebook, once.",
        r"in another category than": "Give the assignment its category in the Aeries gradebook.",
        r"no longer in the gradebook": (
            "The assignment was deleted in the Aeries gradebook: put it back, or set sis.recreate."
        ),
        r"not one to one": (
            "Name the class's gradebook under sis.gradebooks in the mapping file; one that serves several"
            " sections cannot be it."
        ),
        r"none of this section's": (
            "The assignment was moved to another class's gradebook in Aeries: move it back there."
        ),
        r"section has no gradebook": "Have the teacher create a gradebook for this section in Aeries.",
        r"lets nothing be deleted": "Delete it in the Aeries gradebook, if it is to go.",
        r"cannot excuse a student": "Excuse the student in the Aeries gradebook.",
        r"scored by a rubric": "Make it an assignment with points in the Aeries gradebook.",
    },
)
