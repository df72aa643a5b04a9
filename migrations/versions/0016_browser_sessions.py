"""Signing in by browser: sessions, tries, the credentials of staff and the codes of customers."""

from alembic import op

from migrations import guards

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.browser_sessions (
    id bigint GENERATED ALWAYS AS IDENTITY,
    digest bytea NOT NULL,
    kind text NOT NULL,
    subject_id bigint NOT NULL,
    device text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    ends_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT pk_browser_sessions PRIMARY KEY (id),
    CONSTRAINT uq_browser_sessions_digest UNIQUE (digest),
    CONSTRAINT ck_browser_sessions_kind CHECK (kind IN ('staff', 'partner', 'customer'))
) WITH (fillfactor = 70);
CREATE INDEX ix_browser_sessions_kind_subject_id ON loyalty.browser_sessions (kind, subject_id);
CREATE TABLE loyalty.sign_in_attempts (
    subject bytea NOT NULL,
    tries integer NOT NULL,
    since timestamptz NOT NULL,
    CONSTRAINT pk_sign_in_attempts PRIMARY KEY (subject)
) WITH (fillfactor = 70);
CREATE TABLE loyalty.staff_credentials (
    staff_id bigint NOT NULL
        CONSTRAINT fk_staff_credentials_staff_id REFERENCES loyalty.staff (id),
    password text NOT NULL,
    second_factor bytea NOT NULL,
    last_step bigint NOT NULL,
    set_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_staff_credentials PRIMARY KEY (staff_id)
);
CREATE TABLE loyalty.staff_invitations (
    digest bytea NOT NULL,
    staff_id bigint NOT NULL
        CONSTRAINT fk_staff_invitations_staff_id REFERENCES loyalty.staff (id),
    second_factor bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_staff_invitations PRIMARY KEY (digest)
);
CREATE TABLE loyalty.sign_in_codes (
    digest bytea NOT NULL,
    customer_id bigint NOT NULL
        CONSTRAINT fk_sign_in_codes_customer_id REFERENCES loyalty.customers (id),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_sign_in_codes PRIMARY KEY (customer_id, digest)
)
"""
UPDATES = {
    "browser_sessions": ("seen_at", "confirmed_at", "ended_at"),
    "sign_in_attempts": ("tries", "since"),
    "staff_credentials": ("password", "second_factor", "last_step", "set_at"),
    "staff_invitations": ("used_at",),
    "sign_in_codes": ("used_at",),
}


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for table, columns in UPDATES.items():
        guards.projection(f"loyalty.{table}", updates=columns, deletes=True)


def downgrade() -> None:
    for table in reversed(UPDATES):
        op.execute(f"DROP TABLE loyalty.{table}")
