"""Where the command prints: answers to stdout, progress and errors to stderr.

Answers go to the process's own stdout, whatever `sys.stdout` is: that one is turned aside while a command
runs, so that no library's print or log gets in between.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final, TextIO

from rich.console import Console

# A pipe has no width: nothing is folded or cut for one that is not there.
_PIPE_WIDTH: Final = 10_000


def output() -> Console:
    """The console for answers; plain and unfolded unless stdout is a terminal. NO_COLOR is honoured."""
    return _console(sys.__stdout__)


def progress() -> Console:
    """The console for progress, on stderr."""
    return _console(sys.stderr)


def print_json(content: Any) -> None:
    """Print `content` as JSON and nothing else."""
    print(json.dumps(content, indent=2, ensure_ascii=False, default=str), file=sys.__stdout__)


def print_error(message: str) -> None:
    """Print a message on stderr, unfolded, so that a path or a command in it can be copied."""
    progress().print(f"error: {message}", style="red", soft_wrap=True, markup=False, highlight=False)


def print_warning(message: str) -> None:
    """Print a message on stderr, unfolded, that does not keep the command from its answer."""
    progress().print(f"warning: {message}", style="yellow", soft_wrap=True, markup=False, highlight=False)


def _console(file: TextIO | None) -> Console:
    console = Console(file=file, highlight=False)
    return console if console.is_terminal else Console(file=file, highlight=False, width=_PIPE_WIDTH)
