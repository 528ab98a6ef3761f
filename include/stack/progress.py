"""What a person who waits gets to read: numbered steps, and a sign of life while one takes long."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["STEPS", "note", "step"]

STEPS = 6
HEARTBEAT_SECONDS = 10


def note(text: str) -> None:
    """Print a line under the running step."""
    for line in text.splitlines():
        print(f"      {line}", flush=True)


@contextmanager
def step(number: int, title: str) -> Iterator[None]:
    """Announce a step, say every ten seconds that it goes on, and tell how long it took."""
    print(f"[{number}/{STEPS}] {title}", flush=True)
    started = time.monotonic()
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT_SECONDS):
            note(f"… {time.monotonic() - started:.0f} s")

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()
    note(f"done in {time.monotonic() - started:.1f} s")
