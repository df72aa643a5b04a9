"""Partners: themselves, outlets, the people at their counters, what their clients may use."""

from alembic import op

from migrations import guards

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE loyalty.clients
    ADD COLUMN partner_id bigint,
    ADD COLUMN sandbox boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT uq_clients_id_partner_id UNIQUE (id, partner_id),
    ADD CONSTRAINT ck_clients_one_owner CHECK (staff_id IS NULL OR partner_id IS NULL),
    ADD CONSTRAINT ck_clients_sandbox CHECK (NOT sandbox OR partner_id IS NOT NULL);
CREATE TABLE loyalty.partners (
    id bigint GENERATED ALWAYS AS IDENTITY,
    code text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    currency text NOT NULL,
    state text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_partners PRIMARY KEY (id),
    CONSTRAINT uq_partners_code UNIQUE (code),
    CONSTRAINT ck_partners_state CHECK (state IN ('active', 'suspended', 'ended'))
);
CREATE TABLE loyalty.partner_events (
    partner_id bigint NOT NULL
        CONSTRAINT fk_partner_events_partner_id REFERENCES loyalty.partners (id),
    number integer NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    actor_id text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_partner_events PRIMARY KEY (partner_id, number),
    CONSTRAINT ck_partner_events_state CHECK (state IN ('active', 'suspended', 'ended'))
);
CREATE TABLE loyalty.outlets (
    id bigint GENERATED ALWAYS AS IDENTITY,
    partner_id bigint NOT NULL
        CONSTRAINT fk_outlets_partner_id REFERENCES loyalty.partners (id),
    code text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    address text NOT NULL,
    zone text NOT NULL,
    opening_hours jsonb,
    is_open boolean NOT NULL DEFAULT true,
    opened_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_outlets PRIMARY KEY (id),
    CONSTRAINT uq_outlets_partner_id_code UNIQUE (partner_id, code),
    CONSTRAINT uq_outlets_id_partner_id UNIQUE (id, partner_id)
);
CREATE TABLE loyalty.partner_staff (
    id bigint GENERATED ALWAYS AS IDENTITY,
    partner_id bigint NOT NULL
        CONSTRAINT fk_partner_staff_partner_id REFERENCES loyalty.partners (id),
    outlet_id bigint NOT NULL,
    login text NOT NULL,
    name text NOT NULL,
    password_hash text NOT NULL,
    is_enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_partner_staff PRIMARY KEY (id),
    CONSTRAINT uq_partner_staff_login UNIQUE (login),
    CONSTRAINT fk_partner_staff_outlet_id FOREIGN KEY (outlet_id, partner_id)
        REFERENCES loyalty.outlets (id, partner_id)
);
CREATE TABLE loyalty.partner_clients (
    client_id bigint NOT NULL,
    partner_id bigint NOT NULL
        CONSTRAINT fk_partner_clients_partner_id REFERENCES loyalty.partners (id),
    series text[],
    outlets bigint[],
    signature_required boolean NOT NULL DEFAULT false,
    CONSTRAINT pk_partner_clients PRIMARY KEY (client_id),
    CONSTRAINT fk_partner_clients_client_id FOREIGN KEY (client_id, partner_id)
        REFERENCES loyalty.clients (id, partner_id)
);
CREATE TABLE loyalty.used_nonces (
    client_id bigint NOT NULL
        CONSTRAINT fk_used_nonces_client_id REFERENCES loyalty.partner_clients (client_id),
    nonce text NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_used_nonces PRIMARY KEY (client_id, nonce)
);
CREATE INDEX ix_used_nonces_expires_at ON loyalty.used_nonces (expires_at)
"""
TABLE_NAMES = (
    "used_nonces",
    "partner_clients",
    "partner_staff",
    "outlets",
    "partner_events",
    "partners",
)


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    guards.append_only("loyalty.partner_events")
    guards.projection("loyalty.partners", updates=("name_zh", "name_en", "state"))
    guards.projection(
        "loyalty.outlets",
        updates=("name_zh", "name_en", "address", "opening_hours", "is_open"),
    )
    guards.projection(
        "loyalty.partner_staff", updates=("outlet_id", "name", "password_hash", "is_enabled")
    )
    guards.projection(
        "loyalty.partner_clients", updates=("series", "outlets", "signature_required")
    )
    guards.projection("loyalty.used_nonces", deletes=True)


def downgrade() -> None:
    for table in TABLE_NAMES:
        op.execute(f"DROP TABLE loyalty.{table}")
    op.execute(
        "ALTER TABLE loyalty.clients DROP CONSTRAINT ck_clients_sandbox,"
        " DROP CONSTRAINT ck_clients_one_owner, DROP CONSTRAINT uq_clients_id_partner_id,"
        " DROP COLUMN sandbox, DROP COLUMN partner_id"
    )
