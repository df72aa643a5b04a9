"""0003_outbox"""

from alembic import op

from migrations import guards

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY,
    topic text NOT NULL,
    aggregate text NOT NULL,
    aggregate_seq bigint NOT NULL DEFAULT 0,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    not_before timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    lease_token uuid,
    lease_until timestamptz,
    done_at timestamptz,
    dead_at timestamptz,
    last_error text,
    CONSTRAINT pk_outbox PRIMARY KEY (id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX ix_outbox_open ON loyalty.outbox (topic, not_before)
    WHERE done_at IS NULL AND dead_at IS NULL;
CREATE INDEX ix_outbox_done_at ON loyalty.outbox (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX ix_outbox_dead_at ON loyalty.outbox (dead_at) WHERE dead_at IS NOT NULL;
CREATE TABLE loyalty.inbox (
    event_id bigint NOT NULL
        CONSTRAINT fk_inbox_event_id REFERENCES loyalty.outbox (id) ON DELETE CASCADE,
    consumer text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_inbox PRIMARY KEY (event_id, consumer)
);
CREATE TABLE loyalty.runs (
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    arguments jsonb NOT NULL,
    state text NOT NULL DEFAULT 'queued',
    total bigint,
    done bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    chunks integer NOT NULL DEFAULT 0,
    cursor jsonb,
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT now(),
    lease_token uuid,
    lease_until timestamptz,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    error text,
    CONSTRAINT pk_runs PRIMARY KEY (id),
    CONSTRAINT ck_runs_state CHECK (
        state IN ('queued', 'running', 'paused', 'stopping', 'stopped', 'done', 'failed')
    ),
    CONSTRAINT ck_runs_progress CHECK (done >= 0 AND failed >= 0 AND total >= 0)
) WITH (fillfactor = 70);
CREATE INDEX ix_runs_claimable ON loyalty.runs (kind, not_before)
    WHERE state IN ('queued', 'running');
CREATE TABLE loyalty.run_chunks (
    run_id bigint NOT NULL CONSTRAINT fk_run_chunks_run_id REFERENCES loyalty.runs (id),
    chunk_no integer NOT NULL,
    done bigint NOT NULL,
    failed bigint NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_run_chunks PRIMARY KEY (run_id, chunk_no)
);
CREATE TABLE loyalty.schedules (
    name text NOT NULL,
    period_at timestamptz NOT NULL,
    ticked_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_schedules PRIMARY KEY (name)
);
"""

LEASE = ("attempts", "not_before", "lease_token", "lease_until")
OUTCOME = ("done_at", "dead_at", "last_error")
PROGRESS = ("state", "total", "done", "failed", "chunks", "cursor", "started_at", "finished_at")


def upgrade() -> None:
    """Create the outbox, the inbox, runs with their chunks, and the schedules."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    guards.projection("loyalty.outbox", updates=(*LEASE, *OUTCOME), deletes=True)
    guards.projection("loyalty.inbox")
    guards.projection("loyalty.runs", updates=(*LEASE, *PROGRESS, "error"))
    guards.append_only("loyalty.run_chunks")
    guards.projection("loyalty.schedules", updates=("period_at", "ticked_at"))


def downgrade() -> None:
    """Drop them."""
    for table in ("schedules", "run_chunks", "runs", "inbox", "outbox"):
        op.execute(f"DROP TABLE loyalty.{table}")
