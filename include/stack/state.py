"""The demo's folder, `.demo`: one demo at a time, and nothing left of it after `make clean`.

Only the standard library: `make clean` uses this without anything installed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stack import postgres
from stack.errors import StackError
from stack.files import try_lock, write_private
from stack.processes import command_line, end, end_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["only_one_demo", "remove", "secret"]

ENDING_SECONDS = 60


@contextmanager
def only_one_demo(folder: Path) -> Iterator[None]:
    """Hold the folder; the kernel lets go of it when this process ends, however it ends.

    Raises:
        StackError: Another demo runs in this checkout.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # nobody may list it; as root, PostgreSQL's user must pass through
    with (folder / "lock").open("a+", encoding="utf-8") as lock:
        if not try_lock(lock.fileno()):
            raise StackError(
                f"A demo already runs in this checkout{_holder(folder, ' (process {pid})')}. "
                "Stop it with Ctrl-C in its terminal, or with `make clean`, which also takes its data away."
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def remove(folder: Path) -> None:
    """End the demo that runs, if one does, end what a killed one left running, and delete its data."""
    if not folder.exists():
        return
    with (folder / "lock").open("a+", encoding="utf-8") as lock:
        if not try_lock(lock.fileno()):
            pid = _pid(folder)
            if "stack.demo" in command_line(pid):
                end(pid, requests=[signal.SIGTERM], patience=ENDING_SECONDS)
            if not try_lock(lock.fileno()):
                raise StackError(f"A demo still runs in this checkout{_holder(folder, ' (process {pid})')}.")
        end_leftovers(folder / "run")
        postgres.remove(folder / "postgres")
        shutil.rmtree(folder)


def secret(folder: Path, name: str) -> str:
    """A secret made once and kept, readable by its owner only: 64 hexadecimal digits."""
    file = folder / "secrets" / name
    if not file.exists():
        write_private(file, secrets.token_hex(32))
    return file.read_text(encoding="utf-8")


def _pid(folder: Path) -> int:
    text = (folder / "lock").read_text(encoding="utf-8")
    return int(text) if text.isdigit() else 0


def _holder(folder: Path, form: str) -> str:
    pid = _pid(folder)
    return form.format(pid=pid) if pid else ""
