"""The steps that the ledger's schema has taken, by alembic."""
