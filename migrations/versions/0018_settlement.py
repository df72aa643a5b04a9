"""Settlement: statements, disputes with their outcomes, payments."""

from alembic import op

from migrations import guards

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.settlement_statements (
    id bigint GENERATED ALWAYS AS IDENTITY,
    partner_id bigint NOT NULL
        CONSTRAINT fk_settlement_statements_partner_id REFERENCES loyalty.partners (id),
    account_id bigint NOT NULL
        CONSTRAINT fk_settlement_statements_account_id REFERENCES ledger.wallets (account_id),
    currency text NOT NULL,
    number integer NOT NULL,
    since timestamptz,
    until timestamptz NOT NULL,
    first_position bigint NOT NULL,
    last_position bigint NOT NULL,
    opening bigint NOT NULL,
    redeemed bigint NOT NULL,
    taken_back bigint NOT NULL,
    corrected bigint NOT NULL,
    paid bigint NOT NULL,
    closing bigint NOT NULL,
    borne bigint NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_settlement_statements PRIMARY KEY (id),
    CONSTRAINT uq_settlement_statements_account_id_number UNIQUE (account_id, number),
    CONSTRAINT ck_settlement_statements_last_position CHECK (last_position >= first_position - 1),
    CONSTRAINT ck_settlement_statements_closing
        CHECK (closing = opening + redeemed - taken_back + corrected - paid)
);
CREATE INDEX ix_settlement_statements_partner_id_id
    ON loyalty.settlement_statements (partner_id, id);
CREATE TABLE loyalty.settlement_disputes (
    id bigint GENERATED ALWAYS AS IDENTITY,
    statement_id bigint NOT NULL CONSTRAINT fk_settlement_disputes_statement_id
        REFERENCES loyalty.settlement_statements (id),
    line bigint NOT NULL,
    reason text NOT NULL,
    claimed bigint NOT NULL,
    opened_by text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_settlement_disputes PRIMARY KEY (id),
    CONSTRAINT uq_settlement_disputes_statement_id_line UNIQUE (statement_id, line),
    CONSTRAINT ck_settlement_disputes_reason
        CHECK (reason IN ('amount', 'not_ours', 'twice', 'missing_share', 'other'))
);
CREATE TABLE loyalty.settlement_outcomes (
    dispute_id bigint NOT NULL CONSTRAINT fk_settlement_outcomes_dispute_id
        REFERENCES loyalty.settlement_disputes (id),
    outcome text NOT NULL,
    correction bigint NOT NULL,
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_settlement_outcomes PRIMARY KEY (dispute_id),
    CONSTRAINT ck_settlement_outcomes_outcome CHECK (outcome IN ('accepted', 'rejected')),
    CONSTRAINT ck_settlement_outcomes_correction
        CHECK ((outcome = 'accepted') = (correction <> 0))
);
CREATE TABLE loyalty.settlement_payments (
    statement_id bigint NOT NULL CONSTRAINT fk_settlement_payments_statement_id
        REFERENCES loyalty.settlement_statements (id),
    amount bigint NOT NULL,
    entry_id bigint NOT NULL,
    released_by text NOT NULL,
    released_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_settlement_payments PRIMARY KEY (statement_id),
    CONSTRAINT ck_settlement_payments_amount CHECK (amount > 0)
)
"""
TABLE_NAMES = (
    "settlement_payments",
    "settlement_outcomes",
    "settlement_disputes",
    "settlement_statements",
)


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for table in TABLE_NAMES:
        guards.append_only(f"loyalty.{table}")


def downgrade() -> None:
    for table in TABLE_NAMES:
        op.execute(f"DROP TABLE loyalty.{table}")
