"""Roles for owner, writer and reader; the trail loses rows only under a stump, and stumps form a chain."""

from alembic import op
from sqlalchemy import text

from passback.ledger import roles, trail

revision = "0006"
down_revision = "0005"

# A row of the trail may go only when a stump tells of it: that holds for the owner too. Looked at after the
# rows are gone, for only then the statement knows which they were; what is refused comes back with it.
UP = """
DROP TRIGGER trail_append_only ON passback.trail;
CREATE TRIGGER trail_append_only BEFORE UPDATE OR TRUNCATE ON passback.trail
    FOR EACH STATEMENT EXECUTE FUNCTION passback.refuse_change();

CREATE FUNCTION passback.refuse_removal_without_stump() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT district, max(seq) AS seq FROM removed GROUP BY district) AS gone
        WHERE NOT EXISTS (
            SELECT FROM passback.trail_stumps AS stump
            WHERE stump.district = gone.district AND stump.last_seq >= gone.seq
        )
    ) THEN
        RAISE EXCEPTION 'the trail is append-only: a row goes only when a stump tells of it'
            USING ERRCODE = 'insufficient_privilege', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER trail_removal AFTER DELETE ON passback.trail REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION passback.refuse_removal_without_stump();

ALTER TABLE passback.trail_stumps ADD COLUMN hash bytea;
COMMENT ON COLUMN passback.trail_stumps.hash IS
    'of the stump before it in the district and of this one''s other columns';
"""

DOWN = """
ALTER TABLE passback.trail_stumps DROP COLUMN hash;
DROP TRIGGER trail_removal ON passback.trail;
DROP FUNCTION passback.refuse_removal_without_stump();
DROP TRIGGER trail_append_only ON passback.trail;
CREATE TRIGGER trail_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON passback.trail
    FOR EACH STATEMENT EXECUTE FUNCTION passback.refuse_change();
"""


def upgrade() -> None:
    """Change the triggers, chain the stumps, and make and grant the roles where the user may.

    Where not, everything works as before under one user; `passback ledger roles` prints what to run.
    """
    op.execute(UP)
    _chain_stumps()
    if op.get_bind().scalar(text(roles.MAY_RUN)):
        op.execute(roles.SCRIPT)


def downgrade() -> None:
    """Take back what was granted; the roles stay, as does the tables' owner."""
    op.execute(roles.REVOKE)
    op.execute(DOWN)


def _chain_stumps() -> None:
    """Give the stumps their hashes, which a way down has taken from them."""
    bind = op.get_bind()
    op.execute("ALTER TABLE passback.trail_stumps DISABLE TRIGGER trail_stumps_append_only")
    links: dict[str, bytes] = {}
    for row in bind.exec_driver_sql(
        f"{trail.STUMP_TEXTS} FROM passback.trail_stumps ORDER BY district, last_seq"
    ).all():
        district, last_seq, *texts = row
        links[district] = trail.link(links.get(district, trail.BEFORE_THE_FIRST), texts)
        bind.execute(
            text(
                "UPDATE passback.trail_stumps SET hash = :hash WHERE district = :district AND last_seq = :seq"
            ),
            {"hash": links[district], "district": district, "seq": last_seq},
        )
    op.execute("ALTER TABLE passback.trail_stumps ENABLE TRIGGER trail_stumps_append_only")
    op.execute("ALTER TABLE passback.trail_stumps ALTER COLUMN hash SET NOT NULL")
