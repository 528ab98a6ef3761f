"""`passback explain`."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

from datetime import datetime
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


def explain(
    context: typer.Context,
    *,
    district: Annotated[str, typer.Option("--district", "-d", help="The district's name.")],
    assessment: Annotated[str, typer.Option("--assessment", "-a", help="The source's id of the assessment.")],
    student: Annotated[str, typer.Option("--student", "-s", help="The source's id of the student.")],
    class_id: Annotated[
        str | None, typer.Option("--class", "-c", help="Only in this class, by the source's id.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/command.md).")] = False,
) -> None:
    """Tell what happened to one score and why: its outcome, what was sent and when, what the SIS holds.

    Exit code 1 if the ledger knows of no such score.
    """
    from passback import ledger as database

    with open_ledger() as connection:
        scores = database.explain_score(connection, district, assessment, student, class_id)
    _add_mends(scores, district, context.obj)
    if json:
        print_json({"district": district, "assessment": assessment, "student": student, "scores": scores})
    elif scores:
        for score in scores:
            for line in _lines(score):
                output().print(line, soft_wrap=True)
    else:
        output().print(_nothing_known(district, class_id), soft_wrap=True, markup=False)
    if not scores:
        raise typer.Exit(1)


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
        yield _line("sent", f"{value}, {_when(sent['at']) or 'no answer yet'}, run {sent['run']}")
        item = sent["line_item"]
        yield _line("", f"as “{item['title']}”, due {item['due_date']}, line item {item['line_item_id']}")
    yield from _of_sis(score["sis"])
    for change in score["history"]:
        yield _line(
            "changed",
            f"{_when(change['at'])}: {_held(change['from'])} → {_held(change['to'])},"
            f" run {change['run']}, by {change['ordered_by']}",
        )
    yield Text()


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
        " ever judged it. Either the assessment is not in the source's feed, or it was never assigned to this"
        " student, or a run was limited to other classes, or these are not the source's own ids (not the"
        " SIS's), or the district has another name. `passback status` shows the runs; not-passed.csv of a"
        " report has the ids."
    )
