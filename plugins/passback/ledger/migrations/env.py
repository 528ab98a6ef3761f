"""Run by alembic, on the connection and in the transaction that `passback.ledger.database` hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="passback")
context.run_migrations()
