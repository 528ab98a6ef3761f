"""Templates as pages that need nothing else: no script, no font, no address outside themselves."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from passback.report.words import WHO_ACTS


def render(template: str, **shown: Any) -> str:
    """A template with all it shows escaped, and its style inside: by its hash, the only one let in.

    Args:
        template: Its file in `templates/`; it includes head.html, which wants headline and summary.
        shown: What it shows.
    """
    environment = _environment()
    style = environment.get_template("report.css").render()
    return environment.get_template(template).render(
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        **shown,
    )


@cache  # it keeps the templates as it has compiled them
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("passback.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda count: f"{count:,}"
    environment.filters["who"] = WHO_ACTS.__getitem__
    return environment
