"""Who may do what in the ledger's database: three group roles, and who holds the tables.

`passback_owner` owns the schema, migrates it and purges; `passback_writer` is what the application needs, and
cannot change what the trail says; `passback_reader` looks. All three are group roles without a login: a
district's logins are made members of them.
"""

from __future__ import annotations

from typing import Final

from passback.ledger.database import connect, transaction

NAMES: Final = ("passback_owner", "passback_writer", "passback_reader")

# Roles belong to the whole server: another database's migration may make the same one at this moment.
_CREATE: Final = """
DO $$
DECLARE
    missing text;
BEGIN
    FOREACH missing IN ARRAY ARRAY['passback_owner', 'passback_writer', 'passback_reader'] LOOP
        IF to_regrole(missing) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', missing);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;
"""

# Who has made the tables keeps them where the server does not let them be handed over; where it does, they go
# on as before, as a member of the new owner.
_HAND_OVER: Final = """
DO $$
DECLARE
    thing record;
BEGIN
    FOR thing IN
        SELECT rolname AS name FROM pg_roles
        WHERE (oid IN (SELECT relowner FROM pg_class WHERE relnamespace = 'passback'::regnamespace)
                OR rolname = current_user)
            AND rolname <> 'passback_owner' AND NOT pg_has_role(oid, 'passback_owner', 'USAGE')
    LOOP
        EXECUTE format('GRANT passback_owner TO %I', thing.name);
    END LOOP;
    IF to_regrole('passback_owner') <> (SELECT nspowner FROM pg_namespace WHERE nspname = 'passback') THEN
        ALTER SCHEMA passback OWNER TO passback_owner;
    END IF;
    FOR thing IN SELECT oid::regclass AS name FROM pg_class
        WHERE relnamespace = 'passback'::regnamespace AND relkind IN ('r', 'p', 'v')
            AND relowner <> to_regrole('passback_owner')
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO passback_owner', thing.name);
    END LOOP;
    FOR thing IN SELECT oid::regprocedure AS name FROM pg_proc
        WHERE pronamespace = 'passback'::regnamespace AND proowner <> to_regrole('passback_owner')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO passback_owner', thing.name);
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'the tables of the ledger stay with their owner';
END
$$;
"""

_GRANT: Final = """
GRANT USAGE ON SCHEMA passback TO passback_writer, passback_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA passback TO passback_writer, passback_reader;
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA passback TO passback_writer;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA passback TO passback_writer;
REVOKE INSERT, UPDATE, DELETE ON passback.alembic_version, passback.trail_stumps FROM passback_writer;
REVOKE UPDATE, DELETE ON passback.trail FROM passback_writer;
REVOKE DELETE ON passback.trail_heads, passback.runs FROM passback_writer;
"""

# A night's batches go through temporary tables. Everybody may make them unless the server says otherwise, and
# only the database's owner can grant it.
_GRANT_DATABASE: Final = """
DO $$
BEGIN
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO passback_writer', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO passback_reader', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'the owner of the database grants CONNECT and TEMPORARY';
END
$$;
"""

SCRIPT: Final = _CREATE + _HAND_OVER + _GRANT + _GRANT_DATABASE
"""Makes the roles where they are missing, hands the tables over and grants; safe to repeat."""

MAY_RUN: Final = """
    SELECT to_regrole('passback_owner') IS NOT NULL AND to_regrole('passback_writer') IS NOT NULL
            AND to_regrole('passback_reader') IS NOT NULL
        OR (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user)
"""
"""Whether the user can run `SCRIPT`: the roles are there, or may be made."""

REVOKE: Final = """
DO $$
BEGIN
    IF to_regrole('passback_writer') IS NOT NULL AND to_regrole('passback_reader') IS NOT NULL THEN
        REVOKE ALL ON ALL TABLES IN SCHEMA passback FROM passback_writer, passback_reader;
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA passback FROM passback_writer, passback_reader;
        REVOKE ALL ON SCHEMA passback FROM passback_writer, passback_reader;
    END IF;
END
$$;
"""
"""Takes back what was granted. Roles and owner stay: other databases may know them."""

_OWNS: Final = """
    SELECT CASE
        WHEN to_regclass('passback.trail') IS NOT NULL THEN
            (SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class
             WHERE oid = to_regclass('passback.trail'))
        ELSE has_database_privilege(current_database(), 'CREATE')
    END
"""

_GRANTED: Final = """
    SELECT CASE WHEN to_regrole('passback_writer') IS NULL THEN false
        ELSE has_table_privilege('passback_writer', 'passback.trail', 'INSERT') END
"""


def owns(url: str) -> bool:
    """Whether the user of a connection may migrate the ledger and purge it; in an empty database, make it.

    Raises:
        PassbackError: as `connect` and `transaction`.
    """
    return _ask(url, _OWNS)


def roles_are_granted(url: str) -> bool:
    """Whether the group roles are there and hold their privileges in this ledger.

    Raises:
        PassbackError: as `connect` and `transaction`.
    """
    return _ask(url, _GRANTED)


def _ask(url: str, question: str) -> bool:
    connection = connect(url)
    try:
        with transaction(connection) as cursor:
            cursor.execute(question)
            (answer,) = cursor.fetchone() or (False,)
            return bool(answer)
    finally:
        connection.close()
