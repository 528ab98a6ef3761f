"""The report's two charts as SVG text, drawn by Vega-Lite's own engine without a network or a browser.

Text keeps the page's colour and font (the page's style sheet sets both); the bars' colours are told apart
with any colour vision and stand out on white and on near-black. Every bar is labelled with its number, and
the page gives each chart a table and a text alternative: no colour carries a meaning alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt
import vl_convert

from passback.reasons import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# After Okabe and Ito (2008), held and cancelled darkened until they reach 3:1 on white.
OUTCOME_COLOURS: Final = {
    Outcome.SENT: "#009e73",
    Outcome.UNCHANGED: "#0072b2",
    Outcome.HELD: "#b98500",
    Outcome.REJECTED: "#d55e00",
    Outcome.FAILED: "#cc6699",
    Outcome.CANCELLED: "#808080",
}

_FONT_SIZE: Final = 13
_ROW_HEIGHT: Final = 28
_BAR_WIDTH: Final = 230  # with its labels a chart stays readable on a telephone
_MOST_BARS: Final = 12


def outcome_chart(outcomes: Mapping[str, int]) -> str:
    """An SVG with one bar an outcome, in the order of RULES section 1.

    Args:
        outcomes: Outcome → number of scores.
    """
    return _bars([(outcome.value, outcomes.get(outcome.value, 0), outcome) for outcome in Outcome])


def reason_chart(reasons: Mapping[str, Mapping[str, Any]]) -> str:
    """An SVG with one bar a leading reason, most scores first, in its outcome's colour.

    Args:
        reasons: Code → `{"leading_scores": n, "outcome": …, …}`. Codes that lead no score have no bar; beyond
            twelve bars the rest is left to the table.
    """
    leading = [
        (code, reason["leading_scores"], Outcome(reason["outcome"]))
        for code, reason in reasons.items()
        if reason["leading_scores"]
    ]
    leading.sort(key=lambda bar: (-bar[1], bar[0]))
    return _bars(leading[:_MOST_BARS])


def _bars(bars: Sequence[tuple[str, int, Outcome]]) -> str:
    if not bars:
        return ""
    rows = [{"name": name, "scores": scores, "outcome": outcome.value} for name, scores, outcome in bars]
    names = alt.Y("name:N", sort=None, title=None)
    base = alt.Chart(alt.Data(values=rows)).encode(y=names, x=alt.X("scores:Q", axis=None))
    chart = (
        (
            base.mark_bar(height=_ROW_HEIGHT - 10).encode(
                color=alt.Color(
                    "outcome:N",
                    legend=None,
                    scale=alt.Scale(
                        domain=[outcome.value for outcome in OUTCOME_COLOURS],
                        range=list(OUTCOME_COLOURS.values()),
                    ),
                )
            )
            + base.mark_text(align="left", dx=6, fontSize=_FONT_SIZE).encode(
                text=alt.Text("scores:Q", format=",")
            )
        )
        .properties(width=_BAR_WIDTH, height=alt.Step(_ROW_HEIGHT), background="transparent")
        .configure(aria=False, padding={"left": 14, "right": 24, "top": 2, "bottom": 2})
        .configure_view(stroke=None)
        .configure_axisY(domain=False, ticks=False, labelFontSize=_FONT_SIZE, labelLimit=260, labelPadding=8)
    )
    version = alt.SCHEMA_VERSION.removeprefix("v").rpartition(".")[0]
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=version, allowed_base_urls=[])
    return svg
