"""What the SIS holds of ours, in the words of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from faults.model import LineItem, Result

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from faults.transports import Transport

Record = dict[str, Any]


class Held(NamedTuple):
    """What the SIS holds of ours.

    Attributes:
        line_items: By assessment.
        results: By assessment and student.
        wrong: What stands there twice, or under a title that no rule ever allowed.
    """

    line_items: dict[str, LineItem]
    results: dict[tuple[str, str], Result]
    wrong: list[str]


def ours(
    dump: dict[str, list[Record]], titles: Mapping[tuple[str, str], str], foreign: Collection[str]
) -> list[tuple[Record, str]]:
    """The line items of ours, each with its assessment.

    Args:
        dump: All that the SIS holds.
        titles: The assessments, by the SIS's class and each title that one had to have; titles are unique.
        foreign: The SIS's ids of what is a teacher's own.
    """
    places = [(record, (record["class"]["sourcedId"], record["title"])) for record in dump["lineItems"]]
    return [
        (record, titles[place])
        for record, place in places
        if place in titles and record["sourcedId"] not in foreign
    ]


def held(
    dump: dict[str, list[Record]],
    titles: Mapping[tuple[str, str], str],
    foreign: Collection[str],
    transport: Transport,
) -> Held:
    """What the SIS holds of ours; arguments as those of `ours`."""
    found = Held({}, {}, [])
    places: dict[str, str] = {}
    for record, key in ours(dump, titles, foreign):
        if key in found.line_items:
            found.wrong.append(f"the line item of {key} stands twice in the SIS")
        found.line_items[key] = transport.line_item(line_item(record, transport))
        places[record["sourcedId"]] = key
    for record in dump["lineItems"]:
        if record["sourcedId"] not in places and record["sourcedId"] not in foreign:
            found.wrong.append(f"the SIS holds a line item that no rule allows: {record['title']!r}")
    for record in dump["results"]:
        key = places.get(record["lineItem"]["sourcedId"], "")
        if not key:
            continue
        place = key, student(record)
        if place in found.results:
            found.wrong.append(f"a result of {place} stands twice in the SIS")
        found.results[place] = transport.result(result(record))
    return found


def line_item(record: Record, transport: Transport) -> LineItem:
    classes = {theirs: class_id for class_id, theirs in transport.classes.items()}
    return LineItem(
        classes[record["class"]["sourcedId"]],
        record["title"],
        transport.category_title(record["category"]["sourcedId"]),
        record.get("gradingPeriod", {}).get("sourcedId", ""),
        record["assignDate"][:10],
        record["dueDate"][:10],
        float(record["resultValueMax"]),
    )


def result(record: Record) -> Result:
    """A result; OneRoster 1.1 has no flag for missing work."""
    score, flag = record.get("score"), record.get("missing")
    missing = record["scoreStatus"] == "not submitted" if flag is None else flag == "true"
    return Result(
        None if score is None else float(score), record["scoreStatus"], record["scoreDate"][:10], missing
    )


def student(record: Record) -> str:
    """The student of a result, by the source's number."""
    return str(int(record["student"]["sourcedId"][1:]))
