"""What is known of each learning platform; data only, so that it is cheap to read."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from passback.sources.profile import SourceProfile

OTUS_TYPES: Final = (
    "Assignment",
    "Checklist",
    "Homework",
    "Journal",
    "Lab",
    "Observation",
    "Paper",
    "Presentation",
    "Project",
    "Quiz",
    "Test",
    "Worksheet",
)

_FEED_CONNECTION: Final = (
    "host and path of the feed with its bearer token as the password, or the URI of a folder of CSV files"
    " (file:///…, s3://…)"
)

OTUS: Final = SourceProfile(
    system="otus",
    title="Otus",
    module="otus",
    types=OTUS_TYPES,
    types_are="types",
    groups=False,
    tells_assigner=True,
    tells_group=True,
    must_hold=("assessments", "scores", "classes", "students", "staff"),
    compare_every=None,
    connection=_FEED_CONNECTION,
)

EKADENCE: Final = SourceProfile(
    system="ekadence",
    title="eKadence",
    module="ekadence",
    types=(),
    types_are="categories",
    groups=False,
    tells_assigner=False,
    tells_group=False,
    must_hold=("assessments", "scores", "classes", "students"),
    compare_every=None,
    connection=_FEED_CONNECTION,
)

CANVAS: Final = SourceProfile(
    system="canvas",
    title="Canvas",
    module="canvas",
    types=(),
    types_are="assignment groups",
    groups=True,
    tells_assigner=False,
    tells_group=False,
    must_hold=("assessments", "scores", "classes", "students"),
    # `graded_since` shows no grade that was taken back.
    compare_every=timedelta(days=7),
    connection=(
        "the host of Canvas with an access token as the password, and in its extra the account whose courses"
        ' are read, {"account": "1"}'
    ),
)

CSV: Final = SourceProfile(
    system="csv",
    title="CSV files",
    module="csv",
    types=(),
    types_are="types",
    groups=False,
    tells_assigner=True,
    tells_group=True,
    must_hold=("assessments", "scores", "classes", "students", "staff"),
    compare_every=None,
    connection="the URI of a folder of CSV files (file:///…, s3://…)",
)

ONEROSTER: Final = SourceProfile(
    system="oneroster",
    title="OneRoster provider",
    module="oneroster",
    types=(),
    types_are="categories",
    groups=False,
    tells_assigner=False,
    tells_group=False,
    must_hold=("assessments", "scores", "classes", "students"),
    compare_every=None,
    connection=(
        "the host of the provider with client id and secret, and in its extra the version of OneRoster that"
        ' it speaks, {"version": "1.2"}'
    ),
)

SOURCES: Final = {profile.system: profile for profile in (OTUS, EKADENCE, CANVAS, CSV, ONEROSTER)}
