"""Whatever a source and a SIS say: every score has one verdict, that of a plain reading of RULES."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passback.records import SCORES
from passback.rules.columns import local_dates
from passback.rules.lookup import positions
from rules import reading
from rules.scene import ASSESSMENT, EFFECTIVE_DATE, FACTS, PERIODS, SCORE, SOURCE, ZONE, judged

Tables = dict[str, list[dict[str, Any]]]

# Great Expectations takes a good part of a second to set out, so a few big examples do the work of many.
few = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))

DAYS = [
    date.fromisoformat(period[edge]) + timedelta(days=beside)
    for period in PERIODS
    for edge in ("start_date", "end_date")
    for beside in (-1, 0, 1)
] + [date(2026, 10, 20), date(2026, 10, 27), date(2026, 11, 1), date(2026, 11, 19), date(2026, 11, 20)]
CALENDAR = (datetime(1971, 1, 2), datetime(2036, 12, 31))  # noqa: DTZ001 - hypothesis adds the zone
TIMES = ["00:00", "00:59", "12:00", "23:59"]


instants = st.builds(lambda day, time: f"{day} {time}", st.sampled_from(DAYS), st.sampled_from(TIMES))

ASSESSMENT_CHANGES = st.one_of(
    st.fixed_dictionaries({"class_id": st.sampled_from(["c2", "c3", "c4", "unknown"])}),
    st.fixed_dictionaries({"title": st.sampled_from(["", " ", "y" * 49, "y" * 50, " Unit 1 "])}),
    st.fixed_dictionaries({"type": st.sampled_from(["Test", "Exam", ""])}),
    st.fixed_dictionaries({"grading_type": st.sampled_from(["standards", ""])}),
    st.fixed_dictionaries({"points_possible": st.sampled_from([None, 0.0, -1.0, 10.5, 100.0])}),
    st.just({"include_in_final_grade": False}),
    st.fixed_dictionaries({"assigner_id": st.sampled_from(["t2", "t3", "t4"])}),
    st.fixed_dictionaries({"assigned_at": instants}),
    st.fixed_dictionaries({"due_at": st.one_of(instants, st.none())}),
    st.fixed_dictionaries({"assigned_at": instants, "due_at": instants}),
)
SCORE_CHANGES = st.one_of(
    st.fixed_dictionaries({"student_id": st.sampled_from(["s2", "s3", "s4", "s5", "unknown"])}),
    st.fixed_dictionaries({"status": st.sampled_from(["turned_in", "not_submitted", "excluded"])}),
    st.just({"status": "not_submitted", "points": None}),
    st.fixed_dictionaries({"points": st.sampled_from([None, 0.0, -0.5, 10.0, 10.5])}),
    st.fixed_dictionaries({"points": st.none(), "points_text": st.just("Late")}),
    st.fixed_dictionaries({"scored_at": st.one_of(instants, st.none())}),
    st.fixed_dictionaries({"class_id": st.sampled_from(["c2", "unknown"])}),
)


@st.composite
def records(
    draw: st.DrawFn, usual: dict[str, Any], changes: st.SearchStrategy[dict[str, Any]]
) -> dict[str, Any]:
    """A record in order, or with one or two things changed."""
    record = dict(usual)
    for _ in range(draw(st.sampled_from([0, 1, 1, 2]))):
        record |= draw(changes)
    return record


@st.composite
def everything(draw: st.DrawFn) -> Tables:
    """A source and a SIS with three classes, of which one is not rostered."""
    classes = [("c1", "K1"), ("c2", "K2"), ("c3", draw(st.sampled_from(["K1", "K3"]))), ("c4", "")]
    of_class = draw(
        st.sampled_from([[], [("G7", "Quiz", "K1")], [("G7", "Quiz", "K2"), ("G8", "Test", "K1")]])
    )
    categories = [
        ("G1", "Quiz", ""),
        ("G2", "Test", ""),
        *draw(st.sampled_from([[], [("G3", "Test", "")]])),
        *of_class,
    ]
    stays = st.fixed_dictionaries(
        {
            "staff_id": st.sampled_from(["t2", "t3"]),
            "joined_at": instants.filter(lambda text: text < "2026-11-01"),
            "left_at": st.one_of(st.none(), instants),
        }
    )
    ids = [*(f"a{n}" for n in range(20)), *draw(st.lists(st.sampled_from(["a1", "a2"]), max_size=2))]
    assessments = [draw(records(ASSESSMENT | {"assessment_id": key}, ASSESSMENT_CHANGES)) for key in ids]
    scores = []
    for assessment in assessments:
        usual = SCORE | {name: assessment[name] for name in ("assessment_id", "class_id")}
        scores += [
            draw(records(usual | {"student_id": student}, SCORE_CHANGES))
            for student in ("s1", "s2", "s1")[: draw(st.sampled_from([1, 2, 2, 2, 3]))]
        ]
    return {
        "assessments": assessments,
        "scores": scores,
        "classes": [{"class_id": key, "sis_class_id": sis, "title": ""} for key, sis in classes],
        "students": [
            {"student_id": f"s{n}", "sis_student_id": sis}
            for n, sis in enumerate(["P1", "P2", "P3", "P1", ""], start=1)
        ],
        "staff": [
            {"staff_id": key, "sis_staff_id": sis} for key, sis in [("t1", "U1"), ("t2", "U2"), ("t3", "")]
        ],
        "memberships": [*SOURCE["memberships"], *draw(st.lists(stays, max_size=4))],
        "sis_categories": [{"category_id": k, "title": t, "sis_class_id": c} for k, t, c in categories],
        "sis_periods": [
            period | {"sis_class_id": key} for key in ("K1", "K2") for period in FACTS["sis_periods"]
        ],
        "sis_classes": [{"sis_class_id": "K1"}, {"sis_class_id": "K2"}],
        "sis_enrollments": [
            {"sis_class_id": key, "sis_student_id": student}
            for key in ("K1", "K2")
            for student in ("P1", "P2")
        ],
        "sis_line_items": draw(
            st.sampled_from(
                [
                    [],
                    [
                        {
                            "line_item_id": "x",
                            "sis_class_id": "K2",
                            "title": "Unit 1 ",
                            "due_date": "2026-10-27",
                        }
                    ],
                ]
            )
        ),
    }


toggles = st.fixed_dictionaries(
    {name: st.booleans() for name in ("past_due_zero", "points.score_not_whole", "score.above_total")}
)
CATEGORIES = dict.fromkeys(
    [
        "Assignment",
        "Checklist",
        "Homework",
        "Journal",
        "Lab",
        "Observation",
        "Paper",
        "Presentation",
        "Project",
    ],
    "Lab",
) | {"Quiz": "Quiz", "Test": "Test", "Worksheet": "Lab"}


@few
@given(tables=everything(), rules=toggles, now=instants.filter(lambda text: text >= "2026-10-20"))
def test_every_verdict_is_that_of_a_plain_reading_of_the_rules(
    tables: Tables, rules: dict[str, bool], now: str
) -> None:
    verdicts = judged(**tables, said={"rules": rules, "categories": CATEGORIES}, now=now)
    asked = {"zone": ZONE, "now": now}

    expected = [
        reading.assessment_codes(tables, row, effective=date.fromisoformat(EFFECTIVE_DATE), **asked)
        for row in tables["assessments"]
    ]
    assert verdicts.assessments["codes"].tolist() == [" ".join(codes) for codes in expected]
    assert verdicts.assessments["outcome"].tolist() == [
        "rejected" if codes else "passed" for codes in expected
    ]

    assert len(verdicts.scores) == len(tables["scores"])
    for row, verdict in zip(tables["scores"], verdicts.scores.to_dict("records"), strict=True):
        mine = [
            (assessment, codes)
            for assessment, codes in zip(tables["assessments"], expected, strict=True)
            if (assessment["assessment_id"], assessment["class_id"])
            == (row["assessment_id"], row["class_id"])
        ]
        if not mine:
            assert verdict["codes"] == "assessment.not_in_feed"
            assert verdict["outcome"] == "held"
        elif any(codes for _, codes in mine):
            assert set(verdict["codes"].split()) == {code for _, codes in mine for code in codes}
            assert verdict["outcome"] == "rejected"
        else:
            codes = reading.score_codes(tables, row, mine[0][0], settings=rules, **asked)
            assert verdict["codes"].split() == codes
            held = set(codes) <= {"score.not_graded", "score.empty"}
            assert verdict["outcome"] == (("held" if held else "rejected") if codes else "passed")

    passed = verdicts.scores[verdicts.scores["outcome"].eq("passed")]
    assert (
        passed[list(SCORES.key)].to_numpy().tolist() == verdicts.results[list(SCORES.key)].to_numpy().tolist()
    )
    assert not verdicts.results.duplicated(["assessment_id", "sis_class_id", "sis_student_id"]).any()
    assert not verdicts.line_items.duplicated(["assessment_id", "sis_class_id"]).any()
    assert verdicts.results["score"].ge(0).all()


@few
@given(tables=everything(), order=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(tables: Tables, order: Any) -> None:
    shuffled = {name: order.sample(rows, len(rows)) for name, rows in tables.items()}
    before, after = judged(**tables), judged(**shuffled)
    for name in ("assessments", "scores", "line_items", "results"):
        one, other = getattr(before, name), getattr(after, name)
        assert sorted(map(str, one.to_dict("records"))) == sorted(map(str, other.to_dict("records")))


@settings(deadline=None)
@given(
    moments=st.lists(st.datetimes(*CALENDAR, timezones=st.just(UTC))),
    zone=st.sampled_from([ZONE, "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "UTC"]),
)
def test_a_day_is_the_calendar_day_in_the_zone(moments: list[datetime], zone: str) -> None:
    instants = pd.Series(moments, dtype="datetime64[us, UTC]")
    expected = [moment.astimezone(ZoneInfo(zone)).date().isoformat() for moment in moments]
    assert local_dates(instants, zone).tolist() == expected


def test_days_at_the_ends_of_the_calendar_stay_comparable_text() -> None:
    ends = pd.Series(np.array(["0001-01-01T00:00", "9999-12-31T23:59", "NaT"], dtype="datetime64[us]"))
    ends = ends.dt.tz_localize("UTC")
    for zone in ("America/Los_Angeles", "Pacific/Kiritimati"):
        days = local_dates(ends, zone)
        assert days[:2].tolist() == ["0001-01-01", "9999-12-31"]
        assert days.isna().tolist() == [False, False, True]


@given(
    wanted=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"))),
    among=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"))),
)
@settings(deadline=None)
def test_a_position_is_that_of_the_first_equal_row(
    wanted: list[tuple[str, str]], among: list[tuple[str, str]]
) -> None:
    columns = ["one", "two"]
    found = positions(
        pd.DataFrame(wanted, columns=columns, dtype="str"), pd.DataFrame(among, columns=columns, dtype="str")
    )
    assert found.tolist() == [among.index(row) if row in among else -1 for row in wanted]
