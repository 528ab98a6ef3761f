"""How much of what the SIS holds a run would change, lose or refuse, and when that is too much (RULES 5)."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passback.mapping.model import Limits
from passback.records import ASSESSMENTS, CLASSES, RESULT_PLAN, SCORE_VERDICTS
from passback.stages.extract import Scope
from passback.stages.limit import (
    CHANGED,
    EFFECTS,
    KNOWN_EFFECTS,
    LOST,
    REFUSED,
    VANISHED,
    count,
    count_by_class,
    effects,
    is_over,
    lost_after,
)

SINCE = "2026-08-17"
KEY = ["line_item_id", "sis_student_id"]


def frame(columns: list[str], *rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns).astype(
        dict.fromkeys([name for name in columns if name != "run_id"], "str")
    )


def ledger_items(**due: str) -> pd.DataFrame:
    """Line items by name, each with its due date."""
    return frame(["line_item_id", "due_date"], *((f"item-{name}", day) for name, day in due.items()))


def ledger_results(*rows: tuple[str, str, str, str], score_status: str = "fully graded") -> pd.DataFrame:
    """(assessment, class, student, state)."""
    columns = [*KEY, "assessment_id", "class_id", "student_id", "state", "score_status"]
    return frame(columns, *((f"item-{row[0]}", f"sis-{row[2]}", *row, score_status) for row in rows))


def verdicts(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    """(assessment, class, student, outcome, codes)."""
    return SCORE_VERDICTS.conform(pd.DataFrame(list(rows), columns=list(SCORE_VERDICTS.columns)))


def plan(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """(assessment, student, action)."""
    planned = frame([*KEY, "action"], *((f"item-{row[0]}", f"sis-{row[1]}", row[2]) for row in rows))
    return RESULT_PLAN.conform(planned.reindex(columns=list(RESULT_PLAN.columns)))


def assessments(**period_closed: bool | None) -> pd.DataFrame:
    """Assessments of biology, by what the source says of their grading period."""
    rows = pd.DataFrame(
        {"assessment_id": list(period_closed), "class_id": "biology", "period_closed": period_closed.values()}
    )
    return rows.astype({"period_closed": "boolean", "assessment_id": "str", "class_id": "str"})


def effect_of(
    *,
    verdict: tuple[str, str] | None = ("passed", ""),
    action: str = "",
    state: str = "confirmed",
    score_status: str = "fully graded",
    due: str = "2026-11-10",
    period_closed: bool | None = None,
    scope: Scope = Scope(),  # noqa: B008 - frozen
    lost: bool = False,
) -> tuple[str, bool] | None:
    """The effect on one known score, and whether it counts; None where it is not known."""
    known = effects(
        ledger_items(essay=due),
        ledger_results(("essay", "biology", "s1", state), score_status=score_status),
        verdicts(("essay", "biology", "s1", *verdict)) if verdict else SCORE_VERDICTS.empty(),
        plan(("essay", "s1", action)) if action else plan(),
        assessments(essay=period_closed),
        since=SINCE,
        scope=scope,
        lost=frame(KEY, ("item-essay", "sis-s1")) if lost else LOST.empty(),
    )
    assert list(known.columns) == list(KNOWN_EFFECTS.columns)
    return (known["effect"].iloc[0], bool(known["counts"].iloc[0])) if len(known) else None


@pytest.mark.parametrize(
    ("scene", "effect"),
    [
        ({}, ("", False)),
        ({"action": "change"}, (CHANGED, True)),
        ({"action": "resend"}, ("", False)),
        ({"verdict": None}, (VANISHED, True)),
        ({"verdict": ("rejected", "title.too_long")}, (REFUSED, True)),
        ({"verdict": ("held", "score.not_graded")}, (REFUSED, True)),
        ({"verdict": ("rejected", "period.closed title.too_long")}, (REFUSED, True)),
        ({"state": "accepted", "action": "change"}, (CHANGED, True)),
        ({"verdict": ("held", "score.not_graded"), "action": "clear"}, (VANISHED, True)),
    ],
)
def test_a_score_that_the_sis_holds_stays_or_changes_or_vanishes_or_is_refused(
    scene: dict[str, Any], effect: tuple[str, bool]
) -> None:
    assert effect_of(**scene) == effect


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        ("period.closed", "rejected"),
        ("period.straddles", "rejected"),
        ("period.closed period.straddles", "rejected"),
        ("effective.before", "rejected"),
        ("change.too_old", "held"),
        ("assigner.not_in_group", "rejected"),
        ("suppressed.by_person", "rejected"),
    ],
)
def test_what_comes_with_time_and_harms_nothing_is_no_refusal(codes: str, outcome: str) -> None:
    assert effect_of(verdict=(outcome, codes)) == ("", False)


@pytest.mark.parametrize(
    ("period_closed", "effect"), [(True, ("", False)), (False, (REFUSED, True)), (None, (REFUSED, True))]
)
def test_a_sync_mark_that_went_with_its_grading_period_is_no_refusal(
    period_closed: bool | None,  # noqa: FBT001 - pytest's
    effect: tuple[str, bool],
) -> None:
    assert effect_of(verdict=("rejected", "sync.off"), period_closed=period_closed) == effect


def test_a_code_that_only_begins_like_a_harmless_one_is_a_refusal() -> None:
    assert effect_of(verdict=("rejected", "period.closed_long_ago")) == (REFUSED, True)


@pytest.mark.parametrize("verdict", [None, ("held", "score.not_graded"), ("passed", "")])
def test_what_was_cleared_in_the_sis_is_not_known_any_more(verdict: tuple[str, str] | None) -> None:
    assert effect_of(score_status="", verdict=verdict) is None


@pytest.mark.parametrize("state", ["intended", "refused", "not_stored", "gone"])
def test_what_the_sis_may_not_hold_is_not_known(state: str) -> None:
    assert effect_of(state=state, action="change") is None


@pytest.mark.parametrize(("due", "known"), [("2026-08-16", False), (SINCE, True), ("2026-08-18", True)])
def test_what_was_due_before_the_effective_date_is_not_known(due: str, *, known: bool) -> None:
    assert (effect_of(due=due, verdict=None) is not None) == known


@pytest.mark.parametrize(
    ("scope", "known"),
    [
        (Scope(classes=("biology",)), True),
        (Scope(classes=("chemistry",)), False),
        (Scope(assessments=("essay",)), True),
        (Scope(assessments=("quiz",)), False),
        (Scope(classes=("biology",), assessments=("quiz",)), False),
    ],
)
def test_a_limited_run_counts_only_what_it_looks_at(scope: Scope, *, known: bool) -> None:
    assert (effect_of(verdict=None, scope=scope) is not None) == known


@pytest.mark.parametrize(
    ("scene", "effect"),
    [
        ({"verdict": None}, (VANISHED, False)),
        ({"verdict": ("rejected", "title.too_long")}, (REFUSED, False)),
        ({"action": "change"}, (CHANGED, True)),
    ],
)
def test_a_loss_that_a_run_went_on_with_is_no_news(scene: dict[str, Any], effect: tuple[str, bool]) -> None:
    assert effect_of(lost=True, **scene) == effect


@pytest.mark.parametrize(
    ("known", "touched", "share", "at_least", "over"),
    [
        (1000, 300, 0.3, 50, False),  # not more than the share
        (1000, 301, 0.3, 50, True),
        (100, 49, 0.3, 50, False),
        (100, 50, 0.3, 50, True),
        (166, 50, 0.3, 50, True),
        (167, 50, 0.3, 50, False),
        (100, 29, 0.29, 1, False),  # 0.29 of 100 is 28.999… in binary
        (100, 30, 0.29, 1, True),
        (10, 10, 1.0, 1, False),  # a share of 1: never
        (0, 0, 0.3, 1, False),  # a first night
    ],
)
def test_a_person_is_asked_above_the_share_and_from_the_least_number_on(
    known: int, touched: int, share: float, at_least: int, *, over: bool
) -> None:
    parts = {CHANGED: touched // 3, VANISHED: touched // 3, REFUSED: touched - 2 * (touched // 3)}
    assert is_over({"known": known, **parts}, Limits(share=share, at_least=at_least)) == over


SCORE = st.tuples(
    st.sampled_from(["essay", "quiz"]),
    st.sampled_from(["biology", "chemistry"]),
    st.sampled_from([f"s{number}" for number in range(6)]),
)
FATE = st.sampled_from(["stays", "changes", "vanishes", "is refused"])


@given(fates=st.dictionaries(SCORE, FATE, max_size=20), seen=st.sets(SCORE))
def test_every_known_score_has_one_effect_and_counts_are_by_class_what_they_are_in_all(
    fates: dict[tuple[str, str, str], str], seen: set[tuple[str, str, str]]
) -> None:
    def key(score: tuple[str, str, str]) -> tuple[str, str]:
        return f"item-{score[0]}-{score[1]}", f"sis-{score[2]}"

    items = frame(
        ["line_item_id", "due_date"], *((item, "2026-11-10") for item in {key(score)[0] for score in fates})
    )
    columns = [*KEY, "assessment_id", "class_id", "student_id", "state", "score_status"]
    results = frame(columns, *((*key(score), *score, "confirmed", "fully graded") for score in fates))
    judged = verdicts(
        *(
            (*score, "rejected" if fate == "is refused" else "passed", "due.missing" * (fate == "is refused"))
            for score, fate in fates.items()
            if fate != "vanishes"
        )
    )
    changing = frame(
        [*KEY, "action"], *((*key(s), "change") for s, fate in fates.items() if fate == "changes")
    )
    lost = frame(KEY, *(key(score) for score in seen))
    planned = RESULT_PLAN.conform(changing.reindex(columns=list(RESULT_PLAN.columns)))
    common: dict[str, Any] = {"since": SINCE, "scope": Scope()}
    known = effects(items, results, judged, planned, ASSESSMENTS.empty(), lost=lost, **common)

    counts = count(known)
    of = {effect: {s for s, fate in fates.items() if fate == name} for effect, name in FATES.items()}
    assert counts == {
        "known": len(fates),
        CHANGED: len(of[CHANGED]),
        VANISHED: len(of[VANISHED] - seen),
        REFUSED: len(of[REFUSED] - seen),
    }
    by_class = count_by_class(known, CLASSES.empty())
    assert {name: sum(row[name] for row in by_class) for name in EFFECTS} == {
        name: counts[name] for name in EFFECTS
    }
    # Gone on with, the same losses are no news in the next run; what is new in it still is.
    again = effects(
        items, results, judged, planned, ASSESSMENTS.empty(), lost=lost_after(known, lost), **common
    )
    assert count(again) == {**counts, VANISHED: 0, REFUSED: 0}


FATES = {CHANGED: "changes", VANISHED: "vanishes", REFUSED: "is refused"}


def test_a_limited_run_leaves_the_losses_of_what_it_did_not_look_at() -> None:
    known = KNOWN_EFFECTS.conform(
        pd.DataFrame(
            [("i1", "s1", "biology", VANISHED, True), ("i1", "s2", "biology", "", False)],
            columns=list(KNOWN_EFFECTS.columns),
        )
    )
    before = frame(KEY, ("i1", "s2"), ("i2", "s1"))
    after = lost_after(known, before)
    assert sorted(map(tuple, after.to_numpy().tolist())) == [("i1", "s1"), ("i2", "s1")]


def test_classes_come_with_those_first_in_which_most_is_touched() -> None:
    rows = [("i1", f"s{n}", "biology", CHANGED, True) for n in range(2)]
    rows += [("i2", f"s{n}", "art", REFUSED, True) for n in range(3)]
    rows += [("i3", "s1", "music", "", False), ("i2", "s9", "art", VANISHED, False)]
    known = KNOWN_EFFECTS.conform(pd.DataFrame(rows, columns=list(KNOWN_EFFECTS.columns)))
    classes = CLASSES.conform(
        pd.DataFrame([("art", "9", "Art"), ("biology", "8", "Biology")], columns=list(CLASSES.columns))
    )
    assert count_by_class(known, classes) == [
        {"class_id": "art", "title": "Art", "known": 4, CHANGED: 0, VANISHED: 0, REFUSED: 3},
        {"class_id": "biology", "title": "Biology", "known": 2, CHANGED: 2, VANISHED: 0, REFUSED: 0},
    ]
