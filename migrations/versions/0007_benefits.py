"""Benefits: terms by tier, entitlements, uses and their counters."""

from alembic import op

from migrations import guards

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.benefits (
    id bigint GENERATED ALWAYS AS IDENTITY,
    programme_id smallint NOT NULL
        CONSTRAINT fk_benefits_programme_id REFERENCES loyalty.programmes (id),
    code text NOT NULL,
    kind text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    CONSTRAINT pk_benefits PRIMARY KEY (id),
    CONSTRAINT uq_benefits_programme_id_code UNIQUE (programme_id, code),
    CONSTRAINT ck_benefits_kind CHECK (kind IN ('service', 'lane', 'event', 'goods'))
);
CREATE TABLE loyalty.benefit_terms (
    benefit_id bigint NOT NULL
        CONSTRAINT fk_benefit_terms_benefit_id REFERENCES loyalty.benefits (id),
    version integer NOT NULL,
    effective_from timestamptz NOT NULL,
    period text NOT NULL,
    tiers jsonb NOT NULL,
    promise_minutes integer,
    CONSTRAINT pk_benefit_terms PRIMARY KEY (benefit_id, version),
    CONSTRAINT ck_benefit_terms_period CHECK (period IN ('month', 'quarter', 'year', 'ever')),
    CONSTRAINT ck_benefit_terms_promise_minutes CHECK (promise_minutes > 0)
);
CREATE TABLE loyalty.entitlements (
    id bigint GENERATED ALWAYS AS IDENTITY,
    customer_id bigint NOT NULL
        CONSTRAINT fk_entitlements_customer_id REFERENCES loyalty.customers (id),
    benefit_id bigint NOT NULL
        CONSTRAINT fk_entitlements_benefit_id REFERENCES loyalty.benefits (id),
    quota bigint NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    source text NOT NULL,
    reference text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT pk_entitlements PRIMARY KEY (id),
    CONSTRAINT uq_entitlements_customer_id_benefit_id_source_reference
        UNIQUE (customer_id, benefit_id, source, reference),
    CONSTRAINT ck_entitlements_quota CHECK (quota > 0),
    CONSTRAINT ck_entitlements_ends_at CHECK (ends_at > starts_at)
);
CREATE TABLE loyalty.benefit_uses (
    id bigint GENERATED ALWAYS AS IDENTITY,
    customer_id bigint NOT NULL
        CONSTRAINT fk_benefit_uses_customer_id REFERENCES loyalty.customers (id),
    benefit_id bigint NOT NULL
        CONSTRAINT fk_benefit_uses_benefit_id REFERENCES loyalty.benefits (id),
    period text NOT NULL,
    source text NOT NULL,
    reference text NOT NULL,
    units bigint NOT NULL,
    guests integer NOT NULL,
    tier text NOT NULL,
    terms_version integer NOT NULL,
    reverses bigint CONSTRAINT fk_benefit_uses_reverses REFERENCES loyalty.benefit_uses (id),
    used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_benefit_uses PRIMARY KEY (id),
    CONSTRAINT uq_benefit_uses_customer_id_benefit_id_source_reference
        UNIQUE (customer_id, benefit_id, source, reference),
    CONSTRAINT ck_benefit_uses_guests CHECK (guests >= 0)
);
CREATE UNIQUE INDEX ix_benefit_uses_reverses ON loyalty.benefit_uses (reverses)
    WHERE reverses IS NOT NULL;
CREATE TABLE loyalty.benefit_counters (
    customer_id bigint NOT NULL
        CONSTRAINT fk_benefit_counters_customer_id REFERENCES loyalty.customers (id),
    benefit_id bigint NOT NULL
        CONSTRAINT fk_benefit_counters_benefit_id REFERENCES loyalty.benefits (id),
    period text NOT NULL,
    used bigint NOT NULL DEFAULT 0,
    quota bigint,
    CONSTRAINT pk_benefit_counters PRIMARY KEY (customer_id, benefit_id, period),
    CONSTRAINT ck_benefit_counters_used CHECK (used >= 0),
    CONSTRAINT ck_benefit_counters_quota CHECK (used <= quota)
)
"""
TABLE_NAMES = ("benefit_counters", "benefit_uses", "entitlements", "benefit_terms", "benefits")


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for table in TABLE_NAMES[1:]:
        guards.append_only(f"loyalty.{table}")
    guards.projection("loyalty.benefit_counters", updates=("used", "quota"))


def downgrade() -> None:
    for table in TABLE_NAMES:
        op.execute(f"DROP TABLE loyalty.{table}")
