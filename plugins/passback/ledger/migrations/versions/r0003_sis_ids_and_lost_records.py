"""The SIS's own ids beside ours, what somebody removed in the SIS, and categories in the trail."""

from alembic import op

revision = "0003"
down_revision = "0002"

UP = """
ALTER TABLE passback.line_items
    ADD COLUMN sis_line_item_id text NOT NULL DEFAULT '',
    DROP CONSTRAINT line_items_state_check,
    ADD CONSTRAINT line_items_state_check
        CHECK (state IN ('intended', 'accepted', 'confirmed', 'refused', 'not_stored', 'gone'));
COMMENT ON COLUMN passback.line_items.sis_line_item_id IS
    'the id under which the SIS holds it; empty: under ours, or not known yet';

ALTER TABLE passback.results
    ADD COLUMN sis_result_id text NOT NULL DEFAULT '',
    DROP CONSTRAINT results_state_check,
    ADD CONSTRAINT results_state_check
        CHECK (state IN ('intended', 'accepted', 'confirmed', 'refused', 'not_stored', 'gone'));
COMMENT ON COLUMN passback.results.sis_result_id IS
    'the id under which the SIS holds it; empty: under ours, or not known yet';

ALTER TABLE passback.trail
    DROP CONSTRAINT trail_kind_check,
    ADD CONSTRAINT trail_kind_check CHECK (kind IN ('category', 'line_item', 'result'));
"""

# What 0002 has no words for is what it would take it for: not held by the SIS, and sent again.
DOWN = """
ALTER TABLE passback.trail
    DROP CONSTRAINT trail_kind_check,
    ADD CONSTRAINT trail_kind_check CHECK (kind IN ('line_item', 'result')) NOT VALID;

UPDATE passback.results SET state = 'not_stored' WHERE state = 'gone';
ALTER TABLE passback.results
    DROP COLUMN sis_result_id,
    DROP CONSTRAINT results_state_check,
    ADD CONSTRAINT results_state_check
        CHECK (state IN ('intended', 'accepted', 'confirmed', 'refused', 'not_stored'));

UPDATE passback.line_items SET state = 'not_stored' WHERE state = 'gone';
ALTER TABLE passback.line_items
    DROP COLUMN sis_line_item_id,
    DROP CONSTRAINT line_items_state_check,
    ADD CONSTRAINT line_items_state_check
        CHECK (state IN ('intended', 'accepted', 'confirmed', 'refused', 'not_stored'));
"""


def upgrade() -> None:
    """Add the columns and the states."""
    op.execute(UP)


def downgrade() -> None:
    """Drop them; the SIS's own ids are lost."""
    op.execute(DOWN)
