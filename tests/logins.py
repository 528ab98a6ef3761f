"""Logins of the tests' PostgreSQL that are members of Passback's group roles."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg2
from psycopg2 import sql

if TYPE_CHECKING:
    from stack.postgres import Postgres

PASSWORD = "only-for-the-tests"


def new_login(postgres: Postgres, database: str, *groups: str, attributes: str = "") -> str:
    """The URL of a database with a new login that is a member of some group roles."""
    name = f"login_{uuid4().hex}"
    create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} {}").format(
        sql.Identifier(name), sql.Literal(PASSWORD), sql.SQL(attributes)
    )
    with closing(psycopg2.connect(postgres.url_for("postgres"))) as server, server, server.cursor() as cursor:
        cursor.execute(create)
        for group in groups:
            cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(name)))
    return f"postgresql://{name}:{PASSWORD}@127.0.0.1:{postgres.port}/{database}"
