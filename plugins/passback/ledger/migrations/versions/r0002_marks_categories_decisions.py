"""Late and missing beside a result, the SIS's categories, and who decided on a run that asked."""

from alembic import op

revision = "0002"
down_revision = "0001"

UP = """
ALTER TABLE passback.results ADD COLUMN mark text NOT NULL DEFAULT '';
UPDATE passback.results SET in_sis = in_sis || '{"mark": ""}' WHERE in_sis IS NOT NULL;

ALTER TABLE passback.runs
    ADD COLUMN decision text NOT NULL DEFAULT '' CHECK (decision IN ('', 'go on', 'cancel')),
    ADD COLUMN decided_by text NOT NULL DEFAULT '',
    ADD COLUMN decided_at timestamptz;
COMMENT ON COLUMN passback.runs.decision IS 'what a person said when the run would have changed too much';

-- One row a category that the SIS was ever seen to hold; sis_class_id is empty for one of the whole district,
-- term_id for one of all terms.
CREATE TABLE passback.sis_categories (
    district      text NOT NULL,
    category_id   text NOT NULL,
    sis_class_id  text NOT NULL,
    title         text NOT NULL,
    code          text NOT NULL,
    term_id       text NOT NULL,
    term_start    text NOT NULL,
    term_end      text NOT NULL,
    title_before  text NOT NULL DEFAULT '',
    first_seen    timestamptz NOT NULL,
    verified_at   timestamptz NOT NULL,
    renamed_at    timestamptz,
    retired_at    timestamptz,
    returned_at   timestamptz,
    PRIMARY KEY (district, category_id, sis_class_id)
);
"""

DOWN = """
DROP TABLE passback.sis_categories;
ALTER TABLE passback.runs DROP COLUMN decision, DROP COLUMN decided_by, DROP COLUMN decided_at;
UPDATE passback.results SET in_sis = in_sis - 'mark' WHERE in_sis IS NOT NULL;
ALTER TABLE passback.results DROP COLUMN mark;
"""


def upgrade() -> None:
    """Add the columns and the table."""
    op.execute(UP)


def downgrade() -> None:
    """Drop them and all they hold."""
    op.execute(DOWN)
