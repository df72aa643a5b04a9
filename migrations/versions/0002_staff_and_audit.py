"""Staff, clients and their credentials; answers of repeated requests; the audit trail."""

from alembic import op

from migrations import guards

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.idempotency_keys (
    caller text NOT NULL,
    key text NOT NULL,
    request_digest bytea NOT NULL,
    status smallint,
    answer bytea,
    headers jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (caller, key)
) WITH (fillfactor = 70);
CREATE INDEX ix_idempotency_keys_created_at ON loyalty.idempotency_keys (created_at);

CREATE TABLE loyalty.audit_events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    action text NOT NULL,
    subject_type text NOT NULL,
    subject_id text NOT NULL,
    request_id text NOT NULL,
    token_fingerprint text NOT NULL,
    detail jsonb,
    CONSTRAINT pk_audit_events PRIMARY KEY (id)
);
CREATE INDEX ix_audit_events_subject_type_subject_id_id
    ON loyalty.audit_events (subject_type, subject_id, id);
CREATE INDEX ix_audit_events_actor_id_id ON loyalty.audit_events (actor_id, id);

CREATE TABLE loyalty.organisation_units (
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    name text NOT NULL,
    parent_id bigint
        CONSTRAINT fk_organisation_units_parent_id REFERENCES loyalty.organisation_units (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_organisation_units PRIMARY KEY (id),
    CONSTRAINT uq_organisation_units_name UNIQUE (name),
    CONSTRAINT ck_organisation_units_kind CHECK (kind IN ('head_office', 'branch', 'department'))
);
CREATE TABLE loyalty.staff (
    id bigint GENERATED ALWAYS AS IDENTITY,
    login text NOT NULL,
    name text NOT NULL,
    unit_id bigint NOT NULL
        CONSTRAINT fk_staff_unit_id REFERENCES loyalty.organisation_units (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    CONSTRAINT pk_staff PRIMARY KEY (id),
    CONSTRAINT uq_staff_login UNIQUE (login)
);
CREATE TABLE loyalty.staff_roles (
    staff_id bigint NOT NULL CONSTRAINT fk_staff_roles_staff_id REFERENCES loyalty.staff (id),
    role text NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_staff_roles PRIMARY KEY (staff_id, role),
    CONSTRAINT ck_staff_roles_role CHECK (role IN ('viewer', 'support', 'branch', 'head_office',
        'marketing_maker', 'marketing_checker', 'auditor', 'security_admin'))
);
CREATE TABLE loyalty.clients (
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    scopes text[] NOT NULL,
    staff_id bigint CONSTRAINT fk_clients_staff_id REFERENCES loyalty.staff (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    CONSTRAINT pk_clients PRIMARY KEY (id),
    CONSTRAINT uq_clients_name UNIQUE (name)
);
CREATE TABLE loyalty.client_secrets (
    id bigint GENERATED ALWAYS AS IDENTITY,
    client_id bigint NOT NULL
        CONSTRAINT fk_client_secrets_client_id REFERENCES loyalty.clients (id),
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    CONSTRAINT pk_client_secrets PRIMARY KEY (id),
    CONSTRAINT uq_client_secrets_client_id_digest UNIQUE (client_id, digest)
);
CREATE TABLE loyalty.client_keys (
    id bigint GENERATED ALWAYS AS IDENTITY,
    client_id bigint NOT NULL
        CONSTRAINT fk_client_keys_client_id REFERENCES loyalty.clients (id),
    kid text NOT NULL,
    jwk jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    CONSTRAINT pk_client_keys PRIMARY KEY (id),
    CONSTRAINT uq_client_keys_client_id_kid UNIQUE (client_id, kid)
);
CREATE TABLE loyalty.used_assertions (
    client_id bigint NOT NULL
        CONSTRAINT fk_used_assertions_client_id REFERENCES loyalty.clients (id),
    jti text NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_used_assertions PRIMARY KEY (client_id, jti)
);
"""


def upgrade() -> None:
    """Create the tables, and let the app do to each no more than it needs."""
    op.execute(TABLES)
    guards.append_only("loyalty.audit_events")
    # The sealer must know which ids were given out.
    op.execute(f"GRANT SELECT ON SEQUENCE loyalty.audit_events_id_seq TO {guards.SEALER}")
    guards.projection(
        "loyalty.idempotency_keys", updates=("status", "answer", "headers"), deletes=True
    )
    guards.projection("loyalty.organisation_units", updates=("name", "parent_id"))
    guards.projection("loyalty.staff", updates=("name", "unit_id", "disabled_at"))
    guards.projection("loyalty.staff_roles", deletes=True)
    guards.projection("loyalty.clients", updates=("scopes", "disabled_at"))
    guards.projection("loyalty.client_secrets", updates=("revoked_at",))
    guards.projection("loyalty.client_keys", updates=("revoked_at",))
    guards.projection("loyalty.used_assertions", deletes=True)
    # The readiness probe compares the step that the database is at with the code's newest.
    op.execute(f"GRANT SELECT ON alembic_version TO {', '.join(guards.ROLES)}")


def downgrade() -> None:
    """Drop everything that this step made."""
    op.execute(f"REVOKE SELECT ON alembic_version FROM {', '.join(guards.ROLES)}")
    for table in (
        "used_assertions",
        "client_keys",
        "client_secrets",
        "clients",
        "staff_roles",
        "staff",
        "organisation_units",
        "audit_events",
        "idempotency_keys",
    ):
        op.execute(f"DROP TABLE loyalty.{table}")
