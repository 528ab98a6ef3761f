"""The sandboxes' processes: a learning platform and a SIS on loopback for each sample district."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stack import processes
from stack.http import request_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from stack.districts import SampleDistrict
    from stack.processes import Service

__all__ = ["Sandbox", "connections", "start"]

START_SECONDS = 180


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox.

    Args:
        district: The district whose systems it stands for.
        url: Where it listens: http://127.0.0.1:PORT.
        info: What it says of itself, credentials included.
        service: Its process.
    """

    district: SampleDistrict
    url: str
    info: Mapping[str, Any] = field(repr=False)
    service: Service


def start(
    districts: Sequence[SampleDistrict],
    *,
    state: Path,
    run_folder: Path,
    environment: Mapping[str, str],
    working_folder: Path,
) -> list[Sandbox]:
    """Start a sandbox for each district on its state, made the first time, and wait until all answer.

    What was started is stopped again if one of them does not come up.
    """
    run_folder.mkdir(parents=True, exist_ok=True)
    started: list[tuple[SampleDistrict, Path, Service]] = []
    try:
        for district in districts:
            ready = run_folder / f"sandbox-{district.name}.ready"
            ready.unlink(missing_ok=True)
            command = [sys.executable, "-m", "sandbox", "--state", str(state / district.name)]
            command += ["--ready-file", str(ready), "--lms", district.lms, "--sis", district.sis]
            command += ["--modules", district.modules] if district.modules else []
            service = processes.start(
                f"sandbox-{district.name}",
                command,
                folder=run_folder,
                environment=environment,
                working_folder=working_folder,
            )
            started.append((district, ready, service))
        return [_ready(*each) for each in started]
    except BaseException:
        processes.stop([service for _, _, service in started])
        raise


def connections(sandbox: Sandbox) -> dict[str, Mapping[str, Any]]:
    """The Airflow connections of its district, by id, in Airflow's JSON form."""
    name, offered = sandbox.district.name, sandbox.info["connections"]
    return {
        f"{name}_{sandbox.district.lms}": offered["source"],
        f"{name}_{sandbox.district.sis}": offered["sis"],
    }


def _ready(district: SampleDistrict, ready: Path, service: Service) -> Sandbox:
    processes.wait_until(
        ready.exists,
        what=f"the sandbox of {district.name} is ready",
        services=[service],
        seconds=START_SECONDS,
    )
    url = json.loads(ready.read_text(encoding="utf-8"))["url"]
    return Sandbox(district, url, request_json("GET", f"{url}/control/info"), service)
