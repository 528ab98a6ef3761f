"""`passback sandbox`."""

from __future__ import annotations

import os
import sys

import typer  # noqa: TC002 - typer reads the annotations

from passback import paths
from passback.errors import ConfigurationError


def sandbox(context: typer.Context) -> None:
    """Start an LMS and a SIS on this machine to try things on. Options are passed on to it."""
    include = paths.root() / "include"
    if not (include / "sandbox").is_dir():
        raise ConfigurationError(
            "there is no sandbox here",
            where=str(include),
            mend="Run this from a clone of the project, or set PASSBACK_HOME to one.",
        )
    search = os.pathsep.join(filter(None, (str(include), os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, "-m", "sandbox", *context.args]
    # The sandbox takes this process's place: Ctrl-C and signals reach it without a go-between.
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": search})  # noqa: S606 - no shell wanted
