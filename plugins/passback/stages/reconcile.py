"""reconcile: what the ledger says the SIS holds of ours against what stands in its gradebooks.

Nothing is judged here but what is there: whose value it should be is the district's policy (`drift` in the
mapping file), and what is to be done of it is in every row as its action.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from passback.oneroster.held import is_empty
from passback.records import LINE_ITEM_PLAN, RESULT_PLAN, TEXT, Frame
from passback.stages.audit import IN_SIS
from passback.stages.links import held_under, recognised
from passback.stages.transform import readable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

EQUAL: Final = "equal"
CHANGED: Final = "changed_in_sis"
MISSING: Final = "missing_in_sis"
FOREIGN: Final = "foreign_in_sis"
ORPHANED: Final = "orphaned"
FINDINGS: Final = (EQUAL, CHANGED, MISSING, FOREIGN, ORPHANED)

LISTED: Final = "listed"
KEPT: Final = "kept"
SENT_AGAIN: Final = "sent again"

LINE_ITEM: Final = "line item"
RESULT: Final = "result"

_LINE_ITEM_FIELDS: Final = {  # what a SIS answers as it was written, and what a person calls it
    "title": "title",
    "category_id": "category",
    "assign_date": "assigned",
    "due_date": "due",
    "points_possible": "points possible",
}
_RESULT_FIELDS: Final = {"score": "score", "score_status": "status", "score_date": "date", "mark": "mark"}
# A teacher's own, which stay as they are set unless the district says otherwise.
_TEACHERS: Final = ("title", "category_id")
# What was refused, or is not known to have arrived, is the next run's to settle.
_IN_DOUBT: Final = ("intended", "refused", "not_stored")

_FOUND: Final = {"finding": TEXT, "action": TEXT, "fields": TEXT, "ours": TEXT, "theirs": TEXT}
_PLACE: Final = {"assessment_id": TEXT, "class_id": TEXT, "sis_class_id": TEXT}

LINE_ITEM_DRIFT: Final = Frame(
    "line_item_drift",  # the content is what the SIS holds; fields: in which it differs, one space between
    {
        "line_item_id": TEXT,  # of a foreign one the SIS's id
        **_PLACE,
        "our_title": TEXT,
        **{name: LINE_ITEM_PLAN.columns[name] for name in (*_LINE_ITEM_FIELDS, "period_id")},
        **_FOUND,
    },
    ("line_item_id",),
)
RESULT_DRIFT: Final = Frame(
    "result_drift",
    {
        "line_item_id": TEXT,
        "sis_student_id": TEXT,
        **_PLACE,
        "student_id": TEXT,
        "our_title": TEXT,
        **{name: RESULT_PLAN.columns[name] for name in _RESULT_FIELDS},
        **_FOUND,
    },
    ("line_item_id", "sis_student_id"),
)
DRIFT: Final = Frame(
    "drift",  # as a person reads it; the ids of students stand in files alone
    {
        "class_id": TEXT,
        "class_title": TEXT,
        "kind": TEXT,
        "assessment_id": TEXT,
        "assessment_title": TEXT,
        "student_id": TEXT,
        "sis_student_id": TEXT,
        "finding": TEXT,
        "ours": TEXT,
        "theirs": TEXT,
        "action": TEXT,
    },
    (),
)


@dataclass(frozen=True)
class InSis:
    """What stands in some gradebooks.

    Attributes:
        line_items: `oneroster.held.HELD_LINE_ITEMS`, as the SIS answered.
        results: `oneroster.held.HELD_RESULTS` of our line items, under our ids of these.
        unreadable: The classes, by the SIS's ids, whose gradebook could not be read.
        unread: Our line items whose results could not be read.
        result_values: The columns of a result that the SIS holds as they were written.
    """

    line_items: pd.DataFrame
    results: pd.DataFrame
    unreadable: Collection[str]
    unread: Collection[str]
    result_values: Sequence[str]


def our_ids(held: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
    """Our line item id of each record that the SIS holds; empty for one that is not ours.

    Args:
        held: `oneroster.held.HELD_LINE_ITEMS`.
        known: The ledger's line items.
    """
    by_id = dict(zip(held_under(known), known["line_item_id"], strict=True))
    ours = held["line_item_id"].map(by_id).astype(TEXT).fillna("")
    signed = held["passback_id"].where(held["passback_id"].isin(known["line_item_id"]), "")
    ours = ours.mask(ours.eq(""), signed)
    doubtful = known[known["state"].isin(_IN_DOUBT) & ~known["line_item_id"].isin(ours)]
    linked = held.loc[ours.ne(""), "line_item_id"]
    found = {sis_id: our_id for our_id, sis_id in recognised(doubtful, held, set(linked)).items()}
    return ours.mask(ours.eq(""), held["line_item_id"].map(found).astype(TEXT).fillna(""))


def compare_line_items(
    ours: pd.DataFrame,
    known: pd.DataFrame,
    there: InSis,
    *,
    alive: Collection[str],
    passing: Collection[str],
    policy: str,
) -> pd.DataFrame:
    """The line items of some classes, each with what was found of it and what is done about it.

    Args:
        ours: `ledger.line_items_in_sis` of these classes.
        known: The ledger's line items.
        there: What stands in their gradebooks.
        alive: The line items that the source's assessments stand for.
        passing: Those of them that may be written now.
        policy: report, keep or overwrite.

    Returns:
        `LINE_ITEM_DRIFT`, also of what is equal; without what is in doubt, or could not be read.
    """
    names = [*_LINE_ITEM_FIELDS, "period_id"]
    held = there.line_items.assign(our_id=our_ids(there.line_items, known))
    standing = ours[~ours["sis_class_id"].isin(list(there.unreadable))]
    standing = standing.assign(our_title=standing["title"])
    both = standing.rename(columns={name: f"{name}_ours" for name in names}).merge(
        held.loc[held["our_id"].ne(""), ["our_id", *names]].drop_duplicates("our_id"),
        left_on="line_item_id",
        right_on="our_id",
        how="left",
    )
    missing = both["our_id"].isna()
    both = both.assign(**{name: _text(both[name]) for name in names if LINE_ITEM_PLAN.columns[name] == TEXT})
    differing = _differing(both, _LINE_ITEM_FIELDS)
    # A SIS may name no category at all.
    differing["category_id"] &= both["category_id"].ne("")
    both = _found(both, differing, missing=missing, orphaned=~both["line_item_id"].isin(list(alive)))
    both = both[both["state"].isin(IN_SIS) | both["finding"].isin([MISSING, ORPHANED])]
    both = both.assign(
        action=_line_item_action(both, policy, both["line_item_id"].isin(list(passing))),
        ours=_in_words(both, _LINE_ITEM_FIELDS, "_ours"),
        theirs=_in_words(both, _LINE_ITEM_FIELDS, "").mask(both["finding"].eq(MISSING), ""),
    )
    sis_classes = ours[["sis_class_id", "class_id"]].drop_duplicates("sis_class_id")
    foreign = held[held["our_id"].eq("") & ~held["sis_class_id"].isin(list(there.unreadable))]
    foreign = foreign.merge(sis_classes, on="sis_class_id", how="left")
    foreign = foreign.assign(
        assessment_id="",
        our_title=foreign["title"],
        finding=FOREIGN,
        action=LISTED,
        fields="",
        ours="",
        theirs="title " + foreign["title"] + ", due " + foreign["due_date"].replace("", "none"),
    )
    return pd.concat([LINE_ITEM_DRIFT.conform(both), LINE_ITEM_DRIFT.conform(foreign)], ignore_index=True)


def _line_item_action(rows: pd.DataFrame, policy: str, passing: pd.Series) -> pd.Series:
    changed = rows["finding"].eq(CHANGED)
    action = pd.Series(LISTED, index=rows.index, dtype=TEXT).mask(rows["finding"].eq(EQUAL), "")
    if policy == "overwrite":
        return action.mask(changed & passing, SENT_AGAIN)
    if policy == "keep":
        return action.mask(changed, KEPT)
    own = rows["fields"].map(lambda fields: bool(set(fields.split()) & set(_TEACHERS)))
    return action.mask(changed & own.astype(bool), KEPT)


def fields_kept(fields: pd.Series, policy: str) -> pd.Series:
    """Of the fields that a person changed in line items, those that stay as they were set."""
    if policy == "keep":
        return fields
    return fields.map(lambda names: " ".join(name for name in names.split() if name in _TEACHERS)).astype(
        TEXT
    )


def compare_results(
    ours: pd.DataFrame,
    known: pd.DataFrame,
    there: InSis,
    line_items: pd.DataFrame,
    *,
    verdicts: pd.DataFrame,
    passing: pd.DataFrame,
    zero_status: str,
    policy: str,
) -> pd.DataFrame:
    """The results of some classes, as `compare_line_items`.

    Args:
        ours: `ledger.results_in_sis` of these classes.
        known: The ledger's results.
        there: What stands in their gradebooks.
        line_items: `LINE_ITEM_DRIFT`. Of a line item that is missing there, its results are not listed.
        verdicts: `records.SCORE_VERDICTS`: what the source holds.
        passing: line_item_id and student_id of what may be written now.
        zero_status: The status under which a 0 went out for missing work.
        policy: report, keep or overwrite.

    Returns:
        `RESULT_DRIFT`, also of what is equal; without what is in doubt, or could not be read.
    """
    key, names = list(RESULT_PLAN.key), list(_RESULT_FIELDS)
    stand = line_items[line_items["finding"].isin([EQUAL, CHANGED, ORPHANED])]
    stand = stand[~stand["line_item_id"].isin(list(there.unread))]
    titles = stand[["line_item_id", "our_title", "finding"]].rename(columns={"finding": "of_line_item"})
    standing = ours.merge(titles, on="line_item_id")
    held = there.results
    both = standing.rename(columns={name: f"{name}_ours" for name in names}).merge(
        held[[*key, *names]], on=key, how="left", indicator=True
    )
    differing = _differing(both, [name for name in names if name in there.result_values])
    # A SIS may answer with two records of one kind: it is enough that one is as it should be.
    equal_first = differing.any(axis="columns").sort_values(kind="stable").index
    both = both.loc[equal_first].drop_duplicates(key).sort_index()
    differing = differing.loc[both.index]
    nothing = both["_merge"].ne("both") | is_empty(both)
    score_key = ["assessment_id", "class_id", "student_id"]
    in_source = both[score_key].merge(
        verdicts.drop_duplicates(score_key)[[*score_key, "codes"]], on=score_key, how="left"
    )["codes"]
    in_source = in_source.set_axis(both.index)
    taken_back = in_source.str.contains(r"\bscore\.(?:not_graded|empty)\b", na=False)
    taken_back &= both["score_status_ours"].ne(zero_status)
    orphaned = both["of_line_item"].eq(ORPHANED) | in_source.isna() | taken_back
    both = both.assign(
        **{name: _text(both[name]) for name in names if RESULT_PLAN.columns[name] == TEXT},
    )
    both = _found(both, differing, missing=nothing, orphaned=orphaned)
    both = both[both["state"].isin(IN_SIS) | both["finding"].isin([MISSING, ORPHANED])]
    drifted = both["finding"].isin([CHANGED, MISSING])
    action = pd.Series(LISTED, index=both.index, dtype=TEXT).mask(both["finding"].eq(EQUAL), "")
    if policy == "keep":
        action = action.mask(drifted, KEPT)
    elif policy == "overwrite":
        may = both[["line_item_id", "student_id"]].merge(
            passing.drop_duplicates(), on=["line_item_id", "student_id"], how="left", indicator=True
        )["_merge"]
        certain = both["state"].isin(IN_SIS)
        action = action.mask(drifted & certain & may.eq("both").to_numpy(), SENT_AGAIN)
    both = both.assign(
        action=action,
        ours=_in_words(both, _RESULT_FIELDS, "_ours"),
        theirs=_in_words(both, _RESULT_FIELDS, "").mask(both["finding"].eq(MISSING), ""),
    )
    return pd.concat(
        [RESULT_DRIFT.conform(both), _foreign_results(held, known, line_items, stand)], ignore_index=True
    )


def _foreign_results(
    held: pd.DataFrame, known: pd.DataFrame, line_items: pd.DataFrame, stand: pd.DataFrame
) -> pd.DataFrame:
    """Scores in our line items that we did not send, or that stand there again after they were cleared."""
    key = list(RESULT_PLAN.key)
    something = held[~is_empty(held)]
    cleared = known["state"].eq("confirmed") & known["score_status"].eq("")
    sent = known.loc[~cleared & known["state"].ne("gone"), key]
    alone = something.merge(sent, on=key, how="left", indicator=True)
    alone = alone[alone["_merge"].eq("left_only")].drop_duplicates(key)
    place = ["line_item_id", "assessment_id", "class_id", "sis_class_id", "our_title"]
    rows = alone.merge(line_items.loc[line_items["line_item_id"].isin(stand["line_item_id"]), place])
    rows = rows.assign(student_id="", finding=FOREIGN, action=LISTED, fields="score", ours="")
    return RESULT_DRIFT.conform(rows.assign(theirs=_in_words(rows, _RESULT_FIELDS, "")))


def _differing(both: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """Whether each of these columns is another than its like whose name ends in _ours."""
    columns = {}
    for name in names:
        ours, theirs = both[f"{name}_ours"], both[name]
        columns[name] = ~(ours.eq(theirs) | (ours.isna() & theirs.isna()))
    return pd.DataFrame(columns, index=both.index)


def _found(
    both: pd.DataFrame, differing: pd.DataFrame, *, missing: pd.Series, orphaned: pd.Series
) -> pd.DataFrame:
    fields = pd.Series("", index=both.index, dtype=TEXT)
    for name in differing:
        fields = fields.mask(differing[name], fields + f"{name} ")
    finding = pd.Series(EQUAL, index=both.index, dtype=TEXT)
    finding = finding.mask(differing.any(axis="columns"), CHANGED).mask(orphaned, ORPHANED)
    return both.assign(fields=fields.str.strip().mask(missing, ""), finding=finding.mask(missing, MISSING))


def _in_words(rows: pd.DataFrame, names: Mapping[str, str], suffix: str) -> pd.Series:
    """The differing fields as a person reads them; where none is named, the first one there is."""
    text = pd.Series("", index=rows.index, dtype=TEXT)
    named = rows["fields"].str.split()
    for place, (name, called) in enumerate(names.items()):
        here = named.map(lambda fields, name=name, place=place: name in fields or (not fields and not place))
        begun = text.mask(text.ne(""), text + ", ")
        text = text.mask(here.astype(bool), begun + f"{called} " + readable(rows[f"{name}{suffix}"]))
    return text


def _text(values: pd.Series) -> pd.Series:
    return values.astype(TEXT).fillna("")


def drifted(line_items: pd.DataFrame, results: pd.DataFrame, classes: pd.DataFrame) -> pd.DataFrame:
    """`DRIFT`: all that is not equal.

    Args:
        line_items: `LINE_ITEM_DRIFT`.
        results: `RESULT_DRIFT`.
        classes: `records.CLASSES`.
    """
    both = pd.concat(
        [line_items.assign(kind=LINE_ITEM, student_id="", sis_student_id=""), results.assign(kind=RESULT)],
        ignore_index=True,
    )
    titles = classes.drop_duplicates("class_id")[["class_id", "title"]]
    rows = both[both["finding"].ne(EQUAL)].drop(columns="title")
    rows = rows.rename(columns={"our_title": "assessment_title"}).merge(
        titles.rename(columns={"title": "class_title"}), on="class_id", how="left"
    )
    return DRIFT.conform(rows.sort_values(["class_id", "assessment_id", "kind"], kind="stable"))


def count_by_class(
    line_items: pd.DataFrame, results: pd.DataFrame, classes: pd.DataFrame
) -> list[dict[str, Any]]:
    """How much was found of each kind in each class: class_id, title, kind and the findings.

    Args:
        line_items: `LINE_ITEM_DRIFT`.
        results: `RESULT_DRIFT`.
        classes: `records.CLASSES`.
    """
    titles = classes.drop_duplicates("class_id").set_index("class_id")["title"]
    rows: list[dict[str, Any]] = []
    for kind, data in ((LINE_ITEM, line_items), (RESULT, results)):
        table = pd.crosstab(data["class_id"], data["finding"]).reindex(columns=list(FINDINGS), fill_value=0)
        for class_id, counts in table.to_dict("index").items():
            found = {str(name): int(count) for name, count in counts.items()}
            rows.append({"class_id": class_id, "title": titles.get(class_id, ""), "kind": kind, **found})
    return sorted(rows, key=lambda row: (str(row["class_id"]), row["kind"]))
