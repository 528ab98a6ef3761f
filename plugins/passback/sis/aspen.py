"""Follett Aspen over OneRoster 1.1 (seed 004).

The token endpoint has a path of its own and reads id and secret in the form, without scopes. Categories can
neither be created nor changed, nor listed for one class: all come at once, those of one class with its id in
`metadata.classId`; of the others the first of a name counts. An assignment group in Canvas belongs to the
category that is called exactly the same. There is no DELETE for what was sent.

Unverified: the paths of rostering and gradebook, the numeric limits, and how late and missing are written:
they go out as a comment, which Aspen limits to 100 characters.
"""

from __future__ import annotations

from typing import Final

from passback.sis.profile import SisProfile

ASPEN: Final = SisProfile(
    system="aspen",
    title="Aspen",
    oneroster="1.1",
    base_path="/ims/oneroster/v1p1",
    token_path="/oauth/rest/v2.0/auth",  # noqa: S106 - a path
    scopes="",
    connections=8,
    requests_per_second=400.0,
    page_size=1000,
    zero_status="not submitted",
    confirmations={},
    credential_renewal=(
        "The Aspen administrator gives a new client secret under Admin > Security > OAuth Access."
    ),
    token_auth="body",  # noqa: S106 - a way
    category_scope="class",
    late_and_missing="comment",
    comment_limit=100,
    category_name_limit=50,
    groups_named_as_categories=True,
    words={
        r"grading category not found": (
            "Give the class a category in Aspen whose description is exactly the name of the assignment"
            " group."
        ),
        r"gradebook column type": (
            "Set the category's entry mode in Aspen to Both, so that it takes points."
        ),
        r"above the total|exceeds|greater than": "The score is above the total points of the assignment.",
        r"could not find resource": (
            "The class, the assignment or the student is no longer in Aspen: look there, then run in full."
        ),
        r"validation exception": "Aspen names a value that it cannot hold: correct it in the platform.",
    },
)
