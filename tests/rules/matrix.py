"""RULES section 2 as a table: what each SIS has, on (●), off unless set (○) or absent (·).

What Aeries and Skyward have beyond RULES' own columns is about what only another source says: consent and
exclusion are the source's, so such a rule stands in every suite and is silent where a source does not say it.
"""

from __future__ import annotations

SISS = ("aeries", "skyward", "aspire", "aspen", "generic", "infinite_campus", "powerschool", "synergy")

# code | level | outcome | seeds | Aeries Skyward Aspire Aspen | generic Infinite_Campus PowerSchool Synergy
ABSENT = "·"
_TABLE = """
grading.not_points         | A | rejected | 000 001         | ● ● ● ● | ● ● ● ●
points.total_missing       | A | rejected | 001             | ● ● ● ● | ● ● ● ●
points.total_not_whole     | A | rejected | 000 001         | ● ● ○ ○ | ○ ○ ● ○
title.missing              | A | rejected |                 | ● ● ● ● | ● ● ● ●
title.too_long             | A | rejected | 000 001 003     | ● ● ● ● | ● ● ● ●
final_grade.not_included   | A | rejected | 000 001         | ● ● ○ ○ | ○ ● ● ○
sync.off                   | A | rejected | 003 004         | ● ● ● ● | ● ● ● ●
course.unpublished         | A | held     | 003             | ● ● ● ○ | ● ● ● ●
assessment.unpublished     | A | held     | 003             | ● ● ● ● | ● ● ● ●
assigned.not_whole_section | A | rejected | 003 004         | ● ● ● ● | ● ● ● ●
due.missing                | A | rejected | 001 003         | ○ ● ● ○ | ○ ● ● ○
due.not_uniform            | A | rejected | 003             | ○ ○ ● ○ | ○ ● ○ ○
dates.inverted             | A | rejected | 001             | ○ ● ○ ○ | ○ ○ ○ ○
period.closed              | A | rejected | 001             | · ● ○ ○ | ○ ● ● ○
period.straddles           | A | rejected | 001             | · ● ○ ○ | ○ ○ ○ ○
effective.before           | A | rejected | 000 001         | ● ● ○ ○ | ● ● ● ○
assigner.not_synced        | A | rejected | 000 001         | ● ● ● ● | ● ● ● ●
assigner.not_in_group      | A | rejected | 000 001         | ● ● ● ● | ● ● ● ●
category.unmapped          | A | rejected | all             | ● ● ● ● | ● ● ● ●
category.not_in_sis        | A | rejected | 000 001 003 004 | ● ● ● ● | ● ● ● ●
category.not_in_gradebook  | A | rejected | 000 001         | ● ● ○ ○ | ● ○ ○ ○
group.not_imported         | A | rejected | 003             | · · ● · | · · · ·
group.name_mismatch        | A | rejected | 004             | · · · ● | · · · ●
school.no_master_schedule  | A | rejected | 000             | ● · · · | · · · ·
gradebook.linked           | A | rejected | 000             | ● · · · | · · · ·
gradebook.several          | A | rejected |                 | ● · · · | · · · ·
gradebook.not_readable     | A | held     |                 | ● ● ● ● | ● ● ● ●
class.not_on_roster        | A | rejected |                 | ● ● ● ● | ● ● ● ●
duplicate.record           | A | rejected |                 | ● ● ● ● | ● ● ● ●
sis.duplicate              | A | rejected | 002             | ● ● ● ● | ● ● ● ●
assessment.not_in_feed     | S | held     |                 | ● ● ● ● | ● ● ● ●
points.score_not_whole     | S | rejected | 000             | ● ○ ○ ○ | ○ ○ ○ ○
student.not_enrolled       | S | rejected |                 | ● ● ● ● | ● ● ● ●
score.excluded             | S | rejected | 000 001         | ● ● ● ● | ● ● ● ●
score.excused_unsupported  | S | rejected |                 | ● · · · | · · · ·
score.not_graded           | S | held     | 000 001         | ● ● ● ● | ● ● ● ●
score.empty                | S | held     | 004             | ● ● ● ● | ● ● ● ●
score.not_numeric          | S | rejected | 004             | ● ● ● ● | ● ● ● ●
score.negative             | S | rejected |                 | ● ● ● ● | ● ● ● ●
score.above_total          | S | rejected | 004             | ○ ○ ○ ● | ○ ○ ○ ○
change.too_old             | S | held     | 003             | · · ● · | · · · ·
duplicate.record           | S | rejected |                 | ● ● ● ● | ● ● ● ●
"""
ROWS = [[cell.strip() for cell in line.split("|")] for line in _TABLE.strip().splitlines()]

# Rules on what a source alone can say: each stands in every suite, whatever RULES' column for a route says.
SAID_BY_SOURCE = {
    "sync.off",
    "course.unpublished",
    "assessment.unpublished",
    "assigned.not_whole_section",
    "due.not_uniform",
    "assigner.not_synced",
    "assigner.not_in_group",
    "score.excluded",
}
OURS = {  # of no row of RULES
    "assessment.not_in_feed",
    "gradebook.not_readable",
    "gradebook.several",
    "score.excused_unsupported",
}
SEEDS = {"aeries": "000", "skyward": "001", "aspire": "003", "aspen": "004"}
SWITCHES = {"aeries": {"points.score_not_whole": "whole_scores"}}  # settings that are not named as their code


def state(code: str, sis: str, level: str = "") -> str:
    """●, ○ or · of a rule in a SIS."""
    for row in ROWS:
        if row[0] == code and level in ("", row[1]):
            return (row[4] + " " + row[5]).split()[SISS.index(sis)]
    raise KeyError(code)


def codes(sis: str, level: str) -> list[str]:
    """The codes that a SIS has, on or off, in the table's order."""
    return [row[0] for row in ROWS if row[1] == level and state(row[0], sis, level) != ABSENT]


def seed(seeds: str, sis: str) -> str:
    """The document that a rule comes from: the SIS's own where the row names it, else those of the row."""
    own = SEEDS.get(sis, "")
    return own if seeds == "all" or own in seeds.split() else seeds
