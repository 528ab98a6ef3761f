"""Membership and the effective date over many nights (RULES section 3): what goes out, and what stays.

A night is judged and planned; what it plans counts as confirmed from then on, as in the ledger.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from passback import ledger
from passback.oneroster.ids import line_item_id
from passback.records import RESULT_PLAN, SCORE_VERDICTS
from passback.stages.transform import Plan, transform
from rules.scene import ASSESSMENT, SCORE, judged

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = dict[str, Any]

# Grading periods of two school years; one is closed from the day after its end.
PERIODS = [
    ("Q1", "2026-08-17", "2026-10-09"),
    ("Q2", "2026-10-10", "2026-12-18"),
    ("Q3", "2027-01-05", "2027-03-12"),
    ("Y2", "2027-08-16", "2027-12-17"),
]
# Assessments of one teacher: when each was assigned, due, and last modified.
WORK = {
    "before": ("2026-08-10", "2026-08-14"),
    "early": ("2026-09-01", "2026-09-08"),
    "late": ("2026-09-20", "2026-09-26"),
    "next": ("2026-10-12", "2026-10-20"),
    "winter": ("2027-01-11", "2027-01-15"),
    "new year": ("2027-08-23", "2027-08-27"),
}


class District:
    """A district whose nights follow one another; the one place here that remembers."""

    def __init__(self, sis: str) -> None:
        self.sis = sis
        self.effective = "2026-08-17"
        self.stays: list[list[str | None]] = []
        self.points = dict.fromkeys(WORK, 5.0)
        self.modified: dict[str, str] = {}
        self.line_items = ledger.no_line_items()
        self.results = ledger.no_results()
        self.nights = 0

    def join(self, day: str) -> None:
        self.stays.append([f"{day} 12:00", None])

    def leave(self, day: str) -> None:
        self.stays[-1][1] = f"{day} 12:00"

    def night(self, day: str) -> set[str]:
        """What goes out at 22:00 that day: assessment and points."""
        self.nights += 1
        begun = {name: dates for name, dates in WORK.items() if dates[0] <= day}
        verdicts = judged(
            sis=self.sis,
            now=f"{day} 22:00",
            known=self.line_items,
            known_results=self.results,
            said={"effective_date": date.fromisoformat(self.effective)},
            assessments=[
                ASSESSMENT
                | {"assessment_id": name, "title": name}
                | {"assigned_at": f"{assigned} 08:00", "due_at": f"{due} 23:59"}
                | {"modified_at": f"{self.modified.get(name, assigned)} 08:00"}
                for name, (assigned, due) in begun.items()
            ],
            scores=[
                SCORE | {"assessment_id": name, "points": self.points[name], "scored_at": f"{due} 23:59"}
                for name, (_, due) in begun.items()
            ],
            memberships=[{"staff_id": "t1", "joined_at": a, "left_at": b} for a, b in self.stays],
            sis_periods=[
                {"sis_class_id": "K1", "period_id": name, "start_date": a, "end_date": b, "closed": b < day}
                for name, a, b in PERIODS
            ],
        )
        assert len(verdicts.scores) == len(begun)
        assert verdicts.scores.duplicated(list(SCORE_VERDICTS.key)).sum() == 0
        plan = transform(
            verdicts.line_items,
            verdicts.results,
            self.line_items,
            self.results,
            source_system="otus",
            run_id=self.nights,
            everything=False,
            recreate=False,
            removed=ledger.no_results(),
        )
        self._confirm(plan)
        assert {line_item_id("otus", name, "K1") for name in begun} >= set(self.line_items["line_item_id"])
        return {f"{row.assessment_id} {row.score:g}" for row in plan.results.itertuples()}

    def _confirm(self, plan: Plan) -> None:
        for name, key, planned in (
            ("line_items", ["line_item_id"], plan.line_items),
            ("results", list(RESULT_PLAN.key), plan.results),
        ):
            held = getattr(self, name)
            now = planned.drop(columns="action").assign(state="confirmed", run_id=self.nights)
            both = pd.concat([held, now.reindex(columns=held.columns, fill_value="")]).drop_duplicates(
                key, keep="last"
            )
            setattr(self, name, both.reset_index(drop=True))

    @property
    def held(self) -> set[str]:
        """What the SIS holds."""
        return {f"{row.assessment_id} {row.score:g}" for row in self.results.itertuples()}


@pytest.fixture(params=["skyward", "aeries"])
def district(request: pytest.FixtureRequest) -> District:
    return District(request.param)


def test_joining_sends_back_to_the_start_of_the_period(district: District) -> None:
    assert district.night("2026-10-01") == set()  # not a member yet
    district.join("2026-10-02")
    assert district.night("2026-10-02") == {"early 5", "late 5"}
    assert district.night("2026-10-03") == set()  # what did not change is not sent again


def test_joining_in_a_later_period_leaves_out_what_lies_before_it(district: District) -> None:
    district.join("2026-10-25")
    assert district.night("2026-10-25") == {"next 5"}


def test_joining_never_reaches_back_before_the_effective_date(district: District) -> None:
    district.effective = "2026-09-10"
    district.join("2026-10-02")
    assert district.night("2026-10-02") == {"late 5"}


def test_what_was_missed_follows_a_return_in_the_same_period(district: District) -> None:
    district.join("2026-09-10")
    assert district.night("2026-09-10") == {"early 5"}
    district.leave("2026-09-19")
    district.points["early"] = 6.0
    assert district.night("2026-09-30") == set()
    assert district.held == {"early 5"}  # what was sent stays as it is
    district.join("2026-10-01")
    assert district.night("2026-10-01") == {"early 6", "late 5"}
    assert district.night("2026-10-02") == set()


def test_a_return_sends_again_only_what_changed(district: District) -> None:
    district.join("2026-09-10")
    assert district.night("2026-09-28") == {"early 5", "late 5"}
    district.leave("2026-09-29")
    district.join("2026-10-01")
    assert district.night("2026-10-01") == set()
    district.points["late"] = 7.0
    assert district.night("2026-10-02") == {"late 7"}


@pytest.mark.parametrize("again", ["2026-09-15", "2026-10-20"])
def test_a_member_who_is_listed_anew_without_having_left_has_not_joined_anew(
    district: District, again: str
) -> None:
    district.stays = [["2026-08-01 12:00", "2026-10-20 12:00"], [f"{again} 12:00", None]]
    before = len(district.night("2026-10-08"))
    assert district.night("2026-10-21") == {"next 5"}
    district.points["early"] = 6.0
    sent = district.night("2026-10-22")
    assert before == 2
    assert sent == ({"early 6"} if district.sis == "aeries" else set())  # Skyward's period is closed


def test_a_return_in_a_later_period_reaches_back_to_its_start_only(district: District) -> None:
    district.join("2026-09-10")
    assert district.night("2026-09-10") == {"early 5"}
    district.leave("2026-09-19")
    district.points["early"] = 6.0
    district.join("2026-10-25")
    assert district.night("2026-10-25") == {"next 5"}
    assert district.held == {"early 5", "next 5"}


def test_a_member_who_leaves_for_good_leaves_everything_standing(district: District) -> None:
    district.join("2026-08-01")
    assert district.night("2026-09-28") == {"early 5", "late 5"}
    district.leave("2026-10-01")
    district.points |= {"early": 1.0, "late": 1.0}
    for day in ("2026-10-01", "2026-10-20", "2027-01-20"):
        assert district.night(day) == set()
    assert district.held == {"early 5", "late 5"}


def test_a_later_effective_date_stops_without_withdrawing_and_an_earlier_one_lets_more_pass(
    district: District,
) -> None:
    district.join("2026-08-01")
    district.effective = "2026-09-15"
    assert district.night("2026-09-28") == {"late 5"}
    district.effective = "2026-12-01"
    district.points["late"] = 8.0
    assert district.night("2026-09-29") == set()
    assert district.held == {"late 5"}
    district.effective = "2026-08-17"
    assert district.night("2026-09-30") == {"early 5", "late 8"}
    assert district.night("2026-10-01") == set()


def test_an_effective_date_in_the_future_holds_everything_until_then(district: District) -> None:
    district.join("2026-08-01")
    district.effective = "2026-10-10"
    assert district.night("2026-09-28") == set()
    assert district.night("2026-10-21") == {"next 5"}


def test_only_aeries_counts_a_modification_from_the_effective_date_on() -> None:
    for sis, expected in (("skyward", set()), ("aeries", {"before 5"})):
        district = District(sis)
        district.join("2026-08-01")
        district.effective = "2026-08-17"
        assert "before 5" not in district.night("2026-08-20")
        district.modified["before"] = "2026-08-25"
        assert district.night("2026-08-26") == expected


def test_a_new_school_year_never_touches_the_last_ones_line_items(district: District) -> None:
    district.join("2026-08-01")
    before = district.night("2026-10-21") | district.night("2027-01-20")
    assert "winter 5" in before
    held, line_items = district.held, district.line_items
    district.effective = "2027-08-16"  # the first day of school; mapping, links and group stay
    district.points = dict.fromkeys(WORK, 9.0)
    assert district.night("2027-09-01") == {"new year 9"}
    assert district.held == held | {"new year 9"}
    kept = district.line_items[district.line_items["assessment_id"].ne("new year")]
    pd.testing.assert_frame_equal(kept.reset_index(drop=True), line_items.reset_index(drop=True))


def plainly(
    effective: str, stays: Iterable[tuple[str, str | None]], day: str, assigned: str, due: str
) -> bool:
    """RULES section 3 for Skyward in plain words, one assessment at a time."""

    def period(of: str) -> tuple[str, str] | None:
        return next(((a, b) for _, a, b in PERIODS if a <= of <= b), None)

    present = [joined for joined, left in stays if joined <= day and (left is None or left > day)]
    if not present:
        return False
    joined = period(min(present))
    since = max(effective, joined[0] if joined else min(present)) if min(present) > effective else effective
    mine, its_due = period(assigned), period(due)
    return assigned >= since and mine is not None and mine == its_due and mine[1] >= day


EFFECTIVE = ("2026-08-17", "2026-09-20", "2026-09-21", "2026-10-12", "2027-01-11")
STAYS = (
    [("2026-08-01", None)],
    [("2026-08-01", "2026-09-20"), ("2026-10-09", None)],
    [("2026-09-01", "2026-10-10"), ("2026-10-11", None)],
    [("2026-10-10", None)],
    [("2026-12-20", None)],
)


@pytest.mark.parametrize(
    ("effective", "stays"),
    [  # of the square, two diagonals in `make test`: each date and each list of stays twice
        pytest.param(effective, stays, marks=() if (row - column) % 5 < 2 else pytest.mark.slow)
        for row, effective in enumerate(EFFECTIVE)
        for column, stays in enumerate(STAYS)
    ],
)
def test_a_sequence_of_nights_holds_what_a_plain_reading_lets_pass(
    effective: str, stays: list[tuple[str, str | None]]
) -> None:
    district = District("skyward")
    district.effective = effective
    district.stays = [[f"{a} 00:00", f"{b} 00:00" if b else None] for a, b in stays]
    expected: set[str] = set()
    for day in ("2026-10-09", "2026-10-26", "2027-01-20"):
        expected |= {
            f"{name} 5"
            for name, (assigned, due) in WORK.items()
            if assigned <= day and plainly(effective, stays, day, assigned, due)
        }
        district.night(day)
        assert district.held == expected
