"""Reaching the database, the schema's version, the district's lock."""

from __future__ import annotations

import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pandas as pd
import psycopg2
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from ledger.frames import judged, line_item_answers, line_item_plan, result_answers, result_plan
from passback.errors import (
    BusyError,
    ConfigurationError,
    CredentialError,
    FatalError,
    LedgerOutdatedError,
    PassbackError,
    PermissionRefusedError,
    UnavailableError,
)
from passback.ledger import (
    answer_line_items,
    answer_results,
    connect,
    database,
    district_lock,
    ensure_schema,
    explain,
    explain_score,
    intend_line_items,
    intend_results,
    known_line_items,
    known_results,
    latest_runs,
    lose_line_items,
    migrations,
    note_category,
    open_run,
    record_outcomes,
    upgrade,
    verify_trail,
)
from passback.ledger.outcomes import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.ledger import Connection
    from stack.postgres import Postgres


A_SENT_RESULT_OF_VERSION_1 = """
    INSERT INTO passback.runs
        (district, run_key, mode, ordered_by, mapping_hash, rule_set, state, started_at, ended_at)
    VALUES ('lakeview', 'night-1', 'changes', 'schedule', 'm1', 'r1', 'good', now(), now());
    INSERT INTO passback.results
        (district, line_item_id, sis_student_id, assessment_id, class_id, student_id, sis_class_id, score,
         score_status, score_date, state, run_id, intended_at, in_sis)
    SELECT 'lakeview', 'item-1', 'sis-amy', 'essay', '7b', 'amy', 'sis-7b', 80, 'graded', '2026-11-21',
           'confirmed', run_id, now(), '{"score": 80, "score_status": "graded", "score_date": "2026-11-21"}'
    FROM passback.runs
"""


AN_OUTCOME_OF_VERSION_1 = """
    INSERT INTO passback.score_outcomes
        (district, assessment_id, class_id, student_id, outcome, codes, run_id, since)
    SELECT 'lakeview', 'essay', '7b', 'amy', 'passed', '', run_id, now() FROM passback.runs;
    UPDATE passback.runs SET recorded_at = now()
"""


@pytest.fixture
def empty_url(postgres: Postgres) -> str:
    url = postgres.create_database("empty")
    with closing(connect(url)) as connection, database.transaction(connection) as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS passback CASCADE")
    return url


def free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def tables(url: str) -> set[str]:
    with closing(connect(url)) as connection, database.transaction(connection) as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'passback'")
        return {name for (name,) in cursor}


# --- Connections ---


def test_a_session_is_in_utc_and_says_who_it_is(ledger: Connection) -> None:
    with database.transaction(ledger) as cursor:
        cursor.execute("SELECT current_setting('TimeZone'), current_setting('application_name')")
        assert cursor.fetchone() == ("UTC", "passback")


def test_a_lost_machine_is_noticed_by_the_server_in_two_minutes(ledger: Connection) -> None:
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "SELECT current_setting('tcp_keepalives_idle')::int +"
            " current_setting('tcp_keepalives_interval')::int * current_setting('tcp_keepalives_count')::int"
        )
        assert cursor.fetchone() == (120,)


def test_a_server_that_is_down_is_unavailable_and_named_without_the_password() -> None:
    port = free_port()
    with pytest.raises(UnavailableError) as raised:
        connect(f"postgresql://passback:hush@127.0.0.1:{port}/scores")
    assert raised.value.where == f"127.0.0.1:{port}/scores"
    assert raised.value.mend
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("user", "password", "name", "error"),
    [
        ("postgres", "wrong-one", "postgres", CredentialError),
        ("nobody-known", "wrong-one", "postgres", CredentialError),
        (None, None, "no-such-database", ConfigurationError),
    ],
)
def test_what_the_server_refuses_is_fatal_and_says_what_to_mend(
    postgres: Postgres, user: str | None, password: str | None, name: str, error: type[PassbackError]
) -> None:
    known = urlsplit(postgres.url_for("postgres"))
    url = (
        f"postgresql://{user or known.username}:{password or known.password}@127.0.0.1:{postgres.port}/{name}"
    )
    with pytest.raises(error) as raised:
        connect(url)
    assert raised.value.where == f"127.0.0.1:{postgres.port}/{name}"
    assert raised.value.mend
    assert str(known.password) not in str(raised.value)
    assert "wrong-one" not in str(raised.value)


def test_a_url_that_cannot_be_read_is_not_quoted() -> None:
    with pytest.raises(ConfigurationError) as raised:
        connect("postgres hush")
    assert "hush" not in str(raised.value)


def test_a_connection_that_breaks_is_unavailable_and_the_next_one_works(ledger_url: str) -> None:
    with closing(connect(ledger_url)) as broken, closing(connect(ledger_url)) as other:
        with database.transaction(other) as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", (broken.info.backend_pid,))
        with pytest.raises(UnavailableError):
            known_results(broken, "lakeview")
        with pytest.raises(UnavailableError):
            known_results(broken, "lakeview")
        assert known_results(other, "lakeview").empty


def test_a_database_error_never_quotes_a_row(ledger: Connection, run: int) -> None:
    twice = result_plan("amy-lee", "amy-lee")
    with pytest.raises(FatalError) as raised:
        intend_results(ledger, "lakeview", run, twice)
    assert "amy-lee" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    with pytest.raises(FatalError) as raised:
        record_outcomes(ledger, run, judged("splendid", "amy-lee"))
    assert "splendid" not in str(raised.value)
    assert raised.value.where == "passback.run_outcomes.run_outcomes_outcome_check"


def test_a_row_that_another_holds_too_long_is_busy(ledger: Connection, ledger_url: str, run: int) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy"))
    with closing(connect(ledger_url)) as other, database.transaction(other) as holding:
        holding.execute("SELECT FROM passback.results FOR UPDATE")
        with database.transaction(ledger) as cursor:
            cursor.execute("SET lock_timeout = '10ms'")
        with pytest.raises(BusyError):
            intend_results(ledger, "lakeview", run, result_plan("amy"))


def test_a_role_without_privileges_is_told_so(
    postgres: Postgres, ledger: Connection, ledger_url: str
) -> None:
    with database.transaction(ledger) as cursor:
        cursor.execute("DROP ROLE IF EXISTS onlooker")
        cursor.execute("CREATE ROLE onlooker LOGIN PASSWORD 'onlooker'")
    onlooker = f"postgresql://onlooker:onlooker@127.0.0.1:{postgres.port}/{urlsplit(ledger_url).path[1:]}"
    with closing(connect(onlooker)) as connection, pytest.raises(PermissionRefusedError):
        latest_runs(connection, None, 1)


# --- The schema ---


def test_the_version_written_in_the_code_is_that_of_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    assert ScriptDirectory.from_config(config).get_heads() == [database.HEAD]


def test_an_empty_database_gets_the_schema_without_noise(
    empty_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        ensure_schema(empty_url)
        ensure_schema(empty_url)
    assert tables(empty_url) == {
        "alembic_version",
        "extracts",
        "line_items",
        "reason_texts",
        "results",
        "run_outcomes",
        "run_reasons",
        "runs",
        "score_history",
        "score_outcomes",
        "sis_categories",
        "sis_pace",
        "sis_shares",
        "suppressions",
        "trail",
        "trail_heads",
        "trail_stumps",
    }
    assert not caplog.records


def test_several_processes_may_make_the_schema_at_once(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as at_once:
        list(at_once.map(ensure_schema, [empty_url] * 4))
    ensure_schema(empty_url)


@pytest.mark.parametrize(
    ("version", "mend"), [("0000", "passback ledger upgrade"), ("9999", "Install the version")]
)
def test_a_schema_of_another_version_is_refused(
    ledger: Connection, ledger_url: str, version: str, mend: str
) -> None:
    with database.transaction(ledger) as cursor:
        cursor.execute("UPDATE passback.alembic_version SET version_num = %s", (version,))
    with pytest.raises(LedgerOutdatedError) as raised:
        ensure_schema(ledger_url)
    assert mend in raised.value.mend


def test_a_ledger_without_a_schema_says_which_command_mends_it(empty_url: str) -> None:
    with closing(connect(empty_url)) as connection, pytest.raises(LedgerOutdatedError) as raised:
        latest_runs(connection, None, 1)
    assert "passback ledger upgrade" in raised.value.mend


def test_migrations_go_down_and_up_again_on_a_filled_database(
    ledger: Connection, ledger_url: str, run: int
) -> None:
    intend_results(ledger, "lakeview", run, result_plan("amy", "bo"))
    answer_results(ledger, "lakeview", run, result_answers("amy", "bo"))
    record_outcomes(ledger, run, judged("sent", "amy", "bo"))
    upgrade(ledger_url)
    assert len(known_results(ledger, "lakeview")) == 2
    assert verify_trail(ledger, "lakeview") is None
    database._migrate(ledger_url, lambda config: command.downgrade(config, "base"))
    assert tables(ledger_url) == {"alembic_version"}
    ensure_schema(ledger_url)
    assert known_results(ledger, "lakeview").empty


def test_a_ledger_of_the_version_before_gains_marks_and_categories_and_gives_them_back(
    empty_url: str,
) -> None:
    database._migrate(empty_url, lambda config: command.upgrade(config, "0001"))
    with closing(connect(empty_url)) as connection, database.transaction(connection) as cursor:
        cursor.execute(A_SENT_RESULT_OF_VERSION_1)
    with pytest.raises(LedgerOutdatedError):
        ensure_schema(empty_url)

    upgrade(empty_url)
    with closing(connect(empty_url)) as connection:
        (known,) = known_results(connection, "lakeview").to_dict("records")
        assert (known["score"], known["mark"]) == (80.0, "")
        # What the SIS holds is known as without a mark: a night that sends the same again changes nothing.
        intend_results(connection, "lakeview", 1, result_plan("amy"))
        answer_results(connection, "lakeview", 1, result_answers("amy"))
        with database.transaction(connection) as cursor:
            cursor.execute("SELECT count(*) FROM passback.trail")
            assert cursor.fetchone() == (0,)
        intend_results(connection, "lakeview", 1, result_plan("amy", mark="late"))
        answer_results(connection, "lakeview", 1, result_answers("amy"))

    database._migrate(empty_url, lambda config: command.downgrade(config, "0001"))
    assert "sis_categories" not in tables(empty_url)
    with closing(connect(empty_url)) as connection, database.transaction(connection) as cursor:
        cursor.execute("SELECT in_sis FROM passback.results")
        assert cursor.fetchone() == ({"score": 80.0, "score_status": "graded", "score_date": "2026-11-21"},)


def test_a_ledger_of_the_version_before_learns_of_ids_of_the_sis_and_forgets_them_again(
    empty_url: str,
) -> None:
    database._migrate(empty_url, lambda config: command.upgrade(config, "0002"))
    with closing(connect(empty_url)) as connection, database.transaction(connection) as cursor:
        cursor.execute(A_SENT_RESULT_OF_VERSION_1)
    upgrade(empty_url)
    with closing(connect(empty_url)) as connection:
        (known,) = known_results(connection, "lakeview").to_dict("records")
        assert (known["sis_result_id"], known["state"], known["score"]) == ("", "confirmed", 80.0)
        intend_line_items(connection, "lakeview", 1, line_item_plan("item-1", "item-2"))
        answer_line_items(connection, "lakeview", 1, line_item_answers("item-1", sis_id="77"))
        note_category(connection, "lakeview", 1, category_id="cat-1", title="Quiz", at=datetime.now(tz=UTC))
        lose_line_items(connection, "lakeview", 1, pd.DataFrame({"line_item_id": ["item-1"]}))

    database._migrate(empty_url, lambda config: command.downgrade(config, "0002"))
    assert states(empty_url) == {
        ("line_items", "not_stored"),
        ("line_items", "intended"),
        ("results", "not_stored"),
    }
    with (
        closing(connect(empty_url)) as connection,
        pytest.raises(psycopg2.errors.UndefinedColumn),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT sis_line_item_id FROM passback.line_items")

    upgrade(empty_url)
    with closing(connect(empty_url)) as connection:
        assert set(known_line_items(connection, "lakeview")["sis_line_item_id"]) == {""}
        assert verify_trail(connection, "lakeview") is None  # the category stays in the chain


def test_a_ledger_of_the_version_before_gains_a_history_and_gives_it_back(empty_url: str) -> None:
    database._migrate(empty_url, lambda config: command.upgrade(config, "0004"))
    with closing(connect(empty_url)) as connection, database.transaction(connection) as cursor:
        cursor.execute(A_SENT_RESULT_OF_VERSION_1)
        cursor.execute(AN_OUTCOME_OF_VERSION_1)
    for _ in range(2):
        upgrade(empty_url)
        with closing(connect(empty_url)) as connection:
            (score,) = explain_score(connection, "lakeview", "essay", "amy", None)
            assert [(night["run"], night["outcome"]) for night in score["nights"]] == [
                ("night-1", "unchanged")
            ]
            assert score["sent"]["run"] == "night-1"
            later = open_run(
                connection,
                district="lakeview",
                run_key="night-2",
                mode="reconcile",
                ordered_by="schedule",
                mapping_hash="m1",
                rule_set="r1",
                reasons=(),
                started_at=datetime.now(tz=UTC),
            )
            record_outcomes(connection, later, judged("held", "amy"))
            (score,) = explain_score(connection, "lakeview", "essay", "amy", None)
            assert [night["outcome"] for night in score["nights"]] == ["unchanged", "held"]
            record_outcomes(connection, later, judged("unchanged", "amy"))
        database._migrate(empty_url, lambda config: command.downgrade(config, "0004"))
        assert "score_history" not in tables(empty_url)
        with closing(connect(empty_url)) as connection, database.transaction(connection) as cursor:
            cursor.execute("SELECT mode FROM passback.runs WHERE run_key = 'night-2'")
            assert cursor.fetchall() == [("full",)]
            cursor.execute("DELETE FROM passback.score_outcomes")
            cursor.execute("DELETE FROM passback.runs WHERE run_key = 'night-2'")
            cursor.execute(AN_OUTCOME_OF_VERSION_1)


def states(url: str) -> set[tuple[str, str]]:
    with closing(connect(url)) as connection, database.transaction(connection) as cursor:
        cursor.execute(
            "SELECT 'line_items', state FROM passback.line_items"
            " UNION SELECT 'results', state FROM passback.results"
        )
        return set(cursor.fetchall())


def test_the_queries_of_the_documentation_run(ledger: Connection) -> None:
    page = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
    queries = page.split("```sql")[1].split("```")[0].split(";")
    with database.transaction(ledger) as cursor:
        for query in queries:
            if query.strip():
                cursor.execute(query)
    assert len(queries) == 5


# --- The district's lock ---


def test_whoever_only_reads_never_waits_for_a_load(
    ledger: Connection, ledger_url: str, open_night: Callable[..., int]
) -> None:
    night = open_night("night-1")
    intend_results(ledger, "lakeview", night, result_plan("amy", "bo"))
    answer_results(ledger, "lakeview", night, result_answers("amy", "bo"))
    record_outcomes(ledger, night, judged("sent", "amy", "bo"))
    tonight = open_night("night-2")
    reads: dict[str, Callable[[Connection], Any]] = {
        "status": lambda connection: latest_runs(connection, "lakeview", 5),
        "one score": lambda connection: explain_score(connection, "lakeview", "essay", "amy", None),
        "a class": lambda connection: explain(connection, "lakeview", class_id="7b"),
        "known results": lambda connection: known_results(connection, "lakeview"),
        "the trail": lambda connection: verify_trail(connection, "lakeview"),
    }
    with closing(connect(ledger_url)) as reader:
        before = {what: read(reader) for what, read in reads.items()}
        with district_lock(ledger, "lakeview"), database.transaction(ledger) as batch:
            # Everything that a load and an audit write, in one transaction that does not end.
            batch.execute("UPDATE passback.results SET state = 'intended', in_sis = NULL")
            batch.execute("UPDATE passback.trail_heads SET seq = seq + 1")
            record(batch, tonight, judged("held", "amy"))
            batch.execute("UPDATE passback.runs SET state = 'failed', ended_at = now()")
            with database.transaction(reader) as cursor:
                cursor.execute("SET lock_timeout = '1ms'")
            for what, read in reads.items():
                assert str(read(reader)) == str(before[what]), what


def test_a_second_run_of_a_district_is_asked_to_come_back(ledger: Connection, ledger_url: str) -> None:
    with closing(connect(ledger_url)) as other:
        with district_lock(ledger, "lakeview"):
            with pytest.raises(BusyError) as raised, district_lock(other, "lakeview"):
                pass
            assert raised.value.retry_after == 60
            assert "passback status" in raised.value.mend
            assert "clear this task" in raised.value.mend
            with district_lock(other, "hillside"):
                pass
        with district_lock(other, "lakeview"):
            pass


def test_a_block_that_fails_gives_the_lock_back(ledger: Connection, ledger_url: str) -> None:
    with pytest.raises(ZeroDivisionError), district_lock(ledger, "lakeview"):
        raise ZeroDivisionError
    with pytest.raises(psycopg2.Error), district_lock(ledger, "lakeview"), ledger.cursor() as cursor:
        cursor.execute("SELECT nonsense")
    with closing(connect(ledger_url)) as other, district_lock(other, "lakeview"):
        pass


def test_a_killed_process_gives_the_lock_back(ledger: Connection, ledger_url: str) -> None:
    with closing(connect(ledger_url)) as dying, district_lock(dying, "lakeview"):
        with database.transaction(ledger) as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", (dying.info.backend_pid,))
        with district_lock(ledger, "lakeview"):
            pass
