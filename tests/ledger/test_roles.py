"""Owner, writer and reader: what each may do with the ledger, whoever has made it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg2
import pytest
from alembic import command
from psycopg2 import sql

from ledger.frames import result_answers, result_plan
from logins import new_login
from passback.errors import LedgerOutdatedError, PermissionRefusedError
from passback.ledger import (
    answer_results,
    connect,
    database,
    ensure_schema,
    first_break,
    intend_results,
    owns,
    roles,
    roles_are_granted,
    upgrade,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from passback.ledger import Connection
    from stack.postgres import Postgres


@pytest.fixture
def login(postgres: Postgres, ledger_url: str) -> Callable[..., str]:
    """Makes a login that is a member of group roles; gives the URL of the test's ledger with it."""

    def make(*groups: str, attributes: str = "", url: str = ledger_url) -> str:
        return new_login(postgres, url.rsplit("/", 1)[1], *groups, attributes=attributes)

    return make


def send(connection: Connection, run: int, *students: str) -> None:
    intend_results(connection, "lakeview", run, result_plan(*students))
    answer_results(connection, "lakeview", run, result_answers(*students))


def refused(connection: Connection, statement: str) -> None:
    with pytest.raises(PermissionRefusedError), database.transaction(connection) as cursor:
        cursor.execute(statement)


def test_a_writer_appends_to_the_trail_and_cannot_change_it(
    ledger: Connection, run: int, login: Callable[..., str]
) -> None:
    # The privilege alone is what refuses: the triggers are off.
    with database.transaction(ledger) as cursor:
        cursor.execute("ALTER TABLE passback.trail DISABLE TRIGGER ALL")
        cursor.execute("ALTER TABLE passback.trail_stumps DISABLE TRIGGER ALL")
    url = login("passback_writer")
    ensure_schema(url)
    with closing(connect(url)) as writer:
        send(writer, run, "amy", "bo")
        for statement in (
            "UPDATE passback.trail SET ordered_by = 'nobody'",
            "DELETE FROM passback.trail",
            "TRUNCATE passback.trail",
            "ALTER TABLE passback.trail DISABLE TRIGGER ALL",
            "DROP TABLE passback.trail",
            "INSERT INTO passback.trail_stumps SELECT * FROM passback.trail_stumps",
            "UPDATE passback.trail_stumps SET rows = 1",
            "DELETE FROM passback.trail_stumps",
            "TRUNCATE passback.trail_stumps",
            "DELETE FROM passback.trail_heads",
            "DELETE FROM passback.runs",
            "UPDATE passback.alembic_version SET version_num = '9999'",
            "CREATE TABLE passback.mine (i int)",
            "DROP FUNCTION passback.refuse_change() CASCADE",
        ):
            refused(writer, statement)
    assert first_break(ledger, "lakeview") is None


def test_a_reader_sees_everything_and_writes_nothing(
    ledger: Connection, run: int, login: Callable[..., str]
) -> None:
    send(ledger, run, "amy")
    url = login("passback_reader")
    ensure_schema(url)
    with database.transaction(ledger) as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'passback' ORDER BY 1")
        tables = [name for (name,) in cursor]
    with closing(connect(url)) as reader:
        for table in tables:
            name = sql.Identifier("passback", table)
            with database.transaction(reader) as cursor:
                cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(name))
            for statement in ("DELETE FROM {}", "TRUNCATE {}", "INSERT INTO {} DEFAULT VALUES"):
                refused(reader, sql.SQL(statement.replace("{}", "{0}")).format(name))
        assert first_break(reader, "lakeview") is None


def test_only_the_owner_may_bring_the_schema_up_to_date(
    ledger: Connection, ledger_url: str, login: Callable[..., str]
) -> None:
    writer, owner = login("passback_writer"), login("passback_owner")
    assert (owns(ledger_url), owns(owner), owns(writer)) == (True, True, False)
    upgrade(writer)  # nothing is to be done
    with database.transaction(ledger) as cursor:
        cursor.execute("UPDATE passback.alembic_version SET version_num = '0005'")
    with pytest.raises(LedgerOutdatedError, match="passback ledger upgrade"):
        ensure_schema(writer)
    with pytest.raises(PermissionRefusedError):
        upgrade(writer)
    with database.transaction(ledger) as cursor:
        cursor.execute("UPDATE passback.alembic_version SET version_num = %s", (database.HEAD,))
    database._migrate(ledger_url, lambda config: command.downgrade(config, "0005"))
    assert not roles_are_granted(ledger_url)
    upgrade(owner)
    assert roles_are_granted(ledger_url)
    ensure_schema(writer)
    assert owners(ledger) == {"passback_owner"}


@pytest.mark.parametrize("attributes", ["CREATEROLE", ""])
def test_a_login_that_is_no_superuser_makes_the_ledger_and_grants(
    postgres: Postgres, login: Callable[..., str], attributes: str
) -> None:
    name = f"ledger_{uuid4().hex}"
    url = login(attributes=attributes, url=f"/{name}")
    own(postgres, name, url)
    ensure_schema(url)
    assert owns(url)
    assert roles_are_granted(url)
    writer = login("passback_writer", url=url)
    ensure_schema(writer)
    assert not owns(writer)
    database._migrate(url, lambda config: command.downgrade(config, "0005"))
    upgrade(url)
    with closing(connect(writer)) as connection:
        refused(connection, "DELETE FROM passback.trail")
    with closing(connect(postgres.url_for(name))) as administrator:
        with database.transaction(administrator) as cursor:
            cursor.execute(roles.SCRIPT)
        assert owners(administrator) == {"passback_owner"}
    assert owns(url)  # who has made it goes on as before
    upgrade(url)


def test_the_script_that_is_printed_can_be_repeated(ledger: Connection, login: Callable[..., str]) -> None:
    with database.transaction(ledger) as cursor:
        cursor.execute(roles.REVOKE)
    with closing(connect(login("passback_reader"))) as reader:
        refused(reader, "SELECT FROM passback.runs")
        for _twice in range(2):
            with database.transaction(ledger) as cursor:
                cursor.execute(roles.SCRIPT)
        with database.transaction(reader) as cursor:
            cursor.execute("SELECT FROM passback.runs")


def own(postgres: Postgres, name: str, url: str) -> None:
    """A database of a login's own."""
    postgres.create_database(name)
    with closing(psycopg2.connect(postgres.url_for(name))) as server, server, server.cursor() as cursor:
        user = psycopg2.extensions.parse_dsn(url)["user"]
        cursor.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), sql.Identifier(user))
        )


def owners(ledger: Connection) -> set[str]:
    with database.transaction(ledger) as cursor:
        cursor.execute(
            "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class"
            " WHERE relnamespace = 'passback'::regnamespace"
        )
        return {name for (name,) in cursor}
