"""Which categories of the SIS become assignment groups in which course, and what already stands there.

An import only ever adds. A teacher's own group of the same name is left as it is; what the SIS has renamed or
retired since is told (seed 003).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from passback.categories.canvas import NewGroup
from passback.errors import ConfigurationError
from passback.records import FLAG, TEXT, Frame

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from passback.categories.canvas import CanvasCourses

VERIFIED_WITHIN: Final = timedelta(hours=24)

IMPORT_PLAN: Final = Frame(
    "import_plan",
    {
        "course_id": TEXT,
        "course_title": TEXT,
        "category_id": TEXT,
        "title": TEXT,  # as the SIS has it
        "term_id": TEXT,
        # create, exists, renamed (it stands under group_name), retired (stands, but no longer in the SIS), or
        # unverified (the SIS was not seen to hold it within a day)
        "state": TEXT,
        "group_name": TEXT,
        "own_group": FLAG,  # a group of this name that was not imported
    },
    ("course_id", "category_id"),
)

_COURSES_TOLD: Final = 200
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>#|~])")


def terms_to_import(categories: pd.DataFrame, *, today: date, term: str, where: str) -> tuple[str, ...]:
    """The terms whose categories are imported: the one asked for, else those that hold today.

    Args:
        categories: The ledger's known categories.
        today: The day in the district's zone.
        term: A term by the SIS's id; empty for today's.
        where: The district, for messages.

    Returns:
        The terms' ids; the empty one, for categories of all terms, if there are such.

    Raises:
        ConfigurationError: there is no such term, or none holds today.
    """
    held = categories[categories["retired_at"].isna()]
    terms = held.drop_duplicates("term_id")[["term_id", "term_start", "term_end"]]
    of_all = tuple(terms.loc[terms["term_id"].eq(""), "term_id"])
    dated = terms[terms["term_id"].ne("")]
    known = ", ".join(
        f"{name} ({start} to {end})" if start else str(name)
        for name, start, end in dated.itertuples(index=False)
    )
    if term:
        if term not in set(dated["term_id"]):
            raise ConfigurationError(
                f"the SIS has no categories of a term {term}.",
                where=where,
                mend=f"Terms with categories: {known or 'none'}.",
            )
        return (*of_all, term)
    day = today.isoformat()
    current = dated[dated["term_start"].le(day) & dated["term_end"].ge(day)]
    if current.empty and len(dated) and not of_all:
        raise ConfigurationError(
            f"no term of the SIS holds on {day}.",
            where=where,
            mend=f"Name the term with --term. Terms with categories: {known}.",
        )
    return (*of_all, *current["term_id"])


def plan_import(
    canvas: CanvasCourses, categories: pd.DataFrame, terms: Iterable[str], *, now: datetime
) -> pd.DataFrame:
    """What an import would do, a row a course and category.

    Args:
        canvas: The courses with their groups.
        categories: The ledger's known categories. One of the whole district goes into every course, one of a
            class into the course of that class.
        terms: The terms wanted (`terms_to_import`).
        now: The present instant, with a time zone.

    Returns:
        `IMPORT_PLAN`, by course and title.
    """
    columns = ["category_id", "title", "term_id", "retired_at", "verified_at"]
    wanted = categories[categories["term_id"].isin(list(terms))]
    of_district = wanted.loc[wanted["sis_class_id"].eq(""), columns]
    of_class = canvas.classes.merge(wanted[[*columns, "sis_class_id"]], on="sis_class_id")
    rows = pd.concat(
        [
            canvas.courses.merge(of_district, how="cross"),
            canvas.courses.merge(of_class.drop(columns="sis_class_id"), on="course_id"),
        ],
        ignore_index=True,
    ).drop_duplicates(["course_id", "category_id"])

    imported = canvas.groups[canvas.groups["category_id"].ne("")]
    names = imported.drop_duplicates(["course_id", "category_id"])[["course_id", "category_id", "name"]]
    rows = rows.merge(names, on=["course_id", "category_id"], how="left")
    own = canvas.groups.loc[canvas.groups["category_id"].eq(""), ["course_id", "name"]].drop_duplicates()
    own = own.rename(columns={"name": "title"}).assign(own_group=True)
    rows = rows.merge(own, on=["course_id", "title"], how="left")

    there, retired = rows["name"].notna(), rows["retired_at"].notna()
    rows["state"] = np.select(
        [
            there & retired,
            there & rows["name"].ne(rows["title"]),
            there,
            retired,
            rows["verified_at"].lt(now - VERIFIED_WITHIN),
        ],
        ["retired", "renamed", "exists", "", "unverified"],
        "create",
    )
    rows["group_name"] = rows["name"].fillna("")
    rows["own_group"] = rows["own_group"].eq(other=True)
    rows = rows[rows["state"].ne("")]
    return IMPORT_PLAN.conform(rows.sort_values(["course_title", "course_id", "term_id", "title"]))


def to_create(plan: pd.DataFrame) -> list[tuple[str, str, list[NewGroup]]]:
    """The groups to create: course, its title, and its groups in the order of the plan."""
    create = plan[plan["state"].eq("create")]
    return [
        (
            str(course),
            str(rows["course_title"].iloc[0]),
            [
                NewGroup(category_id, title, term_id)
                for category_id, title, term_id in zip(
                    rows["category_id"], rows["title"], rows["term_id"], strict=True
                )
            ],
        )
        for course, rows in create.groupby("course_id", sort=False)
    ]


def approved(plan: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Of a plan made now, what a plan that a person approved would have created just so."""
    same = ["course_id", "category_id", "title", "term_id"]
    asked = before.loc[before["state"].eq("create"), same]
    return IMPORT_PLAN.conform(plan[plan["state"].eq("create")].merge(asked, on=same))


def by_course(plan: pd.DataFrame) -> pd.DataFrame:
    """The plan as a person reads it, a row a course: its title, terms, and the groups' names by state."""
    rows = plan.assign(
        shown=plan["title"].mask(
            plan["state"].eq("renamed"), "“" + plan["group_name"] + "”, in the SIS “" + plan["title"] + "”"
        ),
        own=plan["title"].where(plan["own_group"] & plan["state"].eq("create"), ""),
    )
    told = []
    for course_id, of_course in rows.groupby("course_id", sort=False):
        names = {
            state: list(of_course.loc[of_course["state"].eq(state), "shown"])
            for state in ("create", "exists", "renamed", "retired", "unverified")
        }
        told.append(
            {
                "course_id": course_id,
                "course": of_course["course_title"].iloc[0],
                "terms": sorted(set(of_course["term_id"]) - {""}),
                **names,
                "own": [name for name in of_course["own"] if name],
            }
        )
    columns = ["course_id", "course", "terms", "create", "exists", "renamed", "retired", "unverified", "own"]
    return pd.DataFrame(told, columns=columns)


def count_states(plan: pd.DataFrame) -> dict[str, int]:
    """How many groups are in which state, and `courses`: those in which one would be created."""
    counts = {str(state): int(count) for state, count in plan["state"].value_counts().items()}
    create = plan[plan["state"].eq("create")]
    return {"create": 0, **counts, "courses": create["course_id"].nunique()}


def notes(plan: pd.DataFrame) -> list[str]:
    """What a person should know of a plan besides what it creates, a sentence each."""
    counts = count_states(plan)
    sentences = {
        "renamed": "{} groups stand under a name that the SIS has changed since; an import does not rename"
        " them.",
        "retired": "{} groups belong to categories that the SIS no longer has: assignments in them do not"
        " pass. An import does not delete them.",
        "unverified": "{} categories may not yet be verified: the SIS was not seen to hold them in the last"
        " 24 hours. Try again after the next run.",
    }
    told = [text.format(f"{counts[state]:,}") for state, text in sentences.items() if counts.get(state)]
    if own := int((plan["own_group"] & plan["state"].eq("create")).sum()):
        told.append(f"{own:,} times a teacher's own group has the same name; it stays as it is.")
    return told


def markdown(plan: pd.DataFrame, *, source: str, sis: str) -> str:
    """The plan for the person who approves it: counts and course titles.

    Args:
        plan: `IMPORT_PLAN`.
        source: What people call the platform.
        sis: What people call the SIS.
    """
    counts, rows = count_states(plan), by_course(plan)
    rows = rows[rows["create"].map(len).gt(0)]
    what = f"**{counts['create']:,} assignment groups** in **{counts['courses']:,} courses**"
    lines = [
        f"{what} of {source}, from the categories of {sis}. Nothing is renamed or deleted.",
        "",
        "| course | term | to create | already there |",
        "|---|---|---|---|",
    ]
    for row in rows[:_COURSES_TOLD].to_dict("records"):
        there = len(row["exists"]) + len(row["renamed"])
        cells = (row["course"], ", ".join(row["terms"]), ", ".join(row["create"]), f"{there:,}")
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    if len(rows) > _COURSES_TOLD:
        lines += ["", f"… and {len(rows) - _COURSES_TOLD:,} more courses."]
    lines += ["", *(f"* {note}" for note in notes(plan))]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
