"""`passback categories`: what the SIS holds, how the platform's names fit, and their import into courses."""
# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from passback.cli.console import output, print_json, progress
from passback.cli.ledger import open_ledger
from passback.mapping.file import read_district

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

    from passback.categories.matching import Match

categories = typer.Typer(help="The SIS's categories: list, match, import.", no_args_is_help=True)

DistrictName = Annotated[
    str, typer.Argument(metavar="DISTRICT", help="The district's name in its mapping file.")
]
_MATCH_WORDS: Final = {
    "exact": "there",
    "mapped": "there, by the mapping file",
    "several": "several of that name",
    "near": "near",
    "none": "missing",
}


@categories.callback()
def _categories(context: typer.Context) -> None:
    """The SIS's categories: what it holds, how the platform's names fit, and their import into courses."""
    context.with_resource(redirect_stdout(sys.stderr))  # stdout is for the answer alone


# --- list ---


@categories.command(
    "list",
    epilog="Examples:\n\n[bold]passback categories list canyonridge[/]\n\n"
    "[bold]passback categories list canyonridge --json[/]",
)
def list_categories(
    context: typer.Context,
    district: DistrictName,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/categories.md).")] = False,
) -> None:
    """List the SIS's categories as the nights have seen them: verified when, renamed, retired."""
    from passback import ledger

    read_district(district, context.obj)
    with open_ledger() as connection:
        known = ledger.known_categories(connection, district)
    if json:
        print_json({"district": district, "categories": [_category(row) for row in known.to_dict("records")]})
    elif known.empty:
        output().print(
            f"No category of {district} was collected yet. Each night does: passback run {district}"
        )
    else:
        output().print(_category_table(known))


def _category(row: dict[Any, Any]) -> dict[str, Any]:
    """A category as JSON has it."""
    texts = ("category_id", "title", "code", "sis_class_id", "term_id", "term_start", "term_end")
    instants = ("first_seen", "verified_at", "renamed_at", "retired_at", "returned_at")
    return {
        **{name: row[name] for name in texts},
        "renamed_from": row["title_before"],
        **{name: _utc(row[name]) for name in instants},
    }


def _category_table(known: pd.DataFrame) -> Table:
    table = Table("category", "code", "class / term", "verified", "renamed from", "retired", box=None)
    for row in known.to_dict("records"):
        term = row["term_id"] and f"{row['term_id']} ({row['term_start']} to {row['term_end']})"
        place = " / ".join(part for part in (row["sis_class_id"], term) if part)
        cells = (
            row["title"],
            row["code"],
            place or "all",
            _local(row["verified_at"]),
            row["title_before"],
            _local(row["retired_at"]),
        )
        table.add_row(*map(Text, cells), style="dim" if cells[-1] else None)
    return table


def _utc(instant: pd.Timestamp) -> str | None:
    """As JSON has it; None for a null."""
    import pandas as pd

    return instant.isoformat().replace("+00:00", "Z") if pd.notna(instant) else None


def _local(instant: pd.Timestamp) -> str:
    """In this machine's time zone, as in `passback status`."""
    told = _utc(instant)
    return datetime.fromisoformat(told).astimezone().strftime("%Y-%m-%d %H:%M") if told else ""


# --- match ---


@categories.command(
    epilog="Examples:\n\n[bold]passback categories match harborview[/]\n\n"
    "[bold]passback categories match harborview --json[/]"
)
def match(
    context: typer.Context,
    district: DistrictName,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/categories.md).")] = False,
) -> None:
    """Compare the platform's types, groups or categories with the SIS's categories, and propose what is near.

    Exit code 1 if any of them has no category.
    """
    from passback.categories.matching import advice, yaml_rows
    from passback.categories.matching import match as matched
    from passback.categories.reading import read_categories, read_names
    from passback.sis import profile_of
    from passback.sources import SOURCES

    described = read_district(district, context.obj)
    source = SOURCES[described.source.system]
    sis = profile_of(described.sis.system, described.sis.transport)
    names = _telling(lambda say: read_names(described, now=datetime.now(UTC), say=say))
    held = _telling(lambda say: read_categories(described, say=say))
    found = matched(names, held, mapped=described.categories, source=source, sis=sis)
    told = advice(found, held, source=source, sis=sis)
    by_import = source.groups and sis.imports_categories
    by_name = source.groups and sis.groups_named_as_categories
    rows = [] if by_import or by_name else yaml_rows(found)
    if json:
        print_json(
            {
                "district": district,
                "matches": [
                    {
                        "name": each.name,
                        "state": each.state,
                        "category": each.category,
                        "classes": each.classes,
                        "missing_in": each.missing_in,
                        "nearest": list(each.nearest),
                    }
                    for each in found
                ],
                "advice": told,
                "yaml": rows,
            }
        )
    else:
        _print_matches(found, told, rows, district)
    if not all(each.good for each in found) and not by_import:
        raise typer.Exit(1)


def _print_matches(found: Sequence[Match], told: Iterable[str], rows: Sequence[str], district: str) -> None:
    table = Table("in the platform", "", "in the SIS", "nearest there", box=None)
    for each in found:
        what = _MATCH_WORDS[each.state]
        if each.missing_in and each.category:
            what += f", but not in {each.missing_in} of {each.classes} classes"
        style = "green" if each.good else "yellow"
        table.add_row(
            Text(each.name), Text(what, style=style), Text(each.category), Text(", ".join(each.nearest))
        )
    output().print(table)
    for line in told:
        output().print(Text(f"* {line}"), soft_wrap=True)
    if rows and not all(each.state in ("exact", "mapped") for each in found):
        output().print(f"\nFor {district}.yaml, once looked over:\n\ncategories:", highlight=False)
        for row in rows:
            output().print(Text(row), soft_wrap=True)


# --- import ---


@categories.command(
    "import",
    epilog="Examples:\n\n[bold]passback categories import canyonridge[/]\n\n"
    "[bold]passback categories import canyonridge --course 901 --yes[/]",
)
def import_categories(
    context: typer.Context,
    district: DistrictName,
    *,
    courses: Annotated[
        list[str] | None,
        typer.Option("--course", metavar="ID", help="Only this course, by its number; repeat for more."),
    ] = None,
    term: Annotated[
        str, typer.Option(metavar="ID", help="This term, by the SIS's id, instead of today's.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Import the SIS's categories into the platform's courses as assignment groups; shows what, and asks.

    Only adds: nothing is renamed or deleted, and what is there is not created a second time.
    """
    from passback.categories.importing import carry_out, read_plan
    from passback.categories.imports import count_states, notes

    described = read_district(district, context.obj)
    plan = _telling(
        lambda say: read_plan(
            described, courses=tuple(courses or ()), term=term, now=datetime.now(UTC), say=say
        )
    )
    counts = count_states(plan)
    output().print(_plan_table(plan))
    for note in notes(plan):
        output().print(Text(f"* {note}"), soft_wrap=True)
    if not counts["create"]:
        output().print("Nothing to import.")
        return
    what = f"{counts['create']:,} assignment groups in {counts['courses']:,} courses"
    if not yes:
        typer.confirm(f"Create {what}?", abort=True)
    console = progress()
    created = carry_out(described, plan, say=lambda line: console.print(line, markup=False))
    output().print(f"{created:,} assignment groups created.")


def _plan_table(plan: pd.DataFrame) -> Table:
    from passback.categories.imports import by_course

    table = Table("course", "term", "to create", "there", "renamed", "retired", "not verified", box=None)
    for row in by_course(plan).to_dict("records"):
        own = f" (beside a teacher's own: {', '.join(row['own'])})" if row["own"] else ""
        cells = [row["course"], ", ".join(row["terms"]), ", ".join(row["create"]) + own]
        cells += [", ".join(row[state]) for state in ("exists", "renamed", "retired", "unverified")]
        table.add_row(*map(Text, cells))
    return table


def _telling(read: Callable[[Callable[[str], None]], Any]) -> Any:
    """What `read` gives; what it tells meanwhile is shown as progress."""
    console = progress()
    if not console.is_terminal:
        return read(lambda line: console.print(line, markup=False))
    with console.status("reading") as status:
        return read(lambda line: status.update(Text(line)))
