"""Messages and webhooks: what may leave the house, and who may write down what about it."""

from alembic import op

from migrations import guards

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.message_templates (
    id bigint GENERATED ALWAYS AS IDENTITY,
    code text NOT NULL,
    class text NOT NULL,
    purpose text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_message_templates PRIMARY KEY (id),
    CONSTRAINT uq_message_templates_code UNIQUE (code),
    CONSTRAINT ck_message_templates_class CHECK (class IN ('service', 'marketing'))
);
CREATE TABLE loyalty.template_versions (
    id bigint GENERATED ALWAYS AS IDENTITY,
    template_id bigint NOT NULL
        CONSTRAINT fk_template_versions_template_id REFERENCES loyalty.message_templates (id),
    version integer NOT NULL,
    contents jsonb NOT NULL,
    placeholders jsonb NOT NULL,
    digest bytea NOT NULL,
    approval text NOT NULL,
    approved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_template_versions PRIMARY KEY (id),
    CONSTRAINT uq_template_versions_template_id_version UNIQUE (template_id, version),
    CONSTRAINT ck_template_versions_version CHECK (version > 0)
);
CREATE TABLE loyalty.send_releases (
    id bigint GENERATED ALWAYS AS IDENTITY,
    origin_kind text NOT NULL,
    origin text NOT NULL,
    digest bytea NOT NULL,
    approved_digest bytea NOT NULL,
    approval text NOT NULL,
    terms jsonb NOT NULL,
    starts_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    released_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_send_releases PRIMARY KEY (id),
    CONSTRAINT uq_send_releases_origin_kind_origin_digest UNIQUE (origin_kind, origin, digest),
    CONSTRAINT ck_send_releases_approved CHECK (approved_digest = digest),
    CONSTRAINT ck_send_releases_expires_at CHECK (expires_at > starts_at)
);
CREATE TABLE loyalty.sending_stops (
    id bigint GENERATED ALWAYS AS IDENTITY,
    scope text NOT NULL,
    name text NOT NULL,
    act text NOT NULL,
    reason text NOT NULL,
    done_by text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_sending_stops PRIMARY KEY (id),
    CONSTRAINT ck_sending_stops_scope CHECK (scope IN ('all', 'channel', 'release')),
    CONSTRAINT ck_sending_stops_act CHECK (act IN ('stop', 'resume'))
);
CREATE INDEX ix_sending_stops_scope_name_id ON loyalty.sending_stops (scope, name, id);
CREATE TABLE loyalty.send_requests (
    id bigint GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    reference text NOT NULL,
    customer_id bigint NOT NULL
        CONSTRAINT fk_send_requests_customer_id REFERENCES loyalty.customers (id),
    template_version_id bigint NOT NULL
        CONSTRAINT fk_send_requests_template_version_id REFERENCES loyalty.template_versions (id),
    channel text NOT NULL,
    language text NOT NULL,
    filling jsonb NOT NULL,
    origin_kind text NOT NULL,
    origin text NOT NULL,
    origin_digest bytea,
    release_id bigint
        CONSTRAINT fk_send_requests_release_id REFERENCES loyalty.send_releases (id),
    zone text NOT NULL,
    consent_seq bigint NOT NULL,
    due_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_send_requests PRIMARY KEY (id),
    CONSTRAINT uq_send_requests_source_reference UNIQUE (source, reference),
    CONSTRAINT ck_send_requests_channel CHECK (channel IN ('email', 'sms', 'in_app')),
    CONSTRAINT ck_send_requests_language CHECK (language IN ('zh', 'en')),
    CONSTRAINT ck_send_requests_expires_at CHECK (expires_at > due_at)
);
CREATE INDEX ix_send_requests_customer_id_id ON loyalty.send_requests (customer_id, id);
CREATE INDEX ix_send_requests_release_id ON loyalty.send_requests (release_id);
CREATE TABLE loyalty.send_queue (
    request_id bigint NOT NULL
        CONSTRAINT fk_send_queue_request_id REFERENCES loyalty.send_requests (id),
    due_at timestamptz NOT NULL,
    CONSTRAINT pk_send_queue PRIMARY KEY (request_id)
);
CREATE INDEX ix_send_queue_due_at_request_id ON loyalty.send_queue (due_at, request_id);
CREATE TABLE loyalty.decisions (
    id bigint GENERATED ALWAYS AS IDENTITY,
    request_id bigint NOT NULL
        CONSTRAINT fk_decisions_request_id REFERENCES loyalty.send_requests (id),
    customer_id bigint NOT NULL,
    verdict text NOT NULL,
    primary_rule text,
    results jsonb NOT NULL,
    inputs jsonb NOT NULL,
    input_digest bytea NOT NULL,
    consent_seq bigint NOT NULL,
    notice bigint,
    template_version_id bigint NOT NULL,
    content_digest bytea,
    contact_digest bytea,
    release_id bigint,
    approval text,
    policy_pack text NOT NULL,
    decided_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    defer_until timestamptz,
    CONSTRAINT pk_decisions PRIMARY KEY (id),
    CONSTRAINT uq_decisions_id_verdict_request_id UNIQUE (id, verdict, request_id),
    CONSTRAINT ck_decisions_verdict CHECK (verdict IN ('ALLOW', 'DENY', 'DEFER')),
    CONSTRAINT ck_decisions_reason CHECK ((verdict = 'ALLOW') = (primary_rule IS NULL)),
    CONSTRAINT ck_decisions_defer_until CHECK ((verdict = 'DEFER') = (defer_until IS NOT NULL)),
    CONSTRAINT ck_decisions_content CHECK (
        verdict <> 'ALLOW' OR num_nonnulls(content_digest, contact_digest) = 2
    )
);
CREATE INDEX ix_decisions_request_id ON loyalty.decisions (request_id);
CREATE INDEX ix_decisions_customer_id_id ON loyalty.decisions (customer_id, id);
CREATE INDEX ix_decisions_release_id_primary_rule
    ON loyalty.decisions (release_id, primary_rule);
CREATE TABLE loyalty.frequency_reservations (
    decision_id bigint NOT NULL
        CONSTRAINT fk_frequency_reservations_decision_id REFERENCES loyalty.decisions (id),
    customer_id bigint NOT NULL,
    state text NOT NULL DEFAULT 'RESERVED',
    reserved_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_frequency_reservations PRIMARY KEY (decision_id),
    CONSTRAINT ck_frequency_reservations_state
        CHECK (state IN ('RESERVED', 'COMMITTED', 'RELEASED', 'UNKNOWN'))
) WITH (fillfactor = 80);
CREATE INDEX ix_frequency_reservations_customer_id_reserved_at
    ON loyalty.frequency_reservations (customer_id, reserved_at);
CREATE TABLE loyalty.permits (
    id bigint GENERATED ALWAYS AS IDENTITY,
    request_id bigint NOT NULL,
    decision_id bigint NOT NULL
        CONSTRAINT fk_permits_decision_id REFERENCES loyalty.decisions (id),
    channel text NOT NULL,
    content_digest bytea NOT NULL,
    contact_digest bytea NOT NULL,
    mac bytea NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_permits PRIMARY KEY (id),
    CONSTRAINT uq_permits_decision_id UNIQUE (decision_id),
    CONSTRAINT uq_permits_id_decision_id_content_digest_expires_at
        UNIQUE (id, decision_id, content_digest, expires_at),
    CONSTRAINT ck_permits_life CHECK (expires_at <= issued_at + interval '60 seconds')
);
CREATE INDEX ix_permits_channel_expires_at ON loyalty.permits (channel, expires_at);
CREATE TABLE loyalty.send_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY,
    decision_id bigint NOT NULL,
    request_id bigint NOT NULL,
    verdict text NOT NULL DEFAULT 'ALLOW',
    permit_id bigint NOT NULL,
    permit_expires_at timestamptz NOT NULL,
    content_digest bytea NOT NULL,
    content bytea NOT NULL,
    gateway text NOT NULL,
    reference text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_send_attempts PRIMARY KEY (id),
    CONSTRAINT uq_send_attempts_request_id UNIQUE (request_id),
    CONSTRAINT uq_send_attempts_permit_id UNIQUE (permit_id),
    CONSTRAINT uq_send_attempts_gateway_reference UNIQUE (gateway, reference),
    CONSTRAINT ck_send_attempts_verdict CHECK (verdict = 'ALLOW'),
    CONSTRAINT ck_send_attempts_permit CHECK (at <= permit_expires_at),
    CONSTRAINT fk_send_attempts_decision_id
        FOREIGN KEY (decision_id, verdict, request_id)
        REFERENCES loyalty.decisions (id, verdict, request_id),
    CONSTRAINT fk_send_attempts_permit_id
        FOREIGN KEY (permit_id, decision_id, content_digest, permit_expires_at)
        REFERENCES loyalty.permits (id, decision_id, content_digest, expires_at)
);
CREATE TABLE loyalty.delivery_events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    attempt_id bigint NOT NULL
        CONSTRAINT fk_delivery_events_attempt_id REFERENCES loyalty.send_attempts (id),
    kind text NOT NULL,
    code text NOT NULL,
    gateway_reference text NOT NULL,
    digest bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_delivery_events PRIMARY KEY (id),
    CONSTRAINT uq_delivery_events_attempt_id_kind_digest UNIQUE (attempt_id, kind, digest),
    CONSTRAINT ck_delivery_events_kind CHECK (kind IN ('accepted', 'refused', 'unknown',
        'withheld', 'delivered', 'undelivered', 'bounced', 'complained', 'replied'))
);
CREATE INDEX ix_delivery_events_gateway_reference
    ON loyalty.delivery_events (gateway_reference) WHERE gateway_reference <> '';
CREATE TABLE loyalty.optout_events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    channel text NOT NULL,
    contact_digest bytea NOT NULL,
    way text NOT NULL,
    digest bytea NOT NULL,
    customer_id bigint,
    attempt_id bigint
        CONSTRAINT fk_optout_events_attempt_id REFERENCES loyalty.send_attempts (id),
    consent_seq bigint,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_optout_events PRIMARY KEY (id),
    CONSTRAINT uq_optout_events_channel_digest UNIQUE (channel, digest),
    CONSTRAINT ck_optout_events_way CHECK (way IN ('link', 'keyword', 'bounce', 'complaint'))
);
CREATE INDEX ix_optout_events_customer_id ON loyalty.optout_events (customer_id);
CREATE TABLE loyalty.inbox_messages (
    id bigint GENERATED ALWAYS AS IDENTITY,
    customer_id bigint NOT NULL
        CONSTRAINT fk_inbox_messages_customer_id REFERENCES loyalty.customers (id),
    attempt_id bigint NOT NULL
        CONSTRAINT fk_inbox_messages_attempt_id REFERENCES loyalty.send_attempts (id),
    title bytea NOT NULL,
    body bytea NOT NULL,
    class text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_inbox_messages PRIMARY KEY (id),
    CONSTRAINT uq_inbox_messages_attempt_id UNIQUE (attempt_id)
);
CREATE INDEX ix_inbox_messages_customer_id_id ON loyalty.inbox_messages (customer_id, id);
CREATE TABLE loyalty.inbox_reads (
    message_id bigint NOT NULL
        CONSTRAINT fk_inbox_reads_message_id REFERENCES loyalty.inbox_messages (id),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_inbox_reads PRIMARY KEY (message_id)
);
CREATE TABLE loyalty.webhooks (
    id bigint GENERATED ALWAYS AS IDENTITY,
    owner text NOT NULL,
    url text NOT NULL,
    topics text[] NOT NULL,
    opened_by text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    failing_since timestamptz,
    disabled_at timestamptz,
    disabled_reason text,
    CONSTRAINT pk_webhooks PRIMARY KEY (id),
    CONSTRAINT ck_webhooks_disabled CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);
CREATE TABLE loyalty.webhook_secrets (
    id bigint GENERATED ALWAYS AS IDENTITY,
    webhook_id bigint NOT NULL
        CONSTRAINT fk_webhook_secrets_webhook_id REFERENCES loyalty.webhooks (id),
    nonce bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at timestamptz,
    CONSTRAINT pk_webhook_secrets PRIMARY KEY (id)
);
CREATE INDEX ix_webhook_secrets_webhook_id ON loyalty.webhook_secrets (webhook_id);
CREATE TABLE loyalty.webhook_deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY,
    webhook_id bigint NOT NULL
        CONSTRAINT fk_webhook_deliveries_webhook_id REFERENCES loyalty.webhooks (id),
    event text NOT NULL,
    topic text NOT NULL,
    subject text NOT NULL,
    sequence bigint NOT NULL,
    payload jsonb NOT NULL,
    happened_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting',
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    leased_until timestamptz,
    CONSTRAINT pk_webhook_deliveries PRIMARY KEY (id),
    CONSTRAINT uq_webhook_deliveries_webhook_id_event UNIQUE (webhook_id, event),
    CONSTRAINT ck_webhook_deliveries_state CHECK (state IN ('waiting', 'delivered', 'given_up'))
);
CREATE INDEX ix_webhook_deliveries_webhook_id_due_at
    ON loyalty.webhook_deliveries (webhook_id, due_at) WHERE state = 'waiting';
CREATE TABLE loyalty.webhook_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY,
    delivery_id bigint NOT NULL
        CONSTRAINT fk_webhook_attempts_delivery_id REFERENCES loyalty.webhook_deliveries (id),
    outcome text NOT NULL,
    status integer,
    milliseconds integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_webhook_attempts PRIMARY KEY (id)
);
CREATE INDEX ix_webhook_attempts_delivery_id ON loyalty.webhook_attempts (delivery_id)
"""
BY_APP = (
    "message_templates",
    "template_versions",
    "send_releases",
    "sending_stops",
    "send_requests",
    "delivery_events",
    "optout_events",
    "inbox_reads",
    "webhook_attempts",
)
BY_GATE = ("decisions", "permits")
BY_ADAPTER = ("send_attempts", "inbox_messages")
BACKWARDS = (
    "webhook_attempts",
    "webhook_deliveries",
    "webhook_secrets",
    "webhooks",
    "inbox_reads",
    "inbox_messages",
    "optout_events",
    "delivery_events",
    "send_attempts",
    "permits",
    "frequency_reservations",
    "decisions",
    "send_queue",
    "send_requests",
    "sending_stops",
    "send_releases",
    "template_versions",
    "message_templates",
)


def upgrade() -> None:
    """Create the tables. Only the gate decides, and only the adapter hands over."""
    guards.create_roles_above_app(guards.GATE, guards.ADAPTER)
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for writer, tables in (
        (guards.APP, BY_APP),
        (guards.GATE, BY_GATE),
        (guards.ADAPTER, BY_ADAPTER),
    ):
        for table in tables:
            guards.append_only(f"loyalty.{table}", writers=(writer,))
    op.execute(f"GRANT SELECT ON SEQUENCE loyalty.decisions_id_seq TO {guards.SEALER}")
    op.execute(f"GRANT SELECT ON loyalty.send_queue TO {', '.join(guards.ROLES)}")
    # A refusal hastens the decision about what it took out of the queue; who decides or sends
    # takes requests out.
    op.execute(f"GRANT INSERT, UPDATE (due_at) ON loyalty.send_queue TO {guards.APP}")
    op.execute(f"GRANT DELETE ON loyalty.send_queue TO {guards.GATE}, {guards.ADAPTER}")
    op.execute(f"GRANT SELECT ON loyalty.frequency_reservations TO {', '.join(guards.ROLES)}")
    op.execute(f"GRANT INSERT ON loyalty.frequency_reservations TO {guards.GATE}")
    # What a gateway reports moves a reservation on, and reports come in by the app too.
    op.execute(f"GRANT UPDATE (state) ON loyalty.frequency_reservations TO {guards.APP}")
    guards.projection(
        "loyalty.webhooks", updates=("failing_since", "disabled_at", "disabled_reason")
    )
    guards.projection("loyalty.webhook_secrets", updates=("retired_at",))
    guards.projection(
        "loyalty.webhook_deliveries", updates=("state", "attempts", "due_at", "leased_until")
    )


def downgrade() -> None:
    """Drop everything that this step made but the roles, which belong to the whole server."""
    for table in BACKWARDS:
        op.execute(f"DROP TABLE loyalty.{table}")
