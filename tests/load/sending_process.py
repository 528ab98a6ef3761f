"""A run that asks a SIS without end, in a process of its own: `python sending_process.py JSON`."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from dataclasses import replace
from typing import Any

from passback.connections import Endpoint
from passback.oneroster import Client, Limits
from passback.sis import profile_of
from passback.steps.pace import shared_limits


async def send(settings: dict[str, Any]) -> None:
    """Write results, named after the sender, until the process is ended."""
    limits = Limits(connections=settings["connections"], requests_per_second=settings["per_second"])
    profile = replace(profile_of("skyward"), connections=settings["connections"])
    endpoint = Endpoint("stub", settings["sis"], "client", "secret", {})
    numbers = itertools.count()

    async def work(sis: Client) -> None:
        for number in numbers:
            await sis.put("result", f"{settings['name']}-{number}", {"score": 1.0})

    async with (
        shared_limits(limits, settings["sis"], settings["ledger"], preview=False, say=print),
        Client(endpoint, profile, limits=limits) as sis,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(settings["connections"]):
            group.create_task(work(sis))


if __name__ == "__main__":
    asyncio.run(send(json.loads(sys.argv[1])))
