"""Runs, what was sent, what became of every score, and the trail."""

from alembic import op

revision = "0001"
down_revision = None

# Text is never null: missing is the empty string, as in passback.records. Dates are ISO text, too.
UP = """
CREATE TABLE passback.runs (
    run_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district      text NOT NULL,
    run_key       text NOT NULL,
    mode          text NOT NULL CHECK (mode IN ('changes', 'full', 'preview')),
    ordered_by    text NOT NULL,
    mapping_hash  text NOT NULL,
    rule_set      text NOT NULL,
    state         text NOT NULL CHECK (state IN ('running', 'good', 'failed', 'interrupted')),
    started_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    recorded_at   timestamptz,
    extracted     bigint NOT NULL DEFAULT 0 CHECK (extracted >= 0),
    sent          bigint NOT NULL DEFAULT 0 CHECK (sent >= 0),
    unchanged     bigint NOT NULL DEFAULT 0 CHECK (unchanged >= 0),
    held          bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    rejected      bigint NOT NULL DEFAULT 0 CHECK (rejected >= 0),
    failed        bigint NOT NULL DEFAULT 0 CHECK (failed >= 0),
    cancelled     bigint NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    requests      bigint NOT NULL DEFAULT 0 CHECK (requests >= 0),
    failed_task   text NOT NULL DEFAULT '',
    message       text NOT NULL DEFAULT '',
    CONSTRAINT runs_key UNIQUE (district, run_key),
    CONSTRAINT runs_end CHECK ((state = 'running') = (ended_at IS NULL)),
    CONSTRAINT runs_good_adds_up
        CHECK (state <> 'good' OR extracted = sent + unchanged + held + rejected + failed + cancelled)
);
COMMENT ON COLUMN passback.runs.recorded_at IS 'when score_outcomes was last brought up to this run';
CREATE INDEX runs_by_start ON passback.runs (district, started_at DESC);

CREATE TABLE passback.run_reasons (
    run_id          bigint NOT NULL REFERENCES passback.runs ON DELETE CASCADE,
    code            text NOT NULL,
    assessments     bigint NOT NULL CHECK (assessments >= 0),
    scores          bigint NOT NULL CHECK (scores >= 0),
    leading_scores  bigint NOT NULL CHECK (leading_scores >= 0),
    PRIMARY KEY (run_id, code)
);

CREATE TABLE passback.reason_texts (
    rule_set  text NOT NULL,
    code      text NOT NULL,
    outcome   text NOT NULL,
    sentence  text NOT NULL,
    who       text NOT NULL,
    mend      text NOT NULL,
    seed      text NOT NULL,
    PRIMARY KEY (rule_set, code)
);

-- The columns hold the values last intended, in_sis the value the SIS last accepted (null: never any, or it
-- was read back different).
-- Every row is written three times a night it changes: half a page stays free, so that indexes need no write.
CREATE TABLE passback.line_items (
    district         text NOT NULL,
    line_item_id     text NOT NULL,
    assessment_id    text NOT NULL,
    class_id         text NOT NULL,
    sis_class_id     text NOT NULL,
    title            text NOT NULL,
    category_id      text NOT NULL,
    period_id        text NOT NULL,
    assign_date      text NOT NULL,
    due_date         text NOT NULL,
    points_possible  double precision,
    state            text NOT NULL
        CHECK (state IN ('intended', 'accepted', 'confirmed', 'refused', 'not_stored')),
    run_id           bigint NOT NULL REFERENCES passback.runs,
    intended_at      timestamptz NOT NULL,
    answered_at      timestamptz,
    answer_status    integer,
    answer_words     text NOT NULL DEFAULT '',
    settled_run_id   bigint REFERENCES passback.runs,
    confirmed_at     timestamptz,
    in_sis           jsonb,
    PRIMARY KEY (district, line_item_id)
) WITH (fillfactor = 50);
CREATE INDEX line_items_by_source ON passback.line_items (district, assessment_id, class_id);

CREATE TABLE passback.results (
    district        text NOT NULL,
    line_item_id    text NOT NULL,
    sis_student_id  text NOT NULL,
    assessment_id   text NOT NULL,
    class_id        text NOT NULL,
    student_id      text NOT NULL,
    sis_class_id    text NOT NULL,
    score           double precision,
    score_status    text NOT NULL,
    score_date      text NOT NULL,
    state           text NOT NULL
        CHECK (state IN ('intended', 'accepted', 'confirmed', 'refused', 'not_stored')),
    run_id          bigint NOT NULL REFERENCES passback.runs,
    intended_at     timestamptz NOT NULL,
    answered_at     timestamptz,
    answer_status   integer,
    answer_words    text NOT NULL DEFAULT '',
    settled_run_id  bigint REFERENCES passback.runs,
    confirmed_at    timestamptz,
    in_sis          jsonb,
    PRIMARY KEY (district, line_item_id, sis_student_id)
) WITH (fillfactor = 50);
CREATE INDEX results_by_source ON passback.results (district, assessment_id, student_id);
CREATE INDEX results_by_student ON passback.results (district, student_id);

-- One row a score, touched only when its outcome changes; sent and unchanged are both passed.
CREATE TABLE passback.score_outcomes (
    district       text NOT NULL,
    assessment_id  text NOT NULL,
    class_id       text NOT NULL,
    student_id     text NOT NULL,
    outcome        text NOT NULL CHECK (outcome IN ('passed', 'held', 'rejected', 'failed', 'cancelled')),
    codes          text NOT NULL,
    run_id         bigint NOT NULL REFERENCES passback.runs,
    since          timestamptz NOT NULL,
    PRIMARY KEY (district, assessment_id, student_id, class_id)
);

CREATE TABLE passback.extracts (
    district     text PRIMARY KEY,
    snapshot     text NOT NULL,
    watermark    timestamptz NOT NULL,
    assessments  bigint NOT NULL CHECK (assessments >= 0),
    scores       bigint NOT NULL CHECK (scores >= 0),
    kept_at      timestamptz NOT NULL
);

-- json, not jsonb: it keeps the bytes that were hashed. What a run was is copied: the chain covers it.
CREATE TABLE passback.trail (
    district        text NOT NULL,
    seq             bigint NOT NULL CHECK (seq > 0),
    at              timestamptz NOT NULL,
    run_id          bigint NOT NULL,
    run_key         text NOT NULL,
    ordered_by      text NOT NULL,
    rule_set        text NOT NULL,
    mapping_hash    text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('line_item', 'result')),
    line_item_id    text NOT NULL,
    sis_student_id  text NOT NULL,
    sis_class_id    text NOT NULL,
    assessment_id   text NOT NULL,
    class_id        text NOT NULL,
    student_id      text NOT NULL,
    from_value      json,
    to_value        json,
    hash            bytea NOT NULL,
    PRIMARY KEY (district, seq)
);
CREATE INDEX trail_by_source ON passback.trail (district, assessment_id, student_id);

CREATE TABLE passback.trail_heads (
    district  text PRIMARY KEY,
    seq       bigint NOT NULL,
    hash      bytea NOT NULL
);

CREATE FUNCTION passback.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the trail is append-only'
        USING ERRCODE = 'insufficient_privilege', TABLE = TG_TABLE_NAME;
END
$$;
CREATE TRIGGER trail_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON passback.trail
    FOR EACH STATEMENT EXECUTE FUNCTION passback.refuse_change();
"""

DOWN = """
DROP TABLE passback.trail, passback.trail_heads, passback.extracts, passback.score_outcomes, passback.results,
    passback.line_items, passback.reason_texts, passback.run_reasons, passback.runs;
DROP FUNCTION passback.refuse_change();
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(UP)


def downgrade() -> None:
    """Drop the tables and all they hold."""
    op.execute(DOWN)
