"""`passback explain`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from passback.cli.console import output, print_json
from passback.cli.ledger import open_ledger
from passback.errors import PassbackError
from passback.mapping.file import read_district
from passback.reasons import Actor
from passback.sis import profile_of
from passback.sis.words import mend_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_INDENT = 12
_HELD_BACK = {
    "theirs": "a person's own value in the SIS is kept, and ours is not sent",
    "undone": "what was sent was taken back, and is not sent again until it differs in the source",
}


def explain(
    context: typer.Context,
    *,
    district: Annotated[str, typer.Option("--district", "-d", help="The district's name.")],
    assessment: Annotated[
        str | None, typer.Option("--assessment", "-a", help="Of this assessment, by the source's id.")
    ] = None,
    student: Annotated[
        str | None, typer.Option("--student", "-s", help="Of this student, by the source's id.")
    ] = None,
    class_id: Annotated[
        str | None, typer.Option("--class", "-c", help="Only in this class, by the source's id.")
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            "--teacher", "-t", help="Of the assessments that this person assigned, by the source's id."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many scores of a list.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="How many scores of a list to leave out first.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/command.md).")] = False,
) -> None:
    """Tell what happened to a score and why, night by night; or list the scores of a student, class, teacher.

    With an assessment and a student one score is told in full: every night's outcome, what was sent and on
    whose order, what the SIS holds. Exit code 1 if the ledger knows of no such score; it says where it ends.
    """
    of = {"assessment": assessment, "student": student, "class": class_id, "teacher": teacher}
    asked = {"district": district, **{name: value for name, value in of.items() if value is not None}}
    if len(asked) == 1:
        raise typer.BadParameter("Give at least one of --assessment, --student, --class and --teacher.")
    if assessment is not None and student is not None and teacher is None:
        found = _one_score(asked, assessment, student, class_id, context.obj, json=json)
    else:
        found = _list(asked, limit, offset, json=json)
    if not found:
        raise typer.Exit(1)


def _one_score(
    asked: Mapping[str, str],
    assessment: str,
    student: str,
    class_id: str | None,
    mappings: Path,
    *,
    json: bool,
) -> bool:
    from passback import ledger as database
    from passback.steps.absent import why_absent

    district = asked["district"]
    with open_ledger() as connection:
        scores = database.explain_score(connection, district, assessment, student, class_id)
        absent = [] if scores else why_absent(connection, district, assessment, student, class_id)
    _add_mends(scores, district, mappings)
    if json:
        why = [{"code": each.code, "sentence": each.sentence} for each in absent]
        print_json({**asked, "scores": scores, "absent": why})
        return bool(scores)
    for score in scores:
        for line in _lines(score):
            output().print(line, soft_wrap=True)
    if not scores:
        output().print(_nothing_known(district, class_id), soft_wrap=True, markup=False)
        for each in absent:
            output().print(_line("because", f"{each.sentence} ({each.code})"), soft_wrap=True)
    return bool(scores)


def _list(asked: Mapping[str, str], limit: int, offset: int, *, json: bool) -> bool:
    from passback import ledger as database
    from passback.steps.absent import assessments_of

    district = asked["district"]
    with open_ledger() as connection:
        listed = database.explain(
            connection,
            district,
            assessment=asked.get("assessment"),
            student=asked.get("student"),
            class_id=asked.get("class"),
            among=assessments_of(connection, district, asked["teacher"]) if "teacher" in asked else None,
            limit=limit,
            offset=offset,
        )
    if json:
        print_json({**asked, **listed})
        return bool(listed["total"])
    for line in _list_lines(listed, offset):
        output().print(line, soft_wrap=True)
    return bool(listed["total"])


def _list_lines(listed: Mapping[str, Any], offset: int) -> Iterator[Text]:
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in listed["outcomes"].items())
    yield Text(f"{listed['total']:,} scores" + (f": {counts}" if counts else " that a run has judged"))
    for score in listed["scores"]:
        where = f"{score['assessment_id']}, class {score['class_id']}, student {score['student_id']}"
        yield Text.assemble(
            (f"{where}: {score['outcome']}", "bold"), f" “{score['title']}”" if score["title"] else ""
        )
        if score["codes"]:
            yield _line("because", f"{score['sentence']} ({' '.join(score['codes'])})")
        if score["state"]:
            yield _line("SIS", f"{score['state'].replace('_', ' ')}; holds {_held(score['holds'])}")
        if score["held_back"]:
            yield _line("held back", _HELD_BACK[score["held_back"]])
    shown = offset + len(listed["scores"])
    if shown < listed["total"]:
        yield Text(f"… and {listed['total'] - shown:,} more: --offset {shown}")


def _add_mends(scores: Sequence[dict[str, Any]], district: str, folder: Path) -> None:
    """Beside the SIS's own words put what to do about them, where its profile knows them."""
    try:
        sis = read_district(district, folder).sis
        profile = profile_of(sis.system, sis.transport)
    except PassbackError:
        return  # the ledger outlives mapping files, and knows no SIS by name
    for score in scores:
        for said in (score["sis"], score["sis"]["line_item"]):
            if said:
                said["mend"] = mend_of(said["words"], profile)


def _lines(score: Mapping[str, Any]) -> Iterator[Text]:
    """One score in one class, line by line."""
    yield Text(f"class {score['class_id']}: {score['outcome']}", style="bold")
    yield _line("since", f"{_when(score['since']['at'])}, run {score['since']['run']}")
    for reason in score["reasons"]:
        yield _line("because", f"{reason['sentence']} ({reason['code']})")
        if reason["mend"]:
            yield _line("", f"{_who(reason['who'])}: {reason['mend']}")
    sent = score["sent"]
    if sent is None:
        yield _line("sent", "never")
    else:
        value = _value(sent["score"], sent["score_status"], sent["score_date"])
        yield _line(
            "sent",
            f"{value}, {_when(sent['at']) or 'no answer yet'}, run {sent['run']}, by {sent['ordered_by']}",
        )
        item = sent["line_item"]
        yield _line("", f"as “{item['title']}”, due {item['due_date']}, line item {item['line_item_id']}")
        yield _line("", f"rules {sent['rule_set'][:12]}, mapping file {sent['mapping_hash'][:12]}")
    yield from _of_sis(score["sis"])
    yield from _decided(score)
    for change in score["history"]:
        yield _line(
            "changed",
            f"{_when(change['at'])}: {_held(change['from'])} → {_held(change['to'])},"
            f" run {change['run']}, by {change['ordered_by']}",
        )
    for first, last, nights in _alike(score["nights"]):
        period = _when(first["at"]) if nights == 1 else f"{_when(first['at'])} to {_when(last['at'])}"
        codes = " ".join(reason["code"] for reason in last["reasons"])
        runs = f"run {last['run']}" if nights == 1 else f"{nights:,} runs up to {last['run']}"
        yield _line("judged", f"{period}: {last['outcome']}{f' ({codes})' if codes else ''}, {runs}")
    yield Text()


def _alike(nights: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], int]]:
    """Nights on end with one outcome and the same reasons: the first, the last, and how many there are."""
    for _, group in groupby(
        nights, lambda night: (night["outcome"], [reason["code"] for reason in night["reasons"]])
    ):
        same = list(group)
        yield same[0], same[-1], len(same)


def _decided(score: Mapping[str, Any]) -> Iterator[Text]:
    """What a person decided on it."""
    for held in score["held_back"]:
        yield _line("held back", f"{_HELD_BACK[held['why']]} (run {held['run']})")
    for suppression in score["suppressions"]:
        until = f" until {_when(suppression['lifted_at'])}" if suppression["lifted_at"] else ""
        yield _line(
            "taken out",
            f"this {suppression['kind']}, {_when(suppression['at'])}{until}, by {suppression['ordered_by']}:"
            f" {suppression['reason']}",
        )


def _of_sis(sis: Mapping[str, Any]) -> Iterator[Text]:
    if sis["state"]:
        status = f", answered {sis['status']}" if sis["status"] else ""
        yield _line("SIS", f"{sis['state'].replace('_', ' ')}{status}; holds {_held(sis['holds'])}")
    if sis["words"]:
        yield _line("", f"its words: {sis['words']}")
        yield from _mend(sis)
    line_item = sis["line_item"]
    if line_item and line_item["words"]:
        yield _line("", f"its words on the assignment: {line_item['words']}")
        yield from _mend(line_item)


def _mend(said: Mapping[str, Any]) -> Iterator[Text]:
    if said.get("mend"):
        yield _line("", f"what to do: {said['mend']}")


def _held(value: Mapping[str, Any] | None) -> str:
    """A result as the SIS had it; nothing stood there before the first."""
    if not value:
        return "nothing"
    told = _value(value.get("score"), value.get("score_status"), value.get("score_date"))
    return f"{told}, {value['mark']}" if value.get("mark") else told


def _value(score: float | None, status: str | None, date: str | None) -> str:
    number = "no score" if score is None else f"{score:g}"
    return " ".join(
        part for part in (number, f"({status})" if status else "", f"of {date}" if date else "") if part
    )


def _line(label: str, text: str) -> Text:
    return Text.assemble((f"  {label:<{_INDENT - 2}}", "dim"), text)


def _when(instant: str | None) -> str:
    """In this machine's own time zone."""
    return datetime.fromisoformat(instant).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if instant else ""


def _who(who: str) -> str:
    from passback.report.words import WHO_ACTS

    return WHO_ACTS[Actor(who)] if who else "to do"


def _nothing_known(district: str, class_id: str | None) -> str:
    in_class = f" in class {class_id}" if class_id else ""
    return (
        f"The ledger (connection passback_ledger) knows of no such score of {district}{in_class}: no run has"
        " ever judged it. `passback status` shows the runs; not-passed.csv of a report has the ids."
    )
