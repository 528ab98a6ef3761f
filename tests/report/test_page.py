"""The page: complete in itself, safe, and readable without seeing it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from passback.reasons import Outcome
from passback.report.charts import OUTCOME_COLOURS
from passback.report.page import MOST_ROWS, page

if TYPE_CHECKING:
    from passback.report.summary import Report


class Elements(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


def html_of(report: Report) -> str:
    return page(report.summary, report.not_passed, report.changes)


def test_nothing_comes_from_outside_the_page(night: Report) -> None:
    html = html_of(night)
    elements = Elements(html)
    assert not elements.all("script", "link", "img", "iframe", "object", "embed", "base", "form")
    assert {link["href"] for link in elements.all("a")} == {"changes.csv", "not-passed.csv"}
    addresses = set(re.findall(r"https?://[^\s\"'<]+", html))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # names, not addresses
    assert "url(http" not in html
    assert "@import" not in html


def test_the_policy_allows_this_style_sheet_and_nothing_else(night: Report) -> None:
    html = html_of(night)
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [
        meta["content"]
        for meta in Elements(html).all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert not [attributes for _, attributes in Elements(html).found if "style" in attributes]


def test_text_from_a_learning_platform_is_never_markup(night: Report) -> None:
    html = html_of(night)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_a_reason_code_is_never_markup_in_a_chart(night: Report) -> None:
    reasons = {"<img src=x>": {**night.summary["reasons"]["period.closed"]}}
    html = html_of(replace(night, summary={**night.summary, "reasons": reasons}))
    assert not Elements(html).all("img")


def test_student_ids_stand_in_the_table_of_what_did_not_pass_alone(night: Report) -> None:
    before, _, section = html_of(night).partition('<h2 id="not-passed">')
    assert "S-" not in before
    assert re.findall(r"S-\d{4}", section) == ["S-1001", "S-1002", "S-1003", "S-1004"]


def test_the_first_rows_are_shown_and_the_rest_is_in_the_file(night: Report) -> None:
    many = pd.concat([night.not_passed] * 100, ignore_index=True)
    html = html_of(replace(night, not_passed=many))
    assert html.count("S-1001") == MOST_ROWS / 4
    assert "The first 200 of 400 scores." in html


def test_every_chart_has_a_text_alternative_and_a_table(night: Report) -> None:
    html = html_of(night)
    charts = [element for element in Elements(html).all("div") if element.get("role") == "img"]
    assert len(charts) == len(re.findall("<svg", html)) == 2
    assert "sent 2, unchanged 4, held 1, rejected 3, failed 0, cancelled 0" in str(charts[0]["aria-label"])
    assert html.count("<table>") == html.count("<caption>") == 6


def test_headings_and_columns_are_told_to_a_screen_reader(night: Report) -> None:
    elements = Elements(html_of(night))
    assert len(elements.all("h1")) == 1
    assert all(heading.get("scope") in ("col", "row") for heading in elements.all("th"))
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    labels = {section["aria-labelledby"] for section in elements.all("section")}
    assert labels <= set(ids)
    assert elements.all("html") == [{"lang": "en"}]


def test_a_night_without_reasons_and_changes_says_so(night: Report) -> None:
    outcomes = dict.fromkeys(Outcome, 0) | {"unchanged": 10}
    quiet = replace(
        night,
        summary={**night.summary, "outcomes": outcomes, "reasons": {}, "for_a_person": []},
        not_passed=night.not_passed.head(0),
        changes=night.changes.head(0),
    )
    html = html_of(quiet)
    assert "Nothing had changed; nothing was sent." in html
    assert "Nothing: every score passed." in html
    assert html.count("<svg") == 1


def test_counts_that_do_not_add_up_are_an_alarm(night: Report) -> None:
    assert "do not add up" not in html_of(night)
    assert "do not add up" in html_of(replace(night, summary={**night.summary, "extracted": 11}))


@pytest.mark.parametrize("paper", ["#ffffff", "#15181c"])
def test_every_bar_stands_out_on_light_and_dark_paper(paper: str) -> None:
    def luminance(colour: str) -> float:
        parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for colour in OUTCOME_COLOURS.values():
        lighter, darker = sorted((luminance(colour), luminance(paper)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 3, colour  # WCAG 2.2, 1.4.11
