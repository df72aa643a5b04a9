"""Files of purchases on their way in."""

from alembic import op

from migrations import guards

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.imports (
    id bigint GENERATED ALWAYS AS IDENTITY,
    programme_id smallint NOT NULL
        CONSTRAINT fk_imports_programme_id REFERENCES loyalty.programmes (id),
    source text NOT NULL,
    mapping jsonb NOT NULL,
    register_unknown boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    staged_at timestamptz,
    digest bytea,
    total bigint NOT NULL DEFAULT 0,
    sound bigint NOT NULL DEFAULT 0,
    faulty bigint NOT NULL DEFAULT 0,
    amount numeric(40, 0) NOT NULL DEFAULT 0,
    known bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    unknown bigint NOT NULL DEFAULT 0,
    run_id bigint CONSTRAINT fk_imports_run_id REFERENCES loyalty.runs (id),
    position jsonb,
    recorded bigint NOT NULL DEFAULT 0,
    replayed bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    points numeric(40, 0) NOT NULL DEFAULT 0,
    CONSTRAINT pk_imports PRIMARY KEY (id),
    CONSTRAINT uq_imports_run_id UNIQUE (run_id),
    CONSTRAINT ck_imports_total CHECK (sound + faulty = total),
    CONSTRAINT ck_imports_applied CHECK (recorded + replayed + refused <= sound)
);
CREATE TABLE loyalty.import_rows (
    import_id bigint NOT NULL
        CONSTRAINT fk_import_rows_import_id REFERENCES loyalty.imports (id),
    customer text COLLATE "C" NOT NULL,
    purchased_at timestamptz NOT NULL,
    content bytea NOT NULL,
    row_no integer NOT NULL,
    reference text,
    amount bigint NOT NULL,
    category text,
    outlet text,
    channel text,
    CONSTRAINT pk_import_rows PRIMARY KEY (import_id, customer, purchased_at, content, row_no)
);
CREATE TABLE loyalty.import_faults (
    import_id bigint NOT NULL
        CONSTRAINT fk_import_faults_import_id REFERENCES loyalty.imports (id),
    row_no integer NOT NULL,
    column_name text NOT NULL,
    code text NOT NULL,
    CONSTRAINT pk_import_faults PRIMARY KEY (import_id, row_no, column_name)
)
"""
UPDATES = (
    "staged_at",
    "digest",
    "total",
    "sound",
    "faulty",
    "amount",
    "known",
    "changed",
    "unknown",
    "run_id",
    "position",
    "recorded",
    "replayed",
    "refused",
    "points",
)


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    guards.projection("loyalty.imports", updates=UPDATES)
    guards.projection("loyalty.import_rows", deletes=True)
    guards.projection("loyalty.import_faults", deletes=True)


def downgrade() -> None:
    for table in ("import_faults", "import_rows", "imports"):
        op.execute(f"DROP TABLE loyalty.{table}")
