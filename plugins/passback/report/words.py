"""A run in words: the sentences that the page and the terminal share."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from passback.reasons import Actor, Outcome
from passback.report.approval import what_would_happen

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTCOME_MEANINGS: Final = {
    Outcome.SENT: "Written to the student information system and read back equal.",
    Outcome.UNCHANGED: "The student information system held it already; nothing was sent.",
    Outcome.HELD: "Nothing is wrong, it is only not ready yet; looked at again every night.",
    Outcome.REJECTED: "A rule forbids it until a person changes something.",
    Outcome.FAILED: "The student information system or the network refused it; the next run tries again.",
    Outcome.CANCELLED: "A person or a limit stopped the run before it was sent.",
}

WHO_ACTS: Final = {
    Actor.TEACHER: "the teacher",
    Actor.DISTRICT: "the district office",
    Actor.SIS_ADMIN: "the SIS administrator",
    Actor.ENGINEER: "the data engineer",
}

MODES: Final = {
    "changes": "only changes",
    "full": "full run, everything is compared and sent again",
    "preview": "preview, nothing was written",
    "reconcile": "reconcile, what was sent is compared with what the SIS holds",
}

FINDINGS: Final = {
    "equal": "Equal",
    "changed_in_sis": "Changed in the SIS",
    "missing_in_sis": "Missing in the SIS",
    "foreign_in_sis": "Foreign in the SIS",
    "orphaned": "Deleted in the source",
}


def headline(summary: Mapping[str, Any]) -> str:
    """One line: did it work, and how much of it."""
    outcomes = summary["outcomes"]
    line_items = summary["written"]["line_items"]
    if waits(summary) or is_cancelled(summary):
        return _asked_headline(summary)
    if summary["mode"] == "preview":
        scores = _counted(outcomes["cancelled"], "score")
        return (
            f"Preview: {scores} and {_counted(line_items, 'assignment')} would be sent. Nothing was written."
        )
    if summary.get("drift"):
        return _drift_headline(summary["drift"])
    return _sent_headline(outcomes, line_items)


def _sent_headline(outcomes: Mapping[str, int], line_items: int) -> str:
    """What a run that sends what changed has sent."""
    if outcomes["sent"]:
        return f"{_counted(outcomes['sent'], 'score')} sent."
    if outcomes["failed"]:
        return "No score could be sent."
    if line_items:
        return f"{_counted(line_items, 'assignment')} sent; no score had changed."
    return "Nothing had changed; nothing was sent."


def _drift_headline(drift: Mapping[str, Any]) -> str:
    """What a run that compared has found."""
    compared = sum(row[finding] for row in drift["classes"] for finding in FINDINGS)
    if not drift["entries"]:
        return f"{_counted(compared, 'entry', 'entries')} compared: the SIS holds all of it as it was sent."
    return (
        f"{_counted(compared, 'entry', 'entries')} compared:"
        f" {_counted(drift['entries'], 'entry is', 'entries are')} not in the SIS as they were sent."
    )


def account(summary: Mapping[str, Any]) -> list[str]:
    """Every extracted score accounted for, a sentence an outcome; outcomes of no score are left out."""
    outcomes = summary["outcomes"]
    sentences = [f"{_counted(summary['extracted'], 'score')} were looked at.", *_decision(summary)]
    if outcomes["sent"]:
        sentences.append(f"{_number(outcomes['sent'])} went into the gradebook and were read back equal.")
    if (line_items := summary["written"]["line_items"]) and not is_cancelled(summary):
        would = "would be" if summary["mode"] == "preview" else "were"
        sentences.append(f"{_counted(line_items, 'assignment')} {would} sent with their title and dates.")
    if outcomes["unchanged"]:
        sentences.append(f"{_number(outcomes['unchanged'])} stood there already.")
    if outcomes["held"]:
        sentences.append(f"{_number(outcomes['held'])} are not ready yet and wait; nobody need do anything.")
    if outcomes["rejected"]:
        sentences.append(
            f"{_number(outcomes['rejected'])} may not pass until a person changes something:"
            " the reasons say who and what."
        )
    if outcomes["failed"]:
        sentences.append(f"{_number(outcomes['failed'])} were refused; the next run tries them again.")
    if outcomes["cancelled"] and summary["mode"] == "preview":
        sentences.append(f"{_number(outcomes['cancelled'])} would be sent by a real run.")
    elif outcomes["cancelled"] and summary.get("drift"):
        sentences.append(f"{_number(outcomes['cancelled'])} were not sent: the reasons say why.")
    elif outcomes["cancelled"]:
        sentences.append(f"{_number(outcomes['cancelled'])} were not sent because the run was stopped.")
    return [*sentences, *_left_out(summary), *_categories(summary)]


def waits(summary: Mapping[str, Any]) -> bool:
    """Whether this is what lies ready for a person who is asked to let the run go on."""
    return bool(summary["state"] == "running")


def limit_asked_about(summary: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the run would change, where that is so much that a person is asked; else None."""
    limit: Mapping[str, Any] | None = summary.get("limit")  # a report of an older version has none
    return limit if limit and limit["asks"] else None


def is_cancelled(summary: Mapping[str, Any]) -> bool:
    """Whether a person stopped the run before it wrote anything."""
    return bool((summary.get("decision") or {}).get("decision") == "cancel")


def _asked_headline(summary: Mapping[str, Any]) -> str:
    if waits(summary):
        return f"Waits for a person: {what_would_happen(summary['limit'])}."
    sent = summary["outcomes"]["sent"]  # before somebody thought better of it
    return f"Cancelled: {_counted(sent, 'score') + ' had been' if sent else 'nothing was'} sent."


def _decision(summary: Mapping[str, Any]) -> list[str]:
    """Who let the run go on or stopped it, and what it would have changed; empty where nobody is asked."""
    limit, answer = limit_asked_about(summary), summary.get("decision")
    if limit is None:
        return []
    happens = what_would_happen(limit)
    if not answer or not answer["decision"]:
        who = "It waits for a person" if waits(summary) else "A real run would ask a person first"
        return [f"{who}: {happens}."]
    did = "let it go on" if answer["decision"] == "go on" else "cancelled it"
    return [f"{answer['by']} {did}, {local_time(answer['at'], summary['timezone'])}: {happens}."]


def _left_out(summary: Mapping[str, Any]) -> list[str]:
    """The marks that the SIS cannot hold: reported, not dropped in silence (RULES section 4)."""
    left_out = summary.get("marks_left_out") or {}
    marks = [f"{_counted(count, 'score')} as {mark}" for mark, count in left_out.items() if count]
    if not marks:
        return []
    return [f"The learning platform marks {' and '.join(marks)}; the SIS holds no such mark."]


def _categories(summary: Mapping[str, Any]) -> list[str]:
    """What the SIS did to its categories since the run before."""
    changes = summary.get("category_changes") or {}
    if unlisted := changes.get("unlisted", 0):
        return [
            f"The SIS lists no category, though {_number(unlisted)} are known: they are kept as they were."
        ]
    renamed = [f"{before} → {after}" for before, after in changes.get("renamed", [])]
    told = {
        "new": changes.get("new", []),
        "renamed": renamed,
        "retired": changes.get("retired", []),
        "back again": changes.get("returned", []),
    }
    parts = [f"{what} {', '.join(titles)}" for what, titles in told.items() if titles]
    return [f"The SIS's categories have changed: {'; '.join(parts)}."] if parts else []


def adds_up(summary: Mapping[str, Any]) -> bool:
    """Whether every extracted score has exactly one outcome."""
    return bool(summary["extracted"] == sum(summary["outcomes"].values()))


def reasons_by_scores(summary: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The reasons with their codes, those that lead most scores first."""
    return sorted(
        summary["reasons"].items(),
        key=lambda item: (-item[1]["leading_scores"], -item[1]["scores"], item[0]),
    )


def local_time(instant: str, timezone: str) -> str:
    """An ISO instant as the district reads it, such as `22 Nov 2026, 22:00 PST`."""
    return datetime.fromisoformat(instant).astimezone(ZoneInfo(timezone)).strftime("%-d %b %Y, %H:%M %Z")


def duration(started_at: str, ended_at: str) -> str:
    """How long a run took, such as `1 min 4 s`."""
    passed = datetime.fromisoformat(ended_at) - datetime.fromisoformat(started_at)
    minutes, seconds = divmod(round(passed.total_seconds()), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _number(count: int) -> str:
    return f"{count:,}"


def _counted(count: int, noun: str, several: str = "") -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {several or noun + 's'}"
