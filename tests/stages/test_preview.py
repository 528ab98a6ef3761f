"""What a run would do to every line item and result: each goes exactly one way."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passback.records import ASSESSMENT_VERDICTS, CHANGES, CLASSES, SCORE_VERDICTS
from passback.stages.preview import EFFECTS, PREVIEW, count_by_class, preview

TITLES = pd.DataFrame([("a1", "c1", "Essay")], columns=["assessment_id", "class_id", "title"])
BIOLOGY = CLASSES.conform(pd.DataFrame([("c1", "K1", "Biology")], columns=list(CLASSES.columns)))


def assessments(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """(assessment, outcome, codes), all of one class."""
    return ASSESSMENT_VERDICTS.conform(
        pd.DataFrame(
            [(key, "c1", *verdict) for key, *verdict in rows], columns=list(ASSESSMENT_VERDICTS.columns)
        )
    )


def scores(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """(assessment, student, outcome, codes)."""
    return SCORE_VERDICTS.conform(
        pd.DataFrame(
            [(key, "c1", student, *outcome) for key, student, *outcome in rows],
            columns=list(SCORE_VERDICTS.columns),
        )
    )


def changes(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """(student, action, field changes) of a1; no student: its line item."""
    return CHANGES.conform(
        pd.DataFrame(
            [
                ("result" if student else "line item", "c1", "Biology", "a1", "Essay", student, *change)
                for student, *change in rows
            ],
            columns=list(CHANGES.columns),
        )
    )


def listed(
    written: pd.DataFrame, verdicts: pd.DataFrame, final: pd.DataFrame
) -> list[tuple[str, str, str, str, str]]:
    """Kind, student, effect, field changes, code."""
    rows = preview(written, verdicts, final, titles=TITLES, classes=BIOLOGY)
    columns = ["kind", "student_id", "effect", "field_changes", "code"]
    return list(rows[columns].itertuples(index=False, name=None))


def test_what_is_written_shows_from_which_value_to_which_and_no_reason() -> None:
    assert listed(
        changes(
            ("", "create", "title Essay"),
            ("s1", "change", "score 80 → 85"),
            ("s2", "clear", "score 7 → none"),
        ),
        assessments(("a1", "passed", "")),
        scores(("a1", "s1", "cancelled", "run.preview"), ("a1", "s2", "held", "score.not_graded")),
    ) == [
        ("line item", "", "created", "title Essay", ""),
        ("result", "s1", "changed", "score 80 → 85", ""),
        ("result", "s2", "cleared", "score 7 → none", ""),
    ]


@pytest.mark.parametrize(
    ("outcome", "codes", "effect"),
    [
        ("unchanged", "", "left"),
        ("cancelled", "sis.kept_theirs", "left"),
        ("held", "score.not_graded", "waiting"),
        ("rejected", "suppressed.by_person", "refused"),
        ("failed", "sis.link_broken", "refused"),
    ],
)
def test_what_is_not_written_says_why(outcome: str, codes: str, effect: str) -> None:
    rows = listed(changes(), assessments(("a1", "passed", "")), scores(("a1", "s1", outcome, codes)))
    assert rows[1] == ("result", "s1", effect, "", codes)


@pytest.mark.parametrize(
    ("outcome", "codes", "effect"),
    [
        ("passed", "", "left"),
        ("held", "course.unpublished", "waiting"),
        ("rejected", "title.too_long", "refused"),
    ],
)
def test_a_line_item_that_is_not_written_says_why_too(outcome: str, codes: str, effect: str) -> None:
    (row,) = listed(changes(), assessments(("a1", outcome, codes)), scores())
    assert row == ("line item", "", effect, "", codes)


def test_a_line_item_that_somebody_took_out_of_the_sis_is_refused_with_its_results() -> None:
    rows = listed(
        changes(), assessments(("a1", "passed", "")), scores(("a1", "s1", "failed", "sis.link_broken"))
    )
    assert {row[2:] for row in rows} == {("refused", "", "sis.link_broken")}


def test_the_reason_that_leads_stands_for_all_that_are_listed() -> None:
    codes = "due.missing period.closed"
    rows = preview(
        changes(), assessments(("a1", "rejected", codes)), scores(), titles=TITLES, classes=BIOLOGY
    )
    assert rows.loc[0, ["code", "all_codes"]].tolist() == ["due.missing", codes]


@given(
    st.dictionaries(
        st.sampled_from([f"s{number}" for number in range(8)]),
        st.sampled_from(
            ["unchanged", "held", "rejected", "failed", "cancelled", "create", "change", "resend"]
        ),
    )
)
def test_every_score_goes_one_way_and_the_counts_add_up(fates: dict[str, str]) -> None:
    planned = {student: fate for student, fate in fates.items() if fate in {"create", "change", "resend"}}
    rows = preview(
        changes(*((student, action, "score 1") for student, action in planned.items())),
        assessments(("a1", "passed", "")),
        scores(
            *(
                ("a1", student, "cancelled" if student in planned else fate, "")
                for student, fate in fates.items()
            )
        ),
        titles=TITLES,
        classes=BIOLOGY,
    )
    assert not rows.duplicated(list(PREVIEW.key)).any()
    assert set(rows["effect"]) <= set(EFFECTS)
    (counts,) = count_by_class(rows)
    assert (counts["class_id"], counts["title"]) == ("c1", "Biology")
    assert sum(counts["line_items"].values()) == 1
    assert sum(counts["results"].values()) == len(fates)
