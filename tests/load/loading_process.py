"""One load in a process of its own, to be killed: `python loading_process.py SETTINGS.json`."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from load.plans import now, run_load
from passback import ledger as books
from passback.connections import Endpoint
from passback.oneroster.gradebook import OneRosterGradebook
from passback.records import LINE_ITEM_PLAN, RESULT_PLAN
from passback.sis import profile_of


async def main(settings: dict[str, str]) -> None:
    line_items = LINE_ITEM_PLAN.conform(pd.read_parquet(settings["line_items"]))
    results = RESULT_PLAN.conform(pd.read_parquet(settings["results"]))
    system, extra = settings.get("system", "skyward"), json.loads(settings.get("extra", "{}"))
    endpoint = Endpoint(system, settings["url"], settings["client_id"], settings["secret"], extra)
    with closing(books.connect(settings["ledger_url"])) as connection:
        async with OneRosterGradebook(endpoint, profile_of(system), clock=now) as sis:
            await run_load(
                connection,
                sis,
                line_items,
                results,
                run_id=int(settings["run_id"]),
                schools=dict.fromkeys(line_items["sis_class_id"], settings.get("school", "")),
            )


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
