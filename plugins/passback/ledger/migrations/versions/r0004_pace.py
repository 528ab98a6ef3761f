"""The pace at which all runs together ask a SIS."""

from alembic import op

revision = "0004"
down_revision = "0003"

# Unlogged: what a crash of PostgreSQL forgets here is known again a second later. The rows are changed twice
# a second: in place, where their page has room.
UP = """
CREATE UNLOGGED TABLE passback.sis_pace (
    host       text PRIMARY KEY,
    brake      double precision NOT NULL DEFAULT 1 CHECK (brake > 0 AND brake <= 1),
    resume_at  timestamptz NOT NULL DEFAULT 'epoch'
) WITH (fillfactor = 50);
COMMENT ON COLUMN passback.sis_pace.host IS 'scheme, host and port of a SIS';
COMMENT ON COLUMN passback.sis_pace.brake IS 'the part of the full rate that was allowed at resume_at';
COMMENT ON COLUMN passback.sis_pace.resume_at IS 'before it nobody asks the SIS for anything';

CREATE UNLOGGED TABLE passback.sis_shares (
    host                     text NOT NULL,
    party                    uuid NOT NULL,
    allowed_connections      integer NOT NULL,
    allowed_per_second       double precision NOT NULL,
    connections              integer NOT NULL,
    requests_per_second      double precision NOT NULL,
    seen_at                  timestamptz NOT NULL,
    PRIMARY KEY (host, party)
) WITH (fillfactor = 50);
COMMENT ON TABLE passback.sis_shares IS 'who asks a SIS now, what it allows by their word, their part of it';
"""

DOWN = """
DROP TABLE passback.sis_shares;
DROP TABLE passback.sis_pace;
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(UP)


def downgrade() -> None:
    """Drop them: the pace is forgotten."""
    op.execute(DOWN)
