"""The question in Airflow: what would happen, by class, and nothing that a title could smuggle in."""

from __future__ import annotations

from typing import Any

import pytest

from passback.report.approval import MOST_CLASSES, body, subject

ANSWER = {"report": "/stage/report.html", "command": "passback report lakeview", "wait": "20 hours"}


def limit(*classes: tuple[str, int, int, int, int]) -> dict[str, Any]:
    """(title, known, changed, vanished, refused) of each class."""
    names = ("known", "changed", "vanished", "refused")
    rows = [
        {"class_id": f"id of {title}", "title": title, **dict(zip(names, counts, strict=True))}
        for title, *counts in classes
    ]
    return {
        **{name: sum(row[name] for row in rows) for name in names},
        "classes": rows,
        "share": 0.3,
        "at_least": 50,
    }


def test_the_subject_says_the_district_and_what_would_happen() -> None:
    asked = subject("Lakeview", limit(("Biology", 2980, 900, 12, 0)))
    assert asked == (
        "Lakeview: of 2,980 scores in the SIS, 900 would change, 12 are gone from the learning platform"
    )


def test_the_body_counts_by_kind_and_by_class_and_says_where_the_preview_lies() -> None:
    text = body(limit(("Biology", 400, 90, 1, 2), ("Art", 1100, 0, 3, 0)), **ANSWER)
    lines = text.splitlines()
    assert "| would change | 90 |" in lines
    assert "| Biology | 400 | 90 | 1 | 2 |" in lines
    assert "| Art | 1,100 | 0 | 3 | 0 |" in lines
    assert "More than 30% of the scores" in text
    assert "`/stage/report.html`" in text
    assert "`passback report lakeview`" in text
    assert "Without an answer within 20 hours the run is cancelled." in text


def test_only_the_classes_with_most_are_named() -> None:
    text = body(limit(*((f"C{n}", 2, 1, 0, 0) for n in range(MOST_CLASSES + 3))), **ANSWER)
    assert "And 3 more classes." in text
    assert f"C{MOST_CLASSES - 1} " in text
    assert f"C{MOST_CLASSES} " not in text


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("![x](http://tracker.example/a.png)", r"\!\[x\]\(http\:\/\/tracker\.example\/a\.png\)"),
        ("<img src=x>", r"\<img src\=x\>"),
        ("Maths | 1\n2", r"Maths \| 1 2"),
        ("Müller & søn", r"Müller \& søn"),
        ("", "id of "),
    ],
)
def test_a_class_title_is_never_markup(title: str, shown: str) -> None:
    assert f"| {shown.strip()} | 1 | 1 | 0 | 0 |" in body(limit((title, 1, 1, 0, 0)), **ANSWER)
