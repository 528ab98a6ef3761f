"""load-to-sis into each SIS of the sandbox, with nothing but its profile and the sandbox's connection."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from load.plans import line_item_plan, now, open_run, result_plan, run_load, states
from passback.connections import Endpoint
from passback.errors import CredentialError, PermissionRefusedError
from passback.oneroster import Client, Limits, Retries, held_line_items, held_results
from passback.oneroster.gradebook import OneRosterGradebook
from passback.oneroster.probe import clock_skew, permissions
from passback.sis import profile_of
from passback.sis.words import mend_of
from sandbox_process import SandboxProcess, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from passback.ledger import Connection

SYSTEMS = ("skyward", "aeries", "aspen", "aspire", "generic")
QUICK = Retries(attempts=3, patience=10.0, first_wait=0.02)
RESULT_COLUMNS = ["line_item_id", "sis_student_id", "score", "score_status", "score_date", "mark"]


@dataclass(frozen=True)
class Sis:
    """A SIS of the sandbox."""

    system: str
    sandbox: SandboxProcess

    @property
    def endpoint(self) -> Endpoint:
        found = self.sandbox.info()["connections"]["sis"]
        url = f"{found['schema']}://{found['host']}:{found['port']}"
        return Endpoint("sis", url, found["login"], found["password"], found["extra"])

    def gradebook(self) -> OneRosterGradebook:
        limits = Limits(connections=8, requests_per_second=10_000)
        return OneRosterGradebook(
            self.endpoint, profile_of(self.system), clock=now, limits=limits, retries=QUICK
        )

    def client(self, endpoint: Endpoint | None = None) -> Client:
        limits = Limits(connections=8, requests_per_second=10_000)
        return Client(endpoint or self.endpoint, profile_of(self.system), limits=limits, retries=QUICK)


@pytest.fixture(scope="module", params=SYSTEMS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sis]:
    state = tmp_path_factory.mktemp(request.param)
    with start_sandbox(state, sis=request.param, modules="AAA") as process:
        yield Sis(request.param, process)


@pytest.fixture
def sis(running: Sis) -> Sis:
    running.sandbox.reset()
    return running


async def plan(sis: Sis, gradebook: OneRosterGradebook) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Two line items of a class, a result of each of its students and the schools of all classes."""
    today = date.fromisoformat(sis.sandbox.info()["seeding_date"])
    facts = await gradebook.facts((), today=today)
    sis_class, *_ = facts["sis_enrollments"]["sis_class_id"].value_counts().index
    periods = facts["sis_periods"].query("sis_class_id == @sis_class and not closed")
    day = periods["start_date"].iloc[0]
    categories = facts["sis_categories"]
    fitting = categories["sis_class_id"].isin(["", sis_class])
    fitting &= categories["term_id"].eq("") | (
        categories["term_start"].le(day) & categories["term_end"].ge(day)
    )
    items = line_item_plan(
        2,
        sis_class_id=sis_class,
        category_id=categories.loc[fitting, "category_id"].iloc[0],
        period_id=periods["period_id"].iloc[0],
        assign_date=day,
        due_date=day,
    )
    enrolled = facts["sis_enrollments"].query("sis_class_id == @sis_class")["sis_student_id"]
    results = result_plan(items, sorted(enrolled)[:10], score_date=today.isoformat())
    profile = profile_of(sis.system)
    results.loc[0, ["score", "score_status"]] = (
        0.0 if gradebook.version == "1.1" else float("nan"),
        "exempt",
    )
    if profile.late_and_missing != "none":
        results.loc[1, "mark"] = "late"
        results.loc[2, ["score", "score_status", "mark"]] = (0.0, profile.zero_status, "missing")
    classes = facts["sis_classes"]
    return items, results, dict(zip(classes["sis_class_id"], classes["school_id"], strict=True))


def rows_of(frame: pd.DataFrame, columns: list[str]) -> Counter[tuple[Any, ...]]:
    text = frame[columns].astype(object).where(frame[columns].notna(), None)
    return Counter(text.itertuples(index=False, name=None))


async def test_the_sis_holds_the_plan_value_by_value_and_gives_it_back(sis: Sis, ledger: Connection) -> None:
    async with sis.gradebook() as gradebook:
        items, results, schools = await plan(sis, gradebook)
        counts = await run_load(
            ledger,
            gradebook,
            items,
            results,
            run_id=open_run(ledger),
            schools=schools,
        )
        sis_class = items["sis_class_id"][0]
        read_items, _ = await gradebook.line_items({sis_class})
        listings = [await gradebook.results(sis_class, item) for item in items["line_item_id"]]
    assert (counts.line_items_written, counts.results_written, counts.refused) == (2, len(results), 0)
    assert states(ledger)["results"] == {"accepted": len(results)}
    held = sis.sandbox.dump()
    columns = [name for name in read_items.columns if name in items.columns]
    for found in (held_line_items(held["lineItems"]), read_items):
        assert rows_of(found, columns) == rows_of(items, columns)
    for found in (
        held_results(held["results"]),
        pd.concat(listings),
    ):
        assert rows_of(found, RESULT_COLUMNS) == rows_of(results, RESULT_COLUMNS)


async def test_a_line_item_without_a_period_is_taken_where_the_profile_leaves_it_to_the_sis(
    sis: Sis, ledger: Connection
) -> None:
    async with sis.gradebook() as gradebook:
        items, results, schools = await plan(sis, gradebook)
        items["period_id"] = ""
        counts = await run_load(
            ledger, gradebook, items, results.head(0), run_id=open_run(ledger), schools=schools
        )
    assert (counts.line_items_written, counts.refused) == ((0, 2) if sis.system == "skyward" else (2, 0))


async def test_everything_that_a_run_needs_is_readable_and_the_clocks_agree(sis: Sis) -> None:
    async with sis.client() as client:
        found = await permissions(client)
        skew = await clock_skew(client)
        granted = await client.granted_scopes()
    assert [each.collection for each in found if not each.readable] == []
    assert skew is not None
    assert abs(skew) <= 2
    assert granted >= set(client.profile.scopes.split())
    assert sis.sandbox.writes() == []


async def test_a_clock_that_is_ahead_is_noticed(sis: Sis) -> None:
    sis.sandbox.control("PATCH", "/settings", {"clock_skew_seconds": 600})
    try:
        async with sis.client() as client:
            skew = await clock_skew(client)
    finally:
        sis.sandbox.control("PATCH", "/settings", {"clock_skew_seconds": 0})
    assert skew == pytest.approx(600, abs=2)


async def test_a_wrong_secret_stops_at_the_token(sis: Sis) -> None:
    right = sis.endpoint
    wrong = Endpoint(right.connection, right.base_url, right.login, "wrong", right.extra)
    async with sis.client(wrong) as client:
        with pytest.raises(CredentialError, match="connection sis"):
            await permissions(client)


async def test_a_profile_needs_no_more_than_the_address_the_id_and_the_secret(sis: Sis) -> None:
    right = sis.endpoint
    url = right.base_url + ("/aeries" if sis.system == "aeries" else "")
    async with sis.client(Endpoint("sis", url, right.login, right.secret, {})) as client:
        assert all(each.readable for each in await permissions(client))


async def test_a_missing_permission_of_aeries_is_named_and_its_words_say_what_to_do(
    tmp_path_factory: pytest.TempPathFactory, ledger: Connection
) -> None:
    with start_sandbox(tmp_path_factory.mktemp("aeries"), sis="aeries", modules="AAA") as process:
        sis = Sis("aeries", process)
        async with sis.client() as client, sis.gradebook() as gradebook:
            items, results, _ = await plan(sis, gradebook)
            process.control("PATCH", "/settings", {"permissions": {"Gradebook Scores": ["read"]}})
            counts = await run_load(ledger, gradebook, items, results, run_id=open_run(ledger))
            process.control("PATCH", "/settings", {"permissions": {"Gradebook Assignment": []}})
            refused = [each for each in await permissions(client) if not each.readable]
            with pytest.raises(PermissionRefusedError, match="does not let passback read lineItems: 403"):
                await client.line_items_of_class(items["sis_class_id"].iloc[0])
            listed = await gradebook.line_items(items["sis_class_id"])
    assert listed.unreadable == set(items["sis_class_id"])
    assert (counts.line_items_written, counts.refused) == (2, len(results))
    with ledger, ledger.cursor() as cursor:
        cursor.execute("SELECT DISTINCT answer_words FROM passback.results WHERE state = 'refused'")
        ((words,),) = cursor.fetchall()
    assert "update on Gradebook Scores" in words
    assert "API Security" in mend_of(words, profile_of("aeries"))
    assert [(each.collection, each.status) for each in refused] == [("lineItems", 403)]
    assert "Gradebook Assignment" in refused[0].words
