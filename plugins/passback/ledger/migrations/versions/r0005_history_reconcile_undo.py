"""Every night's outcome, the account of a run, what a person held back, undo, retention, and roles."""

from alembic import op

revision = "0005"
down_revision = "0004"

UP = """
-- --- Runs: what they were asked to look at, and which run one puts back ---

ALTER TABLE passback.runs
    ADD COLUMN classes text[] NOT NULL DEFAULT '{}',
    ADD COLUMN assessments text[] NOT NULL DEFAULT '{}',
    ADD COLUMN undoes bigint REFERENCES passback.runs,
    ADD COLUMN judged bigint,
    DROP CONSTRAINT runs_mode_check,
    ADD CONSTRAINT runs_mode_check CHECK (mode IN ('changes', 'full', 'preview', 'reconcile', 'undo')),
    ADD CONSTRAINT runs_undo CHECK ((mode = 'undo') = (undoes IS NOT NULL));
COMMENT ON COLUMN passback.runs.classes IS 'the classes it was limited to, by the source''s ids; empty: all';
COMMENT ON COLUMN passback.runs.judged IS 'how many scores the rules judged; each must end in one outcome';

-- One row a run, class and outcome: written with the outcomes themselves, in their transaction.
CREATE TABLE passback.run_outcomes (
    run_id    bigint NOT NULL REFERENCES passback.runs ON DELETE CASCADE,
    class_id  text NOT NULL,
    outcome   text NOT NULL
        CHECK (outcome IN ('sent', 'unchanged', 'held', 'rejected', 'failed', 'cancelled')),
    scores    bigint NOT NULL CHECK (scores > 0),
    PRIMARY KEY (run_id, class_id, outcome)
);

CREATE FUNCTION passback.check_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told record;
BEGIN
    SELECT coalesce(sum(scores), 0) AS scores,
           coalesce(sum(scores) FILTER (WHERE outcome = 'sent'), 0) AS sent,
           coalesce(sum(scores) FILTER (WHERE outcome = 'unchanged'), 0) AS unchanged,
           coalesce(sum(scores) FILTER (WHERE outcome = 'held'), 0) AS held,
           coalesce(sum(scores) FILTER (WHERE outcome = 'rejected'), 0) AS rejected,
           coalesce(sum(scores) FILTER (WHERE outcome = 'failed'), 0) AS failed,
           coalesce(sum(scores) FILTER (WHERE outcome = 'cancelled'), 0) AS cancelled
        INTO told FROM passback.run_outcomes WHERE run_id = NEW.run_id;
    IF NEW.extracted IS DISTINCT FROM NEW.judged
        OR (NEW.extracted, NEW.sent, NEW.unchanged, NEW.held, NEW.rejected, NEW.failed, NEW.cancelled)
            IS DISTINCT FROM (told.scores, told.sent, told.unchanged, told.held, told.rejected, told.failed,
                              told.cancelled)
    THEN
        RAISE EXCEPTION 'not every score that was judged has one outcome'
            USING ERRCODE = 'check_violation', TABLE = 'runs', CONSTRAINT = 'runs_good_adds_up';
    END IF;
    RETURN NEW;
END
$$;
-- Not of a good run of before: nobody noted then how many it judged.
CREATE TRIGGER runs_account
    BEFORE INSERT OR UPDATE OF
        state, mode, judged, extracted, sent, unchanged, held, rejected, failed, cancelled
    ON passback.runs
    FOR EACH ROW WHEN (NEW.state = 'good' AND NEW.mode <> 'undo')
    EXECUTE FUNCTION passback.check_account();

CREATE FUNCTION passback.keep_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM passback.runs
        WHERE run_id IN (OLD.run_id, NEW.run_id) AND state = 'good' AND mode <> 'undo'
    ) THEN
        RAISE EXCEPTION 'the account of a good run stands'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'run_outcomes_stand';
    END IF;
    RETURN coalesce(NEW, OLD);
END
$$;
CREATE TRIGGER run_outcomes_stand BEFORE INSERT OR UPDATE OR DELETE ON passback.run_outcomes
    FOR EACH ROW EXECUTE FUNCTION passback.keep_account();

-- --- Every night's outcome of every score: a row when it differs from the night before, or was sent ---

-- at is the run's recorded_at. A run that is cleared and runs again after another has a second row.
CREATE TABLE passback.score_history (
    district       text NOT NULL,
    assessment_id  text NOT NULL,
    class_id       text NOT NULL,
    student_id     text NOT NULL,
    run_id         bigint NOT NULL REFERENCES passback.runs,
    outcome        text NOT NULL CHECK (outcome IN
        ('sent', 'unchanged', 'held', 'rejected', 'failed', 'cancelled', 'vanished')),
    codes          text NOT NULL,
    at             timestamptz NOT NULL,
    PRIMARY KEY (district, assessment_id, student_id, class_id, at)
);
COMMENT ON COLUMN passback.score_history.outcome IS
    'it holds for every later run that judged the score, until the next row, sent as unchanged;'
    ' vanished: no longer in the feed';
-- What stands is found by score_outcomes; these are for the rest.
CREATE INDEX score_history_vanished_by_class ON passback.score_history (district, class_id, assessment_id)
    WHERE outcome = 'vanished';
CREATE INDEX score_history_vanished_by_student ON passback.score_history (district, student_id)
    WHERE outcome = 'vanished';
-- Rows come in the order of time.
CREATE INDEX score_history_by_time ON passback.score_history USING brin (at, run_id);
CREATE INDEX score_outcomes_by_student ON passback.score_outcomes (district, student_id);
CREATE INDEX score_outcomes_by_class ON passback.score_outcomes (district, class_id, assessment_id);
CREATE INDEX trail_by_run ON passback.trail (run_id);
CREATE INDEX trail_by_student ON passback.trail (district, student_id);
CREATE INDEX results_by_class ON passback.results (district, class_id, assessment_id);

-- --- What a person decided: their own value in the SIS, a value taken back, a suppression ---

-- theirs: a person's own value in the SIS is kept; undone: what a run sent was taken back.
ALTER TABLE passback.results
    ADD COLUMN held_back text NOT NULL DEFAULT '' CHECK (held_back IN ('', 'theirs', 'undone')),
    ADD COLUMN held_back_run_id bigint REFERENCES passback.runs,
    ADD COLUMN held_back_value jsonb;
ALTER TABLE passback.line_items
    ADD COLUMN held_back text NOT NULL DEFAULT '' CHECK (held_back IN ('', 'theirs', 'undone')),
    ADD COLUMN held_back_run_id bigint REFERENCES passback.runs,
    ADD COLUMN held_back_value jsonb;
COMMENT ON COLUMN passback.results.held_back_value IS
    'the value that is not sent: another one goes out again';
CREATE INDEX results_held_back ON passback.results (district) WHERE held_back <> '';
CREATE INDEX line_items_held_back ON passback.line_items (district) WHERE held_back <> '';

CREATE TABLE passback.suppressions (
    suppression_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district        text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('assessment', 'class', 'student')),
    id              text NOT NULL CHECK (id <> ''),
    reason          text NOT NULL CHECK (reason <> ''),
    ordered_by      text NOT NULL,
    at              timestamptz NOT NULL,
    lifted_reason   text NOT NULL DEFAULT '',
    lifted_by       text NOT NULL DEFAULT '',
    lifted_at       timestamptz,
    CONSTRAINT suppressions_lifted CHECK ((lifted_at IS NULL) = (lifted_by = ''))
);
CREATE UNIQUE INDEX suppressions_standing ON passback.suppressions (district, kind, id)
    WHERE lifted_at IS NULL;

-- --- Retention: what was purged of the trail, so that the rest of its chain still proves itself ---

CREATE TABLE passback.trail_stumps (
    district   text NOT NULL,
    last_seq   bigint NOT NULL CHECK (last_seq > 0),
    last_hash  bytea NOT NULL,
    rows       bigint NOT NULL CHECK (rows > 0),
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    before     timestamptz NOT NULL,
    purged_at  timestamptz NOT NULL,
    purged_by  text NOT NULL,
    PRIMARY KEY (district, last_seq)
);
CREATE TRIGGER trail_stumps_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON passback.trail_stumps
    FOR EACH STATEMENT EXECUTE FUNCTION passback.refuse_change();
"""

DOWN = """
DROP TABLE passback.trail_stumps, passback.suppressions, passback.score_history, passback.run_outcomes;
DROP INDEX passback.score_outcomes_by_student, passback.score_outcomes_by_class, passback.trail_by_run,
    passback.trail_by_student, passback.results_by_class;
ALTER TABLE passback.results
    DROP COLUMN held_back, DROP COLUMN held_back_run_id, DROP COLUMN held_back_value;
ALTER TABLE passback.line_items
    DROP COLUMN held_back, DROP COLUMN held_back_run_id, DROP COLUMN held_back_value;
DROP TRIGGER runs_account ON passback.runs;
DROP FUNCTION passback.check_account(), passback.keep_account();
ALTER TABLE passback.runs DROP CONSTRAINT runs_undo, DROP CONSTRAINT runs_mode_check;
UPDATE passback.runs SET mode = 'full' WHERE mode IN ('reconcile', 'undo');
ALTER TABLE passback.runs
    ADD CONSTRAINT runs_mode_check CHECK (mode IN ('changes', 'full', 'preview')),
    DROP COLUMN classes, DROP COLUMN assessments, DROP COLUMN undoes, DROP COLUMN judged;
"""


def upgrade() -> None:
    """Add the tables, columns and checks."""
    op.execute(UP)


def downgrade() -> None:
    """Drop them and all they hold."""
    op.execute(DOWN)
