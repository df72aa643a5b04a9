"""Programmes and their members."""

from alembic import op

from migrations import guards

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.programmes (
    id smallint GENERATED ALWAYS AS IDENTITY,
    code text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    zone text NOT NULL,
    currency text NOT NULL,
    points_unit_id smallint NOT NULL
        CONSTRAINT fk_programmes_points_unit_id REFERENCES ledger.units (id),
    status_unit_id smallint NOT NULL
        CONSTRAINT fk_programmes_status_unit_id REFERENCES ledger.units (id),
    inactivity_months smallint,
    debt_limit bigint NOT NULL DEFAULT 0,
    CONSTRAINT pk_programmes PRIMARY KEY (id),
    CONSTRAINT uq_programmes_code UNIQUE (code),
    CONSTRAINT ck_programmes_inactivity_months CHECK (inactivity_months > 0),
    CONSTRAINT ck_programmes_debt_limit CHECK (debt_limit >= 0)
);
CREATE TABLE loyalty.memberships (
    customer_id bigint NOT NULL
        CONSTRAINT fk_memberships_customer_id REFERENCES loyalty.customers (id),
    programme_id smallint NOT NULL
        CONSTRAINT fk_memberships_programme_id REFERENCES loyalty.programmes (id),
    points_wallet_id bigint NOT NULL
        CONSTRAINT fk_memberships_points_wallet_id REFERENCES ledger.wallets (account_id),
    status_wallet_id bigint NOT NULL
        CONSTRAINT fk_memberships_status_wallet_id REFERENCES ledger.wallets (account_id),
    joined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_memberships PRIMARY KEY (customer_id, programme_id),
    CONSTRAINT uq_memberships_points_wallet_id UNIQUE (points_wallet_id),
    CONSTRAINT uq_memberships_status_wallet_id UNIQUE (status_wallet_id)
)
"""


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    guards.projection("loyalty.programmes")
    guards.append_only("loyalty.memberships")


def downgrade() -> None:
    op.execute("DROP TABLE loyalty.memberships")
    op.execute("DROP TABLE loyalty.programmes")
