"""What must hold after the last good night, whatever went wrong before."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2

from faults.transports import DISTRICT
from passback import ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.held import Held, Record
    from faults.model import Expected, LineItem, Result
    from faults.under_way import Play


def check_outcomes(play: Play, returned: dict[str, Any]) -> None:
    """Every extracted score of a good night has one outcome, the one that the rules say.

    What somebody deleted in the SIS fails where the district does not have it written anew.

    Args:
        play: The case.
        returned: What the audit of the night returned.
    """
    wanted = play.expected().outcomes
    passing = [key for (key, _), (outcome, _) in wanted.items() if outcome == "passes"]
    failed = sum(key in play.lost for key in passing)
    counts = {name: returned[name] for name in ("rejected", "held", "failed", "cancelled")}
    must = {name: sum(outcome == name for outcome, _ in wanted.values()) for name in ("rejected", "held")}
    must |= {"failed": failed, "cancelled": 0}
    if counts != must:
        play.broken.append(f"a good night counts {counts}, the rules say {must}")
    sent = returned["sent"] + returned["unchanged"]
    if sent != len(passing) - failed or returned["extracted"] != len(wanted):
        play.broken.append(
            f"the counts of a good night do not add up: {returned}, {len(passing) - failed} pass"
        )


def check_links(play: Play) -> None:
    """What somebody deleted in the SIS is not written anew against the district's will."""
    there = {key for _, key in play.line_items(play.dump())}
    play.broken.extend(f"line item {key} was written anew" for key in sorted(there & play.lost))


def check(play: Play, *, all_dates: bool) -> None:
    """Compare the SIS with the model, and the ledger with the SIS.

    Args:
        play: The case.
        all_dates: Whether dates alone were sent again as well (mode full).
    """
    wanted, dump = play.expected(), play.dump()
    held = play.held(dump)
    play.broken += held.wrong
    _check_line_items(play, wanted, held.line_items)
    _check_results(play, wanted, held.results, all_dates=all_dates)
    _check_ledger(play, wanted, held)
    check_foreign(play, dump)


def check_foreign(play: Play, dump: dict[str, list[Record]]) -> None:
    """What is a teacher's own is as it was put there."""
    found = {record["sourcedId"]: record for record in dump["lineItems"] + dump["results"]}
    for sourced_id, record in play.foreign.items():
        if found.get(sourced_id) != record:
            play.broken.append(f"something of a teacher's own was touched: {sourced_id}")


def _check_line_items(play: Play, wanted: Expected, held: dict[str, LineItem]) -> None:
    for key, item in wanted.line_items.items():
        must = item._replace(category=play.categories.get(key, item.category))
        if held.get(key) != must:
            play.broken.append(f"line item {key}: the SIS holds {held.get(key)}, it must hold {must}")
    for key, item in held.items():
        if key in wanted.line_items:
            continue
        once = [
            before.line_items[key]._replace(category=item.category)
            for before in play.history
            if key in before.line_items
        ]
        if item not in once:
            play.broken.append(f"line item {key}: {item} was never allowed")


def _check_results(
    play: Play, wanted: Expected, held: dict[tuple[str, str], Result], *, all_dates: bool
) -> None:
    for place, must in wanted.results.items():
        found = held.get(place)
        if found is not None and not all_dates and found._replace(date=must.date) == must:
            # Seed 001: what has another date alone is not sent again.
            once = [before.results[place] for before in play.history if place in before.results]
            if found in once:
                continue
        if found != must:
            play.broken.append(f"result {place}: the SIS holds {found}, it must hold {must}")
    for place, found in held.items():
        if place in wanted.results or place[0] in play.touched:
            continue
        graded = found.score is not None and not found.missing
        if play.transport.clears and place in wanted.ungraded and graded:
            play.broken.append(f"result {place}: {found} was taken back and not cleared")
        elif found.score is None and play.transport.clears:
            continue
        elif found not in [before.results.get(place) for before in play.history]:
            play.broken.append(f"result {place}: {found} was never allowed")


# --- The ledger ---


def _check_ledger(play: Play, wanted: Expected, held: Held) -> None:
    with closing(psycopg2.connect(play.ledger_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT assessment_id, in_sis FROM passback.line_items WHERE in_sis IS NOT NULL")
        line_items = dict(cursor.fetchall())
        cursor.execute(
            "SELECT assessment_id, student_id, in_sis FROM passback.results WHERE in_sis IS NOT NULL"
        )
        results = {(key, student.removeprefix("s")): value for key, student, value in cursor}
        cursor.execute(
            "SELECT assessment_id, student_id, outcome, codes FROM passback.score_outcomes"
            " WHERE district = %s",
            (DISTRICT,),
        )
        outcomes = [
            ((key, student.removeprefix("s")), (outcome, codes.split(" ")[0]))
            for key, student, outcome, codes in cursor
        ]
        cursor.execute(
            "SELECT class_id, outcome, scores FROM passback.run_outcomes WHERE run_id ="
            " (SELECT run_id FROM passback.runs WHERE state = 'good' ORDER BY recorded_at DESC LIMIT 1)"
        )
        account = cursor.fetchall()
        cursor.execute("SELECT count(*) FROM passback.runs WHERE state = 'running'")
        ((running,),) = cursor.fetchall()
    with closing(ledger.connect(play.ledger_url)) as connection:
        if (wrong := ledger.verify_trail(connection, DISTRICT)) is not None:
            play.broken.append(f"the trail is broken at {wrong}")
    if running:
        play.broken.append(f"{running} runs still count as running")
    _check_score_outcomes(play, wanted, outcomes)
    _check_account(play, wanted, account)
    current = {*wanted.line_items, *wanted.results}
    _compare(play, "line item", line_items, held.line_items, current, _same_line_item)
    with_score = {place: found for place, found in held.results.items() if found.score is not None}
    known = {place: value for place, value in results.items() if value["score"] is not None}
    _compare(play, "result", known, with_score, current, _same_result)


def _check_score_outcomes(
    play: Play, wanted: Expected, outcomes: list[tuple[tuple[str, str], tuple[str, str]]]
) -> None:
    found = dict(outcomes)
    if len(found) != len(outcomes):
        play.broken.append("a score has two outcomes in the ledger")
    for place, (outcome, code) in wanted.outcomes.items():
        got = found.get(place, ("none", ""))
        right = got == ("passed", "") if outcome == "passes" else got == (outcome, code)
        if not right:
            play.broken.append(f"score {place}: the ledger says {got}, the rules say {(outcome, code)}")


def _check_account(play: Play, wanted: Expected, account: list[tuple[str, str, int]]) -> None:
    """The last good run has one outcome for each score of each class; what passes is sent or unchanged."""
    found, must = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for class_id, outcome, scores in account:
        found[class_id, "passes" if outcome in {"sent", "unchanged"} else outcome] += scores
    for (key, _), (outcome, _) in wanted.outcomes.items():
        must[play.source.assessments[key].class_id, outcome] += 1
    if found != must:
        play.broken.append(f"the last run accounts for {dict(found)}, the rules say {dict(must)}")


def _compare(
    play: Play,
    what: str,
    known: dict[Any, Any],
    held: dict[Any, Any],
    current: set[Any],
    same: Callable[[Play, Any, Any, Any], bool],
) -> None:
    for place in known.keys() | held.keys():
        key = place if isinstance(place, str) else place[0]
        if key in play.touched and place not in current:
            continue  # nobody asks again about what is not passed any more
        if place not in known or place not in held:
            where = "SIS" if place in held else "ledger"
            play.broken.append(f"{what} {place} is in the {where} alone")
        elif not same(play, place, known[place], held[place]):
            play.broken.append(f"{what} {place}: the ledger has {known[place]}, the SIS {held[place]}")


def _same_line_item(play: Play, key: str, known: dict[str, Any], held: LineItem) -> bool:
    category = play.transport.category_title(known["category_id"])
    return (
        known["title"],
        held.category if key in play.categories else category,
        known["assign_date"],
        known["due_date"],
        float(known["points_possible"]),
    ) == (held.title, held.category, held.assigned, held.due, held.points_possible)


def _same_result(play: Play, _: Any, known: dict[str, Any], held: Result) -> bool:
    if play.transport.scores_alone:
        return float(known["score"]) == held.score
    return (float(known["score"]), known["score_status"], known["score_date"]) == held[:3]
