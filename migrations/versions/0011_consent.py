"""Consent: purposes, notices, what was shown, events and states; stops, wishes, fitness."""

from alembic import op

from migrations import guards

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.consent_purposes (
    id smallint GENERATED ALWAYS AS IDENTITY,
    code text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    is_marketing boolean NOT NULL,
    sensitivity text NOT NULL,
    needs_separate boolean NOT NULL,
    by_channel boolean NOT NULL,
    valid_months smallint NOT NULL,
    controller_id bigint NOT NULL,
    CONSTRAINT pk_consent_purposes PRIMARY KEY (id),
    CONSTRAINT uq_consent_purposes_code UNIQUE (code),
    CONSTRAINT ck_consent_purposes_sensitivity CHECK (sensitivity IN ('ordinary', 'sensitive')),
    CONSTRAINT ck_consent_purposes_valid_months CHECK (valid_months > 0),
    CONSTRAINT fk_consent_purposes_controller_id FOREIGN KEY (controller_id)
        REFERENCES loyalty.organisation_units (id)
);
CREATE TABLE loyalty.consent_notices (
    id bigint GENERATED ALWAYS AS IDENTITY,
    purpose_id smallint NOT NULL,
    version integer NOT NULL,
    material_version integer NOT NULL,
    body_zh text NOT NULL,
    body_en text NOT NULL,
    sha256_zh bytea NOT NULL,
    sha256_en bytea NOT NULL,
    fields jsonb NOT NULL,
    approved_by text NOT NULL,
    effective_from timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_consent_notices PRIMARY KEY (id),
    CONSTRAINT uq_consent_notices_purpose_id_version UNIQUE (purpose_id, version),
    CONSTRAINT ck_consent_notices_version CHECK (version > 0),
    CONSTRAINT ck_consent_notices_material_version CHECK (material_version > 0),
    CONSTRAINT ck_consent_notices_sha256_zh
        CHECK (sha256_zh = sha256(convert_to(body_zh, 'UTF8'))),
    CONSTRAINT ck_consent_notices_sha256_en
        CHECK (sha256_en = sha256(convert_to(body_en, 'UTF8'))),
    CONSTRAINT fk_consent_notices_purpose_id FOREIGN KEY (purpose_id)
        REFERENCES loyalty.consent_purposes (id)
);
CREATE TABLE loyalty.consent_presentations (
    customer_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    notice_id bigint NOT NULL,
    channel text NOT NULL,
    lang text NOT NULL,
    body_sha256 bytea NOT NULL,
    surface text NOT NULL,
    form_version text NOT NULL,
    prompted boolean NOT NULL,
    default_checked boolean NOT NULL,
    screenshot_sha256 bytea,
    shown_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_consent_presentations PRIMARY KEY (customer_id, id),
    CONSTRAINT ck_consent_presentations_never_ticked_before CHECK (default_checked = false),
    CONSTRAINT ck_consent_presentations_lang CHECK (lang IN ('zh', 'en')),
    CONSTRAINT fk_consent_presentations_customer_id FOREIGN KEY (customer_id)
        REFERENCES loyalty.customers (id),
    CONSTRAINT fk_consent_presentations_notice_id FOREIGN KEY (notice_id)
        REFERENCES loyalty.consent_notices (id)
);
CREATE TABLE loyalty.consent_subjects (
    customer_id bigint NOT NULL,
    newest_seq bigint NOT NULL DEFAULT 0,
    revision bigint NOT NULL DEFAULT 0,
    CONSTRAINT pk_consent_subjects PRIMARY KEY (customer_id),
    CONSTRAINT fk_consent_subjects_customer_id FOREIGN KEY (customer_id)
        REFERENCES loyalty.customers (id)
);
CREATE TABLE loyalty.consent_events (
    customer_id bigint NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    purpose_id smallint NOT NULL,
    channel text NOT NULL,
    partner_id bigint NOT NULL DEFAULT 0,
    action text NOT NULL,
    separate boolean NOT NULL,
    whole_channel boolean NOT NULL,
    notice_id bigint,
    presentation_id bigint,
    mechanism text NOT NULL,
    guardian text,
    proof jsonb,
    source text NOT NULL,
    reference text NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_consent_events PRIMARY KEY (customer_id, seq),
    CONSTRAINT uq_consent_events_reference
        UNIQUE (customer_id, source, reference, purpose_id, channel, partner_id),
    CONSTRAINT fk_consent_events_presentation_id
        FOREIGN KEY (customer_id, presentation_id)
        REFERENCES loyalty.consent_presentations (customer_id, id),
    CONSTRAINT ck_consent_events_action
        CHECK (action IN ('GRANT', 'REFUSE', 'WITHDRAW', 'CONFIRM', 'EXPIRE', 'IMPORT', 'REOPEN')),
    CONSTRAINT ck_consent_events_channel
        CHECK (channel IN ('SMS', 'CALL', 'EMAIL', 'APP_PUSH', 'IN_APP', 'WECHAT', 'POST',
        'BRANCH', 'NONE')),
    CONSTRAINT ck_consent_events_mechanism
        CHECK (mechanism IN ('APP', 'WEB', 'SELF_FORM', 'BRANCH', 'PAPER', 'CALL', 'SMS_REPLY',
        'EMAIL_LINK', 'ONE_CLICK', 'IMPORT', 'EXPIRY')),
    CONSTRAINT ck_consent_events_partner_id CHECK (partner_id >= 0),
    CONSTRAINT ck_consent_events_proved
        CHECK (action NOT IN ('GRANT', 'IMPORT') OR (notice_id IS NOT NULL AND proof IS NOT NULL)),
    CONSTRAINT fk_consent_events_customer_id FOREIGN KEY (customer_id)
        REFERENCES loyalty.customers (id),
    CONSTRAINT fk_consent_events_purpose_id FOREIGN KEY (purpose_id)
        REFERENCES loyalty.consent_purposes (id),
    CONSTRAINT fk_consent_events_notice_id FOREIGN KEY (notice_id)
        REFERENCES loyalty.consent_notices (id)
);
CREATE INDEX ix_consent_events_seq ON loyalty.consent_events (seq);
CREATE TABLE loyalty.consent_states (
    customer_id bigint NOT NULL,
    purpose_id smallint NOT NULL,
    channel text NOT NULL,
    partner_id bigint NOT NULL,
    status text NOT NULL,
    since_seq bigint NOT NULL,
    notice_id bigint,
    separate boolean NOT NULL,
    whole_channel boolean NOT NULL,
    guardian boolean NOT NULL,
    mechanism text NOT NULL,
    granted_at timestamptz,
    refused_at timestamptz,
    expires_at timestamptz,
    CONSTRAINT pk_consent_states PRIMARY KEY (customer_id, purpose_id, channel, partner_id),
    CONSTRAINT ck_consent_states_status
        CHECK (status IN ('GRANTED', 'PENDING', 'REFUSED', 'WITHDRAWN', 'EXPIRED', 'OPEN')),
    CONSTRAINT fk_consent_states_customer_id FOREIGN KEY (customer_id)
        REFERENCES loyalty.customers (id),
    CONSTRAINT fk_consent_states_purpose_id FOREIGN KEY (purpose_id)
        REFERENCES loyalty.consent_purposes (id),
    CONSTRAINT fk_consent_states_notice_id FOREIGN KEY (notice_id)
        REFERENCES loyalty.consent_notices (id)
);
CREATE INDEX ix_consent_states_audience
    ON loyalty.consent_states (purpose_id, channel, partner_id, customer_id);
CREATE TABLE loyalty.suppressions (
    id bigint GENERATED ALWAYS AS IDENTITY,
    customer_id bigint,
    contact_digest bytea,
    scope text NOT NULL,
    scope_value text,
    reason text NOT NULL,
    source text NOT NULL,
    reference text NOT NULL,
    actor_id text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_suppressions PRIMARY KEY (id),
    CONSTRAINT ck_suppressions_scope
        CHECK (scope IN ('ALL', 'CHANNEL', 'PURPOSE', 'TOPIC', 'CONTACT_POINT')),
    CONSTRAINT ck_suppressions_reason
        CHECK (reason IN ('opt-out', 'complaint', 'bounce', 'deceased', 'legal-hold',
        'fraud-victim', 'staff-test', 'restricted', 'customer-wish')),
    CONSTRAINT ck_suppressions_whom CHECK (num_nonnulls(customer_id, contact_digest) > 0),
    CONSTRAINT ck_suppressions_scope_value
        CHECK ((scope IN ('ALL', 'CONTACT_POINT')) = (scope_value IS NULL)),
    CONSTRAINT ck_suppressions_ends_at CHECK (ends_at > starts_at),
    CONSTRAINT fk_suppressions_customer_id FOREIGN KEY (customer_id)
        REFERENCES loyalty.customers (id)
);
CREATE INDEX ix_suppressions_contact_digest ON loyalty.suppressions (contact_digest)
    WHERE contact_digest IS NOT NULL;
CREATE INDEX ix_suppressions_customer_id ON loyalty.suppressions (customer_id)
    WHERE customer_id IS NOT NULL;
CREATE TABLE loyalty.suppression_ends (
    suppression_id bigint NOT NULL,
    reason text NOT NULL,
    actor_id text NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_suppression_ends PRIMARY KEY (suppression_id),
    CONSTRAINT fk_suppression_ends_suppression_id FOREIGN KEY (suppression_id)
        REFERENCES loyalty.suppressions (id)
);
CREATE TABLE loyalty.contact_preferences (
    customer_id bigint NOT NULL,
    version integer NOT NULL,
    weekly_cap smallint,
    topics_off text[] NOT NULL,
    hours_from time,
    hours_until time,
    personalisation_off boolean NOT NULL,
    actor_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_contact_preferences PRIMARY KEY (customer_id, version),
    CONSTRAINT ck_contact_preferences_weekly_cap CHECK (weekly_cap >= 0),
    CONSTRAINT ck_contact_preferences_hours CHECK ((hours_from IS NULL) = (hours_until IS NULL)),
    CONSTRAINT fk_contact_preferences_customer_id FOREIGN KEY (customer_id)
        REFERENCES loyalty.customers (id)
);
CREATE TABLE loyalty.contact_points (
    id bigint GENERATED ALWAYS AS IDENTITY,
    customer_id bigint NOT NULL,
    kind text NOT NULL,
    value bytea,
    digest bytea,
    verified_at timestamptz,
    ownership_checked_at timestamptz,
    dead_reason text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_contact_points PRIMARY KEY (id),
    CONSTRAINT ck_contact_points_kind
        CHECK (kind IN ('PHONE', 'EMAIL', 'DEVICE', 'WECHAT', 'ADDRESS')),
    CONSTRAINT ck_contact_points_whole CHECK (num_nonnulls(value, digest) IN (0, 2)),
    CONSTRAINT fk_contact_points_customer_id FOREIGN KEY (customer_id)
        REFERENCES loyalty.customers (id)
);
CREATE INDEX ix_contact_points_customer_id_kind ON loyalty.contact_points (customer_id, kind);
CREATE INDEX ix_contact_points_digest ON loyalty.contact_points (digest) WHERE digest IS NOT NULL;
CREATE TABLE loyalty.eligibility_facts (
    customer_id bigint NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    value text NOT NULL,
    as_of timestamptz NOT NULL,
    source text NOT NULL,
    reference text NOT NULL,
    actor_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_eligibility_facts PRIMARY KEY (customer_id, seq),
    CONSTRAINT uq_eligibility_facts_customer_id_source_reference_kind
        UNIQUE (customer_id, source, reference, kind),
    CONSTRAINT ck_eligibility_facts_kind
        CHECK (kind IN ('risk_grade', 'age_band', 'capacity', 'open_complaints', 'restricted',
        'deceased', 'distress')),
    CONSTRAINT fk_eligibility_facts_customer_id FOREIGN KEY (customer_id)
        REFERENCES loyalty.customers (id)
);
CREATE TABLE loyalty.eligibility (
    customer_id bigint NOT NULL,
    risk_grade smallint,
    risk_assessed_at timestamptz,
    age_band text,
    capacity text,
    open_complaints integer NOT NULL DEFAULT 0,
    restricted boolean NOT NULL DEFAULT false,
    deceased boolean NOT NULL DEFAULT false,
    distress boolean NOT NULL DEFAULT false,
    CONSTRAINT pk_eligibility PRIMARY KEY (customer_id),
    CONSTRAINT ck_eligibility_age_band
        CHECK (age_band IN ('UNDER_14', 'UNDER_18', 'ADULT', 'FROM_65')),
    CONSTRAINT ck_eligibility_capacity CHECK (capacity IN ('FULL', 'LIMITED', 'NONE')),
    CONSTRAINT ck_eligibility_risk_grade CHECK (risk_grade BETWEEN 1 AND 5),
    CONSTRAINT ck_eligibility_open_complaints CHECK (open_complaints >= 0),
    CONSTRAINT fk_eligibility_customer_id FOREIGN KEY (customer_id)
        REFERENCES loyalty.customers (id)
)
"""
PROJECTIONS = {
    "consent_subjects": ("newest_seq", "revision"),
    "consent_states": (
        *("status", "since_seq", "notice_id", "separate", "whole_channel", "guardian"),
        *("mechanism", "granted_at", "refused_at", "expires_at"),
    ),
    "contact_points": (*("value", "digest", "verified_at", "ownership_checked_at", "dead_reason"),),
    "eligibility": (
        *("risk_grade", "risk_assessed_at", "age_band", "capacity", "open_complaints"),
        *("restricted", "deceased", "distress"),
    ),
}
TABLE_NAMES = (
    "eligibility",
    "eligibility_facts",
    "contact_points",
    "contact_preferences",
    "suppression_ends",
    "suppressions",
    "consent_states",
    "consent_events",
    "consent_subjects",
    "consent_presentations",
    "consent_notices",
    "consent_purposes",
)


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for table in TABLE_NAMES:
        if table not in PROJECTIONS:
            guards.append_only(f"loyalty.{table}")
    for table, updates in PROJECTIONS.items():
        guards.projection(f"loyalty.{table}", updates=updates, deletes=table != "contact_points")
    # The sealer must know which numbers were given out.
    op.execute(f"GRANT SELECT ON SEQUENCE loyalty.consent_events_seq_seq TO {guards.SEALER}")


def downgrade() -> None:
    for table in TABLE_NAMES:
        op.execute(f"DROP TABLE loyalty.{table}")
