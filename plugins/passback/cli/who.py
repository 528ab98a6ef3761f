"""On whose order a command acts."""

from __future__ import annotations

import getpass


def who(command: str) -> str:
    """The operating system's user and the command, such as `ada (passback suppress)`."""
    try:
        return f"{getpass.getuser()} ({command})"
    except (KeyError, OSError):
        return command
