"""A process that has everything imported, and forks for every attempt at a night: `python night_process.py`.

It reads orders, a line of JSON each, from its input, and tells on its output which processes do them and how
they ended. An attempt can so be killed as a worker is, and costs no imports.

An order is a list of attempts: {"environment", "district", "run_key", "mode", "tasks", "now", "notes",
"hasty", "strike", "postgres"}, and of an undo "undoes". Its tasks may also be commands; "told" says what of.
What an attempt comes to is noted in the file `notes`, a line of JSON a task.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import vl_convert

import passback
from faults.commands import command
from passback import gradebooks, steps
from passback.errors import PassbackError
from passback.ledger import pace
from passback.mapping.file import read_district
from passback.night import Night
from passback.oneroster import Retries
from passback.oneroster import patience as sis_patience
from passback.records import TEXT
from passback.rules import verdicts
from passback.sources import feed
from passback.stages import validate
from passback.steps import undo, work
from passback.undo import Undo

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = str(Path(passback.__file__).parent)
# As patient as the product is, in shorter seconds: what it waits for here passes in as little time.
QUICK = Retries(attempts=4, patience=2.5, first_wait=0.01)
KEYS = ("assessment_id", "class_id", "student_id")
ANSWER_WITHIN = 0.35  # seconds


def quicken(verdicts_folder: Path) -> None:
    """Shorten the waits between attempts, and ask for each verdict once."""
    set_known(sis_patience, "_PAUSE", 0.02)
    set_known(feed, "FIRST_WAIT", 0.01)
    set_known(pace, "GONE_AFTER", 1.0)  # what a killed run had of the SIS's limits is free again sooner
    # The rules are not on trial here, and most rows of most nights are the same; each asking costs a second.
    set_known(validate, "judge", kept(verdicts_folder, verdicts.judge))
    # What draws the report's charts has threads of its own, and those do not live on in a fork.
    set_known(vl_convert, "vegalite_to_svg", lambda *_, **__: "<svg/>")


def give_up_soon() -> None:
    """Wait for answers, and try again, for a shorter time: in attempts in which something goes wrong."""
    set_known(work, "RETRIES", QUICK)
    for name in ("OneRosterGradebook", "AeriesGradebook"):
        set_known(gradebooks, name, partial(getattr(gradebooks, name), timeout=ANSWER_WITHIN))


def set_known(module: Any, name: str, value: Any) -> None:
    """Replace what a module has under a name; a name that it no longer has is a fault of this file."""
    if not hasattr(module, name):
        message = f"{module.__name__} has no {name}"
        raise AttributeError(message)
    setattr(module, name, value)


def kept(folder: Path, judge: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
    """`rules.verdicts.judge`, asked once for the same row, suite and settings."""

    def judge_or_remember(frame: pd.DataFrame, suite: Any, parameters: Any) -> pd.DataFrame:
        keys = [name for name in KEYS if name in frame]
        if frame.duplicated(keys).any():  # the one rule that looks at several rows
            return judge(frame, suite, parameters)
        asked = (str(suite.path), sorted(parameters.items()))
        content = frame.drop(columns=keys).astype(object).where(frame.notna(), None)
        files = [
            folder / hashlib.sha256(repr((asked, row)).encode()).hexdigest()
            for row in content.itertuples(index=False, name=None)
        ]
        unknown = [not file.exists() for file in files]
        if any(unknown):
            answer = judge(frame[unknown], suite, parameters)
            for file, *verdict in zip(
                compress(files, unknown), answer["codes"], answer["outcome"], strict=True
            ):
                half = file.with_suffix(f".{os.getpid()}")
                half.write_text("\n".join(verdict))
                half.rename(file)
        verdicts = [file.read_text().split("\n") for file in files]
        return pd.DataFrame(verdicts, columns=["codes", "outcome"], index=frame.index, dtype=TEXT)

    return judge_or_remember


def attempt(order: dict[str, Any]) -> None:
    """Do an order's tasks one after another, until one fails."""
    os.environ |= order["environment"]
    if order["hasty"]:
        give_up_soon()
    begun, now = time.monotonic(), datetime.fromisoformat(order["now"])
    district, said = read_district(order["district"]), list[str]()
    told: dict[str, Any] = {
        "say": said.append,
        "clock": lambda: now + timedelta(seconds=time.monotonic() - begun),
    }
    if "told" in order:
        take = partial(command, district=order["district"], told=order["told"])
    elif order.get("undoes"):
        of_run = Undo(district, "sha256 of its file", order["run_key"], order["undoes"], "test")
        take = partial(undo.run, undo=of_run, **told)
    else:
        night = Night(district, "sha256 of its file", order["run_key"], order["mode"])
        take = partial(steps.run, night=night, **told)
    with Path(order["notes"]).open("a") as notes:
        for task_id in order["tasks"]:
            note: dict[str, Any] = {"task": task_id}
            strike = order["strike"] if order["strike"] and order["strike"]["task"] == task_id else None
            calls = strike_at(strike, order["postgres"]) if strike else lambda: 0
            try:
                note["returned"] = take(task_id)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                foreseen = isinstance(error, PassbackError)
                note |= {"error": type(error).__name__, "message": str(error), "foreseen": foreseen}
            note |= {"calls": calls(), "seconds": round(time.monotonic() - begun, 3)}
            print(json.dumps(note, default=str), file=notes, flush=True)
            if "error" in note:
                return


def strike_at(strike: dict[str, Any], postgres: int) -> Callable[[], int]:
    """Strike when Passback has called so many functions of its own from now on; returns a count of them.

    A place in the code is the same whenever a case is played again; so many milliseconds are not.
    """
    count = 0

    def profile(frame: Any, event: str, _: Any) -> None:
        nonlocal count
        if event != "call" or not frame.f_code.co_filename.startswith(PACKAGE):
            return
        count += 1
        if count != strike["call"]:
            return
        if strike["what"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        os.kill(postgres, signal.SIGQUIT)  # an immediate shutdown; who has started it starts it again

    def stop() -> int:
        sys.setprofile(None)
        threading.setprofile(None)
        return count

    threading.setprofile(profile)
    sys.setprofile(profile)
    return stop


def forked(order: dict[str, Any]) -> int:
    """Begin an attempt in a process of its own; its id."""
    pid = os.fork()
    if pid:
        return pid
    with suppress(BaseException):
        attempt(order)
        os._exit(0)
    os._exit(1)


def main(verdicts_folder: Path) -> None:
    """Take orders until the input ends. The first is done in this very process, to be warm for the others."""
    # Whatever else is printed in here, such as a log, must not stand between the lines that are read.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    quicken(verdicts_folder)
    warmed = False
    for line in sys.stdin:
        orders = json.loads(line)
        if not warmed:
            attempt(orders[0])
            warmed = True
            gc.disable()  # a collection would copy all that the forks share
            gc.freeze()
            print(json.dumps({"ended": [0]}), file=output)
            continue
        pids = [forked(order) for order in orders]
        print(json.dumps({"pids": pids}), file=output)
        ended = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        print(json.dumps({"ended": ended}), file=output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
