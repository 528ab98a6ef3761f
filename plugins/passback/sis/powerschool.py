"""PowerSchool with PowerTeacher Pro over OneRoster 1.1.

Public: a vendor's plugin and the Universal Rostering quote are needed; total points are whole; a title has at
most 30 characters by Canvas, 49 by Otus; a category at most 30; an excused score is shown as 0 with the
exempt flag and left out of the average; late and missing do not pass; a locked assignment, a due date
outside of the term and a rate limit are refused in words of its own.

Unverified: all paths and scopes (the plugin shows them), and the numeric limits. Of the two limits of a title
the stricter is the default: the setting `title_max_length`. What a teacher changed in PowerSchool alone,
Otus does not overwrite; passback sends what changed in the platform.
"""

from __future__ import annotations

from typing import Final

from passback.sis.profile import SisProfile
from passback.sis.scopes import SCOPES_1_1

POWERSCHOOL: Final = SisProfile(
    system="powerschool",
    title="PowerSchool",
    oneroster="1.1",
    base_path="/ims/oneroster/v1p1",
    token_path="/token",  # noqa: S106 - a path
    scopes=SCOPES_1_1,
    connections=4,
    requests_per_second=20.0,
    page_size=1000,
    zero_status="not submitted",
    confirmations={
        "plugin": "The plugin is installed and enabled in PowerSchool.",
        "universal_rostering": "The district has signed PowerSchool's quote for Universal Rostering.",
    },
    credential_renewal=(
        "The PowerSchool administrator reads the plugin's client id and secret again under Plugin Management"
        " Configuration."
    ),
    category_name_limit=30,
    words={
        r"rate limit": "Lower sis.requests_per_second in the mapping file.",
        r"user does not teach section": "Have the teacher assigned to this section in PowerSchool.",
        r"locked": "Unlock the assignment or its reporting term in PowerTeacher Pro.",
        r"due date": "Set a due date inside a term of this section that is open in PowerSchool.",
        r"score entry points": "Lower the score, or raise the total points.",
        r"student ?id": "Enroll the student in this section in PowerSchool.",
        r"teacher category": "Make the category active in the teacher's PowerTeacher Pro gradebook.",
        r"already exists": "Rename or delete the assignment of this title in PowerTeacher Pro.",
    },
)
