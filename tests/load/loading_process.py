"""One load in a process of its own, to be killed: `python loading_process.py SETTINGS.json`."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from load.plans import run_load
from passback import ledger as books
from passback.connections import Endpoint
from passback.oneroster import Client
from passback.records import LINE_ITEM_PLAN, RESULT_PLAN
from passback.sis import profile_of


async def main(settings: dict[str, str]) -> None:
    line_items = LINE_ITEM_PLAN.conform(pd.read_parquet(settings["line_items"]))
    results = RESULT_PLAN.conform(pd.read_parquet(settings["results"]))
    endpoint = Endpoint("skyward", settings["url"], settings["client_id"], settings["secret"], {})
    with closing(books.connect(settings["ledger_url"])) as connection:
        async with Client(endpoint, profile_of("skyward")) as sis:
            await run_load(connection, sis, line_items, results, run_id=int(settings["run_id"]))


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
